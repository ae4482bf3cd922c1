//! Nodes that share no LAN, and the discovery server that they find each other by.

use super::{SOON, secs, told};
use crate::node::support::{config, identity, name};
use handfast_core::directory::{DirectoryEntry, read_piece, write_piece};
use handfast_core::{Announce, DiscoveryServer, Event, PeerId, PeerIdKind, ServerConfig};
use handfast_tests::app::Recorder;
use handfast_tests::fabric::{Host, Outgoing, Port};
use handfast_tests::fault::Fault;
use handfast_tests::machine::{Setup, address};
use handfast_tests::paired::records;
use handfast_tests::stranger::{Act, Stranger};
use handfast_tests::world::World;
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whose key the server has.
const SERVER: u8 = 99;
const AT: &str = "198.51.100.1:5224";

fn port(world: &mut World, ip: &str) -> Port {
    Port { interface: 1, segment: world.fabric.internet(), addresses: vec![address(ip)] }
}

/// A server on the Internet, which has no multicast.
fn server(world: &mut World) -> Host {
    let at = port(world, "198.51.100.1/24");
    let setup = Setup::new("server", config(), Arc::new(identity(SERVER))).with_port(at);
    world.boot(setup.with_server(ServerConfig::new()), Recorder::default())
}

/// One of two that are paired, and use the server. By so many seconds its calendar is ahead.
fn peer(world: &mut World, number: u8, skew_s: i64) -> Host {
    let (of_one, of_two) = records(identity(1).public_key(), identity(2).public_key());
    let record = if number == 1 { of_one } else { of_two };
    let server = DiscoveryServer::new(AT.parse().unwrap(), identity(SERVER).fingerprint());
    let at = port(world, &format!("203.0.113.{number}/24"));
    let setup =
        Setup::new(format!("peer-{number}"), config().with_server(server), Arc::new(identity(number)));
    let mut setup = setup.with_port(at).with_records(vec![record]);
    setup.skew_s = skew_s;
    world.boot(setup, Recorder::default())
}

/// The second of the two, at a port that is known.
fn fixed_peer(world: &mut World, number: u8) -> Host {
    let (_, record) = records(identity(1).public_key(), identity(number).public_key());
    let server = DiscoveryServer::new(AT.parse().unwrap(), identity(SERVER).fingerprint());
    let at = port(world, &format!("203.0.113.{number}/24"));
    let config = config().with_port(5223).with_server(server);
    let setup = Setup::new(format!("peer-{number}"), config, Arc::new(identity(number)));
    world.boot(setup.with_port(at).with_records(vec![record]), Recorder::default())
}

fn records_held(world: &mut World, server: Host) -> usize {
    world.tell_server(server, |server, _| server.stats().records)
}

/// Whether one reaches the other, of whom it knows its key alone.
fn reaches(world: &mut World, from: Host, other: u8, limit: Duration) -> bool {
    let peer = name(&identity(other));
    let connected = |event: &Event| matches!(event, Event::PeerConnected(to) if to.id == peer);
    // As long as nothing is known of it there is nobody to dial.
    for _ in 0..limit.as_secs() {
        let _ = world.tell(from, |node, now| node.connect(now, peer));
        if world.run_until(secs(1), |world| told(world, from, connected)) {
            return true;
        }
    }
    false
}

#[test]
fn two_that_share_no_lan_find_each_other_by_a_server() {
    let mut world = World::seeded(1);
    let server = server(&mut world);
    let (a, b) = (peer(&mut world, 1, 0), peer(&mut world, 2, 0));
    assert!(reaches(&mut world, a, 2, SOON * 2));
    assert_eq!(records_held(&mut world, server), 2);
    // Who stops in good order is gone at once.
    world.shut_down(b);
    world.run_for(secs(5));
    assert_eq!(records_held(&mut world, server), 1);
}

#[test]
fn clocks_that_are_wrong_by_a_year_keep_nobody_from_being_found() {
    const YEAR_S: i64 = 365 * 24 * 3600;
    for (skew_a, skew_b) in [(YEAR_S, 0), (0, -YEAR_S), (-YEAR_S, YEAR_S)] {
        let mut world = World::seeded(2);
        server(&mut world);
        let (a, _) = (peer(&mut world, 1, skew_a), peer(&mut world, 2, skew_b));
        assert!(reaches(&mut world, a, 2, SOON * 4), "{skew_a} {skew_b}");
    }
}

#[test]
fn a_server_that_crashed_tells_what_it_wrote_down_of_who_has_not_come_back() {
    let mut world = World::seeded(3);
    let server = server(&mut world);
    let a = peer(&mut world, 1, 0);
    world.run_for(SOON);
    assert_eq!(records_held(&mut world, server), 1);
    world.save(server);
    world.crash(server);
    world.run_for(secs(60));
    // A cannot tell anybody that it is there: it does not hear of the server for a while.
    world.fabric.unplug(a, 1);
    world.restart(server);
    assert_eq!(records_held(&mut world, server), 1);
    let b = peer(&mut world, 2, 0);
    world.run_for(SOON);
    let stats = world.tell_server(server, |server, _| server.stats());
    assert!(stats.found + stats.pushed > 0, "nobody but a has announced anything: {stats:?}");
    let found = world.tell(b, |node, now| node.connect(now, name(&identity(1))));
    assert!(found.is_ok(), "b has an address to dial: {found:?}");
}

