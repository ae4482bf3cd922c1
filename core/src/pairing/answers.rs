//! What follows when the store or a hook answered.

use super::endings::Moved;
use super::hooks::Hook;
use super::ledger::{Judged, Outcome};
use super::session::{End, HOOK, Host, Joiner, Session, State};
use super::{Event, Pairing, PairingFailure, PairingId, Told};
use crate::ask::{Ask, PairedToken, RollbackToken, StoreToken};
use crate::error::HookFailed;
use crate::event::{PairedPeer, PairingStep};
use crate::id::{ConnId, Fingerprint, PairId, PublicKey};
use crate::store::{PairRecord, PairState, StoreReply};
use crate::wire::close::CloseCode;
use crate::wire::pairing::{Abort, AbortReason, Decision, Pairing as Message};
use std::collections::BTreeSet;
use std::time::Instant;

/// What a change of the records was for.
pub(super) enum Then {
    /// A session may ask the hook.
    HookStored { conn: ConnId },
    /// The joiner may say `Prepared`.
    PreparedStored { conn: ConnId, pair_id: PairId },
    /// The host may say `Commit`.
    CommittedStored { conn: ConnId, pair_id: PairId },
    /// The peer is paired, by a session or by the table.
    PairedStored { conn: Option<ConnId>, pair_id: PairId, replaced: Vec<PairId> },
    /// A hook may be undone.
    UndoStored,
    /// Nothing is left of a pairing.
    Deleted { pair_id: PairId },
    /// A pairing ended.
    Unpaired { pair_id: PairId, peer: PublicKey },
    /// What the user wants of a key is durable.
    Marked { key: Fingerprint },
}

impl Pairing {
    /// The store's answer.
    pub(crate) fn answer_store(&mut self, now: Instant, token: StoreToken, reply: StoreReply) {
        match self.ledger.handle_reply(now, token, reply) {
            None => return,
            Some(Outcome::Loaded(judged)) => {
                let tentative = self.ledger.iter().filter(|record| super::commit::is_tentative(record.state));
                let peers: Vec<_> = tentative.map(|record| record.peer).collect();
                self.events.extend(peers.into_iter().map(Event::Settle));
                self.load_marks(now);
                match judged {
                    Some(Judged::Happened(then)) => self.on_written(now, then),
                    Some(Judged::DidNot(then)) => self.on_refused(now, then),
                    None => {}
                }
            }
            Some(Outcome::Written(then)) => self.on_written(now, then),
            Some(Outcome::Refused(then)) => {
                self.tell(Told::StoreFailed);
                self.on_refused(now, then);
            }
            Some(Outcome::Broken) => self.on_broken(now),
        }
        self.refresh(now);
    }

    /// The application saved the peer, or could not.
    pub(crate) fn answer_paired(&mut self, now: Instant, token: PairedToken, answer: Result<(), HookFailed>) {
        let Some(id) = self.hooks.take_saving(token.0) else { return };
        let conn = self.sessions.iter().find(|(_, session)| session.state.held() == Some(id));
        match (conn.map(|(conn, _)| *conn), answer) {
            (Some(conn), Ok(())) => self.vote(now, conn),
            (Some(conn), Err(HookFailed)) => {
                // It did nothing, so there is nothing to undo.
                self.change(Vec::new(), vec![id], Then::Deleted { pair_id: id });
                self.end_by(now, conn, |_| End::Abort(AbortReason::Hook, PairingFailure::Hook));
            }
            // The session is over: what is stored as `hook` is rolled back.
            (None, Ok(())) => {}
            (None, Err(HookFailed)) if self.ledger.get(&id).is_some() && !self.ledger.is_changing(&id) => {
                self.change(Vec::new(), vec![id], Then::Deleted { pair_id: id });
            }
            (None, Err(HookFailed)) => {}
        }
        self.refresh(now);
    }

    /// The application undid what it saved, or could not.
    pub(crate) fn answer_rollback(
        &mut self,
        now: Instant,
        token: RollbackToken,
        answer: Result<(), HookFailed>,
    ) {
        let Some(id) = self.hooks.take_undoing(token.0) else { return };
        match answer {
            Ok(()) if self.ledger.is_changing(&id) => {}
            Ok(()) => self.change(Vec::new(), vec![id], Then::Deleted { pair_id: id }),
            Err(HookFailed) => self.hooks.insert(id, Hook::Again { at: now + HOOK }),
        }
        self.refresh(now);
    }

