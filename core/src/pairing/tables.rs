//! How full the engine's tables are.

use super::Pairing;
use super::entries::MAX_ENTRIES;
use super::ledger::{MAX_BANNED, MAX_RECORDS, MAX_TRUSTED};
use super::opening::MAX_SESSIONS;
use super::settle::MAX_WATCHES;
use crate::table::Table;
use crate::wire::control::MAX_STATE_ENTRIES;

/// What the end of a session, or of somebody's waiting for one, brings about at most.
const EVENTS_AN_END: usize = 8;
/// What is asked or said of a record at a time.
const EVENTS_A_RECORD: usize = 2;

impl Pairing {
    /// All of them, on a node that has at most so many connections.
    pub(crate) fn tables(&self, connections: usize) -> Vec<Table> {
        let [records, trusted, banned, changes] = self.ledger.sizes();
        let ends = EVENTS_AN_END * (MAX_SESSIONS + MAX_ENTRIES + MAX_WATCHES);
        // Each connection is told the list once more, or closed.
        let events = connections.saturating_add(ends + EVENTS_A_RECORD * (MAX_RECORDS + MAX_TRUSTED));
        let theirs = self.links.values().map(|link| link.theirs.as_ref().map_or(0, Vec::len));
        let said = self.links.values().map(|link| link.said.len());
        let mut tables = vec![
            Table::new("pairing: sessions", self.sessions.len(), MAX_SESSIONS),
            Table::new("pairing: records", records, MAX_RECORDS),
            Table::new("pairing: keys that are trusted", trusted, MAX_TRUSTED),
            Table::new("pairing: keys that are banned", banned, MAX_BANNED),
            // Every id, and every mark, is in one change at a time.
            Table::new("pairing: changes for the store", changes, MAX_RECORDS + MAX_TRUSTED + MAX_BANNED),
            Table::new("pairing: what the user wants gone", self.unwanted.len(), MAX_RECORDS),
            Table::new("pairing: hooks", self.hooks.len(), MAX_RECORDS),
            Table::new("pairing: callers that wait for a record", self.watches.len(), MAX_WATCHES),
            Table::new("pairing: connections with lists", self.links.len(), connections),
            Table::fullest("pairing: entries of a list", theirs.chain(said), MAX_STATE_ENTRIES),
            Table::new("pairing: events", self.events.len(), events),
            self.prompts.table(),
            self.failures.table(),
        ];
        tables.extend(self.entries.tables());
        tables.extend(self.trusts.tables(self.wishes.len()));
        tables
    }
}
