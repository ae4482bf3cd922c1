//! What the engine does when the machine's network changes.
//!
//! Changes come in bursts, and a broken link flaps: connections look at the network four times a second at most.

use super::connection::Context;
use super::{Locals, Quic, find};
use crate::id::{ConnId, SocketId};
use crate::io::Opened;
use crate::quic::paths::Socket;
use std::time::{Duration, Instant};

/// Connections look at a changed network no more often than this.
const SETTLE: Duration = Duration::from_millis(250);

/// When connections look at the network.
#[derive(Default)]
pub(super) struct Lookout {
    looked_at: Option<Instant>,
    pub(super) due_at: Option<Instant>,
}

impl Lookout {
    /// Something changed. Whether to look at once.
    fn handle_change(&mut self, now: Instant) -> bool {
        let may_at = self.looked_at.map_or(now, |at| at + SETTLE);
        self.due_at = Some(may_at);
        may_at <= now
    }
}

impl Quic {
    pub(crate) fn handle_socket_open(&mut self, id: SocketId, opened: Opened) {
        self.paths.open(Socket { id, local: opened.address, gso_segments: opened.gso_segments.max(1) });
    }

    /// A socket was opened. Another may have failed before, with what was to be sent on it.
    pub(crate) fn handle_way(&mut self, now: Instant) {
        self.each(now, |conn, cx, _| conn.handle_way(cx));
    }

    pub(crate) fn handle_socket_gone(&mut self, id: SocketId) {
        self.paths.close(id);
    }

    /// These are the machine's addresses.
    pub(crate) fn handle_network(&mut self, now: Instant, locals: Locals) {
        if self.paths.set_locals(locals) && self.lookout.handle_change(now) {
            self.look(now);
        }
    }

    /// The machine slept for so long, and its clock stood still.
    pub(crate) fn handle_wake(&mut self, now: Instant, slept: Duration) {
        let outlasted = slept >= self.config.idle_timeout;
        self.each(now, |conn, cx, _| conn.handle_wake(cx, outlasted));
    }

    /// `rival`, a connection to the same peer, was answered: `conn`, if it fell silent, is given up unless it is
    /// heard soon. Whether it fell silent.
    pub(crate) fn challenge(&mut self, now: Instant, conn: ConnId, rival: ConnId) -> bool {
        let Some(rival) = find(&mut self.conns, rival) else { return false };
        let round_trip = rival.quic.rtt();
        let mut is_silent = false;
        self.with(now, conn, |conn, cx| is_silent = conn.challenge(cx, round_trip));
        is_silent
    }

    pub(super) fn handle_lookout(&mut self, now: Instant) {
        if self.lookout.due_at.is_some_and(|at| at <= now) {
            self.look(now);
        }
    }

    fn look(&mut self, now: Instant) {
        self.lookout = Lookout { looked_at: Some(now), due_at: None };
        self.each(now, |conn, cx, paths| conn.handle_network(cx, paths));
    }

    fn each(&mut self, now: Instant, mut act: impl FnMut(&mut super::Conn, &mut Context<'_>, &super::Paths)) {
        for (_, conn) in &mut self.conns {
            let mut cx =
                Context { now, service: &self.config.service, out: &mut self.out, work: &mut self.work };
            act(conn, &mut cx, &self.paths);
            self.work.poll(conn);
        }
    }
}
