//! Feeds the codecs octets that nobody wrote. For fuzz targets and the replay of their seeds.

use super::control::Control;
use super::frame::{Deframer, Frame};
use super::pairing::Pairing;
use super::txt::{MAX_TXT, Txt, Value};
use bytes::Bytes;

/// Cuts a stream into frames and reads each as every protocol would. What is read can be written, and is
/// then read as the same. Returns how many messages there were.
pub(crate) fn frames(stream: &[u8]) -> usize {
    let mut read = 0;
    for piece in [1, 7, usize::MAX] {
        read = 0;
        let mut deframer = Deframer::default();
        for part in stream.chunks(piece) {
            let mut part = Bytes::copy_from_slice(part);
            while let Ok(Some(frame)) = deframer.next(&mut part) {
                read += round_trip(&frame);
            }
        }
    }
    read
}

fn round_trip(frame: &Frame) -> usize {
    let mut read = 0;
    if let Ok(Some(message)) = Control::decode(frame) {
        read += 1;
        assert_eq!(Control::decode(&message.encode()), Ok(Some(message)), "control reads what it writes");
    }
    if let Ok(message) = Pairing::decode(frame) {
        read += 1;
        assert_eq!(Pairing::decode(&message.encode()), Ok(message), "pairing reads what it writes");
    }
    read
}

/// Octets that are a TXT record are kept as they are; its pairs can be written, and are then read as the same.
/// `None` where they are none.
pub(crate) fn txt(rdata: &[u8]) -> Option<Txt> {
    let txt = Txt::decode(rdata).ok()?;
    assert!(txt.as_rdata().len() <= MAX_TXT, "a TXT record is over its limit");
    assert!(rdata.is_empty() || txt.as_rdata() == rdata, "octets are kept as they came");
    // Some of them: each is looked for from the front.
    for (key, _) in txt.pairs().take(16) {
        let text = std::str::from_utf8(key).ok();
        assert!(text.is_none_or(|key| txt.get(key).is_some()), "a key that is there is found");
    }
    let printable = |key: &[u8]| key.iter().all(|octet| (0x20..=0x7e).contains(octet));
    let pairs: Vec<(String, Value<'_>)> = txt
        .pairs()
        .filter(|(key, _)| printable(key))
        .map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), value))
        .collect();
    let again = Txt::encode(pairs.iter().map(|(key, value)| (key.as_str(), *value)));
    let again = again.expect("what was read is short enough to be written");
    assert!(
        again.pairs().eq(pairs.iter().map(|(key, value)| (key.as_bytes(), *value))),
        "TXT reads what it writes"
    );
    Some(txt)
}
