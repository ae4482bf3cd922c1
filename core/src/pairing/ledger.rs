//! The records of pairing and the marks of keys: what the store is known to hold, and the changes on their way
//! into it.
//!
//! One change at a time. A record here is as the store confirmed it, so whatever is said by it is durable.
//! A write that failed is read back; if that fails too, nothing is known and everything starts anew from
//! the next load, which also says what became of that write. Knows nothing of sessions: what to do after a change is an opaque `T`.

use crate::ask::Ask;
use crate::ask::StoreToken;
use crate::id::{Fingerprint, PairId, PublicKey};
use crate::store::{Mark, PairRecord, PairState, StoreChange, StoreReply, StoreRequest, Stored};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How long after a store failed for good it is asked again.
pub(super) const RETRY: Duration = Duration::from_secs(10);

/// Records in all. No further pairing is begun near it; a store that holds more counts as failed, since a
/// record that is left out would be reported as gone to its peer.
pub(crate) const MAX_RECORDS: usize = 4096;

/// Keys that may be trusted and not paired yet at a time.
pub(crate) const MAX_TRUSTED: usize = 64;

pub(crate) use crate::store::MAX_BANNED;

/// A write, and what it is for. Every id and every fingerprint is in one change at a time, so the queue is bounded by
/// them; a mark alone may also go with the pairing that fulfils it.
pub(super) struct Change<T> {
    pub(super) what: StoreChange,
    pub(super) then: T,
}

/// What became of a change, or of the store.
pub(super) enum Outcome<T> {
    /// The records are there; and what became of the change at which the store failed before.
    Loaded(Option<Judged<T>>),
    /// The change is durable.
    Written(T),
    /// The change did not happen.
    Refused(T),
    /// Neither written nor readable: nothing is known until the next load.
    Broken,
}

/// A change of which nothing was known while the store failed.
pub(super) enum Judged<T> {
    /// It is durable.
    Happened(T),
    /// It did not happen.
    DidNot(T),
}

enum Phase<T> {
    Idle,
    /// With the change at which the store failed, if it did.
    Loading(Option<Change<T>>),
    Writing(Change<T>),
    ReadingBack(Change<T>),
    Broken {
        retry_at: Instant,
        change: Option<Change<T>>,
    },
}

pub(super) struct Ledger<T> {
    own: PublicKey,
    records: BTreeMap<PairId, PairRecord>,
    marks: BTreeMap<Fingerprint, Mark>,
    phase: Phase<T>,
    queue: VecDeque<Change<T>>,
    asked: u64,
    ask: Option<Ask>,
}

impl<T> Ledger<T> {
    /// Wants to be loaded.
    pub(super) fn new(own: PublicKey) -> Self {
        let mut ledger = Self {
            own,
            records: BTreeMap::new(),
            marks: BTreeMap::new(),
            phase: Phase::Loading(None),
            queue: VecDeque::new(),
            asked: 0,
            ask: None,
        };
        ledger.ask(StoreRequest::Load);
        ledger
    }

    pub(super) fn is_loaded(&self) -> bool {
        match self.phase {
            Phase::Idle | Phase::Writing(_) | Phase::ReadingBack(_) => true,
            Phase::Loading(_) | Phase::Broken { .. } => false,
        }
    }

