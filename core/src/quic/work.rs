//! What waits to be told, and who wants attention.

use super::connection::Conn;
use super::{DatagramsDropped, Event};
use crate::id::{ConnId, StreamId};
use std::collections::VecDeque;

/// What waits to be told.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) events: VecDeque<Event>,
    pub(super) ready: VecDeque<(ConnId, StreamId)>,
    /// Streams that engines read and write themselves, as `ready`.
    pub(super) requests: VecDeque<(ConnId, StreamId)>,
    /// Connections whose peer allows more streams, each at most once.
    pub(super) available: VecDeque<ConnId>,
    /// Connections on which datagrams came, each at most once.
    pub(super) datagrams: VecDeque<ConnId>,
    /// Connections whose main stream was not read to its end, each at most once.
    pub(super) unread: VecDeque<ConnId>,
    /// Datagrams that nobody read or sent.
    pub(super) dropped: DatagramsDropped,
}

/// Which connections want attention, each at most once in each queue.
#[derive(Default)]
pub(super) struct Work {
    pub(super) poll: VecDeque<usize>,
    pub(super) send: VecDeque<usize>,
}

impl Work {
    pub(super) fn poll(&mut self, conn: &mut Conn) {
        if !std::mem::replace(&mut conn.queued_poll, true) {
            self.poll.push_back(conn.slot);
        }
    }

    pub(super) fn send(&mut self, conn: &mut Conn) {
        if !std::mem::replace(&mut conn.queued_send, true) {
            self.send.push_back(conn.slot);
        }
    }
}
