//! When a peer is dialled again about a record that is in doubt: a dial that came to nothing, or that nobody could
//! make for want of an address, leaves the record as it is.
//!
//! Never dials: it tells when.

use super::{Event, Pairing, commit};
use crate::id::PublicKey;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// After a record came into doubt. The peer has just been dialled, if it could be.
const FIRST: Duration = Duration::from_secs(1);
/// A peer that is away for long is dialled so often. Each time before that it is twice as long.
const LONGEST: Duration = Duration::from_secs(300);

/// The peers whose records are in doubt, and when they are next dialled. At most one for each record.
#[derive(Default)]
pub(super) struct Unsettled {
    peers: BTreeSet<PublicKey>,
    again: Option<(Instant, Duration)>,
}

impl Unsettled {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.again.map(|(at, _)| at)
    }

    /// Who is in doubt at this moment. One who came into it is not kept waiting for others.
    fn update(&mut self, now: Instant, peers: BTreeSet<PublicKey>) {
        if !peers.is_subset(&self.peers) {
            self.again = Some((now + FIRST, FIRST));
        } else if peers.is_empty() {
            self.again = None;
        }
        self.peers = peers;
    }

    /// Whether it is time.
    fn take_due(&mut self, now: Instant) -> bool {
        let Some((_, waited)) = self.again.filter(|(at, _)| *at <= now) else { return false };
        let wait = LONGEST.min(waited * 2);
        self.again = Some((now + wait, wait));
        true
    }
}

impl Pairing {
    /// Peers with a record that no session holds and that waits for their word.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = PublicKey> {
        self.unsettled.peers.iter().copied()
    }

    pub(super) fn note_unsettled(&mut self, now: Instant) {
        let held: Vec<_> = self.sessions.values().filter_map(|session| session.state.held()).collect();
        let in_doubt = self.ledger.iter().filter(|record| commit::is_tentative(record.state));
        let in_doubt = in_doubt.filter(|record| !held.contains(&record.pair_id));
        let peers = in_doubt.map(|record| record.peer).collect();
        self.unsettled.update(now, peers);
    }

    pub(super) fn settle_again(&mut self, now: Instant) {
        if self.unsettled.take_due(now) {
            self.events.extend(self.unsettled.peers.iter().copied().map(Event::Settle));
        }
    }
}
