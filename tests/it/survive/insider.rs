//! What somebody may send who finished his handshake, trusted or not.

use super::flow::figure;
use super::support::*;
use handfast_core::ConnId;
use handfast_tests::fabric::{Host, Port};
use handfast_tests::forge::frames::{self, MAX};
use handfast_tests::forge::insider::{Insider, hello};
use handfast_tests::machine::address;
use handfast_tests::paired::records;
use handfast_tests::world::World;
use std::net::SocketAddr;
use std::time::Duration;

/// As long as a flood may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// RFC 9000 §20.1.
const INTERNAL_ERROR: u64 = 0x01;
const FLOW_CONTROL_ERROR: u64 = 0x03;
const STREAM_LIMIT_ERROR: u64 = 0x04;
const STREAM_STATE_ERROR: u64 = 0x05;
const FINAL_SIZE_ERROR: u64 = 0x06;
const FRAME_ENCODING_ERROR: u64 = 0x07;
const CONNECTION_ID_LIMIT_ERROR: u64 = 0x09;
const PROTOCOL_VIOLATION: u64 = 0x0a;
const CRYPTO_BUFFER_EXCEEDED: u64 = 0x0d;
/// A message of TLS that is not expected. RFC 8446 §6, RFC 9001 §4.8.
const UNEXPECTED_MESSAGE: u64 = 0x100 + 10;

/// A message of TLS that updates keys, which QUIC does in its own way. RFC 8446 §4.6.3, RFC 9001 §6.
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];

/// Streams of each direction that a dialler may open: those of the application, and the main stream.
const STREAMS: u64 = 100;

/// One more in the same direction has an id that is larger by this. RFC 9000 §2.1.
const NEXT: u64 = 4;

/// The first stream of whoever dialled, each direction, and the first one way of whoever was dialled. RFC 9000 §2.1.
const BIDI: u64 = 0;
const UNI: u64 = 2;
const THEIR_UNI: u64 = 3;

