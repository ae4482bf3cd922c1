//! What a node did, counted.
//!
//! Reads alone.

use super::Node;
use crate::mdns::MdnsStats;
use crate::quic::DatagramsDropped;

/// What a node did since it began, as counters: for diagnostics. More may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// On the LAN.
    pub mdns: MdnsStats,
    /// Datagrams that the network did not lose.
    pub datagrams_dropped: DatagramsDropped,
}

impl Node {
    /// What this node did so far. Costs a look at each interface and each instance that was found.
    pub fn stats(&self) -> Stats {
        Stats { mdns: self.mdns.stats(), datagrams_dropped: self.quic.datagrams_dropped() }
    }
}