    fn on_written(&mut self, now: Instant, then: Then) {
        match then {
            Then::HookStored { conn } => self.ask_hook(now, conn),
            Then::PreparedStored { conn, pair_id } => {
                let went_on = self.with_state(now, conn, |engine, state| match state {
                    State::Joiner(Joiner::StoringPrepared(record)) => {
                        engine.send(conn, &Message::Prepared(Decision { pair_id }));
                        Moved::On(State::Joiner(Joiner::Commit(record)))
                    }
                    state => Moved::Not(state),
                });
                self.settle_unless(went_on, pair_id);
            }
            Then::CommittedStored { conn, pair_id } => {
                let went_on = self.with_state(now, conn, |engine, state| match state {
                    State::Host(Host::StoringCommitted(record)) => {
                        engine.send(conn, &Message::Commit(Decision { pair_id }));
                        Moved::On(State::Host(Host::Done(record)))
                    }
                    state => Moved::Not(state),
                });
                self.settle_unless(went_on, pair_id);
            }
            Then::PairedStored { conn, pair_id, replaced } => self.on_paired(now, conn, pair_id, &replaced),
            Then::UndoStored => {}
            Then::Deleted { pair_id } => self.on_deleted(now, pair_id),
            Then::Unpaired { pair_id, peer } => self.tell_unpaired(pair_id, peer),
            Then::Marked { key } => self.marked(key),
        }
    }

    /// The change did not happen: the record is as before.
    fn on_refused(&mut self, now: Instant, then: Then) {
        let failed = End::Abort(AbortReason::Store, PairingFailure::Store);
        match then {
            Then::HookStored { conn }
            | Then::PreparedStored { conn, .. }
            | Then::CommittedStored { conn, .. } => {
                let storing = |session: &Session| {
                    matches!(
                        session.state,
                        State::Host(Host::StoringHook(_) | Host::StoringCommitted(_))
                            | State::Joiner(Joiner::StoringHook(_) | Joiner::StoringPrepared(_))
                    )
                };
                if self.sessions.get(&conn).is_some_and(storing) {
                    self.end_by(now, conn, |_| failed);
                }
                self.say_aborts(now);
            }
            // Tentative: the table tries again at the next contact.
            Then::PairedStored { conn, .. } => {
                if let Some(conn) = conn {
                    self.end_by(now, conn, |_| End::Close(CloseCode::NotReady, PairingFailure::Store));
                }
            }
            Then::Unpaired { peer, .. } if self.is_banned(&peer.fingerprint()) => {
                self.events.push_back(Event::CutOff(peer));
            }
            Then::UndoStored | Then::Unpaired { .. } | Then::Marked { .. } => {}
            Then::Deleted { pair_id } => self.hooks.insert(pair_id, Hook::Again { at: now + HOOK }),
        }
    }

