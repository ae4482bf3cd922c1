//! One engine of the world, with its store, and what its application says and was told.

use super::super::super::{Pairing, Settings};
use crate::ask::{ConfirmToken, Confirmation, PairedToken, PairingRequestToken, RollbackToken, StoreToken};
use crate::config::Consent;
use crate::error::HookFailed;
use crate::event::{Event as Told, PairedPeer, PairingFailure, PairingId};
use crate::id::{Fingerprint, PairId, PeerIdKind, PublicKey};
use crate::metadata::Metadata;
use crate::rng::{Rng, Seed};
use crate::store::{Mark, PairRecord, PairState, StoreChange, StoreReply, StoreRequest, Stored};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What goes wrong with one call of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pairing::tests) enum StoreFault {
    /// It fails, and nothing was written.
    Unwritten,
    /// It fails, but was written.
    Written,
    /// It fails, and so does reading back.
    Dead,
    /// It was written, is said to have failed, and can't be read back at first.
    DeadWritten,
}

pub(in crate::pairing::tests) struct Node {
    pub(in crate::pairing::tests) engine: Pairing,
    pub(in crate::pairing::tests) key: PublicKey,
    pub(in crate::pairing::tests) store: BTreeMap<PairId, PairRecord>,
    pub(in crate::pairing::tests) marks: BTreeMap<Fingerprint, Mark>,
    /// Store calls so far.
    pub(in crate::pairing::tests) calls: usize,
    pub(in crate::pairing::tests) fault: Option<(usize, StoreFault)>,
    /// The store answers only when it is told to.
    pub(in crate::pairing::tests) slow: bool,
    pub(super) waiting_store: VecDeque<(StoreToken, StoreRequest)>,
    dead_reads: usize,
    /// How hooks answer; `None` leaves them waiting.
    pub(in crate::pairing::tests) hook: Option<Result<(), HookFailed>>,
    pub(in crate::pairing::tests) waiting_hooks: Vec<PairedToken>,
    pub(in crate::pairing::tests) saved: Vec<PairedPeer>,
    /// How rollbacks answer; `None` leaves them waiting.
    pub(in crate::pairing::tests) rollback: Option<Result<(), HookFailed>>,
    pub(in crate::pairing::tests) waiting_rollbacks: Vec<RollbackToken>,
    pub(in crate::pairing::tests) rolled_back: Vec<PairId>,
    pub(in crate::pairing::tests) prompts: Vec<PairingRequestToken>,
    /// Questions to its user whether to pair.
    pub(in crate::pairing::tests) confirmations: Vec<(ConfirmToken, Confirmation)>,
    pub(in crate::pairing::tests) told: Vec<Told>,
    pub(in crate::pairing::tests) settles: usize,
    /// How often it wanted to reach one that is trusted, to have a record decided.
    pub(in crate::pairing::tests) seeks: usize,
    /// Trusts for which it wanted to dial.
    pub(in crate::pairing::tests) meets: Vec<PairingId>,
}

impl Node {
    pub(super) fn new(n: u8) -> Self {
        let key = crate::Identity::from_entropy([n + 1; 32]).public_key();
        Self {
            engine: engine(n, 0, key),
            key,
            store: BTreeMap::new(),
            marks: BTreeMap::new(),
            calls: 0,
            fault: None,
            slow: false,
            waiting_store: VecDeque::new(),
            dead_reads: 0,
            hook: Some(Ok(())),
            waiting_hooks: Vec::new(),
            saved: Vec::new(),
            rollback: Some(Ok(())),
            waiting_rollbacks: Vec::new(),
            rolled_back: Vec::new(),
            prompts: Vec::new(),
            confirmations: Vec::new(),
            told: Vec::new(),
            settles: 0,
            seeks: 0,
            meets: Vec::new(),
        }
    }

    pub(super) fn store(&mut self, request: StoreRequest) -> StoreReply {
        let StoreRequest::Write(StoreChange { put, delete, mark, unmark, .. }) = request else {
            if self.dead_reads > 0 {
                self.dead_reads -= 1;
                return StoreReply::Failed;
            }
            let records = self.store.values().cloned().collect();
            let marks = self.marks.values().cloned().collect();
            return StoreReply::Loaded(Stored { records, marks, ..Stored::default() });
        };
        self.calls += 1;
        let fault = self.fault.filter(|(call, _)| *call == self.calls).map(|(_, fault)| fault);
        if matches!(fault, Some(StoreFault::Dead | StoreFault::DeadWritten)) {
            self.dead_reads = 1;
        }
        if matches!(fault, None | Some(StoreFault::Written | StoreFault::DeadWritten)) {
            for id in &delete {
                self.store.remove(id);
            }
            self.store.extend(put.into_iter().map(|record| (record.pair_id, record)));
            unmark.iter().for_each(|key| drop(self.marks.remove(key)));
            self.marks.extend(mark.into_iter().map(|mark| (mark.fingerprint, mark)));
        }
        if fault.is_some() { StoreReply::Failed } else { StoreReply::Written }
    }

    /// The ids that are paired, as the store holds them.
    pub(in crate::pairing::tests) fn paired(&self) -> Vec<PairId> {
        let paired = self.store.values().filter(|record| record.state == PairState::Paired);
        paired.map(|record| record.pair_id).collect()
    }

    pub(in crate::pairing::tests) fn tentative(&self) -> usize {
        self.store.values().filter(|record| record.state != PairState::Paired).count()
    }

    /// How the calls of `host` and `join` ended, in order.
    pub(in crate::pairing::tests) fn endings(&self) -> Vec<Result<PairId, PairingFailure>> {
        let ending = |told: &Told| match told {
            Told::PairingEnded(_, result) => Some(result.clone().map(|peer| peer.pair_id)),
            _ => None,
        };
        self.told.iter().filter_map(ending).collect()
    }

    pub(in crate::pairing::tests) fn attempts_failed(&self) -> Vec<u8> {
        let left = |told: &Told| match told {
            Told::PairingAttemptFailed { attempts_left, .. } => Some(*attempts_left),
            _ => None,
        };
        self.told.iter().filter_map(left).collect()
    }
}

pub(super) fn engine(n: u8, run: u8, key: PublicKey) -> Pairing {
    let settings = Settings {
        own: key,
        peer_id: PeerIdKind::Sha1,
        metadata: Metadata::named(format!("device {n}")),
        window: Duration::from_secs(120),
        confirmation: Consent::Given,
    };
    let mut seed = [n; 32];
    seed[31] = run;
    Pairing::new(settings, Rng::child(&Seed::new(seed), "pairing"))
}
