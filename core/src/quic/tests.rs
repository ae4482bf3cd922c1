//! Two engines, back to back, in virtual time.

use super::*;
use crate::id::{ServiceName, SocketId};
use crate::io::{Now, Opened, Received, UnixTime};
use crate::rng::{Rng, Seed};
use crate::testing::base;
use bytes::BytesMut;
use proptest::prelude::*;
use std::time::Duration;

const CLIENT: usize = 0;
const SERVER: usize = 1;

mod datagrams;
mod hostile;
mod limits;
mod requests;
mod streams;

struct Pair {
    now: Instant,
    ends: [Quic; 2],
    events: [Vec<Event>; 2],
}

fn identity(end: usize) -> Identity {
    Identity::from_entropy([end as u8 + 1; 32])
}

fn address(end: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, end as u8 + 1], 4000))
}

fn engine(end: usize) -> Quic {
    engine_of(end, Config::new(ServiceName::new("test").unwrap()))
}

fn engine_of(end: usize, config: Config) -> Quic {
    let crypto = Crypto::new(rustls::crypto::ring::default_provider());
    let rng = Rng::child(&Seed::new([end as u8; 32]), "quic");
    let mut quic = Quic::new(Arc::new(config), &identity(end), crypto, rng).unwrap();
    quic.handle_socket_open(
        SocketId(0),
        Opened { address: address(end), gso_segments: 1, shares_port: false },
    );
    quic
}

impl Pair {
    fn new() -> Self {
        Self { now: base(), ends: [engine(CLIENT), engine(SERVER)], events: [Vec::new(), Vec::new()] }
    }

    fn dial(&mut self, alpn: Alpn, expect: Expect) -> ConnId {
        let conn = self.ends[CLIENT].dial(self.now, address(SERVER), alpn, expect).unwrap();
        self.run();
        conn
    }

    /// Dials as a paired peer would; the ids on either end.
    fn connected(&mut self) -> (ConnId, ConnId) {
        let key = identity(SERVER).public_key();
        let on_client = self.dial(Alpn::Data, Expect::Key(key));
        let on_server = self.connected_at(SERVER).expect("TLS is done at the server");
        (on_client, on_server)
    }

    fn connected_at(&self, end: usize) -> Option<ConnId> {
        self.events[end].iter().find_map(|event| match event {
            Event::Connected { conn, .. } => Some(*conn),
            _ => None,
        })
    }

    fn causes(&self, end: usize) -> Vec<Cause> {
        let lost = self.events[end].iter().filter_map(|event| match event {
            Event::Lost { cause, .. } => Some(*cause),
            _ => None,
        });
        lost.collect()
    }

