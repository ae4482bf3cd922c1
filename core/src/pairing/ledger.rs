//! The records of pairing: what the store is known to hold, and the changes on their way into it.
//!
//! One change at a time. A record here is as the store confirmed it, so whatever is said by it is durable.
//! A write that failed is read back; if that fails too, nothing is known and everything starts anew from
//! the next load, which also says what became of that write. Knows nothing of sessions: what to do after a change is an opaque `T`.

use crate::ask::Ask;
use crate::ask::StoreToken;
use crate::id::{PairId, PublicKey};
use crate::store::{PairRecord, PairState, StoreReply, StoreRequest};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How long after a store failed for good it is asked again.
pub(super) const RETRY: Duration = Duration::from_secs(10);

/// Records in all. No further pairing is begun near it; a store that holds more counts as failed, since a
/// record that is left out would be reported as gone to its peer.
pub(crate) const MAX_RECORDS: usize = 4096;

/// A write, and what it is for. Every id is in one change at a time, so the queue is bounded by the ids.
pub(super) struct Change<T> {
    pub(super) put: Vec<PairRecord>,
    pub(super) delete: Vec<PairId>,
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

    /// Whether a change of this id is under way.
    pub(super) fn is_changing(&self, id: &PairId) -> bool {
        let under_way = match &self.phase {
            Phase::Writing(change) | Phase::ReadingBack(change) => Some(change),
            Phase::Idle | Phase::Loading(_) | Phase::Broken { .. } => None,
        };
        under_way.into_iter().chain(&self.queue).any(|change| change.touches(id))
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
            StoreReply::Loaded(records) if self.are_too_many(&records) => {
                tracing::error!(records = records.len(), "the store holds more records than may be");
                StoreReply::Failed
            }
            reply => reply,
        };
        let outcome = match (phase, reply) {
            (Phase::Loading(change), StoreReply::Loaded(records)) => {
                let judge = |change: Change<T>| match change.is_held_by(&records) {
                    true => Judged::Happened(change.then),
                    false => Judged::DidNot(change.then),
                };
                let judged = change.map(judge);
                self.load(records);
                Outcome::Loaded(judged)
            }
            (Phase::Writing(change), StoreReply::Written) => self.apply(change),
            (Phase::Writing(change), StoreReply::Failed | StoreReply::Loaded(_)) => {
                self.phase = Phase::ReadingBack(change);
                self.ask(StoreRequest::Load);
                return None;
            }
            (Phase::ReadingBack(change), StoreReply::Loaded(records)) => {
                let happened = change.is_held_by(&records);
                self.load(records);
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

    /// How many records there are, and how many changes wait.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [self.records.len(), self.queue.len()]
    }

    /// The question to put to the store.
    pub(super) fn poll_ask(&mut self) -> Option<Ask> {
        self.ask.take()
    }

    fn are_too_many(&self, records: &[PairRecord]) -> bool {
        records.iter().filter(|record| record.own == self.own).count() > MAX_RECORDS
    }

    fn load(&mut self, records: Vec<PairRecord>) {
        let own = self.own;
        let ours = records.into_iter().filter(|record| record.own == own);
        self.records = ours.map(|record| (record.pair_id, record)).collect();
    }

    fn apply(&mut self, change: Change<T>) -> Outcome<T> {
        for id in &change.delete {
            self.records.remove(id);
        }
        self.records.extend(change.put.into_iter().map(|record| (record.pair_id, record)));
        Outcome::Written(change.then)
    }

    fn fail(&mut self, now: Instant, change: Option<Change<T>>) -> Outcome<T> {
        self.records.clear();
        self.queue.clear();
        self.phase = Phase::Broken { retry_at: now + RETRY, change };
        Outcome::Broken
    }

    fn advance(&mut self) {
        if !matches!(self.phase, Phase::Idle) {
            return;
        }
        if let Some(change) = self.queue.pop_front() {
            self.ask(StoreRequest::Write { put: change.put.clone(), delete: change.delete.clone() });
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
        self.delete.contains(id) || self.put.iter().any(|record| record.pair_id == *id)
    }

    fn is_held_by(&self, records: &[PairRecord]) -> bool {
        self.put.iter().all(|record| records.contains(record))
            && !records.iter().any(|record| self.delete.contains(&record.pair_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use crate::store::{PairSecret, Role};
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
            let records = (0..held).map(record).collect();
            ledger.handle_reply(base(), StoreToken(1), StoreReply::Loaded(records));
            assert_eq!(ledger.is_loaded(), loaded, "{held} records");
        }
    }
}
