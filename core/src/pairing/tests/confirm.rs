//! The user is asked once both sides proved the code.

use super::world::{HOST, JOINER, World};
use crate::ask::Permission;
use crate::config::Consent;
use crate::event::{Event as Told, PairingFailure, PairingStep};
use crate::wire::pairing::{Abort, AbortReason, Pairing as Message};
use std::time::Duration;

/// A world in which the users of these sides are asked, and in which the two pair up to there.
fn asking(sides: &[usize]) -> (World, usize) {
    let mut world = World::new();
    for n in sides {
        world.nodes[*n].engine.settings.confirmation = Consent::Asked;
    }
    let wire = world.pair(JOINER);
    for n in [HOST, JOINER] {
        assert_eq!(world.nodes[n].confirmations.len(), usize::from(sides.contains(&n)));
    }
    (world, wire)
}

fn answer(world: &mut World, n: usize, permission: Permission) {
    let (token, _) = world.nodes[n].confirmations.pop().expect("its user is asked");
    world.nodes[n].engine.answer_confirm(world.now, token, permission);
    world.run();
}

fn steps(world: &World, n: usize) -> Vec<PairingStep> {
    let step = |told: &Told| match told {
        Told::PairingProgress(_, step) => Some(*step),
        _ => None,
    };
    world.nodes[n].told.iter().filter_map(step).collect()
}

#[test]
fn the_question_names_the_peer_as_it_names_itself_and_by_its_label() {
    let (world, _) = asking(&[HOST]);
    let (_, confirmation) = &world.nodes[HOST].confirmations[0];
    assert_eq!(confirmation.metadata.name, format!("device {JOINER}"));
    assert_eq!(confirmation.key, world.nodes[JOINER].key);
    assert_eq!(confirmation.label(), world.nodes[JOINER].key.fingerprint().label());
}

#[test]
fn nothing_is_stored_and_no_hook_runs_before_both_users_agreed() {
    for (sides, order) in [
        (&[HOST][..], &[HOST][..]),
        (&[JOINER], &[JOINER]),
        (&[HOST, JOINER], &[HOST, JOINER]),
        (&[HOST, JOINER], &[JOINER, HOST]),
    ] {
        let (mut world, _) = asking(sides);
        for n in order {
            assert!(world.nodes.iter().all(|node| node.store.is_empty() && node.saved.is_empty()));
            answer(&mut world, *n, Permission::Granted);
        }
        world.assert_paired_alike();
    }
}

#[test]
fn a_user_that_refuses_ends_it_on_both_sides() {
    for sides in [&[HOST][..], &[JOINER], &[HOST, JOINER]] {
        let (mut world, wire) = asking(sides);
        let who = sides[0];
        answer(&mut world, who, Permission::Refused);
        assert_eq!(world.nodes[who].endings(), [Err(PairingFailure::Cancelled)]);
        assert_eq!(world.nodes[1 - who].endings(), [Err(PairingFailure::Refused)]);
        assert_eq!(world.heard(wire), Message::Abort(Abort { reason: AbortReason::Refused }));
        assert!(world.nodes.iter().all(|node| node.store.is_empty() && node.saved.is_empty()));
    }
}

#[test]
fn a_user_that_does_not_answer_for_two_minutes_refuses_and_not_before() {
    for sides in [&[HOST][..], &[JOINER], &[HOST, JOINER]] {
        let (mut world, _) = asking(sides);
        world.pass(Duration::from_secs(119));
        assert!(world.nodes.iter().all(|node| node.endings().is_empty()));
        world.pass(Duration::from_secs(2));
        for n in [HOST, JOINER] {
            assert_eq!(world.nodes[n].endings().len(), 1);
        }
        assert_eq!(world.nodes[sides[0]].endings(), [Err(PairingFailure::Timeout)]);
        let (token, _) = world.nodes[sides[0]].confirmations.pop().unwrap();
        world.nodes[sides[0]].engine.answer_confirm(world.now, token, Permission::Granted);
        world.run();
        assert!(world.nodes.iter().all(|node| node.store.is_empty() && node.saved.is_empty()), "too late");
    }
}

#[test]
fn an_answer_after_the_connection_is_lost_pairs_nobody() {
    for who in [HOST, JOINER] {
        let (mut world, wire) = asking(&[who]);
        world.cut(wire);
        answer(&mut world, who, Permission::Granted);
        assert!(world.nodes.iter().all(|node| node.store.is_empty() && node.saved.is_empty()));
        assert_eq!(world.nodes[who].endings(), [Err(PairingFailure::ConnectionLost)]);
    }
}

#[test]
fn a_pairing_that_is_cancelled_while_its_user_is_asked_is_refused() {
    for who in [HOST, JOINER] {
        let (mut world, _) = asking(&[who]);
        let (token, confirmation) = world.nodes[who].confirmations.pop().unwrap();
        world.nodes[who].engine.cancel(world.now, confirmation.pairing);
        world.run();
        assert_eq!(world.nodes[who].endings(), [Err(PairingFailure::Cancelled)]);
        assert_eq!(world.nodes[1 - who].endings(), [Err(PairingFailure::Refused)]);
        world.nodes[who].engine.answer_confirm(world.now, token, Permission::Granted);
        world.run();
        assert!(world.nodes.iter().all(|node| node.store.is_empty()));
    }
}

#[test]
fn every_step_is_told_in_order() {
    use PairingStep::{AwaitingPeer, AwaitingUser, Confirmed, Connected, Saved, Saving};
    let (mut world, _) = asking(&[HOST]);
    assert_eq!(steps(&world, HOST), [Connected, Confirmed, AwaitingUser]);
    assert_eq!(steps(&world, JOINER), [Connected, Confirmed, AwaitingPeer]);
    answer(&mut world, HOST, Permission::Granted);
    let expected = [Connected, Confirmed, AwaitingUser, AwaitingPeer, Saving, Saved];
    assert_eq!(steps(&world, HOST), expected);
    assert_eq!(steps(&world, JOINER), [Connected, Confirmed, AwaitingPeer, Saving, Saved]);
}

#[test]
fn a_peer_that_goes_on_without_our_users_word_breaks_the_protocol() {
    let (mut world, wire) = asking(&[HOST]);
    let pair_id = crate::id::PairId::from_bytes([1; 32]);
    let prepared = Message::Prepared(crate::wire::pairing::Decision { pair_id });
    world.inject(wire, 0, prepared.encode().into_bytes());
    world.run();
    assert_eq!(world.nodes[HOST].endings(), [Err(PairingFailure::Protocol)]);
    assert!(world.nodes.iter().all(|node| node.store.is_empty() && node.saved.is_empty()));
}

#[test]
fn who_trusts_a_fingerprint_is_not_asked_again() {
    let mut world = World::new();
    for n in [HOST, JOINER] {
        world.nodes[n].engine.settings.confirmation = Consent::Asked;
        world.trust(n, 1 - n);
    }
    world.pass_and_meet(60);
    assert!(world.nodes.iter().all(|node| node.confirmations.is_empty()));
    world.assert_paired_alike();
}
