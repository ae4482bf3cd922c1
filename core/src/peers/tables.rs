//! How full the engine's tables are.

use super::Peers;
use super::book::MAX_MANUAL;
use super::race::MAX_CANDIDATES;
use crate::table::Table;
use crate::wire::control::MAX_STATE_ENTRIES;

/// What others never exceed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections, accepted and dialled.
    pub(crate) connections: usize,
    /// Interfaces in use.
    pub(crate) interfaces: usize,
    /// Pairings that run at a time, and may want a dial.
    pub(crate) pairings: usize,
    /// Pairing records: no more keys than these are dialled by themselves.
    pub(crate) records: usize,
}

/// Names of one key: a hash of each kind.
const NAMES_A_KEY: usize = 2;
/// What is said of a connection at a time: admitted, shown, hidden, told so, left.
const EVENTS_A_LINK: usize = 5;

impl Peers {
    /// All of them.
    pub(crate) fn tables(&self, bounds: Bounds) -> Vec<Table> {
        let Bounds { connections, interfaces, pairings, records } = bounds;
        let [known, given, seen_by, sources] = self.book.sizes();
        let max = self.book.max().saturating_add(NAMES_A_KEY * records);
        let dials = pairings + records;
        // A dial that ends hangs up on all of its candidates, and is told of.
        let of_dials = dials * (MAX_CANDIDATES + 2);
        let events = connections.saturating_add(1).saturating_mul(EVENTS_A_LINK).saturating_add(of_dials);
        let candidates = self.dials.values().map(super::Race::len);
        let lists = self.links.values().map(|link| link.list.len());
        vec![
            // Paired peers are never refused.
            Table::new("peers: known", known, max),
            Table::new("peers: sources of peers", sources, max),
            Table::fullest("peers: addresses given of a peer", [given], MAX_MANUAL),
            Table::fullest("peers: interfaces that see a peer", [seen_by], interfaces),
            Table::new("peers: paired", self.paired.len(), records),
            Table::new("peers: dials", self.dials.len(), dials),
            Table::fullest("peers: addresses of a dial", candidates, MAX_CANDIDATES),
            Table::new("peers: connections", self.links.len(), connections),
            Table::fullest("peers: entries of a list", lists, MAX_STATE_ENTRIES),
            Table::new("peers: connections lost, by key", self.lost.len(), records),
            Table::new("peers: waited for", self.wanted.len(), records),
            Table::new("peers: events", self.events.len(), events),
        ]
    }
}
