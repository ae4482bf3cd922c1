//! Data connections: who said hello, and which of two connections to one peer stays.
//!
//! A connection is shown to the application when both sides said `Hello` and both hold the same pairing as
//! `paired`. Never reads or changes a pairing record: lists go out as events and come back settled.
//!
//! ```text
//!  connected ──> Greeting ──both hellos, paired──> Up ──unpaired──> Leaving
//!                   └──────────no record─────────────────────────────^
//! ```

use crate::id::{ConnId, Fingerprint, PairId, PublicKey};
use crate::wire::control::{Entry, Hello, Listed};
use std::net::SocketAddr;
use std::time::Instant;

/// How far a data connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not yet shown to the application.
    Greeting,
    /// Shown to the application.
    Up,
    /// Up, but another connection to the same peer is the one that is shown.
    Spare,
    /// Said its last.
    Leaving,
}

/// One data connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: ConnId,
    pub(super) peer: PublicKey,
    pub(super) remote: SocketAddr,
    pub(super) dialled: bool,
    pub(super) stage: Stage,
    /// Whether the key had a record when it connected: only then are its losses counted.
    pub(super) known: bool,
    /// What our own `Hello` said of lost connections.
    pub(super) said_lost: u32,
    /// The peer's `Hello`.
    pub(super) hello: Option<Hello>,
    /// The peer's latest list.
    pub(super) list: Vec<Entry>,
    /// When it was last shown to the application.
    pub(super) shown_at: Option<Instant>,
    /// When its peer was last dialled since it fell silent.
    pub(super) passed_by: Option<Instant>,
}

/// Which of two connections to one peer stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Winner {
    New,
    Old,
    /// The peer dialled both and alone decides: show the new one and leave the old one to the peer.
    PeerDecides,
}

impl Link {
    /// Whether the peer holds one of these as `paired`, too.
    pub(super) fn agrees_with(&self, usable: &[PairId]) -> bool {
        self.list.iter().any(|their| their.state == Listed::Paired && usable.contains(&their.pair_id))
    }

    /// Whether the peer's latest list names no pairing that it holds.
    pub(super) fn peer_has_none(&self) -> bool {
        self.list.iter().all(|entry| entry.state == Listed::Gone)
    }

    /// Connections that either side lost before this one, as its own two `Hello`s say.
    fn sum_lost(&self) -> u64 {
        let theirs = self.hello.as_ref().map_or(0, |hello| hello.lost);
        u64::from(self.said_lost) + u64::from(theirs)
    }

    fn instance(&self) -> Option<[u8; 16]> {
        self.hello.as_ref().map(|hello| hello.instance)
    }

    /// Both sides come to the same answer from the same two pairs of `Hello`s, whatever the order in which
    /// they saw them.
    pub(super) fn versus(&self, old: &Link, own: &Fingerprint) -> Winner {
        if self.instance() != old.instance() {
            // The peer restarted: it knows nothing of the old connection.
            return Winner::New;
        }
        match self.sum_lost().cmp(&old.sum_lost()) {
            std::cmp::Ordering::Greater => return Winner::New,
            std::cmp::Ordering::Less => return Winner::Old,
            std::cmp::Ordering::Equal => {}
        }
        match (self.dialled, old.dialled) {
            (true, true) => Winner::New,
            (false, false) => Winner::PeerDecides,
            // Two diallers: the connection of the one with the smaller fingerprint stays.
            (dialled, _) if dialled == (*own < self.peer.fingerprint()) => Winner::New,
            _ => Winner::Old,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PairId;
    use crate::identity::Identity;

    fn link(conn: u64, dialled: bool, instance: u8, lost: u32) -> Link {
        Link {
            conn: ConnId(conn),
            peer: Identity::from_entropy([1; 32]).public_key(),
            remote: "192.0.2.1:1".parse().unwrap(),
            dialled,
            stage: Stage::Greeting,
            known: true,
            said_lost: 0,
            hello: Some(Hello {
                instance: [instance; 16],
                lost,
                features: vec![],
                metadata: None,
                state: vec![],
            }),
            list: vec![],
            shown_at: None,
            passed_by: None,
        }
    }

    const SMALL: [u8; 32] = [0; 32];
    const LARGE: [u8; 32] = [255; 32];

    #[test]
    fn a_restarted_peers_later_connection_wins() {
        let own = Fingerprint::from_bytes(SMALL);
        assert_eq!(link(2, false, 2, 0).versus(&link(1, true, 1, 9), &own), Winner::New);
    }

    #[test]
    fn of_two_the_one_that_knows_of_more_losses_wins() {
        let own = Fingerprint::from_bytes(SMALL);
        assert_eq!(link(2, false, 1, 1).versus(&link(1, true, 1, 0), &own), Winner::New);
        assert_eq!(link(2, true, 1, 0).versus(&link(1, false, 1, 1), &own), Winner::Old);
    }

    #[test]
    fn of_two_diallers_the_one_with_the_smaller_fingerprint_stays() {
        for (own, new_dialled, winner) in [
            (SMALL, true, Winner::New),
            (SMALL, false, Winner::Old),
            (LARGE, true, Winner::Old),
            (LARGE, false, Winner::New),
        ] {
            let own = Fingerprint::from_bytes(own);
            let (new, old) = (link(2, new_dialled, 1, 0), link(1, !new_dialled, 1, 0));
            assert_eq!(new.versus(&old, &own), winner);
        }
    }

    #[test]
    fn of_two_by_one_dialler_the_dialler_decides() {
        let own = Fingerprint::from_bytes(SMALL);
        assert_eq!(link(2, true, 1, 0).versus(&link(1, true, 1, 0), &own), Winner::New);
        assert_eq!(link(2, false, 1, 0).versus(&link(1, false, 1, 0), &own), Winner::PeerDecides);
    }

    #[test]
    fn a_pairing_that_one_side_holds_as_tentative_shows_nothing() {
        let mut link = link(1, true, 1, 0);
        let id = PairId::from_bytes([1; 32]);
        link.list = vec![Entry { pair_id: id, state: Listed::Committed }];
        assert!(!link.agrees_with(&[id]));
        link.list = vec![Entry { pair_id: id, state: Listed::Paired }];
        assert!(!link.agrees_with(&[]));
        assert!(link.agrees_with(&[id]));
    }
}
