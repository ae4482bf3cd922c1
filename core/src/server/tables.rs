//! How full a server's tables are.
//!
//! Reads alone.

use super::config::MAX_STREAMS;
use super::exchange::State;
use super::store::{MAX_QUESTIONS, Store};
use super::subscriptions::MAX_WAITING;
use super::{MAX_KEYS, MAX_OUT, Server};
use crate::table::Table;
use crate::wire::discovery::{MAX_REQUEST, MAX_SUBSCRIBED};

/// Bytes of a reply that is under way when a subscriber is told to ask anew, and of that.
const IN_FRONT: usize = crate::wire::discovery::MAX_RECORD + 2048;

impl Server {
    /// Every table that something from outside can fill, and its bound: as [`Node::tables`](crate::Node::tables).
    pub fn tables(&self) -> Vec<Table> {
        let connections = self.quic.max_connections();
        let exchanges = connections * MAX_STREAMS as usize;
        let longest = self.exchanges.values().map(|exchange| match &exchange.state {
            State::Reading(bytes) => bytes.len(),
            State::Asked | State::Writing(_) => 0,
        });
        let of_one_key = self.connections_of.values().copied();
        let mut tables = vec![
            Table::new("server: outputs", self.out.len(), MAX_OUT + exchanges),
            Table::new("server: clients", self.clients.len(), connections),
            Table::fullest("server: connections of one key", of_one_key, super::MAX_CONNECTIONS_OF_KEY),
            Table::new("server: requests", self.exchanges.len(), exchanges),
            Table::fullest("server: bytes of a request", longest, MAX_REQUEST + 1),
            Table::new("server: deadlines", self.deadlines.len(), 2 * exchanges + connections),
            Table::new("server: subscriptions", self.subscriptions.watched(), self.config.max_subscriptions),
            Table::fullest(
                "server: subscriptions of one connection",
                self.clients.keys().map(|conn| self.subscriptions.count_of(*conn)),
                MAX_SUBSCRIBED,
            ),
            Table::new(
                "server: bytes for one subscriber",
                self.subscriptions.most_waiting(),
                MAX_WAITING + IN_FRONT,
            ),
            Table::new("server: keys that announced lately", self.announcements.len(), MAX_KEYS),
            Table::new("server: keys that asked lately", self.questions.len(), MAX_KEYS),
        ];
        match &self.store {
            Store::Embedded(registry) => tables.extend([
                Table::new("server: records", registry.live(), self.config.max_records),
                Table::new("server: tombstones", registry.graves(), self.config.max_tombstones),
                Table::new(
                    "server: slots",
                    registry.slots.used(),
                    self.config.max_records + self.config.max_tombstones,
                ),
            ]),
            Store::Asked(asked) => {
                tables.push(Table::new("server: questions to the store", asked.len(), MAX_QUESTIONS));
            }
        }
        tables.extend(self.quic.tables());
        tables
    }
}
