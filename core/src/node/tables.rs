//! How full a node's tables are: what each engine says of its own, and the node's.
//!
//! Reads alone.

use super::Node;
use super::route::{MAX_MET, MAX_OUT};
use super::services::MAX_BROWSES;
use super::sockets::{MAX_INTERFACES, MAX_SOCKETS};
use crate::mdns;
use crate::pairing::{MAX_ENTRIES, MAX_RECORDS, MAX_SESSIONS, MAX_TRUSTED};
use crate::peers;
use crate::table::Table;

/// Outputs beyond [`MAX_OUT`]: two that one thing which an engine says may bring, one for each search that it
/// concerns, and one for each socket that the driver opened, or failed to.
const AT_ONCE: usize = 2 + MAX_BROWSES + MAX_SOCKETS;

impl Node {
    /// Every table that something from outside can fill, be it a stranger, a peer, the application or the
    /// store, and its bound. For diagnostics and simulation; the names are for people, and may change.
    ///
    /// Looks at every connection and every stream: costs microseconds on a quiet node, milliseconds on one
    /// with thousands of streams. The bounds hold for a driver that calls [`Node::poll_output`] until
    /// [`Output::Wait`](crate::Output::Wait) after each input, or each few. The tables of a link to the LAN are
    /// listed while there is one.
    ///
    /// ```
    /// # fn look(node: &handfast_core::Node) {
    /// for table in node.tables() {
    ///     assert!(table.len <= table.bound, "{} is over its bound: {table:?}", table.name);
    /// }
    /// # }
    /// ```
    pub fn tables(&self) -> Vec<Table> {
        let connections = self.quic.max_connections();
        let mut tables = self.own_tables(connections);
        let lan = self.mdns.tables(mdns::Bounds { links: MAX_SOCKETS, resolved: MAX_RECORDS });
        let seen = lan.iter().find(|table| table.name == mdns::INSTANCES_SEEN);
        tables.extend(self.services.tables(seen.map_or(0, |seen| seen.bound)));
        tables.extend(lan);
        tables.extend(self.quic.tables());
        tables.extend(self.global.tables(MAX_RECORDS + MAX_TRUSTED));
        tables.extend(self.pairing.tables(connections));
        tables.extend(self.peers.tables(peers::Bounds {
            connections,
            interfaces: MAX_INTERFACES,
            pairings: MAX_ENTRIES + MAX_SESSIONS + MAX_TRUSTED,
            records: MAX_RECORDS,
        }));
        tables
    }

    fn own_tables(&self, connections: usize) -> Vec<Table> {
        let [peers, shown, pairings] = self.spans.sizes();
        let mut tables = vec![
            Table::new("node: outputs", self.out.len(), MAX_OUT + AT_ONCE),
            Table::new("node: connections that pair", self.sessions.len(), connections),
            self.admission.table(connections),
            self.requests.table(),
            Table::new("node: peers with limits of their own", self.limits.len(), MAX_RECORDS),
            Table::new("node: peers that are counted", self.counts.len(), MAX_RECORDS),
            Table::new("node: peers in the log", peers, MAX_RECORDS),
            Table::new("node: connections in the log", shown, connections),
            Table::new("node: pairings in the log", pairings, MAX_ENTRIES + MAX_SESSIONS + MAX_TRUSTED),
            Table::new("node: keys dialled to pair with", self.met.len(), MAX_MET),
        ];
        tables.extend(self.sockets.tables());
        tables
    }
}

#[cfg(test)]
mod tests;
