//! What a stranger may send to QUIC's port, and what lies between two peers.

use super::support::*;
use bytes::Bytes;
use handfast_core::{ConnId, Direction, StreamId};
use handfast_tests::fabric::{Firewall, Host, Link, Nat, PerMille, Port, Router, Seen};
use handfast_tests::forge::hello;
use handfast_tests::machine::address;
use handfast_tests::world::World;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The stranger's side.
const FROM: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 200, 1), 4444);

/// The connection id that a stranger chooses.
const ID: [u8; 8] = *b"stranger";

/// Lets a stranger send something to a host's QUIC port, and returns what comes back within a second.
fn answers(world: &mut World, by: Host, to: Host, datagram: &[u8]) -> Vec<Seen> {
    let address = world.address(to);
    world.fabric.keep_seen(1000);
    world.fabric.take_seen();
    forge(world, by, [FROM.into(), address], datagram);
    world.run_for(Duration::from_secs(1));
    assert_bounded(world, to);
    let seen = world.fabric.take_seen();
    seen.into_iter().filter(|seen| seen.destination == SocketAddr::from(FROM)).collect()
}

/// The code with which a host closed, in its first packets.
fn closed_with(seen: &[Seen]) -> Option<usize> {
    seen.iter().filter_map(|seen| hello::opened(&seen.payload, &ID)).find_map(|f| hello::close_code(&f))
}

/// A host with one that is paired with it, and a stranger.
fn besieged() -> (World, Host, Host, Host) {
    let (mut world, a, b) = pair_of_hosts(1);
    let by = stranger(&mut world);
    (world, a, b, by)
}

#[test]
fn an_unknown_version_is_answered_by_those_that_are_spoken_and_a_small_packet_by_nothing() {
    let (mut world, a, b, by) = besieged();
    // A greased version, one of a draft, and one of nobody. RFC 9000 §15.
    for version in [0x1a2a_3a4a, 0xff00_00ff, 0xdead_beef] {
        let seen = answers(&mut world, by, a, &hello::of_version(version, &ID, b"from", 1200));
        assert_eq!(seen.len(), 1, "{version:x}");
        let said = &seen[0].payload;
        assert!(said[0] & 0x80 != 0 && said[1..5] == [0; 4], "version negotiation. RFC 9000 §17.2.1");
        assert_eq!(&said[5..19], b"\x04from\x08stranger", "the ids come back the other way round");
        assert!(said[19..].chunks(4).any(|version| version == [0, 0, 0, 1]));
        assert!(said.len() < 1200);
        assert!(answers(&mut world, by, a, &hello::of_version(version, &ID, b"from", 1199)).is_empty());
    }
    assert!(answers(&mut world, by, a, &hello::of_version(0, &ID, b"from", 1200)).is_empty());
    connect(&mut world, a, b);
}

#[test]
fn a_packet_without_the_fixed_bit_or_with_noise_in_it_is_dropped() {
    let (mut world, a, b, by) = besieged();
    let sound = hello::initial(&ID, 0, &hello::crypto(0, &hello::client_hello("handfast/1:test", &[])));
    for flip in [0x40, 0x80] {
        let mut bent = sound.clone();
        bent[0] ^= flip;
        assert_eq!(closed_with(&answers(&mut world, by, a, &bent)), None);
    }
    for len in (0..sound.len()).step_by(7) {
        assert!(answers(&mut world, by, a, &sound[..len]).len() <= 1, "{len}");
    }
    connect(&mut world, a, b);
}

/// Transport parameters that are well formed: the source id, and one that is greased. RFC 9000 §18.1, §18.2.
fn parameters(more: &[u8]) -> Vec<u8> {
    let mut parameters = b"\x0f\x08stranger\x1b\x03abc".to_vec();
    parameters.extend_from_slice(more);
    parameters
}

