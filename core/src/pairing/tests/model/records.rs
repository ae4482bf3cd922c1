//! What the rules let a side store, given what both stores hold. Naive: knows no messages.

use crate::id::PairId;
use crate::store::{PairRecord, PairState, Role};
use std::collections::{BTreeMap, BTreeSet};

pub(super) type Store = BTreeMap<PairId, PairRecord>;

/// What happened so far, at both.
#[derive(Default)]
pub(super) struct Records {
    stores: [Store; 2],
    /// Ids that a side ever stored in this state.
    prepared: BTreeSet<PairId>,
    committed: BTreeSet<PairId>,
    paired_by_joiner: BTreeSet<PairId>,
    /// Ids that somebody's user wanted gone.
    forgotten: BTreeSet<PairId>,
}

impl Records {
    /// The user of this side forgets the peer.
    pub(super) fn forget(&mut self, n: usize) {
        self.forgotten.extend(self.stores[n].keys());
    }

    /// Holds every change of this side's store against the rules.
    pub(super) fn notice(&mut self, n: usize, store: &Store) {
        let before = std::mem::replace(&mut self.stores[n], store.clone());
        let ids: BTreeSet<_> = before.keys().chain(store.keys()).copied().collect();
        let newly_paired = store.values().find(|record| {
            record.state == PairState::Paired
                && before.get(&record.pair_id).is_none_or(|old| old.state != PairState::Paired)
        });
        for id in ids {
            let (old, new) = (before.get(&id), store.get(&id));
            match (old, new) {
                (Some(old), None) => self.check_deleted(n, old, newly_paired),
                (old, Some(new)) if old != Some(new) => self.check_stored(n, old, new),
                (_, Some(_)) | (None, None) => {}
            }
        }
        assert!(store.len() <= 8, "two keys have eight records at most");
        let paired = store.values().filter(|record| record.state == PairState::Paired);
        let newest =
            paired.clone().filter(|one| !paired.clone().any(|other| other.replaces.contains(&one.pair_id)));
        assert!(newest.count() <= 1, "of the paired ones one replaces the others");
    }

    fn check_deleted(&self, n: usize, old: &PairRecord, newly_paired: Option<&PairRecord>) {
        let id = old.pair_id;
        if newly_paired.is_some_and(|new| new.replaces.contains(&id)) {
            return;
        }
        match old.state {
            PairState::Hook => {}
            PairState::Prepared | PairState::Committed => {
                panic!("what was voted for is undone before it is deleted")
            }
            PairState::Paired => self.check_may_end(n, &id),
        }
    }

    fn check_stored(&mut self, n: usize, old: Option<&PairRecord>, new: &PairRecord) {
        let id = new.pair_id;
        if let Some(old) = old {
            let alike = PairRecord { state: new.state, ..old.clone() };
            assert!(alike == *new, "a record changes its state alone");
        }
        match (old.map(|old| old.state), new.state, new.role) {
            (None, PairState::Hook, _) => {
                let replaces: BTreeSet<_> = new.replaces.iter().collect();
                let others: BTreeSet<_> = self.stores[n].keys().filter(|other| **other != id).collect();
                assert!(others.is_subset(&replaces), "the hook is told of every earlier record");
            }
            (Some(PairState::Hook), PairState::Prepared, Role::Joiner) => {
                self.prepared.insert(id);
            }
            (Some(PairState::Hook), PairState::Committed, Role::Host) => {
                assert!(self.prepared.contains(&id), "a host commits after the joiner is prepared");
                self.committed.insert(id);
            }
            (Some(PairState::Prepared), PairState::Paired, Role::Joiner) => {
                assert!(self.committed.contains(&id), "a joiner is paired after the host committed");
                self.paired_by_joiner.insert(id);
            }
            (Some(PairState::Committed), PairState::Paired, Role::Host) => {
                assert!(self.paired_by_joiner.contains(&id), "a host is paired after the joiner is");
            }
            (Some(PairState::Prepared | PairState::Committed), PairState::Hook, _) => {
                self.check_may_end(n, &id)
            }
            (old, new, role) => panic!("{role:?} stores {new:?} over {old:?}"),
        }
    }

    /// What one side voted for, or is paired by, ends only if the other has none of it, or a user wants so.
    /// A host that gave up while it stored `hook` may call that none: nothing but its undoing can follow.
    fn check_may_end(&self, n: usize, id: &PairId) {
        let theirs = self.stores[1 - n].get(id).map(|record| record.state);
        assert!(
            matches!(theirs, None | Some(PairState::Hook)) || self.forgotten.contains(id),
            "node {n} ends {id:?}, which the other holds as {theirs:?}"
        );
    }
}
