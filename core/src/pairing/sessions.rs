//! How messages move a session.

use super::answers::Then;
use super::endings::{distrusted, refused, reject, rejected};
use super::introducing::Next;
use super::pake::METHOD_TRUST;
use super::session::{End, Host, Joiner, Session, State};
use super::{Event, Pairing, PairingFailure, PairingId, Told, host, joiner};
use crate::event::PairingStep;
use crate::id::{ConnId, PairId, PublicKey};
use crate::metadata::Metadata;
use crate::store::Role;
use crate::wire::frame::Frame;
use crate::wire::pairing::{Abort, AbortReason, PairHello, Pairing as Message, RejectReason, UserOk};
use std::time::Instant;

impl Pairing {
    /// What later sessions tell of this node.
    pub(crate) fn set_metadata(&mut self, metadata: Metadata) {
        self.settings.metadata = metadata;
    }

    /// A frame of the pairing stream, in order.
    pub(crate) fn handle_frame(&mut self, now: Instant, conn: ConnId, frame: &Frame) {
        let is_over = |session: &Session| matches!(session.state, State::Last | State::Aborting { .. });
        if self.sessions.get(&conn).is_some_and(|session| !is_over(session)) {
            self.on_frame(now, conn, frame);
        }
        self.refresh(now);
    }

    /// The peer's half of the pairing stream ended, or was reset. Only a last message ends it rightly, and
    /// that ended the session already; a host that stores what `Done` said goes on.
    pub(crate) fn handle_finished(&mut self, now: Instant, conn: ConnId) {
        let over = |session: &Session| {
            matches!(
                session.state,
                State::Last | State::Aborting { .. } | State::Host(Host::StoringPaired(_))
            )
        };
        if self.sessions.get(&conn).is_some_and(|session| !over(session)) {
            self.end_by(now, conn, |_| End::PROTOCOL);
        }
        self.refresh(now);
    }

    /// The connection is gone, for whatever reason.
    pub(crate) fn handle_lost(&mut self, now: Instant, conn: ConnId) {
        self.end_by(now, conn, |_| End::Lost(PairingFailure::ConnectionLost));
        self.refresh(now);
    }

    fn on_frame(&mut self, now: Instant, conn: ConnId, frame: &Frame) {
        let Some(mut session) = self.sessions.remove(&conn) else { return };
        let Ok(message) = Message::decode(frame) else {
            return self.end(now, conn, session, End::PROTOCOL);
        };
        match (&session.state, &message) {
            (State::AwaitOpen, Message::Open(open)) => {
                let role = match open.role {
                    Role::Host => Role::Joiner,
                    Role::Joiner => Role::Host,
                };
                return match (role, open.method.as_deref()) {
                    (Role::Joiner, Some(METHOD_TRUST)) => self.begin_trusted(now, conn, session, frame),
                    (Role::Host | Role::Joiner, _) => self.begin(now, conn, session, role, frame),
                };
            }
            (state, Message::Abort(abort)) if state.takes_abort() => {
                let why = self.refusal_of(&session, abort);
                return self.end(now, conn, session, End::Told(why));
            }
            (state, Message::Reject(reject)) if state.takes_reject() => {
                let why = match state {
                    State::Joiner(Joiner::TrustAck(_)) => distrusted(reject),
                    _ => rejected(reject),
                };
                return self.end(now, conn, session, End::Told(why));
            }
            _ => {}
        }
        let next = match std::mem::replace(&mut session.state, State::Last) {
            State::Host(state) => self.on_host(now, conn, &mut session, state, message, frame),
            State::Joiner(state) => self.on_joiner(now, conn, &session, state, message, frame),
            state => Err(Box::new((state, End::PROTOCOL))),
        };
        match next {
            Ok(state) => {
                session.state = state;
                self.keep(now, conn, session);
            }
            Err(stopped) => {
                let (state, end) = *stopped;
                session.state = state;
                self.end(now, conn, session, end);
            }
        }
    }

    /// What the peer's giving up means: a joiner that a host dialled to be trusted says nothing else at first.
    fn refusal_of(&self, session: &Session, abort: &Abort) -> PairingFailure {
        let is_first = matches!(session.state, State::Host(Host::Hello(_)));
        let for_trust = session.pairing.is_some_and(|id| self.trusts.has(id));
        match abort.reason {
            AbortReason::Refused if is_first && for_trust => PairingFailure::NotTrusted,
            AbortReason::Refused
            | AbortReason::Cancelled
            | AbortReason::Timeout
            | AbortReason::Hook
            | AbortReason::Store
            | AbortReason::Busy => refused(abort),
        }
    }

