//! One host of a world: its interfaces, clock, store, node and application; or a discovery server in place of the
//! node.

use crate::clock::Clock;
use crate::fabric::Port;
use crate::store::Store;
use crate::world::Due;
use handfast_core::ask::PairedToken;
use handfast_core::store::PairRecord;
use handfast_core::{
    Config, Family, Identity, Interface, InterfaceAddr, Node, PairId, Server, ServerConfig, SocketId,
    SocketSpec,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// The port of mDNS. RFC 6762 §3.
pub(crate) const MDNS_PORT: u16 = 5353;

/// The port that nodes get for QUIC when they leave it to the system.
pub(crate) const QUIC_PORT: u16 = 40_000;

/// The port of a discovery server that leaves it to the system.
pub(crate) const SERVER_PORT: u16 = 5224;

/// What a host begins with.
pub struct Setup {
    /// For people who read the story.
    pub name: String,
    /// How its node behaves.
    pub config: Config,
    /// Who it is.
    pub identity: Arc<Identity>,
    /// What its store holds already.
    pub records: Vec<PairRecord>,
    /// Its interfaces.
    pub ports: Vec<Port>,
    /// Whether its system has IPv6 at all.
    pub ipv6: bool,
    /// By how many seconds its calendar is ahead.
    pub skew_s: i64,
    /// How its discovery server behaves, where it has one in place of a node.
    pub serves: Option<ServerConfig>,
}

impl Setup {
    /// A host without interfaces, whose clock is right and whose store is empty.
    pub fn new(name: impl Into<String>, config: Config, identity: Arc<Identity>) -> Self {
        let (records, ports) = (Vec::new(), Vec::new());
        Self { name: name.into(), config, identity, records, ports, ipv6: true, skew_s: 0, serves: None }
    }

    /// Plugs it into a segment.
    #[must_use]
    pub fn with_port(mut self, port: Port) -> Self {
        self.ports.push(port);
        self
    }

    /// Makes it a discovery server: it has no node, and its application is asked nothing.
    #[must_use]
    pub fn with_server(mut self, config: ServerConfig) -> Self {
        self.serves = Some(config);
        self
    }

    /// Gives its store something to begin with.
    #[must_use]
    pub fn with_records(mut self, records: Vec<PairRecord>) -> Self {
        self.records = records;
        self
    }
}

/// What runs on a host.
pub(crate) enum Engine {
    Node(Box<Node>),
    Server(Box<Server>),
}

impl Engine {
    /// What a driver needs of either.
    pub(crate) fn machine(&mut self) -> &mut dyn handfast_driver::Machine {
        match self {
            Self::Node(node) => &mut **node,
            Self::Server(server) => &mut **server,
        }
    }
}

/// A hook that was asked to save a peer and has not answered.
pub(crate) struct Pending {
    pub(crate) pair_id: PairId,
    pub(crate) token: PairedToken,
    /// Which pending answer it is: a rolled back one is dropped.
    pub(crate) ticket: u64,
}

/// A host.
pub struct Machine<A> {
    /// For people who read the story.
    pub name: String,
    /// What runs on it.
    pub app: A,
    /// What it keeps.
    pub store: Store,
    /// What it takes for the time.
    pub clock: Clock,
    /// IP versions in which its system opens no socket.
    pub refused: BTreeSet<Family>,
    /// How often it looked up a name.
    pub looked_up: u32,
    /// What a discovery server wrote down last.
    pub snapshot: Vec<u8>,
    pub(crate) engine: Option<Engine>,
    pub(crate) config: Config,
    pub(crate) serves: Option<ServerConfig>,
    pub(crate) identity: Arc<Identity>,
    /// How often its node began: what belongs to an earlier life is dropped.
    pub(crate) boots: u64,
    /// How often its node, or its interfaces, began anew.
    pub(crate) changes: u64,
    pub(crate) ports: BTreeMap<u32, Port>,
    pub(crate) sockets: BTreeMap<SocketId, SocketSpec>,
    pub(crate) hooks: Vec<Pending>,
    /// Whom its application was asked to save in this life of its node.
    pub(crate) asked: BTreeSet<PairId>,
    /// When its node wants to be told the time, on the world's clock.
    pub(crate) wake_at: Option<Instant>,
    pub(crate) asleep: Option<Instant>,
    /// What came due while it slept, and when.
    pub(crate) put_off: Vec<(Instant, Due)>,
    /// How often its node was told one and the same time.
    pub(crate) turns: Turns,
}

/// How often a node was told one and the same moment.
#[derive(Default)]
pub(crate) struct Turns {
    at: Option<Instant>,
    count: u32,
}

impl Turns {
    /// Counts one; how many there were at this moment.
    pub(crate) fn at(&mut self, now: Instant) -> u32 {
        if self.at != Some(now) {
            *self = Self { at: Some(now), count: 0 };
        }
        self.count += 1;
        self.count
    }
}

impl<A> Machine<A> {
    pub(crate) fn new(setup: Setup, app: A, clock: Clock) -> Self {
        let store = Store {
            records: setup.records.into_iter().map(|record| (record.pair_id, record)).collect(),
            ..Store::default()
        };
        Self {
            name: setup.name,
            app,
            store,
            clock,
            looked_up: 0,
            refused: if setup.ipv6 { BTreeSet::new() } else { [Family::V6].into() },
            snapshot: Vec::new(),
            engine: None,
            config: setup.config,
            serves: setup.serves,
            identity: setup.identity,
            boots: 0,
            changes: 0,
            ports: BTreeMap::new(),
            sockets: BTreeMap::new(),
            hooks: Vec::new(),
            asked: BTreeSet::new(),
            wake_at: None,
            asleep: None,
            put_off: Vec::new(),
            turns: Turns::default(),
        }
    }

    /// Its node, unless it crashed.
    pub fn node(&mut self) -> Option<&mut Node> {
        match &mut self.engine {
            Some(Engine::Node(node)) => Some(node),
            Some(Engine::Server(_)) | None => None,
        }
    }

    /// Its discovery server, if it has one that did not crash.
    pub fn server(&mut self) -> Option<&mut Server> {
        match &mut self.engine {
            Some(Engine::Server(server)) => Some(server),
            Some(Engine::Node(_)) | None => None,
        }
    }

    /// Whether its node, or its server, runs.
    pub fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    /// How many hooks were asked to save a peer and have neither answered nor been rolled back.
    pub fn hooks_pending(&self) -> usize {
        self.hooks.len()
    }

    /// Whether it sleeps.
    pub fn is_asleep(&self) -> bool {
        self.asleep.is_some()
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its addresses, on all interfaces that are up.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.ports.values().flat_map(|port| port.addresses.iter().map(|address| address.ip))
    }

    /// Where its QUIC socket is reached, by its first address of a family.
    pub fn address(&self, family: Family) -> Option<SocketAddr> {
        let ip = self.ips().find(|ip| Family::of(*ip) == family)?;
        Some(SocketAddr::new(ip, self.quic_port()))
    }

    /// The port of its QUIC sockets.
    pub fn quic_port(&self) -> u16 {
        let (chosen, own) = match &self.serves {
            Some(server) => (server.port, SERVER_PORT),
            None => (self.config.port, QUIC_PORT),
        };
        if chosen == 0 { own } else { chosen }
    }

    /// Its interfaces as its system lists them.
    pub(crate) fn interfaces(&self) -> Vec<Interface> {
        let one = |port: &Port| Interface {
            name: format!("sim{}", port.interface),
            index: port.interface,
            loopback: false,
            addresses: port.addresses.clone(),
        };
        self.ports.values().map(one).collect()
    }

    /// The port that a socket sends from, and listens on.
    pub(crate) fn port_of(&self, spec: &SocketSpec) -> u16 {
        match spec {
            SocketSpec::Quic { .. } => self.quic_port(),
            SocketSpec::Mdns { .. } => MDNS_PORT,
        }
    }

    /// The socket that hears what came in on an interface for a port.
    pub(crate) fn socket_for(&self, interface: u32, family: Family, port: u16) -> Option<SocketId> {
        let hears = |spec: &SocketSpec| match spec {
            SocketSpec::Quic { family: f, .. } => *f == family && port == self.quic_port(),
            SocketSpec::Mdns { family: f, interface: i, .. } => {
                *f == family && *i == interface && port == MDNS_PORT
            }
        };
        self.sockets.iter().find(|(_, spec)| hears(spec)).map(|(id, _)| *id)
    }
}

/// An address and the length of its prefix, from text such as `10.0.0.1/24`.
///
/// # Panics
/// For any other text: it is part of a test.
pub fn address(text: &str) -> InterfaceAddr {
    let (ip, prefix) = text.split_once('/').expect("an address with the length of its prefix");
    InterfaceAddr { ip: ip.parse().expect("an address"), prefix: prefix.parse().expect("a length") }
}
