//! A host's durable store, which can fail, stall, or let its host crash between two calls.

use handfast_core::ask::StoreToken;
use handfast_core::store::{Mark, PairRecord, StoreChange, StoreReply, StoreRequest, Stored, Whereabouts};
use handfast_core::{Fingerprint, PairId};
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// It fails and nothing was written.
    Fail,
    /// It was written, and yet is said to have failed.
    FailWritten,
    /// It takes so long.
    Stall(Duration),
    /// The host crashes before anything is written.
    CrashBefore,
    /// The host crashes once it is written, and before the node is told.
    CrashAfter,
}

/// How often a store misbehaves, in requests of a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreOdds {
    /// Requests that fail; half of them were written.
    pub fail: u32,
    /// Requests that take up to 20 s.
    pub stall: u32,
    /// Requests during which the host crashes.
    pub crash: u32,
}

/// What a host keeps when it loses power.
#[derive(Debug, Default)]
pub struct Store {
    /// Its pairing records.
    pub records: BTreeMap<PairId, PairRecord>,
    /// What its user decided about keys.
    pub marks: BTreeMap<Fingerprint, Mark>,
    /// Where its peers were reached, or may be.
    pub whereabouts: BTreeMap<Fingerprint, Whereabouts>,
    /// How often an entry of those was written.
    pub placed: u32,
    /// The number of its last announcement to discovery servers.
    pub announced: u64,
    /// What becomes of the next requests, before the odds are asked.
    pub script: VecDeque<Option<StoreFault>>,
    /// What becomes of all others.
    pub odds: StoreOdds,
    /// Whether it takes any write at all.
    pub broken: bool,
    /// Requests that wait for the one before them.
    pub(crate) queue: VecDeque<(StoreToken, StoreRequest)>,
    /// One is being served.
    pub(crate) busy: bool,
}

impl Store {
    /// What becomes of the next request.
    pub(crate) fn fate(&mut self, request: &StoreRequest, rng: &mut ChaCha12Rng) -> Option<StoreFault> {
        if let Some(fault) = self.script.pop_front() {
            return fault;
        }
        if self.broken && matches!(request, StoreRequest::Write(_)) {
            return Some(StoreFault::Fail);
        }
        let StoreOdds { fail, stall, crash } = self.odds;
        if fail + stall + crash == 0 {
            return None;
        }
        let draw = rng.next_u32() % 1000;
        let half = rng.next_u32().is_multiple_of(2);
        if draw < fail {
            return Some(if half { StoreFault::Fail } else { StoreFault::FailWritten });
        }
        if draw < fail + stall {
            return Some(StoreFault::Stall(Duration::from_millis(u64::from(rng.next_u32() % 20_000))));
        }
        let crashes = draw < fail + stall + crash;
        crashes.then_some(if half { StoreFault::CrashBefore } else { StoreFault::CrashAfter })
    }

    /// Does what is asked. Everything passes through its encoding, as on a disk.
    pub(crate) fn serve(&mut self, request: StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Load => {
                let records = self.records.values().cloned().collect();
                let marks = self.marks.values().cloned().collect();
                let whereabouts = self.whereabouts.values().cloned().collect();
                StoreReply::Loaded(Stored { records, marks, whereabouts, announced: self.announced })
            }
            StoreRequest::Write(StoreChange { put, delete, mark, unmark, place, unplace, announced }) => {
                for record in put {
                    let kept = PairRecord::decode(&record.encode()).expect("a record reads what it wrote");
                    self.records.insert(kept.pair_id, kept);
                }
                for pair_id in delete {
                    self.records.remove(&pair_id);
                }
                for mark in mark {
                    let kept = Mark::decode(&mark.encode()).expect("a mark reads what it wrote");
                    self.marks.insert(kept.fingerprint, kept);
                }
                for fingerprint in unmark {
                    self.marks.remove(&fingerprint);
                }
                for entry in place {
                    let kept = Whereabouts::decode(&entry.encode()).expect("an entry reads what it wrote");
                    self.whereabouts.insert(kept.fingerprint, kept);
                    self.placed += 1;
                }
                for fingerprint in unplace {
                    self.whereabouts.remove(&fingerprint);
                }
                self.announced = self.announced.max(announced.unwrap_or(0));
                StoreReply::Written
            }
        }
    }

    /// The host crashed: what was not served never will be.
    pub(crate) fn crash(&mut self) {
        self.queue.clear();
        self.busy = false;
    }
}
