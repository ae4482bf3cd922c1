//! Questions to the application: may this key connect, shall this peer be paired with?

use super::support::*;
use handfast_core::ask::{Answer, Permission};
use handfast_core::{Config, ConnectFailure, Consent, DisconnectReason, Event, PairingStep, Target};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;
use std::time::Duration;

/// What the application may take to answer about a connection.
const ADMIT: Duration = Duration::from_secs(5);

fn asking() -> Config {
    config().with_admission(Consent::Asked)
}

/// Two that are paired; the first asks about connections.
fn one_asks(seed: u64) -> (World, Host, Host) {
    let mut world = new_world(seed);
    let (a, b) = (identity(1), identity(2));
    let host_a = add(&mut world, asking(), &a, vec![record(&a, &b, handfast_core::store::Role::Host)]);
    let host_b = add(&mut world, config(), &b, vec![record(&b, &a, handfast_core::store::Role::Joiner)]);
    (world, host_a, host_b)
}

fn answer(world: &mut World, host: Host, permission: Permission) {
    let (token, _) = world[host].app.candidates.remove(0);
    world.tell(host, |node, now| node.answer(now, Answer::Admit(token, permission)));
}

fn asked(world: &mut World, host: Host) {
    assert!(world.run_until(SOON, |world| !world[host].app.candidates.is_empty()));
}

#[test]
fn a_connection_is_shown_once_the_application_admits_it_whoever_dialled() {
    for dials in [true, false] {
        let (mut world, a, b) = one_asks(1);
        if dials {
            dial(&mut world, (a, &identity(2)), b);
        } else {
            dial(&mut world, (b, &identity(1)), a);
        }
        asked(&mut world, a);
        let candidate = world[a].app.candidates[0].1.clone();
        assert_eq!(candidate.key, identity(2).public_key());
        assert!(candidate.paired && candidate.dialled == dials);
        world.run_for(ADMIT / 2);
        assert_eq!((conn(&world, a), conn(&world, b)), (None, None), "nothing was said yet");
        answer(&mut world, a, Permission::Granted);
        assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
        let over = |event: &Event| matches!(event, Event::PeerDisconnected(..));
        world.run_for(Duration::from_secs(60));
        assert!(!told(&world, a, over) && !told(&world, b, over));
    }
}

#[test]
fn a_connection_that_is_refused_or_not_answered_about_is_closed_and_changes_no_record() {
    for answers in [true, false] {
        let (mut world, a, b) = one_asks(2);
        dial(&mut world, (b, &identity(1)), a);
        asked(&mut world, a);
        if answers {
            answer(&mut world, a, Permission::Refused);
        }
        world.run_for(ADMIT + SOON);
        let failed = |event: &Event| matches!(event, Event::ConnectFailed(_, ConnectFailure::Refused));
        assert!(told(&world, b, failed), "answers: {answers}: {:?}", world[b].app.events);
        assert_eq!((conn(&world, a), conn(&world, b)), (None, None));
        for host in [a, b] {
            assert_eq!(world[host].store.records.len(), 1);
        }
    }
}

#[test]
fn the_caller_of_a_dial_that_its_own_application_refuses_hears_so() {
    let (mut world, a, b) = one_asks(3);
    dial(&mut world, (a, &identity(2)), b);
    asked(&mut world, a);
    answer(&mut world, a, Permission::Refused);
    let failed = |event: &Event| matches!(event, Event::ConnectFailed(_, ConnectFailure::Refused));
    assert!(world.run_until(Duration::from_secs(1), |world| told(world, a, failed)));
}

#[test]
fn an_answer_that_comes_too_late_is_about_nothing() {
    let (mut world, a, b) = one_asks(4);
    dial(&mut world, (b, &identity(1)), a);
    asked(&mut world, a);
    world.run_for(ADMIT * 2);
    answer(&mut world, a, Permission::Granted);
    world.run_for(SOON);
    assert_eq!(conn(&world, a), None);
}

#[test]
fn a_key_that_is_banned_while_the_application_thinks_is_not_admitted() {
    let (mut world, a, b) = one_asks(5);
    dial(&mut world, (b, &identity(1)), a);
    asked(&mut world, a);
    world.tell(a, |node, now| node.pairing().ban(now, identity(2).fingerprint()).unwrap());
    answer(&mut world, a, Permission::Granted);
    world.run_for(SOON);
    assert_eq!((conn(&world, a), conn(&world, b)), (None, None));
}

#[test]
fn strangers_too_are_asked_about_and_told_nothing_else_where_they_are_refused() {
    let mut world = new_world(6);
    let (a, b) = (identity(1), identity(2));
    let host_a = add(&mut world, asking(), &a, vec![]);
    // One that was forgotten while it was away.
    let host_b = add(&mut world, config(), &b, vec![record(&b, &a, handfast_core::store::Role::Joiner)]);
    dial(&mut world, (host_b, &a), host_a);
    asked(&mut world, host_a);
    assert!(!world[host_a].app.candidates[0].1.paired);
    answer(&mut world, host_a, Permission::Refused);
    world.run_for(SOON);
    assert_eq!(world[host_b].store.records.len(), 1, "it learns nothing of its pairing");
    dial(&mut world, (host_b, &a), host_a);
    asked(&mut world, host_a);
    answer(&mut world, host_a, Permission::Granted);
    world.run_for(SOON);
    assert!(told(&world, host_b, |event| matches!(event, Event::PeerUnpaired(..))));
}

#[test]
fn two_that_both_ask_connect_when_both_are_admitted() {
    let mut world = new_world(7);
    let (a, b) = (identity(1), identity(2));
    let host_a = add(&mut world, asking(), &a, vec![record(&a, &b, handfast_core::store::Role::Host)]);
    let host_b = add(&mut world, asking(), &b, vec![record(&b, &a, handfast_core::store::Role::Joiner)]);
    dial(&mut world, (host_a, &b), host_b);
    for host in [host_b, host_a] {
        asked(&mut world, host);
        world.run_for(Duration::from_secs(1));
        answer(&mut world, host, Permission::Granted);
    }
    assert!(world.run_until(SOON, |world| conn(world, host_a).is_some() && conn(world, host_b).is_some()));
    let over = |event: &Event| matches!(event, Event::PeerDisconnected(_, _, reason) if *reason != DisconnectReason::Replaced);
    assert!(!told(&world, host_a, over) && !told(&world, host_b, over));
}

#[test]
fn the_connection_stays_up_while_the_users_of_both_sides_take_two_minutes_to_decide() {
    let mut world = new_world(8);
    // QUIC gives a silent connection up long before a person has decided.
    let config =
        config().with_confirmation(Consent::Asked).with_idle(Duration::from_secs(10), Duration::from_secs(4));
    let a = add(&mut world, config.clone(), &identity(1), vec![]);
    let b = add(&mut world, config, &identity(2), vec![]);
    let code = world.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    let at = Target::At(vec![world.address(a)]);
    world.tell(b, |node, now| node.pairing().join(now, code, &at).unwrap());
    world.run_for(Duration::from_secs(110));
    let asks = |event: &Event| matches!(event, Event::PairingProgress(_, PairingStep::AwaitingUser));
    for host in [a, b] {
        assert!(told(&world, host, asks));
        let (token, _) = world[host].app.confirmations.remove(0);
        world.tell(host, |node, now| node.answer(now, Answer::Confirm(token, Permission::Granted)));
    }
    let paired = |event: &Event| matches!(event, Event::PeerPaired(_));
    assert!(world.run_until(SOON, |world| told(world, a, paired) && told(world, b, paired)));
}
