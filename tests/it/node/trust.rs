//! Trust without a code, and bans, through whole nodes on a LAN.

use super::support::*;
use handfast_core::store::{Mark, PairState};
use handfast_core::{ConnectFailure, Event, Fingerprint, Interfaces, PairingFailure, PairingId, Target};
use handfast_tests::fabric::Host;
use handfast_tests::store::StoreFault;
use handfast_tests::world::World;
use std::time::Duration;

fn print(n: u8) -> Fingerprint {
    identity(n).fingerprint()
}

fn strangers() -> (World, Host, Host) {
    let mut world = new_world(7);
    let a = add(&mut world, config(), &identity(1), vec![]);
    let b = add(&mut world, config(), &identity(2), vec![]);
    (world, a, b)
}

fn trust(world: &mut World, host: Host, peer: u8, target: &Target) -> PairingId {
    world.tell(host, |node, now| node.pairing().trust(now, print(peer), target).unwrap())
}

fn is_paired(world: &World, host: Host) -> bool {
    told(world, host, |event| matches!(event, Event::PeerPaired(_)))
}

fn both_paired(world: &World, a: Host, b: Host) -> bool {
    is_paired(world, a) && is_paired(world, b)
}

#[test]
fn two_that_trust_each_other_find_each_other_on_the_lan_pair_and_connect() {
    let (mut world, a, b) = strangers();
    trust(&mut world, a, 2, &Target::Any);
    trust(&mut world, b, 1, &Target::Any);
    assert!(world.run_until(SOON, |world| both_paired(world, a, b)));
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    for host in [a, b] {
        assert!(world[host].store.marks.is_empty(), "the mark went with the pairing");
        assert!(world.tell(host, |node, _| node.pairing().trusting()).is_empty());
    }
}

#[test]
fn a_trust_outlives_restarts_and_is_fulfilled_when_the_other_side_comes() {
    let mut world = new_world(3);
    let a = add(&mut world, config(), &identity(1), vec![]);
    trust(&mut world, a, 2, &Target::Any);
    world.run_for(SOON);
    world.crash(a);
    world.restart(a);
    world.run_for(Duration::from_secs(400));
    let b = add(&mut world, config(), &identity(2), vec![]);
    trust(&mut world, b, 1, &Target::Any);
    assert!(world.run_until(SOON, |world| both_paired(world, a, b)), "a sighting hastens it");
}

#[test]
fn an_address_that_was_given_is_dialled_whichever_side_was_given_it_also_after_a_restart() {
    for given_to_a in [true, false] {
        let mut world = new_world(3);
        let mut quiet = config();
        quiet.advertise.enabled = false;
        let a = add(&mut world, quiet.clone(), &identity(1), vec![]);
        let b = add(&mut world, quiet, &identity(2), vec![]);
        let (from, to, peer, own) = if given_to_a { (a, b, 2, 1) } else { (b, a, 1, 2) };
        let at = Target::At(vec![world.address(to)]);
        trust(&mut world, from, peer, &at);
        world.run_for(SOON);
        world.crash(from);
        world.restart(from);
        trust(&mut world, to, own, &Target::Any);
        assert!(world.run_until(Duration::from_secs(60), |world| both_paired(world, a, b)), "{given_to_a}");
    }
}

#[test]
fn one_that_is_not_trusted_back_is_told_so_and_bothers_nobody() {
    let (mut world, a, b) = strangers();
    let trusted = trust(&mut world, a, 2, &Target::Any);
    world.run_for(Duration::from_secs(60));
    let not_trusted = |event: &Event| *event == Event::TrustTried(trusted, PairingFailure::NotTrusted);
    assert!(told(&world, a, not_trusted));
    assert!(world[b].app.requests.is_empty(), "nobody is asked for a code");
    assert!(!is_paired(&world, a) && !is_paired(&world, b));
}

#[test]
fn another_key_at_the_address_of_a_trusted_one_pairs_with_nobody() {
    let mut world = new_world(5);
    let a = add(&mut world, config(), &identity(1), vec![]);
    let b = add(&mut world, config(), &identity(2), vec![]);
    let at = Target::At(vec![world.address(b)]);
    let trusted = trust(&mut world, a, 9, &at);
    trust(&mut world, b, 1, &Target::Any);
    world.run_for(Duration::from_secs(60));
    let wrong = |event: &Event| *event == Event::TrustTried(trusted, PairingFailure::WrongPeer);
    assert!(told(&world, a, wrong));
    assert!(!is_paired(&world, a) && !is_paired(&world, b));
}

