//! How a session begins: who may, in which part, and with which code.

use super::entries::Entry;
use super::keys::Exporter;
use super::ledger::MAX_RECORDS;
use super::pake::METHOD_TRUST;
use super::session::{End, Host, Joiner, NewSession, PERSON, STEP, Session, State};
use super::{Event, Pairing, PairingFailure, PairingId, Told, host, joiner};
use crate::ask::{Ask, PairingReply, PairingRequest, PairingRequestToken};
use crate::event::PairingStep;
use crate::id::{ConnId, PublicKey};
use crate::store::Role;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;
use crate::wire::pairing::{AbortReason, Open, Pairing as Message};
use std::time::Instant;

/// Sessions at a time. Beyond that a new one is closed as busy.
pub(crate) const MAX_SESSIONS: usize = 64;
/// Records that two keys may have together, the ids of live sessions included.
const MAX_RECORDS_PER_PEER: usize = 8;

impl Pairing {
    /// A connection on the pairing ALPN reached `Connected`.
    pub(crate) fn handle_session(&mut self, now: Instant, new: NewSession) {
        let NewSession { conn, exporter, peer, remote, dialled } = new;
        let session = Session {
            peer,
            remote,
            exporter: Exporter::new(exporter),
            dialled: dialled.is_some(),
            pairing: dialled,
            until: now + STEP,
            state: State::AwaitOpen,
        };
        let refusal = self.refusal(&session);
        match (refusal, dialled) {
            (Some(end), _) => self.end(now, conn, session, end),
            (None, None) => {
                self.sessions.insert(conn, session);
            }
            (None, Some(pairing)) => self.open(now, conn, session, pairing),
        }
        self.refresh(now);
    }

    /// No connection could be made for this pairing.
    pub(crate) fn handle_dial_failed(&mut self, now: Instant, id: PairingId, why: PairingFailure) {
        if self.window.as_ref().is_some_and(|window| window.id == id && window.is_free()) {
            self.close_window(now, why);
        } else if self.needs_dial(id) || self.trusts.has(id) {
            self.end_pairing(id, Err(why));
        }
        self.refresh(now);
    }

    /// The user's answer to a peer that shows a code.
    pub(crate) fn answer_pairing_request(
        &mut self,
        now: Instant,
        token: PairingRequestToken,
        reply: PairingReply,
    ) {
        let asked =
            |session: &Session| matches!(session.state, State::Prompting { token: t, .. } if t == token.0);
        let conn = self.sessions.iter().find(|(_, session)| asked(session)).map(|(conn, _)| *conn);
        let Some(conn) = conn else { return };
        match reply {
            PairingReply::Reject => {
                self.end_by(now, conn, |_| End::Abort(AbortReason::Refused, PairingFailure::Refused));
            }
            PairingReply::Join(_) if self.entries.is_full() => {
                self.end_by(now, conn, |_| End::Abort(AbortReason::Busy, PairingFailure::Busy));
            }
            PairingReply::Join(code) => {
                let id = self.next_pairing();
                self.entries.add(id, Entry { code, expect: None, until: now + PERSON, conn: None });
                self.use_entry(now, conn, id);
            }
        }
        self.refresh(now);
    }

    /// A code that was typed elsewhere answers a prompt of its peer.
    pub(super) fn use_entry_at_prompt(&mut self, now: Instant, id: PairingId) {
        let Some(entry) = self.entries.get(&id) else { return };
        let prompting = self.sessions.iter().find(|(_, session)| {
            matches!(session.state, State::Prompting { .. }) && entry.is_for(&session.peer)
        });
        if let Some(conn) = prompting.map(|(conn, _)| *conn) {
            self.use_entry(now, conn, id);
        }
    }

    fn use_entry(&mut self, now: Instant, conn: ConnId, id: PairingId) {
        let Some(mut session) = self.sessions.remove(&conn) else { return };
        match std::mem::replace(&mut session.state, State::AwaitOpen) {
            State::Prompting { open, .. } => {
                self.prompts.end(conn);
                self.start_joiner(now, conn, session, id, &open);
            }
            state => {
                session.state = state;
                self.sessions.insert(conn, session);
            }
        }
    }

    /// Why a session is not begun at all.
    fn refusal(&mut self, session: &Session) -> Option<End> {
        if !self.is_loaded() {
            return Some(End::Close(CloseCode::NotReady, PairingFailure::Store));
        }
        if session.peer == self.settings.own {
            return Some(End::Close(CloseCode::Protocol, PairingFailure::WrongPeer));
        }
        if self.is_banned(&session.peer.fingerprint()) {
            // Its handshake was under way when it was banned.
            return Some(End::Close(CloseCode::NotPaired, PairingFailure::Refused));
        }
        if let Some(name) = self.impostor_of(&session.peer) {
            self.tell(Told::IdentityMismatch(name, session.remote));
            return Some(End::Close(CloseCode::Protocol, PairingFailure::WrongPeer));
        }
        (self.sessions.len() >= MAX_SESSIONS).then_some(End::Close(CloseCode::Busy, PairingFailure::Busy))
    }

