//! Two nodes joined by a wire, and a script of every verb, in any order, with any answer.

mod verbs;

use super::driven::{Driven, INTERFACE, Manner, Reached, Sent, address, identity, interfaces, ip, received};
use crate::ask::{Answer, Ask};
use crate::code::Code;
use crate::config::{Advertise, Config, Consent, DiscoveryServer, Interfaces};
use crate::host::HostName;
use crate::id::{PairId, PeerIdKind, ServiceName, SocketId};
use crate::io::{Family, Interface, InterfaceAddr, Now, Opened, UnixTime};
use crate::metadata::Metadata;
use crate::quic::fuzz::crypto;
use crate::script::Script;
use crate::store::{PairRecord, PairSecret, PairState, Role, StoreReply, StoreRequest, Stored, Whereabouts};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Steps that are heeded: what follows costs time and finds nothing.
const MAX_STEPS: usize = 120;

/// Datagrams and wakings in a row after which the nodes count as ones that never rest.
const MAX_TURNS: usize = 20_000;

/// Datagrams that wait for a script to carry them. More are lost.
const MAX_FLIGHTS: usize = 1_000;

const SLEEPS: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(30),
    Duration::from_millis(300),
    Duration::from_secs(2),
    Duration::from_secs(13),
    Duration::from_secs(50),
    Duration::from_secs(4500),
];

struct World {
    start: Instant,
    now: Instant,
    nodes: [Driven; 2],
    flights: VecDeque<(usize, Sent)>,
    config: Config,
    runs: u8,
}

/// Plays a script: how far each of the two came.
pub(crate) fn calls(start: Instant, script: &[u8]) -> [Reached; 2] {
    crypto::rewind();
    let mut script = Script::new(script);
    let form = script.octet();
    let config = config(form);
    let now = Now { mono: start, wall: UnixTime::from_micros(0) };
    let nodes = [0, 1].map(|n| {
        let records = if form & 1 == 1 { vec![record(n, 9, PairState::Paired)] } else { Vec::new() };
        Driven::new(n, 0, config.clone(), now, records.into())
    });
    let mut world = World { start, now: start, nodes, flights: VecDeque::new(), config, runs: 0 };
    for n in [0, 1] {
        world.nodes[n].node.handle_interfaces(now, &interfaces(n as u8));
        world.nodes[n].settle(now);
    }
    for _ in 0..MAX_STEPS {
        let Some(step) = script.step() else { break };
        world.step(step, &mut script);
        world.settle();
    }
    world.end();
    world.nodes.map(|node| node.reached)
}

fn config(form: u8) -> Config {
    let mut config = Config::new(ServiceName::new("fuzz").expect("a sound name"))
        .with_metadata(Metadata::named("fuzzed").with_extra(vec![1, 2, 3]));
    if form & 2 != 0 {
        config = config.with_peer_id(PeerIdKind::Sha256);
    }
    if form & 4 != 0 {
        config = config.with_advertise(Advertise { enabled: false, ..Advertise::default() });
    }
    if form & 8 != 0 {
        config = config.with_interfaces(Interfaces::only(["fuzz0"]));
    }
    if form & 16 != 0 {
        (config.max_streams, config.stream_window, config.receive_window) = (1, 2000, 4000);
        (config.send_window, config.max_discovered_peers, config.max_cached_records) = (2000, 2, 8);
        (config.max_unauthenticated, config.retry_from) = (2, 1);
    }
    if form & 32 != 0 {
        config = config.with_admission(Consent::Asked);
    }
    if form & 64 != 0 {
        config = config.with_confirmation(Consent::Asked);
    }
    if form & 128 != 0 {
        // Who is there has another key, or speaks another protocol.
        config = config.with_server(DiscoveryServer::new(address(1, Family::V4), identity(1).fingerprint()));
    }
    config
}

/// What a node holds of the other.
fn record(n: u8, id: u8, state: PairState) -> PairRecord {
    let role = if n == 0 { Role::Host } else { Role::Joiner };
    let (pair_id, secret) = (PairId::from_bytes([id; 32]), PairSecret::from_bytes([8; 32]));
    PairRecord::new(pair_id, role, identity(1 - n).public_key(), identity(n).public_key(), secret, state)
}

/// Where the other is, or somebody else, as a store may remember it.
fn whereabouts(n: u8, script: &mut Script<'_>) -> Whereabouts {
    let whom = script.pick(&[1 - n, 1 - n, n, 9]);
    let mut entry = Whereabouts::new(identity(whom).fingerprint());
    let family = script.pick(&[Family::V4, Family::V6]);
    entry.good = (0..script.octet() % 20)
        .map(|port| (SocketAddr::new(ip(whom, family), 39_990 + u16::from(port)), UnixTime::from_micros(1)))
        .collect();
    entry.given = vec![address(script.octet() % 8, family)];
    entry.names = (0..script.octet() % 3)
        .map(|number| HostName::new(&format!("host-{number}"), 40_000).expect("a sound name"))
        .collect();
    entry
}

