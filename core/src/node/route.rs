//! Carries what one engine says to the engine, the application or the socket that it concerns: the only
//! wiring between engines, which never know each other.

use super::admission::Arrival;
use super::{Node, Target, advertise};
use crate::ask::{Ask, StoreToken};
use crate::config::{Config, Consent};
use crate::error::JoinError;
use crate::event::{ConnectFailure, Event, PairedPeer, PairingId};
use crate::id::{Fingerprint, PeerId, PublicKey};
use crate::io::{Now, Output};
use crate::pairing::{self, NewSession, Pairing};
use crate::peers::{self, Purpose};
use crate::quic::{self, Alpn, Expect};
use crate::rng::Rng;
use crate::store::{PairRecord, PairState, StoreReply};
use crate::wire::close::CloseCode;
use crate::wire::control::{Control, State};
use crate::wire::frame::Frame;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

/// Outputs that wait for the driver before the engines are heard further; one thing that an engine says may
/// bring a few more.
pub(super) const MAX_OUT: usize = 256;

/// Keys that were dialled to pair with and are remembered until they are. Beyond that one is not dialled by
/// itself once it is paired.
pub(super) const MAX_MET: usize = 64;

/// The pairing engine as a node's configuration wants it.
pub(super) fn pairing_engine(config: &Config, own: PublicKey, rng: Rng) -> Pairing {
    let settings = pairing::Settings {
        own,
        peer_id: config.peer_id,
        metadata: config.metadata.clone(),
        window: config.pairing_window,
        confirmation: config.confirmation,
    };
    Pairing::new(settings, rng)
}

impl Node {
    /// Hears every engine until none has anything to say. What a frame brought about is heard before the next
    /// frame, or the end of its connection: engines queue what one input brings, not what a burst does. Goes on
    /// later where the driver has to take [`MAX_OUT`] outputs first.
    pub(super) fn route(&mut self, now: Now) {
        let clocks = now;
        let now = now.mono;
        loop {
            if self.out.len() >= MAX_OUT {
                self.stale = true;
                return;
            }
            self.quic.poll_connections(now);
            if let Some(event) = self.pairing.poll_event() {
                self.route_pairing(now, event);
            } else if let Some(event) = self.peers.poll_event() {
                self.route_peers(now, event);
            } else if let Some(event) = self.global.poll_event() {
                self.route_global(clocks, event);
            } else if self.route_request(clocks) {
                // What came in before the end of its connection is heard before it.
            } else if let Some(event) = self.quic.poll_event() {
                self.route_quic(now, event);
            } else if let Some(event) = self.services.catch_up() {
                self.tell(event);
            } else if let Some(event) = self.mdns.poll_event() {
                self.route_mdns(now, event);
            } else if !self.seek(clocks) {
                break;
            }
        }
        self.advertise(now);
    }

    /// The store answered; once it has loaded, what follows from the records is known.
    pub(super) fn store_answered(&mut self, now: Now, token: StoreToken, reply: StoreReply) {
        if peers::is_note(&token) {
            return self.peers.handle_noted(now.mono, &token, &reply);
        }
        let Some((token, mut reply)) = self.announced_stored(now, token, reply) else { return };
        let now = now.mono;
        let whereabouts = match &mut reply {
            StoreReply::Loaded(stored) => std::mem::take(&mut stored.whereabouts),
            StoreReply::Written | StoreReply::Failed => Vec::new(),
        };
        let was_loaded = self.pairing.is_loaded();
        self.pairing.answer_store(now, token, reply);
        if !was_loaded && self.pairing.is_loaded() {
            let keys: BTreeSet<PublicKey> = self.pairing.records().map(|record| record.peer).collect();
            for key in keys {
                self.pairings_changed(now, &key);
            }
            self.peers.load(now, whereabouts);
        }
    }

