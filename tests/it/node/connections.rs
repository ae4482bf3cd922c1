//! Who gets a connection, and who does not.

use super::support::*;
use handfast_core::store::Role;
use handfast_core::{ConnectFailure, Event};
use handfast_tests::net::{Host, Net};
use std::time::Instant;

#[test]
fn two_paired_nodes_connect_and_know_each_other() {
    let (mut net, a, b) = pair_of_hosts(1);
    connect(&mut net, a, b);
    let names = |event: &Event| match event {
        Event::PeerConnected(peer) => Some((peer.key, peer.dialled)),
        _ => None,
    };
    let of = |host: usize| net.hosts[host].events.iter().find_map(names);
    assert_eq!(of(0), Some((identity(2).public_key(), true)));
    assert_eq!(of(1), Some((identity(1).public_key(), false)));
}

#[test]
fn a_key_without_a_pairing_is_told_so_and_gets_no_connection() {
    let mut net = Net::new(Instant::now());
    let (a, b) = (identity(1), identity(2));
    let host_a = net.add(config(), &a, 1, vec![record(&a, &b, Role::Host)]);
    let host_b = net.add(config(), &b, 2, vec![]);
    let (to, peer) = (net.address(host_b), name(&b));
    net.tell(host_a, |node, now| {
        node.peers().add_address(now, peer, to);
        node.connect(now, peer).unwrap();
    });
    let refused = Event::ConnectFailed(peer, ConnectFailure::NotPaired);
    assert!(net.run_until(SOON, |net| net.hosts[0].events.contains(&refused)));
    net.run_for(SOON);
    assert!(told(&net, host_b, |e| matches!(e, Event::StrangerRefused(key, _) if *key == a.public_key())));
    assert_eq!((conn(&net, host_a), conn(&net, host_b)), (None, None));
    // The peer named our pairing as gone: that, and nothing else, ends it.
    assert!(net.hosts[0].store.is_empty() || told(&net, host_a, |e| matches!(e, Event::PeerUnpaired(..))));
}

#[test]
fn another_key_at_the_peers_address_is_a_failed_candidate_and_no_alarm() {
    let mut net = Net::new(Instant::now());
    let (a, b, c) = (identity(1), identity(2), identity(3));
    let host_a = net.add(config(), &a, 1, vec![record(&a, &b, Role::Host)]);
    let host_c = net.add(config(), &c, 3, vec![record(&c, &a, Role::Host)]);
    let (to, peer) = (net.address(host_c), name(&b));
    net.tell(host_a, |node, now| {
        node.peers().add_address(now, peer, to);
        node.connect(now, peer).unwrap();
    });
    let wrong = Event::ConnectFailed(peer, ConnectFailure::WrongPeer);
    assert!(net.run_until(SOON, |net| net.hosts[0].events.contains(&wrong)));
    assert!(!told(&net, host_a, |e| matches!(e, Event::IdentityMismatch(..))));
    assert_eq!(net.hosts[0].store.len(), 1);
}

#[test]
fn a_dial_without_an_answer_fails_after_its_timeout() {
    let (mut net, a, b) = pair_of_hosts(1);
    net.lose = Some(Box::new(|_, _| true));
    let (to, peer) = (net.address(b), name(&identity(2)));
    net.tell(a, |node, now| {
        node.peers().add_address(now, peer, to);
        node.connect(now, peer).unwrap();
    });
    let failed = Event::ConnectFailed(peer, ConnectFailure::TimedOut);
    assert!(net.run_until(SOON * 3, |net| net.hosts[0].events.contains(&failed)));
}

#[test]
fn when_both_dial_at_once_one_connection_stays() {
    let (mut net, a, b) = pair_of_hosts(1);
    for (from, to, peer) in [(a, b, identity(2)), (b, a, identity(1))] {
        let (address, peer) = (net.address(to), name(&peer));
        net.tell(from, |node, now| {
            node.peers().add_address(now, peer, address);
            node.connect(now, peer).unwrap();
        });
    }
    net.run_for(SOON);
    let connected = |net: &mut Net, host| net.tell(host, |node, _| node.peers().connected());
    let (of_a, of_b) = (connected(&mut net, a), connected(&mut net, b));
    assert_eq!((of_a.len(), of_b.len()), (1, 1));
    assert_ne!(of_a[0].dialled, of_b[0].dialled, "both show the same connection");
}

/// A pair whose second host is configured by `change`.
fn pair_with(change: impl FnOnce(&mut handfast_core::Config)) -> (Net, Host, Host) {
    let mut net = Net::new(Instant::now());
    let (a, b) = (identity(1), identity(2));
    let host_a = net.add(config(), &a, 1, vec![record(&a, &b, Role::Host)]);
    let mut config = config();
    change(&mut config);
    let host_b = net.add(config, &b, 2, vec![record(&b, &a, Role::Joiner)]);
    (net, host_a, host_b)
}

#[test]
fn under_load_a_dialler_proves_its_address_by_retry() {
    let (mut net, a, b) = pair_with(|config| config.retry_from = 0);
    connect(&mut net, a, b);
    // Long header, type Retry, version 1. RFC 9000 §17.2.5.
    let is_retry = |datagram: &[u8]| datagram[0] & 0xf0 == 0xf0 && datagram[1..5] == [0, 0, 0, 1];
    assert!(net.trace.iter().any(|(from, _, datagram)| *from == b && is_retry(datagram)));
}

#[test]
fn beyond_its_limit_of_strangers_a_node_refuses() {
    let (mut net, a, b) = pair_with(|config| config.max_unauthenticated = 0);
    let (to, peer) = (net.address(b), name(&identity(2)));
    net.tell(a, |node, now| {
        node.peers().add_address(now, peer, to);
        node.connect(now, peer).unwrap();
    });
    let refused = Event::ConnectFailed(peer, ConnectFailure::Refused);
    assert!(net.run_until(SOON, |net| net.hosts[0].events.contains(&refused)));
}

#[test]
fn a_peer_that_restarts_replaces_its_own_dead_connection() {
    let (mut net, a, b) = pair_of_hosts(1);
    let (old, _) = connect(&mut net, a, b);
    // B is gone without a word, and back with the same key and store.
    let (identity_a, identity_b) = (identity(1), identity(2));
    let records = vec![record(&identity_b, &identity_a, Role::Joiner)];
    net.replace(b, config(), &identity_b, 99, records);
    let (to, peer) = (net.address(a), name(&identity_a));
    net.tell(b, |node, now| {
        node.peers().add_address(now, peer, to);
        node.connect(now, peer).unwrap();
    });
    assert!(net.run_until(SOON, |net| conn(net, b).is_some() && conn(net, a) != Some(old)));
    let ended = |event: &Event| matches!(event, Event::PeerDisconnected(conn, ..) if *conn == old);
    assert!(told(&net, a, ended), "the application hears of the end before the beginning");
}