impl World {
    /// What time it is, as it is told to nodes; the calendar may jump.
    fn now(&self) -> Now {
        let wall = (self.now - self.start).as_micros() as u64;
        Now { mono: self.now, wall: UnixTime::from_micros(1 << 50).max(UnixTime::from_micros(wall)) }
    }

    fn settle(&mut self) {
        let now = self.now();
        for n in [0, 1] {
            self.nodes[n].settle(now);
        }
        self.collect();
    }

    /// Takes what was sent onto the wire.
    fn collect(&mut self) {
        for n in [0, 1] {
            let sent = std::mem::take(&mut self.nodes[n].sent);
            for datagram in sent {
                if self.flights.len() < MAX_FLIGHTS {
                    if datagram.destination.ip().is_multicast() {
                        // A multicast comes back.
                        self.flights.push_back((n, datagram.clone()));
                    }
                    self.flights.push_back((1 - n, datagram));
                }
            }
        }
    }

    fn deliver(&mut self, to: usize, datagram: &Sent) {
        let now = self.now();
        self.nodes[to].receive(now, datagram);
        self.collect();
    }

    /// Lets time pass: what is due happens, and, where `carry` says so, datagrams arrive.
    fn sleep(&mut self, time: Duration, carry: bool) {
        let until = self.now + time;
        for _ in 0..MAX_TURNS {
            self.settle();
            if carry && let Some((to, datagram)) = self.flights.pop_front() {
                self.deliver(to, &datagram);
                continue;
            }
            let due = self.nodes.iter().filter_map(|node| node.wake_at).min();
            let Some(at) = due.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(at);
            let now = self.now();
            for node in &mut self.nodes {
                node.wake(now);
            }
        }
        panic!("the nodes never rest");
    }

    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        let n = usize::from(step >> 7);
        match step % 32 {
            0..=7 => self.time_and_wire(step % 32, n, script),
            8..=15 => self.world_says(step % 32, n, script),
            16..=23 => self.application_says(step % 32, n, script),
            _ => self.stream_moves(step % 32, n, script),
        }
    }

    fn time_and_wire(&mut self, step: u8, n: usize, script: &mut Script<'_>) {
        match step {
            0 => self.sleep(Duration::ZERO, true),
            1 => self.sleep(script.pick(&SLEEPS), true),
            2 => self.sleep(script.pick(&SLEEPS), false),
            3 => {
                if let Some((to, datagram)) = self.flights.pop_front() {
                    self.deliver(to, &datagram);
                }
            }
            4 => match script.octet() % 3 {
                0 => drop(self.flights.pop_front()),
                1 => {
                    if let Some(first) = self.flights.front().cloned() {
                        self.flights.push_back(first);
                    }
                }
                _ => self.flights.rotate_left(usize::from(self.flights.len() > 1)),
            },
            5 => {
                if let Some((to, mut datagram)) = self.flights.pop_front() {
                    script.damage(&mut datagram.octets);
                    self.deliver(to, &datagram);
                }
            }
            6 => {
                // Early, late, or back in time.
                let mut now = self.now();
                let off = script.pick(&SLEEPS);
                now.mono =
                    if script.flag() { now.mono.checked_sub(off).unwrap_or(now.mono) } else { now.mono };
                now.wall = UnixTime::from_micros(u64::from(script.octet()) << 48);
                self.nodes[n].node.handle_timeout(now);
                self.nodes[n].settle(now);
            }
            _ => {
                let (which, from, stride) = (script.octet(), script.octet(), script.word());
                let sockets = &self.nodes[n].sockets;
                let socket =
                    usize::from(which).checked_rem(sockets.len()).and_then(|at| sockets.keys().nth(at));
                let socket = socket.copied().unwrap_or(SocketId(u32::from(which)));
                let family = script.pick(&[Family::V4, Family::V6]);
                let port = script.pick(&[5353, 40_000, 1]);
                let datagram = Sent {
                    source: SocketAddr::new(ip(from % 8, family), port),
                    destination: SocketAddr::new(ip(n as u8, family), port),
                    octets: script.octets().to_vec(),
                };
                let mut rx = received(socket, &datagram);
                (rx.stride, rx.destination) =
                    (usize::from(stride), rx.destination.filter(|_| from & 0x80 == 0));
                rx.interface = rx.interface.filter(|_| from & 0x40 == 0);
                let now = self.now();
                self.nodes[n].node.handle_datagram(now, rx);
            }
        }
    }

    fn world_says(&mut self, step: u8, n: usize, script: &mut Script<'_>) {
        let now = self.now();
        let driven = &mut self.nodes[n];
        match step {
            8 => {
                let list = some_interfaces(n as u8, script);
                driven.node.handle_interfaces(now, &list);
            }
            9 => driven.node.handle_interfaces(now, &interfaces(n as u8)),
            10 => {
                // A socket fails, or is reported once more.
                let which = script.octet();
                let known = usize::from(which).checked_rem(driven.sockets.len());
                let id = known.and_then(|at| driven.sockets.keys().nth(at)).copied();
                let id = id.unwrap_or(SocketId(u32::from(which)));
                if script.flag() {
                    let any: SocketAddr = ([0, 0, 0, 0], 40_000).into();
                    if driven.sockets.contains_key(&id) {
                        let opened = Opened {
                            address: any,
                            gso_segments: usize::from(script.octet()),
                            shares_port: false,
                        };
                        driven.node.handle_socket(now, id, Ok(opened));
                    }
                } else {
                    driven.sockets.remove(&id);
                    driven.node.handle_socket(now, id, Err(std::io::ErrorKind::NetworkDown));
                }
            }
            11 => driven.node.handle_wake(now, script.pick(&SLEEPS)),
            12 | 13 => {
                let (which, manner) = (script.octet(), script.pick(&[Manner::Yes, Manner::No]));
                if let Some(at) = usize::from(which).checked_rem(driven.waiting.len()) {
                    let ask = driven.waiting.remove(at);
                    let code = self.nodes[1 - n].code.clone();
                    self.reply(n, ask, manner, code.as_ref(), script);
                }
            }
            14 => driven.manner = script.pick(&[Manner::Yes, Manner::No, Manner::Later]),
            _ => self.restart(n),
        }
    }

    /// As the application does, but that the store may hold what nobody wrote.
    fn reply(&mut self, n: usize, ask: Ask, manner: Manner, code: Option<&Code>, script: &mut Script<'_>) {
        let now = self.now();
        match ask {
            Ask::Store(token, StoreRequest::Load) if script.flag() => {
                let states = [PairState::Hook, PairState::Prepared, PairState::Committed, PairState::Paired];
                let records =
                    (0..script.octet() % 100).map(|_| record(n as u8, script.octet(), script.pick(&states)));
                let mut stored = Stored::from(records.collect::<Vec<_>>());
                stored.whereabouts = (0..script.octet() % 4).map(|_| whereabouts(n as u8, script)).collect();
                let answer = Answer::Store(token, StoreReply::Loaded(stored));
                self.nodes[n].node.answer(now, answer);
            }
            ask => self.nodes[n].answer(now, ask, manner, code),
        }
    }

    /// The process dies, and comes back with what its store holds.
    fn restart(&mut self, n: usize) {
        self.runs = self.runs.wrapping_add(1);
        let now = self.now();
        let store = self.nodes[n].store.clone();
        let reached = self.nodes[n].reached;
        self.nodes[n] = Driven::new(n as u8, self.runs, self.config.clone(), now, store);
        self.nodes[n].reached = reached;
        self.nodes[n].node.handle_interfaces(now, &interfaces(n as u8));
    }

    /// Whatever was said, a node that is shut down soon has nothing more to say.
    fn end(&mut self) {
        for n in [0, 1] {
            self.nodes[n].manner = Manner::Yes;
            let now = self.now();
            for ask in std::mem::take(&mut self.nodes[n].waiting) {
                self.nodes[n].answer(now, ask, Manner::Yes, None);
            }
        }
        self.sleep(Duration::from_secs(20), true);
        for node in &mut self.nodes {
            node.shutdown(Now { mono: self.now, wall: UnixTime::default() });
        }
        self.sleep(Duration::from_secs(10), true);
        for node in &mut self.nodes {
            assert!(node.node.is_drained(), "a node that was shut down still has something to say");
        }
    }
}