/// Somebody else, who is where he says to everybody, and is sought by no peer of the others.
fn somebody(world: &mut World, ip: &str) -> Host {
    let (record, _) = records(identity(3).public_key(), identity(4).public_key());
    let mut config = config().with_port(5223);
    config.servers.push(DiscoveryServer::new(AT.parse().unwrap(), identity(SERVER).fingerprint()));
    config.announce = Announce::Plain;
    let at = port(world, ip);
    let setup = Setup::new("somebody", config, Arc::new(identity(3))).with_port(at);
    world.boot(setup.with_records(vec![record]), Recorder::default())
}

/// Whether anybody was connected, or was handed a stream.
fn met(world: &World, host: Host) -> bool {
    told(world, host, |event| matches!(event, Event::PeerConnected(_)))
}

#[test]
fn whoever_is_where_a_server_says_that_a_peer_was_is_told_nothing() {
    let mut world = World::seeded(5);
    let server = server(&mut world);
    let b = fixed_peer(&mut world, 2);
    world.run_for(SOON);
    assert_eq!(records_held(&mut world, server), 1);
    // The server brings back what b has withdrawn, when another one is where b was.
    world.save(server);
    world.crash(server);
    world.shut_down(b);
    world.run_for(secs(10));
    world.fabric.unplug(b, 1);
    let c = somebody(&mut world, "203.0.113.2/24");
    world.restart(server);
    assert_eq!(records_held(&mut world, server), 1);
    let a = peer(&mut world, 1, 0);
    assert!(!reaches(&mut world, a, 2, secs(60)));
    let failed = |event: &Event| matches!(event, Event::ConnectFailed(..));
    assert!(told(&world, a, failed), "a dialled");
    assert!(!met(&world, a) && !met(&world, c));
}

#[test]
fn a_server_that_gives_the_record_of_another_for_that_of_a_peer_is_not_heeded() {
    let mut world = World::seeded(6);
    let server = server(&mut world);
    let c = somebody(&mut world, "203.0.113.3/24");
    world.run_for(SOON);
    let b = identity(2);
    world.tell_server(server, |server, now| {
        let mut piece = Vec::new();
        assert_eq!(server.snapshot(now, 0, &mut piece), None);
        let (entries, _) = read_piece(&piece).unwrap();
        let PeerId::Sha1(sha1) = b.peer_id(PeerIdKind::Sha1) else {
            unreachable!("a short name was asked for")
        };
        let lie = DirectoryEntry { owner: b.fingerprint(), sha1, ..entries[0].clone() };
        let mut piece = Vec::new();
        write_piece([lie], &mut piece);
        server.restore(now, &piece).unwrap();
    });
    assert_eq!(records_held(&mut world, server), 2);
    let a = peer(&mut world, 1, 0);
    assert!(!reaches(&mut world, a, 2, secs(60)));
    let stats = world.tell(a, |node, _| node.stats().global);
    assert!(stats.rejected > 0 && stats.found == 0, "{stats:?}");
    assert!(!met(&world, a) && !met(&world, c));
    assert!(!told(&world, c, |event| matches!(event, Event::StrangerRefused(..))), "c was not even dialled");
}

/// Sends octets that nobody wrote to a server.
struct Babbler {
    turns: u32,
}

impl Stranger for Babbler {
    fn heard(&mut self, _: Instant, _: &handfast_tests::fabric::Arrival) {}

    fn act(&mut self, _: Instant, rng: &mut ChaCha12Rng) -> Act {
        self.turns += 1;
        let mut octets = vec![0; 1200];
        rng.fill_bytes(&mut octets);
        // Now and then what begins like a connection. RFC 9000 §17.2.2.
        if self.turns.is_multiple_of(2) {
            octets[..6].copy_from_slice(&[0xc0, 0, 0, 0, 1, 8]);
        }
        let out = Outgoing {
            interface: Some(1),
            source_ip: None,
            source_port: 1024 + (self.turns % 60_000) as u16,
            destination: AT.parse::<SocketAddr>().expect("an address"),
            ecn: None,
            may_fragment: false,
            payload: octets.into(),
        };
        let misdeed = handfast_tests::stranger::Misdeed { fault: Fault::Flooded, as_if_from: None, out };
        Act { sends: vec![misdeed], again: (self.turns < 5_000).then_some(Duration::from_millis(1)) }
    }
}

#[test]
fn a_flood_fills_no_table_of_a_server_and_keeps_nobody_from_being_found() {
    let mut world = World::seeded(4);
    let server = server(&mut world);
    let at = port(&mut world, "203.0.113.66/24");
    world.invite(&[at], Box::new(Babbler { turns: 0 }));
    world.run_for(secs(1));
    let (a, _) = (peer(&mut world, 1, 0), peer(&mut world, 2, 0));
    assert!(reaches(&mut world, a, 2, SOON * 2));
    for table in world.tell_server(server, |server, _| server.tables()) {
        assert!(table.len <= table.bound, "{table:?}");
    }
}
