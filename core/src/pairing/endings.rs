//! How a session goes on, how it ends, and who hears of it.

use super::session::{End, Host, Joiner, Session, State};
use super::settle::{MAX_WATCHES, UNDECIDED, Watch};
use super::window::Alarm;
use super::{Event, Pairing, PairingFailure, PairingId, Told, commit};
use crate::event::PairedPeer;
use crate::id::{ConnId, Fingerprint, PairId};
use crate::store::Role;
use crate::wire::close::CloseCode;
use crate::wire::pairing::{Abort, AbortReason, NOT_COUNTED, Pairing as Message, Reject, RejectReason};
use std::cmp::Reverse;
use std::time::Instant;

/// What an answer made of a state.
pub(super) enum Moved {
    /// The next state.
    On(State),
    /// The same: the answer was for another.
    Not(State),
}

impl Pairing {
    /// The last word on a window or an entry. A key that is trusted is met again.
    pub(super) fn end_pairing(&mut self, id: PairingId, result: Result<PairedPeer, PairingFailure>) {
        if let Err(why) = result
            && self.trusts.fail(id)
        {
            // Another session, or another device, stays: nothing that the user could mend.
            if why != PairingFailure::Busy {
                self.tell(Told::TrustTried(id, why));
            }
            return;
        }
        if let Some(key) = self.trusts.key_of(id) {
            self.trusts.remove(&key);
        }
        self.entries.remove(&id);
        self.tell(Told::PairingEnded(id, result));
    }

    /// The code dies, and with it every session that has not proven it.
    pub(super) fn close_window(&mut self, now: Instant, why: PairingFailure) {
        let Some(window) = self.window.take() else { return };
        let serving = self.sessions.iter_mut().filter(|(_, session)| session.pairing == Some(window.id));
        let detach = |(conn, session): (&ConnId, &mut Session)| {
            session.pairing = None;
            *conn
        };
        for conn in serving.map(detach).collect::<Vec<_>>() {
            self.give_up(now, conn, why);
        }
        self.end_pairing(window.id, Err(why));
    }

    /// Ends a session by this side's will, unless it is bound.
    pub(super) fn give_up(&mut self, now: Instant, conn: ConnId, why: PairingFailure) {
        let timeout = why == PairingFailure::Timeout;
        let reason = if timeout { AbortReason::Timeout } else { AbortReason::Cancelled };
        if self.sessions.get(&conn).is_some_and(|session| !session.state.is_bound()) {
            self.end_by(now, conn, |_| End::Abort(reason, why));
        }
    }

    /// Ends a session by this side's will, bound or not.
    pub(super) fn drop_session(&mut self, now: Instant, conn: ConnId, why: PairingFailure) {
        self.give_up(now, conn, why);
        if self.sessions.get(&conn).is_some_and(|session| session.state.is_bound()) {
            self.end_by(now, conn, |_| End::Close(CloseCode::Ok, why));
        }
    }

    pub(super) fn end_by(&mut self, now: Instant, conn: ConnId, why: impl FnOnce(&Session) -> End) {
        if let Some(session) = self.sessions.remove(&conn) {
            let end = why(&session);
            self.end(now, conn, session, end);
        }
    }

    /// Puts a session back, in a state that just began.
    pub(super) fn keep(&mut self, now: Instant, conn: ConnId, mut session: Session) {
        session.until = now + session.state.patience(session.dialled);
        self.sessions.insert(conn, session);
    }

    /// Moves a session on, or leaves it as it is. Whether it moved.
    pub(super) fn with_state(
        &mut self,
        now: Instant,
        conn: ConnId,
        next: impl FnOnce(&mut Self, State) -> Moved,
    ) -> bool {
        let Some(mut session) = self.sessions.remove(&conn) else { return false };
        match next(self, std::mem::replace(&mut session.state, State::Last)) {
            Moved::On(state) => {
                session.state = state;
                self.keep(now, conn, session);
                true
            }
            Moved::Not(state) => {
                session.state = state;
                self.sessions.insert(conn, session);
                false
            }
        }
    }

    pub(super) fn send(&mut self, conn: ConnId, message: &Message) {
        self.events.push_back(Event::Send { conn, frame: message.encode().into_bytes() });
    }

