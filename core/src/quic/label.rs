//! The label that a peer's stream begins with: one length byte and as many bytes of UTF-8.

use super::streams::quic_id;
use crate::id::StreamId;
use quinn_proto::{Connection, ReadError};

/// The longest label, in bytes: what one length byte can say.
pub(super) const MAX_LABEL: usize = 255;

/// How much of a label is there.
pub(super) enum Label {
    Partial,
    Whole(String),
    Malformed,
}

/// Reads on; `got` holds the length byte and what came after it. Never reads a byte of the application's.
pub(super) fn fill(quic: &mut Connection, id: StreamId, got: &mut Vec<u8>) -> Label {
    let mut stream = quic.recv_stream(quic_id(id));
    let Ok(mut chunks) = stream.read(true) else { return Label::Malformed };
    let label = loop {
        let wanted = match got.first() {
            None => 1,
            Some(len) => 1 + usize::from(*len) - got.len(),
        };
        match chunks.next(wanted) {
            // Most streams have none: it costs no allocation.
            Ok(Some(chunk)) if got.is_empty() && chunk.bytes[..] == [0] => break Label::Whole(String::new()),
            Ok(Some(chunk)) => got.extend_from_slice(&chunk.bytes),
            Err(ReadError::Blocked) => break Label::Partial,
            Ok(None) | Err(ReadError::Reset(_)) => break Label::Malformed,
        }
        if got.len() == 1 + usize::from(got[0]) {
            break match std::str::from_utf8(&got[1..]) {
                Ok(label) => Label::Whole(label.to_owned()),
                Err(_) => Label::Malformed,
            };
        }
    };
    // Whether credit is due is found at the next transmit in any case.
    let _ = chunks.finalize();
    label
}
