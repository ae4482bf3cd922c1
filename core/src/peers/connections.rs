//! Data connections: both `Hello`s, the lists, and which connection the application sees.

use super::dialling::failure_of;
use super::link::{Link, Stage, Winner};
use super::{DialId, Event, Peers, Purpose};
use crate::event::{ConnectFailure, ConnectedPeer, DisconnectReason, Event as Tell};
use crate::id::{ConnId, PairId, PublicKey};
use crate::quic::Cause;
use crate::wire::close::CloseCode;
use crate::wire::control::{Control, Entry, Hello};
use crate::wire::frame::Frame;
use std::net::SocketAddr;
use std::time::Instant;

impl Peers {
    /// A data connection stands. `list` holds our pairings with its key, `known` whether there are any.
    pub(crate) fn handle_connected(
        &mut self,
        conn: ConnId,
        peer: PublicKey,
        remote: SocketAddr,
        dialled: bool,
        list: Vec<Entry>,
    ) {
        let known = !list.is_empty();
        let said_lost = self.known.get(&peer).map_or(0, |known| known.lost);
        let metadata = self.known.contains_key(&peer).then(|| self.metadata.clone());
        let hello =
            Hello { instance: self.instance, lost: said_lost, features: Vec::new(), metadata, state: list };
        self.events.push_back(Event::Say { conn, frame: Control::Hello(hello).encode() });
        let link = Link {
            conn,
            peer,
            remote,
            dialled,
            stage: Stage::Greeting,
            known,
            said_lost,
            hello: None,
            list: Vec::new(),
            shown_at: None,
            passed_by: None,
        };
        self.links.insert(conn, link);
    }

