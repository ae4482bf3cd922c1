//! Frames over a pipe in memory, whole and broken.

use super::*;
use crate::work::{Asking, Options, Pair, Work};
use proptest::prelude::*;
use tokio::io::duplex;

fn order(word: &str) -> FromClient {
    let options = Options {
        app: "handfast".to_owned(),
        interface: vec!["lo".to_owned()],
        port: 0,
        server: Vec::new(),
        server_key: Vec::new(),
        name: None,
        idle_timeout: None,
    };
    let work = Work::Pair(Pair::Show(Some(word.to_owned())));
    FromClient::Order(Box::new(Order { work, options, addr: None, asking: Asking::All }))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

async fn written<T: Serialize>(frame: &Frame<T>) -> Vec<u8> {
    let mut wire = Vec::new();
    write(&mut wire, frame).await.unwrap();
    wire
}

#[tokio::test]
async fn frames_of_both_kinds_come_out_as_they_went_in() {
    let frames = [Frame::Message(order("laptop")), Frame::Data(Bytes::from_static(b"bytes"))];
    let mut wire = Vec::new();
    for frame in &frames {
        write(&mut wire, frame).await.unwrap();
    }
    let mut wire = &wire[..];
    for frame in &frames {
        assert_eq!(read::<FromClient>(&mut wire).await.unwrap().as_ref(), Some(frame));
    }
    assert_eq!(read::<FromClient>(&mut wire).await.unwrap(), None);
}

#[tokio::test]
async fn every_end_within_a_frame_is_an_error() {
    let wire = written(&Frame::Message(order("laptop"))).await;
    for len in 1..wire.len() {
        let error = read::<FromClient>(&mut &wire[..len]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{len}");
    }
}

#[tokio::test]
async fn a_length_that_is_only_claimed_takes_no_memory_and_one_over_the_limit_is_refused() {
    let claimed = [&(MAX_FRAME as u32).to_be_bytes()[..], &[MESSAGE]].concat();
    let error = read::<FromClient>(&mut &claimed[..]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    for len in [0, MAX_FRAME as u32 + 1, u32::MAX] {
        let wire = [&len.to_be_bytes()[..], &[MESSAGE; 8]].concat();
        let error = read::<FromClient>(&mut &wire[..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{len}");
    }
    let long = Frame::<FromClient>::Data(vec![0; MAX_FRAME].into());
    assert!(write(&mut Vec::new(), &long).await.is_err());
}

#[tokio::test]
async fn who_speaks_something_else_is_told_apart_by_his_greeting() {
    let (mut near, mut far) = duplex(64);
    let (near, far) = tokio::join!(greet(&mut near), greet(&mut far));
    assert_eq!((near.unwrap(), far.unwrap()), (Some(VERSION), Some(VERSION)));
    let (mut near, mut far) = duplex(64);
    far.write_all(b"GET / HTTP/1.1").await.unwrap();
    assert_eq!(greet(&mut near).await.unwrap(), None);
}

proptest! {
    #[test]
    fn whatever_arrives_is_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        block_on(async {
            let body = [&(bytes.len() as u32 + 1).to_be_bytes()[..], &[MESSAGE], &bytes].concat();
            for wire in [&bytes, &body] {
                let mut rest = &wire[..];
                while let Ok(Some(_)) = read::<FromClient>(&mut rest).await {}
                let mut rest = &wire[..];
                while let Ok(Some(_)) = read::<ToClient>(&mut rest).await {}
            }
        });
    }

    #[test]
    fn a_message_that_is_changed_anywhere_is_never_one_of_another_length(
        word in ".{0,40}", at in any::<prop::sample::Index>(), bit in 0..8u8,
    ) {
        block_on(async {
            let mut wire = written(&Frame::Message(order(&word))).await;
            let at = 4 + at.index(wire.len() - 4);
            wire[at] ^= 1 << bit;
            let mut rest = &wire[..];
            if read::<FromClient>(&mut rest).await.is_ok() {
                assert!(rest.is_empty());
            }
        });
    }
}
