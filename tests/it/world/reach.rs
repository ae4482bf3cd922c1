//! How peers are found again: by what is remembered, by a name, among many addresses, after a crash; and who is
//! kept connected, and how silent a node is that was told to be.

use super::*;
use handfast_core::store::Role;
use handfast_core::{ConnectFailure, DisconnectReason, IdleReason, PeerState, Policy, Service, Sources};
use std::net::SocketAddr;

fn without_mdns() -> Sources {
    let mut sources = Sources::all();
    sources.mdns = false;
    sources
}

/// Two hosts that are paired, and speak no mDNS.
fn quiet_pair(policy: Policy) -> (World, Host, Host) {
    let mut world = new_world(1);
    let quiet = config().with_sources(without_mdns()).with_policy(policy);
    let (a, b) = (identity(1), identity(2));
    let host_a = add(&mut world, quiet.clone(), &a, vec![record(&a, &b, Role::Host)]);
    let host_b = add(&mut world, quiet, &b, vec![record(&b, &a, Role::Joiner)]);
    (world, host_a, host_b)
}

/// Two hosts that are paired, see each other, and are kept connected.
fn eager_pair() -> (World, Host, Host) {
    let mut world = new_world(1);
    let eager = config().with_policy(Policy::Eager);
    let (a, b) = (identity(1), identity(2));
    let host_a = add(&mut world, eager.clone(), &a, vec![record(&a, &b, Role::Host)]);
    let host_b = add(&mut world, eager, &b, vec![record(&b, &a, Role::Joiner)]);
    (world, host_a, host_b)
}

/// How often a host was told of a connection.
fn connections(world: &World, host: Host) -> usize {
    let connected = |event: &&Event| matches!(event, Event::PeerConnected(_));
    world[host].app.events.iter().filter(connected).count()
}

/// How many connections stand at a host.
fn standing(world: &mut World, host: Host) -> usize {
    world.tell(host, |node, _| node.peers().connected().len())
}

fn states(world: &World, host: Host) -> Vec<PeerState> {
    let state = |event: &Event| match event {
        Event::PeerState(_, state) => Some(*state),
        _ => None,
    };
    world[host].app.events.iter().filter_map(state).collect()
}

/// Tells a host to connect to a peer wherever that may be.
fn ask(world: &mut World, host: Host, peer: u8) {
    world.tell(host, |node, now| node.connect(now, name(&identity(peer))).unwrap());
}

#[test]
fn a_peer_with_sixteen_addresses_of_which_fifteen_are_dead_is_connected_within_four_seconds() {
    let (mut world, a, b) = quiet_pair(Policy::Lazy);
    let (peer, good) = (name(&identity(2)), world.address(b));
    for n in 1..16 {
        let dead = SocketAddr::from(([10, 0, 200, n], 5000));
        world.tell(a, |node, now| node.peers().add_address(now, peer, dead));
    }
    world.tell(a, |node, now| node.peers().add_address(now, peer, good));
    ask(&mut world, a, 2);
    assert!(world.run_until(secs(4), |world| conn(world, a).is_some() && conn(world, b).is_some()));
    assert!(states(&world, a).contains(&PeerState::Dialling { addresses: 16 }));
}

#[test]
fn a_node_that_begins_with_a_remembered_address_connects_at_once_without_any_discovery() {
    let (mut world, a, b) = quiet_pair(Policy::Lazy);
    connect(&mut world, a, b);
    world.run_for(secs(1));
    assert_eq!(world[a].store.whereabouts.len(), 1, "the dialler remembers where");
    world.crash(a);
    world[a].app.events.clear();
    world.restart(a);
    world.run_for(Duration::ZERO);
    let begun = world.elapsed();
    ask(&mut world, a, 2);
    assert!(world.run_until(SOON, |world| conn(world, a).is_some()));
    let took = world.elapsed() - begun;
    assert!(took < Duration::from_millis(200), "connected {took:?} after the start");
}

#[test]
fn what_is_remembered_of_a_peer_is_deleted_when_it_is_forgotten() {
    let (mut world, a, b) = quiet_pair(Policy::Lazy);
    connect(&mut world, a, b);
    world.run_for(secs(1));
    assert_eq!(world[a].store.whereabouts.len(), 1);
    world.tell(a, |node, now| node.pairing().forget(now, name(&identity(2))));
    world.run_for(secs(1));
    assert!(world[a].store.whereabouts.is_empty() && world[a].store.records.is_empty());
}

