//! What NATs do to addresses, and whom they let in.

use super::*;

/// A host behind a NAT, 0, with a neighbour, 3, and two hosts on the Internet: 1 at `192.0.2.1`, 2 at
/// `192.0.2.2`.
fn home(nat: impl FnOnce(Nat) -> Nat) -> (Lab, RouterId) {
    let mut lab = Lab::new(1);
    let internet = lab.fabric.internet();
    let lan = lab.fabric.segment(Link::default());
    lab.plug(0, ETH, lan, &["192.168.1.10/24", "fe80::10/64", "2001:db8:a::10/64"]);
    lab.plug(1, ETH, internet, &["192.0.2.1/24", "2001:db8:c::1/64"]);
    lab.plug(2, ETH, internet, &["192.0.2.2/24"]);
    lab.plug(3, ETH, lan, &["192.168.1.13/24"]);
    let nat = nat(Nat::new("203.0.113.1".parse().unwrap()));
    let router = lab.fabric.router(lan, Router::Nat { nat, firewall: Firewall::Open });
    (lab, router)
}

/// Sends out from host 0, and returns by which address the other side saw it.
fn seen_by(lab: &mut Lab, remote: &str) -> SocketAddr {
    lab.send(0, out(remote, b"out"));
    lab.run(ms(10)).remove(0).source
}

/// Whether a datagram from a remote host and port comes in by an outside address.
fn comes_in(lab: &mut Lab, host: usize, source_port: u16, outside: SocketAddr) -> bool {
    lab.send(host, Outgoing { source_port, destination: outside, ..out("0.0.0.0:0", b"in") });
    let arrivals = lab.run(ms(10));
    assert!(arrivals.iter().all(|a| (a.host, a.destination_port) == (Host(0), PORT)), "{arrivals:?}");
    assert!(arrivals.iter().all(|a| a.destination == "192.168.1.10".parse::<IpAddr>().unwrap()));
    !arrivals.is_empty()
}

/// Speaks from inside to port 7 of host 1, and then tries from there, from another port of it, and from
/// another host. Also whether port 8 of host 1 and port 7 of host 2 see another address than port 7 of host 1.
fn shape(mapping: Depends, filtering: Depends) -> (Lab, [bool; 2], [bool; 3]) {
    let (mut lab, _) = home(|nat| nat.with_mapping(mapping).with_filtering(filtering));
    let outside = seen_by(&mut lab, "192.0.2.1:7");
    assert_eq!(outside.ip(), "203.0.113.1".parse::<IpAddr>().unwrap());
    let gets_in = [(1, 7), (1, 8), (2, 7)].map(|(host, port)| comes_in(&mut lab, host, port, outside));
    let changes = ["192.0.2.1:8", "192.0.2.2:7"].map(|remote| seen_by(&mut lab, remote) != outside);
    assert_eq!(seen_by(&mut lab, "192.0.2.1:7"), outside, "a mapping in use stays");
    (lab, changes, gets_in)
}

#[test]
fn independent_mapping_and_an_open_filter() {
    let (lab, changes, gets_in) = shape(Depends::Independent, Depends::Independent);
    assert_eq!((changes, gets_in), ([false, false], [true, true, true]));
    assert_eq!((lab.fired(Fault::NatIndependent), lab.fired(Fault::NatDependent)), (2, 0));
    assert_eq!(lab.fired(Fault::NatOpen), 2, "two strangers got in");
}

#[test]
fn independent_mapping_and_a_filter_by_address() {
    let (lab, changes, gets_in) = shape(Depends::Independent, Depends::Address);
    assert_eq!((changes, gets_in), ([false, false], [true, true, false]));
    assert_eq!((lab.fired(Fault::NatFilteredAddress), lab.fired(Fault::NatOpen)), (1, 0));
}

#[test]
fn independent_mapping_and_a_filter_by_address_and_port() {
    let (lab, changes, gets_in) = shape(Depends::Independent, Depends::AddressAndPort);
    assert_eq!((changes, gets_in), ([false, false], [true, false, false]));
    assert_eq!(lab.fired(Fault::NatFilteredPort), 2);
}

#[test]
fn dependent_mapping_and_an_open_filter() {
    let (lab, changes, gets_in) = shape(Depends::AddressAndPort, Depends::Independent);
    assert_eq!((changes, gets_in), ([true, true], [true, true, true]));
    assert_eq!((lab.fired(Fault::NatIndependent), lab.fired(Fault::NatDependent)), (0, 2));
    assert_eq!(lab.fired(Fault::NatOpen), 2);
}

#[test]
fn dependent_mapping_and_a_filter_by_address() {
    let (lab, changes, gets_in) = shape(Depends::AddressAndPort, Depends::Address);
    assert_eq!((changes, gets_in), ([true, true], [true, true, false]));
    assert_eq!(lab.fired(Fault::NatFilteredAddress), 1);
}

#[test]
fn dependent_mapping_and_a_filter_by_address_and_port() {
    let (lab, changes, gets_in) = shape(Depends::AddressAndPort, Depends::AddressAndPort);
    assert_eq!((changes, gets_in), ([true, true], [true, false, false]));
    assert_eq!(lab.fired(Fault::NatFilteredPort), 2);
}

#[test]
fn mapping_by_address_keeps_its_port_for_every_port_of_a_host() {
    let (lab, changes, _) = shape(Depends::Address, Depends::Independent);
    assert_eq!(changes, [false, true]);
    assert_eq!(lab.fired(Fault::NatDependent), 1);
}

