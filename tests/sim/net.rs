//! A network of nodes in memory, in virtual time.
//!
//! Every node has one interface, `sim0`, with one IPv4 address on one LAN. Datagrams arrive in the order in
//! which they were sent, after [`Net::latency`]. Nothing here reads a clock: time moves to the next thing
//! that is due.

use bytes::BytesMut;
use handfast_core::ask::{Answer, Ask};
use handfast_core::store::{PairRecord, StoreReply, StoreRequest};
use handfast_core::{
    Config, Event, Family, Identity, Interface, InterfaceAddr, Node, Now, Opened, Output, PairId, Ready,
    Received, Seed, SocketId, SocketSpec, Transmit, UnixTime,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// The port of mDNS. RFC 6762 §3.
const MDNS_PORT: u16 = 5353;

/// The port that nodes get for QUIC when they leave it to the system.
const QUIC_PORT: u16 = 40_000;

/// 2026-01-01, as microseconds since the epoch: where the wall clock begins.
const WALL_START: u64 = 1_767_225_600_000_000;

/// Which node of a [`Net`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(pub usize);

/// What the application under a node answers when it is asked to save or to undo a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hooks {
    /// It succeeds.
    #[default]
    Succeed,
    /// It fails.
    Fail,
    /// It never answers.
    Hang,
}

/// One host: a node, its store and what it told its application.
pub struct Machine {
    /// The node.
    pub node: Node,
    /// What it stored, by the key of each record.
    pub store: BTreeMap<PairId, PairRecord>,
    /// Whether the store takes writes.
    pub store_works: bool,
    /// How its application answers hooks.
    pub hooks: Hooks,
    /// Peers that its application saved and did not undo.
    pub saved: Vec<PairId>,
    /// What it told, in order.
    pub events: Vec<Event>,
    /// What its streams became ready for, in order.
    pub ready: Vec<Ready>,
    /// Questions about pairing requests that wait for the test to answer.
    pub requests: Vec<Ask>,
    /// Its address.
    pub ip: Ipv4Addr,
    sockets: BTreeMap<SocketId, SocketSpec>,
    wake_at: Option<Instant>,
}

/// Says of a datagram, and of who sent it, whether it is lost.
pub type Loss = Box<dyn FnMut(Host, &[u8]) -> bool>;

/// A datagram on its way.
struct Flight {
    at: Instant,
    to: Host,
    rx: Received,
}

/// A network in virtual time.
pub struct Net {
    /// The hosts.
    pub hosts: Vec<Machine>,
    /// How long a datagram is on its way.
    pub latency: Duration,
    /// Every datagram that was sent: by whom, to where, and its bytes.
    pub trace: Vec<(Host, SocketAddr, Vec<u8>)>,
    /// Which datagrams are lost. `None` loses nothing.
    pub lose: Option<Loss>,
    start: Instant,
    now: Instant,
    flights: VecDeque<Flight>,
}

impl Net {
    /// An empty network. `start` is any moment: only what passes since then matters.
    pub fn new(start: Instant) -> Self {
        Self {
            hosts: Vec::new(),
            latency: Duration::from_millis(1),
            trace: Vec::new(),
            lose: None,
            start,
            now: start,
            flights: VecDeque::new(),
        }
    }

    /// Adds a host whose store holds `records`, and starts its node.
    pub fn add(&mut self, config: Config, identity: &Identity, seed: u64, records: Vec<PairRecord>) -> Host {
        let host = Host(self.hosts.len());
        let machine = self.machine(host, config, identity, seed, records);
        self.hosts.push(machine);
        self.start_node(host);
        host
    }

    /// Puts another node in the place of a host's, which is gone without a word.
    pub fn replace(
        &mut self,
        host: Host,
        config: Config,
        identity: &Identity,
        seed: u64,
        records: Vec<PairRecord>,
    ) {
        self.hosts[host.0] = self.machine(host, config, identity, seed, records);
        self.start_node(host);
    }