#[test]
fn a_hundred_connections_to_one_place_are_one_write() {
    let (mut world, a, b) = quiet_pair(Policy::Lazy);
    for _ in 0..100 {
        let (conn, _) = connect(&mut world, a, b);
        world.tell(a, |node, now| node.close(now, conn));
        world.run_for(secs(1));
        world[a].app.events.clear();
        world[b].app.events.clear();
    }
    let writes = world[a].store.placed;
    assert!(writes <= 2, "{writes} writes: the address that was given, and that it was good, are two");
}

#[test]
fn a_store_that_takes_no_whereabouts_holds_nothing_up() {
    let (mut world, a, b) = quiet_pair(Policy::Lazy);
    world[a].store.broken = true;
    connect(&mut world, a, b);
    world.run_for(secs(3600));
    assert!(world[a].store.whereabouts.is_empty());
    assert!(!told(&world, a, |event| matches!(event, Event::StoreFailed)));
    assert_eq!(standing(&mut world, a), 1);
}

#[test]
fn a_peer_whose_name_alone_is_known_is_looked_up_and_connected() {
    let (mut world, a, b) = quiet_pair(Policy::Lazy);
    let host: handfast_core::HostName = "b.example:5000".parse().unwrap();
    let dead = SocketAddr::from(([10, 0, 200, 1], 5000));
    let at = vec![dead, world.address(b)];
    world.dns.insert(host.clone(), at);
    world.tell(a, |node, now| node.peers().add_name(now, name(&identity(2)), host));
    ask(&mut world, a, 2);
    assert!(world.run_until(SOON, |world| conn(world, a).is_some()));
    assert_eq!(world[a].looked_up, 1);
    // It is kept, and was found good: the next start asks nobody first.
    world.run_for(secs(1));
    let kept = world[a].store.whereabouts.values().next().unwrap();
    assert_eq!((kept.names.len(), kept.good.len()), (1, 1));
}

#[test]
fn a_name_that_nobody_answers_for_fails_the_dial_after_five_seconds() {
    let (mut world, a, _) = quiet_pair(Policy::Lazy);
    let nowhere = "nowhere.example:5000".parse().unwrap();
    world.tell(a, |node, now| node.peers().add_name(now, name(&identity(2)), nowhere));
    ask(&mut world, a, 2);
    let failed = Event::ConnectFailed(name(&identity(2)), ConnectFailure::NoAddress);
    assert!(!world.run_until(Duration::from_millis(4990), |world| world[a].app.events.contains(&failed)));
    assert!(world.run_until(Duration::from_millis(20), |world| world[a].app.events.contains(&failed)));
}

#[test]
fn two_that_keep_each_other_connected_have_one_connection_and_keep_it() {
    let (mut world, a, b) = eager_pair();
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    world.run_for(secs(2));
    let before = (connections(&world, a), connections(&world, b));
    assert!(before.0 <= 2 && before.1 <= 2, "{before:?}");
    world.run_for(secs(1200));
    assert_eq!((connections(&world, a), connections(&world, b)), before, "none replaces another");
    assert_eq!((standing(&mut world, a), standing(&mut world, b)), (1, 1));
}

#[test]
fn a_peer_that_crashes_and_comes_back_is_connected_again_by_whoever_keeps_it_so() {
    let (mut world, a, b) = eager_pair();
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    for round in 0..5 {
        world.run_for(secs(round * 7));
        world.crash(b);
        world[b].app.events.clear();
        world.run_for(secs(round * 11));
        let old = conn(&world, a);
        world.restart(b);
        let back = world.run_until(secs(10), |world| conn(world, b).is_some() && conn(world, a) != old);
        assert!(back, "its own dead connection locks it out in round {round}");
        world.run_for(secs(1));
        assert_eq!((standing(&mut world, a), standing(&mut world, b)), (1, 1));
    }
}

#[test]
fn an_application_that_forgets_a_peer_while_it_is_dialled_dials_it_no_more() {
    let (mut world, a, b) = quiet_pair(Policy::Eager);
    let peer = name(&identity(2));
    world.lose(|_, _| true);
    let at = world.address(b);
    world.tell(a, |node, now| node.peers().add_address(now, peer, at));
    world.run_for(secs(3));
    assert_eq!(states(&world, a).last(), Some(&PeerState::Dialling { addresses: 1 }));
    world.tell(a, |node, now| node.pairing().forget(now, peer));
    world.run_for(secs(30));
    let since = world.elapsed();
    world.run_for(secs(3600));
    assert!(sent_since(&world, a, since).is_empty());
}