    fn route_quic(&mut self, now: Instant, event: quic::Event) {
        match event {
            quic::Event::Connected { conn, peer, .. } if peer == self.own => {
                self.quic.close(now, conn, CloseCode::Protocol);
            }
            quic::Event::Connected { conn, alpn: Alpn::Data, peer, remote, dialled, .. } => {
                self.data_connected(now, Arrival { conn, peer, remote, dialled });
            }
            quic::Event::Connected { conn, alpn: Alpn::Pairing, peer, remote, dialled, exporter } => {
                let session = NewSession { conn, exporter, peer, remote, dialled: None };
                self.pairing_connected(now, session, dialled);
            }
            quic::Event::Connected { conn, alpn: Alpn::Disco, .. } => {
                self.global.handle_connected(self.now(), conn);
            }
            // No more requests are made at a time than any server allows.
            quic::Event::Room { .. } => {}
            quic::Event::Frame { conn, frame } => {
                if self.sessions.contains(&conn) {
                    // Whoever sent `Open`, or anything else, is in the hands of the pairing engine now.
                    self.quic.release(conn);
                    self.pairing.handle_frame(now, conn, &frame);
                } else if self.admission.has(conn) {
                    self.hold_frame(now, conn, frame);
                } else {
                    self.peers.handle_frame(conn, &frame);
                }
            }
            quic::Event::MainEnded { conn } => {
                if self.sessions.contains(&conn) {
                    self.pairing.handle_finished(now, conn);
                } else if self.admission.has(conn) {
                    // There is nothing yet that it could have read to its end.
                    self.admission.forget(conn);
                    self.quic.close(now, conn, CloseCode::Protocol);
                } else {
                    self.peers.handle_main_ended(conn);
                }
            }
            quic::Event::Silent { conn } => self.peers.handle_silent(now, conn),
            quic::Event::Heard { conn } => self.heard_again(now, conn),
            quic::Event::Lost { conn, cause } => {
                self.count_over(conn);
                self.admission.forget(conn);
                self.server_lost(self.now(), conn, cause);
                // Whatever the cause says, no pairing record changes by it: anybody can forge one.
                if self.sessions.remove(&conn) {
                    self.pairing.handle_lost(now, conn);
                } else {
                    self.pairing.handle_data_lost(conn);
                }
                let orphan = self.peers.handle_lost(now, conn, cause);
                self.replace(now, conn, cause, orphan);
            }
        }
    }

    fn data_connected(&mut self, now: Instant, arrival: Arrival) {
        // A dialler says hello only on the winner of its race.
        if arrival.dialled && self.is_open_for_data() && self.peers.handle_won(arrival.conn).is_none() {
            return self.quic.close(now, arrival.conn, CloseCode::Duplicate);
        }
        if !self.waits_for_silent(now, arrival) {
            self.receive(now, arrival, Vec::new());
        }
    }

    /// Goes on with a connection on which nothing was said yet, and the frames that came meanwhile.
    pub(super) fn receive(&mut self, now: Instant, arrival: Arrival, held: Vec<Frame>) {
        if self.config.admission == Consent::Given {
            self.greet(now, arrival, held);
        } else if self.is_welcome(now, arrival) {
            self.ask_to_admit(now, arrival, held);
        }
    }

    /// Says `Hello`, if the peer may hear it: what is known may have changed since it was asked about.
    pub(super) fn greet(&mut self, now: Instant, arrival: Arrival, held: Vec<Frame>) {
        if self.is_welcome(now, arrival) {
            let Arrival { conn, peer, remote, dialled } = arrival;
            let list = self.pairing.open_list(conn, peer);
            self.peers.handle_connected(conn, peer, remote, dialled, list);
            for frame in held {
                self.peers.handle_frame(conn, &frame);
            }
        }
    }

    fn is_open_for_data(&self) -> bool {
        self.pairing.is_loaded() && !self.shutting_down
    }

    /// Whether anything may be said to this key; if not, the connection is closed.
    fn is_welcome(&mut self, now: Instant, arrival: Arrival) -> bool {
        let Arrival { conn, peer, remote, .. } = arrival;
        let code = if !self.is_open_for_data() {
            CloseCode::NotReady
        } else if self.pairing.is_banned(&peer.fingerprint()) {
            // Its handshake was under way when it was banned.
            CloseCode::NotPaired
        } else if let Some(id) = self.pairing.impostor_of(&peer) {
            self.tell(Event::IdentityMismatch(id, remote));
            CloseCode::Protocol
        } else {
            return true;
        };
        self.quic.close(now, conn, code);
        false
    }