    fn on_host(
        &mut self,
        now: Instant,
        conn: ConnId,
        session: &mut Session,
        state: Host,
        message: Message,
        frame: &Frame,
    ) -> Result<State, Box<(State, End)>> {
        // A state that was consumed ends as one that holds nothing.
        let over = |end| Box::new((State::Last, end));
        let next = match (state, message) {
            (Host::Hello(state), Message::PairHello(hello)) => {
                self.choose(conn, session, state, &hello, frame).map_err(over)?
            }
            (Host::Pake(state), Message::PakeA(point)) => {
                let ours = self.window.as_mut().filter(|window| Some(window.id) == session.pairing);
                let Some(window) = ours else {
                    return Err(over(reject(RejectReason::NoWindow, PairingFailure::NoWindow)));
                };
                if !window.is_free() {
                    return Err(over(reject(RejectReason::Busy, PairingFailure::Busy)));
                }
                let answer = state.on_pake(frame, &point, &window.code, &mut self.rng);
                let (next, answer) = answer.map_err(|_| over(End::PROTOCOL))?;
                let id = window.id;
                window.take_attempt(conn);
                self.tell(Told::PairingProgress(id, PairingStep::Connected));
                self.events.push_back(Event::Send { conn, frame: answer.into_bytes() });
                Host::Confirm(next)
            }
            (Host::Confirm(state), Message::ConfirmA(proof)) => match state.on_confirm(&proof) {
                Ok((next, proof)) => {
                    // The code has done its work, and dies: nobody else may try it.
                    self.window = None;
                    self.detach_others(conn, session);
                    self.events.push_back(Event::Send { conn, frame: proof.into_bytes() });
                    Host::Meta(self.introduce(conn, session, next))
                }
                Err(host::WrongCode) => return Err(over(self.wrong_code(now, conn, session))),
            },
            (Host::Trust(state), Message::ConfirmA(proof)) => {
                let (next, proof) =
                    state.on_confirm(&proof).map_err(|host::WrongCode| over(End::PROTOCOL))?;
                self.events.push_back(Event::Send { conn, frame: proof.into_bytes() });
                Host::Meta(self.introduce(conn, session, next))
            }
            (Host::Meta(state), Message::Meta(metadata)) => match self.introduced(session, state, metadata) {
                Next::Ask(next) => Host::Asking(next),
                Next::Wait(next) => Host::UserOk(next),
            },
            (Host::Asking(state), Message::UserOk(UserOk {})) => Host::Deciding(state.on_user_ok()),
            (Host::UserOk(state), Message::UserOk(UserOk {})) => Host::Prepared(state.on_user_ok()),
            (Host::Prepared(state), Message::Prepared(said)) if said.pair_id == state.pair_id() => {
                let replaces = self.ids_of(&session.peer);
                let record = state.into_record(Role::Host, session.peer, self.settings.own, replaces);
                self.change(vec![record.clone()], Vec::new(), Then::HookStored { conn });
                Host::StoringHook(record)
            }
            (Host::Done(record), Message::Done(said)) if said.pair_id == record.pair_id => {
                self.store_paired(&record, Some(conn));
                Host::StoringPaired(record)
            }
            (state, _) => return Err(Box::new((State::Host(state), End::PROTOCOL))),
        };
        Ok(State::Host(next))
    }

    /// As host: what the joiner offers, and this side may serve. Trust is never chosen beside a code.
    fn choose(
        &mut self,
        conn: ConnId,
        session: &mut Session,
        state: host::AwaitHello,
        hello: &PairHello,
        frame: &Frame,
    ) -> Result<Host, End> {
        let unfit = |reason| reject(reason, PairingFailure::Method);
        let (pairing, next, ack) = if host::wants_trust(hello) {
            let trust = self.admit_trusted(session)?;
            let (next, ack) = state.on_trust(frame, hello, &mut self.rng).map_err(unfit)?;
            self.tell(Told::PairingProgress(trust, PairingStep::Connected));
            (trust, Host::Trust(next), ack)
        } else {
            let (window, left) = self.admit(session)?;
            let (next, ack) = state.on_hello(frame, hello, left, &mut self.rng).map_err(unfit)?;
            (window, Host::Pake(next), ack)
        };
        session.pairing = Some(pairing);
        self.events.push_back(Event::Send { conn, frame: ack.into_bytes() });
        Ok(next)
    }

