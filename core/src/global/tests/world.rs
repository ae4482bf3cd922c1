//! Nodes and servers, with nothing between them: what is said arrives at once.

use super::directory::{Directory, Mood, Said};
use crate::config::{Announce, DiscoveryServer, Hearsay};
use crate::event::{Event as Tell, LookUpOutcome, ServerFailure, ServerState};
use crate::global::{End, Event, Global, Settings, Switched};
use crate::id::{ConnId, Fingerprint, PeerIdKind, PublicKey};
use crate::identity::Identity;
use crate::io::{Interface, InterfaceAddr, Now, UnixTime};
use crate::rng::{Rng, Seed};
use crate::store::PairSecret;
use crate::testing::base;
use crate::wire::discovery::Request;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// When a world begins, in seconds since 1970.
pub(super) const START_S: u64 = 1_800_000_000;

pub(super) struct TestNode {
    pub(super) key: Identity,
    pub(super) global: Global,
    pub(super) ip: IpAddr,
    /// By how much its clock is wrong.
    pub(super) clock_s: i64,
    pub(super) stored: Option<u64>,
    pub(super) store_fails: bool,
    pub(super) paired: BTreeMap<PublicKey, Vec<PairSecret>>,
    pub(super) trusted: BTreeSet<Fingerprint>,
    pub(super) found: BTreeMap<PublicKey, Vec<SocketAddr>>,
    pub(super) told: Vec<Tell>,
    /// What servers said of those who were looked up: the server's key and whose whereabouts.
    pub(super) looked_up: Vec<(Fingerprint, PublicKey, LookUpOutcome)>,
    pub(super) conns: BTreeMap<ConnId, usize>,
    pub(super) forgotten: Vec<u64>,
}

pub(super) struct World {
    pub(super) now: Now,
    pub(super) nodes: Vec<TestNode>,
    pub(super) servers: Vec<Directory>,
    next_conn: u64,
}

/// What a node is made with.
#[derive(Clone, Copy, Default)]
pub(super) struct Taste {
    pub(super) announce: Announce,
    pub(super) hearsay: Hearsay,
}

