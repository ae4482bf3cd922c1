//! Peers: where they are, who is being dialled, and which connection to each is the one that counts.
//!
//! Never touches a socket or a pairing record: dials, frames and lists go out as [`Event`]s.

mod book;
mod connections;
mod dialling;
mod link;
#[cfg(test)]
mod lonely;
mod lookups;
mod notes;
mod race;
mod reconnect;
mod silence;
mod tables;

pub(crate) use book::{Hints, Sighting};
pub(crate) use notes::is_note;
pub(crate) use race::Purpose;
pub(crate) use tables::Bounds;

use crate::ask::Ask;
use crate::config::{Config, Policy};
use crate::event::{ConnectFailure, DiscoveredPeer, Event as Tell, PairingFailure, PairingId};
use crate::host::HostName;
use crate::id::{ConnId, Fingerprint, PeerId, PeerIdKind, PublicKey};
use crate::io::{Deadline, Now, Reason, UnixTime};
use crate::metadata::Metadata;
use crate::rng::Rng;
use crate::wire::close::CloseCode;
use crate::wire::control::Entry;
use crate::wire::frame::Frame;
use book::{Book, Change};
use link::Link;
use lookups::Lookup;
use notes::{News, Notes};
use race::Race;
use reconnect::Known;
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
    /// Whether it is kept though nobody uses it.
    Keep { conn: ConnId, policy: Policy },
    /// The application is told that it is gone: its streams end.
    Hide { conn: ConnId },
    /// No address for a pairing answered.
    PairingUnreachable { pairing: PairingId, failure: PairingFailure },
    /// Put this to the driver. Answer with [`Peers::handle_resolved`], or [`Peers::handle_noted`].
    Ask(Ask),
    /// There is room again for peers that were announced and not kept.
    Room,
    /// For the application.
    Tell(Tell),
}

/// Whereabouts that are loaded of a store: as many as there are records, and those of which it was not yet told
/// that they are to go.
const MAX_NOTES: usize = 2 * 4096;

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
    policy: Policy,
    rng: Rng,
    book: Book,
    /// Every key that is paired.
    known: BTreeMap<PublicKey, Known>,
    /// Whom to dial, and when.
    due: BTreeSet<(Instant, PublicKey)>,
    /// With whom it may stand otherwise than was told.
    restless: BTreeSet<PublicKey>,
    stopped: bool,
    /// The wall clock as it was last told.
    wall: UnixTime,
    notes: Notes,
    lookups: BTreeMap<u64, Lookup>,
    next_lookup: u64,
    dials: BTreeMap<DialId, Race>,
    next_dial: u64,
    links: BTreeMap<ConnId, Link>,
    /// Whom the application waits for, and for how long.
    wanted: BTreeMap<PublicKey, Instant>,
    events: VecDeque<Event>,
}

impl Peers {
    pub(crate) fn new(own: PublicKey, config: &Config, mut rng: Rng) -> Self {
        Self {
            own,
            own_print: own.fingerprint(),
            kind: config.peer_id,
            metadata: config.metadata.clone(),
            instance: rng.bytes(),
            policy: config.policy,
            rng,
            book: Book::new(config.max_discovered_peers, config.sources),
            known: BTreeMap::new(),
            due: BTreeSet::new(),
            restless: BTreeSet::new(),
            stopped: false,
            wall: UnixTime::default(),
            notes: Notes::default(),
            lookups: BTreeMap::new(),
            next_lookup: 0,
            dials: BTreeMap::new(),
            next_dial: 0,
            links: BTreeMap::new(),
            wanted: BTreeMap::new(),
            events: VecDeque::new(),
        }
    }

    /// What later connections are told of this node.
    pub(crate) fn set_metadata(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    /// What time it is for people.
    pub(crate) fn set_wall(&mut self, wall: UnixTime) {
        self.wall = wall;
    }

    fn at(&self, now: Instant) -> Now {
        Now { mono: now, wall: self.wall }
    }

    /// A peer is announced on an interface, first by whom is there as well.
    pub(crate) fn handle_sighted(&mut self, now: Instant, id: PeerId, by: (u32, IpAddr), sighting: Sighting) {
        if self.own.is_named(&id) {
            return;
        }
        let addresses = sighting.addresses.clone();
        let (change, evicted) = self.book.sight(self.at(now), id, by, sighting);
        self.tell_evicted(evicted);
        self.tell_change(id, change);
        if change != Change::Nothing {
            self.learnt(now, &id, &addresses);
        }
    }

    /// A peer is no longer announced on an interface.
    pub(crate) fn handle_unsighted(&mut self, id: PeerId, interface: u32) {
        let change = self.book.unsight(&id, interface);
        self.tell_change(id, change);
        self.make_room();
    }

    /// The application knows an address.
    pub(crate) fn add_address(&mut self, now: Instant, id: PeerId, address: SocketAddr) {
        let (is_new, evicted) = self.book.add_manual(self.at(now), id, address);
        self.tell_evicted(evicted);
        self.given(now, &id, is_new);
        self.learnt(now, &id, &[address]);
    }

    /// The application knows a name.
    pub(crate) fn add_name(&mut self, now: Instant, id: PeerId, name: HostName) {
        let (is_new, evicted) = self.book.add_name(self.at(now), id, name);
        self.tell_evicted(evicted);
        self.given(now, &id, is_new);
        self.learnt(now, &id, &[]);
    }

    fn given(&mut self, now: Instant, id: &PeerId, is_new: bool) {
        if let Some(key) = self.book.key_named(id).filter(|_| is_new) {
            self.note(now, &key, News::Content);
        }
    }

    /// Addresses of a peer became known.
    fn learnt(&mut self, now: Instant, id: &PeerId, addresses: &[SocketAddr]) {
        if let Some(key) = self.book.key_named(id) {
            self.take_in(now, &key, addresses);
            self.look_elsewhere(now, &key);
            self.hope(now, &key);
        }
    }

    /// Discovery servers say that a key is at these addresses, and at no other; nowhere, where there are none.
    pub(crate) fn handle_found(&mut self, now: Instant, peer: &PublicKey, addresses: &[SocketAddr]) {
        let id = peer.peer_id(self.kind);
        let (change, evicted) = self.book.set_found(self.at(now), id, peer.fingerprint(), addresses);
        self.tell_evicted(evicted);
        self.tell_change(id, change);
        self.make_room();
        if change != Change::Nothing && !addresses.is_empty() {
            self.learnt(now, &id, addresses);
        }
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
        self.end_lookups(now);
        self.dial_due(now);
        self.write_notes(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let dials = self.dials.values().map(Race::deadline);
        let others = [self.next_due(), self.next_lookup_end(), self.notes.next_at()];
        let at = dials.chain(self.wanted.values().copied()).chain(others.into_iter().flatten()).min()?;
        Some(Deadline { at, reason: Reason::Dial })
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.poll_state().map(Event::Tell))
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

/// An engine with nobody paired.
#[cfg(test)]
fn test_peers(own: PublicKey) -> Peers {
    let config = Config::new(crate::id::ServiceName::new("test").expect("a name"));
    Peers::new(own, &config, Rng::child(&crate::rng::Seed::new([0; 32]), "peers"))
}