    fn machine(
        &self,
        host: Host,
        config: Config,
        identity: &Identity,
        seed: u64,
        records: Vec<PairRecord>,
    ) -> Machine {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let (crypto, seed) = (crate::crypto::seeded(seed), Seed::new(bytes));
        let node =
            Node::new(config, identity, crypto, &seed, self.now()).expect("the configuration is sound");
        Machine {
            node,
            store: records.into_iter().map(|record| (record.pair_id, record)).collect(),
            store_works: true,
            hooks: Hooks::Succeed,
            saved: Vec::new(),
            events: Vec::new(),
            ready: Vec::new(),
            requests: Vec::new(),
            ip: Ipv4Addr::new(10, 0, 0, 1 + host.0 as u8),
            sockets: BTreeMap::new(),
            wake_at: None,
        }
    }

    fn start_node(&mut self, host: Host) {
        let now = self.now();
        let machine = &mut self.hosts[host.0];
        let address = InterfaceAddr { ip: machine.ip.into(), prefix: 24 };
        let interface =
            Interface { name: "sim0".into(), index: 1, loopback: false, addresses: vec![address] };
        machine.node.handle_interfaces(now, &[interface]);
        self.settle(host);
    }

    /// What time it is.
    pub fn now(&self) -> Now {
        let passed = self.now - self.start;
        Now { mono: self.now, wall: UnixTime::from_micros(WALL_START + passed.as_micros() as u64) }
    }

    /// How much time passed since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// A host, to look at or to tell something: call [`Net::settle`] after telling.
    pub fn host(&mut self, host: Host) -> &mut Machine {
        &mut self.hosts[host.0]
    }

    /// Tells a node something and lets it act on it.
    pub fn tell<T>(&mut self, host: Host, say: impl FnOnce(&mut Node, Now) -> T) -> T {
        let now = self.now();
        let result = say(&mut self.hosts[host.0].node, now);
        self.settle(host);
        result
    }

    /// Where a host's QUIC socket is reached.
    pub fn address(&self, host: Host) -> SocketAddr {
        SocketAddr::new(self.hosts[host.0].ip.into(), QUIC_PORT)
    }

