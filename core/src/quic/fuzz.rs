//! Feeds a listening engine datagrams that nobody sealed, between those of an honest client. For fuzz targets
//! and the replay of their seeds.

pub(crate) mod crypto;

use super::{Alpn, Crypto, Direction, Event, Expect, Quic, Round};
use crate::config::Config;
use crate::id::{ConnId, ServiceName, SocketId};
use crate::identity::Identity;
use crate::io::{Ecn, Now, Opened, Received, UnixTime};
use crate::rng::{Rng, Seed};
use crate::script::Script;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// Strangers that the server takes at a time: few, so that a script can be more.
const STRANGERS: usize = 8;

/// Steps that are heeded: what follows costs time and finds nothing.
const MAX_STEPS: usize = 200;

/// Outputs in a row after which an engine counts as one that never rests.
const MAX_OUTPUTS: usize = 20_000;

/// A connection lasts for three probe timeouts, however long its path is: a script makes paths of minutes.
/// RFC 9000 §10.1.
const LONGEST_SILENCE: Duration = Duration::from_secs(3600);

const STEPS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(40),
    Duration::from_secs(1),
    Duration::from_secs(11),
    Duration::from_secs(50),
];

/// Reads a certificate as TLS does. Whether it was accepted.
pub(crate) fn certificate(octets: &[u8]) -> bool {
    super::tls::fuzz::certificate(octets)
}

/// What only somebody who breaks the protocol does.
impl Quic {
    /// Opens a stream of which the peer was told nothing, and writes octets where a label belongs.
    pub(crate) fn blurt(&mut self, conn: ConnId, direction: Direction, octets: &[u8], end: bool) {
        let Some(conn) = self.conn(conn) else { return };
        let Some(id) = conn.quic.streams().open(direction.into()) else { return };
        let mut stream = conn.quic.send_stream(id);
        // What there is no room for is not said.
        let _ = stream.write(octets);
        let _ = if end { stream.finish().is_ok() } else { stream.reset(7u32.into()).is_ok() };
        let slot = conn.slot;
        self.work.send(&mut self.conns[slot]);
    }

    /// The connections that there are.
    pub(crate) fn all(&self) -> Vec<ConnId> {
        self.conns.iter().map(|(_, conn)| conn.id).collect()
    }
}

/// How far a script came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// TLS was done at the server.
    pub(crate) connected: usize,
    /// Frames were read at the server.
    pub(crate) frames: usize,
    /// Connections ended at the server.
    pub(crate) lost: usize,
    /// Datagrams that the server answered to strangers.
    pub(crate) answers: usize,
}

struct Pair {
    now: Instant,
    ends: [Quic; 2],
    /// Datagrams on their way to each end.
    wires: [VecDeque<Vec<u8>>; 2],
    reached: Reached,
}

/// Plays a script of datagrams, and then lets everything end.
pub(crate) fn datagrams(start: Instant, script: &[u8]) -> Reached {
    crypto::rewind();
    let mut script = Script::new(script);
    let mut pair = Pair {
        now: start,
        ends: [engine(CLIENT), engine(SERVER)],
        wires: Default::default(),
        reached: Reached::default(),
    };
    for _ in 0..MAX_STEPS {
        let Some(step) = script.step() else { break };
        pair.step(step, &mut script);
        pair.settle();
    }
    pair.end();
    pair.reached
}

fn engine(end: usize) -> Quic {
    let mut config = Config::new(ServiceName::new("test").expect("a sound name"));
    (config.max_unauthenticated, config.retry_from) = (STRANGERS, STRANGERS / 2);
    let identity = Identity::from_entropy([end as u8 + 1; 32]);
    let rng = Rng::child(&Seed::new([end as u8; 32]), "quic");
    let crypto: Crypto = crypto::repeatable();
    let mut quic = Quic::new(Arc::new(config), &identity, crypto, rng).expect("ring has all that is needed");
    quic.handle_socket_open(
        SocketId(0),
        Opened { address: address(end as u8), gso_segments: 4, shares_port: false },
    );
    quic
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 4000 + u16::from(n)))
}