pub(super) fn server_at(n: usize) -> SocketAddr {
    format!("203.0.113.{}:5224", 1 + n).parse().unwrap()
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl World {
    /// So many nodes and servers; nobody is paired.
    pub(super) fn new(nodes: usize, servers: usize) -> Self {
        Self::of(&vec![Taste::default(); nodes], servers)
    }

    pub(super) fn of(nodes: &[Taste], servers: usize) -> Self {
        let now = Now { mono: base(), wall: UnixTime::from_micros(START_S * 1_000_000) };
        let servers: Vec<Directory> = (0..servers).map(|n| Directory::new(n as u8)).collect();
        let places = servers.iter().enumerate();
        let places = places.map(|(n, s)| DiscoveryServer::new(server_at(n), s.key.fingerprint()));
        let places: Vec<DiscoveryServer> = places.collect();
        let make = |(n, taste): (usize, &Taste)| TestNode::new(now, n, *taste, places.clone());
        let nodes = nodes.iter().enumerate().map(make).collect();
        let mut world = Self { now, nodes, servers, next_conn: 0 };
        world.run();
        world
    }

    pub(super) fn key(&self, node: usize) -> PublicKey {
        self.nodes[node].key.public_key()
    }

    /// Pairs two nodes, once more if they are.
    pub(super) fn pair(&mut self, a: usize, b: usize) {
        let len = self.nodes[a].paired.get(&self.key(b)).map_or(0, Vec::len) as u8;
        let secret = PairSecret::from_bytes([a.min(b) as u8 * 16 + a.max(b) as u8 + 100 * len; 32]);
        for (of, with) in [(a, b), (b, a)] {
            let key = self.key(with);
            self.nodes[of].paired.entry(key).or_default().push(secret.clone());
            self.sought(of);
        }
    }

    /// One side forgets the other.
    pub(super) fn forget(&mut self, node: usize, other: usize) {
        let key = self.key(other);
        self.nodes[node].paired.remove(&key);
        self.sought(node);
    }

    pub(super) fn trust(&mut self, node: usize, other: usize) {
        let print = self.key(other).fingerprint();
        self.nodes[node].trusted.insert(print);
        self.sought(node);
    }

    pub(super) fn sought(&mut self, node: usize) {
        let now = self.now_of(node);
        let TestNode { global, paired, trusted, .. } = &mut self.nodes[node];
        global.set_sought(now, paired.clone(), trusted);
        self.run();
    }

    /// A node gets another address.
    pub(super) fn move_to(&mut self, node: usize, ip: &str) {
        let now = self.now_of(node);
        let node = &mut self.nodes[node];
        node.ip = ip.parse().unwrap();
        node.global.handle_interfaces(now, &interfaces(node.ip), Some(7000));
        self.run();
    }

    pub(super) fn switch(&mut self, node: usize, to: Switched) {
        let now = self.now_of(node);
        self.nodes[node].global.switch(now, to);
        self.run();
    }

    /// Whether anybody is asked.
    pub(super) fn look_up(&mut self, node: usize, other: usize) -> bool {
        let (now, print) = (self.now_of(node), self.key(other).fingerprint());
        let is_asked = self.nodes[node].global.look_up(now, print);
        self.run();
        is_asked
    }

    /// What servers said of another who was looked up since the last call, by their places.
    pub(super) fn looked_up(&mut self, node: usize, other: usize) -> Vec<(usize, LookUpOutcome)> {
        let key = self.key(other);
        let told = std::mem::take(&mut self.nodes[node].looked_up);
        let place = |print| self.servers.iter().position(|server| server.key.fingerprint() == print).unwrap();
        let mut told: Vec<_> = told
            .into_iter()
            .inspect(|(_, peer, _)| assert_eq!(*peer, key))
            .map(|(server, _, outcome)| (place(server), outcome))
            .collect();
        told.sort_by_key(|(place, _)| *place);
        told
    }

    /// A server is restarted: its connections end, and with `Kept::Nothing` it knows nobody.
    pub(super) fn restart(&mut self, server: usize, kept: Kept) {
        let directory = &mut self.servers[server];
        directory.watchers.clear();
        if kept == Kept::Nothing {
            directory.records.clear();
            directory.highest.clear();
        }
        self.cut(server);
    }

    /// Every connection to a server ends.
    pub(super) fn cut(&mut self, server: usize) {
        for node in 0..self.nodes.len() {
            let all = self.nodes[node].conns.clone();
            for conn in all.into_iter().filter(|(_, to)| *to == server).map(|(conn, _)| conn) {
                self.lose(node, conn, ServerFailure::TimedOut);
            }
        }
        self.run();
    }

    pub(super) fn lose(&mut self, node: usize, conn: ConnId, why: ServerFailure) {
        let now = self.now_of(node);
        if let Some(server) = self.nodes[node].conns.remove(&conn) {
            self.servers[server].watchers.retain(|watcher| watcher.conn != conn);
            self.nodes[node].global.handle_lost(now, conn, why);
        }
    }

    /// Where a node takes another to be.
    pub(super) fn where_is(&self, node: usize, other: usize) -> Vec<SocketAddr> {
        self.nodes[node].found.get(&self.key(other)).cloned().unwrap_or_default()
    }

    pub(super) fn sees(&self, node: usize, other: usize) -> bool {
        self.where_is(node, other).contains(&SocketAddr::new(self.nodes[other].ip, 7000))
    }

    pub(super) fn states(&self, node: usize) -> Vec<ServerState> {
        self.nodes[node].global.servers().into_iter().map(|status| status.state).collect()
    }

    /// What a server was asked by a node since the last call.
    pub(super) fn asked(&mut self, server: usize, node: usize) -> Vec<Request> {
        let log = std::mem::take(&mut self.servers[server].log);
        log.into_iter().filter(|(who, _)| *who == node).map(|(_, request)| request).collect()
    }

    /// Lets time pass, from one deadline to the next.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        loop {
            self.run();
            let due = self.nodes.iter().filter_map(|node| node.global.poll_timeout()).map(|due| due.at).min();
            let at = due.map_or(end, |due| due.clamp(self.now.mono, end));
            let step = at - self.now.mono;
            assert!(step > Duration::ZERO || at == end, "a deadline that was served does not come back");
            self.now.mono = at;
            self.now.wall = UnixTime::from_micros(self.now.wall.as_micros() + step.as_micros() as u64);
            for node in 0..self.nodes.len() {
                let now = self.now_of(node);
                self.nodes[node].global.handle_timeout(now);
            }
            if at == end {
                return self.run();
            }
        }
    }

    /// A node's clocks.
    pub(super) fn now_of(&self, node: usize) -> Now {
        let micros = self.now.wall.as_micros().saturating_add_signed(self.nodes[node].clock_s * 1_000_000);
        Now { mono: self.now.mono, wall: UnixTime::from_micros(micros) }
    }

    /// Carries everything to whom it concerns until nobody has anything to say.
    pub(super) fn run(&mut self) {
        for _ in 0..100_000 {
            let next = (0..self.nodes.len()).find_map(|n| Some((n, self.nodes[n].global.poll_event()?)));
            match next {
                Some((node, event)) => self.carry(node, event),
                None => return self.check(),
            }
        }
        panic!("nobody comes to rest");
    }

    fn check(&self) {
        for node in &self.nodes {
            for table in node.global.tables(64) {
                assert!(table.len <= table.bound, "{table:?}");
            }
        }
    }

    fn carry(&mut self, n: usize, event: Event) {
        let now = self.now_of(n);
        let node = &mut self.nodes[n];
        match event {
            Event::Dial { server, to, key } => {
                let to = (0..self.servers.len()).find(|s| server_at(*s) == to).expect("a server is dialled");
                assert_eq!(key, self.servers[to].key.fingerprint());
                self.servers[to].dials += 1;
                self.next_conn += 1;
                let conn = ConnId(self.next_conn);
                node.global.handle_tried(now, server, Some(conn));
                if self.servers[to].mood == Mood::Down {
                    node.global.handle_lost(now, conn, ServerFailure::TimedOut);
                } else {
                    node.conns.insert(conn, to);
                    node.global.handle_connected(now, conn);
                }
            }
            Event::Request { conn, request, bytes } => {
                let Some(to) = node.conns.get(&conn).copied() else { return };
                let who = (node.key.fingerprint(), SocketAddr::new(node.ip, 7000));
                if self.servers[to].mood == Mood::Breaking {
                    return node.global.handle_reply(now, conn, request, &[], End::Broken);
                }
                let now_s = self.now.wall.as_secs();
                let said = self.servers[to].answer((n, conn, request), who, now_s, &bytes);
                said.into_iter().for_each(|said| self.deliver(&said));
            }
            Event::Forget { conn, request } => {
                node.forgotten.push(request);
                for server in &mut self.servers {
                    server.watchers.retain(|watcher| (watcher.conn, watcher.request) != (conn, request));
                }
            }
            Event::Close { conn } => self.lose(n, conn, ServerFailure::Closed),
            Event::Persist { seq } if node.store_fails => {
                assert!(node.stored.is_none_or(|last| last < seq), "no number twice");
                node.global.handle_store_failed(now);
            }
            Event::Persist { seq } => {
                assert!(node.stored.is_none_or(|last| last < seq), "no number twice");
                node.stored = Some(seq);
                node.global.handle_stored(now);
            }
            Event::Found { peer, addresses } if addresses.is_empty() => {
                node.found.remove(&peer);
            }
            Event::Found { peer, addresses } => {
                node.found.insert(peer, addresses);
            }
            Event::LookedUp { peer, server, outcome } => node.looked_up.push((server, peer, outcome)),
            Event::Tell(event) => node.told.push(event),
        }
    }

    pub(super) fn deliver(&mut self, said: &Said) {
        let now = self.now_of(said.node);
        let end = if said.is_last { End::Finished } else { End::Open };
        self.nodes[said.node].global.handle_reply(now, said.conn, said.request, &said.bytes, end);
    }
}