    fn pairing_connected(&mut self, now: Instant, mut session: NewSession, dialled: bool) {
        let conn = session.conn;
        if self.shutting_down || !self.pairing.is_loaded() {
            return self.quic.close(now, conn, CloseCode::NotReady);
        }
        if self.sessions.is_empty() {
            self.met.clear();
        }
        if dialled {
            let Some(Purpose::Pairing(pairing, _)) = self.peers.handle_won(conn) else {
                return self.quic.close(now, conn, CloseCode::Duplicate);
            };
            session.dialled = Some(pairing);
            if self.met.len() >= MAX_MET {
                self.met.pop_first();
            }
            self.met.insert(session.peer);
            self.quic.release(conn);
            self.peers.remember(now, &session.peer, session.remote);
        }
        self.sessions.insert(conn);
        self.pairing.handle_session(now, session);
    }

    fn route_pairing(&mut self, now: Instant, event: pairing::Event) {
        self.requests.stir();
        match event {
            pairing::Event::Send { conn, frame } => self.quic.send_frame(now, conn, frame),
            pairing::Event::SendLast { conn, frame } => {
                self.quic.send_frame(now, conn, frame);
                self.quic.finish(now, conn, CloseCode::Ok);
            }
            pairing::Event::Close { conn, code } => self.quic.close(now, conn, code),
            pairing::Event::SendState { conn, list } => {
                self.quic.send_frame(now, conn, Control::State(State { state: list }).encode().into_bytes());
            }
            pairing::Event::Ask(ask) => self.ask(ask),
            pairing::Event::Tell(event) => {
                if let Event::PairingEnded(pairing, _) = event {
                    self.peers.cancel_pairing(pairing);
                }
                self.tell(event);
            }
            pairing::Event::PairedNow(peer) => {
                self.pairings_changed(now, &peer);
                // The dialler of a pairing dials the data protocol at once.
                if self.met.remove(&peer) {
                    self.peers.reach(now, peer);
                }
            }
            pairing::Event::Unpaired(peer) => self.pairings_changed(now, &peer),
            pairing::Event::Settle(peer) => {
                self.pairings_changed(now, &peer);
                self.peers.reach(now, peer);
            }
            pairing::Event::Meet { pairing, key, addresses } => self.meet(now, pairing, key, addresses),
            pairing::Event::Seek { peer, addresses } => {
                for address in addresses {
                    self.peers.add_address(now, peer.peer_id(self.config.peer_id), address);
                }
                self.peers.reach(now, peer);
            }
            pairing::Event::BansChanged => self.bans_changed(now),
            pairing::Event::CutOff(peer) => {
                for conn in self.peers.links_to(&peer) {
                    self.quic.close(now, conn, CloseCode::NotPaired);
                }
            }
        }
    }

    /// The pairings with a key changed: its connections, and what may be dialled, follow.
    fn pairings_changed(&mut self, now: Instant, peer: &PublicKey) {
        let paired = |record: &&PairRecord| record.state == PairState::Paired;
        let keys: BTreeSet<PublicKey> = self.pairing.records().filter(paired).map(|r| r.peer).collect();
        self.peers.set_paired(now, &keys);
        self.follow(now, peer);
        let (known, usable) = self.pairing.standing(peer);
        if !known {
            self.limits.forget(peer);
            self.counts.forget(peer);
            self.spans.forget(peer);
        }
        for conn in self.peers.links_to(peer) {
            self.peers.handle_settled(now, conn, known, &usable);
        }
    }

    /// Dials a key that is trusted without a code, if anybody knows where it may be.
    fn meet(&mut self, now: Instant, pairing: PairingId, key: Fingerprint, mut addresses: Vec<SocketAddr>) {
        for address in self.peers.addresses_of_print(&key) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() || self.shutting_down {
            return self.pairing.handle_nowhere(now, pairing);
        }
        self.peers.dial_pairing(now, pairing, Expect::Print(key), addresses);
    }