    fn on_joiner(
        &mut self,
        now: Instant,
        conn: ConnId,
        session: &Session,
        state: Joiner,
        message: Message,
        frame: &Frame,
    ) -> Result<State, Box<(State, End)>> {
        let over = |joiner::Misbehaved| Box::new((State::Last, End::PROTOCOL));
        let next = match (state, message) {
            (Joiner::Ack(state), Message::PairHelloAck(ack)) => {
                let (next, point) = state.on_ack(frame, &ack, &mut self.rng).map_err(over)?;
                self.entries.count(now, session.peer);
                self.events.push_back(Event::Send { conn, frame: point.into_bytes() });
                Joiner::Pake(next)
            }
            (Joiner::Pake(state), Message::PakeB(point)) => {
                let (next, proof) = state.on_pake(frame, &point).map_err(over)?;
                self.events.push_back(Event::Send { conn, frame: proof.into_bytes() });
                Joiner::Confirm(next)
            }
            (Joiner::Confirm(state), Message::ConfirmB(proof)) => {
                let next = state.on_confirm(&proof).map_err(over)?;
                self.entries.forgive(&session.peer);
                Joiner::Meta(self.introduce(conn, session, next))
            }
            (Joiner::TrustAck(state), Message::PairHelloAck(ack)) => {
                let (next, proof) = state.on_ack(frame, &ack).map_err(over)?;
                self.events.push_back(Event::Send { conn, frame: proof.into_bytes() });
                Joiner::Trust(next)
            }
            (Joiner::Trust(state), Message::ConfirmB(proof)) => {
                let next = state.on_confirm(&proof).map_err(over)?;
                Joiner::Meta(self.introduce(conn, session, next))
            }
            (Joiner::Meta(state), Message::Meta(metadata)) => {
                match self.introduced(session, state, metadata) {
                    Next::Ask(next) => Joiner::Asking(next),
                    Next::Wait(next) => Joiner::UserOk(next),
                }
            }
            (Joiner::Asking(state), Message::UserOk(UserOk {})) => Joiner::Deciding(state.on_user_ok()),
            (Joiner::UserOk(state), Message::UserOk(UserOk {})) => {
                self.prepare(conn, session.peer, state.on_user_ok())
            }
            (Joiner::Commit(record), Message::Commit(said)) if said.pair_id == record.pair_id => {
                self.store_paired(&record, Some(conn));
                Joiner::StoringPaired(record)
            }
            (state, _) => return Err(Box::new((State::Joiner(state), End::PROTOCOL))),
        };
        Ok(State::Joiner(next))
    }

    /// Whether a joiner may try: the window, and the attempts that it has left.
    fn admit(&self, session: &Session) -> Result<(PairingId, u8), End> {
        if session.pairing.is_some_and(|id| self.trusts.has(id)) {
            // This side dialled to be trusted, and shows no code for it.
            return Err(reject(RejectReason::Method, PairingFailure::Method));
        }
        let Some(window) = &self.window else {
            return Err(reject(RejectReason::NoWindow, PairingFailure::NoWindow));
        };
        if !window.is_free() || !self.has_room_for(&session.peer) {
            return Err(reject(RejectReason::Busy, PairingFailure::Busy));
        }
        Ok((window.id, window.attempts_left()))
    }

    /// Earlier pairings with the same key, which this one replaces.
    pub(super) fn ids_of(&self, peer: &PublicKey) -> Vec<PairId> {
        self.ledger.of(peer).map(|record| record.pair_id).collect()
    }

    /// The other sessions that the window served have none to serve.
    fn detach_others(&mut self, conn: ConnId, session: &Session) {
        for (other, waiting) in &mut self.sessions {
            if *other != conn && waiting.pairing == session.pairing {
                waiting.pairing = None;
            }
        }
    }

    fn wrong_code(&mut self, now: Instant, conn: ConnId, session: &Session) -> End {
        self.attempt_failed(now, conn, session);
        let attempts_left = self.window.as_ref().map_or(0, |window| window.attempts_left());
        End::Reject(RejectReason::BadCode, attempts_left, PairingFailure::BadCode { attempts_left })
    }
}
