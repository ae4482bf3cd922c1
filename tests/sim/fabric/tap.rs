//! What an observer at the wire sees: how much each host sent on each segment, and the last packets of all.
//!
//! Counts what left a port, before anything happens to it.

use super::packet::Packet;
use super::port::Owner;
use super::{Host, Segment};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

/// What one host sent on one segment. Bytes are those of UDP payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Datagrams, multicasts among them.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Multicasts. Each counts once, however many hear it.
    pub multicasts: u64,
    /// Their bytes.
    pub multicast_bytes: u64,
}

/// Who puts packets on a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talker {
    /// A host, on one of its interfaces.
    Host(Host, u32),
    /// A bridge, by its number.
    Bridge(usize),
    /// A reflector, by its number.
    Reflector(usize),
    /// A router, by its number.
    Router(usize),
}

/// A packet that was put on a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// On which segment.
    pub segment: Segment,
    /// By whom.
    pub from: Talker,
    /// The source that it names, without a scope.
    pub source: SocketAddr,
    /// The destination that it names, without a scope.
    pub destination: SocketAddr,
    /// Its bytes.
    pub payload: Bytes,
}

/// All that was observed.
#[derive(Default)]
pub(super) struct Tap {
    sent: BTreeMap<(Host, Segment), Sent>,
    seen: VecDeque<Seen>,
    limit: usize,
}

impl Tap {
    pub(super) fn note(&mut self, now: Instant, segment: Segment, owner: Owner, packet: &Packet) {
        if let Some(host) = owner.host() {
            self.sent.entry((host, segment)).or_default().count(packet);
        }
        if self.limit == 0 {
            return;
        }
        if self.seen.len() >= self.limit {
            self.seen.pop_front();
        }
        self.seen.push_back(Seen {
            at: now,
            segment,
            from: talker(owner),
            source: packet.source,
            destination: packet.destination,
            payload: packet.payload.clone(),
        });
    }

    pub(super) fn sent(&self, host: Host, segment: Segment) -> Sent {
        self.sent.get(&(host, segment)).copied().unwrap_or_default()
    }

    pub(super) fn all_sent(&self) -> impl Iterator<Item = (Host, Segment, Sent)> {
        self.sent.iter().map(|((host, segment), sent)| (*host, *segment, *sent))
    }

    pub(super) fn keep(&mut self, limit: usize) {
        self.limit = limit;
        let excess = self.seen.len().saturating_sub(limit);
        self.seen.drain(..excess);
    }

    pub(super) fn take_seen(&mut self) -> VecDeque<Seen> {
        std::mem::take(&mut self.seen)
    }
}

impl Sent {
    fn count(&mut self, packet: &Packet) {
        let bytes = packet.payload.len() as u64;
        self.datagrams += 1;
        self.bytes += bytes;
        if packet.destination.ip().is_multicast() {
            self.multicasts += 1;
            self.multicast_bytes += bytes;
        }
    }
}

fn talker(owner: Owner) -> Talker {
    match owner {
        Owner::Host(host, interface) => Talker::Host(host, interface),
        Owner::Bridge(bridge, _) => Talker::Bridge(bridge),
        Owner::Reflector(reflector, _) => Talker::Reflector(reflector),
        Owner::Router(router, _) => Talker::Router(router),
    }
}