    /// Carries datagrams until nothing moves.
    fn run(&mut self) {
        loop {
            let mut moved = false;
            for end in [CLIENT, SERVER] {
                self.ends[end].poll_connections(self.now);
                while let Some(event) = self.ends[end].poll_event() {
                    self.events[end].push(event);
                    self.ends[end].poll_connections(self.now);
                }
                let mut buf = Vec::new();
                while let Round::Transmit(transmit) = self.ends[end].poll_transmit(self.now, &mut buf) {
                    moved = true;
                    assert_eq!(transmit.destination, address(1 - end));
                    self.deliver(1 - end, &buf);
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn deliver(&mut self, to: usize, bytes: &[u8]) {
        self.deliver_from(address(1 - to), to, bytes);
    }

    fn deliver_from(&mut self, source: SocketAddr, to: usize, bytes: &[u8]) {
        let rx = Received {
            socket: SocketId(0),
            interface: None,
            source,
            destination: None,
            ecn: None,
            stride: bytes.len(),
            payload: BytesMut::from(bytes),
        };
        let now = Now { mono: self.now, wall: UnixTime::default() };
        self.ends[to].handle_datagram(now, rx);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.ends.iter().filter_map(|e| e.poll_timeout()).map(|d| d.at).min() {
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            for quic in &mut self.ends {
                quic.handle_timeout(self.now);
            }
            self.run();
        }
        self.now = end;
    }
}

#[test]
fn a_peer_that_is_not_admitted_gets_no_stream_but_the_main_one() {
    let mut pair = Pair::new();
    let (on_client, on_server) = pair.connected();
    // A stranger need not wait to be told that he may.
    pair.ends[CLIENT].admit(pair.now, on_client);
    pair.run();
    for direction in [Direction::Bi, Direction::Uni] {
        let opened = pair.ends[CLIENT].open(on_client, direction, "", 0);
        assert_eq!(opened, Err(OpenError::Exhausted));
    }
    assert_eq!(pair.ends[SERVER].open(on_server, Direction::Bi, "", 0), Err(OpenError::Gone));
    pair.ends[SERVER].admit(pair.now, on_server);
    pair.run();
    assert!(pair.ends[CLIENT].open(on_client, Direction::Bi, "", 0).is_ok());
}

#[test]
fn a_dialler_tells_nobody_but_the_pinned_key_who_it_is() {
    let mut pair = Pair::new();
    pair.dial(Alpn::Data, Expect::Key(identity(7).public_key()));
    assert_eq!(pair.causes(CLIENT), [Cause::WrongKey]);
    assert_eq!(pair.connected_at(SERVER), None, "the server never saw the client's certificate");
}

#[test]
fn a_stranger_that_says_nothing_is_closed_after_ten_seconds() {
    let mut pair = Pair::new();
    pair.connected();
    pair.pass(Duration::from_millis(9_900));
    assert_eq!(pair.causes(SERVER), []);
    pair.pass(Duration::from_millis(200));
    assert_eq!(pair.causes(SERVER), [Cause::Here(CloseCode::Timeout)]);
}

#[test]
fn a_frame_that_is_none_closes_the_connection() {
    let mut pair = Pair::new();
    let (on_client, _) = pair.connected();
    pair.ends[CLIENT].send_frame(pair.now, on_client, Bytes::from_static(b"\0\0"));
    pair.run();
    assert_eq!(pair.causes(SERVER), [Cause::Here(CloseCode::Protocol)]);
    assert_eq!(pair.causes(CLIENT), [Cause::Peer(Some(CloseCode::Protocol))]);
}

#[test]
fn what_is_said_last_arrives_before_the_connection_closes() {
    let mut pair = Pair::new();
    let (on_client, on_server) = pair.connected();
    pair.ends[CLIENT].send_frame(pair.now, on_client, Bytes::from_static(b"\0\x01x"));
    pair.ends[SERVER].send_frame(pair.now, on_server, Bytes::from_static(b"\0\x01y"));
    pair.ends[SERVER].finish(pair.now, on_server, CloseCode::NotPaired);
    pair.pass(Duration::from_secs(1));
    let heard = pair.events[CLIENT]
        .iter()
        .any(|e| matches!(e, Event::Frame { frame, .. } if frame.as_bytes() == b"\0\x01y"));
    assert!(heard);
    assert!(pair.events[CLIENT].iter().any(|event| matches!(event, Event::MainEnded { .. })));
    assert_eq!(pair.causes(SERVER), [Cause::Here(CloseCode::NotPaired)]);
}

#[test]
fn a_connection_that_is_over_leaves_nothing_behind() {
    let mut pair = Pair::new();
    let (on_client, _) = pair.connected();
    pair.ends[CLIENT].close(pair.now, on_client, CloseCode::Ok);
    pair.run();
    pair.pass(Duration::from_secs(60));
    for quic in &pair.ends {
        assert!(quic.conns.is_empty() && quic.timers.next().is_none());
        assert!(quic.slots.iter().all(Option::is_none));
    }
}

/// How full a table of the server is; none is over its bound.
fn filled(pair: &Pair, name: &str) -> usize {
    let tables = pair.ends[SERVER].tables();
    for table in &tables {
        assert!(table.len <= table.bound, "{table:?}");
    }
    tables.iter().find(|table| table.name == name).expect("the table is listed").len
}

#[test]
fn a_thousand_attempts_from_as_many_sources_stay_within_the_tables() {
    let mut pair = Pair::new();
    for n in 0..1000_u16 {
        let [high, low] = n.to_be_bytes();
        let (now, source) = (pair.now, SocketAddr::from(([10, 1, high, low], 4000)));
        pair.ends[CLIENT].dial(now, address(SERVER), Alpn::Data, Expect::Anyone).unwrap();
        pair.ends[CLIENT].poll_connections(now);
        let mut buf = Vec::new();
        while let Round::Transmit(_) = pair.ends[CLIENT].poll_transmit(now, &mut buf) {
            pair.deliver_from(source, SERVER, &buf);
        }
        pair.ends[SERVER].poll_connections(now);
        assert!(filled(&pair, "quic: connections unauthenticated") <= 16, "those above prove their address");
    }
    assert_eq!(filled(&pair, "quic: connections accepted"), 16);
    assert_eq!(filled(&pair, "quic: answers to strangers"), 64);
}

#[test]
fn a_stranger_that_comes_and_goes_is_counted_until_it_is_forgotten() {
    let mut pair = Pair::new();
    for _ in 0..50 {
        let conn = pair.dial(Alpn::Data, Expect::Anyone);
        pair.ends[CLIENT].close(pair.now, conn, CloseCode::Ok);
        pair.run();
        assert!(filled(&pair, "quic: connections accepted") <= 4);
    }
    pair.pass(Duration::from_secs(10));
    assert_eq!(filled(&pair, "quic: connections unauthenticated"), 0);
}

#[test]
fn a_node_accepts_and_dials_no_more_connections_than_it_may() {
    let mut config = Config::new(ServiceName::new("test").unwrap());
    config.max_connections = 2;
    let mut pair = Pair::new();
    pair.ends[SERVER] = engine_of(SERVER, config.clone());
    for _ in 0..5 {
        pair.dial(Alpn::Data, Expect::Anyone);
    }
    assert_eq!(filled(&pair, "quic: connections accepted"), 2);
    assert_eq!(pair.causes(CLIENT), [Cause::Refused; 3]);
    for dialled in [true, true, false] {
        let conn = pair.ends[SERVER].dial(pair.now, address(CLIENT), Alpn::Data, Expect::Anyone);
        assert_eq!(conn.is_some(), dialled);
    }
}

#[test]
fn a_burst_of_tiny_frames_is_read_piece_by_piece_and_to_its_end() {
    const FRAMES: usize = 100_000;
    let mut pair = Pair::new();
    let (on_client, on_server) = pair.connected();
    pair.ends[CLIENT].admit(pair.now, on_client);
    pair.ends[SERVER].admit(pair.now, on_server);
    pair.run();
    pair.events[SERVER].clear();
    pair.ends[CLIENT].send_frame(pair.now, on_client, Bytes::from(b"\0\x01x".repeat(FRAMES)));
    // The server is not asked until all is there.
    loop {
        pair.ends[CLIENT].poll_connections(pair.now);
        // It acknowledges what came in, and looks at nothing.
        let Quic { conns, work, .. } = &mut pair.ends[SERVER];
        conns.iter_mut().for_each(|(_, conn)| work.send(conn));
        let mut moved = false;
        for end in [CLIENT, SERVER] {
            let mut buf = Vec::new();
            while let Round::Transmit(_) = pair.ends[end].poll_transmit(pair.now, &mut buf) {
                moved = true;
                pair.deliver(1 - end, &buf);
            }
        }
        if !moved {
            break;
        }
    }
    pair.ends[SERVER].poll_connections(pair.now);
    let waiting = filled(&pair, "quic: events");
    assert!((5_000..6_000).contains(&waiting), "{waiting}");
    pair.run();
    assert_eq!(pair.events[SERVER].len(), FRAMES);
}

#[test]
fn streams_of_a_hidden_connection_end_and_new_ones_wait_until_it_is_shown() {
    let mut pair = Pair::new();
    let (on_client, on_server) = pair.connected();
    pair.ends[CLIENT].admit(pair.now, on_client);
    pair.ends[SERVER].admit(pair.now, on_server);
    pair.run();
    let say = |pair: &mut Pair| {
        let id = pair.ends[CLIENT].open(on_client, Direction::Bi, "", 0).unwrap();
        pair.ends[CLIENT].stream(on_client, id).unwrap().write(b"hello").unwrap();
        pair.run();
        id
    };
    let opened = |pair: &mut Pair| {
        let told = std::iter::from_fn(|| pair.ends[SERVER].poll_ready()).collect::<Vec<_>>();
        told.into_iter().filter(|(.., now)| now.opened).map(|(_, id, ..)| id).collect::<Vec<_>>()
    };
    let first = say(&mut pair);
    assert_eq!(opened(&mut pair), [first]);
    pair.ends[SERVER].hide(pair.now, on_server);
    let second = say(&mut pair);
    assert_eq!(opened(&mut pair), []);
    let read = pair.ends[SERVER].stream(on_server, first).map(|mut s| s.read_chunks(9, &mut Vec::new()));
    assert!(!matches!(read, Ok(Ok(_))), "what was there is cut off");
    let written = pair.ends[CLIENT].stream(on_client, first).map(|mut s| s.write(b"more"));
    assert!(!matches!(written, Ok(Ok(_))), "and so it is for the peer");
    pair.ends[SERVER].admit(pair.now, on_server);
    assert_eq!(opened(&mut pair), [second]);
}

#[test]
fn room_for_streams_both_ways_is_told_once() {
    let mut pair = Pair::new();
    let (on_client, on_server) = pair.connected();
    pair.ends[CLIENT].admit(pair.now, on_client);
    pair.ends[SERVER].admit(pair.now, on_server);
    pair.run();
    assert_eq!(pair.ends[CLIENT].poll_available(), Some(on_client));
    assert_eq!(pair.ends[CLIENT].poll_available(), None);
}

#[test]
fn a_peer_that_allows_any_number_of_streams_does_not_get_them() {
    let mut config = Config::new(ServiceName::new("test").unwrap());
    config.max_streams = 70_000;
    let mut pair = Pair::new();
    pair.ends[SERVER] = engine_of(SERVER, config);
    let (on_client, on_server) = pair.connected();
    pair.ends[CLIENT].admit(pair.now, on_client);
    pair.ends[SERVER].admit(pair.now, on_server);
    pair.run();
    let client = &mut pair.ends[CLIENT];
    let first = client.open(on_client, Direction::Uni, "", 0).unwrap();
    for _ in 1..1 << 16 {
        client.open(on_client, Direction::Uni, "", 0).unwrap();
    }
    assert_eq!(client.open(on_client, Direction::Uni, "", 0), Err(OpenError::Exhausted));
    while client.poll_available().is_some() {}
    client.stream(on_client, first).unwrap().reset(0);
    client.poll_connections(pair.now);
    assert_eq!(client.poll_available(), Some(on_client), "there is room again");
    assert!(client.open(on_client, Direction::Uni, "", 0).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn every_label_reads_back_before_the_first_byte(
        labels in prop::collection::vec((".{0,63}", any::<bool>(), 1..40_usize), 1..8),
    ) {
        let mut pair = Pair::new();
        let (on_client, on_server) = pair.connected();
        pair.ends[SERVER].admit(pair.now, on_server);
        pair.ends[CLIENT].admit(pair.now, on_client);
        pair.run();
        for (label, uni, len) in labels {
            let direction = if uni { Direction::Uni } else { Direction::Bi };
            let id = pair.ends[CLIENT].open(on_client, direction, &label, 0).unwrap();
            let mut stream = pair.ends[CLIENT].stream(on_client, id).unwrap();
            prop_assert_eq!(stream.write(&vec![7; len]), Ok(len));
            drop(stream);
            pair.run();
            let opened = std::iter::from_fn(|| pair.ends[SERVER].poll_ready()).find(|(.., now)| now.opened);
            prop_assert_eq!(opened.map(|(conn, id, ..)| (conn, id)), Some((on_server, id)));
            let mut stream = pair.ends[SERVER].stream(on_server, id).unwrap();
            prop_assert_eq!((stream.label(), stream.direction()), (&label[..], direction));
            let mut sink = Vec::new();
            prop_assert_eq!(stream.read_chunks(1000, &mut sink).map(|read| read.bytes), Ok(len));
            prop_assert!(sink.concat().iter().all(|octet| *octet == 7));
        }
    }

    #[test]
    fn any_octets_where_a_label_belongs_are_a_label_or_refused(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        small in 0..20_u8,
    ) {
        for octets in [octets.clone(), [&[small][..], &octets].concat()] {
            let mut pair = Pair::new();
            let (on_client, on_server) = pair.connected();
            pair.ends[SERVER].admit(pair.now, on_server);
            pair.run();
            pair.ends[CLIENT].blurt(on_client, Direction::Uni, &octets, true);
            pair.run();
            let opened = std::iter::from_fn(|| pair.ends[SERVER].poll_ready()).find(|(.., now)| now.opened);
            let len = octets.first().map_or(usize::MAX, |len| usize::from(*len));
            let label = octets.get(1..len.saturating_add(1)).and_then(|label| std::str::from_utf8(label).ok());
            prop_assert_eq!(opened.is_some(), label.is_some());
            if let (Some((_, id, ..)), Some(label)) = (opened, label) {
                let stream = pair.ends[SERVER].stream(on_server, id).unwrap();
                prop_assert_eq!(stream.label(), label);
            }
            prop_assert_eq!(pair.causes(SERVER), []);
        }
    }
}