    pub(super) fn send_last(&mut self, conn: ConnId, message: &Message) {
        self.events.push_back(Event::SendLast { conn, frame: message.encode().into_bytes() });
    }

    /// Ends a session that was taken out.
    pub(super) fn end(&mut self, now: Instant, conn: ConnId, mut session: Session, end: End) {
        tracing::debug!(?conn, ?end, "pairing session ends");
        self.prompts.end(conn);
        if matches!(session.state, State::Host(Host::Confirm(_))) {
            self.attempt_failed(now, conn, &session);
        }
        let state = std::mem::replace(&mut session.state, State::Last);
        self.end_hook(&state, end);
        let trace = state.held().filter(|id| self.ledger.has_trace(id));
        self.conclude(now, &mut session, &state, trace, end);
        match (end, trace) {
            (End::Abort(reason, _), Some(pair_id)) => {
                session.state = State::Aborting { pair_id, reason };
                self.keep(now, conn, session);
            }
            (End::Abort(reason, _), None) => {
                self.say_last(now, conn, session, &Message::Abort(Abort { reason }));
            }
            (End::Reject(reason, attempts_left, _), _) => {
                self.say_last(now, conn, session, &Message::Reject(Reject { reason, attempts_left }));
            }
            (End::Outdone, _) => {
                let busy = match state.role() {
                    Some(Role::Host) => {
                        let attempts_left = NOT_COUNTED;
                        Message::Reject(Reject { reason: RejectReason::Busy, attempts_left })
                    }
                    Some(Role::Joiner) | None => Message::Abort(Abort { reason: AbortReason::Busy }),
                };
                self.say_last(now, conn, session, &busy);
            }
            // As the reader of a last message.
            (End::Told(_), _) => self.close(conn, CloseCode::Ok),
            (End::Close(code, _), _) => self.close(conn, code),
            (End::Lost(_), _) => {}
        }
    }

    fn say_last(&mut self, now: Instant, conn: ConnId, session: Session, message: &Message) {
        self.send_last(conn, message);
        self.keep(now, conn, session);
    }

    /// A guess was made and not proven: its attempt is used up.
    pub(super) fn attempt_failed(&mut self, now: Instant, conn: ConnId, session: &Session) {
        let Some(window) = self.window.as_mut().filter(|window| Some(window.id) == session.pairing) else {
            return;
        };
        window.release(conn);
        let (pairing, attempts_left) = (window.id, window.attempts_left());
        let alarm = self.failures.add(now);
        self.tell(Told::PairingAttemptFailed { pairing, remote: session.remote, attempts_left });
        if let Some(Alarm) = alarm {
            self.tell(Told::ManyWrongCodes);
        }
    }

    /// Whether a hook that is under way still counts. A host's does, if its session is merely lost: it
    /// may finish before it is undone. Any other is late: its rollback may begin.
    fn end_hook(&mut self, state: &State, end: End) {
        let (State::Host(Host::Saving(record)) | State::Joiner(Joiner::Saving(record))) = state else {
            return;
        };
        let finishes = match end {
            End::Lost(_) | End::Close(..) | End::Told(_) => state.role() == Some(Role::Host),
            End::Abort(..) | End::Reject(..) | End::Outdone => false,
        };
        if !finishes {
            self.hooks.remove(&record.pair_id);
        }
    }

    /// Who hears of the end: the caller of `host` or `join`, now or when the record is settled.
    fn conclude(
        &mut self,
        now: Instant,
        session: &mut Session,
        state: &State,
        trace: Option<PairId>,
        end: End,
    ) {
        let pairing = session.pairing.take();
        if let Some(id) = trace {
            self.leave_trace(session, id, end);
            match pairing {
                Some(pairing) if self.watches.len() < MAX_WATCHES => {
                    let doomed = matches!(end, End::Told(_));
                    let watch = Watch { pairing, failure: end.failure(), until: now + UNDECIDED, doomed };
                    self.watches.insert(id, watch);
                }
                Some(pairing) => self.end_pairing(pairing, Err(end.failure())),
                None => {}
            }
            return;
        }
        let Some(pairing) = pairing else { return };
        if let Some(window) = self.window.as_ref().filter(|window| window.id == pairing) {
            if window.is_dead() {
                return self.close_window(now, PairingFailure::Locked);
            }
            // The one that was dialled for it refused or is gone. A wrong code leaves the window open, and
            // so does `busy`: the peer may have chosen another session with this very node.
            let never_tried = matches!(state, State::Host(Host::Hello(_) | Host::Pake(_)));
            let busy = end.failure() == PairingFailure::Busy;
            if session.dialled && never_tried && window.is_free() && !busy {
                self.close_window(now, end.failure());
            }
            return;
        }
        let unspent = matches!(state, State::Prompting { .. } | State::Joiner(Joiner::Ack(_)));
        match self.entries.get_mut(&pairing).filter(|_| unspent && end == End::Outdone) {
            Some(entry) => entry.conn = None,
            None => self.end_pairing(pairing, Err(end.failure())),
        }
    }