impl Pair {
    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        match step % 10 {
            // Honest.
            0 => self.pass(SERVER),
            1 => self.pass(CLIENT),
            2 => {
                let alpn = script.pick(&[Alpn::Data, Alpn::Pairing]);
                let _ = self.ends[CLIENT].dial(self.now, address(SERVER as u8), alpn, Expect::Anyone);
            }
            3 => self.sleep(script.pick(&STEPS)),
            // Lost, late, twice, and from elsewhere.
            4 => drop(self.wires[usize::from(script.flag())].pop_front()),
            5 => {
                let to = usize::from(script.flag());
                self.wires[to].rotate_left(usize::from(self.wires[to].len() > 1));
            }
            6 => {
                let (to, from) = (usize::from(script.flag()), script.octet());
                if let Some(datagram) = self.wires[to].front().cloned() {
                    self.deliver(to, from % 16, &datagram, datagram.len());
                }
            }
            // Damaged.
            7 => {
                let to = usize::from(script.flag());
                if let Some(mut datagram) = self.wires[to].pop_front() {
                    script.damage(&mut datagram);
                    self.deliver(to, 1 - to as u8, &datagram, datagram.len());
                }
            }
            // Made up; several at once where the stride is short.
            8 => {
                let (from, stride) = (script.octet(), usize::from(script.word()));
                let datagram = script.octets();
                self.deliver(SERVER, from % 16, datagram, stride);
            }
            // What a client that holds the keys says.
            _ => {
                let frame = Bytes::copy_from_slice(script.octets());
                for conn in self.ends[CLIENT].all() {
                    self.ends[CLIENT].send_frame(self.now, conn, frame.clone());
                }
            }
        }
    }

    fn pass(&mut self, to: usize) {
        if let Some(datagram) = self.wires[to].pop_front() {
            self.deliver(to, 1 - to as u8, &datagram, datagram.len());
        }
    }

    fn deliver(&mut self, to: usize, from: u8, bytes: &[u8], stride: usize) {
        let rx = Received {
            socket: SocketId(0),
            interface: None,
            source: address(from),
            destination: None,
            ecn: Some(Ecn::Ect0),
            stride,
            payload: BytesMut::from(bytes),
        };
        let now = Now { mono: self.now, wall: UnixTime::default() };
        self.ends[to].handle_datagram(now, rx);
    }

    fn sleep(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..MAX_OUTPUTS {
            let next = self.ends.iter().filter_map(Quic::poll_timeout).map(|deadline| deadline.at).min();
            let Some(at) = next.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(at);
            for quic in &mut self.ends {
                quic.handle_timeout(self.now);
            }
            self.settle();
        }
        panic!("the engines never rest");
    }

    /// Takes what both ends have to say.
    fn settle(&mut self) {
        for end in [CLIENT, SERVER] {
            let mut buf = Vec::new();
            for turn in 0.. {
                assert!(turn < MAX_OUTPUTS, "an engine speaks without end");
                self.ends[end].poll_connections(self.now);
                self.hear(end);
                match self.ends[end].poll_transmit(self.now, &mut buf) {
                    Round::Transmit(transmit) => {
                        assert!(!buf.is_empty() && buf.len() <= 65_507, "a batch fits one send");
                        let to = transmit.destination;
                        if to != address(1 - end as u8) {
                            self.reached.answers += usize::from(end == SERVER);
                            continue;
                        }
                        let size = transmit.segment_size.unwrap_or(buf.len());
                        self.wires[1 - end].extend(buf.chunks(size).map(<[u8]>::to_vec));
                    }
                    Round::Over => {}
                    Round::Idle => break,
                }
            }
        }
        assert!(self.ends[SERVER].conns.len() <= 4 * STRANGERS, "strangers fill the server");
    }

    fn hear(&mut self, end: usize) {
        while let Some(event) = self.ends[end].poll_event() {
            if end == CLIENT {
                continue;
            }
            match event {
                Event::Connected { conn, peer, .. } => {
                    let client = Identity::from_entropy([CLIENT as u8 + 1; 32]).public_key();
                    assert_eq!(peer, client, "nobody is taken for somebody whose key he lacks");
                    self.ends[SERVER].admit(self.now, conn);
                    self.reached.connected += 1;
                }
                Event::Frame { .. } => self.reached.frames += 1,
                Event::MainEnded { .. } | Event::Room { .. } | Event::Silent { .. } | Event::Heard { .. } => {
                }
                Event::Lost { .. } => self.reached.lost += 1,
            }
        }
        while self.ends[end].poll_ready().is_some() {}
        while self.ends[end].poll_available().is_some() {}
    }

    /// Nothing more is said: soon nothing is left of it.
    fn end(&mut self) {
        self.wires = Default::default();
        self.sleep(LONGEST_SILENCE);
        for quic in &mut self.ends {
            assert!(quic.conns.iter().all(|(_, conn)| conn.is_over()), "a dead connection lives on");
            assert!(quic.poll_timeout().is_none(), "a dead connection wants to be woken");
            let Quic { slots, .. } = quic;
            assert!(slots.iter().all(Option::is_none), "a dead connection keeps its slot");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{base, replay};

    #[test]
    fn the_seeds_of_certificates_are_survived() {
        let mut accepted = 0;
        replay("certificate", |_, seed| accepted += usize::from(certificate(seed)));
        assert_eq!(accepted, 3);
    }

    #[test]
    fn the_seeds_of_the_fuzz_target_are_survived_and_come_far() {
        let mut all = Reached::default();
        replay("quic_datagram", |_, seed| {
            let reached = datagrams(base(), seed);
            assert_eq!(datagrams(base(), seed), reached, "the same script does the same");
            all.connected += reached.connected;
            all.frames += reached.frames;
            all.lost += reached.lost;
            all.answers += reached.answers;
        });
        assert!(all.connected > 0 && all.frames > 0 && all.lost > 0 && all.answers > 0, "{all:?}");
    }
}
