//! The client of discovery servers: what it is told, and what it wants done. See [`Global`].
//!
//! After each verb it looks at every server in turn ([`Global::work`]) and does what is due: there are few servers, and
//! little happens.

use super::allowance::Allowance;
use super::announce::{Announcer, Content};
use super::clock;
use super::contact::{Contact, LEAVE_TIMEOUT, ServerId, Stage, What};
use super::reach::Around;
use super::seek::Seek;
use super::stats::GlobalStats;
use crate::config::{Announce, DiscoveryServer, Hearsay};
use crate::event::{Event as Tell, LookUpOutcome, ServerFailure, ServerState, ServerStatus};
use crate::id::{ConnId, Fingerprint, PeerId, PublicKey};
use crate::identity::Signer;
use crate::io::{Deadline, Interface, Now, Reason};
use crate::rng::Rng;
use crate::store::PairSecret;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Look-ups out of turn: so many in a burst, and one each so often.
const URGENT_BURST: u32 = 16;
const URGENT_EACH: Duration = Duration::from_secs(2);

/// What other engines hear.
#[derive(Debug)]
pub(crate) enum Event {
    /// Dial this server; answer with [`Global::handle_tried`].
    Dial { server: ServerId, to: SocketAddr, key: Fingerprint },
    /// Say this on a new stream and end it; what comes back goes to [`Global::handle_reply`].
    Request { conn: ConnId, request: u64, bytes: Bytes },
    /// The rest of a reply is not wanted.
    Forget { conn: ConnId, request: u64 },
    /// Close at once.
    Close { conn: ConnId },
    /// Store this number; answer with [`Global::handle_stored`].
    Persist { seq: u64 },
    /// Servers say that a peer is here, and nowhere else; nowhere at all, where there is no address.
    Found { peer: PublicKey, addresses: Vec<SocketAddr> },
    /// What a server said of a peer that the application had it asked about.
    LookedUp { peer: PublicKey, server: Fingerprint, outcome: LookUpOutcome },
    /// For the application.
    Tell(Tell),
}

/// What a node's configuration says of it.
pub(crate) struct Settings {
    pub(crate) own: PublicKey,
    pub(crate) name: PeerId,
    pub(crate) signer: Signer,
    pub(crate) servers: Vec<DiscoveryServer>,
    pub(crate) announce: Announce,
    pub(crate) hearsay: Hearsay,
}

/// Whether servers are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switched {
    On,
    Off,
    /// For good.
    Ended,
}

/// The engine. Without servers it does nothing.
pub(crate) struct Global {
    pub(super) name: PeerId,
    pub(super) announce: Announce,
    switched: Switched,
    pub(super) around: Around,
    pub(super) announcer: Announcer,
    pub(super) seek: Seek,
    pub(super) contacts: Vec<Contact>,
    urgent: Allowance,
    next_request: u64,
    /// What is announced may have changed.
    changed: bool,
    pub(super) events: VecDeque<Event>,
    deadline: Option<Instant>,
    pub(super) rng: Rng,
    pub(super) stats: GlobalStats,
}

impl Global {
    pub(crate) fn new(now: Instant, settings: Settings, rng: Rng) -> Self {
        let Settings { own, name, signer, servers, announce, hearsay } = settings;
        Self {
            name,
            announce,
            switched: Switched::On,
            around: Around::default(),
            announcer: Announcer::new(now, own, signer, announce),
            seek: Seek::new(hearsay),
            contacts: servers.into_iter().map(|server| Contact::new(now, server)).collect(),
            urgent: Allowance::new(now, URGENT_BURST, URGENT_EACH),
            next_request: 0,
            changed: false,
            events: VecDeque::new(),
            deadline: None,
            rng,
            stats: GlobalStats::default(),
        }
    }

    /// Whether there is any server to ask.
    pub(crate) fn is_used(&self) -> bool {
        !self.contacts.is_empty()
    }

