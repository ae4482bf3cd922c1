//! Who is dialled, where, and what came of it.

use super::book::Remembered;
use super::link::{Link, Stage};
use super::notes::News;
use super::race::{Race, Step};
use super::{CONNECT_TIMEOUT, Dial, DialId, Event, Peers, Purpose};
use crate::config::Sources;
use crate::error::ConnectError;
use crate::event::{ConnectFailure, Event as Tell, PairingFailure, PairingId};
use crate::id::{ConnId, PublicKey};
use crate::quic::{Cause, Expect};
use crate::wire::close::CloseCode;
use std::net::SocketAddr;
use std::time::Instant;

impl Peers {
    /// Connects to a peer whose key is known, unless that stands or is under way.
    pub(crate) fn connect(&mut self, now: Instant, peer: PublicKey) -> Result<Dial, ConnectError> {
        if let Some(link) = self.shown(&peer) {
            return Ok(Dial::Connected(link.conn));
        }
        // A second dial would replace the connection of the first, just after it was shown.
        let under_way = self.is_under_way(&peer);
        if !under_way && !self.book.is_reachable(&peer) {
            return Err(ConnectError::NoAddress);
        }
        self.wanted.entry(peer).or_insert(now + CONNECT_TIMEOUT);
        self.ask_for(&peer);
        if !under_way {
            self.dial_peer(now, peer);
        }
        Ok(Dial::Dialling)
    }

    /// Whether a dial runs, or a connection says its hello.
    pub(super) fn is_under_way(&self, peer: &PublicKey) -> bool {
        self.is_dialled(peer) || self.is_greeting(peer)
    }

    pub(super) fn is_greeting(&self, peer: &PublicKey) -> bool {
        let greets = |link: &Link| link.peer == *peer && link.stage == Stage::Greeting;
        self.links.values().any(greets)
    }

    pub(super) fn is_dialled(&self, peer: &PublicKey) -> bool {
        self.dials.values().any(|race| race.purpose == Purpose::Data(*peer))
    }

    /// Dials for a pairing.
    pub(crate) fn dial_pairing(
        &mut self,
        now: Instant,
        pairing: PairingId,
        expect: Expect,
        addresses: Vec<SocketAddr>,
    ) {
        self.dial(now, Purpose::Pairing(pairing, expect), addresses);
    }

    /// Dials a key where it may be reached, without anybody waiting for it, unless a connection stands or
    /// is under way.
    pub(crate) fn reach(&mut self, now: Instant, peer: PublicKey) {
        if !self.is_dialled(&peer) && self.book.is_reachable(&peer) && self.links_to(&peer).is_empty() {
            self.dial_peer(now, peer);
        }
    }

    /// Dials a key where it may be reached, and looks up its names.
    pub(super) fn dial_peer(&mut self, now: Instant, peer: PublicKey) {
        let addresses = self.book.addresses(&peer);
        self.dial(now, Purpose::Data(peer), addresses);
    }

    /// A key answered at this address.
    pub(crate) fn remember(&mut self, now: Instant, peer: &PublicKey, address: SocketAddr) {
        let (new, evicted) = self.book.remember(self.at(now), peer.peer_id(self.kind), address);
        self.tell_evicted(evicted);
        self.note(now, peer, if new == Remembered::Address { News::Content } else { News::Order });
    }

    /// Ends the dials of a pairing.
    pub(crate) fn cancel_pairing(&mut self, pairing: PairingId) {
        self.hang_up_all(|purpose| matches!(purpose, Purpose::Pairing(id, _) if *id == pairing));
    }

    /// An address was dialled, or could not be.
    pub(crate) fn handle_tried(&mut self, now: Instant, dial: DialId, conn: Option<ConnId>) {
        match (self.dials.get_mut(&dial), conn) {
            (Some(dial), conn) => dial.handle_tried(now, conn),
            (None, Some(conn)) => self.events.push_back(Event::Hangup { conn, code: CloseCode::Duplicate }),
            (None, None) => {}
        }
        self.poll_dial(now, dial);
    }

    /// A dialled connection stands: it wins its race. What the race was for, or `None` where the race is
    /// over.
    pub(crate) fn handle_won(&mut self, conn: ConnId) -> Option<Purpose> {
        let id = *self.dials.iter().find(|(_, dial)| dial.has(conn))?.0;
        let purpose = self.dials[&id].purpose;
        self.hang_up(id, Some(conn));
        Some(purpose)
    }

    pub(super) fn dial(&mut self, now: Instant, purpose: Purpose, addresses: Vec<SocketAddr>) {
        let id = DialId(self.next_dial);
        self.next_dial += 1;
        let mut race = Race::new(now, purpose, addresses);
        if let Purpose::Data(peer) = purpose {
            race.set_pending(self.look_up(now, &peer));
            self.on_dial(now, &peer);
        }
        self.dials.insert(id, race);
        self.poll_dial(now, id);
    }

    /// Addresses of a key became known: a dial that runs takes them in.
    pub(super) fn take_in(&mut self, now: Instant, peer: &PublicKey, addresses: &[SocketAddr]) {
        self.with_dial(now, peer, |race| race.take_in(addresses));
    }

