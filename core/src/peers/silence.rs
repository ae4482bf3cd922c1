//! Ways around a connection that fell silent: its peer is dialled wherever it may be, while the connection stands.
//!
//! Gives up no connection: whether another is answered first shows which of them lives.

use super::link::Stage;
use super::{Peers, Purpose};
use crate::id::{ConnId, PublicKey};
use std::time::{Duration, Instant};

/// A peer that stays silent is dialled no more often than this, unless another address of it becomes known.
const GAP: Duration = Duration::from_secs(5);

/// And then no more often than this: anybody on the LAN can announce addresses.
const NEWS_GAP: Duration = Duration::from_secs(1);

impl Peers {
    /// The peer of a connection acknowledges nothing.
    pub(crate) fn handle_silent(&mut self, now: Instant, conn: ConnId) {
        self.pass_by(now, conn, GAP);
    }

    /// The peer of a connection that had fallen silent was heard.
    pub(crate) fn handle_heard(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        if link.passed_by.take().is_some() {
            let peer = link.peer;
            self.hang_up_all(|purpose| *purpose == Purpose::Data(peer));
        }
    }

    /// The connection to a key that the application sees.
    pub(crate) fn shown_to(&self, peer: &PublicKey) -> Option<ConnId> {
        self.shown(peer).map(|link| link.conn)
    }

    /// Addresses of a key became known: one that is silent may be there.
    pub(super) fn look_elsewhere(&mut self, now: Instant, peer: &PublicKey) {
        if let Some(link) = self.shown(peer).filter(|link| link.passed_by.is_some()) {
            self.pass_by(now, link.conn, NEWS_GAP);
        }
    }

    fn pass_by(&mut self, now: Instant, conn: ConnId, gap: Duration) {
        let Some(link) = self.links.get(&conn).filter(|link| link.stage == Stage::Up) else { return };
        let (peer, remote) = (link.peer, link.remote);
        let is_due = link.passed_by.is_none_or(|at| at + gap <= now);
        if self.stopped || !is_due || self.is_under_way(&peer) || !self.book.is_reachable(&peer) {
            return;
        }
        if let Some(link) = self.links.get_mut(&conn) {
            link.passed_by = Some(now);
        }
        // Where it was silent it answers only if it began anew.
        let mut addresses = self.book.addresses(&peer);
        addresses.sort_by_key(|address| *address == remote);
        self.dial(now, Purpose::Data(peer), addresses);
    }
}

#[cfg(test)]
mod tests;
