//! Peers: where they are, who is being dialled, and which connection to each is the one that counts.
//!
//! Never touches a socket or a pairing record: dials, frames and lists go out as [`Event`]s.

mod book;
mod connections;
mod dialling;
mod link;
mod race;
mod tables;

pub(crate) use book::{Hints, Sighting};
pub(crate) use race::Purpose;
pub(crate) use tables::Bounds;

use crate::event::{ConnectFailure, DiscoveredPeer, Event as Tell, PairingFailure, PairingId};
use crate::id::{ConnId, Fingerprint, PeerId, PeerIdKind, PublicKey};
use crate::io::{Deadline, Reason};
use crate::metadata::Metadata;
use crate::rng::Rng;
use crate::wire::close::CloseCode;
use crate::wire::control::Entry;
use crate::wire::frame::Frame;
use book::{Book, Change};
use link::Link;
use race::Race;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How long [`Peers::connect`] may take in all: the dial, TLS and both `Hello`s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(12);

/// What other engines hear.
#[derive(Debug)]
pub(crate) enum Event {
    /// Dial this address; answer with [`Peers::handle_tried`].
    Dial { dial: DialId, to: SocketAddr, purpose: Purpose },
    /// Close at once.
    Hangup { conn: ConnId, code: CloseCode },
    /// Say this on the control stream.
    Say { conn: ConnId, frame: Frame },
    /// End the control stream, then close.
    Leave { conn: ConnId, code: CloseCode },
    /// The peer listed its pairings. Answer with [`Peers::handle_settled`].
    List { conn: ConnId, peer: PublicKey, list: Vec<Entry> },
    /// Application streams may open.
    Admit { conn: ConnId },
    /// The application is told that it is gone: its streams end.
    Hide { conn: ConnId },
    /// No address for a pairing answered.
    PairingUnreachable { pairing: PairingId, failure: PairingFailure },
    /// There is room again for peers that were announced and not kept.
    Room,
    /// For the application.
    Tell(Tell),
}

/// One dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DialId(u64);

/// What a connect came to at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// A connection stands.
    Connected(ConnId),
    /// [`Event::PeerConnected`](crate::Event::PeerConnected) or
    /// [`Event::ConnectFailed`](crate::Event::ConnectFailed) will tell.
    Dialling,
}

/// The engine.
pub(crate) struct Peers {
    own: PublicKey,
    own_print: Fingerprint,
    kind: PeerIdKind,
    metadata: Metadata,
    instance: [u8; 16],
    book: Book,
    paired: BTreeSet<PublicKey>,
    dials: BTreeMap<DialId, Race>,
    next_dial: u64,
    links: BTreeMap<ConnId, Link>,
    /// Connections to each known key that stood and ended since the start.
    lost: BTreeMap<PublicKey, u32>,
    /// Whom the application waits for, and for how long.
    wanted: BTreeMap<PublicKey, Instant>,
    events: VecDeque<Event>,
}

impl Peers {
    pub(crate) fn new(
        own: PublicKey,
        kind: PeerIdKind,
        metadata: Metadata,
        max_peers: usize,
        rng: &mut Rng,
    ) -> Self {
        Self {
            own,
            own_print: own.fingerprint(),
            kind,
            metadata,
            instance: rng.bytes(),
            book: Book::new(max_peers),
            paired: BTreeSet::new(),
            dials: BTreeMap::new(),
            next_dial: 0,
            links: BTreeMap::new(),
            lost: BTreeMap::new(),
            wanted: BTreeMap::new(),
            events: VecDeque::new(),
        }
    }

    /// What later connections are told of this node.
    pub(crate) fn set_metadata(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    /// A peer is announced on an interface, first by whom is there as well.
    pub(crate) fn handle_sighted(&mut self, now: Instant, id: PeerId, by: (u32, IpAddr), sighting: Sighting) {
        if self.own.is_named(&id) {
            return;
        }
        let (change, evicted) = self.book.sight(now, id, by, sighting);
        self.tell_evicted(evicted);
        self.tell_change(id, change);
    }

    /// A peer is no longer announced on an interface.
    pub(crate) fn handle_unsighted(&mut self, id: PeerId, interface: u32) {
        let change = self.book.unsight(&id, interface);
        self.tell_change(id, change);
        self.make_room();
    }

    /// The application knows an address.
    pub(crate) fn add_address(&mut self, now: Instant, id: PeerId, address: SocketAddr) {
        let evicted = self.book.add_manual(now, id, address);
        self.tell_evicted(evicted);
    }

    /// Discovery servers say that a key is at these addresses, and at no other; nowhere, where there are none.
    pub(crate) fn handle_found(&mut self, now: Instant, peer: &PublicKey, addresses: &[SocketAddr]) {
        let id = peer.peer_id(self.kind);
        let (change, evicted) = self.book.set_found(now, id, peer.fingerprint(), addresses);
        self.tell_evicted(evicted);
        self.tell_change(id, change);
        self.make_room();
    }

    /// The peers that are present.
    pub(crate) fn discovered(&self) -> Vec<DiscoveredPeer> {
        self.book.present().filter_map(|id| self.book.describe(id)).collect()
    }

    /// Where a name may be reached.
    pub(crate) fn addresses_of(&self, id: &PeerId) -> Vec<SocketAddr> {
        self.book.addresses_of(&[*id])
    }

    /// Where a key may be reached of which the hash alone is known.
    pub(crate) fn addresses_of_print(&self, print: &Fingerprint) -> Vec<SocketAddr> {
        self.book.addresses_of_print(print)
    }

    /// The keys that are paired, whenever they change.
    pub(crate) fn set_paired(&mut self, paired: BTreeSet<PublicKey>) {
        self.lost.retain(|key, _| paired.contains(key));
        self.book.set_paired(&paired);
        self.paired = paired;
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<DialId> =
            self.dials.iter().filter(|(_, dial)| dial.deadline() <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.poll_dial(now, id);
        }
        let late: Vec<PublicKey> =
            self.wanted.iter().filter(|(_, until)| **until <= now).map(|(key, _)| *key).collect();
        for key in late {
            self.give_up(key, ConnectFailure::TimedOut);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let dials = self.dials.values().map(Race::deadline);
        let at = dials.chain(self.wanted.values().copied()).min()?;
        Some(Deadline { at, reason: Reason::Dial })
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn tell(&mut self, event: Tell) {
        self.events.push_back(Event::Tell(event));
    }

    /// Some peer that was announced was not kept, or made way: once there is room it is asked for.
    fn make_room(&mut self) {
        if self.book.take_room() {
            self.events.push_back(Event::Room);
        }
    }

    fn tell_evicted(&mut self, evicted: Option<PeerId>) {
        if let Some(evicted) = evicted {
            self.tell(Tell::PeerExpired(evicted));
        }
    }

    fn tell_change(&mut self, id: PeerId, change: Change) {
        let make = match change {
            Change::Nothing => return,
            Change::Expired => return self.tell(Tell::PeerExpired(id)),
            Change::Discovered => Tell::PeerDiscovered,
            Change::Updated => Tell::PeerUpdated,
        };
        if let Some(peer) = self.book.describe(&id) {
            self.tell(make(peer));
        }
    }
}
