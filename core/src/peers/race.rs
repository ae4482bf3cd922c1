//! Races the addresses of a peer against each other. RFC 8305.
//!
//! Opens nothing itself: says which address is due, and hears what became of it.

use crate::event::{ConnectFailure, PairingId};
use crate::id::{ConnId, PublicKey};
use crate::io::Family;
use crate::quic::Expect;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The next address is tried this long after the last, unless that fails sooner. RFC 8305 §5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A dial that nobody answered is given up.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses of one peer that one dial begins with.
pub(super) const MAX_CANDIDATES: usize = 16;

/// Addresses of one peer that one dial tries, those included that became known meanwhile.
pub(super) const MAX_TAKEN_IN: usize = 24;

/// A dial is begun anew no sooner than this after it was begun.
const RESTART_GAP: Duration = Duration::from_secs(1);

/// What a dial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A connection to a peer whose key is known.
    Data(PublicKey),
    /// A session of this pairing.
    Pairing(PairingId, Expect),
}

/// One dial: the addresses of a peer, raced.
#[derive(Debug)]
pub(super) struct Race {
    pub(super) purpose: Purpose,
    /// Every address that was ever taken in.
    candidates: Vec<SocketAddr>,
    waiting: VecDeque<SocketAddr>,
    racing: Vec<ConnId>,
    /// Names of the peer that are being looked up.
    pending: usize,
    begun_at: Instant,
    next_at: Instant,
    /// When all of it is tried again: the network changed.
    anew_at: Option<Instant>,
    failure: ConnectFailure,
}

/// What a dial wants next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Try(SocketAddr),
    Wait,
    /// Hang up on these, then ask again.
    HangUp(Vec<ConnId>),
    Failed(ConnectFailure),
}

impl Race {
    pub(super) fn new(now: Instant, purpose: Purpose, candidates: Vec<SocketAddr>) -> Self {
        let failure =
            if candidates.is_empty() { ConnectFailure::NoAddress } else { ConnectFailure::TimedOut };
        let waiting = alternate(candidates);
        Self {
            purpose,
            candidates: waiting.iter().copied().collect(),
            waiting,
            racing: Vec::new(),
            pending: 0,
            begun_at: now,
            next_at: now,
            anew_at: None,
            failure,
        }
    }

    /// Addresses that became known meanwhile: those that it did not have come next.
    pub(super) fn take_in(&mut self, addresses: &[SocketAddr]) {
        for address in addresses.iter().rev() {
            if self.candidates.len() < MAX_TAKEN_IN && !self.candidates.contains(address) {
                self.candidates.push(*address);
                self.waiting.push_front(*address);
            }
        }
    }

    /// So many names are being looked up: while any is, the dial is not over for want of addresses.
    pub(super) fn set_pending(&mut self, pending: usize) {
        self.pending = pending;
    }

    /// A name was looked up.
    pub(super) fn handle_looked_up(&mut self, addresses: &[SocketAddr]) {
        self.pending = self.pending.saturating_sub(1);
        self.take_in(addresses);
    }

    /// Goes on with no other addresses than these.
    pub(super) fn keep(&mut self, addresses: &[SocketAddr]) {
        self.candidates.retain(|candidate| addresses.contains(candidate));
        self.waiting.retain(|candidate| addresses.contains(candidate));
    }

    /// The network changed: what was sent before may be lost.
    pub(super) fn handle_network_changed(&mut self, now: Instant) {
        self.anew_at = Some(now.max(self.begun_at + RESTART_GAP));
    }

    /// An address was dialled, or could not be.
    pub(super) fn handle_tried(&mut self, now: Instant, conn: Option<ConnId>) {
        match conn {
            Some(conn) => {
                self.racing.push(conn);
                self.next_at = now + ATTEMPT_DELAY;
            }
            None => self.next_at = now,
        }
    }

    /// A connection of the race was lost: the next address is due at once. Whether it was one.
    pub(super) fn handle_lost(&mut self, now: Instant, conn: ConnId, failure: ConnectFailure) -> bool {
        let was = self.racing.len();
        self.racing.retain(|racing| *racing != conn);
        if self.racing.len() == was {
            return false;
        }
        // The most telling failure is kept: silence says least.
        if failure != ConnectFailure::TimedOut {
            self.failure = failure;
        }
        self.next_at = now;
        true
    }

    pub(super) fn poll(&mut self, now: Instant) -> Step {
        if self.anew_at.is_some_and(|at| at <= now) {
            self.anew_at = None;
            (self.begun_at, self.next_at) = (now, now);
            self.waiting = self.candidates.iter().copied().collect();
            return Step::HangUp(std::mem::take(&mut self.racing));
        }
        if now >= self.until() {
            return Step::Failed(self.failure);
        }
        if self.waiting.is_empty() && self.racing.is_empty() && self.pending == 0 {
            return Step::Failed(self.failure);
        }
        if now < self.next_at {
            return Step::Wait;
        }
        self.waiting.pop_front().map_or(Step::Wait, Step::Try)
    }

    pub(super) fn deadline(&self) -> Instant {
        let until = self.anew_at.map_or(self.until(), |at| at.min(self.until()));
        if self.waiting.is_empty() { until } else { until.min(self.next_at) }
    }

    /// How many addresses were ever taken in.
    pub(super) fn taken_in(&self) -> usize {
        self.candidates.len()
    }

