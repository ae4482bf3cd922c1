//! What somebody on the path may forge, and that it changes nothing that lasts.

use super::support::*;
use handfast_core::Event;
use handfast_tests::fabric::{Outgoing, Port};
use handfast_tests::fault::Fault;
use handfast_tests::forge::FirstFlight;
use handfast_tests::machine::address;
use handfast_tests::stranger::{Misdeed, Puppet};

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
