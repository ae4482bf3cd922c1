//! Peers that vanish, lie, and want to be where they should not.

use super::*;

#[tokio::test]
async fn a_name_that_climbs_out_stays_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    let paths = [
        (&["../../../tmp/x\0.sh"][..], "_._.._.._tmp_x.sh"),
        (&["..", "..", "etc", "passwd"], "file/file/etc/passwd"),
        (&["/etc", "shadow"], "_etc/shadow"),
        (&["a", "", "b"], "a/file/b"),
        (&["C:\\x", ".ssh", "con"], "C__x/_ssh/_con"),
        (&[".handfast-parts", "x.part"], "_handfast-parts/x.part"),
    ];
    for (n, (path, stored)) in paths.into_iter().enumerate() {
        let n = n as u8;
        let offer = Offer { id: id(20 + n), run: id(40 + n), root: id(60 + n), ..offer(path, 2) };
        let (_, received) = pass(&store, offer, b"hi").await;
        assert_eq!(received, Received::Stored { path: folder.path().join(stored), bytes: 2 }, "{path:?}");
    }
}

#[tokio::test]
async fn a_path_over_the_limits_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    for path in [vec![], vec!["x".to_owned(); 33], vec!["x".repeat(2049)]] {
        let (near, far) = pipe();
        let offer = Offer { path, ..offer(&["x"], 2) };
        let ((sent, _), received) = tokio::join!(send(offer, b"hi", near), take(&store, peer(1), far));
        assert!(matches!(sent, Err(TransferError::Refused(Reason::Name))), "{sent:?}");
        assert!(matches!(received, Err(TransferError::Unwanted(Reason::Name))), "{received:?}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_folder_leads_nobody_out_of_it() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::new(folder.path(), None);
    std::os::unix::fs::symlink(outside.path(), folder.path().join("photos")).unwrap();
    let first = Offer { of: 3, ..offer(&["photos", "a"], 2) };
    let (_, received) = pass(&store, first.clone(), b"hi").await;
    assert_eq!(received, Received::Stored { path: folder.path().join("photos (1)/a"), bytes: 2 });
    // A link that appears in the middle of it.
    std::os::unix::fs::symlink(outside.path(), folder.path().join("photos (1)/b")).unwrap();
    let (near, far) = pipe();
    let second =
        Offer { id: id(9), number: 1, path: ["photos", "b", "c"].map(str::to_owned).to_vec(), ..first };
    let ((sent, _), _) = tokio::join!(send(second, b"hi", near), take(&store, peer(1), far));
    assert!(matches!(sent, Err(TransferError::Refused(Reason::Write))), "{sent:?}");
    assert_eq!(names(outside.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_sender_that_vanishes_leaves_an_error_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    for sent in [0, 1, 500_000, 999_999, 1_000_000, 1_000_000 + HASH_LEN - 1] {
        break_off(&store, peer(1), offer(&["a"], 1_000_000), &vec![0; sent]).await;
        assert_eq!((names(folder.path()), parts(folder.path())), (vec![], 0), "{sent}");
    }
}

#[tokio::test]
async fn a_pipe_that_breaks_off_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    let chunk = [&(BLOCK as u32).to_be_bytes()[..], &vec![7; BLOCK]].concat();
    let offer = Offer { what: What::Pipe {}, ..offer(&["pipe"], 0) };
    break_off(&store, peer(1), offer, &chunk.repeat(8)).await;
    assert_eq!((names(folder.path()), parts(folder.path())), (vec![], 0));
}

/// What the receiver says of a file whose sender writes these bytes, and goes.
async fn lie(folder: &Path, offer: Offer, wire: &[u8]) -> (Option<FromReceiver>, TransferError) {
    let store = Store::new(folder, None);
    let (mut near, far) = pipe();
    let lying = async {
        header::write(&mut near.1, &FromSender::Offer(offer)).await.unwrap();
        header::read::<FromReceiver>(&mut near.0).await.unwrap();
        // A receiver that does not want it hangs up.
        let _ = near.1.write_all(wire).await;
        let _ = near.1.shutdown().await;
        header::read::<FromReceiver>(&mut near.0).await.ok()
    };
    let (answer, received) = tokio::join!(lying, take(&store, peer(1), far));
    assert_eq!((names(folder), parts(folder)), (vec![], 0));
    (answer, received.unwrap_err())
}

async fn start(from: u64) -> Vec<u8> {
    let mut wire = Vec::new();
    header::write(&mut wire, &FromSender::Start { from }).await.unwrap();
    wire
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_hash_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (size, bytes) = (2_000_000, vec![0; 2_000_000]);
    let wire = [&start(0).await[..], &bytes, &Sha256::digest(b"other")].concat();
    let (answer, error) = lie(folder.path(), offer(&["a"], size), &wire).await;
    assert_eq!(answer, Some(FromReceiver::Failed { reason: Reason::Hash }));
    assert!(matches!(error, TransferError::Hash), "{error:?}");
}

#[tokio::test]
async fn whoever_breaks_the_protocol_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let more = [&start(0).await[..], b"hello", &Sha256::digest(b"hello"), b"!"].concat();
    let beyond = start(3).await;
    for wire in [more, beyond, b"\x00\x03abc".to_vec()] {
        let (answer, error) = lie(folder.path(), offer(&["a"], 5), &wire).await;
        assert_eq!(answer, None);
        assert!(matches!(error, TransferError::Protocol(_)), "{error:?}");
    }
    let pipe = Offer { what: What::Pipe {}, ..offer(&["a"], 0) };
    let chunk = [&start(0).await[..], &u32::MAX.to_be_bytes()].concat();
    let (_, error) = lie(folder.path(), pipe, &chunk).await;
    assert!(matches!(error, TransferError::Protocol(_)), "{error:?}");
}

#[tokio::test]
async fn what_cannot_fit_is_refused_before_a_byte_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    let huge = 1 << 60;
    for offer in [offer(&["a"], huge), Offer { total: huge, of: 9, ..offer(&["a"], 2) }] {
        let (near, far) = pipe();
        let ((sent, steps), received) = tokio::join!(send(offer, b"hi", near), take(&store, peer(1), far));
        assert!(matches!(sent, Err(TransferError::Refused(Reason::DiskFull))), "{sent:?}");
        assert_eq!((received.unwrap_err().to_string(), steps), ("the disk is full".to_owned(), vec![]));
    }
    assert_eq!((names(folder.path()), parts(folder.path())), (vec![], 0));
}

#[tokio::test]
async fn a_receiver_that_claims_more_than_there_is_gets_all_of_it() {
    let (near, (mut from, mut back)) = pipe();
    let claiming = async {
        recv::offer(&mut from).await.unwrap();
        let prefix = Bin([0; HASH_LEN]);
        header::write(&mut back, &FromReceiver::Accepted { have: u64::MAX, prefix }).await.unwrap();
        assert_eq!(header::read::<FromSender>(&mut from).await.unwrap(), FromSender::Start { from: 0 });
        let mut rest = Vec::new();
        from.read_to_end(&mut rest).await.unwrap();
        header::write(&mut back, &FromReceiver::Verified {}).await.unwrap();
        rest.len()
    };
    let ((sent, _), len) = tokio::join!(send(offer(&["a"], 5), b"hello", near), claiming);
    assert_eq!((sent.unwrap(), len), (5, 5 + HASH_LEN));
}