/// What is said, and the code with which the connection is closed for it.
type Sin = (&'static str, Vec<u8>, u64);

/// A host, one that is connected with it and does nothing wrong, and where the next one dials from.
struct Siege {
    world: World,
    host: Host,
    honest: (Host, ConnId),
    port: u16,
}

impl Siege {
    fn new() -> Self {
        let mut world = World::seeded(1);
        let (of_a, of_b) = records(identity(1).public_key(), identity(2).public_key());
        let (_, of_insider) = records(identity(3).public_key(), identity(1).public_key());
        let host = world.add(config(), &identity(1), vec![of_a, of_insider]);
        let honest = world.add(config(), &identity(2), vec![of_b]);
        world.run_for(Duration::from_millis(1));
        let (on_honest, _) = connect(&mut world, honest, host);
        Self { world, host, honest: (honest, on_honest), port: 5000 }
    }

    /// Somebody comes whose handshake is done.
    fn comes(&mut self, number: u8, protocol: &str) -> Insider {
        self.port += 1;
        let ip = format!("10.0.{}.{}/16", 100 + self.port / 250, self.port % 250 + 1);
        let insider = Insider::new(self.port, self.world.address(self.host), &identity(number), protocol);
        let port = Port { interface: 1, segment: self.world.lan(), addresses: vec![address(&ip)] };
        self.world.invite(&[port], insider.stranger());
        assert!(self.world.run_until(SOON, |_| insider.is_connected()));
        insider
    }

    /// Somebody comes who is trusted, and whom the application sees.
    fn comes_trusted(&mut self) -> Insider {
        let before = self.world[self.host].app.events.len();
        let insider = self.comes(3, "handfast/1:test");
        insider.write(&hello(identity(3).fingerprint()));
        let host = self.host;
        let is_seen = |world: &World| {
            let events = &world[host].app.events[before..];
            events.iter().any(|event| matches!(event, handfast_core::Event::PeerConnected(_)))
        };
        assert!(self.world.run_until(SOON, is_seen), "{:?}", insider.ended());
        // What it was allowed reached it.
        self.world.run_for(Duration::from_millis(50));
        insider
    }

    /// The other connection carries what it carried, and no table is over its bound.
    fn assert_unmoved(&mut self, why: &str) {
        assert_bounded(&mut self.world, self.host);
        assert!(passes(&mut self.world, self.honest, self.host, SOON), "{why}");
    }

    /// Everybody's sins, each by another one.
    fn judge(&mut self, comes: impl Fn(&mut Self) -> Insider, sins: Vec<Sin>) {
        for (what, frames, code) in sins {
            let insider = comes(self);
            insider.say(frames);
            self.world.run_until(SOON, |_| insider.ended().is_some());
            assert_eq!(insider.closed_with(), Some(code), "{what}: {:?}", insider.ended());
            self.assert_unmoved(what);
        }
    }
}

/// What nobody may say, whatever he was granted. RFC 9000 §19.
fn sins_of_anybody() -> Vec<Sin> {
    vec![
        ("a frame of a type that is none", frames::of(0x2f, &[]), FRAME_ENCODING_ERROR),
        ("a length past the end", frames::of(0x0e, &[BIDI, 0, 9999]), FRAME_ENCODING_ERROR),
        ("an acknowledgement of what was never sent", frames::of(0x02, &[9999, 0, 0, 0]), PROTOCOL_VIOLATION),
        ("an acknowledgement from below zero", frames::of(0x02, &[1, 0, 0, 2]), FRAME_ENCODING_ERROR),
        ("more streams than can be counted", frames::of(0x12, &[(1 << 60) + 1]), FRAME_ENCODING_ERROR),
        ("the same, each way", frames::of(0x13, &[MAX]), FRAME_ENCODING_ERROR),
        ("blocked by such a limit", frames::of(0x16, &[(1 << 60) + 1]), FRAME_ENCODING_ERROR),
        ("bytes on a stream that was never opened here", frames::stream(1, 0, b"x"), STREAM_STATE_ERROR),
        ("bytes on a stream that he only hears", frames::stream(THEIR_UNI, 0, b"x"), STREAM_STATE_ERROR),
        ("credit for a stream that he only sends on", frames::of(0x11, &[UNI, 9]), STREAM_STATE_ERROR),
        ("a stop of a stream that was never opened", frames::of(0x05, &[1, 0]), STREAM_STATE_ERROR),
        ("an id for a connection that retires itself", frames::new_connection_id(5, 6), FRAME_ENCODING_ERROR),
        ("an id too many", many_ids(0), CONNECTION_ID_LIMIT_ERROR),
        ("the return of an id that was never given", frames::of(0x19, &[9999]), PROTOCOL_VIOLATION),
        ("a token, as only a server gives", frames::of(0x07, &[1, 0]), PROTOCOL_VIOLATION),
        ("that the handshake is done, as only a server says", frames::of(0x1e, &[]), PROTOCOL_VIOLATION),
        ("more of the handshake than is kept", frames::crypto(1 << 20, b"x"), CRYPTO_BUFFER_EXCEEDED),
        ("another handshake", frames::crypto(0, &KEY_UPDATE), UNEXPECTED_MESSAGE),
        ("a stream far beyond the limit", frames::stream(1 << 40, 0, b"x"), STREAM_LIMIT_ERROR),
        ("a stream that ends where none can", frames::stream(BIDI, MAX - 4, b"x"), FLOW_CONTROL_ERROR),
    ]
}

/// Ten ids for a connection, of which those below a number are to be retired.
fn many_ids(retire_prior_to: u64) -> Vec<u8> {
    (10..20).flat_map(|sequence| frames::new_connection_id(sequence, retire_prior_to)).collect()
}

#[test]
fn whoever_is_trusted_and_breaks_the_rules_is_closed_with_the_right_code_and_nobody_else_notices() {
    let mut siege = Siege::new();
    let mut sins = sins_of_anybody();
    let opened = frames::stream(NEXT, 0, b"\0hello");
    sins.extend([
        ("one stream too many", frames::stream(BIDI + NEXT * (STREAMS + 1), 0, b"x"), STREAM_LIMIT_ERROR),
        ("one too many, one way", frames::stream(UNI + NEXT * STREAMS, 0, b"x"), STREAM_LIMIT_ERROR),
        ("more than a stream may hold", frames::stream(NEXT, 1 << 20, b"x"), FLOW_CONTROL_ERROR),
        (
            "two ends of one stream",
            [frames::of(0x04, &[NEXT, 0, 5]), frames::of(0x04, &[NEXT, 0, 6])].concat(),
            FINAL_SIZE_ERROR,
        ),
        ("an end before what came", [opened, frames::of(0x04, &[NEXT, 0, 2])].concat(), FINAL_SIZE_ERROR),
    ]);
    siege.judge(Siege::comes_trusted, sins);
}

#[test]
fn whoever_is_not_known_and_breaks_the_rules_is_closed_with_the_right_code_and_nobody_else_notices() {
    let mut siege = Siege::new();
    let mut sins = sins_of_anybody();
    sins.extend([
        ("a second stream", frames::stream(BIDI + NEXT, 0, b"x"), STREAM_LIMIT_ERROR),
        ("a stream one way", frames::stream(UNI, 0, b"x"), STREAM_LIMIT_ERROR),
        ("more than a stranger may say", frames::stream(BIDI, 16 << 10, b"x"), FLOW_CONTROL_ERROR),
    ]);
    for protocol in ["handfast/1:test", "handfast-pair/1:test"] {
        siege.judge(|siege| siege.comes(9, protocol), sins.clone());
    }
}

#[test]
fn numbers_beyond_all_measure_that_break_no_rule_cost_nothing() {
    let mut siege = Siege::new();
    let insider = siege.comes_trusted();
    let (_, before) = insider.traffic();
    for frame in [
        frames::of(0x10, &[MAX]),
        frames::of(0x11, &[BIDI, MAX]),
        frames::of(0x12, &[1 << 60]),
        frames::of(0x13, &[1 << 60]),
        frames::of(0x14, &[MAX]),
        frames::of(0x15, &[BIDI, MAX]),
        frames::of(0x16, &[1 << 60]),
        frames::path_response(1),
    ] {
        for _ in 0..1000 {
            insider.say(frame.repeat(20));
        }
    }
    assert!(siege.world.run_until(SOON, |_| insider.unsaid() == 0));
    siege.world.run_for(Duration::from_secs(1));
    let (_, heard) = insider.traffic();
    figure(format_args!("8,000 packets were answered by {}", heard.datagrams - before.datagrams));
    assert_eq!(insider.ended(), None);
    assert!(heard.bytes - before.bytes < 8_000 * 50, "acknowledgements");
    siege.assert_unmoved("numbers");
}

/// Every second of 20,000 packets is missing: what is to be acknowledged has 10,000 gaps. RFC 9000 §13.2.4.
#[test]
fn ten_thousand_gaps_between_packets_are_acknowledged_in_bounded_space() {
    let mut siege = Siege::new();
    let insider = siege.comes_trusted();
    let ((sent, heard), world) = (insider.traffic(), &mut siege.world);
    insider.skip(2);
    for _ in 0..20_000 {
        insider.say(vec![1]);
    }
    assert!(world.run_until(PATIENCE, |_| insider.unsaid() == 0));
    world.run_for(Duration::from_secs(1));
    let (sent_then, heard_then) = insider.traffic();
    let (sent, datagrams) = (sent_then.datagrams - sent.datagrams, heard_then.datagrams - heard.datagrams);
    let each = (heard_then.bytes - heard.bytes) / datagrams;
    figure(format_args!("{sent} packets with as many gaps brought {datagrams} of {each} bytes each"));
    assert!(sent > 9_000 && datagrams <= sent + 100, "{datagrams} for {sent}");
    assert!(each < 400, "{each} bytes");
    assert_eq!(insider.ended(), None);
    siege.assert_unmoved("gaps");
}

/// One byte in two of a stream, so that nothing can be read. RFC 9000 §2.2.
#[test]
fn a_stream_full_of_gaps_is_closed_with_its_connection() {
    let mut siege = Siege::new();
    let insider = siege.comes_trusted();
    // A label of no bytes, and a gap after it.
    insider.say(frames::stream(NEXT, 0, &[0]));
    for packet in 0..2_000_u64 {
        let one = |n| frames::stream(NEXT, 2 + 2 * (packet * 100 + n), b"x");
        insider.say((0..100).flat_map(one).collect());
    }
    let world = &mut siege.world;
    assert!(world.run_until(SOON, |_| insider.ended().is_some()));
    // quinn-proto takes it for its own trouble, and has no other code for it.
    assert_eq!(insider.closed_with(), Some(INTERNAL_ERROR), "{:?}", insider.ended());
    assert!(insider.unsaid() > 1_000, "it was closed after a few thousand");
    siege.assert_unmoved("gaps in a stream");
}

#[test]
fn a_flood_of_challenges_brings_no_more_than_it_cost() {
    let mut siege = Siege::new();
    let insider = siege.comes_trusted();
    let before = insider.traffic();
    for packet in 0..1_000 {
        insider.say((0..100).flat_map(|n| frames::path_challenge(packet * 100 + n)).collect());
    }
    assert!(siege.world.run_until(SOON, |_| insider.unsaid() == 0));
    siege.world.run_for(Duration::from_secs(1));
    let (sent, heard) = insider.traffic();
    let (sent, heard) = (sent.bytes - before.0.bytes, heard.bytes - before.1.bytes);
    figure(format_args!("100,000 challenges in {sent} bytes brought {heard}"));
    assert!(heard <= sent + 10_000, "{heard} for {sent}");
    siege.assert_unmoved("challenges");
}

/// RFC 9000 §8.2.2, §9.3.
#[test]
fn challenges_in_the_name_of_others_bring_them_no_more_than_three_times_the_bytes() {
    let mut siege = Siege::new();
    let insider = siege.comes_trusted();
    let before = insider.traffic();
    siege.world.fabric.keep_seen(100_000);
    siege.world.fabric.take_seen();
    let victim = |n: u64| SocketAddr::from(([10, 0, 220, n as u8], 4444));
    // What asks alone, and what makes a connection move as well.
    for n in 0..1_000 {
        insider.say_as_if_from(victim(n % 200), frames::path_challenge(n));
        insider.say_as_if_from(victim(n % 200), [frames::path_challenge(n), vec![1]].concat());
        insider.say_as_if_from(victim(n % 200), frames::path_response(n));
    }
    let began = siege.world.elapsed();
    assert!(siege.world.run_until(PATIENCE, |_| insider.unsaid() == 0));
    siege.world.run_for(Duration::from_secs(3));
    let took = siege.world.elapsed() - began;
    let sent = insider.traffic().0.bytes - before.0.bytes;
    let seen = siege.world.fabric.take_seen();
    let is_victim = |to: SocketAddr| to.port() == 4444;
    let got: usize =
        seen.iter().filter(|seen| is_victim(seen.destination)).map(|seen| seen.payload.len()).sum();
    figure(format_args!("3,000 packets, {sent} bytes, brought those that they named {got} in {took:?}"));
    assert!(got <= 3 * sent + 1200 * (1 + took.as_secs() as usize), "{got} for {sent}");
    siege.assert_unmoved("challenges");
}

#[test]
fn ids_without_end_that_replace_each_other_end_the_connection() {
    let mut siege = Siege::new();
    let insider = siege.comes_trusted();
    let before = insider.traffic();
    for round in 0..5_000 {
        let sequence = 10 + round;
        insider.say(frames::new_connection_id(sequence, sequence));
    }
    let world = &mut siege.world;
    assert!(world.run_until(SOON, |_| insider.unsaid() == 0 || insider.ended().is_some()));
    world.run_for(Duration::from_secs(1));
    let (sent, heard) = insider.traffic();
    let (sent, heard) = (sent.bytes - before.0.bytes, heard.bytes - before.1.bytes);
    figure(format_args!("5,000 ids brought {heard} bytes: {:?}", insider.ended()));
    assert!(heard < 20_000 && heard < sent, "{heard} for {sent}");
    // The close went to an id that the insider made up and does not know.
    assert!(insider.ended().is_some());
    siege.assert_unmoved("ids");
}

/// A hundred in each packet, as many as may be open. RFC 9000 §4.6.
#[test]
fn a_million_streams_that_are_begun_and_reset_leave_nothing() {
    let mut siege = Siege::new();
    let insider = siege.comes_trusted();
    let before = insider.traffic();
    for round in 0..10 {
        for packet in (round * 1_000)..((round + 1) * 1_000) {
            let begun_and_reset = |n| frames::of(0x04, &[UNI + NEXT * (packet * STREAMS + n), 0, 0]);
            insider.say((0..STREAMS).flat_map(begun_and_reset).collect());
        }
        assert!(siege.world.run_until(SOON, |_| insider.unsaid() == 0));
        siege.assert_unmoved("streams");
    }
    assert_eq!(insider.ended(), None);
    let (sent, heard) = insider.traffic();
    let (sent, heard) = (sent.bytes - before.0.bytes, heard.bytes - before.1.bytes);
    figure(format_args!("a million streams in {sent} bytes brought {heard}"));
    assert!(heard < sent, "{heard} for {sent}");
    let opened = siege.world.tell(siege.host, |node, _| node.tables());
    let opened = opened.iter().find(|table| table.name == "quic: streams opened by a peer").expect("a table");
    assert_eq!(opened.len, 0);
}
