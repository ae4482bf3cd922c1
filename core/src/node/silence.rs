//! A connection that fell silent, and the one that was dialled to take its place.
//!
//! The new one waits until it is known whether the old one lives: a network that comes back carries both, and what
//! runs on the old one is not to be broken off. A silent one that is given up counts as lost before anything is said
//! on the new one, so that both sides keep the new one.

use super::Node;
use super::admission::{Arrival, Await, Waiting};
use crate::id::{ConnId, PublicKey};
use crate::quic::Cause;
use crate::wire::close::CloseCode;
use std::time::Instant;

impl Node {
    /// Whether a connection that was dialled waits, for the sake of one to the same peer that fell silent.
    pub(super) fn waits_for_silent(&mut self, now: Instant, arrival: Arrival) -> bool {
        let Some(old) = self.peers.shown_to(&arrival.peer).filter(|_| arrival.dialled) else { return false };
        let waits = self.quic.challenge(now, old, arrival.conn);
        if waits {
            self.admission.put(now, Await::Silent(old), arrival, Vec::new());
        }
        waits
    }

    /// A connection that had fallen silent was heard: nobody needs the one that was to take its place.
    pub(super) fn heard_again(&mut self, now: Instant, conn: ConnId) {
        self.peers.handle_heard(conn);
        while let Some(waiting) = self.admission.end_wait(Await::Silent(conn)) {
            self.quic.close(now, waiting.arrival.conn, CloseCode::Duplicate);
        }
    }

    /// A connection is over: the one that waited for it takes its place, if it died and none did already; or else
    /// the peer that it leaves behind is reached anew.
    pub(super) fn replace(&mut self, now: Instant, conn: ConnId, cause: Cause, orphan: Option<PublicKey>) {
        let mut vacant = matches!(cause, Cause::NetworkChanged | Cause::TimedOut | Cause::Reset);
        while let Some(Waiting { arrival, held, .. }) = self.admission.end_wait(Await::Silent(conn)) {
            vacant &= self.peers.shown_to(&arrival.peer).is_none();
            if std::mem::take(&mut vacant) {
                self.receive(now, arrival, held);
            } else {
                self.quic.close(now, arrival.conn, CloseCode::Duplicate);
            }
        }
        if let Some(peer) = orphan.filter(|peer| !self.admission.awaits_word(peer)) {
            self.peers.reach(now, peer);
        }
    }
}
