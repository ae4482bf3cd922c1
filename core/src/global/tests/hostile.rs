//! Servers that lie: they can withhold, never invent.

use super::directory::{Said, framed};
use super::world::{Taste, World, secs};
use crate::config::Hearsay;
use crate::event::{Event, ServerFailure, ServerState};
use crate::id::{ConnId, PeerId};
use crate::identity::Identity;
use crate::wire::discovery::{Answer, Gone, Reply, Request};
use crate::wire::record::{Body, Payload, Plain};
use bytes::Bytes;
use std::net::SocketAddr;

fn record_of(key: &Identity, seq: u64, addresses: Vec<SocketAddr>) -> Bytes {
    let payload = Payload::Plain(Plain { addresses });
    let body = Body {
        owner: key.public_key(),
        seq,
        issued_s: 0,
        not_after_s: u64::MAX,
        entries: Vec::new(),
        payload,
    };
    body.sign(&key.signer())
}

fn answer(record: Option<Bytes>, addresses: &[&str]) -> Answer {
    let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    Answer { peer_id: PeerId::Sha256([0; 32]), record, addresses, age_s: 0 }
}

/// Two nodes that have found each other.
fn acquainted(taste: Taste) -> World {
    let mut world = World::of(&[taste; 2], 1);
    world.pair(0, 1);
    world.pass(secs(5));
    assert!(world.sees(0, 1));
    world
}

#[test]
fn an_answer_with_a_forged_foreign_old_or_unreadable_record_is_not_heeded() {
    let mut world = acquainted(Taste::default());
    let peer = Identity::from_entropy([2; 32]);
    let stranger = Identity::from_entropy([66; 32]);
    let there: SocketAddr = "192.0.2.66:6".parse().unwrap();
    let mut forged = record_of(&peer, u64::MAX, vec![there]).to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let seq = world.nodes[1].stored.unwrap();
    let lies = [
        Some(Bytes::from(forged)),
        Some(record_of(&stranger, u64::MAX, vec![there])),
        Some(record_of(&peer, seq - 1, vec![there])),
        Some(Bytes::from_static(b"no record")),
        None,
    ];
    let before = world.where_is(0, 1);
    for lie in lies {
        world.servers[0].lie = Some(answer(lie, &["192.0.2.66:6"]));
        world.look_up(0, 1);
        assert_eq!(world.where_is(0, 1), before);
    }
    assert_eq!(world.nodes[0].global.stats().rejected, 5);
    // Sealed for somebody else.
    let (_, held) = &world.servers[0].records[&world.key(1).fingerprint()];
    let body = Body::verify(&held.record).unwrap();
    let others = Body { seq: u64::MAX, entries: vec![[7; 32]; 4], ..body }.sign(&peer.signer());
    world.servers[0].lie = Some(answer(Some(others), &[]));
    world.look_up(0, 1);
    assert_eq!((world.where_is(0, 1), world.nodes[0].global.stats().rejected), (before, 6));
    assert_eq!(world.states(0), [ServerState::Announced], "all of that may be somebody else's fault");
}

#[test]
fn a_record_of_ten_thousand_or_of_private_addresses_makes_nobody_scan_ports() {
    let mut world = acquainted(Taste { hearsay: Hearsay::Tried, ..Taste::default() });
    let peer = Identity::from_entropy([2; 32]);
    let bad = ["127.0.0.1:22", "10.0.0.1:80", "224.0.0.1:1", "0.0.0.0:1", "255.255.255.255:9", "192.0.2.1:0"];
    let bad: Vec<SocketAddr> = bad.iter().map(|text| text.parse().unwrap()).collect();
    let good: SocketAddr = "192.0.2.9:9".parse().unwrap();
    let record = record_of(&peer, u64::MAX, [bad.clone(), vec![good]].concat());
    let told = [
        "192.0.2.1:1",
        "127.0.0.1:2",
        "192.0.2.3:3",
        "192.168.0.1:4",
        "192.0.2.5:5",
        "192.0.2.6:6",
        "192.0.2.7:7",
    ];
    world.servers[0].lie = Some(answer(Some(record), &told));
    world.look_up(0, 1);
    let expected = ["192.0.2.9:9", "192.0.2.1:1", "192.0.2.3:3", "192.0.2.5:5", "192.0.2.6:6"];
    assert_eq!(world.where_is(0, 1), expected.map(|text| text.parse().unwrap()));
    // Of 10,000 nothing is read at all.
    let flood = answer(None, &vec!["192.0.2.8:8"; 10_000]);
    assert!(Reply::decode(&Reply::Announced(flood).encode()).is_err());
}

