//! What somebody on the path may forge, and that it changes nothing that lasts.

use super::support::*;
use handfast_core::Event;
use handfast_tests::forge::FirstFlight;

/// Every close code of the protocol, and some that it does not have.
const CODES: std::ops::Range<u8> = 0..0x14;

#[test]
fn a_forged_initial_that_carries_an_application_close_changes_no_record() {
    for code in CODES {
        let (mut net, a, b) = pair_of_hosts(1);
        let (to, peer) = (net.address(b), name(&identity(2)));
        net.tell(a, |node, now| {
            node.peers().add_address(now, peer, to);
            node.connect(now, peer).unwrap();
        });
        let flight = net.trace.iter().find_map(|(_, _, datagram)| FirstFlight::read(datagram)).unwrap();
        let records = net.hosts[0].store.clone();
        net.inject(a, to, &flight.forged_close(code));
        net.run_for(SOON);
        // The forgery does end the dial: that is why no close code may mean anything.
        assert!(told(&net, a, |event| matches!(event, Event::ConnectFailed(..))), "code {code:#x}");
        assert!(!told(&net, a, |event| matches!(event, Event::PeerUnpaired(..))), "code {code:#x}");
        assert_eq!(net.hosts[0].store, records, "code {code:#x}");
        connect(&mut net, a, b);
    }
}
