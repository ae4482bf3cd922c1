//! Datagrams of the application: neither order nor delivery is promised, and no queue grows beyond its bound.
//! RFC 9221.
//!
//! Never waits for room: where a queue is full its oldest datagrams go, and are counted.

use super::connection::Conn;
use super::{Outbox, Work};
use crate::error::DatagramError;
use bytes::Bytes;
use quinn_proto::SendDatagramError;
use std::collections::VecDeque;

/// Bytes that quinn-proto holds of either direction: what arrives between two polls, and what a batch takes. Above
/// the largest datagram that a frame can carry, with what quinn-proto counts for it.
pub(super) const QUIC_BUFFER: usize = 128 << 10;

/// What a datagram counts for beside its bytes, so that a bound holds for empty ones too.
const OVERHEAD: usize = 32;

/// What became of datagrams that neither arrived nor left, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramsDropped {
    /// They came on a connection that the application does not see: not yet, or no longer.
    pub not_shown: u64,
    /// They came faster than they were read, or their connection ended first.
    pub unread: u64,
    /// They were sent faster than the network takes them, or than the path's MTU allows since it shrank.
    pub unsent: u64,
}

/// The datagrams of one connection.
#[derive(Default)]
pub(super) struct Datagrams {
    incoming: Queue,
    outgoing: Queue,
    /// Bytes that each of the two may hold.
    bound: usize,
    /// Frames that were taken from quinn-proto, or that it dropped.
    taken: u64,
    /// Whether the driver is about to hear of those that came.
    queued: bool,
}

/// Datagrams that wait, the oldest first.
#[derive(Default)]
struct Queue {
    items: VecDeque<Bytes>,
    bytes: usize,
}

impl Queue {
    /// Appends one; the oldest make room. How many are gone, among them the new one where it alone is too large.
    fn push(&mut self, item: Bytes, bound: usize) -> u64 {
        self.bytes += item.len() + OVERHEAD;
        self.items.push_back(item);
        let mut dropped = 0;
        while self.bytes > bound && self.pop().is_some() {
            dropped += 1;
        }
        dropped
    }

    fn push_front(&mut self, item: Bytes) {
        self.bytes += item.len() + OVERHEAD;
        self.items.push_front(item);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let item = self.items.pop_front()?;
        self.bytes -= item.len() + OVERHEAD;
        Some(item)
    }
}

impl Datagrams {
    pub(super) fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    /// Bytes that wait to be read, and to be sent.
    pub(super) fn waiting(&self) -> [usize; 2] {
        [self.incoming.bytes, self.outgoing.bytes]
    }

    /// The driver was told of those that came.
    pub(super) fn told(&mut self) {
        self.queued = false;
    }
}

impl Conn {
    /// Takes what came, if the application sees the connection.
    pub(super) fn take_datagrams(&mut self, out: &mut Outbox) {
        let is_shown = self.is_shown();
        let Self { datagrams, quic, .. } = self;
        let mut came = 0;
        while let Some(datagram) = quic.datagrams().recv() {
            came += 1;
            if is_shown {
                out.dropped.unread += datagrams.incoming.push(datagram, datagrams.bound);
            }
        }
        // What quinn-proto had no room for between two polls.
        let frames = quic.stats().frame_rx.datagram;
        out.dropped.unread += (frames - datagrams.taken).saturating_sub(came);
        datagrams.taken = frames;
        if !is_shown {
            out.dropped.not_shown += came;
        } else if came > 0 && !std::mem::replace(&mut datagrams.queued, true) {
            out.datagrams.push_back(self.id);
        }
    }

    /// Gives quinn-proto what fits of what waits to be sent.
    pub(super) fn flush_datagrams(&mut self) -> u64 {
        let mut dropped = 0;
        while let Some(datagram) = self.datagrams.outgoing.pop() {
            match self.quic.datagrams().send(datagram, false) {
                Ok(()) => {}
                Err(SendDatagramError::Blocked(datagram)) => {
                    self.datagrams.outgoing.push_front(datagram);
                    break;
                }
                // The path takes smaller ones than when it was queued.
                Err(
                    SendDatagramError::TooLarge
                    | SendDatagramError::UnsupportedByPeer
                    | SendDatagramError::Disabled,
                ) => dropped += 1,
            }
        }
        dropped
    }

    /// The application sees the connection no longer.
    pub(super) fn drop_datagrams(&mut self, out: &mut Outbox) {
        let Datagrams { incoming, outgoing, .. } = &mut self.datagrams;
        out.dropped.unread += std::mem::take(incoming).items.len() as u64;
        out.dropped.unsent += std::mem::take(outgoing).items.len() as u64;
    }
}

/// The datagrams of one connection, borrowed from its node. See [`Node::datagrams`](crate::Node::datagrams).
///
/// What is sent leaves at the next [`Node::poll_output`](crate::Node::poll_output), before the bytes of streams.
pub struct DatagramsMut<'a> {
    pub(super) conn: &'a mut Conn,
    pub(super) work: &'a mut Work,
    pub(super) out: &'a mut Outbox,
}

impl DatagramsMut<'_> {
    /// Sends a datagram. Where more wait than [`Config::datagram_buffer`](crate::Config::datagram_buffer), the
    /// oldest are dropped.
    ///
    /// # Errors
    /// [`DatagramError`], and nothing was sent.
    pub fn send(&mut self, datagram: Bytes) -> Result<(), DatagramError> {
        let max = self.max_size().ok_or(DatagramError::Unsupported)?;
        if datagram.len() > max {
            return Err(DatagramError::TooLong);
        }
        let datagrams = &mut self.conn.datagrams;
        self.out.dropped.unsent += datagrams.outgoing.push(datagram, datagrams.bound);
        self.work.send(self.conn);
        Ok(())
    }

    /// The oldest datagram that came and was not read. [`Ready::Datagrams`](crate::Ready::Datagrams) tells that
    /// there is one.
    pub fn read(&mut self) -> Option<Bytes> {
        self.conn.datagrams.incoming.pop()
    }

    /// Bytes of the largest datagram that can be sent at present, which changes with the path: a little over a
    /// kilobyte at least. `None` where the peer takes none, or this node has them switched off.
    pub fn max_size(&mut self) -> Option<usize> {
        let bound = self.conn.datagrams.bound.checked_sub(OVERHEAD)?;
        self.conn.quic.datagrams().max_size().map(|max| max.min(bound))
    }
}
