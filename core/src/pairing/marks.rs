//! What the user wants of keys, and of those that are trusted when they are met: counted and timed here.
//!
//! Never dials and never writes: what the store holds of it is in the ledger.

use super::ledger::{MAX_BANNED, MAX_TRUSTED};
use crate::event::PairingId;
use crate::id::Fingerprint;
use crate::rng::Rng;
use crate::store::MarkKind;
use crate::table::Table;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A key that is trusted is dialled at most once in this time, longer than a dial takes: a sighting brings the next
/// try forward, and everybody on the LAN can forge one.
const PAUSE: Duration = Duration::from_secs(12);
/// A dial that nothing was heard of is taken as lost. Its session has deadlines of its own.
const LOST: Duration = Duration::from_secs(60);
/// The longest that is waited after tries that came to nothing.
const MAX_BACKOFF: Duration = Duration::from_secs(300);
/// The side with the larger fingerprint lets the other dial first, so that two dials seldom cross.
const HEAD_START: Duration = Duration::from_secs(2);

/// What the user wants of a key's mark while the store holds another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// `None` for no mark.
    pub(super) kind: Option<MarkKind>,
    /// When it is next written.
    pub(super) at: Instant,
}

/// A key that is trusted and not paired yet.
pub(super) struct Trust {
    pub(super) id: PairingId,
    pub(super) next: Next,
    tries: u32,
    tried_at: Option<Instant>,
}

/// When the key is next dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// At this time, if nothing is under way by then.
    At(Instant),
    /// The last try came to nothing: the time is yet to be drawn.
    Undrawn,
    /// Never: it is cancelled, and a session that this side is bound to decides.
    Never,
}

impl Trust {
    fn new(id: PairingId, at: Instant) -> Self {
        Self { id, next: Next::At(at), tries: 0, tried_at: None }
    }

    /// Counts a dial.
    pub(super) fn tried(&mut self, now: Instant) {
        self.tries = self.tries.saturating_add(1);
        self.tried_at = Some(now);
        self.next = Next::At(now + LOST);
    }

    /// Something is under way: not now.
    pub(super) fn put_off(&mut self, now: Instant) {
        self.next = Next::At(now + PAUSE);
    }

    /// Draws when the next try is, after one that failed: half of the wait is by chance.
    pub(super) fn draw(&mut self, now: Instant, rng: &mut Rng) {
        if self.next == Next::Undrawn {
            let most = Duration::from_secs(1 << self.tries.min(9)).min(MAX_BACKOFF);
            self.next = Next::At(now + rng.between(most / 2, most));
        }
    }

    /// The key was seen: it is dialled soon, if it was not just now.
    pub(super) fn hasten(&mut self, now: Instant, first: First, rng: &mut Rng) {
        if let Next::At(at) = &mut self.next {
            let soon = now + first.delay(rng);
            let rested = self.tried_at.map_or(soon, |tried| tried + PAUSE);
            *at = (*at).min(soon.max(rested));
        }
    }
}

/// Which of two sides that trust each other dials first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    We,
    They,
}

impl First {
    fn delay(self, rng: &mut Rng) -> Duration {
        let jitter = rng.between(Duration::ZERO, HEAD_START / 4);
        match self {
            Self::We => jitter,
            Self::They => HEAD_START + jitter,
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Trusts(BTreeMap<Fingerprint, Trust>);

impl Trusts {
    /// Adds one, to be dialled after the head start that it is due.
    pub(super) fn add(&mut self, now: Instant, key: Fingerprint, id: PairingId, first: First, rng: &mut Rng) {
        self.0.insert(key, Trust::new(id, now + first.delay(rng)));
    }

    pub(super) fn get(&self, key: &Fingerprint) -> Option<&Trust> {
        self.0.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &Fingerprint) -> Option<&mut Trust> {
        self.0.get_mut(key)
    }

    pub(super) fn remove(&mut self, key: &Fingerprint) -> Option<Trust> {
        self.0.remove(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &Trust)> {
        self.0.iter()
    }

    /// Whose trust it is.
    pub(super) fn key_of(&self, id: PairingId) -> Option<Fingerprint> {
        self.0.iter().find(|(_, trust)| trust.id == id).map(|(key, _)| *key)
    }

    pub(super) fn has(&self, id: PairingId) -> bool {
        self.key_of(id).is_some()
    }

    /// A try came to nothing. Whether there will be another.
    pub(super) fn fail(&mut self, id: PairingId) -> bool {
        let Some(trust) = self.0.values_mut().find(|trust| trust.id == id) else { return false };
        if trust.next == Next::Never {
            return false;
        }
        trust.next = Next::Undrawn;
        true
    }

    pub(super) fn draw(&mut self, now: Instant, rng: &mut Rng) {
        for trust in self.0.values_mut() {
            trust.draw(now, rng);
        }
    }

    /// How full it is, and how many wishes wait.
    pub(super) fn tables(&self, wishes: usize) -> [Table; 2] {
        [
            Table::new("pairing: keys that are trusted and not paired", self.0.len(), MAX_TRUSTED),
            Table::new("pairing: marks for the store", wishes, 2 * (MAX_TRUSTED + MAX_BANNED)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use crate::testing::base;

    fn rng() -> Rng {
        Rng::child(&Seed::new([1; 32]), "marks")
    }

    #[test]
    fn tries_that_come_to_nothing_are_ever_further_apart_up_to_five_minutes() {
        let (mut trust, now) = (Trust::new(PairingId(1), base()), base());
        for tries in 1..40u32 {
            trust.tried(now);
            trust.next = Next::Undrawn;
            trust.draw(now, &mut rng());
            let most = Duration::from_secs(1 << tries.min(9)).min(MAX_BACKOFF);
            let Next::At(at) = trust.next else { panic!("a time was drawn") };
            assert!((now + most / 2..=now + most).contains(&at), "try {tries}");
        }
    }

    #[test]
    fn sightings_bring_a_try_forward_and_never_crowd_them() {
        let (mut trust, now) = (Trust::new(PairingId(1), base() + MAX_BACKOFF), base());
        trust.hasten(now, First::They, &mut rng());
        let Next::At(at) = trust.next else { panic!("a time") };
        assert!(at >= now + HEAD_START && at <= now + HEAD_START * 2);
        trust.tried(now);
        for ms in 0..1000 {
            trust.hasten(now + Duration::from_millis(ms), First::We, &mut rng());
        }
        assert_eq!(trust.next, Next::At(now + PAUSE));
    }
}
