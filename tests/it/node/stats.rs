//! What a node counts of itself, of a peer and of a connection.

use super::support::*;
use handfast_core::{ConnId, ConnStats, Direction, Labels, PeerStats, Stats};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;
use std::time::Duration;

fn of_node(world: &mut World, host: Host) -> Stats {
    world[host].node().unwrap().stats()
}

fn of_conn(world: &mut World, host: Host, conn: ConnId) -> Option<ConnStats> {
    world[host].node().unwrap().conn_stats(conn)
}

fn of_peer(world: &mut World, host: Host, peer: u8) -> Option<PeerStats> {
    world[host].node().unwrap().peers().stats(name(&identity(peer)))
}

/// Writes a thousand bytes on a new stream of A, which is finished and read.
fn say(world: &mut World, a: Host, on_a: ConnId, label: &str) {
    world.tell(a, |node, now| {
        let id = node.open(now, on_a, Direction::Uni, label, 0).unwrap();
        let mut stream = node.stream(on_a, id).unwrap();
        assert_eq!(stream.write(&[1; 1000]), Ok(1000));
        stream.finish().unwrap();
    });
    world.run_for(SOON);
}

#[test]
fn a_connection_tells_where_it_goes_and_what_went_over_it() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (on_a, on_b) = connect(&mut world, a, b);
    for _ in 0..20 {
        say(&mut world, a, on_a, "");
    }
    let (here, there) = (of_conn(&mut world, a, on_a).unwrap(), of_conn(&mut world, b, on_b).unwrap());
    assert_eq!((here.remote, there.remote), (world.address(b), world.address(a)));
    assert!(here.rtt > Duration::ZERO && here.rtt < Duration::from_millis(100), "{:?}", here.rtt);
    assert!(here.mtu >= 1200 && here.congestion_window > 0);
    assert!(here.traffic.sent_bytes > 20_000 && here.traffic.sent_bytes < 40_000, "{here:?}");
    // Nothing is lost on this network, and nothing is under way; the first datagram came before the connection.
    assert_eq!(here.traffic.sent_bytes, there.traffic.received_bytes + 1200);
    assert_eq!(here.traffic.sent_datagrams, there.traffic.received_datagrams + 1);
    assert_eq!((here.streams_here, here.streams_there), (0, 0));
    assert_eq!((there.streams_here, there.streams_there), (0, 20), "nobody has read them");
}

#[test]
fn lost_packets_are_counted_on_the_side_that_sent_them() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (on_a, _) = connect(&mut world, a, b);
    let mut n = 0;
    world.lose(move |_, _| {
        n += 1;
        n % 4 == 0
    });
    for _ in 0..20 {
        say(&mut world, a, on_a, "");
    }
    let stats = of_conn(&mut world, a, on_a).unwrap();
    assert!(stats.traffic.lost_packets > 0 && stats.traffic.lost_bytes > 0, "{stats:?}");
    assert!(stats.congestion_events > 0);
}

#[test]
fn what_a_connection_did_is_its_peers_and_the_nodes_once_it_is_over() {
    let (mut world, a, b) = pair_of_hosts(1);
    assert_eq!(of_peer(&mut world, a, 2), None);
    let mut sent = 0;
    for round in 1..=2 {
        for host in [a, b] {
            world[host].app.events.clear();
        }
        let (on_a, _) = connect(&mut world, a, b);
        say(&mut world, a, on_a, "");
        sent += of_conn(&mut world, a, on_a).unwrap().traffic.sent_bytes;
        let while_it_stands = of_peer(&mut world, a, 2).unwrap();
        assert_eq!((while_it_stands.connections, while_it_stands.ended), (round, round - 1));
        assert!(while_it_stands.traffic.sent_bytes >= sent);
        world.tell(a, |node, now| node.close(now, on_a));
        world.run_for(SOON);
        assert_eq!(of_conn(&mut world, a, on_a), None);
        let after = of_peer(&mut world, a, 2).unwrap();
        assert_eq!((after.connections, after.ended), (round, round));
        // The last words of a connection come on top.
        assert!((sent..sent + 1000).contains(&after.traffic.sent_bytes), "{sent} {after:?}");
    }
    let seen = of_peer(&mut world, a, 2).unwrap().last_seen;
    world.run_for(SOON);
    assert_eq!(of_peer(&mut world, a, 2).unwrap().last_seen, seen);
    let node = of_node(&mut world, a).quic;
    assert_eq!((node.dialled, node.accepted, node.open, node.streams), (2, 0, 0, 0));
    assert!((sent..sent + 2000).contains(&node.traffic.sent_bytes), "{sent} {node:?}");
}

#[test]
fn dials_in_vain_and_refused_labels_are_counted() {
    let (mut world, a, b) = pair_of_hosts(1);
    world.tell(b, |node, now| {
        node.peers().set_labels(now, name(&identity(1)), Some(Labels::none())).unwrap();
    });
    let (on_a, on_b) = connect(&mut world, a, b);
    say(&mut world, a, on_a, "no");
    assert_eq!(of_conn(&mut world, b, on_b).unwrap().refused_labels, 1);
    world.tell(a, |node, now| node.close(now, on_a));
    world.run_for(SOON);
    assert_eq!(of_node(&mut world, b).quic.refused_labels, 1);
    world.lose(|_, _| true);
    dial(&mut world, (a, &identity(2)), b);
    world.run_for(SOON * 4);
    assert_eq!(of_peer(&mut world, a, 2).unwrap().failures, 1);
}
