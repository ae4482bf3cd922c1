//! Whatever fails or is lost, both are paired or neither is, and who asked hears of it.

use super::world::{HOST, JOINER, StoreFault, World};
use crate::error::HookFailed;
use crate::event::{Event as Told, PairingFailure};
use crate::store::PairState;
use std::time::Duration;

/// More frames than a pairing has.
const FRAMES: usize = 15;
/// More store calls than a pairing makes on one side, with its undoing.
const CALLS: usize = 6;

/// A later contact, long enough for whatever is to be repeated.
fn meet_again(world: &mut World) {
    world.cut_after = None;
    world.pass(Duration::from_secs(100));
    world.connect(HOST, JOINER);
    world.pass(Duration::from_secs(100));
}

#[test]
fn a_connection_lost_after_any_message_leaves_both_or_neither_paired() {
    let mut outcomes = [0, 0];
    for client in [HOST, JOINER] {
        for cut in 1..=FRAMES {
            let mut world = World::new();
            let story = format!("client {client}, cut after {cut}");
            // A cut before the prompt is answered ends the story there.
            let (window, code) = world.host(HOST);
            let entry = world.join(JOINER, code);
            world.cut_after = Some(cut);
            if client == HOST {
                world.dial(HOST, JOINER, window)
            } else {
                world.dial(JOINER, HOST, entry)
            };
            world.run();
            meet_again(&mut world);
            world.assert_both_or_neither(&story);
            let paired = world.nodes[HOST].paired().len();
            outcomes[paired] += 1;
            for n in [HOST, JOINER] {
                let endings = world.nodes[n].endings();
                assert_eq!(endings.len(), 1, "{story}: node {n} hears once: {endings:?}");
                let told_paired = world.nodes[n].told.iter().any(|told| matches!(told, Told::PeerPaired(_)));
                assert_eq!(told_paired, paired == 1, "{story}: node {n}");
            }
        }
    }
    assert!(outcomes[0] > 0 && outcomes[1] > 0, "both outcomes were seen: {outcomes:?}");
}

#[test]
fn a_lost_pairing_that_a_contact_settles_at_once_ends_well() {
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    let entry = world.join(JOINER, code);
    // All but `Done`: the joiner is paired, the host committed.
    world.cut_after = Some(FRAMES - 2);
    world.dial(JOINER, HOST, entry);
    world.run();
    assert_eq!(world.nodes[HOST].endings(), []);
    assert_eq!((world.nodes[HOST].paired().len(), world.nodes[HOST].settles), (0, 1));
    world.connect(HOST, JOINER);
    world.run();
    world.assert_both_or_neither("settled");
    assert_eq!(world.nodes[HOST].endings(), [Ok(world.nodes[JOINER].paired()[0])]);
}

#[test]
fn a_lost_pairing_that_nothing_settles_is_an_error_after_thirty_seconds() {
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    let entry = world.join(JOINER, code);
    world.cut_after = Some(FRAMES - 2);
    world.dial(JOINER, HOST, entry);
    world.pass(Duration::from_secs(31));
    assert_eq!(world.nodes[HOST].endings(), [Err(PairingFailure::ConnectionLost)]);
}

#[test]
fn a_store_that_fails_at_any_call_leaves_both_or_neither_paired() {
    for fault in [StoreFault::Unwritten, StoreFault::Written, StoreFault::Dead, StoreFault::DeadWritten] {
        for n in [HOST, JOINER] {
            for call in 1..=CALLS {
                let mut world = World::new();
                let story = format!("{fault:?} at call {call} of node {n}");
                world.nodes[n].fault = Some((call, fault));
                world.pair(JOINER);
                let reached = world.nodes[n].calls >= call;
                let alone = world.nodes[HOST].paired().len() != world.nodes[JOINER].paired().len();
                let error = world.nodes.iter().any(|node| {
                    node.endings().iter().any(Result::is_err) || node.told.contains(&Told::StoreFailed)
                });
                assert!(!alone || error, "{story}: paired alone without an error");
                if reached && fault != StoreFault::Written {
                    assert!(world.nodes[n].told.contains(&Told::StoreFailed), "{story}: it is told");
                }
                meet_again(&mut world);
                world.assert_both_or_neither(&story);
                if !reached || fault == StoreFault::Written {
                    assert_eq!(
                        world.nodes[HOST].paired().len(),
                        1,
                        "{story}: a write that happened is no failure"
                    );
                }
            }
        }
    }
}