    /// Lets time pass until `done`, at most for `limit`. Whether it came to be.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let until = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            match self.next_due() {
                Some(at) if at <= until => self.step(at),
                _ => {
                    self.now = until;
                    return done(self);
                }
            }
        }
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Delivers a datagram that no node sent.
    pub fn inject(&mut self, to: Host, source: SocketAddr, bytes: &[u8]) {
        let machine = &self.hosts[to.0];
        let quic = |spec: &SocketSpec| matches!(spec, SocketSpec::Quic { .. });
        let socket = machine.sockets.iter().find(|(_, spec)| quic(spec)).map(|(id, _)| *id);
        let rx = received(socket.expect("a started node has a QUIC socket"), source, machine.ip, bytes);
        let now = self.now();
        self.hosts[to.0].node.handle_datagram(now, rx);
        self.settle(to);
    }

    /// Carries out everything that a node wants done.
    pub fn settle(&mut self, host: Host) {
        let mut buf = Vec::new();
        loop {
            let now = self.now();
            match self.hosts[host.0].node.poll_output(now, &mut buf) {
                Output::Open(id, spec) => self.open(host, id, spec),
                Output::Close(id) => {
                    self.hosts[host.0].sockets.remove(&id);
                }
                Output::Transmit(transmit) => self.transmit(host, &transmit, &buf),
                Output::Event(event) => self.hosts[host.0].events.push(event),
                Output::Ready(ready) => self.hosts[host.0].ready.push(ready),
                Output::Ask(ask) => self.ask(host, ask),
                Output::Yield => {}
                Output::Wait(deadline) => {
                    self.hosts[host.0].wake_at = deadline.map(|deadline| deadline.at);
                    return;
                }
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let wakes = self.hosts.iter().filter_map(|machine| machine.wake_at);
        let flights = self.flights.front().map(|flight| flight.at);
        wakes.chain(flights).min()
    }

    fn step(&mut self, at: Instant) {
        self.now = self.now.max(at);
        while self.flights.front().is_some_and(|flight| flight.at <= self.now) {
            let Some(flight) = self.flights.pop_front() else { break };
            let now = self.now();
            self.hosts[flight.to.0].node.handle_datagram(now, flight.rx);
            self.settle(flight.to);
        }
        for host in 0..self.hosts.len() {
            if self.hosts[host].wake_at.is_some_and(|at| at <= self.now) {
                let now = self.now();
                self.hosts[host].node.handle_timeout(now);
                self.settle(Host(host));
            }
        }
    }

    fn open(&mut self, host: Host, id: SocketId, spec: SocketSpec) {
        let now = self.now();
        let machine = &mut self.hosts[host.0];
        let (family, port) = match spec {
            SocketSpec::Quic { family, port } => (family, if port == 0 { QUIC_PORT } else { port }),
            SocketSpec::Mdns { family, .. } => (family, MDNS_PORT),
        };
        let result = match family {
            Family::V4 => {
                machine.sockets.insert(id, spec);
                let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
                Ok(Opened { address, gso_segments: 64 })
            }
            Family::V6 => Err(std::io::ErrorKind::Unsupported),
        };
        machine.node.handle_socket(now, id, result);
    }

    fn transmit(&mut self, from: Host, transmit: &Transmit, buf: &[u8]) {
        let size = transmit.segment_size.unwrap_or(buf.len()).max(1);
        for datagram in buf.chunks(size) {
            self.trace.push((from, transmit.destination, datagram.to_vec()));
            if self.lose.as_mut().is_some_and(|lose| lose(from, datagram)) {
                continue;
            }
            for to in self.receivers(transmit.destination) {
                self.deliver(from, to, transmit, datagram);
            }
        }
    }

    fn receivers(&self, destination: SocketAddr) -> Vec<Host> {
        let all = (0..self.hosts.len()).map(Host);
        match destination.ip() {
            ip if ip.is_multicast() => all.collect(),
            ip => all.filter(|host| IpAddr::from(self.hosts[host.0].ip) == ip).collect(),
        }
    }

    fn deliver(&mut self, from: Host, to: Host, transmit: &Transmit, datagram: &[u8]) {
        let port_of = |spec: &SocketSpec| match spec {
            SocketSpec::Quic { port: 0, .. } => QUIC_PORT,
            SocketSpec::Quic { port, .. } => *port,
            SocketSpec::Mdns { .. } => MDNS_PORT,
        };
        let (sender, receiver) = (&self.hosts[from.0], &self.hosts[to.0]);
        let Some(sent_on) = sender.sockets.get(&transmit.socket) else { return };
        let source = SocketAddr::new(sender.ip.into(), port_of(sent_on));
        let reached = |spec: &SocketSpec| port_of(spec) == transmit.destination.port();
        let Some((socket, _)) = receiver.sockets.iter().find(|(_, spec)| reached(spec)) else { return };
        let mut rx = received(*socket, source, receiver.ip, datagram);
        rx.destination = Some(transmit.destination.ip());
        rx.ecn = transmit.ecn;
        self.flights.push_back(Flight { at: self.now + self.latency, to, rx });
    }

    fn ask(&mut self, host: Host, ask: Ask) {
        let now = self.now();
        let machine = &mut self.hosts[host.0];
        let answer = match ask {
            Ask::Store(token, request) => Answer::Store(token, machine.stored(request)),
            Ask::Paired(token, peer) => match machine.hooks {
                Hooks::Succeed => {
                    machine.saved.push(peer.pair_id);
                    Answer::Paired(token, Ok(()))
                }
                Hooks::Fail => Answer::Paired(token, Err(handfast_core::error::HookFailed)),
                Hooks::Hang => return,
            },
            Ask::Rollback(token, pair_id) => {
                machine.saved.retain(|saved| *saved != pair_id);
                Answer::Rollback(token, Ok(()))
            }
            Ask::PairingRequest(..) => return machine.requests.push(ask),
        };
        machine.node.answer(now, answer);
    }
}

impl Machine {
    fn stored(&mut self, request: StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Load => StoreReply::Loaded(self.store.values().cloned().collect()),
            StoreRequest::Write { .. } if !self.store_works => StoreReply::Failed,
            StoreRequest::Write { put, delete } => {
                self.store.extend(put.into_iter().map(|record| (record.pair_id, record)));
                for pair_id in delete {
                    self.store.remove(&pair_id);
                }
                StoreReply::Written
            }
        }
    }
}

fn received(socket: SocketId, source: SocketAddr, to: Ipv4Addr, bytes: &[u8]) -> Received {
    Received {
        socket,
        interface: Some(1),
        source,
        destination: Some(to.into()),
        ecn: None,
        stride: bytes.len().max(1),
        payload: BytesMut::from(bytes),
    }
}