    /// Nothing is known: as after a crash, only that the application is still there to be told.
    fn on_broken(&mut self, now: Instant) {
        self.tell(Told::StoreFailed);
        self.hooks.clear();
        for conn in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.end_by(now, conn, |_| End::Close(CloseCode::NotReady, PairingFailure::Store));
        }
        self.close_window(now, PairingFailure::Store);
        // First: an entry whose session left a record has a watch too, which ends it.
        for id in self.watches.keys().copied().collect::<Vec<_>>() {
            self.end_watch(id);
        }
        for id in self.entries.ids() {
            self.end_pairing(id, Err(PairingFailure::Store));
        }
        for conn in std::mem::take(&mut self.links).into_keys() {
            self.close(conn, CloseCode::NotReady);
        }
    }

    fn ask_hook(&mut self, now: Instant, conn: ConnId) {
        let Some(pairing) = self.sessions.get(&conn).and_then(|session| session.pairing) else { return };
        self.with_state(now, conn, |engine, state| match state {
            State::Host(Host::StoringHook(record)) => {
                engine.ask_to_save(now, pairing, &record);
                Moved::On(State::Host(Host::Saving(record)))
            }
            State::Joiner(Joiner::StoringHook(record)) => {
                engine.ask_to_save(now, pairing, &record);
                Moved::On(State::Joiner(Joiner::Saving(record)))
            }
            state => Moved::Not(state),
        });
    }

    fn ask_to_save(&mut self, now: Instant, pairing: PairingId, record: &PairRecord) {
        let token = self.next_token();
        self.hooks.insert(record.pair_id, Hook::Saving { token, until: now + HOOK });
        self.tell(Told::PairingProgress(pairing, PairingStep::Saving));
        let peer = self.paired_peer(record);
        self.events.push_back(Event::Ask(Ask::Paired(PairedToken(token), peer)));
    }

    /// The hook succeeded: store that before it is said.
    fn vote(&mut self, now: Instant, conn: ConnId) {
        if let Some(pairing) = self.sessions.get(&conn).and_then(|session| session.pairing) {
            self.tell(Told::PairingProgress(pairing, PairingStep::Saved));
        }
        self.with_state(now, conn, |engine, state| match state {
            State::Host(Host::Saving(record)) => {
                let record = PairRecord { state: PairState::Committed, ..record };
                let then = Then::CommittedStored { conn, pair_id: record.pair_id };
                engine.change(vec![record.clone()], Vec::new(), then);
                Moved::On(State::Host(Host::StoringCommitted(record)))
            }
            State::Joiner(Joiner::Saving(record)) => {
                let record = PairRecord { state: PairState::Prepared, ..record };
                let then = Then::PreparedStored { conn, pair_id: record.pair_id };
                engine.change(vec![record.clone()], Vec::new(), then);
                Moved::On(State::Joiner(Joiner::StoringPrepared(record)))
            }
            state => Moved::Not(state),
        });
    }

    fn on_paired(&mut self, now: Instant, conn: Option<ConnId>, pair_id: PairId, replaced: &[PairId]) {
        let record = self.ledger.get(&pair_id).expect("a record that was just stored");
        let (peer, key) = (self.paired_peer(record), record.peer);
        for id in replaced {
            self.hooks.remove(id);
            self.on_deleted(now, *id);
        }
        let mut pairing = self.watches.remove(&pair_id).map(|watch| watch.pairing);
        if let Some(session) = conn.and_then(|conn| self.finish_session(now, conn, pair_id)) {
            pairing = session.or(pairing);
        }
        let trust = self.take_fulfilled(&key);
        for pairing in BTreeSet::from_iter(pairing.into_iter().chain(trust)) {
            self.end_pairing(pairing, Ok(peer.clone()));
        }
        self.tell(Told::PeerPaired(peer));
        self.events.push_back(Event::PairedNow(key));
    }

    /// The session's last step. The pairing that it served.
    fn finish_session(&mut self, now: Instant, conn: ConnId, pair_id: PairId) -> Option<Option<PairingId>> {
        let mut session = self.sessions.remove(&conn)?;
        match session.state {
            State::Joiner(Joiner::StoringPaired(_)) => {
                self.send_last(conn, &Message::Done(Decision { pair_id }));
                session.state = State::Last;
                session.until = now + session.state.patience(session.dialled);
                let pairing = session.pairing.take();
                self.sessions.insert(conn, session);
                Some(pairing)
            }
            State::Host(Host::StoringPaired(_)) => {
                self.close(conn, CloseCode::Ok);
                Some(session.pairing)
            }
            State::AwaitOpen
            | State::Prompting { .. }
            | State::Aborting { .. }
            | State::Last
            | State::Host(_)
            | State::Joiner(_) => {
                self.sessions.insert(conn, session);
                None
            }
        }
    }

    fn on_deleted(&mut self, now: Instant, pair_id: PairId) {
        self.end_watch(pair_id);
        self.say_aborts(now);
    }

    /// `Abort` is said only when there is no record of what it aborts.
    fn say_aborts(&mut self, now: Instant) {
        let waiting = self.sessions.iter().filter_map(|(conn, session)| {
            let State::Aborting { pair_id, reason } = session.state else { return None };
            (!self.ledger.has_trace(&pair_id)).then_some((*conn, reason))
        });
        for (conn, reason) in waiting.collect::<Vec<_>>() {
            self.send_last(conn, &Message::Abort(Abort { reason }));
            self.with_state(now, conn, |_, _| Moved::On(State::Last));
        }
    }

    /// A record that outlived its session is tentative: undone if the peer has none, else to be settled.
    fn settle_unless(&mut self, went_on: bool, pair_id: PairId) {
        if went_on {
            return;
        }
        if self.is_doomed(&pair_id) {
            self.undo(pair_id);
        } else if let Some(record) = self.ledger.get(&pair_id) {
            self.events.push_back(Event::Settle(record.peer));
        }
    }

    fn paired_peer(&self, record: &PairRecord) -> PairedPeer {
        PairedPeer {
            pair_id: record.pair_id,
            id: record.peer.peer_id(self.settings.peer_id),
            key: record.peer,
            metadata: record.metadata.clone(),
            replaces: record.replaces.clone(),
        }
    }
}