fn some_interfaces(n: u8, script: &mut Script<'_>) -> Vec<Interface> {
    let one = |script: &mut Script<'_>| {
        let form = script.octet();
        let mut addresses = Vec::new();
        if form & 1 == 1 {
            addresses.push(InterfaceAddr { ip: ip(n, Family::V4), prefix: script.octet() });
        }
        if form & 2 == 2 {
            addresses.push(InterfaceAddr { ip: ip(n, Family::V6), prefix: script.octet() });
        }
        if form & 4 == 4 {
            addresses.push(InterfaceAddr { ip: ip(script.octet() % 8, Family::V4), prefix: 24 });
        }
        let index = INTERFACE + u32::from(form >> 6);
        Interface { name: format!("fuzz{}", form >> 4 & 3), index, loopback: form & 8 == 8, addresses }
    };
    (0..script.octet() % 4).map(|_| one(script)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{base, replay};

    #[test]
    fn the_seeds_of_the_fuzz_target_are_survived_and_come_far() {
        let mut all: Vec<Reached> = Vec::new();
        replay("node_calls", |name, seed| {
            let reached = calls(base(), seed);
            assert_eq!(calls(base(), seed), reached, "{name}: the same script does the same");
            all.extend(reached);
        });
        let any = |what: fn(&Reached) -> bool| all.iter().any(what);
        assert!(any(|r| r.discovered) && any(|r| r.connected), "no node saw the other");
        assert!(any(|r| r.paired) && any(|r| r.unpaired), "no pairing began and ended");
        assert!(any(|r| r.opened) && any(|r| r.read), "no stream carried a byte");
        assert!(any(|r| r.found), "no service was found");
        assert!(any(|r| r.trusted) && any(|r| r.banned), "nobody was trusted, or banned");
    }
}
