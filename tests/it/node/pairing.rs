//! Two strangers that pair by a code, through whole nodes.

use super::support::*;
use handfast_core::ask::{Answer, PairingReply};
use handfast_core::store::PairState;
use handfast_core::{Code, Event, PairedPeer, PairingFailure, PairingId, Target};
use handfast_tests::app::Hook;
use handfast_tests::fabric::Host;
use handfast_tests::world::World;

fn strangers(seed: u64) -> (World, Host, Host) {
    let mut world = new_world(seed);
    let a = add(&mut world, config(), &identity(1), vec![]);
    let b = add(&mut world, config(), &identity(2), vec![]);
    (world, a, b)
}

fn outcome(world: &World, host: Host) -> Option<Result<PairedPeer, PairingFailure>> {
    world[host].app.events.iter().rev().find_map(|event| match event {
        Event::PairingEnded(_, result) => Some(result.clone()),
        _ => None,
    })
}

/// A shows a code and B types it, by address.
fn pair(world: &mut World, a: Host, b: Host) -> Code {
    let code = world.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    join(world, a, b, code.clone());
    code
}

fn join(world: &mut World, a: Host, b: Host, code: Code) -> PairingId {
    let at = Target::At(vec![world.address(a)]);
    world.tell(b, |node, now| node.pairing().join(now, code, &at).unwrap())
}

/// A code that is well formed and not `code`.
fn other_code(code: &Code) -> Code {
    let spelled = code.to_string();
    let all = (0..10_000_000u32).map(|n| format!("{n:07}"));
    let mut well_formed = all.filter_map(|text| text.parse::<Code>().ok());
    well_formed.find(|other| other.to_string() != spelled).unwrap()
}

fn nobody_is_paired(world: &mut World) {
    let hosts: Vec<Host> = world.machines().map(|(host, _)| host).collect();
    for host in hosts {
        let paired = world.tell(host, |node, _| node.peers().paired());
        assert_eq!(paired, [], "{host:?}");
        assert!(world[host].app.saved.is_empty(), "the application of {host:?} still has the peer");
        assert!(!told(world, host, |event| matches!(event, Event::PeerPaired(_))));
    }
}

/// Whoever waited for the pairing was told that it failed.
fn both_failed(world: &World, case: &str) {
    for (host, _) in world.machines() {
        let outcome = outcome(world, host);
        assert!(matches!(outcome, Some(Err(_))), "{case}: {outcome:?}");
    }
}

#[test]
fn a_wrong_code_never_pairs() {
    let (mut world, a, b) = strangers(1);
    let code = world.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    join(&mut world, a, b, other_code(&code));
    assert!(world.run_until(SOON, |world| outcome(world, b).is_some()));
    world.run_for(SOON);
    assert_eq!(outcome(&world, b), Some(Err(PairingFailure::BadCode { attempts_left: 2 })));
    let counted = |e: &Event| matches!(e, Event::PairingAttemptFailed { attempts_left: 2, .. });
    assert!(told(&world, a, counted));
    nobody_is_paired(&mut world);
    // The window is still open for the right one.
    join(&mut world, a, b, code);
    assert!(world.run_until(SOON, |world| matches!(outcome(world, b), Some(Ok(_)))));
}

#[test]
fn the_right_code_pairs_both_sides_and_they_connect() {
    let (mut world, a, b) = strangers(1);
    pair(&mut world, a, b);
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    for (host, peer) in [(a, identity(2)), (b, identity(1))] {
        let paired = outcome(&world, host).unwrap().unwrap();
        assert_eq!(paired.key, peer.public_key());
        assert_eq!(world[host].app.saved, [paired.pair_id]);
        let record = &world[host].store.records[&paired.pair_id];
        assert_eq!((record.state, record.peer), (PairState::Paired, peer.public_key()));
    }
    let secret = |host: Host| world[host].store.records.values().next().unwrap().secret.clone();
    assert!(secret(a) == secret(b), "both derived one secret");
}

#[test]
fn a_third_wrong_code_ends_the_window() {
    let (mut world, a, b) = strangers(1);
    let code = world.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    for left in [2, 1, 0] {
        world[b].app.events.clear();
        join(&mut world, a, b, other_code(&code));
        assert!(world.run_until(SOON, |world| outcome(world, b).is_some()));
        world.run_for(SOON);
        assert_eq!(outcome(&world, b), Some(Err(PairingFailure::BadCode { attempts_left: left })));
    }
    assert_eq!(outcome(&world, a), Some(Err(PairingFailure::Locked)));
    nobody_is_paired(&mut world);
}