#[test]
fn a_dead_peer_that_is_kept_connected_costs_some_thirty_dials_in_an_hour() {
    let (mut world, a, b) = quiet_pair(Policy::Eager);
    world.lose(|_, _| true);
    let at = world.address(b);
    world.tell(a, |node, now| node.peers().add_address(now, name(&identity(2)), at));
    world.run_for(secs(3600));
    let dials = states(&world, a).iter().filter(|s| matches!(s, PeerState::Dialling { .. })).count();
    assert!((10..=35).contains(&dials), "{dials}");
    // The network changes: it is tried at once.
    world.lose_nothing();
    world.renumber(a, 1, addresses("10.0.0.77/16"));
    assert!(world.run_until(SOON, |world| conn(world, a).is_some()));
}

#[test]
fn how_it_stands_with_a_peer_is_told_with_its_reason_and_once() {
    let (mut world, a, b) = quiet_pair(Policy::Lazy);
    let peer = name(&identity(2));
    let state = |world: &mut World| world.tell(a, |node, _| node.peers().state(peer));
    assert_eq!(state(&mut world), Some(PeerState::Idle(IdleReason::Unasked)));
    let (conn, _) = connect(&mut world, a, b);
    world.tell(a, |node, now| node.close(now, conn));
    world.run_for(secs(100));
    let closed = PeerState::Idle(IdleReason::Ended(DisconnectReason::ClosedHere));
    assert_eq!(states(&world, a), [PeerState::Dialling { addresses: 1 }, PeerState::Connected, closed]);
    assert_eq!(state(&mut world), Some(closed));
    let ended = PeerState::Idle(IdleReason::Ended(DisconnectReason::ClosedByPeer));
    assert_eq!(states(&world, b), [PeerState::Connected, ended]);
}

#[test]
fn without_mdns_a_node_says_goodbye_is_silent_and_comes_back_with_all_that_it_published() {
    let (mut world, a, b) = two_hosts();
    let page = Service::new("_http._tcp".parse().unwrap(), "Ben's page", 8080).unwrap();
    world.tell(a, |node, now| node.services().publish(now, page).unwrap());
    let search =
        world.tell(b, |node, now| node.services().browse(now, "_http._tcp".parse().unwrap()).unwrap());
    world.run_for(secs(10));
    let found = |world: &mut World| world.tell(b, |node, _| node.services().found(search).len());
    assert!(sees(&mut world, b, 1) && sees(&mut world, a, 2) && found(&mut world) == 1);
    world.tell(a, |node, now| node.set_sources(now, without_mdns()));
    world.run_for(secs(2));
    assert!(!sees(&mut world, b, 1) && !sees(&mut world, a, 2) && found(&mut world) == 0);
    let since = world.elapsed();
    // Interfaces that change, a machine that wakes, and what the application does make it no louder.
    world.run_for(secs(60));
    world.renumber(a, 1, addresses("10.0.0.77/16"));
    let other = Service::new("_http._tcp".parse().unwrap(), "Another page", 8081).unwrap();
    world.tell(a, |node, now| {
        node.handle_wake(now, secs(9));
        node.services().publish(now, other).unwrap();
        node.services().browse(now, "_ipp._tcp".parse().unwrap()).unwrap();
    });
    world.run_for(secs(3600));
    assert!(sent_since(&world, a, since).is_empty(), "{:?}", sent_since(&world, a, since).first());
    world.tell(a, |node, now| node.set_sources(now, Sources::all()));
    world.run_for(secs(10));
    assert!(sees(&mut world, b, 1) && sees(&mut world, a, 2));
    assert_eq!(found(&mut world), 2);
}

#[test]
fn a_node_that_begins_without_mdns_never_sends_a_packet_of_it() {
    let (mut world, a, b) = quiet_pair(Policy::Lazy);
    world.run_for(secs(600));
    assert!(world.trace.sent.is_empty());
    connect(&mut world, a, b);
    assert!(world.trace.sent.iter().all(|sent| sent.destination.port() != 5353));
}
