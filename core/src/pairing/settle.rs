//! Both or neither, run: lists out and in, the table, and undoing what must be undone.
//!
//! Runs after every input and decides by records and lists alone.

use super::answers::Then;
use super::commit::{self, Mine, Verdict};
use super::hooks::Hook;
use super::ledger::{Change, RETRY};
use super::session::HOOK;
use super::{Event, Pairing, PairingFailure, PairingId, Told};
use crate::ask::{Ask, RollbackToken};
use crate::id::{ConnId, PairId, PublicKey};
use crate::store::{PairRecord, PairState, StoreChange};
use crate::wire::control::{Entry, Listed};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a pairing whose session was lost stays undecided before its caller hears an error. It may
/// still succeed after: then the application hears of the peer alone.
pub(super) const UNDECIDED: Duration = Duration::from_secs(30);

/// Callers that wait at a time for a record whose session is over. A further one hears the failure at once.
pub(super) const MAX_WATCHES: usize = 64;

/// A data connection: what each side said last.
pub(super) struct Link {
    pub(super) peer: PublicKey,
    /// `None` before the peer's `Hello`.
    pub(super) theirs: Option<Vec<Entry>>,
    pub(super) said: Vec<Entry>,
}

/// A caller that waits for a record whose session is over.
pub(super) struct Watch {
    pub(super) pairing: PairingId,
    /// What it is told if the record comes to nothing.
    pub(super) failure: PairingFailure,
    pub(super) until: Instant,
    /// The peer has no record: whatever the store comes to hold is rolled back.
    pub(super) doomed: bool,
}

impl Pairing {
    /// The list for the `Hello` of a data connection; call when it is written. Changes follow as
    /// [`Event::SendState`].
    pub(crate) fn open_list(&mut self, conn: ConnId, peer: PublicKey) -> Vec<Entry> {
        let said = self.list_for(&peer);
        self.links.insert(conn, Link { peer, theirs: None, said: said.clone() });
        said
    }

    /// All pairings with this peer, as a `Hello` lists them.
    pub(crate) fn list_for(&self, peer: &PublicKey) -> Vec<Entry> {
        commit::list(&self.mine(peer).into_values().collect::<Vec<_>>(), &[])
    }

    /// The peer's list, from `Hello` or `State`, on a connection that proved the peer's key. One of a
    /// connection that is gone already, or that [`Pairing::open_list`] never saw, says nothing.
    pub(crate) fn handle_list(&mut self, now: Instant, conn: ConnId, peer: PublicKey, list: Vec<Entry>) {
        if !self.is_loaded() {
            return;
        }
        let Some(link) = self.links.get_mut(&conn) else { return };
        assert!(link.peer == peer, "a connection has one key");
        link.theirs = Some(list);
        self.refresh(now);
    }

    /// A data connection is gone.
    pub(crate) fn handle_data_lost(&mut self, conn: ConnId) {
        self.links.remove(&conn);
    }

    /// Draws every conclusion from what is held and known. After each input.
    pub(super) fn refresh(&mut self, now: Instant) {
        if self.is_loaded() {
            self.write_marks(now);
            self.undo_what_nobody_holds(now);
            self.end_what_nobody_wants(now);
            self.run_table();
            self.note_unsettled(now);
            self.send_lists();
        }
    }

    /// Everything of one peer: records, and the ids that live sessions hold.
    fn mine(&self, peer: &PublicKey) -> BTreeMap<PairId, Mine> {
        let of_record = |record: &PairRecord| {
            let mine = Mine { pair_id: record.pair_id, role: record.role, state: record.state.into() };
            (record.pair_id, mine)
        };
        let mut mine: BTreeMap<_, _> = self.ledger.of(peer).map(of_record).collect();
        for session in self.sessions.values().filter(|session| session.peer == *peer) {
            if let (Some(pair_id), Some(role)) = (session.state.held(), session.state.role()) {
                mine.insert(pair_id, Mine { pair_id, role, state: Listed::Hook });
            }
        }
        mine
    }

    /// Ids that count towards the limit for one peer.
    pub(super) fn held_for(&self, peer: &PublicKey) -> usize {
        self.mine(peer).len()
    }

    /// A record in `hook` without a session is rolled back: after a crash, a loss, a refusal, an error.
    fn undo_what_nobody_holds(&mut self, now: Instant) {
        let held: Vec<_> = self.sessions.values().filter_map(|session| session.state.held()).collect();
        let orphaned = |record: &&PairRecord| {
            record.state == PairState::Hook
                && !held.contains(&record.pair_id)
                && !self.ledger.is_changing(&record.pair_id)
                && self.hooks.get(&record.pair_id).is_none()
        };
        let ids: Vec<_> = self.ledger.iter().filter(orphaned).map(|record| record.pair_id).collect();
        for id in ids {
            let token = self.next_token();
            self.hooks.insert(id, Hook::Undoing { token, until: now + HOOK });
            self.events.push_back(Event::Ask(Ask::Rollback(RollbackToken(token), id)));
        }
    }

    fn run_table(&mut self) {
        let links: Vec<_> =
            self.links.values().filter_map(|link| Some((link.peer, link.theirs.clone()?))).collect();
        for (peer, theirs) in links {
            let mine: Vec<_> = self.mine(&peer).into_values().collect();
            let mut verdicts: Vec<_> = mine
                .iter()
                .filter(|one| !self.ledger.is_changing(&one.pair_id))
                .map(|one| (one.state == Listed::Paired, one.pair_id, commit::verdict(*one, &mine, &theirs)))
                .collect();
            // Tentative ids first.
            verdicts.sort_unstable();
            for (_, id, verdict) in verdicts {
                // Another verdict of this list may replace it.
                if self.ledger.is_changing(&id) {
                    continue;
                }
                match verdict {
                    Verdict::Wait => {}
                    Verdict::RollBack => self.undo(id),
                    Verdict::Pair => {
                        let record = self.ledger.get(&id).cloned();
                        self.store_paired(&record.expect("the table judges what is stored"), None);
                    }
                    Verdict::Unpair => self.unpair(id, peer),
                }
            }
        }
    }

