//! Feeds the codecs octets that nobody wrote. For fuzz targets and the replay of their seeds.

use super::control::Control;
use super::frame::{Deframer, Frame};
use super::pairing::Pairing;
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
