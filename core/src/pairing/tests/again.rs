//! A pairing beside what an earlier one left behind, and forgetting what is just being stored.

use super::world::{HOST, JOINER, StoreFault, World};
use std::time::Duration;

/// Frames up to `Prepared`: what follows is the host's `Commit`.
const PREPARED: usize = 12;

/// A pairing whose connection is lost after both voted and before either heard.
fn pair_and_lose(world: &mut World, exporter: u8) {
    world.exporters = [[exporter; 32]; 2];
    let (_, code) = world.host(HOST);
    let entry = world.join(JOINER, code);
    let wire = world.dial(JOINER, HOST, entry);
    world.silence_after(wire, PREPARED);
    world.run();
    world.cut(wire);
    world.run();
}

#[test]
fn an_older_pairing_that_settles_leaves_a_later_one_to_its_rollback() {
    let mut world = World::new();
    pair_and_lose(&mut world, 1);
    assert_eq!((world.nodes[HOST].tentative(), world.nodes[JOINER].tentative()), (1, 1));
    world.nodes[JOINER].hook = None;
    world.nodes[JOINER].rollback = None;
    world.exporters = [[2; 32]; 2];
    let wire = world.pair(JOINER);
    world.cut(wire);
    world.connect(HOST, JOINER);
    world.run();
    assert_eq!((world.nodes[JOINER].paired().len(), world.nodes[JOINER].tentative()), (1, 1));
    world.restart(JOINER);
    world.nodes[JOINER].rollback = Some(Ok(()));
    world.connect(HOST, JOINER);
    world.run();
    assert_eq!(world.nodes[JOINER].rolled_back.len(), 2, "what was not answered is asked again");
    world.assert_both_or_neither("after the restart");
    assert_eq!(world.nodes[JOINER].paired().len(), 1);
}

#[test]
fn of_two_pairings_that_settle_at_once_the_later_stays_on_both_sides() {
    for exporter in 0..8 {
        let mut world = World::new();
        pair_and_lose(&mut world, 100 + exporter);
        pair_and_lose(&mut world, 200 + exporter);
        let later = world.nodes[HOST].saved[1].pair_id;
        assert_eq!((world.nodes[HOST].tentative(), world.nodes[JOINER].tentative()), (2, 2));
        world.connect(HOST, JOINER);
        world.run();
        world.assert_both_or_neither("settled");
        assert_eq!(world.nodes[HOST].paired(), [later]);
    }
}

#[test]
fn a_peer_that_is_being_forgotten_is_used_no_more_whatever_the_store_does() {
    let mut world = World::new();
    world.pair(JOINER);
    world.run();
    let peer = world.nodes[JOINER].key;
    // The deletion that follows fails, and again once.
    world.nodes[HOST].fault = Some((world.nodes[HOST].calls + 1, StoreFault::Unwritten));
    let (known, usable) = world.nodes[HOST].engine.standing(&peer);
    assert!(known && usable.len() == 1);
    assert!(world.nodes[HOST].engine.forget(world.now, &peer));
    assert_eq!(world.nodes[HOST].engine.standing(&peer), (true, vec![]), "before the store answers");
    world.run();
    assert_eq!(world.nodes[HOST].engine.standing(&peer), (true, vec![]), "though the store refused");
    world.pass(Duration::from_secs(11));
    assert_eq!(world.nodes[HOST].engine.standing(&peer), (false, vec![]), "it was tried again");
}

#[test]
fn forgetting_while_a_vote_or_the_pairing_is_stored_is_not_lost() {
    for forgetting in [HOST, JOINER] {
        for call in 2..=3 {
            let story = format!("forgotten by {forgetting} in its write {call}");
            let mut world = World::new();
            let (_, code) = world.host(HOST);
            let entry = world.join(JOINER, code);
            world.nodes[forgetting].slow = true;
            world.dial(JOINER, HOST, entry);
            world.run();
            for _ in 1..call {
                world.answer_store(forgetting);
                world.run();
            }
            let peer = world.nodes[1 - forgetting].key;
            assert!(world.nodes[forgetting].engine.forget(world.now, &peer), "{story}");
            world.nodes[forgetting].slow = false;
            world.answer_store(forgetting);
            world.pass(Duration::from_secs(100));
            world.connect(HOST, JOINER);
            world.run();
            assert!(world.nodes.iter().all(|node| node.store.is_empty()), "{story}");
            world.assert_both_or_neither(&story);
        }
    }
}