/// What a server keeps over a restart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    All,
    Nothing,
}

impl TestNode {
    fn new(now: Now, n: usize, taste: Taste, servers: Vec<DiscoveryServer>) -> Self {
        let key = Identity::from_entropy([1 + n as u8; 32]);
        let settings = Settings {
            own: key.public_key(),
            name: key.peer_id(PeerIdKind::Sha1),
            signer: key.signer(),
            servers,
            announce: taste.announce,
            hearsay: taste.hearsay,
        };
        let rng = Rng::child(&Seed::new([n as u8; 32]), "global");
        let mut global = Global::new(now.mono, settings, rng);
        let ip: IpAddr = format!("198.51.{n}.1").parse().unwrap();
        global.handle_interfaces(now, &interfaces(ip), Some(7000));
        global.handle_loaded(now, 0);
        Self {
            key,
            global,
            ip,
            clock_s: 0,
            stored: None,
            store_fails: false,
            paired: BTreeMap::new(),
            trusted: BTreeSet::new(),
            found: BTreeMap::new(),
            told: Vec::new(),
            looked_up: Vec::new(),
            conns: BTreeMap::new(),
            forgotten: Vec::new(),
        }
    }
}

fn interfaces(ip: IpAddr) -> [Interface; 1] {
    let addresses = vec![InterfaceAddr { ip, prefix: 24 }];
    [Interface { name: "eth0".into(), index: 2, loopback: false, addresses }]
}