#[test]
fn transport_parameters_that_are_greased_are_accepted_and_bad_ones_close_the_connection() {
    let (mut world, a, b, by) = besieged();
    let dial = |world: &mut World, parameters: &[u8]| {
        let greeting = hello::client_hello("handfast/1:test", parameters);
        let seen = answers(world, by, a, &hello::initial(&ID, 0, &hello::crypto(0, &greeting)));
        // The stranger is forgotten.
        world.run_for(Duration::from_secs(20));
        (seen.len(), closed_with(&seen))
    };
    let (answered, closed) = dial(&mut world, &parameters(&[]));
    assert!(answered > 0 && closed.is_none());
    let bad: [&[u8]; 8] = [
        // The same twice; a length past the end; a varint cut short; an ACK delay exponent of 21.
        b"\x0f\x08stranger",
        b"\x01\x44\x00",
        b"\x01\x04\xc0\x00\x00\x00",
        b"\x0a\x01\x15",
        // A payload size of 1,199; one connection id; an ACK delay of 2^14 ms; a client with a reset token.
        b"\x03\x02\x44\xaf",
        b"\x0e\x01\x01",
        b"\x0b\x04\x80\x00\x40\x00",
        b"\x02\x10aaaaaaaaaaaaaaaa",
    ];
    for bad in bad {
        let (_, closed) = dial(&mut world, &parameters(bad));
        // TRANSPORT_PARAMETER_ERROR. RFC 9000 §20.1.
        assert_eq!(closed, Some(8), "{bad:02x?}");
    }
    // Somebody else's source id. RFC 9000 §7.3.
    assert_eq!(dial(&mut world, b"\x0f\x08straNGer").1, Some(8));
    connect(&mut world, a, b);
}

#[test]
fn a_first_packet_that_comes_again_and_again_under_load_is_answered_by_retry_each_time() {
    let mut second = config();
    second.retry_from = 0;
    let (mut world, a, b) = pair_of(1, [config(), second]);
    let by = stranger(&mut world);
    let greeting = hello::client_hello("handfast/1:test", &parameters(&[]));
    let first = hello::initial(&ID, 0, &hello::crypto(0, &greeting));
    for _ in 0..3 {
        let seen = answers(&mut world, by, b, &first);
        assert!(seen.len() == 1 && seen[0].payload[0] & 0xf0 == 0xf0, "a Retry. RFC 9000 §17.2.5");
    }
    // And everything doubled, the packets with the token as well.
    let lan = world.lan();
    world.fabric.set_link(lan, Link::default().with_duplicate(PerMille::ALWAYS));
    let (on_a, _) = connect(&mut world, a, b);
    assert!(passes(&mut world, (a, on_a), b, SOON));
}

#[test]
fn a_handshake_full_of_gaps_is_closed_and_forgotten() {
    let (mut world, a, b, by) = besieged();
    let greeting = hello::client_hello("handfast/1:test", &parameters(&[]));
    let mut seen = answers(&mut world, by, a, &hello::initial(&ID, 0, &hello::crypto(0, &greeting[..1])));
    for number in 1..40 {
        let frames: Vec<u8> =
            (0..150).flat_map(|n| hello::crypto(2 + 2 * (number * 150 + n) as u16, b"x")).collect();
        seen.extend(answers(&mut world, by, a, &hello::initial(&ID, number, &frames)));
    }
    assert!(closed_with(&seen).is_some(), "it does not wait for what is missing");
    world.run_for(Duration::from_secs(20));
    let tables = world.tell(a, |node, _| node.tables());
    let accepted = tables.iter().find(|table| table.name == "quic: connections accepted").unwrap();
    assert_eq!(accepted.len, 0);
    connect(&mut world, a, b);
}

#[test]
fn five_hundred_connections_begun_by_nobody_leave_room_for_a_peer() {
    let (mut world, a, b, by) = besieged();
    let to = world.address(a);
    for n in 0..500_u64 {
        let source = SocketAddr::from(([10, 0, 210 + (n >> 8) as u8, n as u8], 4444));
        let frames = hello::crypto(0, &hello::client_hello("handfast/1:test", &parameters(&[])));
        forge(&mut world, by, [source, to], &hello::initial(&n.to_be_bytes(), 0, &frames));
        world.run_for(Duration::from_millis(1));
        if n % 100 == 0 {
            assert_bounded(&mut world, a);
        }
    }
    // He who answers to his address gets in, by Retry.
    dial(&mut world, b, a);
    assert!(world.run_until(SOON, |world| conn(world, b).is_some()));
}

