//! Whole nodes and whole servers, datagram by datagram, on an Internet that loses nothing.

use crate::ask::{Answer, Ask};
use crate::config::{Config, DiscoveryServer};
use crate::event::{ConnectFailure, Event, ServerFailure, ServerState, Source};
use crate::id::{ServiceName, SocketId};
use crate::identity::Identity;
use crate::io::{Interface, InterfaceAddr, Now, Opened, Output, Received, SocketSpec, UnixTime};
use crate::peers::Dial;
use crate::quic::Crypto;
use crate::rng::Seed;
use crate::store::{PairRecord, PairSecret, PairState, Role, StoreReply, StoreRequest, Stored};
use crate::testing::base;
use crate::{Node, PairId, Server, ServerConfig};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const PORT: u16 = 7000;
const SERVER: usize = 2;

enum Machine {
    Node(Box<Node>),
    Server(Box<Server>),
}

struct Host {
    machine: Machine,
    ip: IpAddr,
    stored: Stored,
    quic: Option<SocketId>,
    told: Vec<Event>,
    due: Option<std::time::Instant>,
    sent: usize,
    is_up: bool,
}

struct Internet {
    now: Now,
    hosts: Vec<Host>,
    flying: VecDeque<(SocketAddr, SocketAddr, usize, Vec<u8>)>,
}

fn identity(n: usize) -> Identity {
    Identity::from_entropy([n as u8 + 1; 32])
}

fn server_at() -> SocketAddr {
    ([203, 0, 113, 1], PORT).into()
}