    /// A name of a key was looked up.
    pub(super) fn looked_up(&mut self, now: Instant, peer: &PublicKey, addresses: &[SocketAddr]) {
        self.with_dial(now, peer, |race| race.handle_looked_up(addresses));
    }

    /// Does something with the dial of a key, if one runs.
    fn with_dial(&mut self, now: Instant, peer: &PublicKey, act: impl FnOnce(&mut Race)) {
        let to_peer = |(_, race): &(&DialId, &mut Race)| race.purpose == Purpose::Data(*peer);
        if let Some((id, race)) = self.dials.iter_mut().find(to_peer) {
            let id = *id;
            act(race);
            self.poll_dial(now, id);
            self.stir(peer);
        }
    }

    /// Which sources are heeded. A dial that runs tries nothing more that they do not know, and what they do.
    pub(crate) fn set_sources(&mut self, now: Instant, sources: Sources) {
        self.book.set_sources(sources);
        let dialled = self.dials.values().filter_map(|race| match race.purpose {
            Purpose::Data(peer) => Some(peer),
            Purpose::Pairing(..) => None,
        });
        for peer in dialled.collect::<Vec<_>>() {
            let addresses = self.book.addresses(&peer);
            self.with_dial(now, &peer, |race| {
                race.keep(&addresses);
                race.take_in(&addresses);
            });
        }
        for key in self.known.keys().copied().collect::<Vec<_>>() {
            self.hope(now, &key);
        }
    }

    pub(super) fn poll_dial(&mut self, now: Instant, id: DialId) {
        let Some(dial) = self.dials.get_mut(&id) else { return };
        match dial.poll(now) {
            Step::Wait => {}
            Step::Try(to) => {
                let purpose = dial.purpose;
                self.events.push_back(Event::Dial { dial: id, to, purpose });
            }
            Step::HangUp(racing) => {
                for conn in racing {
                    self.events.push_back(Event::Hangup { conn, code: CloseCode::Duplicate });
                }
                self.poll_dial(now, id);
            }
            Step::Failed(failure) => {
                let purpose = dial.purpose;
                self.hang_up(id, None);
                match purpose {
                    Purpose::Data(peer) => {
                        self.give_up_unless_greeting(peer, failure);
                        self.on_failed(now, &peer, failure);
                    }
                    Purpose::Pairing(pairing, _) => {
                        let failure = pairing_failure(failure);
                        self.events.push_back(Event::PairingUnreachable { pairing, failure });
                    }
                }
            }
        }
    }

    pub(super) fn hang_up(&mut self, id: DialId, winner: Option<ConnId>) {
        let Some(dial) = self.dials.remove(&id) else { return };
        if let Purpose::Data(peer) = dial.purpose {
            self.stir(&peer);
        }
        for conn in dial.others(winner) {
            self.events.push_back(Event::Hangup { conn, code: CloseCode::Duplicate });
        }
    }

    /// Ends every dial of such a purpose.
    pub(super) fn hang_up_all(&mut self, is_such: impl Fn(&Purpose) -> bool) {
        let such = self.dials.iter().filter(|(_, race)| is_such(&race.purpose));
        for id in such.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.hang_up(id, None);
        }
    }

    pub(super) fn give_up_unless_greeting(&mut self, peer: PublicKey, failure: ConnectFailure) {
        if !self.is_greeting(&peer) {
            self.give_up(peer, failure);
        }
    }

    pub(super) fn give_up_unless_dialling(&mut self, peer: PublicKey, failure: ConnectFailure) {
        if !self.is_dialled(&peer) {
            self.give_up_unless_greeting(peer, failure);
        }
    }

    pub(super) fn give_up(&mut self, peer: PublicKey, failure: ConnectFailure) {
        if self.wanted.remove(&peer).is_some() {
            self.tell(Tell::ConnectFailed(peer.peer_id(self.kind), failure));
        }
    }
}

/// What a lost connection says of a dial. A hint: any close code may be forged.
pub(super) fn failure_of(cause: Cause) -> ConnectFailure {
    match cause {
        Cause::WrongKey => ConnectFailure::WrongPeer,
        Cause::Peer(Some(CloseCode::NotPaired | CloseCode::Unpaired))
        | Cause::Here(CloseCode::NotPaired | CloseCode::Unpaired) => ConnectFailure::NotPaired,
        Cause::Peer(Some(CloseCode::NotReady)) | Cause::Here(CloseCode::NotReady) => ConnectFailure::NotReady,
        Cause::TimedOut | Cause::NetworkChanged | Cause::Here(CloseCode::Timeout) => ConnectFailure::TimedOut,
        Cause::Here(_) | Cause::Unused | Cause::Peer(_) | Cause::Refused | Cause::Broken | Cause::Reset => {
            ConnectFailure::Refused
        }
    }
}

fn pairing_failure(failure: ConnectFailure) -> PairingFailure {
    match failure {
        ConnectFailure::WrongPeer => PairingFailure::WrongPeer,
        ConnectFailure::Refused => PairingFailure::Refused,
        ConnectFailure::TimedOut
        | ConnectFailure::NotPaired
        | ConnectFailure::NoAddress
        | ConnectFailure::NotReady => PairingFailure::Unreachable,
    }
}
