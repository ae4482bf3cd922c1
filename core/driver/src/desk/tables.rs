//! How full the tables of a node are, those of its desk included.
//!
//! Reads alone.

use super::{Desk, MAX_UNACCEPTED_STREAMS};
use crate::events::MAX_QUEUED_EVENTS;
use crate::handle::Node;
use crate::runtime::Runtime;
use handfast_core::Table;

/// The application's own: as many as it holds handles, or waits for things.
const ITS_OWN: usize = usize::MAX;

impl Desk {
    fn tables(&self) -> Vec<Table> {
        let arrivals = self.arrivals.len();
        let listeners = self.listeners.iter().filter(|listener| listener.strong_count() > 0).count();
        vec![
            Table::new("driver: streams", self.slots.len(), ITS_OWN),
            Table::new("driver: streams not accepted", arrivals, MAX_UNACCEPTED_STREAMS),
            Table::new("driver: ends of connections remembered", self.conns.remembered(), MAX_QUEUED_EVENTS),
            Table::new("driver: callers that wait for a stream", self.accepters.len(), ITS_OWN),
            Table::new("driver: callers that wait for a connection", self.conns.waiting(), ITS_OWN),
            Table::new("driver: callers that wait for a dial", self.dials.len(), ITS_OWN),
            Table::new("driver: callers that wait for a pairing", self.pairings.len(), ITS_OWN),
            Table::new("driver: callers that wait for the store", self.marks.len(), ITS_OWN),
            Table::new("driver: callers with a time limit", self.alarms.len(), ITS_OWN),
            Table::new("driver: listeners", listeners, ITS_OWN),
        ]
    }
}

impl<R: Runtime> Node<R> {
    /// Every table of the node that something from outside can fill, or that the application fills, and its bound.
    /// For diagnostics and tests: costs milliseconds on a node with thousands of streams. See
    /// [`core::Node::tables`](crate::core::Node::tables).
    pub fn tables(&self) -> Vec<Table> {
        let locked = self.handle.lock();
        let mut tables = locked.machine.tables();
        tables.extend(locked.desk.tables());
        tables
    }
}
