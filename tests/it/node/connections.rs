//! Who gets a connection, and who does not.

use super::support::*;
use handfast_core::store::Role;
use handfast_core::{ConnectFailure, Event};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;
use std::time::Duration;

#[test]
fn two_paired_nodes_connect_and_know_each_other() {
    let (mut world, a, b) = pair_of_hosts(1);
    connect(&mut world, a, b);
    let names = |event: &Event| match event {
        Event::PeerConnected(peer) => Some((peer.key, peer.dialled)),
        _ => None,
    };
    let of = |host: Host| world[host].app.events.iter().find_map(names);
    assert_eq!(of(a), Some((identity(2).public_key(), true)));
    assert_eq!(of(b), Some((identity(1).public_key(), false)));
}

#[test]
fn a_key_without_a_pairing_is_told_so_and_gets_no_connection() {
    let mut world = new_world(1);
    let (a, b) = (identity(1), identity(2));
    let host_a = add(&mut world, config(), &a, vec![record(&a, &b, Role::Host)]);
    let host_b = add(&mut world, config(), &b, vec![]);
    let peer = name(&b);
    dial(&mut world, (host_a, &b), host_b);
    let refused = Event::ConnectFailed(peer, ConnectFailure::NotPaired);
    assert!(world.run_until(SOON, |world| world[host_a].app.events.contains(&refused)));
    world.run_for(SOON);
    assert!(told(&world, host_b, |e| matches!(e, Event::StrangerRefused(key, _) if *key == a.public_key())));
    assert_eq!((conn(&world, host_a), conn(&world, host_b)), (None, None));
    // The peer named our pairing as gone: that, and nothing else, ends it.
    assert!(
        world[host_a].store.records.is_empty()
            || told(&world, host_a, |e| matches!(e, Event::PeerUnpaired(..)))
    );
}

#[test]
fn another_key_at_the_peers_address_is_a_failed_candidate_and_no_alarm() {
    let mut world = new_world(1);
    let (a, b, c) = (identity(1), identity(2), identity(3));
    let host_a = add(&mut world, config(), &a, vec![record(&a, &b, Role::Host)]);
    let host_c = add(&mut world, config(), &c, vec![record(&c, &a, Role::Host)]);
    let peer = name(&b);
    dial(&mut world, (host_a, &b), host_c);
    let wrong = Event::ConnectFailed(peer, ConnectFailure::WrongPeer);
    assert!(world.run_until(SOON, |world| world[host_a].app.events.contains(&wrong)));
    assert!(!told(&world, host_a, |e| matches!(e, Event::IdentityMismatch(..))));
    assert_eq!(world[host_a].store.records.len(), 1);
}

#[test]
fn a_dial_without_an_answer_fails_after_its_timeout() {
    let (mut world, a, b) = pair_of_hosts(1);
    world.lose(|_, _| true);
    let peer = name(&identity(2));
    dial(&mut world, (a, &identity(2)), b);
    let failed = Event::ConnectFailed(peer, ConnectFailure::TimedOut);
    assert!(world.run_until(SOON * 3, |world| world[a].app.events.contains(&failed)));
}

#[test]
fn when_both_dial_at_once_one_connection_stays() {
    let (mut world, a, b) = pair_of_hosts(1);
    for (from, to, peer) in [(a, b, identity(2)), (b, a, identity(1))] {
        dial(&mut world, (from, &peer), to);
    }
    world.run_for(SOON);
    let connected = |world: &mut World, host| world.tell(host, |node, _| node.peers().connected());
    let (of_a, of_b) = (connected(&mut world, a), connected(&mut world, b));
    assert_eq!((of_a.len(), of_b.len()), (1, 1));
    assert_ne!(of_a[0].dialled, of_b[0].dialled, "both show the same connection");
}

/// A pair whose second host is configured by `change`.
fn pair_with(change: impl FnOnce(&mut handfast_core::Config)) -> (World, Host, Host) {
    let mut world = new_world(1);
    let (a, b) = (identity(1), identity(2));
    let host_a = add(&mut world, config(), &a, vec![record(&a, &b, Role::Host)]);
    let mut config = config();
    change(&mut config);
    let host_b = add(&mut world, config, &b, vec![record(&b, &a, Role::Joiner)]);
    (world, host_a, host_b)
}

#[test]
fn under_load_a_dialler_proves_its_address_by_retry() {
    let (mut world, a, b) = pair_with(|config| config.retry_from = 0);
    connect(&mut world, a, b);
    // Long header, type Retry, version 1. RFC 9000 §17.2.5.
    let is_retry = |datagram: &[u8]| datagram[0] & 0xf0 == 0xf0 && datagram[1..5] == [0, 0, 0, 1];
    assert!(world.trace.sent.iter().any(|sent| sent.host == b && is_retry(&sent.bytes)));
}

#[test]
fn beyond_its_limit_of_strangers_a_node_refuses() {
    let (mut world, a, b) = pair_with(|config| config.max_unauthenticated = 0);
    let peer = name(&identity(2));
    dial(&mut world, (a, &identity(2)), b);
    let refused = Event::ConnectFailed(peer, ConnectFailure::Refused);
    assert!(world.run_until(SOON, |world| world[a].app.events.contains(&refused)));
}

#[test]
fn a_peer_that_restarts_replaces_its_own_dead_connection() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (old, _) = connect(&mut world, a, b);
    // B is gone without a word, and back with the same key and store.
    world.crash(b);
    world[b].app.events.clear();
    world.restart(b);
    world.run_for(Duration::ZERO);
    dial(&mut world, (b, &identity(1)), a);
    assert!(world.run_until(SOON, |world| conn(world, b).is_some() && conn(world, a) != Some(old)));
    let ended = |event: &Event| matches!(event, Event::PeerDisconnected(conn, ..) if *conn == old);
    assert!(told(&world, a, ended), "the application hears of the end before the beginning");
}