#[test]
fn a_store_that_dies_while_a_pairing_is_undone_ends_it_once() {
    for n in [HOST, JOINER] {
        let mut world = World::new();
        world.nodes[n].hook = Some(Err(HookFailed));
        world.nodes[n].fault = Some((2, StoreFault::Dead));
        world.pair(JOINER);
        world.pass(Duration::from_secs(100));
        assert_eq!(world.nodes[n].endings(), [Err(PairingFailure::Hook)], "node {n}");
    }
}

#[test]
fn a_store_that_fails_while_a_connection_is_lost_leaves_both_or_neither_paired() {
    for cut in 6..=FRAMES {
        for fault in [StoreFault::Unwritten, StoreFault::Written, StoreFault::Dead, StoreFault::DeadWritten] {
            for n in [HOST, JOINER] {
                for call in 1..=CALLS {
                    let mut world = World::new();
                    world.nodes[n].fault = Some((call, fault));
                    world.cut_after = Some(cut);
                    let (_, code) = world.host(HOST);
                    let entry = world.join(JOINER, code);
                    world.dial(JOINER, HOST, entry);
                    world.run();
                    meet_again(&mut world);
                    // A failed write of `paired` is tried again at the next contact.
                    meet_again(&mut world);
                    world.assert_both_or_neither(&format!(
                        "cut after {cut}, {fault:?} at call {call} of node {n}"
                    ));
                }
            }
        }
    }
}

#[test]
fn a_crash_of_either_side_after_any_message_leaves_both_or_neither_paired() {
    for crashing in [HOST, JOINER] {
        for cut in 1..=FRAMES {
            let mut world = World::new();
            let (_, code) = world.host(HOST);
            let entry = world.join(JOINER, code);
            world.cut_after = Some(cut);
            world.dial(JOINER, HOST, entry);
            world.run();
            world.restart(crashing);
            meet_again(&mut world);
            world.assert_both_or_neither(&format!("node {crashing} crashed after {cut}"));
        }
    }
}

#[test]
fn a_crash_in_a_hook_rolls_it_back_on_the_next_start() {
    for crashing in [HOST, JOINER] {
        let mut world = World::new();
        world.nodes[crashing].hook = None;
        world.pair(JOINER);
        assert_eq!(world.nodes[crashing].tentative(), 1);
        world.restart(crashing);
        world.run();
        assert_eq!(world.nodes[crashing].rolled_back.len(), 1);
        assert!(world.nodes[crashing].store.is_empty());
        meet_again(&mut world);
        world.assert_both_or_neither(&format!("node {crashing} crashed in its hook"));
    }
}

#[test]
fn a_hosts_hook_finishes_before_it_is_rolled_back_when_the_session_is_lost() {
    let mut world = World::new();
    world.nodes[HOST].hook = None;
    let wire = world.pair(JOINER);
    world.cut(wire);
    world.run();
    assert!(world.nodes[HOST].rolled_back.is_empty(), "it runs");
    let token = world.nodes[HOST].waiting_hooks.pop().unwrap();
    world.nodes[HOST].engine.answer_paired(world.now, token, Ok(()));
    world.run();
    assert_eq!(world.nodes[HOST].rolled_back.len(), 1);
    assert!(world.nodes[HOST].store.is_empty());
    meet_again(&mut world);
    world.assert_both_or_neither("lost in the host's hook");
}

#[test]
fn a_joiners_hook_is_rolled_back_at_once_when_the_session_is_lost() {
    let mut world = World::new();
    world.nodes[JOINER].hook = None;
    let wire = world.pair(JOINER);
    world.cut(wire);
    world.run();
    assert_eq!(world.nodes[JOINER].rolled_back.len(), 1);
    assert!(world.nodes[JOINER].store.is_empty());
    assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::ConnectionLost)]);
}

#[test]
fn nothing_is_said_before_it_is_stored() {
    let mut world = World::new();
    world.nodes[HOST].hook = None;
    let wire = world.pair(JOINER);
    assert!(world.nodes[JOINER].store.values().all(|record| record.state == PairState::Prepared));
    assert!(world.nodes[HOST].store.values().all(|record| record.state == PairState::Hook));
    assert_eq!(world.names(wire).last().unwrap().1, "Prepared");
}

#[test]
fn a_store_that_does_not_load_lets_nobody_pair_until_it_does() {
    let mut world = World::new();
    world.nodes[HOST].fault = Some((1, StoreFault::Dead));
    world.pair(JOINER);
    assert!(!world.nodes[HOST].engine.is_loaded());
    assert!(world.nodes[HOST].engine.host(world.now).is_err());
    world.pass(Duration::from_secs(11));
    assert!(world.nodes[HOST].engine.is_loaded());
    world.pair(JOINER);
    world.assert_both_or_neither("after the store came back");
}

