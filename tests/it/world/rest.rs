//! Connections that nobody uses: kept alive where they are wanted, closed where the application said so.

use super::*;
use handfast_core::store::Role;
use handfast_core::{Config, Direction, DisconnectReason, Policy, Sources};

/// Two hosts that are paired, connected, and speak no mDNS.
fn connected_with(change: impl Fn(Config) -> Config) -> (World, Host, Host) {
    let mut world = new_world(1);
    let mut sources = Sources::all();
    sources.mdns = false;
    let quiet = change(config().with_sources(sources));
    let (a, b) = (identity(1), identity(2));
    let host_a = add(&mut world, quiet.clone(), &a, vec![record(&a, &b, Role::Host)]);
    let host_b = add(&mut world, quiet, &b, vec![record(&b, &a, Role::Joiner)]);
    connect(&mut world, host_a, host_b);
    (world, host_a, host_b)
}

/// Why the connection of a host ended, if it did.
fn end(world: &World, host: Host) -> Option<DisconnectReason> {
    world[host].app.events.iter().find_map(|event| match event {
        Event::PeerDisconnected(_, _, reason) => Some(*reason),
        _ => None,
    })
}

#[test]
fn a_connection_that_is_quiet_is_kept_alive_by_a_packet_each_way_every_twenty_seconds() {
    let (mut world, a, b) = connected_with(|config| config);
    world.run_for(secs(60));
    let since = world.elapsed();
    world.run_for(secs(1000));
    assert_eq!((end(&world, a), end(&world, b)), (None, None));
    let sent = sent_since(&world, a, since).len() + sent_since(&world, b, since).len();
    assert!((95..=110).contains(&sent), "{sent} packets in 1000 s");
}

#[test]
fn a_connection_that_nobody_uses_is_closed_after_the_time_that_was_set_and_no_sooner() {
    for after in [secs(10), secs(30), secs(300)] {
        let (mut world, a, b) = connected_with(|config| config.with_idle_close(Some(after)));
        let conn = conn(&world, a).unwrap();
        world.run_for(after - secs(1));
        assert_eq!((end(&world, a), end(&world, b)), (None, None), "{after:?}");
        let stream = world.tell(a, |node, now| node.open(now, conn, Direction::Bi, "label", 1)).unwrap();
        world.tell(a, |node, _| node.stream(conn, stream).unwrap().write(b"hello").unwrap());
        world.run_for(after * 3);
        assert_eq!((end(&world, a), end(&world, b)), (None, None), "a stream is open: {after:?}");
        world.tell(a, |node, _| {
            let mut stream = node.stream(conn, stream).unwrap();
            stream.reset(1);
            stream.stop(1);
        });
        let at_b = world[b].app.events.iter().any(|event| matches!(event, Event::PeerConnected(_)));
        assert!(at_b);
        world.run_for(after * 2 + secs(1));
        let ends = [end(&world, a), end(&world, b)];
        assert!(ends.contains(&Some(DisconnectReason::Unused)), "{ends:?} after {after:?}");
        assert!(!ends.contains(&Some(DisconnectReason::TimedOut)), "{ends:?} after {after:?}");
    }
}

#[test]
fn no_keep_alive_is_sent_where_a_connection_is_closed_before_it_could_time_out() {
    let (mut world, a, b) = connected_with(|config| config.with_idle_close(Some(secs(30))));
    world.run_for(secs(2));
    let since = world.elapsed();
    world.run_for(secs(25));
    assert!(sent_since(&world, a, since).is_empty() && sent_since(&world, b, since).is_empty());
    world.run_for(secs(10));
    assert!(end(&world, a).is_some() && end(&world, b).is_some());
}

#[test]
fn a_peer_that_is_kept_connected_is_not_closed_for_being_unused() {
    let (mut world, a, b) = connected_with(|config| config.with_idle_close(Some(secs(10))));
    for (host, peer) in [(a, 2), (b, 1)] {
        let peer = name(&identity(peer));
        assert!(world.tell(host, |node, now| node.peers().set_policy(now, peer, Some(Policy::Eager))));
    }
    world.run_for(secs(600));
    assert_eq!((end(&world, a), end(&world, b)), (None, None));
    let peer = name(&identity(2));
    world.tell(a, |node, now| node.peers().set_policy(now, peer, None));
    world.run_for(secs(40));
    assert_eq!(end(&world, a), Some(DisconnectReason::Unused));
}