    pub(super) fn get(&self, id: &PairId) -> Option<&PairRecord> {
        self.records.get(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &PairRecord> {
        self.records.values()
    }

    /// The records for one peer.
    pub(super) fn of<'a>(&'a self, peer: &PublicKey) -> impl Iterator<Item = &'a PairRecord> + use<'a, T> {
        let peer = *peer;
        self.iter().filter(move |record| record.peer == peer)
    }

    pub(super) fn paired_with(&self, peer: &PublicKey) -> Option<&PairRecord> {
        self.of(peer).find(|record| record.state == PairState::Paired)
    }

    /// The mark of a key.
    pub(super) fn mark(&self, fingerprint: &Fingerprint) -> Option<&Mark> {
        self.marks.get(fingerprint)
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.marks.values()
    }

    /// Whether a change of this id is under way.
    pub(super) fn is_changing(&self, id: &PairId) -> bool {
        self.under_way().any(|change| change.touches(id))
    }

    /// Whether a change of this key's mark is under way.
    pub(super) fn is_marking(&self, fingerprint: &Fingerprint) -> bool {
        self.under_way().any(|change| change.marks(fingerprint))
    }

    fn under_way(&self) -> impl Iterator<Item = &Change<T>> {
        let current = match &self.phase {
            Phase::Writing(change) | Phase::ReadingBack(change) => Some(change),
            Phase::Idle | Phase::Loading(_) | Phase::Broken { .. } => None,
        };
        current.into_iter().chain(&self.queue)
    }

    /// Whether the store holds, or may come to hold, something under this id.
    pub(super) fn has_trace(&self, id: &PairId) -> bool {
        self.records.contains_key(id) || self.is_changing(id)
    }

    /// Queues a change. Its outcome comes out of [`Ledger::handle_reply`].
    pub(super) fn write(&mut self, change: Change<T>) {
        assert!(self.is_loaded(), "a change is made to records that are known");
        self.queue.push_back(change);
        self.advance();
    }

    /// The store's answer. One that was not asked for, or came too late, is dropped.
    pub(super) fn handle_reply(
        &mut self,
        now: Instant,
        token: StoreToken,
        reply: StoreReply,
    ) -> Option<Outcome<T>> {
        if token.0 != self.asked {
            return None;
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        let reply = match reply {
            StoreReply::Loaded(stored) if self.are_too_many(&stored) => {
                let (records, marks) = (stored.records.len(), stored.marks.len());
                tracing::error!(records, marks, "the store holds more than may be");
                StoreReply::Failed
            }
            reply => reply,
        };
        let outcome = match (phase, reply) {
            (Phase::Loading(change), StoreReply::Loaded(stored)) => {
                let judge = |change: Change<T>| match change.is_held_by(&stored) {
                    true => Judged::Happened(change.then),
                    false => Judged::DidNot(change.then),
                };
                let judged = change.map(judge);
                self.load(stored);
                Outcome::Loaded(judged)
            }
            (Phase::Writing(change), StoreReply::Written) => self.apply(change),
            (Phase::Writing(change), StoreReply::Failed | StoreReply::Loaded(_)) => {
                self.phase = Phase::ReadingBack(change);
                self.ask(StoreRequest::Load);
                return None;
            }
            (Phase::ReadingBack(change), StoreReply::Loaded(stored)) => {
                let happened = change.is_held_by(&stored);
                self.load(stored);
                if happened { self.apply(change) } else { Outcome::Refused(change.then) }
            }
            (Phase::Loading(change), StoreReply::Failed | StoreReply::Written) => self.fail(now, change),
            (Phase::ReadingBack(change), StoreReply::Failed | StoreReply::Written) => {
                self.fail(now, Some(change))
            }
            (phase @ (Phase::Idle | Phase::Broken { .. }), _) => {
                self.phase = phase;
                return None;
            }
        };
        self.advance();
        Some(outcome)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Broken { retry_at, change } = &mut self.phase
            && *retry_at <= now
        {
            self.phase = Phase::Loading(change.take());
            self.ask(StoreRequest::Load);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Broken { retry_at, .. } => Some(retry_at),
            Phase::Idle | Phase::Loading(_) | Phase::Writing(_) | Phase::ReadingBack(_) => None,
        }
    }

    /// How many records there are, how many keys are trusted and banned, and how many changes wait.
    pub(super) fn sizes(&self) -> [usize; 4] {
        let trusted = self.marks().filter(|mark| mark.is_trusted()).count();
        [self.records.len(), trusted, self.marks.len() - trusted, self.queue.len()]
    }

    /// The question to put to the store.
    pub(super) fn poll_ask(&mut self) -> Option<Ask> {
        self.ask.take()
    }

    fn are_too_many(&self, stored: &Stored) -> bool {
        let trusted = stored.marks.iter().filter(|mark| mark.is_trusted()).count();
        stored.records.iter().filter(|record| record.own == self.own).count() > MAX_RECORDS
            || trusted > MAX_TRUSTED
            || stored.marks.len() - trusted > MAX_BANNED
    }

    fn load(&mut self, stored: Stored) {
        let own = self.own;
        let ours = stored.records.into_iter().filter(|record| record.own == own);
        self.records = ours.map(|record| (record.pair_id, record)).collect();
        self.marks = stored.marks.into_iter().map(|mark| (mark.fingerprint, mark)).collect();
    }

    fn apply(&mut self, change: Change<T>) -> Outcome<T> {
        let StoreChange { put, delete, mark, unmark, .. } = change.what;
        for id in &delete {
            self.records.remove(id);
        }
        self.records.extend(put.into_iter().map(|record| (record.pair_id, record)));
        for fingerprint in &unmark {
            self.marks.remove(fingerprint);
        }
        self.marks.extend(mark.into_iter().map(|mark| (mark.fingerprint, mark)));
        Outcome::Written(change.then)
    }

    fn fail(&mut self, now: Instant, change: Option<Change<T>>) -> Outcome<T> {
        self.records.clear();
        self.marks.clear();
        self.queue.clear();
        self.phase = Phase::Broken { retry_at: now + RETRY, change };
        Outcome::Broken
    }

    fn advance(&mut self) {
        if !matches!(self.phase, Phase::Idle) {
            return;
        }
        if let Some(change) = self.queue.pop_front() {
            self.ask(StoreRequest::Write(change.what.clone()));
            self.phase = Phase::Writing(change);
        }
    }

    fn ask(&mut self, request: StoreRequest) {
        self.asked += 1;
        self.ask = Some(Ask::Store(StoreToken(self.asked), request));
    }
}

impl<T> Change<T> {
    fn touches(&self, id: &PairId) -> bool {
        self.what.delete.contains(id) || self.what.put.iter().any(|record| record.pair_id == *id)
    }

    fn marks(&self, fingerprint: &Fingerprint) -> bool {
        let is_it = |mark: &Mark| mark.fingerprint == *fingerprint;
        self.what.unmark.contains(fingerprint) || self.what.mark.iter().any(is_it)
    }

    fn is_held_by(&self, stored: &Stored) -> bool {
        let StoreChange { put, delete, mark, unmark, .. } = &self.what;
        put.iter().all(|record| stored.records.contains(record))
            && mark.iter().all(|mark| stored.marks.contains(mark))
            && !stored.records.iter().any(|record| delete.contains(&record.pair_id))
            && !stored.marks.iter().any(|mark| unmark.contains(&mark.fingerprint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use crate::store::{MarkKind, PairSecret, Role};
    use crate::testing::base;

    #[test]
    fn a_store_with_too_many_records_counts_as_failed() {
        let [own, peer] = [1, 2].map(|n| Identity::from_entropy([n; 32]).public_key());
        let record = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_be_bytes());
            let secret = PairSecret::from_bytes([3; 32]);
            PairRecord::new(PairId::from_bytes(id), Role::Host, peer, own, secret, PairState::Paired)
        };
        for (held, loaded) in [(MAX_RECORDS, true), (MAX_RECORDS + 1, false)] {
            let mut ledger = Ledger::<()>::new(own);
            let records: Vec<_> = (0..held).map(record).collect();
            ledger.handle_reply(base(), StoreToken(1), StoreReply::Loaded(records.into()));
            assert_eq!(ledger.is_loaded(), loaded, "{held} records");
        }
    }

    #[test]
    fn a_store_with_too_many_marks_counts_as_failed() {
        let own = Identity::from_entropy([1; 32]).public_key();
        let mark = |n: usize, kind: &MarkKind| {
            let mut print = [0; 32];
            print[..8].copy_from_slice(&n.to_be_bytes());
            Mark::new(Fingerprint::from_bytes(print), kind.clone())
        };
        let trusted = MarkKind::Trusted { addresses: Vec::new() };
        for (kind, most) in [(trusted, MAX_TRUSTED), (MarkKind::Banned, MAX_BANNED)] {
            for (held, loaded) in [(most, true), (most + 1, false)] {
                let mut ledger = Ledger::<()>::new(own);
                let marks = (0..held).map(|n| mark(n, &kind)).collect();
                let stored = Stored { marks, ..Stored::default() };
                ledger.handle_reply(base(), StoreToken(1), StoreReply::Loaded(stored));
                assert_eq!(ledger.is_loaded(), loaded, "{held} {kind:?}");
            }
        }
    }
}