#[test]
fn a_hook_that_fails_on_either_side_leaves_neither_paired() {
    for failing in [0, 1] {
        let (mut world, a, b) = strangers(1);
        world[[a, b][failing]].app.hooks = Hook::Fail;
        pair(&mut world, a, b);
        world.run_for(SOON * 3);
        both_failed(&world, &format!("failing {failing}"));
        nobody_is_paired(&mut world);
        assert!(world.machines().all(|(_, machine)| machine.store.records.is_empty()));
    }
}

#[test]
fn a_hook_that_hangs_on_either_side_leaves_neither_paired() {
    for hanging in [0, 1] {
        let (mut world, a, b) = strangers(1);
        world[[a, b][hanging]].app.hooks = Hook::Hang;
        pair(&mut world, a, b);
        world.run_for(SOON * 20);
        both_failed(&world, &format!("hanging {hanging}"));
        nobody_is_paired(&mut world);
    }
}

#[test]
fn a_store_that_fails_on_either_side_leaves_neither_paired() {
    for failing in [0, 1] {
        let (mut world, a, b) = strangers(1);
        world[[a, b][failing]].store.broken = true;
        pair(&mut world, a, b);
        world.run_for(SOON * 3);
        both_failed(&world, &format!("failing {failing}"));
        nobody_is_paired(&mut world);
    }
}

#[test]
fn a_connection_lost_at_any_datagram_leaves_both_paired_or_neither_once_they_meet_again() {
    // Of the datagrams that pairing takes, this many arrive, and then none until both gave up.
    for arrive in 0..60_u32 {
        let (mut world, a, b) = strangers(1);
        let mut left = arrive;
        world.lose(move |_, _| {
            let lost = left == 0;
            left = left.saturating_sub(1);
            lost
        });
        pair(&mut world, a, b);
        world.run_for(SOON * 30);
        world.lose_nothing();
        let (to_a, to_b) = (world.address(a), world.address(b));
        for (from, peer, to) in [(a, identity(2), to_b), (b, identity(1), to_a)] {
            world.tell(from, |node, now| {
                node.peers().add_address(now, name(&peer), to);
                // Whoever has no record has nobody to dial.
                let _ = node.connect(now, name(&peer));
            });
            world.run_for(SOON * 4);
        }
        let paired = |world: &mut World, host| world.tell(host, |node, _| node.peers().paired().len());
        let (of_a, of_b) = (paired(&mut world, a), paired(&mut world, b));
        assert_eq!(of_a, of_b, "after {arrive} datagrams");
        let saved = |host: Host| world[host].app.saved.len();
        assert_eq!((saved(a), saved(b)), (of_a, of_b), "after {arrive} datagrams");
    }
}

#[test]
fn who_shows_a_code_may_dial_and_the_other_is_asked() {
    let (mut world, a, b) = strangers(1);
    let at = Target::At(vec![world.address(b)]);
    let code = world.tell(a, |node, now| node.pairing().host(now, &at).unwrap().code);
    assert!(world.run_until(SOON, |world| !world[b].app.requests.is_empty()));
    let (token, request) = world[b].app.requests.remove(0);
    assert_eq!(request.peer, identity(1).public_key());
    let reply = Answer::PairingRequest(token, PairingReply::Join(code));
    world.tell(b, |node, now| node.answer(now, reply));
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
}

#[test]
fn a_peer_that_was_found_and_shows_a_code_needs_no_address() {
    let (mut world, a, b) = strangers(1);
    world.run_for(SOON);
    let code = world.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    assert!(world.run_until(SOON, |world| {
        let shows = |e: &Event| matches!(e, Event::PeerUpdated(peer) if peer.pairing);
        told(world, b, shows)
    }));
    world.tell(b, |node, now| node.pairing().join(now, code, &Target::Any)).unwrap();
    assert!(world.run_until(SOON, |world| matches!(outcome(world, b), Some(Ok(_)))));
}

#[test]
fn a_forgotten_peer_is_refused_and_forgets_too() {
    let (mut world, a, b) = strangers(1);
    pair(&mut world, a, b);
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    assert!(world.tell(a, |node, now| node.pairing().forget(now, name(&identity(2)))));
    world.run_for(SOON);
    assert!(world.machines().all(|(_, machine)| machine.store.records.is_empty()));
    assert!(told(&world, b, |event| matches!(event, Event::PeerUnpaired(..))));
    assert!(told(&world, b, |event| matches!(event, Event::PeerDisconnected(..))));
}
