//! The QUIC client's first bidirectional stream, which carries frames: both ends' `Hello`s, or a pairing.
//!
//! Cuts frames and never reads what is in them.

use super::streams::quic_id;
use super::{Event, Outbox};
use crate::id::{ConnId, StreamId};
use crate::wire::Malformed;
use crate::wire::frame::Deframer;
use bytes::Bytes;
use quinn_proto::{Connection, ReadError};
use std::collections::VecDeque;

/// Frames that may wait for the stream's window; a peer that reads none of them is cut off.
pub(super) const MAX_OUTBOX: usize = 64;

/// Bytes that are read at a time, before the frames in them are heard: a peer's frames of 3 bytes cost us many
/// times as much while they wait. All that a stranger's window holds.
pub(super) const MAX_READ: usize = 16 << 10;

/// The stream, which the server learns of with its first bytes.
#[derive(Default)]
pub(super) struct MainStream {
    pub(super) id: Option<StreamId>,
    deframer: Deframer,
    outbox: VecDeque<Bytes>,
    /// Nothing follows: the stream ends once the outbox is empty.
    last: bool,
    /// The peer has everything, the end included.
    pub(super) acknowledged: bool,
}

/// Whether more frames may come.
pub(super) enum End {
    Open,
    /// More may be there: it is read when what was read is heard.
    More,
    Finished,
    Broken,
}

/// The peer reads nothing.
pub(super) struct Full;

impl MainStream {
    /// Takes a frame to say. After [`MainStream::finish`] it is dropped.
    pub(super) fn push(&mut self, frame: Bytes) -> Result<(), Full> {
        if self.last {
            return Ok(());
        }
        if self.outbox.len() >= MAX_OUTBOX {
            return Err(Full);
        }
        self.outbox.push_back(frame);
        Ok(())
    }

    /// Frames that wait for the stream's window.
    pub(super) fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self) {
        self.last = true;
    }

    /// Whether nothing of what was said last is still on its way.
    pub(super) fn is_done(&self) -> bool {
        !self.last || self.acknowledged
    }

    /// Writes what there is room for.
    pub(super) fn flush(&mut self, quic: &mut Connection) {
        let Some(id) = self.id else { return };
        let mut stream = quic.send_stream(quic_id(id));
        while let Some(frame) = self.outbox.front_mut() {
            // A stopped or closed stream ends the connection by an event of its own.
            if stream.write_chunks(std::slice::from_mut(frame)).is_err() {
                break;
            }
            if frame.is_empty() {
                self.outbox.pop_front();
            }
        }
        if self.last && self.outbox.is_empty() {
            // Finished before is as good.
            let _ = stream.finish();
        }
    }

    /// Hands over the whole frames that arrived, as far as [`MAX_READ`] goes.
    pub(super) fn read(&mut self, conn: ConnId, quic: &mut Connection, out: &mut Outbox) -> End {
        let Some(id) = self.id else { return End::Open };
        let mut stream = quic.recv_stream(quic_id(id));
        let Ok(mut chunks) = stream.read(true) else { return End::Open };
        let mut left = MAX_READ;
        let end = loop {
            if left == 0 {
                break End::More;
            }
            match chunks.next(left) {
                Ok(Some(chunk)) => {
                    left -= chunk.bytes.len();
                    if self.cut(conn, chunk.bytes, out).is_err() {
                        break End::Broken;
                    }
                }
                Ok(None) if self.deframer.is_between_frames() => break End::Finished,
                Err(ReadError::Blocked) => break End::Open,
                Ok(None) | Err(ReadError::Reset(_)) => break End::Broken,
            }
        };
        // Whether credit is due is found at the next transmit in any case.
        let _ = chunks.finalize();
        end
    }

    fn cut(&mut self, conn: ConnId, mut piece: Bytes, out: &mut Outbox) -> Result<(), Malformed> {
        while let Some(frame) = self.deframer.next(&mut piece)? {
            out.events.push_back(Event::Frame { conn, frame });
        }
        Ok(())
    }
}
