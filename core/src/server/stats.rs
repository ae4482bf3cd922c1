//! What a server did, counted.
//!
//! Reads alone.

use super::Server;

/// What a server has and did, as numbers: for diagnostics. More may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Announcements that hold. 0 where a store keeps them.
    pub records: usize,
    /// Numbers kept of announcements that are gone, likewise.
    pub tombstones: usize,
    /// Clients that are connected.
    pub clients: usize,
    /// Peers that are subscribed to, each as often as it is.
    pub subscriptions: usize,
    /// Announcements and renewals that were taken.
    pub announcements: u64,
    /// Withdrawals that were taken.
    pub withdrawals: u64,
    /// Announcements that nobody renewed in time.
    pub expired: u64,
    /// Peers that were asked about and told of.
    pub found: u64,
    /// Peers that were asked about in vain: whoever may not be told of somebody counts as one who asked in vain.
    pub missing: u64,
    /// What subscribers were told.
    pub pushed: u64,
    /// Requests that were refused, for whatever reason.
    pub refused: u64,
    /// Requests that were cut off since they took too long.
    pub late: u64,
}

impl Server {
    /// What this server has and did so far.
    pub fn stats(&self) -> ServerStats {
        let (records, tombstones) = self.store.sizes();
        ServerStats {
            records,
            tombstones,
            clients: self.clients.len(),
            subscriptions: self.subscriptions.watched(),
            ..self.stats
        }
    }
}