#[test]
fn nobody_comes_in_by_a_port_that_was_never_given_out() {
    let (mut lab, _) = home(|nat| nat.with_filtering(Depends::Independent));
    assert!(!comes_in(&mut lab, 1, 7, to("203.0.113.1:40000")));
}

#[test]
fn two_inside_hosts_have_two_outside_ports() {
    let (mut lab, _) = home(|nat| nat);
    let first = seen_by(&mut lab, "192.0.2.1:7");
    lab.send(3, out("192.0.2.1:7", b"out"));
    let second = lab.run(ms(10)).remove(0).source;
    assert_eq!(first.ip(), second.ip());
    assert_ne!(first.port(), second.port());
    assert_eq!(lab.fired(Fault::NatDependent), 0, "each has one");
}

#[test]
fn a_rebound_nat_gives_another_port_and_closes_the_old_one() {
    let (mut lab, router) = home(|nat| nat.with_filtering(Depends::Independent));
    let before = seen_by(&mut lab, "192.0.2.1:7");
    assert_eq!(lab.fabric.mapped(router, to("192.168.1.10:40000"), to("192.0.2.1:7")), Some(before));
    lab.fabric.rebind(router);
    assert_eq!(lab.fired(Fault::NatRebound), 0, "it counts when something in use is replaced");
    assert!(!comes_in(&mut lab, 1, 7, before));
    let after = seen_by(&mut lab, "192.0.2.1:7");
    assert_ne!(before, after);
    assert!(comes_in(&mut lab, 1, 7, after));
    assert!(!comes_in(&mut lab, 1, 7, before));
    assert_eq!(lab.fired(Fault::NatRebound), 1);
}

#[test]
fn a_rebinding_that_replaces_nothing_in_use_does_not_count() {
    let (mut lab, router) = home(|nat| nat.with_idle(Duration::from_secs(30)));
    seen_by(&mut lab, "192.0.2.1:7");
    lab.run(Duration::from_secs(60));
    lab.fabric.rebind(router);
    seen_by(&mut lab, "192.0.2.1:7");
    assert_eq!(lab.fired(Fault::NatRebound), 0);
}

#[test]
fn a_silent_mapping_is_forgotten() {
    let (mut lab, _) = home(|nat| nat.with_idle(Duration::from_secs(30)));
    let outside = seen_by(&mut lab, "192.0.2.1:7");
    lab.run(Duration::from_secs(20));
    assert!(comes_in(&mut lab, 1, 7, outside));
    // What comes in does not keep a mapping alive: RFC 4787, REQ-6.
    lab.run(Duration::from_secs(10));
    assert!(!comes_in(&mut lab, 1, 7, outside));
    assert_ne!(seen_by(&mut lab, "192.0.2.1:7"), outside);
}

#[test]
fn neighbours_meet_by_their_outside_addresses_only_through_a_hairpin() {
    for (hairpin, heard) in [(false, vec![]), (true, vec![0])] {
        let (mut lab, _) = home(|nat| Nat { hairpin, ..nat.with_filtering(Depends::Independent) });
        let outside = seen_by(&mut lab, "192.0.2.1:7");
        let sent = lab.now;
        lab.send(3, Outgoing { destination: outside, ..out("0.0.0.0:0", b"x") });
        let arrivals = lab.run(ms(10));
        assert!(arrivals.iter().all(|a| a.at - sent == ms(2)), "it never was on the Internet");
        assert_eq!(arrivals.iter().map(|a| a.host.0).collect::<Vec<_>>(), heard);
        assert!(arrivals.iter().all(|a| a.source.ip() == outside.ip()), "it comes from the outside address");
    }
}

#[test]
fn a_hairpin_filters_as_the_outside_does() {
    let (mut lab, _) = home(|nat| nat.with_hairpin());
    let outside = seen_by(&mut lab, "192.0.2.1:7");
    lab.send(3, Outgoing { destination: outside, ..out("0.0.0.0:0", b"x") });
    assert_eq!(lab.heard(), [0; 0]);
    assert_eq!(lab.fired(Fault::NatFilteredPort), 1);
}

#[test]
fn ipv6_passes_a_nat_as_it_is() {
    let (mut lab, _) = home(|nat| nat);
    assert_eq!(seen_by(&mut lab, "[2001:db8:c::1]:7"), to("[2001:db8:a::10]:40000"));
    lab.send(1, out("[2001:db8:a::10]:9", b"in"));
    assert_eq!(lab.heard(), [0]);
}

#[test]
fn an_inside_address_is_not_reached_from_outside() {
    let (mut lab, _) = home(|nat| nat);
    lab.send(1, out("192.168.1.10:9", b"in"));
    assert_eq!(lab.heard(), [0; 0]);
}

#[test]
fn a_mapping_is_made_when_a_datagram_passes_and_not_when_it_is_sent() {
    let (mut lab, router) = home(|nat| nat);
    let (inside, remote) = (to("192.168.1.10:40000"), to("192.0.2.1:7"));
    lab.send(0, out("192.0.2.1:7", b"out"));
    assert_eq!(lab.fabric.mapped(router, inside, remote), None);
    lab.run(ms(1));
    assert!(lab.fabric.mapped(router, inside, remote).is_some());
}