#[test]
fn a_ban_ends_the_pairing_on_both_sides_and_keeps_the_peer_out_after_a_restart_too() {
    let (mut world, a, b) = pair_of_hosts(2);
    connect(&mut world, a, b);
    world.tell(a, |node, now| node.pairing().ban(now, print(2)).unwrap());
    world.run_for(SOON);
    assert!(told(&world, a, |event| *event == Event::PeerBanned(print(2))));
    for host in [a, b] {
        assert!(told(&world, host, |event| matches!(event, Event::PeerUnpaired(..))));
        assert!(world.tell(host, |node, _| node.peers().connected()).is_empty());
    }
    assert!(world[a].store.marks.values().all(Mark::is_banned));
    world.crash(a);
    world.restart(a);
    world.run_for(SOON);
    for host in [a, b] {
        world[host].app.events.clear();
    }
    // A code that is shown is of no use to it.
    let code = world.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    let at = Target::At(vec![world.address(a)]);
    world.tell(b, |node, now| node.pairing().join(now, code.clone(), &at).unwrap());
    world.run_for(SOON);
    let ended = |event: &Event| matches!(event, Event::PairingEnded(_, Err(_)));
    assert!(told(&world, b, ended) && world[a].app.events.is_empty(), "nothing reaches the application");
    assert!(world.tell(a, |node, now| node.pairing().unban(now, &print(2))));
    world.tell(b, |node, now| node.pairing().join(now, code, &at).unwrap());
    assert!(world.run_until(SOON, |world| both_paired(world, a, b)), "the ban is lifted");
}

#[test]
fn a_peer_that_was_away_while_it_was_banned_hears_that_it_is_unpaired_once_the_ban_is_lifted() {
    let (mut world, a, b) = pair_of_hosts(2);
    world.tell(a, |node, now| node.pairing().ban(now, print(2)).unwrap());
    world.run_for(SOON);
    dial(&mut world, (b, &identity(1)), a);
    world.run_for(Duration::from_secs(20));
    let refused = |event: &Event| matches!(event, Event::ConnectFailed(_, ConnectFailure::Refused));
    assert!(told(&world, b, refused), "{:?}", world[b].app.events);
    assert_eq!(world[b].store.records.len(), 1, "no refusal changes a record");
    world.tell(a, |node, now| node.pairing().unban(now, &print(2)));
    world.run_for(SOON);
    dial(&mut world, (b, &identity(1)), a);
    world.run_for(SOON);
    assert!(told(&world, b, |event| matches!(event, Event::PeerUnpaired(..))));
}

#[test]
fn a_ban_that_the_store_refuses_still_closes_the_connection() {
    let (mut world, a, b) = pair_of_hosts(2);
    connect(&mut world, a, b);
    world[a].store.broken = true;
    world.tell(a, |node, now| node.pairing().ban(now, print(2)).unwrap());
    assert!(
        world.run_until(SOON, |world| {
            told(world, b, |event| matches!(event, Event::PeerDisconnected(..)))
        })
    );
    assert_eq!(world.tell(a, |node, _| node.peers().connected()), []);
    assert_eq!(world.tell(a, |node, _| node.pairing().banned()), [print(2)]);
}

#[test]
fn interfaces_that_are_not_used_bring_nobody_to_trust() {
    let mut world = new_world(5);
    let deaf = config().with_interfaces(Interfaces::only(["none"]));
    let a = add(&mut world, deaf, &identity(1), vec![]);
    let b = add(&mut world, config(), &identity(2), vec![]);
    trust(&mut world, a, 2, &Target::Any);
    trust(&mut world, b, 1, &Target::Any);
    world.run_for(Duration::from_secs(100));
    assert!(!is_paired(&world, a) && !is_paired(&world, b));
    let tried = |event: &Event| matches!(event, Event::TrustTried(..));
    assert!(!told(&world, a, tried), "who was seen nowhere was not tried");
}

#[test]
fn a_store_that_fails_or_a_crash_at_any_write_leaves_both_paired_in_the_end_and_no_mark() {
    let fates = [StoreFault::CrashBefore, StoreFault::CrashAfter, StoreFault::Fail, StoreFault::FailWritten];
    for (at, fate) in (0..4).flat_map(|at| fates.map(|fate| (at, fate))) {
        for unlucky in [0, 1] {
            let (mut world, a, b) = strangers();
            let host = [a, b][unlucky];
            // The mark, `hook`, the vote, `paired`.
            world[host].store.script.extend(std::iter::repeat_n(None, at));
            world[host].store.script.push_back(Some(fate));
            trust(&mut world, a, 2, &Target::Any);
            trust(&mut world, b, 1, &Target::Any);
            world.run_for(Duration::from_secs(60));
            if world[host].node().is_none() {
                world.restart(host);
                world.run_for(Duration::ZERO);
                if at == 0 && fate == StoreFault::CrashBefore {
                    // It was never stored, nor told to be.
                    trust(&mut world, host, if unlucky == 0 { 2 } else { 1 }, &Target::Any);
                }
            }
            world.run_for(Duration::from_secs(700));
            let case = format!("write {at} of {unlucky}: {fate:?}");
            let held = [a, b].map(|host| world[host].store.records.values().cloned().collect::<Vec<_>>());
            assert!(held.iter().all(|records| records.len() == 1), "{case}: {held:?}");
            assert_eq!(held[0][0].pair_id, held[1][0].pair_id, "{case}");
            for host in [a, b] {
                assert!(world[host].store.records.values().all(|r| r.state == PairState::Paired), "{case}");
                assert!(world[host].store.marks.is_empty(), "{case}");
                // What a lost session left undecided is replaced, of which the hook was told.
                let record = world[host].store.records.values().next().unwrap();
                let mut saved = world[host].app.saved.clone();
                saved.retain(|id| !record.replaces.contains(id));
                assert_eq!(saved, [record.pair_id], "{case}");
            }
        }
    }
}
