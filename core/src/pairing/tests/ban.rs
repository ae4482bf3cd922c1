//! Keys that are banned.

use super::trust::{both_trust, key, parts};
use super::world::{HOST, JOINER, StoreFault, World};
use crate::event::Event as Told;
use crate::store::{Mark, MarkKind};
use crate::wire::close::CloseCode;

#[test]
fn a_ban_holds_at_once_ends_every_pairing_and_outlives_a_restart() {
    let mut world = World::new();
    world.pair(JOINER);
    let wire = world.connect(0, 1);
    world.run();
    let banned = key(&world, JOINER);
    world.nodes[HOST].slow = true;
    world.nodes[HOST].engine.ban(world.now, banned).unwrap();
    assert!(world.nodes[HOST].engine.is_banned(&banned));
    let peer = world.nodes[JOINER].key;
    assert_eq!(world.nodes[HOST].engine.standing(&peer).1, [], "nothing of it is used");
    world.run();
    world.nodes[HOST].slow = false;
    while world.awaits_store(HOST) {
        world.answer_store(HOST);
        world.run();
    }
    assert!(world.nodes[HOST].told.contains(&Told::PeerBanned(banned)));
    assert!(world.nodes.iter().all(|node| node.paired().is_empty()), "the other side was told on {wire}");
    world.restart(HOST);
    world.run();
    assert!(world.nodes[HOST].engine.is_banned(&banned));
    let refused = world.dial_by_hand(HOST, JOINER, None);
    world.run();
    assert_eq!(world.wires[refused].closed, Some((HOST, CloseCode::NotPaired)));
}

#[test]
fn a_ban_that_a_crash_parts_from_the_pairing_that_it_ends_ends_it_after_the_restart() {
    let mut world = World::new();
    world.pair(JOINER);
    let banned = key(&world, JOINER);
    world.restart(HOST);
    world.nodes[HOST].marks.insert(banned, Mark::new(banned, MarkKind::Banned));
    world.run();
    assert!(world.nodes[HOST].paired().is_empty());
}

#[test]
fn a_ban_during_a_session_by_trust_ends_it_and_the_trust() {
    for after in 0..12 {
        let mut world = World::new();
        let ids = both_trust(&mut world);
        let (host, joiner) = parts(&world);
        let wire = world.dial(host, joiner, ids[host]);
        for _ in 0..after {
            while world.turn(0) || world.turn(1) {}
            let _ = world.deliver_from(wire, 0) || world.deliver_from(wire, 1);
        }
        let key = key(&world, joiner);
        world.nodes[host].engine.ban(world.now, key).unwrap();
        world.pass_and_meet(100);
        assert!(world.nodes[host].paired().is_empty() && world.nodes[host].engine.trusting().is_empty());
        assert!(world.nodes[host].endings().len() <= 1);
        // What the other side still holds goes when the ban does.
        world.nodes[host].engine.unban(world.now, &key);
        let joiners = world.nodes[host].key.fingerprint();
        world.nodes[joiner].engine.distrust(world.now, &joiners);
        world.run();
        world.connect(0, 1);
        world.pass(std::time::Duration::from_secs(100));
        world.assert_both_or_neither(&format!("banned after {after}"));
        assert!(world.nodes[joiner].paired().is_empty());
    }
}

#[test]
fn a_mark_that_the_store_refuses_is_written_again() {
    for fault in [StoreFault::Unwritten, StoreFault::Dead] {
        let mut world = World::new();
        let banned = key(&world, JOINER);
        world.nodes[HOST].fault = Some((1, fault));
        world.nodes[HOST].engine.ban(world.now, banned).unwrap();
        world.run();
        assert!(world.nodes[HOST].marks.is_empty() && world.nodes[HOST].engine.is_banned(&banned));
        world.pass(std::time::Duration::from_secs(30));
        assert!(world.nodes[HOST].marks[&banned].is_banned());
    }
}
