//! What somebody on the path may forge, and that it changes nothing that lasts.

use super::support::*;
use handfast_core::store::PairState;
use handfast_core::{Code, Event, PairingFailure, Target};
use handfast_tests::fabric::{Host, Outgoing, Port};
use handfast_tests::fault::Fault;
use handfast_tests::forge::FirstFlight;
use handfast_tests::machine::address;
use handfast_tests::stranger::{Misdeed, Puppet};
use handfast_tests::world::World;

/// Every close code of the protocol, and some that it does not have.
const CODES: std::ops::Range<u8> = 0..0x14;

#[test]
fn a_forged_initial_that_carries_an_application_close_changes_no_record() {
    for code in CODES {
        let (mut world, a, b) = pair_of_hosts(1);
        let port = Port { interface: 1, segment: world.lan(), addresses: vec![address("10.0.9.9/16")] };
        let mallory = world.invite(&[port], Box::new(Puppet));
        dial(&mut world, (a, &identity(2)), b);
        let flight = world.trace.sent.iter().find_map(|sent| FirstFlight::read(&sent.bytes)).unwrap();
        let records = world[a].store.records.clone();
        let (from, to) = (world.address(b), world.address(a));
        let out = Outgoing::new(from.port(), to, flight.forged_close(code));
        world.misbehave(mallory, Misdeed { fault: Fault::Forged, as_if_from: Some(from), out });
        world.run_for(SOON);
        // The forgery does end the dial: that is why no close code may mean anything.
        assert!(told(&world, a, |event| matches!(event, Event::ConnectFailed(..))), "code {code:#x}");
        assert!(!told(&world, a, |event| matches!(event, Event::PeerUnpaired(..))), "code {code:#x}");
        assert_eq!(world[a].store.records, records, "code {code:#x}");
        connect(&mut world, a, b);
    }
}

/// Somebody on the LAN, who has no key.
fn invite(world: &mut World) -> Host {
    let port = Port { interface: 1, segment: world.lan(), addresses: vec![address("10.0.9.9/16")] };
    world.invite(&[port], Box::new(Puppet))
}

/// Closes what `to` was the first to dial, in the name of `from`.
fn forge_close(world: &mut World, mallory: Host, (from, to): (Host, Host), code: u8) {
    let flight = world.trace.sent.iter().find_map(|sent| FirstFlight::read(&sent.bytes)).unwrap();
    let (from, to) = (world.address(from), world.address(to));
    let out = Outgoing::new(from.port(), to, flight.forged_close(code));
    world.misbehave(mallory, Misdeed { fault: Fault::Forged, as_if_from: Some(from), out });
}

/// The code that one shows, typed at the other.
fn join(world: &mut World, a: Host, b: Host, code: &Code) {
    let at = Target::At(vec![world.address(a)]);
    world.tell(b, |node, now| node.pairing().join(now, code.clone(), &at).unwrap());
}

/// A world in which the first shows a code, the second has typed it, and the third forges.
fn a_code_is_typed() -> (World, [Host; 3], Code) {
    let mut world = new_world(1);
    let [a, b] = [1, 2].map(|n| add(&mut world, config(), &identity(n), vec![]));
    let mallory = invite(&mut world);
    let shown = world.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    join(&mut world, a, b, &shown);
    (world, [a, b, mallory], shown)
}

fn both_are_paired(world: &World) -> bool {
    world.machines().all(|(_, machine)| {
        machine.store.records.len() == 1
            && machine.store.records.values().all(|record| record.state == PairState::Paired)
    })
}

#[test]
fn a_forged_close_in_an_initial_ends_an_entry_and_leaves_the_window_its_attempts_and_the_records() {
    for code in CODES {
        let (mut world, [a, b, mallory], shown) = a_code_is_typed();
        forge_close(&mut world, mallory, (a, b), code);
        world.run_for(SOON);
        let ended = |event: &Event| matches!(event, Event::PairingEnded(_, Err(why)) if *why != PairingFailure::NoWindow);
        assert!(told(&world, b, ended), "code {code:#x}");
        assert!(!told(&world, a, |event| matches!(
            event,
            Event::PairingAttemptFailed { .. } | Event::PairingEnded(..)
        )));
        assert!(world.machines().all(|(_, machine)| machine.store.records.is_empty()), "code {code:#x}");
        join(&mut world, a, b, &shown);
        assert!(world.run_until(SOON, both_are_paired), "code {code:#x}");
    }
}

#[test]
fn a_forged_close_in_an_initial_changes_nothing_in_a_pairing_that_is_under_way() {
    for code in CODES {
        let (mut world, [a, b, mallory], _) = a_code_is_typed();
        let connected = |event: &Event| matches!(event, Event::PairingProgress(..));
        assert!(world.run_until(SOON, |world| told(world, b, connected)));
        forge_close(&mut world, mallory, (a, b), code);
        assert!(world.run_until(SOON, both_are_paired), "code {code:#x}");
    }
}
