//! What the client of discovery servers did, counted.

/// What was said to discovery servers, and what came of it, since the node began. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GlobalStats {
    /// Connections that were tried.
    pub dials: u64,
    /// Records that were announced in full, each server counted.
    pub announcements: u64,
    /// Announcements that were renewed by their number alone.
    pub refreshes: u64,
    /// Announcements that were taken back.
    pub withdrawals: u64,
    /// Requests that asked where peers are, subscriptions included.
    pub lookups: u64,
    /// Answers that told where a peer is, and held against its key.
    pub found: u64,
    /// Answers about a peer that did not: forged, of another key, older than one before, or not for this node.
    pub rejected: u64,
    /// Replies that broke the protocol, or that nobody asked for.
    pub misbehaved: u64,
}
