//! Liars and floods on the LAN, before whole nodes.

use super::support::*;
use handfast_core::{Event, PeerId};
use handfast_tests::fabric::{Host, Link, PerMille};
use handfast_tests::forge::dns;
use handfast_tests::paired::records;
use handfast_tests::world::World;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Peer number `n`, which is not there.
fn peer(n: u16) -> PeerId {
    let mut hash = [7; 20];
    hash[..2].copy_from_slice(&n.to_be_bytes());
    PeerId::Sha1(hash)
}

/// What it would announce.
fn announcement(n: u16) -> Vec<u8> {
    dns::announcement("test", &peer(n).to_string(), Ipv4Addr::new(10, 0, 201, 1), 4500)
}

/// Peers that a flood announces: each has three records.
const FLOOD: u16 = 10_000 / 3;

/// A pair whose tables are full before long.
fn small_pair() -> (World, Host, Host) {
    let mut small = config();
    (small.max_cached_records, small.max_discovered_peers) = (300, 50);
    pair_of(1, [small.clone(), small])
}

/// Lets a stranger announce 10,000 records within 10 s, each peer as if from `source`.
fn flood(world: &mut World, victim: Host, source: impl Fn(u16) -> Ipv4Addr) {
    let by = stranger(world);
    for n in 0..FLOOD {
        say(world, by, source(n), &announcement(n));
        world.run_for(Duration::from_millis(3));
        if n % 100 == 0 {
            assert_bounded(world, victim);
        }
    }
    world.run_for(Duration::from_secs(1));
    assert_bounded(world, victim);
}

#[test]
fn ten_thousand_peers_that_are_not_there_push_out_no_paired_one() {
    let (mut world, a, b) = small_pair();
    meet(&mut world, a, b);
    flood(&mut world, a, |_| Ipv4Addr::new(10, 0, 200, 1));
    assert!(sees(&mut world, a, b));
    assert!(!told(&world, a, |event| *event == Event::PeerExpired(name(&identity(2)))));
    assert!(discovered(&mut world, a).len() <= 50);
    let peer = name(&identity(2));
    world.tell(a, |node, now| node.connect(now, peer)).unwrap();
    assert!(world.run_until(SOON, |world| conn(world, a).is_some()));
}

#[test]
fn a_flood_that_names_another_source_each_time_makes_a_node_say_no_more() {
    let (mut world, a, b) = small_pair();
    meet(&mut world, a, b);
    let lan = world.lan();
    let before = world.fabric.sent(a, lan).datagrams;
    flood(&mut world, a, |n| Ipv4Addr::new(10, 0, 202 + (n >> 8) as u8, n as u8));
    let sent = world.fabric.sent(a, lan).datagrams - before;
    assert!(sent <= 11 * 10, "{sent} datagrams in 11 s");
    assert!(sees(&mut world, a, b));
}

#[test]
fn a_forged_goodbye_ends_no_connection_and_the_peer_is_not_lost() {
    let (mut world, a, b) = pair_of_hosts(1);
    world.fabric.keep_seen(1000);
    meet(&mut world, a, b);
    let (on_a, _) = connect(&mut world, a, b);
    world.run_for(Duration::from_secs(10));
    let goodbye = overheard(&mut world, b, |said| dns::goodbye(said).is_some());
    let goodbye = dns::goodbye(&goodbye.unwrap()).unwrap();
    let by = stranger(&mut world);
    let SocketAddr::V4(of_b) = world.address(b) else { panic!("IPv4") };
    say(&mut world, by, *of_b.ip(), &goodbye);
    world.run_for(Duration::from_secs(30));
    assert_eq!(conn(&world, a), Some(on_a));
    assert!(passes(&mut world, (a, on_a), b, SOON));
    assert!(!told(&world, a, |event| *event == Event::PeerExpired(name(&identity(2)))));
}

