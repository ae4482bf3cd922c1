//! What the engine is asked for: what happened, what is ready, what is to be sent, and by when.
//!
//! Connections that have had their say, and are over, are forgotten on the way.

use super::connection::{Context, Phase};
use super::streams::Owner;
use super::transmit::{self, Round};
use super::{Event, Quic, find};
use crate::id::{ConnId, StreamId};
use crate::io::{Deadline, Readiness, Reason};
use std::time::Instant;

impl Quic {
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let at = self.timers.next().into_iter().chain(self.lookout.due_at).min()?;
        Some(Deadline { at, reason: Reason::Quic })
    }

    /// Lets every connection say what it has to say. Call before the other `poll_*`.
    pub(crate) fn poll_connections(&mut self, now: Instant) {
        while self.out.events.is_empty()
            && let Some(conn) = self.out.unread.pop_front()
        {
            self.with(now, conn, |conn, cx| conn.read_on(cx));
        }
        while let Some(slot) = self.work.poll.pop_front() {
            let Some(conn) = self.conns.get_mut(slot) else { continue };
            conn.queued_poll = false;
            let mut cx =
                Context { now, service: &self.config.service, out: &mut self.out, work: &mut self.work };
            conn.poll(&mut cx);
            self.work.send(conn);
            self.endpoint_events(slot);
            self.arm(now, slot);
            self.bury(slot);
        }
    }

    /// What happened to connections. Whoever has requests calls [`Quic::poll_request`] first: with the end of its
    /// connection a request is forgotten.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        let event = self.out.events.pop_front()?;
        match event {
            Event::Room { conn } => {
                if let Some(conn) = self.conn(conn) {
                    conn.queued_available = false;
                }
            }
            Event::Lost { conn, .. } => {
                if let Some(conn) = find(&mut self.conns, conn)
                    && conn.owner == Owner::Engine
                {
                    conn.forget_requests(&mut self.work);
                }
            }
            Event::Connected { .. }
            | Event::Frame { .. }
            | Event::MainEnded { .. }
            | Event::Silent { .. }
            | Event::Heard { .. } => {}
        }
        Some(event)
    }

    /// A stream that moved, what its driver calls it, and what it is ready for.
    pub(crate) fn poll_ready(&mut self) -> Option<(ConnId, StreamId, u64, Readiness)> {
        while let Some((id, stream)) = self.out.ready.pop_front() {
            let Some(conn) = find(&mut self.conns, id) else { continue };
            if let Some((key, now)) = conn.take_ready(&mut self.work, stream) {
                return Some((id, stream, key, now));
            }
        }
        None
    }

    /// A connection whose peer allows more streams.
    pub(crate) fn poll_available(&mut self) -> Option<ConnId> {
        while let Some(id) = self.out.available.pop_front() {
            let Some(conn) = find(&mut self.conns, id) else { continue };
            conn.queued_available = false;
            return Some(id);
        }
        None
    }

    /// A connection on which datagrams came.
    pub(crate) fn poll_datagrams(&mut self) -> Option<ConnId> {
        while let Some(id) = self.out.datagrams.pop_front() {
            let Some(conn) = find(&mut self.conns, id) else { continue };
            conn.datagrams.told();
            return Some(id);
        }
        None
    }

    /// The next datagrams, into `buf`.
    pub(crate) fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Round {
        if let Some(transmit) = self.responses.pop(&self.paths, buf) {
            return Round::Transmit(transmit);
        }
        loop {
            let Some(slot) = self.turn.next(&mut self.work.send) else {
                return if self.work.send.is_empty() { Round::Idle } else { Round::Over };
            };
            let Some(conn) = self.conns.get_mut(slot) else {
                self.turn.done(&mut self.work.send);
                continue;
            };
            self.out.dropped.unsent += conn.flush_datagrams();
            if let Some(transmit) = transmit::batch(conn, now, (&self.paths, &self.gate), buf) {
                self.turn.spent(&mut self.work.send);
                return Round::Transmit(transmit);
            }
            conn.queued_send = false;
            self.turn.done(&mut self.work.send);
            self.endpoint_events(slot);
            self.arm(now, slot);
            self.bury(slot);
        }
    }

    /// Whether every connection is over and has said so.
    pub(crate) fn is_drained(&self) -> bool {
        self.work.send.is_empty()
            && self.responses.is_empty()
            && self.conns.iter().all(|(_, conn)| conn.is_over())
    }

    fn endpoint_events(&mut self, slot: usize) {
        let Some(conn) = self.conns.get_mut(slot) else { return };
        while let Some(event) = conn.quic.poll_endpoint_events() {
            if event.is_drained() {
                self.slots[conn.handle.0] = None;
                conn.drained = true;
            }
            if let Some(event) = self.endpoint.handle_event(conn.handle, event) {
                conn.quic.handle_event(event);
                self.work.poll(conn);
            }
        }
    }

    fn arm(&mut self, now: Instant, slot: usize) {
        let Some(conn) = self.conns.get_mut(slot) else { return };
        conn.look_at_use(now);
        let own = conn.deadline();
        let quic = if conn.drained { None } else { conn.quic.poll_timeout() };
        let at = own.into_iter().chain(quic).min();
        self.timers.arm(slot, &mut conn.armed, at);
    }

    /// What a connection gave back goes to the one that has least.
    fn raise_poorest(&mut self) {
        let open = self.conns.iter_mut().map(|(_, conn)| conn).filter(|conn| conn.phase == Phase::Open);
        if let Some(conn) = open.min_by_key(|conn| conn.windows.receive) {
            let windows = self.budgets.raise(conn.windows);
            conn.set_windows(windows);
            self.work.send(conn);
        }
    }

    /// Forgets a connection that nobody needs any more. Until then a stranger's counts as such: one that is
    /// opened and closed at once is there for as long as QUIC drains it (RFC 9000 §10.2), and two forged
    /// datagrams make one.
    fn bury(&mut self, slot: usize) {
        let Some(conn) = self.conns.get(slot) else { return };
        if !conn.is_spent() || conn.queued_poll || conn.queued_send {
            return;
        }
        let mut conn = self.conns.remove(slot);
        self.timers.disarm(slot, &mut conn.armed);
        self.past.add(&conn);
        if conn.windows != self.budgets.each() {
            self.budgets.release(conn.windows);
            self.raise_poorest();
        }
        if !conn.dialled() {
            self.accepted -= 1;
        }
        if let Some(ip) = conn.counted {
            self.admission.discount(ip);
        }
    }
}