#[test]
fn addresses_that_nobody_signed_are_heeded_where_the_configuration_says_so() {
    for (hearsay, heeded) in [(Hearsay::Ignored, false), (Hearsay::Tried, true)] {
        let mut world = acquainted(Taste { hearsay, ..Taste::default() });
        world.servers[0].lie = Some(answer(None, &["192.0.2.66:6"]));
        world.look_up(0, 1);
        let there: SocketAddr = "192.0.2.66:6".parse().unwrap();
        assert_eq!(world.where_is(0, 1).last() == Some(&there), heeded);
        assert!(world.sees(0, 1), "what was signed stays");
    }
}

/// Says something on a node's subscription that nobody asked for.
fn say(world: &mut World, reply: &Reply, times: usize) {
    let watcher = world.servers[0].watchers.iter().find(|watcher| watcher.node == 0).unwrap();
    let (conn, request) = (watcher.conn, watcher.request);
    for _ in 0..times {
        world.deliver(&Said { node: 0, conn, request, bytes: framed(reply), is_last: false });
    }
    world.run();
}

fn is_hung_up_on(world: &World) -> bool {
    let why = ServerFailure::Misbehaved;
    matches!(world.states(0)[..], [ServerState::Waiting { why: said, .. }] if said == why)
}

#[test]
fn a_server_that_tells_of_whom_it_was_not_asked_is_hung_up_on() {
    let mut world = acquainted(Taste::default());
    let stranger = Identity::from_entropy([66; 32]);
    let record = record_of(&stranger, 1, vec!["192.0.2.66:6".parse().unwrap()]);
    let told =
        Answer { peer_id: PeerId::Sha256(*stranger.fingerprint().as_bytes()), ..answer(Some(record), &[]) };
    say(&mut world, &Reply::Announced(told), 1);
    assert!(is_hung_up_on(&world));
    assert!(!world.nodes[0].found.contains_key(&stranger.public_key()));
}

#[test]
fn a_server_that_floods_a_subscription_is_hung_up_on_and_an_ordinary_one_is_not() {
    let mut world = acquainted(Taste::default());
    let gone = Gone { peer_id: PeerId::Sha256(*world.key(1).fingerprint().as_bytes()) };
    say(&mut world, &Reply::Gone(gone), 500);
    assert!(!is_hung_up_on(&world));
    say(&mut world, &Reply::Gone(gone), 1000);
    assert!(is_hung_up_on(&world));
}

#[test]
fn what_is_longer_than_any_reply_is_not_kept() {
    let mut world = acquainted(Taste::default());
    let watcher = world.servers[0].watchers.iter().find(|watcher| watcher.node == 0).unwrap();
    let (conn, request) = (watcher.conn, watcher.request);
    let bytes = Bytes::from_static(&[0xff; 4]);
    world.deliver(&Said { node: 0, conn, request, bytes, is_last: false });
    world.run();
    assert!(is_hung_up_on(&world));
}

#[test]
fn replies_to_requests_and_on_connections_that_are_over_are_nothing() {
    let mut world = acquainted(Taste::default());
    let bytes = framed(&Reply::Resync(crate::wire::discovery::Empty {}));
    for (conn, request) in [(ConnId(999), 1), (ConnId(1), 999)] {
        world.deliver(&Said { node: 0, conn, request, bytes: bytes.clone(), is_last: true });
    }
    world.run();
    assert!(world.sees(0, 1) && world.states(0) == [ServerState::Announced]);
}

#[test]
fn a_subscription_that_lost_something_is_made_anew() {
    let mut world = acquainted(Taste::default());
    world.asked(0, 0);
    say(&mut world, &Reply::Resync(crate::wire::discovery::Empty {}), 1);
    world.pass(secs(3));
    assert!(world.asked(0, 0).iter().any(|request| matches!(request, Request::Subscribe(_))));
    assert_eq!(world.servers[0].watchers.iter().filter(|watcher| watcher.node == 0).count(), 1);
}

#[test]
fn a_server_that_says_another_number_than_it_was_told_is_hung_up_on() {
    let mut world = acquainted(Taste::default());
    world.nodes[0].told.clear();
    let watcher = world.servers[0].watchers.iter().find(|watcher| watcher.node == 0).unwrap();
    let (conn, request) = (watcher.conn, watcher.request);
    let bytes = framed(&Reply::Ok(crate::wire::discovery::Empty {}));
    world.deliver(&Said { node: 0, conn, request, bytes, is_last: false });
    world.run();
    assert!(is_hung_up_on(&world), "nor is anything else on a subscription");
    let tells = |told: &Event| matches!(told, Event::ServerState(_));
    assert_eq!(world.nodes[0].told.iter().filter(|told| tells(told)).count(), 1);
}