    /// The session leaves a record behind.
    fn leave_trace(&mut self, session: &Session, id: PairId, end: End) {
        let tentative = self.ledger.get(&id).is_some_and(|record| commit::is_tentative(record.state));
        match end {
            // The peer has no record of it.
            End::Told(_) if tentative => self.undo(id),
            End::Told(_) | End::Abort(..) | End::Reject(..) | End::Outdone => {}
            End::Close(..) | End::Lost(_) if tentative => self.events.push_back(Event::Settle(session.peer)),
            End::Close(..) | End::Lost(_) => {}
        }
    }

    /// Whether a session stays beside the others with the same peer. Those that it outdoes end here.
    ///
    /// Both sides decide alike: the smaller host's fingerprint, then the smaller dialler's, then the later;
    /// but never against a session in which a hook may have run.
    pub(super) fn is_best(&mut self, now: Instant, conn: ConnId, session: &Session) -> bool {
        let rival =
            |(_, other): &(&ConnId, &Session)| other.peer == session.peer && other.state.role().is_some();
        let rivals: Vec<_> = self.sessions.iter().filter(rival).map(|(conn, _)| *conn).collect();
        let rank = self.rank(conn, session);
        let beaten = |other: &ConnId| {
            let other_session = &self.sessions[other];
            !other_session.state.may_have_hooked() && rank < self.rank(*other, other_session)
        };
        if !rivals.iter().all(beaten) {
            return false;
        }
        for rival in rivals {
            self.end_by(now, rival, |_| End::Outdone);
        }
        true
    }

    fn rank(&self, conn: ConnId, session: &Session) -> (Fingerprint, Fingerprint, Reverse<ConnId>) {
        let (own, peer) = (self.settings.own.fingerprint(), session.peer.fingerprint());
        let host = if session.state.role() == Some(Role::Host) { own } else { peer };
        let dialler = if session.dialled { own } else { peer };
        (host, dialler, Reverse(conn))
    }
}

/// As host: refuse for a reason that counts no attempts.
pub(super) fn reject(reason: RejectReason, failure: PairingFailure) -> End {
    End::Reject(reason, NOT_COUNTED, failure)
}

/// What a host's refusal means here.
pub(super) fn rejected(reject: &Reject) -> PairingFailure {
    match reject.reason {
        RejectReason::NoWindow => PairingFailure::NoWindow,
        RejectReason::Busy => PairingFailure::Busy,
        RejectReason::Locked => PairingFailure::Locked,
        RejectReason::Version | RejectReason::Method => PairingFailure::Method,
        RejectReason::BadCode => PairingFailure::BadCode { attempts_left: reject.attempts_left },
    }
}

/// What it means to one that asked to be trusted.
pub(super) fn distrusted(reject: &Reject) -> PairingFailure {
    match reject.reason {
        RejectReason::NoWindow => PairingFailure::NotTrusted,
        RejectReason::Busy
        | RejectReason::Locked
        | RejectReason::Version
        | RejectReason::Method
        | RejectReason::BadCode => rejected(reject),
    }
}

/// What the peer's giving up means here.
pub(super) fn refused(abort: &Abort) -> PairingFailure {
    match abort.reason {
        AbortReason::Refused | AbortReason::Cancelled => PairingFailure::Refused,
        AbortReason::Timeout => PairingFailure::Timeout,
        AbortReason::Hook | AbortReason::Store => PairingFailure::RemoteStore,
        AbortReason::Busy => PairingFailure::Busy,
    }
}
