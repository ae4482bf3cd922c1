//! How full the engine's tables are.

use super::client::Global;
use super::contact::MAX_ASKED;
use super::inbox::MAX_INBOX;
use super::reach::MAX_HEARSAY;
use crate::config::MAX_SERVERS;
use crate::table::Table;
use crate::wire::discovery::{MAX_ADDRESSES, MAX_SUBSCRIBED};

/// Addresses of a peer: those that it signed, and a few that nobody did.
const MAX_PLACES: usize = MAX_ADDRESSES + MAX_HEARSAY;
/// What is said of a server at a time: requests, an end, its state and its clock.
const EVENTS_A_SERVER: usize = 2 * MAX_ASKED + 4;

impl Global {
    /// All of them. `sought` is how many keys may be paired or trusted.
    pub(crate) fn tables(&self, sought: usize) -> Vec<Table> {
        let [lost, holders, places] = self.seek.sizes();
        let each = |nth: usize| self.contacts.iter().map(move |contact| contact.sizes()[nth]);
        let asked = self.contacts.iter().map(|contact| contact.asked.len());
        let most_events = MAX_SERVERS * (EVENTS_A_SERVER + sought) + 2 * sought + 1;
        vec![
            Table::new("global: servers", self.contacts.len(), MAX_SERVERS),
            Table::new("global: peers sought", self.seek.len(), sought),
            Table::new("global: peers lost", lost, sought),
            Table::fullest("global: servers that know a peer", [holders], MAX_SERVERS),
            Table::fullest("global: addresses of a peer", [places], MAX_PLACES),
            Table::fullest("global: requests of a server", asked, MAX_ASKED),
            Table::fullest("global: peers to ask a server for", each(0), sought),
            Table::fullest("global: peers that a server tells of", each(1), MAX_SUBSCRIBED),
            Table::fullest("global: bytes of a reply", each(2), MAX_INBOX),
            Table::fullest("global: look-ups of a server", each(3), sought),
            Table::new("global: events", self.events.len(), most_events),
        ]
    }
}
