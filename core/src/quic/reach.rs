//! How much may be sent to an address that a peer seems to have moved to. RFC 9000 §8.1, §9.3.
//!
//! quinn-proto counts as well, and is more generous: it sends whole datagrams while any credit is left, looks for a
//! larger path beside them, and answers challenges that come from anywhere. What goes too far is dropped here, and lost
//! as far as QUIC knows.
//!
//! Decides nothing about handshakes: there quinn-proto keeps to the limit.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Bytes that may be sent for each that was heard. RFC 9000 §8.1.
const FACTOR: u64 = 3;

/// Addresses that are counted at a time for one connection. To others nothing is sent.
pub(super) const MAX_UNPROVED: usize = 4;

/// So often one datagram may leave that was not paid for. quinn-proto pads its challenges to 1,200 bytes, three times
/// what a peer sends that only acknowledges: without that datagram a connection whose peer moved would not go on
/// until the peer had something to say.
const UNPAID_GAP: Duration = Duration::from_secs(1);

/// An address that is not known to be the peer's.
#[derive(Clone, Copy, Debug)]
struct Account {
    remote: SocketAddr,
    heard: u64,
    said: u64,
}

/// The addresses of one connection's peer.
#[derive(Debug)]
pub(super) struct Reach {
    /// Where the peer showed that it is.
    proved: SocketAddr,
    /// Where it may be, the one heard first in front.
    unproved: Vec<Account>,
    unpaid_at: Option<Instant>,
}

/// A datagram that is about to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub(super) to: SocketAddr,
    pub(super) bytes: usize,
    pub(super) way: Way,
}

/// Which way it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The connection's own, which quinn-proto holds for proved: all that goes there otherwise has a challenge in it.
    Proved,
    /// The connection's own, and whether it leads to the peer is to be seen.
    Unproved,
    /// Another, that a challenge came from or that the connection took before.
    Aside,
}

impl Reach {
    pub(super) fn new(proved: SocketAddr) -> Self {
        Self { proved, unproved: Vec::new(), unpaid_at: None }
    }

    /// Whether the peer showed that it is there.
    pub(super) fn is_proved(&self, remote: SocketAddr) -> bool {
        self.proved == remote
    }

    /// How many addresses are counted.
    pub(super) fn unproved(&self) -> usize {
        self.unproved.len()
    }

    /// A datagram for the connection came; `current` is the address that it uses from here on.
    pub(super) fn handle_heard(&mut self, remote: SocketAddr, bytes: usize, current: SocketAddr) {
        if self.is_proved(remote) {
            return;
        }
        if let Some(account) = self.unproved.iter_mut().find(|account| account.remote == remote) {
            account.heard = account.heard.saturating_add(bytes as u64);
            return;
        }
        if self.unproved.len() == MAX_UNPROVED {
            // Others may come and go, but the one that the connection uses keeps its credit.
            let Some(oldest) = self.unproved.iter().position(|account| account.remote != current) else {
                return;
            };
            self.unproved.remove(oldest);
        }
        self.unproved.push(Account { remote, heard: bytes as u64, said: 0 });
    }

    /// Whether a datagram may leave: it counts from here on.
    pub(super) fn admits(&mut self, now: Instant, leaving: Leaving) -> bool {
        let Leaving { to, bytes, way } = leaving;
        if self.is_proved(to) {
            return true;
        }
        if way == Way::Proved {
            *self = Self { unpaid_at: self.unpaid_at, ..Self::new(to) };
            return true;
        }
        let Some(account) = self.unproved.iter_mut().find(|account| account.remote == to) else {
            return false;
        };
        let said = account.said.saturating_add(bytes as u64);
        if said > account.heard.saturating_mul(FACTOR) {
            let is_due = self.unpaid_at.is_none_or(|at| at + UNPAID_GAP <= now);
            if way != Way::Unproved || account.said > 0 || !is_due {
                return false;
            }
            self.unpaid_at = Some(now);
        }
        account.said = said;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::base;

    const SMALL: usize = 36;
    const FULL: usize = 1200;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn leaving(to: SocketAddr, bytes: usize, way: Way) -> Leaving {
        Leaving { to, bytes, way }
    }

    #[test]
    fn an_address_that_is_proved_is_sent_anything() {
        let mut reach = Reach::new(at(1));
        assert!((0..100).all(|_| reach.admits(base(), leaving(at(1), FULL, Way::Unproved))));
    }

    #[test]
    fn three_times_what_was_heard_is_sent_and_one_datagram_beyond_it() {
        let (mut reach, now) = (Reach::new(at(1)), base());
        reach.handle_heard(at(2), SMALL, at(2));
        assert!(reach.admits(now, leaving(at(2), FULL, Way::Unproved)));
        assert!(!reach.admits(now, leaving(at(2), 1, Way::Unproved)));
        // 1,200 bytes were sent: what was heard must be a third of those and of what is to leave.
        reach.handle_heard(at(2), 399 - SMALL, at(2));
        assert!(!reach.admits(now + UNPAID_GAP, leaving(at(2), 1, Way::Unproved)));
        reach.handle_heard(at(2), 401, at(2));
        assert!(reach.admits(now, leaving(at(2), FULL, Way::Unproved)));
        assert!(!reach.admits(now, leaving(at(2), 1, Way::Unproved)));
    }

    #[test]
    fn one_datagram_a_second_leaves_unpaid_however_often_the_address_changes() {
        let (mut reach, now) = (Reach::new(at(1)), base());
        for (port, later, admits) in [(2, 0, true), (3, 10, false), (4, 999, false), (5, 1000, true)] {
            reach.handle_heard(at(port), SMALL, at(port));
            let now = now + Duration::from_millis(later);
            assert_eq!(reach.admits(now, leaving(at(port), FULL, Way::Unproved)), admits, "{port}");
        }
    }

    #[test]
    fn an_answer_aside_is_never_more_than_was_paid_for() {
        let (mut reach, now) = (Reach::new(at(1)), base());
        reach.handle_heard(at(2), SMALL, at(1));
        assert!(!reach.admits(now, leaving(at(2), FULL, Way::Aside)));
        assert!(reach.admits(now, leaving(at(2), 3 * SMALL, Way::Aside)));
        assert!(!reach.admits(now, leaving(at(3), 1, Way::Aside)), "nothing was heard from there");
    }

    #[test]
    fn an_address_that_is_proved_takes_the_place_of_the_one_before() {
        let (mut reach, now) = (Reach::new(at(1)), base());
        reach.handle_heard(at(2), SMALL, at(2));
        assert!(reach.admits(now, leaving(at(2), FULL, Way::Proved)));
        assert!(reach.admits(now, leaving(at(2), 100 * FULL, Way::Unproved)));
        assert!(!reach.admits(now, leaving(at(1), 1, Way::Aside)));
        assert_eq!(reach.unproved(), 0);
    }

    #[test]
    fn addresses_without_end_take_no_room_and_no_credit_from_the_one_that_is_used() {
        let (mut reach, now) = (Reach::new(at(1)), base());
        reach.handle_heard(at(2), FULL, at(2));
        for port in 3..1000 {
            reach.handle_heard(at(port), SMALL, at(2));
            assert!(reach.unproved() <= MAX_UNPROVED);
        }
        assert!(reach.admits(now, leaving(at(2), 3 * FULL, Way::Unproved)));
    }
}
