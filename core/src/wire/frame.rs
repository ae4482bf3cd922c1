//! Frames: a 2-byte big-endian length, then one MessagePack map of one key, the message's name.
//!
//! Knows nothing of what the messages are.

use super::Malformed;
use super::scan::{self, Message};
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

/// Bytes of a frame's length.
const PREFIX: usize = 2;
/// Bytes that may follow the length.
pub(crate) const MAX_BODY: usize = 4096;

/// One whole frame as it crosses the wire, length included. Its body is not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame(Bytes);

impl Frame {
    /// The frame of a message.
    ///
    /// # Panics
    /// When the message is over 4,096 bytes: the limits of every field keep it below.
    pub(super) fn encode<T: Serialize>(message: &T) -> Self {
        let mut body = BytesMut::zeroed(PREFIX).writer();
        let mut writer = rmp_serde::Serializer::new(&mut body).with_struct_map();
        message.serialize(&mut writer).expect("a message has no type that MessagePack lacks");
        let mut frame = body.into_inner();
        let len = frame.len() - PREFIX;
        assert!(len <= MAX_BODY, "a message is over the limit of frames");
        frame[..PREFIX].copy_from_slice(&(len as u16).to_be_bytes());
        Self(frame.freeze())
    }

    /// The bytes as they are sent, length included.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same, to send.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The message's name and fields, all of it checked for form.
    pub(super) fn message(&self) -> Result<Message<'_>, Malformed> {
        scan::message(&self.0[PREFIX..])
    }
}

/// Cuts a stream into frames. Holds at most one unfinished frame.
#[derive(Debug, Default)]
pub(crate) struct Deframer {
    partial: BytesMut,
}

impl Deframer {
    /// Takes the next whole frame out of `piece`, the bytes that came in after those of the last call;
    /// `None` when `piece` is used up. Call until then.
    ///
    /// # Errors
    /// [`Malformed`] for a length of 0 or above 4,096: nothing that follows can be read.
    pub(crate) fn next(&mut self, piece: &mut Bytes) -> Result<Option<Frame>, Malformed> {
        if !self.fill(piece, PREFIX) {
            return Ok(None);
        }
        let len = usize::from(u16::from_be_bytes([self.partial[0], self.partial[1]]));
        if len == 0 || len > MAX_BODY {
            return Err(Malformed);
        }
        if !self.fill(piece, PREFIX + len) {
            return Ok(None);
        }
        Ok(Some(Frame(std::mem::take(&mut self.partial).freeze())))
    }

    /// Whether the stream may end here: no frame is unfinished.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.partial.is_empty()
    }

    /// Moves bytes over until there are `want`; whether there are.
    fn fill(&mut self, piece: &mut Bytes, want: usize) -> bool {
        let missing = want.saturating_sub(self.partial.len()).min(piece.len());
        self.partial.extend_from_slice(&piece.split_to(missing));
        self.partial.len() >= want
    }
}