/// Writes without end from `a` to `b`, who reads, for a while: how many bytes came.
fn pump(world: &mut World, (a, on_a): (Host, ConnId), b: Host, id: StreamId, time: Duration) -> usize {
    let until = world.elapsed() + time;
    let mut read_so_far = 0;
    while world.elapsed() < until {
        let mut chunk = [Bytes::from(vec![1; 1 << 16])];
        let _ = world.tell(a, |node, _| node.stream(on_a, id).unwrap().write_chunks(&mut chunk));
        world.run_for(Duration::from_millis(10));
        if let Some((on_b, id)) = opened(world, b).first().copied() {
            read_so_far += world.tell(b, |node, _| read(node, on_b, id)).unwrap().0.len();
        }
    }
    read_so_far
}

#[test]
fn a_path_that_swallows_big_packets_in_the_middle_of_a_transfer_is_survived() {
    let (mut world, a, b) = pair_of_hosts(1);
    let lan = world.lan();
    let slow = Link::default().with_bandwidth(500_000, Duration::from_millis(50));
    world.fabric.set_link(lan, slow);
    let (on_a, _) = connect(&mut world, a, b);
    let id = world.tell(a, |node, now| node.open(now, on_a, Direction::Uni, "bulk", 1)).unwrap();
    let before = pump(&mut world, (a, on_a), b, id, Duration::from_secs(5));
    world.fabric.keep_seen(100);
    world.fabric.take_seen();
    pump(&mut world, (a, on_a), b, id, Duration::from_millis(50));
    let largest = world.fabric.take_seen().iter().map(|seen| seen.payload.len()).max().unwrap();
    assert!(largest > 1300, "{largest}: larger packets were found to pass");
    world.fabric.set_link(lan, slow.with_mtu(1280));
    pump(&mut world, (a, on_a), b, id, Duration::from_secs(10));
    let after = pump(&mut world, (a, on_a), b, id, Duration::from_secs(5));
    assert_eq!(conn(&world, a), Some(on_a));
    assert!(after > before / 4, "{after} bytes in 5 s, where it was {before}");
}

#[test]
fn an_address_where_nobody_is_delays_a_dial_by_a_quarter_of_a_second() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (to, peer) = (world.address(b), name(&identity(2)));
    // Nobody there at all, and a host with nothing on that port.
    let other = world.add(config(), &identity(3), vec![]);
    let closed = SocketAddr::new(world.address(other).ip(), 9);
    let began = world.elapsed();
    world.tell(a, |node, now| {
        for address in ["10.0.99.99:40000".parse().unwrap(), closed, to] {
            node.peers().add_address(now, peer, address);
        }
        node.connect(now, peer).unwrap();
    });
    assert!(world.run_until(SOON, |world| conn(world, a).is_some()));
    let took = world.elapsed() - began;
    assert!(took < Duration::from_millis(600), "{took:?}");
}

#[test]
fn a_connection_outlives_the_nat_in_front_of_its_dialler() {
    let mut world = World::seeded(1);
    let lan = world.lan();
    let internet = world.fabric.internet();
    let nat = Nat::new(Ipv4Addr::new(203, 0, 113, 7));
    let router = world.fabric.router(lan, Router::Nat { nat, firewall: Firewall::Open });
    let on = |segment, ip: &str| vec![Port { interface: 1, segment, addresses: vec![address(ip)] }];
    let a = boot(&mut world, 1, on(lan, "192.168.1.2/24"));
    let b = boot(&mut world, 2, on(internet, "192.0.2.1/24"));
    world.run_for(Duration::from_millis(1));
    let (on_a, on_b) = connect(&mut world, a, b);
    let before = world.fabric.mapped(router, world.address(a), world.address(b));
    for _ in 0..3 {
        world.fabric.rebind(router);
        assert!(passes(&mut world, (a, on_a), b, SOON), "from the dialler");
        assert!(passes(&mut world, (b, on_b), a, SOON), "and to it");
        world.run_for(Duration::from_secs(60));
    }
    assert_ne!(world.fabric.mapped(router, world.address(a), world.address(b)), before);
    assert_eq!((conn(&world, a), conn(&world, b)), (Some(on_a), Some(on_b)));
}