    /// As QUIC client: says which part this side plays.
    fn open(&mut self, now: Instant, conn: ConnId, session: Session, pairing: PairingId) {
        let hosting = self.window.as_ref().is_some_and(|window| window.id == pairing);
        let own_part = self.role_towards(&session.peer.fingerprint());
        let trusts = self.trust_for(&session.peer, own_part) == Some(pairing);
        if !hosting && !trusts && !self.needs_dial(pairing) {
            // Cancelled, or served by another session, while it was dialled.
            return self.close(conn, CloseCode::Ok);
        }
        let role = match (trusts, hosting) {
            (true, _) => own_part,
            (false, true) => Role::Host,
            (false, false) => Role::Joiner,
        };
        let mut open = Open::new(role);
        if trusts && role == Role::Host {
            open.method = Some(METHOD_TRUST.to_owned());
        }
        let open = Message::Open(open).encode();
        self.events.push_back(Event::Send { conn, frame: open.clone().into_bytes() });
        self.begin(now, conn, session, role, &open);
    }

    /// The role is known: of two sessions with one peer one stays.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        conn: ConnId,
        mut session: Session,
        role: Role,
        open: &Frame,
    ) {
        let own = self.settings.own;
        match role {
            Role::Host => {
                session.state =
                    State::Host(Host::Hello(host::AwaitHello::begin(session.ends(own, role), open)))
            }
            Role::Joiner => session.state = State::Prompting { token: 0, open: open.clone() },
        }
        if !self.is_best(now, conn, &session) {
            return self.end(now, conn, session, End::Outdone);
        }
        match role {
            Role::Host => self.keep(now, conn, session),
            Role::Joiner => match session.pairing.or_else(|| self.entries.waiting_for(&session.peer)) {
                Some(id) if self.trusts.has(id) => self.start_trusted(now, conn, session, id, open),
                Some(id) => self.start_joiner(now, conn, session, id, open),
                None => self.prompt(now, conn, session, open),
            },
        }
    }

    /// Whether one more record may come to be with this peer. Every live session may yet store one.
    pub(super) fn has_room_for(&self, peer: &PublicKey) -> bool {
        self.held_for(peer) < MAX_RECORDS_PER_PEER && self.records().count() + MAX_SESSIONS < MAX_RECORDS
    }

    fn prompt(&mut self, now: Instant, conn: ConnId, mut session: Session, open: &Frame) {
        if self.prompts.begin(now, conn, session.remote.ip()).is_err() {
            return self.end(now, conn, session, End::Abort(AbortReason::Busy, PairingFailure::Busy));
        }
        let token = self.next_token();
        let request = PairingRequest { remote: session.remote, peer: session.peer };
        self.events.push_back(Event::Ask(Ask::PairingRequest(PairingRequestToken(token), request)));
        session.state = State::Prompting { token, open: open.clone() };
        self.keep(now, conn, session);
    }

    fn start_joiner(
        &mut self,
        now: Instant,
        conn: ConnId,
        mut session: Session,
        id: PairingId,
        open: &Frame,
    ) {
        session.pairing = Some(id);
        let abort = |reason, failure| End::Abort(reason, failure);
        let Some(entry) = self.entries.get_mut(&id) else {
            return self.end(now, conn, session, abort(AbortReason::Cancelled, PairingFailure::Cancelled));
        };
        entry.conn = Some(conn);
        let (code, expected) = (entry.code.clone(), entry.is_for(&session.peer));
        if !expected {
            return self.end(now, conn, session, abort(AbortReason::Refused, PairingFailure::WrongPeer));
        }
        if self.entries.is_locked(now, &session.peer) {
            return self.end(now, conn, session, abort(AbortReason::Refused, PairingFailure::Locked));
        }
        if !self.has_room_for(&session.peer) {
            return self.end(now, conn, session, abort(AbortReason::Busy, PairingFailure::Busy));
        }
        let ends = session.ends(self.settings.own, Role::Joiner);
        let (state, hello) = joiner::AwaitAck::begin(ends, open, code, &mut self.rng);
        self.events.push_back(Event::Send { conn, frame: hello.into_bytes() });
        self.tell(Told::PairingProgress(id, PairingStep::Connected));
        session.state = State::Joiner(Joiner::Ack(state));
        self.keep(now, conn, session);
    }
}
