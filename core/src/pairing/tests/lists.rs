//! Lists on data connections, and forgetting.

use super::world::{HOST, JOINER, World};
use crate::event::Event as Told;
use crate::wire::control::Listed;
use std::time::Duration;

fn unpaired(world: &World, n: usize) -> usize {
    world.nodes[n].told.iter().filter(|told| matches!(told, Told::PeerUnpaired(..))).count()
}

#[test]
fn forgetting_while_connected_unpairs_both() {
    for forgetting in [HOST, JOINER] {
        let mut world = World::new();
        world.pair(JOINER);
        world.connect(HOST, JOINER);
        world.run();
        let peer = world.nodes[1 - forgetting].key;
        assert!(world.nodes[forgetting].engine.forget(world.now, &peer));
        world.run();
        assert!(world.nodes.iter().all(|node| node.store.is_empty()));
        assert_eq!((unpaired(&world, HOST), unpaired(&world, JOINER)), (1, 1));
        assert!(!world.nodes[forgetting].engine.forget(world.now, &peer), "there is nothing left");
    }
}

#[test]
fn a_peer_that_was_away_is_unpaired_at_its_next_contact() {
    let mut world = World::new();
    world.pair(JOINER);
    let peer = world.nodes[JOINER].key;
    world.nodes[HOST].engine.forget(world.now, &peer);
    world.run();
    assert_eq!(world.nodes[JOINER].paired().len(), 1, "it does not know yet");
    world.connect(JOINER, HOST);
    world.run();
    assert!(world.nodes[JOINER].store.is_empty());
    assert_eq!(unpaired(&world, JOINER), 1);
}

#[test]
fn pairing_again_after_a_one_sided_unpair_ends_paired() {
    let mut world = World::new();
    world.pair(JOINER);
    let peer = world.nodes[JOINER].key;
    world.nodes[HOST].engine.forget(world.now, &peer);
    world.run();
    world.pair(JOINER);
    world.connect(JOINER, HOST);
    world.run();
    world.assert_paired_alike();
    assert_eq!(unpaired(&world, JOINER), 0, "the new pairing replaced the old one silently");
}

#[test]
fn no_close_code_and_no_loss_changes_a_paired_record() {
    let mut world = World::new();
    world.pair(JOINER);
    for _ in 0..3 {
        let wire = world.connect(HOST, JOINER);
        world.run();
        world.cut(wire);
        world.pass(Duration::from_secs(60));
    }
    assert_eq!((unpaired(&world, HOST), unpaired(&world, JOINER)), (0, 0));
    world.assert_paired_alike();
}

#[test]
fn an_id_that_is_left_out_says_nothing() {
    let mut world = World::new();
    world.pair(JOINER);
    let wire = world.connect(HOST, JOINER);
    world.run();
    let (now, peer) = (world.now, world.nodes[HOST].key);
    let conn = crate::id::ConnId(wire as u64);
    world.nodes[JOINER].engine.handle_list(now, conn, peer, Vec::new());
    world.run();
    assert_eq!(world.nodes[JOINER].paired().len(), 1);
}

#[test]
fn a_stranger_is_told_that_what_it_lists_is_gone() {
    let mut world = World::new();
    let stranger = world.nodes[JOINER].key;
    let conn = crate::id::ConnId(99);
    assert!(world.nodes[HOST].engine.open_list(conn, stranger).is_empty());
    let entry = crate::wire::control::Entry {
        pair_id: crate::id::PairId::from_bytes([1; 32]),
        state: Listed::Paired,
    };
    world.nodes[HOST].engine.handle_list(world.now, conn, stranger, vec![entry]);
    let said = world.nodes[HOST].engine.poll_event();
    assert!(
        matches!(&said, Some(super::super::Event::SendState { list, .. })
            if list.len() == 1 && list[0].state == Listed::Gone),
        "{said:?}"
    );
}

#[test]
fn the_list_of_a_connection_that_is_gone_leaves_nothing() {
    let mut world = World::new();
    let (stranger, conn) = (world.nodes[JOINER].key, crate::id::ConnId(99));
    let engine = &mut world.nodes[HOST].engine;
    engine.open_list(conn, stranger);
    engine.handle_data_lost(conn);
    let entry = crate::wire::control::Entry {
        pair_id: crate::id::PairId::from_bytes([1; 32]),
        state: Listed::Paired,
    };
    engine.handle_list(world.now, conn, stranger, vec![entry]);
    assert!(engine.poll_event().is_none());
    assert!(engine.links.is_empty());
}

#[test]
fn what_a_live_session_holds_is_listed_as_hook() {
    let mut world = World::new();
    world.nodes[HOST].hook = None;
    world.pair(JOINER);
    let (host, joiner) = (world.nodes[HOST].key, world.nodes[JOINER].key);
    let states = [
        world.nodes[HOST].engine.list_for(&joiner)[0].state,
        world.nodes[JOINER].engine.list_for(&host)[0].state,
    ];
    assert_eq!(states, [Listed::Hook, Listed::Hook]);
}

#[test]
fn a_data_connection_beside_a_session_does_not_disturb_it() {
    for hook in [HOST, JOINER] {
        let mut world = World::new();
        world.nodes[hook].hook = None;
        world.connect(HOST, JOINER);
        world.pair(JOINER);
        world.connect(JOINER, HOST);
        world.run();
        let token = world.nodes[hook].waiting_hooks.pop().unwrap();
        world.nodes[hook].engine.answer_paired(world.now, token, Ok(()));
        world.run();
        world.assert_paired_alike();
    }
}

#[test]
fn forgetting_in_the_middle_of_a_pairing_ends_it() {
    for hook in [HOST, JOINER] {
        for forgetting in [HOST, JOINER] {
            let mut world = World::new();
            world.nodes[hook].hook = None;
            world.pair(JOINER);
            let peer = world.nodes[1 - forgetting].key;
            world.nodes[forgetting].engine.forget(world.now, &peer);
            world.pass(Duration::from_secs(100));
            world.connect(HOST, JOINER);
            world.pass(Duration::from_secs(100));
            let story = format!("hook at {hook}, forgotten by {forgetting}");
            assert!(world.nodes.iter().all(|node| node.store.is_empty()), "{story}");
            for n in [HOST, JOINER] {
                assert_eq!(world.nodes[n].endings().len(), 1, "{story}: node {n}");
                assert!(world.nodes[n].endings()[0].is_err(), "{story}: node {n}");
            }
        }
    }
}