    /// The store has loaded: the last number that was announced, or 0.
    pub(crate) fn handle_loaded(&mut self, now: Now, last: u64) {
        self.announcer.handle_loaded(last);
        self.work(now);
    }

    /// What was asked by [`Event::Persist`] is durable.
    pub(crate) fn handle_stored(&mut self, now: Now) {
        let ahead_s = self.ahead_s();
        self.announcer.handle_stored(now.mono, now.wall, ahead_s, &mut self.rng);
        self.work(now);
    }

    /// It is not, or nobody knows.
    pub(crate) fn handle_store_failed(&mut self, now: Now) {
        self.announcer.handle_store_failed(now.mono);
        self.work(now);
    }

    /// The secrets of the pairings with each key, and the keys that are trusted and not paired yet.
    pub(crate) fn set_sought(
        &mut self,
        now: Now,
        paired: BTreeMap<PublicKey, Vec<PairSecret>>,
        trusted: &BTreeSet<Fingerprint>,
    ) {
        let before = self.seek.version();
        self.seek.set(paired, trusted);
        if self.seek.version() != before {
            for contact in &mut self.contacts {
                contact.retain(|print| self.seek.is_sought(print));
            }
            self.changed = true;
            self.work(now);
        }
    }

    /// A connection to a peer stands.
    pub(crate) fn handle_peer_connected(&mut self, peer: &PublicKey) {
        self.seek.handle_connected(&peer.fingerprint());
    }

    /// Where this node is: its interfaces, and the port of QUIC.
    pub(crate) fn handle_interfaces(&mut self, now: Now, list: &[Interface], port: Option<u16>) {
        self.around.set_interfaces(list, port);
        self.moved();
        self.work(now);
    }

    /// Another network may reach what the last one did not.
    pub(crate) fn handle_network_changed(&mut self, now: Now) {
        for contact in &mut self.contacts {
            contact.hope(now.mono);
        }
        self.work(now);
    }

    /// Asks every server where a peer is, now. Nothing happens, and `false` comes back, where it is asked too often,
    /// of whom is not sought, or while servers are not used.
    pub(crate) fn look_up(&mut self, now: Now, print: Fingerprint) -> bool {
        let may = self.switched == Switched::On && self.seek.is_sought(&print);
        if !may || self.urgent.take(now.mono).is_err() {
            return false;
        }
        for contact in &mut self.contacts {
            contact.look_up(now.mono, print);
        }
        self.work(now);
        true
    }

    /// Switches all of it on or off. Off, nothing is sent to any server once it is told that this node goes, and nothing
    /// that servers told is known any more.
    pub(crate) fn switch(&mut self, now: Now, to: Switched) {
        if self.switched == Switched::Ended || self.switched == to {
            return;
        }
        self.switched = to;
        self.changed = true;
        if to != Switched::On {
            self.seek.forget();
        }
        self.work(now);
    }

    /// What became of [`Event::Dial`].
    pub(crate) fn handle_tried(&mut self, now: Now, server: ServerId, conn: Option<ConnId>) {
        let contact = &mut self.contacts[server.0];
        match (contact.stage, conn) {
            (Stage::Dialling { conn: None }, Some(_)) => contact.stage = Stage::Dialling { conn },
            (Stage::Dialling { conn: None }, None) => self.dial(now.mono, server, ServerFailure::Unreachable),
            (_, Some(conn)) => self.events.push_back(Event::Close { conn }),
            (_, None) => {}
        }
        self.work(now);
    }

    /// A connection to a server stands.
    pub(crate) fn handle_connected(&mut self, now: Now, conn: ConnId) {
        let Some(server) = self.by_conn(conn) else { return self.events.push_back(Event::Close { conn }) };
        let contact = &mut self.contacts[server.0];
        if matches!(contact.stage, Stage::Dialling { .. }) {
            contact.handle_up(now.mono, conn);
        }
        self.work(now);
    }

