//! One node, and somebody who holds a key and breaks every rule above TLS: frames, lists, labels, streams.
//!
//! The key is that of a peer that is paired, or of a stranger.

use super::driven::{Driven, Manner, Reached, Sent, address, identity, interfaces};
use crate::config::Config;
use crate::id::{ConnId, PairId, ServiceName, SocketId};
use crate::io::{Family, Now, Opened, Received, UnixTime};
use crate::metadata::Metadata;
use crate::node::Target;
use crate::quic::fuzz::crypto;
use crate::quic::{Alpn, Direction, Event, Expect, Quic, Round};
use crate::rng::{Rng, Seed};
use crate::script::Script;
use crate::store::{PairRecord, PairSecret, PairState, Role};
use crate::wire::close::CloseCode;
use crate::wire::control::{Control, Entry, Hello, Listed, State};
use crate::wire::pairing::{Open, PairHello, Pairing, UserOk};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Steps that are heeded: what follows costs time and finds nothing.
const MAX_STEPS: usize = 120;

/// Datagrams and wakings in a row after which the two count as ones that never rest.
const MAX_TURNS: usize = 20_000;

const NODE: u8 = 0;
const ADVERSARY: u8 = 1;

const SLEEPS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(5),
    Duration::from_millis(400),
    Duration::from_secs(4),
    Duration::from_secs(11),
    Duration::from_secs(130),
];

struct World {
    now: Instant,
    node: Driven,
    adversary: Quic,
    /// The adversary's connections.
    conns: Vec<ConnId>,
    /// Records that the node began with.
    began_with: usize,
}

/// Plays a script: how far the node came.
pub(crate) fn peer(start: Instant, script: &[u8]) -> Reached {
    crypto::rewind();
    let mut script = Script::new(script);
    let now = Now { mono: start, wall: UnixTime::default() };
    let records = script.octet();
    let records: Vec<_> = (0..records % 4).map(|n| record(n, script.octet())).collect();
    let began_with = records.len();
    let mut node = Driven::new(NODE, 0, config(), now, records.into());
    node.node.handle_interfaces(now, &interfaces(NODE));
    let mut world = World { now: start, node, adversary: adversary(), conns: Vec::new(), began_with };
    world.settle();
    for _ in 0..MAX_STEPS {
        let Some(step) = script.step() else { break };
        world.step(step, &mut script);
        world.settle();
    }
    world.end();
    world.node.reached
}

fn config() -> Config {
    Config::new(ServiceName::new("fuzz").expect("a sound name")).with_metadata(Metadata::named("fuzzed"))
}

fn adversary() -> Quic {
    let rng = Rng::child(&Seed::new([ADVERSARY; 32]), "quic");
    let quic = Quic::new(Arc::new(config()), &identity(ADVERSARY), crypto::repeatable(), rng);
    let mut quic = quic.expect("ring has all that is needed");
    quic.handle_socket_open(
        SocketId(0),
        Opened { address: address(ADVERSARY, Family::V4), gso_segments: 4, shares_port: false },
    );
    quic
}

fn record(id: u8, form: u8) -> PairRecord {
    let states = [PairState::Paired, PairState::Hook, PairState::Prepared, PairState::Committed];
    let role = if form & 4 == 0 { Role::Host } else { Role::Joiner };
    let (pair_id, secret) = (PairId::from_bytes([id; 32]), PairSecret::from_bytes([8; 32]));
    let (peer, own) = (identity(ADVERSARY).public_key(), identity(NODE).public_key());
    PairRecord::new(pair_id, role, peer, own, secret, states[usize::from(form & 3)])
}

fn entries(script: &mut Script<'_>) -> Vec<Entry> {
    let states = [Listed::Paired, Listed::Hook, Listed::Prepared, Listed::Committed, Listed::Gone];
    let entry = |script: &mut Script<'_>| Entry {
        pair_id: PairId::from_bytes([script.octet() % 8; 32]),
        state: script.pick(&states),
    };
    (0..script.octet() % 10).map(|_| entry(script)).collect()
}

