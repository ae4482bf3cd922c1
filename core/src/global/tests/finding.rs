//! Who finds whom, and who does not.

use super::directory::Mood;
use super::world::{Kept, Taste, World, secs};
use crate::config::Announce;
use crate::event::{LookUpOutcome, ServerFailure, ServerState};
use crate::global::Switched;
use crate::wire::discovery::Request;
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn two_paired_nodes_find_each_other_by_a_server_and_a_third_does_not() {
    let mut world = World::new(3, 1);
    world.pair(0, 1);
    world.pair(1, 2);
    world.pass(secs(5));
    assert!(world.sees(0, 1) && world.sees(1, 0) && world.sees(2, 1));
    assert!(world.where_is(0, 2).is_empty() && world.where_is(2, 0).is_empty());
    assert_eq!(world.states(0), [ServerState::Announced]);
}

#[test]
fn a_node_without_peers_says_nothing_to_any_server() {
    let mut world = World::new(1, 2);
    world.pass(secs(7200));
    assert!(world.servers.iter().all(|server| server.dials == 0));
    assert_eq!(world.states(0), [ServerState::Idle; 2]);
}

#[test]
fn an_address_that_changes_is_known_to_subscribers_within_five_seconds() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    world.pass(secs(100));
    world.move_to(0, "198.51.77.7");
    assert!(!world.sees(1, 0), "it waits for what else changes");
    world.pass(secs(5));
    assert!(world.sees(1, 0));
    assert!(!world.where_is(1, 0).iter().any(|address| address.ip().to_string() == "198.51.0.1"));
}

#[test]
fn whoever_shuts_down_or_is_switched_off_is_gone_at_once_and_back_when_it_is_on() {
    for to in [Switched::Off, Switched::Ended] {
        let mut world = World::new(2, 2);
        world.pair(0, 1);
        world.pass(secs(5));
        world.switch(0, to);
        assert!(world.where_is(1, 0).is_empty(), "{to:?}");
        assert!(world.where_is(0, 1).is_empty(), "what servers told counts no longer");
        assert!(world.nodes[0].global.is_drained() && world.nodes[0].conns.is_empty());
        world.switch(0, Switched::On);
        world.pass(secs(5));
        assert_eq!(world.sees(1, 0) && world.sees(0, 1), to == Switched::Off, "{to:?}");
    }
}

#[test]
fn whoever_is_forgotten_can_read_nothing_from_then_on_and_the_others_are_not_disturbed() {
    let mut world = World::new(3, 1);
    world.pair(0, 1);
    world.pair(0, 2);
    world.pass(secs(5));
    world.forget(0, 1);
    assert!(world.where_is(1, 0).is_empty(), "the server checks its gate again");
    assert!(world.where_is(0, 1).is_empty(), "and it is of no interest any more");
    assert!(world.sees(2, 0));
    world.forget(0, 2);
    assert!(world.where_is(2, 0).is_empty() && world.nodes[0].conns.is_empty());
    assert!(!world.servers[0].records.contains_key(&world.key(0).fingerprint()), "nobody is left to read it");
}

#[test]
fn several_servers_are_told_and_asked_and_one_that_is_good_is_enough() {
    let mut world = World::new(2, 3);
    world.servers[0].mood = super::directory::Mood::Down;
    world.servers[1].mood = super::directory::Mood::Silent;
    world.pair(0, 1);
    world.pass(secs(1));
    assert!(world.sees(0, 1) && world.sees(1, 0));
    for server in &mut world.servers {
        server.mood = super::directory::Mood::Honest;
    }
    world.pass(secs(400));
    assert!(world.servers.iter().all(|server| server.records.len() == 2), "each is told");
    // What one says no longer, the others still do.
    let print = world.key(0).fingerprint();
    world.servers[2].records.remove(&print);
    world.restart(2, Kept::All);
    assert!(world.sees(1, 0));
}

#[test]
fn nodes_that_trust_each_other_find_each_other_where_they_announce_to_all() {
    let plain = Taste { announce: Announce::Plain, ..Taste::default() };
    let mut world = World::of(&[plain, Taste::default(), plain], 1);
    world.trust(0, 1);
    world.trust(1, 0);
    world.trust(2, 1);
    world.pass(secs(5));
    assert!(world.sees(1, 0), "who is announced to all is found by his name");
    assert!(world.where_is(0, 1).is_empty(), "who is not, is not");
    let held = &world.servers[0].records[&world.key(0).fingerprint()].1;
    assert_eq!(held.addresses.len(), 1);
}

#[test]
fn a_node_that_announces_nothing_still_finds_others() {
    let hidden = Taste { announce: Announce::Nothing, ..Taste::default() };
    let mut world = World::of(&[hidden, Taste::default()], 1);
    world.pair(0, 1);
    world.pass(secs(5));
    assert!(world.sees(0, 1) && world.where_is(1, 0).is_empty());
    assert_eq!(world.states(0), [ServerState::Connected]);
}

#[test]
fn what_is_sealed_says_no_address_to_the_server() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    world.pass(secs(5));
    let (_, held) = &world.servers[0].records[&world.key(0).fingerprint()];
    assert!(held.addresses.is_empty());
    let text = world.nodes[0].ip.to_string();
    assert!(!held.record.windows(text.len()).any(|window| window == text.as_bytes()));
}

#[test]
fn a_pairing_anew_with_the_same_peer_is_looked_up_by_every_secret() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    world.pair(0, 1);
    world.pass(secs(5));
    assert!(world.sees(0, 1) && world.sees(1, 0));
    // One side settles for the second pairing alone, then the other does.
    for node in [1, 0] {
        let key = world.key(1 - node);
        world.nodes[node].paired.get_mut(&key).unwrap().remove(0);
        world.sought(node);
        world.pass(secs(5));
        assert!(world.sees(0, 1) && world.sees(1, 0), "after node {node}");
    }
}

#[test]
fn each_server_that_is_asked_for_somebody_answers_or_why_it_does_not_is_told() {
    let mut world = World::new(3, 3);
    world.pair(0, 1);
    world.pass(secs(10));
    let here: SocketAddr = "198.51.1.1:7000".parse().unwrap();
    // The second server has forgotten everybody, and the third is down.
    world.servers[1].records.clear();
    world.servers[2].mood = Mood::Down;
    world.cut(2);
    assert!(world.looked_up(0, 1).is_empty(), "nobody wanted to know");
    assert!(world.look_up(0, 1));
    let told = world.looked_up(0, 1);
    let found = LookUpOutcome::Found { addresses: vec![here], age: Duration::from_secs(1) };
    let failed = LookUpOutcome::Failed(ServerFailure::TimedOut);
    assert_eq!(told, [(0, found), (1, LookUpOutcome::Missing), (2, failed)]);
    world.pass(secs(100));
    assert!(world.looked_up(0, 1).is_empty(), "each answers once");
    assert!(!world.look_up(0, 2), "he is not paired");
    world.switch(0, Switched::Off);
    assert!(!world.look_up(0, 1), "no server is used");
}

#[test]
fn a_look_up_out_of_turn_asks_although_the_server_would_tell_by_itself_and_not_too_often() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    world.pass(secs(5));
    world.asked(0, 0);
    let done = (0..100).filter(|_| world.look_up(0, 1)).count();
    assert_eq!(done, 16);
    let asked = world.asked(0, 0);
    assert!(asked.iter().all(|request| matches!(request, Request::Lookup(_))));
    assert!((1..=16).contains(&asked.len()), "{}", asked.len());
}