    /// A frame came in on a data connection.
    pub(crate) fn handle_frame(&mut self, conn: ConnId, frame: &Frame) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        let list = match (Control::decode(frame), &link.hello) {
            (Ok(Some(Control::Hello(hello))), None) => {
                let list = hello.state.clone();
                link.hello = Some(hello);
                list
            }
            (Ok(Some(Control::State(state))), Some(_)) => state.state,
            // Messages of later versions.
            (Ok(None), _) => return,
            (Ok(Some(_)) | Err(_), _) => {
                return self.events.push_back(Event::Hangup { conn, code: CloseCode::Protocol });
            }
        };
        link.list.clone_from(&list);
        let peer = link.peer;
        self.events.push_back(Event::List { conn, peer, list });
    }

    /// Whether we have any pairing with a connection's key, and those that may be used, after its list was read or
    /// ours changed.
    pub(crate) fn handle_settled(&mut self, now: Instant, conn: ConnId, known: bool, usable: &[PairId]) {
        let Some(link) = self.links.get(&conn) else { return };
        if link.hello.is_none() || link.stage == Stage::Leaving {
            return;
        }
        if !known {
            self.leave(conn);
        } else if link.stage == Stage::Greeting && link.agrees_with(usable) {
            self.agree(now, conn);
        }
    }

    /// The connections to a key.
    pub(crate) fn links_to(&self, peer: &PublicKey) -> Vec<ConnId> {
        self.links.values().filter(|link| link.peer == *peer).map(|link| link.conn).collect()
    }

    /// This side's application did not want a connection that was dialled.
    pub(crate) fn handle_turned_away(&mut self, peer: PublicKey) {
        self.give_up_unless_dialling(peer, ConnectFailure::Refused);
    }

    /// Every connection, and whose it is.
    pub(crate) fn links(&self) -> impl Iterator<Item = (ConnId, PublicKey)> {
        self.links.values().map(|link| (link.conn, link.peer))
    }

    /// The peer ended its control stream.
    pub(crate) fn handle_main_ended(&mut self, conn: ConnId) {
        let Some(link) = self.links.get(&conn) else { return };
        let code = if link.stage == Stage::Leaving || (link.hello.is_some() && link.peer_has_none()) {
            CloseCode::NotPaired
        } else {
            CloseCode::Protocol
        };
        self.events.push_back(Event::Hangup { conn, code });
    }

    /// A connection is over, whichever it was. The peer that is to be reached at once in another way, if it is one
    /// that the application saw.
    pub(crate) fn handle_lost(&mut self, now: Instant, conn: ConnId, cause: Cause) -> Option<PublicKey> {
        let dials: Vec<DialId> = self.dials.keys().copied().collect();
        for id in dials {
            let lost = self.dials.get_mut(&id).is_some_and(|d| d.handle_lost(now, conn, failure_of(cause)));
            if lost {
                self.poll_dial(now, id);
            }
        }
        let link = self.links.remove(&conn)?;
        let (peer, was_shown) = (link.peer, link.stage == Stage::Up);
        self.link_lost(now, link, cause);
        (was_shown && cause == Cause::NetworkChanged).then_some(peer)
    }

    /// The connections that the application may use.
    pub(crate) fn connected(&self) -> Vec<ConnectedPeer> {
        let up = self.links.values().filter(|link| link.stage == Stage::Up);
        up.map(|link| self.describe(link)).collect()
    }

    /// Both sides hold a pairing: the connection stays, unless another to the same peer does.
    pub(super) fn agree(&mut self, now: Instant, conn: ConnId) {
        let link = &self.links[&conn];
        let (peer, remote) = (link.peer, link.remote);
        let old = self.shown(&peer).map(|old| (old.conn, link.versus(old, &self.own_print)));
        match old {
            None => self.show(now, conn),
            Some((_, Winner::Old)) => {
                // Nobody waits for it from here on: who dials once the other one has ended dials anew.
                self.links.get_mut(&conn).expect("the link that agreed").stage = Stage::Leaving;
                return self.events.push_back(Event::Hangup { conn, code: CloseCode::Duplicate });
            }
            Some((old, Winner::New)) => {
                self.hide(old, Stage::Leaving);
                self.events.push_back(Event::Hangup { conn: old, code: CloseCode::Duplicate });
                self.show(now, conn);
            }
            Some((old, Winner::PeerDecides)) => {
                self.hang_up_spares(&peer);
                self.hide(old, Stage::Spare);
                self.show(now, conn);
            }
        }
        if self.links[&conn].dialled {
            self.remember(now, &peer, remote);
        }
        self.wanted.remove(&peer);
        self.unschedule(&peer);
        self.hang_up_all(|purpose| *purpose == Purpose::Data(peer));
    }

    /// One connection that waits for the peer to decide is enough: each further one would be another that
    /// the peer may keep.
    fn hang_up_spares(&mut self, peer: &PublicKey) {
        let is_spare = |link: &&mut Link| link.peer == *peer && link.stage == Stage::Spare;
        for link in self.links.values_mut().filter(is_spare) {
            link.stage = Stage::Leaving;
            self.events.push_back(Event::Hangup { conn: link.conn, code: CloseCode::Duplicate });
        }
    }

    /// Shows a connection to the application.
    pub(super) fn show(&mut self, now: Instant, conn: ConnId) {
        let link = self.links.get_mut(&conn).expect("only a link that is there is shown");
        link.stage = Stage::Up;
        link.shown_at = Some(now);
        let peer = link.peer;
        self.events.push_back(Event::Admit { conn });
        self.events.push_back(Event::Keep { conn, policy: self.policy(&peer) });
        self.stir(&peer);
        let shown = self.describe(&self.links[&conn]);
        self.tell(Tell::PeerConnected(shown));
    }

    pub(super) fn hide(&mut self, conn: ConnId, stage: Stage) {
        let link = self.links.get_mut(&conn).expect("only a link that is there is hidden");
        link.stage = stage;
        let id = link.peer.peer_id(self.kind);
        self.events.push_back(Event::Hide { conn });
        self.tell(Tell::PeerDisconnected(conn, id, DisconnectReason::Replaced));
    }

    /// There is no pairing (any more): says so and closes.
    pub(super) fn leave(&mut self, conn: ConnId) {
        let link = self.links.get_mut(&conn).expect("only a link that is there is left");
        let (stage, peer, remote) = (link.stage, link.peer, link.remote);
        let known = link.known;
        link.stage = Stage::Leaving;
        let code = if known { CloseCode::Unpaired } else { CloseCode::NotPaired };
        self.events.push_back(Event::Leave { conn, code });
        if stage == Stage::Up {
            let id = peer.peer_id(self.kind);
            self.tell(Tell::PeerDisconnected(conn, id, DisconnectReason::Unpaired));
        }
        if !known {
            self.tell(Tell::StrangerRefused(peer, remote));
        }
        self.give_up(peer, ConnectFailure::NotPaired);
    }

    pub(super) fn link_lost(&mut self, now: Instant, link: Link, cause: Cause) {
        if let Some(known) = self.known.get_mut(&link.peer).filter(|_| link.known) {
            known.lost += 1;
        }
        match link.stage {
            Stage::Greeting => {
                // A duplicate was closed because another connection stands, or is about to.
                if cause != Cause::Peer(Some(CloseCode::Duplicate)) {
                    self.greeting_lost(now, &link.peer, cause);
                }
            }
            Stage::Up => {
                let id = link.peer.peer_id(self.kind);
                let reason = disconnect_reason(cause);
                self.tell(Tell::PeerDisconnected(link.conn, id, reason));
                let spare = self.links.values().find(|l| l.peer == link.peer && l.stage == Stage::Spare);
                if let Some(spare) = spare.map(|spare| spare.conn) {
                    self.show(now, spare);
                } else {
                    self.on_ended(now, &link.peer, reason, link.shown_at.unwrap_or(now));
                }
            }
            Stage::Spare | Stage::Leaving => {}
        }
    }

    /// A connection was lost before it was shown. Where the application waits, a peer that was just restarted is
    /// dialled again.
    fn greeting_lost(&mut self, now: Instant, peer: &PublicKey, cause: Cause) {
        let failure = failure_of(cause);
        let is_hopeful =
            matches!(cause, Cause::Reset | Cause::TimedOut | Cause::Peer(Some(CloseCode::Shutdown)));
        if is_hopeful && !self.is_under_way(peer) && self.is_worth_another_try(peer) {
            self.reach(now, *peer);
        }
        self.give_up_unless_dialling(*peer, failure);
        if !self.is_under_way(peer) {
            self.on_failed(now, peer, failure);
        }
    }

    pub(super) fn shown(&self, peer: &PublicKey) -> Option<&Link> {
        self.links.values().find(|link| link.peer == *peer && link.stage == Stage::Up)
    }

    pub(super) fn describe(&self, link: &Link) -> ConnectedPeer {
        let metadata = link.hello.as_ref().and_then(|hello| hello.metadata.clone()).unwrap_or_default();
        ConnectedPeer {
            conn: link.conn,
            id: link.peer.peer_id(self.kind),
            key: link.peer,
            metadata,
            remote: link.remote,
            dialled: link.dialled,
        }
    }
}