    /// Who is banned is refused by TLS from here on; of the connections that stand, those go at once whose keys have
    /// no pairing, and the others once it has ended.
    fn bans_changed(&mut self, now: Instant) {
        let banned = self.pairing.banned();
        if banned.is_empty() && !self.bans {
            return;
        }
        self.bans = !banned.is_empty();
        self.quic.ban(banned);
        for (conn, peer) in self.peers.links().collect::<Vec<_>>() {
            if self.pairing.is_banned(&peer.fingerprint()) && !self.pairing.standing(&peer).0 {
                self.quic.close(now, conn, CloseCode::NotPaired);
            }
        }
    }

    fn route_peers(&mut self, now: Instant, event: peers::Event) {
        match event {
            peers::Event::Dial { dial, to, purpose } => {
                let (alpn, expect) = match purpose {
                    Purpose::Data(key) => (Alpn::Data, Expect::Key(key)),
                    Purpose::Pairing(_, expect) => (Alpn::Pairing, expect),
                };
                let conn = self.quic.dial(now, to, alpn, expect);
                self.peers.handle_tried(now, dial, conn);
            }
            peers::Event::Hangup { conn, code } => self.quic.close(now, conn, code),
            peers::Event::Say { conn, frame } => self.quic.send_frame(now, conn, frame.into_bytes()),
            peers::Event::Leave { conn, code } => self.quic.finish(now, conn, code),
            peers::Event::List { conn, peer, list } => {
                self.pairing.handle_list(now, conn, peer, list);
                // What the list brought about is said before anything is concluded from it.
                while let Some(event) = self.pairing.poll_event() {
                    self.route_pairing(now, event);
                }
                let (known, usable) = self.pairing.standing(&peer);
                self.peers.handle_settled(now, conn, known, &usable);
            }
            peers::Event::Admit { conn } => {
                if let Some(terms) = self.terms_of(conn) {
                    self.quic.set_terms(now, conn, terms);
                }
                self.quic.admit(now, conn);
            }
            peers::Event::Keep { conn, policy } => self.quic.set_policy(now, conn, policy),
            peers::Event::Hide { conn } => self.quic.hide(now, conn),
            peers::Event::Ask(ask) => self.ask(ask),
            peers::Event::Room => self.mdns.tell_again(&advertise::kind(&self.config)),
            peers::Event::PairingUnreachable { pairing, failure } => {
                self.pairing.handle_dial_failed(now, pairing, failure);
            }
            peers::Event::Tell(event) => {
                match &event {
                    Event::ConnectFailed(id, ConnectFailure::TimedOut) => self.doubt(now, id),
                    Event::PeerConnected(peer) => self.global.handle_peer_connected(&peer.key),
                    _ => {}
                }
                self.count(now, &event);
                self.tell(event);
            }
        }
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        self.out.push_back(Output::Ask(ask));
    }

    /// Whom a joiner dials, and whom it takes him for.
    pub(super) fn whom_to_join(
        &self,
        target: &Target,
    ) -> Result<(Expect, Option<PeerId>, Vec<SocketAddr>), JoinError> {
        let peer = match target {
            Target::At(addresses) if addresses.is_empty() => return Err(JoinError::NoAddress),
            Target::At(addresses) => return Ok((Expect::Anyone, None, addresses.clone())),
            Target::Peer(id) => *id,
            Target::Any => self.only_peer_pairing()?,
        };
        let addresses = self.peers.addresses_of(&peer);
        if addresses.is_empty() {
            return Err(JoinError::NoAddress);
        }
        Ok((Expect::Id(peer), Some(peer), addresses))
    }

    fn only_peer_pairing(&self) -> Result<PeerId, JoinError> {
        let all = self.peers.discovered();
        let pairing: Vec<PeerId> = all.iter().filter(|peer| peer.pairing).map(|peer| peer.id).collect();
        match pairing[..] {
            [] => Err(JoinError::NobodyPairing),
            [only] => Ok(only),
            _ => Err(JoinError::Several(pairing)),
        }
    }

    pub(super) fn paired_peers(&self) -> Vec<PairedPeer> {
        let paired = self.pairing.records().filter(|record| record.state == PairState::Paired);
        paired
            .map(|record| PairedPeer {
                pair_id: record.pair_id,
                id: record.peer.peer_id(self.config.peer_id),
                key: record.peer,
                metadata: record.metadata.clone(),
                replaces: record.replaces.clone(),
            })
            .collect()
    }
}
