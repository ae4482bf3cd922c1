//! Feeds the codec of values octets that nobody wrote. For fuzz targets and the replay of their seeds.

use super::{Frames, MAX_DEPTH, ValueError, decode, encode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A type that has all that serde knows, and lies within itself.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Anything {
    Nothing,
    Flag(bool),
    Number(i64),
    Fraction(f32),
    Text(String),
    Option(Option<u8>),
    Pair(u8, char),
    Inside(Box<Anything>),
    List(Vec<Anything>),
    Map(BTreeMap<String, Anything>),
    Record { first: u16, second: Option<Box<Anything>> },
}

/// Bytes that the values of a script may have.
const MAX: usize = 4 << 10;

/// Cuts a stream into values, however it comes, and reads each. What is read can be written, and is then read as the
/// same. Returns how many there were.
pub(crate) fn value(stream: &[u8]) -> usize {
    let mut cut: Option<Vec<Bytes>> = None;
    let mut read = 0;
    for piece in [1, 7, usize::MAX] {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        'stream: for part in stream.chunks(piece) {
            let mut part = Bytes::copy_from_slice(part);
            loop {
                match frames.next(&mut part, MAX) {
                    Ok(Some(frame)) => found.push(frame),
                    Ok(None) => break,
                    Err(error) => {
                        assert_eq!(error, ValueError::TooLong);
                        break 'stream;
                    }
                }
            }
            assert!(frames.partial.len() <= MAX + 4, "more is kept than a value may have");
        }
        read = found.iter().filter(|frame| round_trip(frame)).count();
        let before = cut.get_or_insert_with(|| found.clone());
        assert_eq!(*before, found, "how a stream comes changes nothing");
    }
    read
}

fn round_trip(frame: &[u8]) -> bool {
    // What a reader skips is walked through all the same.
    let skipped = decode::<serde::de::IgnoredAny>(frame);
    let Ok(value) = decode::<Anything>(frame) else { return false };
    assert!(skipped.is_ok(), "what is a value of some type is a value");
    let again = encode(&value).expect("what was read can be written");
    match decode::<Anything>(&again[4..]) {
        // No number equals what is none.
        Ok(same) => assert_eq!(format!("{same:?}"), format!("{value:?}"), "a value reads what it writes"),
        // An empty list may have come as no bytes, which are no container.
        Err(error) => assert_eq!(error, ValueError::TooDeep, "{MAX_DEPTH} are read"),
    }
    true
}
