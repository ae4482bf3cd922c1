//! After the proof: who the two are, and whether their users agree.

use super::answers::Then;
use super::endings::Moved;
use super::introduction::{AskingBoth, AwaitMeta, AwaitUserOk, Introduced};
use super::session::{End, Host, Joiner, Session, State};
use super::{Event, Pairing, PairingFailure, Told};
use crate::ask::{Ask, ConfirmToken, Confirmation, Permission};
use crate::config::Consent;
use crate::event::PairingStep;
use crate::id::{ConnId, PublicKey};
use crate::metadata::Metadata;
use crate::store::Role;
use crate::wire::pairing::{AbortReason, Pairing as Message, UserOk};
use std::time::Instant;

/// What follows when the peer said who it is.
pub(super) enum Next {
    /// This side's user is asked, and so may the other's be.
    Ask(AskingBoth),
    /// The other side's user may be asked.
    Wait(AwaitUserOk),
}

impl Pairing {
    /// Both proved the code: who this side is, and that nobody objects, unless the user is to be asked. Who trusts a
    /// fingerprint was asked when it was entered.
    pub(super) fn introduce(&mut self, conn: ConnId, session: &Session, next: AwaitMeta) -> AwaitMeta {
        self.progress(session, PairingStep::Confirmed);
        self.send(conn, &Message::Meta(self.settings.metadata.clone()));
        let is_trusted = session.pairing.is_some_and(|id| self.trusts.has(id));
        let consent = if is_trusted { Consent::Given } else { self.settings.confirmation };
        if consent == Consent::Given {
            self.send(conn, &Message::UserOk(UserOk {}));
        }
        next.with_consent(consent)
    }

    /// The peer said who it is.
    pub(super) fn introduced(&mut self, session: &Session, state: AwaitMeta, metadata: Metadata) -> Next {
        let (next, consent) = state.on_meta(metadata);
        let (Consent::Asked, Some(pairing)) = (consent, session.pairing) else {
            self.progress(session, PairingStep::AwaitingPeer);
            return Next::Wait(next);
        };
        let token = self.next_token();
        let confirmation = Confirmation {
            pairing,
            id: session.peer.peer_id(self.settings.peer_id),
            key: session.peer,
            metadata: next.metadata().clone(),
            remote: session.remote,
            replaces: self.ids_of(&session.peer),
        };
        self.progress(session, PairingStep::AwaitingUser);
        self.events.push_back(Event::Ask(Ask::Confirm(ConfirmToken(token), confirmation)));
        Next::Ask(next.asking(token))
    }

    /// The user's answer to whether to pair with the one that proved the code.
    pub(crate) fn answer_confirm(&mut self, now: Instant, token: ConfirmToken, answer: Permission) {
        let asks = |session: &Session| session.state.asks() == Some(token.0);
        let conn = self.sessions.iter().find(|(_, session)| asks(session)).map(|(conn, _)| *conn);
        match (conn, answer) {
            (Some(conn), Permission::Granted) => self.agree(now, conn),
            (Some(conn), Permission::Refused) => {
                self.end_by(now, conn, |_| End::Abort(AbortReason::Refused, PairingFailure::Cancelled));
            }
            (None, _) => {}
        }
        self.refresh(now);
    }

    fn agree(&mut self, now: Instant, conn: ConnId) {
        let Some(session) = self.sessions.get(&conn) else { return };
        let (pairing, peer) = (session.pairing, session.peer);
        self.send(conn, &Message::UserOk(UserOk {}));
        if let Some(id) = pairing {
            self.tell(Told::PairingProgress(id, PairingStep::AwaitingPeer));
        }
        self.with_state(now, conn, |engine, state| match state {
            State::Host(Host::Asking(state)) => Moved::On(State::Host(Host::UserOk(state.agree()))),
            State::Host(Host::Deciding(state)) => Moved::On(State::Host(Host::Prepared(state.agree()))),
            State::Joiner(Joiner::Asking(state)) => Moved::On(State::Joiner(Joiner::UserOk(state.agree()))),
            State::Joiner(Joiner::Deciding(state)) => {
                Moved::On(State::Joiner(engine.prepare(conn, peer, state.agree())))
            }
            state => Moved::Not(state),
        });
    }

    /// As joiner: nobody objects, so the hook may be asked once that is stored.
    pub(super) fn prepare(&mut self, conn: ConnId, peer: PublicKey, introduced: Introduced) -> Joiner {
        let record = introduced.into_record(Role::Joiner, peer, self.settings.own, self.ids_of(&peer));
        self.change(vec![record.clone()], Vec::new(), Then::HookStored { conn });
        Joiner::StoringHook(record)
    }

    fn progress(&mut self, session: &Session, step: PairingStep) {
        if let Some(id) = session.pairing {
            self.tell(Told::PairingProgress(id, step));
        }
    }
}