pub(super) fn disconnect_reason(cause: Cause) -> DisconnectReason {
    match cause {
        Cause::Here(CloseCode::Protocol) | Cause::Broken => DisconnectReason::Protocol,
        Cause::Here(CloseCode::Duplicate) | Cause::Peer(Some(CloseCode::Duplicate)) => {
            DisconnectReason::Replaced
        }
        Cause::Here(_) => DisconnectReason::ClosedHere,
        Cause::Unused => DisconnectReason::Unused,
        Cause::Peer(Some(CloseCode::Unpaired | CloseCode::NotPaired)) => DisconnectReason::Unpaired,
        Cause::TimedOut | Cause::Peer(Some(CloseCode::Timeout)) => DisconnectReason::TimedOut,
        Cause::Peer(_) | Cause::Refused | Cause::WrongKey => DisconnectReason::ClosedByPeer,
        Cause::NetworkChanged => DisconnectReason::NetworkChanged,
        Cause::Reset => DisconnectReason::Reset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use crate::peers::lonely::agree;
    use crate::peers::test_peers;
    use crate::testing::base;
    use std::collections::BTreeSet;

    #[test]
    fn a_dial_does_not_wait_for_a_connection_that_was_hung_up() {
        let [one, other] = [1, 2].map(|n| Identity::from_entropy([n; 32]).public_key());
        // The connection of the smaller fingerprint stays: here that is the peer's.
        let [peer, own] = if one.fingerprint() < other.fingerprint() { [one, other] } else { [other, one] };
        let mut peers = test_peers(own);
        peers.set_paired(base(), &BTreeSet::from([peer]));
        let address = "192.0.2.1:1".parse().unwrap();
        peers.add_address(base(), peer.peer_id(peers.kind), address);
        for (conn, dialled) in [(ConnId(0), false), (ConnId(1), true)] {
            agree(&mut peers, conn, peer, address, dialled);
        }
        assert!(peers.shown(&peer).is_some_and(|link| link.conn == ConnId(0)));
        peers.handle_lost(base(), ConnId(0), Cause::Here(CloseCode::Ok));
        peers.events.clear();
        assert_eq!(peers.connect(base(), peer), Ok(super::super::Dial::Dialling));
        assert!(peers.events.iter().any(|event| matches!(event, Event::Dial { .. })));
        peers.handle_lost(base(), ConnId(1), Cause::Here(CloseCode::Duplicate));
        let failed = |event: &Event| matches!(event, Event::Tell(Tell::ConnectFailed(..)));
        assert!(!peers.events.iter().any(failed));
    }

    #[test]
    fn a_peer_that_dials_again_and_again_keeps_two_connections_at_most() {
        let [own, peer] = [1, 2].map(|n| Identity::from_entropy([n; 32]).public_key());
        let mut peers = test_peers(own);
        peers.set_paired(base(), &BTreeSet::from([peer]));
        for conn in (0..20).map(ConnId) {
            agree(&mut peers, conn, peer, "192.0.2.1:1".parse().unwrap(), false);
        }
        let kept = |link: &&Link| matches!(link.stage, Stage::Up | Stage::Spare);
        assert_eq!(peers.links.values().filter(kept).count(), 2);
        let hung_up = peers.events.iter().filter(|event| matches!(event, Event::Hangup { .. })).count();
        assert_eq!(hung_up, 18);
    }
}
