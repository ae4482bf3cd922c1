//! Messages, whole and broken.

use super::*;
use crate::msgpack::decode;
use proptest::prelude::*;

fn offer(path: &[&str]) -> FromSender {
    FromSender::Offer(Offer {
        run: Bin([1; 16]),
        id: Bin([2; 16]),
        key: Bin([3; 16]),
        root: Bin([4; 16]),
        number: 0,
        of: u64::MAX,
        total: u64::MAX,
        path: path.iter().map(|name| (*name).to_owned()).collect(),
        what: What::File { size: u64::MAX, modified: Some(u64::MAX), executable: true },
    })
}

#[tokio::test]
async fn a_message_survives_the_wire() {
    for message in [offer(&["a.txt"]), FromSender::Start { from: 7 }] {
        let mut wire = Vec::new();
        write(&mut wire, &message).await.unwrap();
        assert_eq!(read::<FromSender>(&mut &wire[..]).await.unwrap(), message);
    }
    let accepted = FromReceiver::Accepted { have: u64::MAX, prefix: Bin([9; HASH_LEN]) };
    for message in [FromReceiver::Verified {}, FromReceiver::Failed { reason: Reason::DiskFull }, accepted] {
        let mut wire = Vec::new();
        write(&mut wire, &message).await.unwrap();
        assert_eq!(read::<FromReceiver>(&mut &wire[..]).await.unwrap(), message);
    }
}

#[tokio::test]
async fn the_longest_path_that_is_sound_fits_into_a_message() {
    let name = "x".repeat(MAX_PATH / MAX_DEPTH);
    let longest = offer(&[&name[..]; MAX_DEPTH]);
    let FromSender::Offer(sound) = &longest else { panic!("an offer") };
    assert!(sound.is_sound());
    write(&mut Vec::new(), &longest).await.unwrap();
    for path in [vec![], vec!["x".to_owned(); MAX_DEPTH + 1], vec!["x".repeat(MAX_PATH + 1)]] {
        assert!(!Offer { path, ..sound.clone() }.is_sound());
    }
}

proptest! {
    #[test]
    fn whatever_arrives_is_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let read = |wire: Vec<u8>| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let _ = read::<FromSender>(&mut &wire[..]).await;
                let _ = read::<FromReceiver>(&mut &wire[..]).await;
            });
        };
        read([&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat());
        read(bytes);
    }
}

#[tokio::test]
async fn what_is_no_message_is_an_error_and_never_a_guess() {
    let mut trailing = Vec::new();
    write(&mut trailing, &FromReceiver::Verified {}).await.unwrap();
    trailing[1] += 1;
    trailing.push(0);
    for wire in [&[0, 0][..], &[0x10, 0x01, 0], &[0, 3, 1, 2, 3], &[0, 9, 1], &[0], &trailing] {
        assert!(read::<FromReceiver>(&mut &wire[..]).await.is_err(), "{wire:x?}");
    }
}

#[test]
fn a_message_that_is_nested_too_deeply_is_malformed_and_costs_no_stack() {
    for (depth, sound) in [(4, true), (17, false), (4000, false)] {
        let fields = [&b"\x81\xa5Start\x82\xa4from\x01\xa5later"[..], &vec![0x91; depth]];
        let frame = [&fields.concat()[..], b"\xc0"].concat();
        assert_eq!(decode::<FromSender>(&frame).is_some(), sound, "{depth}");
    }
}

#[test]
fn a_reason_of_a_later_version_is_read_as_unknown() {
    #[derive(Serialize)]
    enum Later {
        Failed { reason: &'static str, detail: u8 },
    }
    let frame = rmp_serde::to_vec_named(&Later::Failed { reason: "too_hot", detail: 7 }).unwrap();
    assert_eq!(decode(&frame), Some(FromReceiver::Failed { reason: Reason::Unknown }));
}
