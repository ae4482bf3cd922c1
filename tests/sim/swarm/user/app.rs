//! What a user does about what his node tells him.

use super::{HookOdds, Talk, User};
use crate::app::{App, Context, Hook};
use handfast_core::ask::{
    AdmitToken, Answer, Candidate, ConfirmToken, Confirmation, PairingReply, PairingRequest,
    PairingRequestToken, Permission,
};
use handfast_core::{Event, PairId, PairedPeer, Ready};
use rand_core::RngCore;
use std::time::Duration;

impl App for User {
    fn started(&mut self, cx: &mut Context<'_>) {
        self.shop.started(cx);
    }

    fn crashed(&mut self) {
        self.crashes += 1;
        for conn in self.connections.keys().copied().collect::<Vec<_>>() {
            self.gone(conn);
        }
        self.shop.crashed();
        self.note = None;
        self.late.clear();
        self.giving_up.clear();
    }

    fn event(&mut self, cx: &mut Context<'_>, event: Event) {
        self.shop.event(&event, &mut self.truth.borrow_mut().feats);
        match event {
            Event::PeerConnected(peer) => {
                let banned = cx.node.pairing().banned();
                assert!(
                    !banned.contains(&peer.key.fingerprint()),
                    "nobody is connected whom his user banned"
                );
                let paired = Self::is_paired(cx, &peer.key);
                assert!(paired, "no application byte before `paired`: the store does not hold the peer");
                self.truth.borrow_mut().feats.connected += 1;
                self.connections.insert(peer.conn, peer.key);
            }
            Event::PeerDisconnected(conn, ..) => self.gone(conn),
            Event::PeerPaired(peer) => {
                let confirmed = self.truth.borrow().confirmed(self.key, peer.key);
                let trusted = self.truth.borrow().trusted(self.key, peer.key);
                assert!(confirmed || trusted, "nobody is paired with whom he did not confirm");
                let agreed = !self.is_asked || trusted || self.agreed.contains(&peer.key);
                assert!(agreed, "nobody is paired with whom his user was asked about and did not agree");
                self.truth.borrow_mut().feats.paired += 1;
                self.truth.borrow_mut().feats.trusted += u64::from(trusted && !confirmed);
                let saved = self.saved.contains_key(&peer.pair_id);
                assert!(saved, "nobody is paired whom the application did not save");
                // What the new pairing replaces was saved under its own id.
                for old in peer.replaces {
                    self.saved.remove(&old);
                }
            }
            Event::PeerUnpaired(peer, pair_id) => {
                let asked = self.truth.borrow().may_part(self.key, peer);
                assert!(asked, "a pairing that both sides have lasts until one of them ends it");
                self.saved.remove(&pair_id);
            }
            _ => {}
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, ready: Ready) {
        match ready {
            Ready::Stream { conn, stream, key, now } => self.stream_moved(cx, (conn, stream), key, now),
            Ready::Datagrams { conn } => {
                let peer = self.connections.get(&conn).copied();
                let peer = peer.expect("no application byte before `paired`: datagrams on no connection");
                Talk::heard(cx, &mut self.truth.borrow_mut(), conn, [peer, self.key]);
            }
            Ready::Streams { .. } => {}
        }
    }

    fn request(&mut self, cx: &mut Context<'_>, token: PairingRequestToken, _: PairingRequest) {
        let reply = match self.note.take() {
            Some(code) => {
                self.truth.borrow_mut().type_in(&code, self.key);
                PairingReply::Join(code)
            }
            None => PairingReply::Reject,
        };
        cx.node.answer(cx.now, Answer::PairingRequest(token, reply));
    }

    fn admit(&mut self, cx: &mut Context<'_>, token: AdmitToken, _: Candidate) {
        let refused = cx.rng.next_u32().is_multiple_of(16);
        let reply = if refused { Permission::Refused } else { Permission::Granted };
        cx.node.answer(cx.now, Answer::Admit(token, reply));
    }

    fn confirm(&mut self, cx: &mut Context<'_>, token: ConfirmToken, whom: Confirmation) {
        let refused = cx.rng.next_u32().is_multiple_of(4);
        if !refused {
            self.agreed.insert(whom.key);
        }
        let reply = if refused { Permission::Refused } else { Permission::Granted };
        cx.node.answer(cx.now, Answer::Confirm(token, reply));
    }

    fn paired(&mut self, cx: &mut Context<'_>, peer: &PairedPeer) -> Hook {
        let draw = cx.rng.next_u32() % 1000;
        let HookOdds { fail, stall, panic } = self.hooks;
        if draw < fail {
            return Hook::Fail;
        }
        if draw < fail + panic {
            std::panic::resume_unwind(Box::new("the application's hook panics"));
        }
        self.saved.insert(peer.pair_id, peer.key);
        match cx.rng.next_u32() % 45 {
            _ if draw >= fail + panic + stall => Hook::Succeed,
            40.. => Hook::Hang,
            seconds => Hook::Stall(Duration::from_secs(seconds.into())),
        }
    }

    fn rollback(&mut self, cx: &mut Context<'_>, pair_id: PairId) {
        cx.tell(format_args!("undoes {pair_id:?}"));
        self.saved.remove(&pair_id);
    }

    fn timer(&mut self, cx: &mut Context<'_>, key: u64) {
        if let Some(number) = self.giving_up.remove(&key) {
            self.give_up(cx, number);
        }
        if let Some(at) = self.late.remove(&key) {
            self.read_on(cx, at);
        }
    }
}