    fn send_lists(&mut self) {
        let conns: Vec<_> = self.links.keys().copied().collect();
        for conn in conns {
            let link = &self.links[&conn];
            let mine: Vec<_> = self.mine(&link.peer).into_values().collect();
            let list = commit::list(&mine, link.theirs.as_deref().unwrap_or(&[]));
            if list != link.said {
                self.events.push_back(Event::SendState { conn, list: list.clone() });
                self.links.entry(conn).and_modify(|link| link.said = list);
            }
        }
    }

    /// Stores `hook` for a tentative record; the rest follows from that.
    pub(super) fn undo(&mut self, id: PairId) {
        let Some(record) = self.ledger.get(&id).filter(|_| !self.ledger.is_changing(&id)) else { return };
        let record = PairRecord { state: PairState::Hook, ..record.clone() };
        self.change(vec![record], Vec::new(), Then::UndoStored);
    }

    /// Stores `paired`, and deletes in the same write what its hook was told that it replaces. A record that
    /// came later stays: nobody would tell the application to undo it.
    pub(super) fn store_paired(&mut self, record: &PairRecord, conn: Option<ConnId>) {
        let paired = PairRecord { state: PairState::Paired, ..record.clone() };
        let others = self.ledger.of(&paired.peer).map(|record| record.pair_id);
        let replaced: Vec<_> = others.filter(|other| paired.replaces.contains(other)).collect();
        let then = Then::PairedStored { conn, pair_id: paired.pair_id, replaced: replaced.clone() };
        let unmark = self.fulfilled(&paired.peer);
        let what = StoreChange { put: vec![paired], delete: replaced, unmark, ..StoreChange::default() };
        self.ledger.write(Change { what, then });
    }

    /// What the user wants gone goes at once, or once the write of it that is under way is done; and is tried again
    /// where the store refuses.
    fn end_what_nobody_wants(&mut self, now: Instant) {
        self.unwanted.retain(|id, _| self.ledger.has_trace(id));
        let due = |(id, at): &(&PairId, &Instant)| **at <= now && !self.ledger.is_changing(id);
        let due: Vec<PairId> = self.unwanted.iter().filter(due).map(|(id, _)| *id).collect();
        for id in due {
            self.unwanted.insert(id, now + RETRY);
            let Some(record) = self.ledger.get(&id) else { continue };
            match record.state {
                PairState::Paired => self.unpair(id, record.peer),
                PairState::Prepared | PairState::Committed => self.undo(id),
                // Its rollback is under way.
                PairState::Hook => {}
            }
        }
    }

    /// When something that the user wants gone is tried again.
    pub(super) fn unwanted_at(&self) -> Option<Instant> {
        let idle = |(id, _): &(&PairId, &Instant)| self.is_loaded() && !self.ledger.is_changing(id);
        self.unwanted.iter().filter(idle).map(|(_, at)| *at).min()
    }

    /// Whether there is any pairing with a key, and those that both sides may use: what the user wants gone is used
    /// no more, whatever becomes of the write.
    pub(crate) fn standing(&self, peer: &PublicKey) -> (bool, Vec<PairId>) {
        let mine = self.mine(peer);
        let usable = |one: &&Mine| one.state == Listed::Paired && !self.unwanted.contains_key(&one.pair_id);
        (!mine.is_empty(), mine.values().filter(usable).map(|one| one.pair_id).collect())
    }

    pub(super) fn unpair(&mut self, id: PairId, peer: PublicKey) {
        if !self.ledger.is_changing(&id) {
            self.change(Vec::new(), vec![id], Then::Unpaired { pair_id: id, peer });
        }
    }

    /// Hooks that did not answer in time, and undoing that is due again.
    pub(super) fn handle_late_hooks(&mut self, now: Instant) {
        while let Some((id, hook)) = self.hooks.take_due(now) {
            match hook {
                // What the store holds says that it is to be undone.
                Hook::Saving { .. } | Hook::Again { .. } => {}
                Hook::Undoing { .. } => self.hooks.insert(id, Hook::Again { at: now + HOOK }),
            }
        }
    }

    /// Callers that waited long enough.
    pub(super) fn end_watches(&mut self, now: Instant) {
        while let Some(id) = self.watches.iter().find(|(_, watch)| watch.until <= now).map(|(id, _)| *id) {
            self.end_watch(id);
        }
    }

    /// The record came to nothing, or takes too long.
    pub(super) fn end_watch(&mut self, id: PairId) {
        if let Some(watch) = self.watches.remove(&id) {
            self.end_pairing(watch.pairing, Err(watch.failure));
        }
    }

    /// Whether the caller of this pairing, if it still waits, is to see it rolled back.
    pub(super) fn is_doomed(&self, id: &PairId) -> bool {
        self.watches.get(id).is_some_and(|watch| watch.doomed)
    }

    /// The application hears that a pairing ended.
    pub(super) fn tell_unpaired(&mut self, id: PairId, peer: PublicKey) {
        self.tell(Told::PeerUnpaired(peer, id));
        if !self.is_paired(&peer) {
            self.events.push_back(Event::Unpaired(peer));
        }
    }
}