    fn until(&self) -> Instant {
        self.begun_at + DIAL_TIMEOUT
    }

    pub(super) fn has(&self, conn: ConnId) -> bool {
        self.racing.contains(&conn)
    }

    /// The connections that run, to be hung up: all but the winner.
    pub(super) fn others(self, winner: Option<ConnId>) -> impl Iterator<Item = ConnId> {
        self.racing.into_iter().filter(move |conn| Some(*conn) != winner)
    }
}

/// Families by turns, beginning with that of the first. RFC 8305 §4.
fn alternate(candidates: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let Some(first) = candidates.first().map(|address| Family::of(address.ip())) else {
        return VecDeque::new();
    };
    let (mut a, mut b): (VecDeque<_>, VecDeque<_>) =
        candidates.into_iter().partition(|address| Family::of(address.ip()) == first);
    let mut out = VecDeque::new();
    while !(a.is_empty() && b.is_empty()) {
        out.extend(a.pop_front());
        out.extend(b.pop_front());
    }
    out.truncate(MAX_CANDIDATES);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::base;

    fn addresses() -> Vec<SocketAddr> {
        ["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"].map(|a| a.parse().unwrap()).to_vec()
    }

    fn race(now: Instant) -> Race {
        Race::new(now, Purpose::Pairing(PairingId(1), Expect::Anyone), addresses())
    }

    #[test]
    fn families_take_turns() {
        let order: Vec<_> = alternate(addresses()).into_iter().collect();
        assert_eq!(order, [addresses()[0], addresses()[2], addresses()[1]]);
    }

    #[test]
    fn the_next_address_is_due_after_250_ms() {
        let now = base();
        let mut race = race(now);
        assert_eq!(race.poll(now), Step::Try(addresses()[0]));
        race.handle_tried(now, Some(ConnId(1)));
        assert_eq!(race.poll(now + ATTEMPT_DELAY - Duration::from_millis(1)), Step::Wait);
        assert_eq!(race.poll(now + ATTEMPT_DELAY), Step::Try(addresses()[2]));
    }

    #[test]
    fn the_next_address_is_due_at_once_when_one_fails() {
        let now = base();
        let mut race = race(now);
        race.poll(now);
        race.handle_tried(now, Some(ConnId(1)));
        assert!(race.handle_lost(now, ConnId(1), ConnectFailure::WrongPeer));
        assert_eq!(race.poll(now), Step::Try(addresses()[2]));
    }

    #[test]
    fn a_dial_whose_addresses_all_failed_says_why() {
        let now = base();
        let mut race = race(now);
        for n in 0..3 {
            assert!(matches!(race.poll(now), Step::Try(_)));
            race.handle_tried(now, Some(ConnId(n)));
            race.handle_lost(now, ConnId(n), ConnectFailure::WrongPeer);
        }
        assert_eq!(race.poll(now), Step::Failed(ConnectFailure::WrongPeer));
    }

    #[test]
    fn a_dial_that_nobody_answers_ends_after_ten_seconds() {
        let now = base();
        let mut race = race(now);
        for n in 0..3 {
            let at = now + ATTEMPT_DELAY * n;
            assert!(matches!(race.poll(at), Step::Try(_)));
            race.handle_tried(at, Some(ConnId(u64::from(n))));
        }
        assert_eq!(race.deadline(), now + DIAL_TIMEOUT);
        assert_eq!(race.poll(now + DIAL_TIMEOUT), Step::Failed(ConnectFailure::TimedOut));
    }

    #[test]
    fn an_address_that_becomes_known_comes_next_and_none_comes_twice() {
        let now = base();
        let mut race = race(now);
        assert_eq!(race.poll(now), Step::Try(addresses()[0]));
        race.handle_tried(now, Some(ConnId(1)));
        let new: SocketAddr = "192.0.2.9:1".parse().unwrap();
        race.take_in(&[addresses()[0], new, addresses()[1], new]);
        assert_eq!(race.poll(now + ATTEMPT_DELAY), Step::Try(new));
        assert_eq!(race.taken_in(), 4);
        let flood: Vec<SocketAddr> = (1..100).map(|port| ([192, 0, 2, 66], port).into()).collect();
        race.take_in(&flood);
        assert_eq!(race.taken_in(), MAX_TAKEN_IN);
    }

    #[test]
    fn a_network_that_changes_begins_a_dial_anew_once_a_second_at_most() {
        let now = base();
        let mut race = race(now);
        race.poll(now);
        race.handle_tried(now, Some(ConnId(1)));
        for ms in [100, 200] {
            race.handle_network_changed(now + Duration::from_millis(ms));
        }
        let soon = now + Duration::from_millis(200);
        assert_eq!(race.poll(soon), Step::Wait);
        let at = now + RESTART_GAP;
        assert_eq!(race.poll(at), Step::HangUp(vec![ConnId(1)]));
        assert_eq!(race.poll(at), Step::Try(addresses()[0]));
        race.handle_tried(at, Some(ConnId(2)));
        assert_eq!(race.poll(now + DIAL_TIMEOUT + Duration::from_millis(1)), Step::Try(addresses()[2]));
        assert_eq!(race.poll(at + DIAL_TIMEOUT), Step::Failed(ConnectFailure::TimedOut));
    }
}