#[test]
fn what_a_store_did_before_it_failed_is_told_once_it_is_back() {
    for fault in [StoreFault::Dead, StoreFault::DeadWritten] {
        let mut world = World::new();
        world.pair(JOINER);
        let peer = world.nodes[JOINER].key;
        let node = &mut world.nodes[HOST];
        node.fault = Some((node.calls + 1, fault));
        assert!(node.engine.forget(world.now, &peer));
        world.run();
        let told = |world: &World| {
            let unpaired = |told: &&Told| matches!(told, Told::PeerUnpaired(..));
            world.nodes[HOST].told.iter().filter(unpaired).count()
        };
        assert_eq!(told(&world), 0, "nobody knows yet");
        world.pass(Duration::from_secs(11));
        // What it did not do the user still wants.
        assert!(world.nodes[HOST].store.is_empty());
        assert_eq!(told(&world), 1);
    }
}

#[test]
fn a_peer_that_falls_silent_is_given_up_at_every_step() {
    for frames in 1..=FRAMES {
        let mut world = World::new();
        let (_, code) = world.host(HOST);
        let entry = world.join(JOINER, code);
        let wire = world.dial(JOINER, HOST, entry);
        world.silence_after(wire, frames);
        world.pass(Duration::from_secs(300));
        assert!(!world.wires[wire].alive, "silent after {frames}");
        for n in [HOST, JOINER] {
            assert_eq!(world.nodes[n].endings().len(), 1, "silent after {frames}: node {n}");
        }
        meet_again(&mut world);
        world.assert_both_or_neither(&format!("silent after {frames}"));
    }
}

#[test]
fn abort_is_said_only_after_the_record_is_deleted() {
    let mut world = World::new();
    world.nodes[HOST].hook = None;
    let wire = world.pair(JOINER);
    let token = world.nodes[HOST].waiting_hooks.pop().unwrap();
    world.nodes[HOST].slow = true;
    world.nodes[HOST].engine.answer_paired(world.now, token, Err(HookFailed));
    world.run();
    assert_eq!(world.names(wire).last().unwrap().1, "Prepared", "the record is still there");
    world.answer_store(HOST);
    assert!(world.nodes[HOST].store.is_empty());
    world.run();
    assert_eq!(world.names(wire).last().unwrap().1, "Abort");
}

#[test]
fn an_abort_that_comes_while_prepared_is_stored_is_not_forgotten() {
    let mut world = World::new();
    world.nodes[JOINER].hook = None;
    let (window, code) = world.host(HOST);
    let entry = world.join(JOINER, code);
    world.dial(JOINER, HOST, entry);
    world.run();
    world.nodes[JOINER].slow = true;
    let token = world.nodes[JOINER].waiting_hooks.pop().unwrap();
    world.nodes[JOINER].engine.answer_paired(world.now, token, Ok(()));
    world.run();
    world.nodes[HOST].engine.cancel(world.now, window);
    world.run();
    world.nodes[JOINER].slow = false;
    world.answer_store(JOINER);
    world.run();
    assert!(world.nodes[JOINER].store.is_empty(), "no further contact is needed");
    assert_eq!(world.nodes[JOINER].rolled_back.len(), 1);
    assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::Refused)]);
}

#[test]
fn a_deletion_that_fails_is_repeated_with_its_rollback_but_not_at_once() {
    let mut world = World::new();
    world.nodes[JOINER].hook = None;
    let wire = world.pair(JOINER);
    // After `hook`, the joiner's next call deletes it.
    world.nodes[JOINER].fault = Some((2, StoreFault::Unwritten));
    world.cut(wire);
    world.run();
    assert_eq!((world.nodes[JOINER].rolled_back.len(), world.nodes[JOINER].tentative()), (1, 1));
    world.pass(Duration::from_secs(31));
    assert_eq!((world.nodes[JOINER].rolled_back.len(), world.nodes[JOINER].tentative()), (2, 0));
}

#[test]
fn a_store_that_breaks_while_a_pairing_is_undecided_ends_it_once() {
    let mut undecided = 0;
    for frames in 1..16 {
        let mut world = World::new();
        world.cut_after = Some(frames);
        let (_, code) = world.host(HOST);
        let entry = world.join(JOINER, code);
        world.dial(JOINER, HOST, entry);
        world.run();
        undecided += usize::from(world.nodes[JOINER].endings().is_empty());
        for node in &mut world.nodes {
            node.fault = Some((node.calls + 1, StoreFault::Dead));
        }
        world.connect(JOINER, HOST);
        world.pass(Duration::from_secs(100));
        for node in &world.nodes {
            assert!(node.endings().len() <= 1, "after {frames} frames: {:?}", node.endings());
        }
    }
    assert!(undecided > 0, "a pairing was left undecided");
}