    /// A connection is over, whichever it was.
    pub(crate) fn handle_lost(&mut self, now: Now, conn: ConnId, why: ServerFailure) {
        let Some(server) = self.by_conn(conn) else { return };
        let contact = &mut self.contacts[server.0];
        match contact.stage {
            Stage::Dialling { .. } => self.dial(now.mono, server, why),
            Stage::Up { .. } => contact.fail(now.mono, why, &mut self.rng),
            Stage::Leaving { .. } => contact.reset(),
            Stage::Idle | Stage::Waiting { .. } => {}
        }
        self.work(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        if self.deadline.is_some_and(|at| at <= now.mono) {
            self.work(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        self.deadline.map(|at| Deadline { at, reason: Reason::Discovery })
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How it stands with each server, in the configuration's order.
    pub(crate) fn servers(&self) -> Vec<ServerStatus> {
        let status = |contact: &Contact| ServerStatus { server: contact.server.key, state: contact.state() };
        self.contacts.iter().map(status).collect()
    }

    pub(crate) fn stats(&self) -> GlobalStats {
        self.stats
    }

    /// Whether nothing more is to be said to a server, after [`Switched::Ended`].
    pub(crate) fn is_drained(&self) -> bool {
        self.contacts.iter().all(|contact| contact.stage == Stage::Idle)
    }

    /// The connections to servers.
    pub(crate) fn conns(&self) -> Vec<ConnId> {
        self.contacts.iter().filter_map(Contact::conn).collect()
    }

    /// By how much the clock that dates records is ahead of this device's: that of the first server that told its own.
    pub(super) fn ahead_s(&self) -> i64 {
        self.contacts.iter().find_map(|contact| contact.ahead_s).unwrap_or(0)
    }

    pub(super) fn by_conn(&self, conn: ConnId) -> Option<ServerId> {
        self.contacts.iter().position(|contact| contact.conn() == Some(conn)).map(ServerId)
    }

    /// What is announced, and what may be dialled, follows from where this node is.
    pub(super) fn moved(&mut self) {
        self.changed = true;
        self.seek.look_again();
    }

    /// Sends a request on a connection that is up.
    pub(super) fn ask(&mut self, now: Instant, server: ServerId, what: What, bytes: Bytes) -> u64 {
        let contact = &mut self.contacts[server.0];
        let conn = contact.conn().expect("who is asked is connected");
        self.next_request += 1;
        contact.ask(now, self.next_request, what);
        self.events.push_back(Event::Request { conn, request: self.next_request, bytes });
        self.next_request
    }

    /// Hangs up on a server that is of no use for now.
    pub(super) fn fail(&mut self, now: Instant, server: ServerId, why: ServerFailure) {
        let contact = &mut self.contacts[server.0];
        if let Some(conn) = contact.conn() {
            self.events.push_back(Event::Close { conn });
        }
        contact.fail(now, why, &mut self.rng);
    }

    /// Does whatever is due.
    pub(super) fn work(&mut self, now: Now) {
        self.compose(now);
        for server in (0..self.contacts.len()).map(ServerId) {
            self.attend(now.mono, server);
        }
        let now_s = clock::shifted(now.wall, self.ahead_s()).as_secs();
        for (peer, addresses) in self.seek.take_news(&self.around, now_s) {
            self.events.push_back(Event::Found { peer, addresses });
        }
        self.give_look_ups_up();
        self.tell_states();
        let contacts = self.contacts.iter().filter_map(|contact| contact.poll_timeout(now.mono));
        self.deadline = contacts.chain(self.announcer.poll_timeout()).min();
    }

    /// Makes up what is announced, and has its number stored.
    fn compose(&mut self, now: Now) {
        if !self.is_used() {
            return;
        }
        if std::mem::take(&mut self.changed) {
            let content = self.has_reason_to_announce().then(|| Content {
                addresses: self.around.candidates(),
                secrets: if self.announce == Announce::Sealed { self.seek.readers() } else { Vec::new() },
            });
            self.announcer.tell(now.mono, content);
        }
        if let Some(seq) = self.announcer.poll(now.mono, now.wall, self.ahead_s()) {
            self.events.push_back(Event::Persist { seq });
        }
    }

    /// Nobody can read what is sealed for nobody; what is plain may bring two together that trust each other.
    fn has_reason_to_announce(&self) -> bool {
        self.is_needed() && (self.seek.has_paired() || self.announce == Announce::Plain)
    }

    fn is_needed(&self) -> bool {
        self.switched == Switched::On && self.seek.len() > 0
    }

    fn attend(&mut self, now: Instant, server: ServerId) {
        let is_needed = self.is_needed();
        let contact = &mut self.contacts[server.0];
        match contact.stage {
            Stage::Idle if is_needed => self.dial(now, server, ServerFailure::Unreachable),
            Stage::Waiting { .. } if !is_needed => contact.reset(),
            Stage::Waiting { until, .. } if until <= now => {
                self.dial(now, server, ServerFailure::Unreachable)
            }
            Stage::Dialling { conn } if !is_needed => {
                self.events.extend(conn.map(|conn| Event::Close { conn }));
                contact.reset();
            }
            Stage::Up { .. } if contact.is_late(now) => self.fail(now, server, ServerFailure::TimedOut),
            Stage::Up { conn, .. } if !is_needed => {
                self.forget_all(server);
                self.contacts[server.0].stage = Stage::Leaving { conn, until: now + LEAVE_TIMEOUT };
                self.withdraw(now, server);
                self.end_leaving(now, server);
            }
            Stage::Up { .. } => self.ask_what_is_due(now, server),
            Stage::Leaving { .. } => self.end_leaving(now, server),
            Stage::Idle | Stage::Waiting { .. } | Stage::Dialling { .. } => {}
        }
    }

    /// Tries the next address of a server, or makes a pause where all failed, the last for that reason.
    fn dial(&mut self, now: Instant, server: ServerId, why: ServerFailure) {
        let contact = &mut self.contacts[server.0];
        match contact.next_address() {
            Some(to) => {
                contact.stage = Stage::Dialling { conn: None };
                self.stats.dials += 1;
                self.events.push_back(Event::Dial { server, to, key: contact.server.key });
            }
            None => contact.fail(now, why, &mut self.rng),
        }
    }

    fn end_leaving(&mut self, now: Instant, server: ServerId) {
        let contact = &mut self.contacts[server.0];
        if let Stage::Leaving { conn, until } = contact.stage
            && (until <= now || contact.asked.is_empty())
        {
            contact.lease.told = None;
            contact.reset();
            self.events.push_back(Event::Close { conn });
        }
    }

    /// What a server says of somebody, or why it does not, where the application waits for it.
    pub(super) fn looked_up(&mut self, server: ServerId, print: Fingerprint, outcome: LookUpOutcome) {
        let contact = &mut self.contacts[server.0];
        let server = contact.server.key;
        if contact.wanted.remove(&print)
            && let Some(peer) = self.seek.key(&print)
        {
            self.events.push_back(Event::LookedUp { peer, server, outcome });
        }
    }

    /// Of a server that makes a pause nothing is to be expected soon, and of one that is not used nothing at all.
    fn give_look_ups_up(&mut self) {
        let is_needed = self.is_needed();
        for server in (0..self.contacts.len()).map(ServerId) {
            let why = match self.contacts[server.0].state() {
                ServerState::Waiting { why, .. } => why,
                _ if !is_needed => ServerFailure::Closed,
                _ => continue,
            };
            for print in self.contacts[server.0].wanted.clone() {
                self.looked_up(server, print, LookUpOutcome::Failed(why));
            }
        }
    }

    fn tell_states(&mut self) {
        for contact in &mut self.contacts {
            let state = contact.state();
            if std::mem::replace(&mut contact.told, state) != state {
                let status = ServerStatus { server: contact.server.key, state };
                self.events.push_back(Event::Tell(Tell::ServerState(status)));
            }
        }
    }
}
