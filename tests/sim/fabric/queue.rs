//! What is on its way, in the order in which it arrives.

use super::packet::Packet;
use super::port::PortId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Instant;

/// Which part of its way a packet ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It leaves the sender's own cable and enters the segment.
    Enter,
    /// It leaves the segment and reaches the receiver's port.
    Reach,
    /// Whoever owns the port takes it.
    Take,
}

/// A packet's place among those that its sender put on a link which may shuffle them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) sender: PortId,
    pub(super) order: u64,
}

/// A packet that arrives somewhere.
pub(super) struct Flight {
    pub(super) at: Instant,
    sequence: u64,
    pub(super) port: PortId,
    pub(super) stage: Stage,
    pub(super) place: Option<Place>,
    pub(super) packet: Arc<Packet>,
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Flight {}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Flight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// All flights. Of those that arrive at the same time, the one that began first comes first.
#[derive(Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Flight>>,
    pushed: u64,
}

impl Queue {
    pub(super) fn push(
        &mut self,
        at: Instant,
        port: PortId,
        stage: Stage,
        place: Option<Place>,
        packet: Arc<Packet>,
    ) {
        self.pushed += 1;
        self.heap.push(Reverse(Flight { at, sequence: self.pushed, port, stage, place, packet }));
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|flight| flight.0.at)
    }

    /// The next flight that arrives by `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Flight> {
        self.heap.peek().filter(|flight| flight.0.at <= now)?;
        self.heap.pop().map(|flight| flight.0)
    }

    /// How many are on their way.
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
