//! What broke off goes on, and what is there is not sent again.

use super::*;

#[tokio::test]
async fn a_file_that_broke_off_goes_on_where_it_was_even_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = noise(20 * BLOCK);
    let offer = offer(&["a"], bytes.len() as u64);
    break_off(&Store::new(folder.path(), None), peer(1), offer.clone(), &bytes[..8 * BLOCK]).await;
    assert_eq!((names(folder.path()), parts(folder.path())), (vec![], 1));
    // Another process, and another command.
    let later = Offer { run: id(7), id: id(8), ..offer };
    let (steps, received) = pass(&Store::new(folder.path(), None), later, &bytes).await;
    assert_eq!(steps[0], Step::Resumed(8 * BLOCK as u64));
    let Received::Stored { path, .. } = received else { panic!("{received:?}") };
    assert!(fs::read(path).unwrap() == bytes);
    assert_eq!((names(folder.path()), parts(folder.path())), (vec!["a".to_owned()], 0));
}

#[tokio::test]
async fn a_file_whose_beginning_changed_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    let (before, mut after) = (noise(20 * BLOCK), noise(20 * BLOCK));
    after[BLOCK] ^= 1;
    let offer = offer(&["a"], after.len() as u64);
    break_off(&store, peer(1), offer.clone(), &before[..8 * BLOCK]).await;
    let (steps, received) = pass(&store, offer, &after).await;
    assert!(steps.iter().all(|step| matches!(step, Step::At(_))), "{steps:?}");
    let Received::Stored { path, .. } = received else { panic!("{received:?}") };
    assert!(fs::read(path).unwrap() == after);
}

#[tokio::test]
async fn what_one_peer_began_is_no_other_peers() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    let bytes = noise(20 * BLOCK);
    let offer = offer(&["a"], bytes.len() as u64);
    break_off(&store, peer(2), offer.clone(), &bytes[..8 * BLOCK]).await;
    let (steps, _) = pass(&store, offer, &bytes).await;
    assert!(steps.iter().all(|step| matches!(step, Step::At(_))), "{steps:?}");
}

#[tokio::test]
async fn an_item_that_comes_again_takes_the_place_of_the_one_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    let bytes = noise(20 * BLOCK);
    let offer = offer(&["a"], bytes.len() as u64);
    let (mut hanging, far) = pipe();
    let story = async {
        header::write(&mut hanging.1, &FromSender::Offer(offer.clone())).await.unwrap();
        header::read::<FromReceiver>(&mut hanging.0).await.unwrap();
        header::write(&mut hanging.1, &FromSender::Start { from: 0 }).await.unwrap();
        hanging.1.write_all(&bytes[..8 * BLOCK]).await.unwrap();
        hanging.1.flush().await.unwrap();
        // Its connection is lost, which the receiver does not know.
        pass(&store, offer.clone(), &bytes).await
    };
    let ((steps, received), given_up) = tokio::join!(story, take(&store, peer(1), far));
    assert!(matches!(given_up, Err(TransferError::Stream(_))), "{given_up:?}");
    assert!(matches!(steps[0], Step::Resumed(bytes) if bytes >= 7 * BLOCK as u64), "{:?}", steps[0]);
    let Received::Stored { path, .. } = received else { panic!("{received:?}") };
    assert!(fs::read(path).unwrap() == bytes);
}

#[tokio::test]
async fn an_item_whose_verdict_was_not_heard_is_not_stored_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    let offer = offer(&["a"], 2);
    pass(&store, offer.clone(), b"hi").await;
    assert_eq!(pass(&store, offer.clone(), b"hi").await.1, Received::Again);
    assert_eq!(names(folder.path()), ["a"]);
    // To send the same file by another command is to have it twice.
    let another = Offer { run: id(7), id: id(8), ..offer };
    pass(&store, another, b"hi").await;
    assert_eq!(names(folder.path()), ["a", "a (1)"]);
}

#[tokio::test]
async fn a_folder_that_broke_off_goes_on_in_the_same_place_and_without_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("photos")).unwrap();
    let modified = Some(1_000_000);
    let item = |run: u8, number: u8, name: &str| Offer {
        run: id(run),
        id: id(run ^ number),
        number: number.into(),
        of: 2,
        what: What::File { size: 2, modified, executable: false },
        ..offer(&["photos", name], 2)
    };
    pass(&Store::new(folder.path(), None), item(16, 0, "a"), b"hi").await;
    let store = Store::new(folder.path(), None);
    let (steps, received) = pass(&store, item(32, 0, "a"), b"hi").await;
    assert_eq!(steps, [Step::Resumed(2)]);
    assert_eq!(received, Received::Stored { path: folder.path().join("photos (1)/a"), bytes: 2 });
    pass(&store, item(32, 1, "b"), b"ho").await;
    assert_eq!(names(folder.path()), ["photos", "photos (1)"]);
    assert_eq!(names(&folder.path().join("photos (1)")), ["a", "b"]);
    assert_eq!(parts(folder.path()), 0, "a folder that is whole is forgotten");
    // By another command it is another folder.
    pass(&store, item(48, 0, "a"), b"hi").await;
    assert_eq!(names(folder.path()), ["photos", "photos (1)", "photos (2)"]);
}

#[tokio::test]
async fn a_file_that_is_there_and_is_another_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    let what = What::File { size: 2, modified: Some(1_000_000), executable: false };
    let first = Offer { of: 3, what, ..offer(&["photos", "a"], 2) };
    pass(&store, first.clone(), b"hi").await;
    let second = Offer { id: id(9), number: 1, ..first };
    pass(&store, second, b"ho").await;
    let photos = folder.path().join("photos");
    assert_eq!(names(&photos), ["a", "a (1)"]);
    assert_eq!(fs::read(photos.join("a")).unwrap(), b"hi");
}