impl World {
    fn now(&self) -> Now {
        Now { mono: self.now, wall: UnixTime::default() }
    }

    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        let now = self.now();
        match step % 20 {
            0 | 1 => {
                let alpn = script.pick(&[Alpn::Data, Alpn::Pairing]);
                let to = address(NODE, Family::V4);
                self.conns.extend(self.adversary.dial(self.now, to, alpn, Expect::Anyone));
            }
            2 => self.sleep(Duration::ZERO),
            3 => self.sleep(script.pick(&SLEEPS)),
            4..=6 => {
                let frame = self.message(script);
                self.say(script.octet(), frame);
            }
            7 => {
                // As a frame, or as octets that are none.
                let (conn, octets, framed) = (script.octet(), script.octets(), script.flag());
                let len = (octets.len() as u16).to_be_bytes();
                let prefix = if framed { &len[..] } else { &[] };
                self.say(conn, Bytes::from([prefix, octets].concat()));
            }
            8 => {
                let mut frame = self.message(script).to_vec();
                script.damage(&mut frame);
                self.say(script.octet(), frame.into());
            }
            9 | 10 => {
                let direction = script.pick(&[Direction::Bi, Direction::Uni]);
                if let Some(conn) = self.conn(script.octet()) {
                    self.adversary.blurt(conn, direction, script.octets(), script.flag());
                }
            }
            11 => {
                if let Some(conn) = self.conn(script.octet()) {
                    let code = script.pick(&[CloseCode::Ok, CloseCode::Unpaired, CloseCode::Duplicate]);
                    match script.flag() {
                        true => self.adversary.close(self.now, conn, code),
                        false => self.adversary.finish(self.now, conn, code),
                    }
                }
            }
            12 => self.node.manner = script.pick(&[Manner::Yes, Manner::No, Manner::Later]),
            13 => {
                let manner = script.pick(&[Manner::Yes, Manner::No]);
                if !self.node.waiting.is_empty() {
                    let ask = self.node.waiting.remove(0);
                    let code = "4821935".parse().ok();
                    self.node.answer(now, ask, manner, code.as_ref());
                }
            }
            14 => drop(self.node.node.pairing().host(now, &Target::Any)),
            15 => {
                let at = Target::At(vec![address(ADVERSARY, Family::V4)]);
                if let Ok(code) = "4821935".parse() {
                    drop(self.node.node.pairing().join(now, code, &at));
                }
            }
            16 => {
                let peer = identity(ADVERSARY).peer_id(config().peer_id);
                self.node.node.peers().add_address(now, peer, address(ADVERSARY, Family::V4));
                // Refused is as good as done.
                let _ = self.node.node.connect(now, peer);
            }
            17 => {
                self.node.node.pairing().forget(now, identity(ADVERSARY).peer_id(config().peer_id));
            }
            _ => self.read(script),
        }
    }

    /// A message that an honest peer might say, at a time when it would not.
    fn message(&self, script: &mut Script<'_>) -> Bytes {
        let frame = match script.octet() % 8 {
            0 | 1 => {
                let metadata = script.flag().then(|| Metadata::named("adversary"));
                let (instance, lost) = ([script.octet(); 16], u32::from(script.octet()));
                let hello = Hello { instance, lost, features: Vec::new(), metadata, state: entries(script) };
                Control::Hello(hello).encode()
            }
            2 | 3 => Control::State(State { state: entries(script) }).encode(),
            4 => Pairing::Open(Open::new(script.pick(&[Role::Host, Role::Joiner]))).encode(),
            5 => {
                let methods = vec!["digits".to_owned()];
                let hello = PairHello { version: 1, suites: vec![1], methods, nonce: [script.octet(); 16] };
                Pairing::PairHello(hello).encode()
            }
            6 => Pairing::Meta(Metadata::named("adversary")).encode(),
            _ => Pairing::UserOk(UserOk {}).encode(),
        };
        frame.into_bytes()
    }

    fn conn(&self, which: u8) -> Option<ConnId> {
        usize::from(which).checked_rem(self.conns.len()).map(|at| self.conns[at])
    }

    fn say(&mut self, which: u8, frame: Bytes) {
        if let Some(conn) = self.conn(which) {
            self.adversary.send_frame(self.now, conn, frame);
        }
    }

    /// The node's application uses what it was given.
    fn read(&mut self, script: &mut Script<'_>) {
        let now = self.now();
        let node = &mut self.node;
        if script.flag()
            && let Some(conn) = node.conns.last().copied()
            && let Ok(id) = node.node.open(now, conn, Direction::Bi, "echo", 1)
        {
            node.streams.push((conn, id));
        }
        let Some(at) = usize::from(script.octet()).checked_rem(node.streams.len()) else { return };
        let (conn, id) = node.streams[at];
        let Ok(mut stream) = node.node.stream(conn, id) else { return };
        let mut sink = Vec::new();
        let read = stream.read_chunks(usize::from(script.word()), &mut sink);
        node.reached.read |= read.is_ok_and(|read| read.bytes > 0);
        assert!(stream.label().len() <= 255, "a label is over its limit");
        // What is refused is as good as what is done.
        let _ = stream.write(b"some bytes");
        match script.octet() % 4 {
            0 => drop(stream.finish()),
            1 => stream.reset(1),
            2 => stream.stop(2),
            _ => {}
        }
    }

    /// Carries everything, until nothing moves.
    fn settle(&mut self) {
        for _ in 0..MAX_TURNS {
            let now = self.now();
            self.node.settle(now);
            let sent = std::mem::take(&mut self.node.sent);
            let is_theirs = |sent: &&Sent| sent.destination == address(ADVERSARY, Family::V4);
            for datagram in sent.iter().filter(is_theirs) {
                let rx = Received {
                    socket: SocketId(0),
                    interface: None,
                    source: datagram.source,
                    destination: None,
                    ecn: None,
                    stride: datagram.octets.len(),
                    payload: BytesMut::from(&datagram.octets[..]),
                };
                self.adversary.handle_datagram(now, rx);
            }
            if !self.adversary_speaks() {
                return;
            }
        }
        panic!("the two never rest");
    }

    fn adversary_speaks(&mut self) -> bool {
        self.adversary.poll_connections(self.now);
        while let Some(event) = self.adversary.poll_event() {
            if let Event::Connected { conn, dialled, .. } = event {
                // It does as if everything were allowed.
                self.adversary.admit(self.now, conn);
                if !dialled {
                    self.conns.push(conn);
                }
            }
        }
        while self.adversary.poll_ready().is_some() {}
        while self.adversary.poll_available().is_some() {}
        let mut buf = Vec::new();
        let transmit = match self.adversary.poll_transmit(self.now, &mut buf) {
            Round::Transmit(transmit) => transmit,
            Round::Over => return true,
            Round::Idle => return false,
        };
        let (source, destination) = (address(ADVERSARY, Family::V4), transmit.destination);
        let now = self.now();
        for octets in buf.chunks(transmit.segment_size.unwrap_or(buf.len()).max(1)) {
            self.node.receive(now, &Sent { source, destination, octets: octets.to_vec() });
        }
        true
    }

    fn sleep(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..MAX_TURNS {
            self.settle();
            let theirs = self.adversary.poll_timeout().map(|deadline| deadline.at);
            let Some(at) = theirs.into_iter().chain(self.node.wake_at).min().filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(at);
            self.adversary.handle_timeout(self.now);
            self.node.wake(self.now());
        }
        panic!("the two want to be woken without end");
    }

    /// The adversary is gone: nothing of it is left.
    fn end(&mut self) {
        for conn in self.adversary.all() {
            self.adversary.close(self.now, conn, CloseCode::Ok);
        }
        self.node.manner = Manner::Yes;
        self.sleep(Duration::from_secs(300));
        assert!(self.node.node.peers().connected().is_empty(), "who is gone is still connected");
        let paired = self.node.node.peers().paired().len();
        assert!(paired <= self.began_with, "somebody was paired without a code");
        self.node.node.shutdown(self.now());
        self.sleep(Duration::from_secs(10));
        assert!(self.node.node.is_drained(), "a node that was shut down still has something to say");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{base, replay};

    #[test]
    fn the_seeds_of_the_fuzz_target_are_survived_and_come_far() {
        let mut all: Vec<Reached> = Vec::new();
        replay("peer", |name, seed| {
            let reached = peer(base(), seed);
            assert_eq!(peer(base(), seed), reached, "{name}: the same script does the same");
            all.push(reached);
        });
        let any = |what: fn(&Reached) -> bool| all.iter().any(what);
        assert!(any(|r| r.connected) && any(|r| r.unpaired) && any(|r| r.refused), "no list was heeded");
        assert!(any(|r| r.opened) && any(|r| r.read), "no stream carried a byte");
    }
}
