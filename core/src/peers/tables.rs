//! How full the engine's tables are.

use super::book::{MAX_GOOD, MAX_MANUAL, MAX_NAMES};
use super::lookups::MAX_LOOKUPS;
use super::race::{MAX_TAKEN_IN, Race};
use super::{MAX_NOTES, Peers};
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
/// What is said of a connection at a time: admitted, kept or not, shown, hidden, told so, left.
const EVENTS_A_LINK: usize = 6;

impl Peers {
    /// All of them.
    pub(crate) fn tables(&self, bounds: Bounds) -> Vec<Table> {
        let Bounds { connections, interfaces, pairings, records } = bounds;
        let sizes = self.book.sizes();
        let [dirty, written, writing] = self.notes.sizes();
        let max = self.book.max().saturating_add(NAMES_A_KEY * records);
        let dials = pairings + records;
        // A dial that ends hangs up on all of its candidates, and is told of.
        let of_dials = dials * (MAX_TAKEN_IN + 2);
        let events = connections
            .saturating_add(1)
            .saturating_mul(EVENTS_A_LINK)
            .saturating_add(of_dials + MAX_LOOKUPS + 1);
        let candidates = self.dials.values().map(Race::taken_in);
        let lists = self.links.values().map(|link| link.list.len());
        vec![
            // Paired peers are never refused.
            Table::new("peers: known", sizes.peers, max),
            Table::new("peers: sources of peers", sizes.sources, max),
            Table::fullest("peers: addresses given of a peer", [sizes.given], MAX_MANUAL),
            Table::fullest("peers: names given of a peer", [sizes.names], MAX_NAMES),
            Table::fullest("peers: addresses remembered of a peer", [sizes.good], MAX_GOOD),
            Table::new("peers: names looked up", self.lookups.len(), MAX_LOOKUPS),
            Table::new("peers: whereabouts to store", dirty, MAX_NOTES),
            Table::new("peers: whereabouts stored", written, MAX_NOTES),
            Table::new("peers: whereabouts being stored", writing, MAX_NOTES),
            Table::fullest("peers: interfaces that see a peer", [sizes.seen_by], interfaces),
            Table::new("peers: paired", self.known.len(), records),
            Table::new("peers: to be dialled again", self.due.len(), records),
            Table::new("peers: states to tell", self.restless.len(), records),
            Table::new("peers: dials", self.dials.len(), dials),
            Table::fullest("peers: addresses of a dial", candidates, MAX_TAKEN_IN),
            Table::new("peers: connections", self.links.len(), connections),
            Table::fullest("peers: entries of a list", lists, MAX_STATE_ENTRIES),
            Table::new("peers: waited for", self.wanted.len(), records),
            Table::new("peers: events", self.events.len(), events),
        ]
    }
}