fn crypto() -> Crypto {
    Crypto::new(rustls::crypto::ring::default_provider())
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What node `n` keeps of its pairing with the other.
fn stored(n: usize) -> Stored {
    let (own, peer) = (identity(n).public_key(), identity(1 - n).public_key());
    let (id, secret) = (PairId::from_bytes([9; 32]), PairSecret::from_bytes([8; 32]));
    let role = if n == 0 { Role::Host } else { Role::Joiner };
    vec![PairRecord::new(id, role, peer, own, secret, PairState::Paired)].into()
}

impl Internet {
    /// Two nodes that are paired, each on a network of its own, and a server whose key is the one that they pin, or not.
    fn new(pinned: usize) -> Self {
        let now = Now { mono: base(), wall: UnixTime::from_micros(1_800_000_000_000_000) };
        let config = Config::new(ServiceName::new("test").unwrap()).with_port(PORT);
        let config = config.with_server(DiscoveryServer::new(server_at(), identity(pinned).fingerprint()));
        let node = |n: usize| {
            let node = Node::new(config.clone(), &identity(n), crypto(), &Seed::new([n as u8; 32]), now);
            Machine::Node(Box::new(node.unwrap()))
        };
        let server = Server::new(
            ServerConfig::new().with_port(PORT),
            &identity(SERVER),
            crypto(),
            &Seed::new([9; 32]),
            now,
        );
        let machines = [node(0), node(1), Machine::Server(Box::new(server.unwrap()))];
        let hosts = machines.into_iter().enumerate().map(|(n, machine)| Host {
            machine,
            ip: if n == SERVER { server_at().ip() } else { [198, 51, n as u8, 1].into() },
            stored: if n == SERVER { Stored::default() } else { stored(n) },
            quic: None,
            told: Vec::new(),
            due: None,
            sent: 0,
            is_up: true,
        });
        let mut internet = Self { now, hosts: hosts.collect(), flying: VecDeque::new() };
        for n in 0..3 {
            let ip = internet.hosts[n].ip;
            internet.move_to(n, ip);
        }
        internet
    }

    fn node(&mut self, n: usize) -> &mut Node {
        match &mut self.hosts[n].machine {
            Machine::Node(node) => node,
            Machine::Server(_) => panic!("a server is no node"),
        }
    }

    fn move_to(&mut self, n: usize, ip: IpAddr) {
        let (now, host) = (self.now, &mut self.hosts[n]);
        host.ip = ip;
        let addresses = vec![InterfaceAddr { ip, prefix: 24 }];
        let list = [Interface { name: "eth0".into(), index: 2, loopback: false, addresses }];
        match &mut host.machine {
            Machine::Node(node) => node.handle_interfaces(now, &list),
            Machine::Server(server) => server.handle_interfaces(now, &list),
        }
        self.run();
    }

    /// Lets everybody speak and hear until all is quiet.
    fn run(&mut self) {
        for _ in 0..100_000 {
            for n in 0..self.hosts.len() {
                self.drive(n);
            }
            let Some((from, to, stride, bytes)) = self.flying.pop_front() else { return };
            let Some(host) = self.hosts.iter_mut().find(|host| host.ip == to.ip() && host.is_up) else {
                continue;
            };
            let Some(socket) = host.quic else { continue };
            let rx = Received {
                socket,
                interface: Some(2),
                source: from,
                destination: Some(to.ip()),
                ecn: None,
                stride,
                payload: BytesMut::from(&bytes[..]),
            };
            match &mut host.machine {
                Machine::Node(node) => node.handle_datagram(self.now, rx),
                Machine::Server(server) => server.handle_datagram(self.now, rx),
            }
        }
        panic!("nobody comes to rest");
    }

    fn drive(&mut self, n: usize) {
        let (now, host) = (self.now, &mut self.hosts[n]);
        let mut buf = Vec::new();
        loop {
            let output = match &mut host.machine {
                Machine::Node(node) => node.poll_output(now, &mut buf),
                Machine::Server(server) => server.poll_output(now, &mut buf),
            };
            match output {
                Output::Open(id, spec) => {
                    let result = match spec {
                        SocketSpec::Quic { family: crate::io::Family::V4, .. } => {
                            host.quic = Some(id);
                            let address = ([0, 0, 0, 0], PORT).into();
                            Ok(Opened { address, gso_segments: 1, shares_port: false })
                        }
                        SocketSpec::Quic { .. } | SocketSpec::Mdns { .. } => {
                            Err(std::io::ErrorKind::Unsupported)
                        }
                    };
                    match &mut host.machine {
                        Machine::Node(node) => node.handle_socket(now, id, result),
                        Machine::Server(server) => server.handle_socket(now, id, result),
                    }
                }
                Output::Transmit(transmit) => {
                    host.sent += 1;
                    let stride = transmit.segment_size.unwrap_or(buf.len());
                    let from = SocketAddr::new(host.ip, PORT);
                    self.flying.push_back((from, transmit.destination, stride, buf.clone()));
                }
                Output::Event(event) => host.told.push(event),
                Output::Ask(Ask::Store(token, request)) => {
                    let reply = match request {
                        StoreRequest::Load => StoreReply::Loaded(host.stored.clone()),
                        StoreRequest::Write(change) => {
                            host.stored.apply(&change);
                            StoreReply::Written
                        }
                    };
                    if let Machine::Node(node) = &mut host.machine {
                        node.answer(now, Answer::Store(token, reply));
                    }
                }
                Output::Ask(_) | Output::Close(_) | Output::Ready(_) | Output::Yield => {}
                Output::Wait(deadline) => {
                    host.due = deadline.map(|deadline| deadline.at);
                    return;
                }
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        loop {
            self.run();
            let due = self.hosts.iter().filter_map(|host| host.due).min();
            let at = due.map_or(end, |due| due.clamp(self.now.mono, end));
            let step = (at - self.now.mono).as_micros() as u64;
            self.now = Now { mono: at, wall: UnixTime::from_micros(self.now.wall.as_micros() + step) };
            for host in &mut self.hosts {
                match &mut host.machine {
                    Machine::Node(node) => node.handle_timeout(self.now),
                    Machine::Server(server) => server.handle_timeout(self.now),
                }
            }
            if at == end {
                return self.run();
            }
        }
    }

    /// Whether a node knows where the other is, from a server.
    fn sees(&mut self, n: usize) -> bool {
        let there = SocketAddr::new(self.hosts[1 - n].ip, PORT);
        let discovered = self.node(n).peers().discovered();
        let known = discovered.iter().flat_map(|peer| &peer.addresses);
        known.filter(|known| known.source == Source::Global).any(|known| known.address == there)
    }

    fn state(&mut self, n: usize) -> ServerState {
        self.node(n).global().servers()[0].state
    }

    fn is_connected(&self, n: usize) -> bool {
        self.hosts[n].told.iter().any(|told| matches!(told, Event::PeerConnected(_)))
    }
}

#[test]
fn two_nodes_on_different_networks_find_each_other_by_a_server_alone_and_connect() {
    let mut internet = Internet::new(SERVER);
    internet.pass(secs(5));
    assert_eq!([internet.state(0), internet.state(1)], [ServerState::Announced; 2]);
    assert!(internet.sees(0) && internet.sees(1));
    assert!(internet.hosts.iter().take(2).all(|host| host.stored.announced > 0));
    let (now, peer) = (internet.now, identity(1).peer_id(crate::PeerIdKind::Sha1));
    assert_eq!(internet.node(0).connect(now, peer), Ok(Dial::Dialling));
    internet.pass(secs(1));
    assert!(internet.is_connected(0) && internet.is_connected(1));
}

#[test]
fn a_subscription_lasts_and_tells_of_a_new_address_within_five_seconds() {
    let mut internet = Internet::new(SERVER);
    internet.pass(secs(7200));
    assert_eq!(internet.node(0).stats().global.dials, 1, "one connection serves for hours");
    internet.move_to(1, [198, 51, 77, 7].into());
    internet.pass(secs(5));
    assert!(internet.sees(0));
}

#[test]
fn whoever_shuts_down_is_gone_at_once_and_drains() {
    let mut internet = Internet::new(SERVER);
    internet.pass(secs(5));
    let now = internet.now;
    internet.node(1).shutdown(now);
    internet.run();
    assert!(!internet.sees(0));
    internet.pass(secs(4));
    assert!(internet.node(1).is_drained());
}

#[test]
fn a_server_that_shows_another_key_than_the_pinned_one_hears_nothing() {
    let mut internet = Internet::new(7);
    internet.pass(secs(60));
    let state = internet.state(0);
    assert!(matches!(state, ServerState::Waiting { why: ServerFailure::WrongKey, .. }), "{state:?}");
    let Machine::Server(server) = &internet.hosts[SERVER].machine else { panic!("a server") };
    assert_eq!(server.stats().announcements, 0);
}

#[test]
fn whoever_else_is_where_a_server_says_is_hung_up_on_and_hears_nothing() {
    let mut internet = Internet::new(SERVER);
    internet.pass(secs(5));
    // The peer is gone without a word, and somebody else has its address.
    let config = Config::new(ServiceName::new("test").unwrap()).with_port(PORT);
    let (seed, now) = (Seed::new([66; 32]), internet.now);
    let stranger = Node::new(config, &identity(66), crypto(), &seed, now).unwrap();
    internet.hosts[1].machine = Machine::Node(Box::new(stranger));
    internet.hosts[1].stored = Stored::default();
    internet.hosts[1].told.clear();
    let ip = internet.hosts[1].ip;
    internet.move_to(1, ip);
    assert!(internet.sees(0));
    let (now, peer) = (internet.now, identity(1).peer_id(crate::PeerIdKind::Sha1));
    assert_eq!(internet.node(0).connect(now, peer), Ok(Dial::Dialling));
    internet.pass(secs(15));
    let failed = Event::ConnectFailed(peer, ConnectFailure::WrongPeer);
    assert!(internet.hosts[0].told.contains(&failed), "{:?}", internet.hosts[0].told);
    let met = |told: &Event| matches!(told, Event::PeerConnected(_) | Event::StrangerRefused(..));
    assert!(!internet.hosts.iter().any(|host| host.told.iter().any(met)));
}

#[test]
fn a_server_that_is_down_is_sent_ever_less_and_one_that_is_back_is_found() {
    let mut internet = Internet::new(SERVER);
    internet.hosts[SERVER].is_up = false;
    internet.pass(secs(3600));
    // Some 30 dials of a few datagrams each.
    let sent = internet.hosts[0].sent;
    assert!(sent < 300, "{sent}");
    assert!(internet.node(0).stats().global.dials < 40);
    internet.hosts[SERVER].is_up = true;
    internet.pass(secs(310));
    assert!(internet.sees(0) && internet.sees(1));
}

#[test]
fn a_node_that_switches_servers_off_is_silent_and_one_that_switches_them_on_is_back() {
    let mut internet = Internet::new(SERVER);
    internet.pass(secs(5));
    let now = internet.now;
    internet.node(0).global().switch_off(now);
    internet.pass(secs(5));
    assert!(!internet.sees(1) && !internet.sees(0));
    let sent = internet.hosts[0].sent;
    internet.pass(secs(3600));
    assert_eq!((internet.hosts[0].sent, internet.state(0)), (sent, ServerState::Idle));
    let now = internet.now;
    internet.node(0).global().switch_on(now);
    internet.pass(secs(5));
    assert!(internet.sees(1) && internet.sees(0));
}
