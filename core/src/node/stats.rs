//! What a node did, counted: in all, of each peer, and of each connection.
//!
//! Decides nothing by it.

use super::{Node, PeersMut};
use crate::event::Event;
use crate::global::GlobalStats;
use crate::id::{ConnId, PeerId, PublicKey};
use crate::mdns::MdnsStats;
use crate::quic::{ConnStats, DatagramsDropped, QuicStats, Traffic};
use std::collections::BTreeMap;
use std::time::Instant;

/// What a node did since it began, as counters: for diagnostics. More may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// On the LAN.
    pub mdns: MdnsStats,
    /// With discovery servers.
    pub global: GlobalStats,
    /// Datagrams that the network did not lose.
    pub datagrams_dropped: DatagramsDropped,
    /// On its connections.
    pub quic: QuicStats,
}

/// What a node did with one peer while both were paired, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStats {
    /// Connections that the application was told of: [`Event::PeerConnected`].
    pub connections: u64,
    /// Those of them that ended: [`Event::PeerDisconnected`].
    pub ended: u64,
    /// Times that no connection could be made: [`Event::ConnectFailed`].
    pub failures: u64,
    /// When a connection last stood, which is now where one stands; by the clock of the machine's timers.
    pub last_seen: Option<Instant>,
    /// What went over the wire on all of its connections.
    pub traffic: Traffic,
}

/// What was done with each peer. No more of them than there are pairings.
#[derive(Default)]
pub(super) struct Counts(BTreeMap<PublicKey, PeerStats>);

impl Counts {
    /// How many peers there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The peer is not paired any longer.
    pub(super) fn forget(&mut self, peer: &PublicKey) {
        self.0.remove(peer);
    }
}

impl Node {
    /// What this node did so far. Costs a look at each interface, each instance that was found and each connection.
    pub fn stats(&self) -> Stats {
        Stats {
            mdns: self.mdns.stats(),
            global: self.global.stats(),
            quic: self.quic.stats(),
            datagrams_dropped: self.quic.datagrams_dropped(),
        }
    }

    /// How a connection is, and what it did. `None` once it is over and was read to its end.
    pub fn conn_stats(&mut self, conn: ConnId) -> Option<ConnStats> {
        self.quic.conn_stats(conn)
    }

    /// Counts what the application is told of a peer.
    pub(super) fn count(&mut self, now: Instant, event: &Event) {
        let (key, count): (_, fn(&mut PeerStats) -> &mut u64) = match event {
            Event::PeerConnected(peer) => (Some(peer.key), |stats| &mut stats.connections),
            Event::PeerDisconnected(_, id, _) => (self.known_key(id), |stats| &mut stats.ended),
            Event::ConnectFailed(id, _) => (self.known_key(id), |stats| &mut stats.failures),
            // The other events are about no connection.
            _ => return,
        };
        // Whoever is not paired any longer is counted no more.
        let Some(key) = key.filter(|key| self.pairing.standing(key).0) else { return };
        let stats = self.counts.0.entry(key).or_default();
        *count(stats) += 1;
        if !matches!(event, Event::ConnectFailed(..)) {
            stats.last_seen = Some(now);
        }
    }

    /// A connection is over: what it did is its peer's from here on.
    pub(super) fn count_over(&mut self, conn: ConnId) {
        let peer = self.peers.links().find(|(id, _)| *id == conn).map(|(_, peer)| peer);
        let stats = peer.and_then(|peer| self.counts.0.get_mut(&peer));
        if let (Some(stats), Some(conn)) = (stats, self.quic.conn_stats(conn)) {
            stats.traffic += conn.traffic;
        }
    }
}

impl PeersMut<'_> {
    /// What was done with a paired peer. `None` where it was neither connected nor dialled in vain since they were paired.
    pub fn stats(&mut self, peer: PeerId) -> Option<PeerStats> {
        let key = self.node.known_key(&peer)?;
        let mut stats = *self.node.counts.0.get(&key)?;
        if stats.connections > stats.ended {
            stats.last_seen = Some(self.node.latest);
        }
        for conn in self.node.peers.links_to(&key) {
            stats.traffic += self.node.quic.conn_stats(conn).map(|conn| conn.traffic).unwrap_or_default();
        }
        Some(stats)
    }
}