#[test]
fn an_address_that_is_a_lie_is_found_out_by_its_key_and_the_others_are_tried() {
    let mut world = World::seeded(1);
    // Somebody who has a node and no pairing with anybody. The first host has the lowest address, which is
    // dialled first.
    let liar = world.add(config(), &identity(3), vec![]);
    let (of_a, of_b) = records(identity(1).public_key(), identity(2).public_key());
    let a = world.add(config(), &identity(1), vec![of_a]);
    let b = world.add(config(), &identity(2), vec![of_b]);
    world.fabric.keep_seen(1000);
    meet(&mut world, a, b);
    world.run_for(Duration::from_secs(10));
    let said = overheard(&mut world, b, |said| dns::moved(said, Ipv4Addr::LOCALHOST).is_some());
    let SocketAddr::V4(lie) = world.address(liar) else { panic!("IPv4") };
    let lie = dns::moved(&said.unwrap(), *lie.ip()).unwrap();
    let by = stranger(&mut world);
    let SocketAddr::V4(of_b) = world.address(b) else { panic!("IPv4") };
    say(&mut world, by, *of_b.ip(), &lie);
    world.run_for(Duration::from_millis(100));
    let peer = name(&identity(2));
    let seen = discovered(&mut world, a).into_iter().find(|seen| seen.id == peer).unwrap();
    let lies = world.address(liar);
    assert!(seen.addresses.iter().any(|known| known.address == lies), "the lie was heard");
    world.fabric.take_seen();
    world.tell(a, |node, now| node.connect(now, peer)).unwrap();
    assert!(world.run_until(SOON, |world| conn(world, a).is_some()));
    let tried = world.fabric.take_seen().iter().any(|seen| seen.destination == lies);
    assert!(tried, "the lie was tried");
    let dialled = |event: &Event| match event {
        Event::PeerConnected(connected) => Some((connected.remote, connected.key)),
        _ => None,
    };
    let reached = world[a].app.events.iter().find_map(dialled);
    assert_eq!(reached, Some((world.address(b), identity(2).public_key())));
    world.run_for(SOON);
    assert_eq!(world[liar].app.events.iter().filter(|e| matches!(e, Event::StrangerRefused(..))).count(), 0);
}

#[test]
fn half_of_everything_lost_doubled_and_out_of_order_delays_discovery_and_no_more() {
    for seed in 0..10 {
        let mut world = World::seeded(seed);
        let lan = world.lan();
        let bad = Link::default()
            .with_loss(PerMille(500))
            .with_duplicate(PerMille(200))
            .with_reorder(PerMille(200), Duration::from_millis(50))
            .with_jitter(Duration::from_millis(20));
        world.fabric.set_link(lan, bad);
        let a = world.add(config(), &identity(1), vec![]);
        let b = world.add(config(), &identity(2), vec![]);
        let found = |event: &Event| matches!(event, Event::PeerDiscovered(_));
        let limit = Duration::from_secs(60);
        assert!(
            world.run_until(limit, |world| told(world, a, found) && told(world, b, found)),
            "seed {seed}"
        );
    }
}

/// What is announced of peer number `n`, with a TXT record of these strings. RFC 6763 §6.1.
fn with_txt(n: u16, strings: &[Vec<u8>]) -> Vec<u8> {
    let mut message = announcement(n);
    message[7] += 1;
    for label in [peer(n).to_string().as_bytes(), b"_test", b"_udp", b"local", b""] {
        message.push(label.len() as u8);
        message.extend_from_slice(label);
    }
    message.extend_from_slice(b"\0\x10\x80\x01\0\0\x11\x94");
    let data: Vec<u8> = strings.iter().flat_map(|s| [&[s.len() as u8], &s[..]].concat()).collect();
    message.extend_from_slice(&(data.len() as u16).to_be_bytes());
    message.extend_from_slice(&data);
    message
}

#[test]
fn what_a_txt_record_says_of_a_peer_is_capped_and_never_believed_to_be_text() {
    let (mut world, a, _) = pair_of_hosts(1);
    let by = stranger(&mut world);
    let long = [b"ver=", &[b'9'; 200][..]].concat();
    let strings: Vec<Vec<u8>> = [
        &b"NAME=first"[..],
        b"name=second",
        b"os=\xff\xfe",
        &long,
        b"",
        b"=nothing",
        b"fp=no-fingerprint",
        b"own=\xff",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    say(&mut world, by, Ipv4Addr::new(10, 0, 201, 1), &with_txt(1, &strings));
    // One that fills the largest message there is.
    let many: Vec<Vec<u8>> = (0..33).map(|n| [format!("k{n}=").as_bytes(), &[b'x'; 250]].concat()).collect();
    say(&mut world, by, Ipv4Addr::new(10, 0, 201, 1), &with_txt(2, &many));
    world.run_for(SOON);
    let seen = discovered(&mut world, a);
    let first = seen.iter().find(|seen| seen.id == peer(1)).unwrap();
    assert_eq!((first.name.as_str(), first.os.as_str(), first.version.as_str()), ("first", "", ""));
    assert_eq!((first.fingerprint, &first.extra[..]), (None, &[("own".to_owned(), vec![0xff])][..]));
    let second = seen.iter().find(|seen| seen.id == peer(2)).unwrap();
    let size: usize = second.extra.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(size <= 1300, "{size} octets are kept of a peer");
}
