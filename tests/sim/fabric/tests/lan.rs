//! One broadcast domain or two: who hears whom, on which interface, and from which address.

use super::*;

#[test]
fn a_multicast_reaches_every_member_once_and_its_sender_too() {
    let (mut lab, _) = Lab::lan(1, Link::default(), 4);
    lab.fabric.leave(Host(2), ETH, Family::V4);
    for family in [Family::V4, Family::V6] {
        lab.send(0, multicast(ETH, family, b"hello"));
    }
    assert_eq!(lab.heard(), [0, 0, 1, 1, 2, 3, 3]);
}

#[test]
fn a_sender_outside_the_group_does_not_hear_itself() {
    let (mut lab, _) = Lab::lan(1, Link::default(), 2);
    lab.fabric.leave(Host(0), ETH, Family::V4);
    lab.send(0, multicast(ETH, Family::V4, b"hello"));
    assert_eq!(lab.heard(), [1]);
}

#[test]
fn nobody_hears_a_group_that_is_not_that_of_mdns() {
    let (mut lab, _) = Lab::lan(1, Link::default(), 2);
    lab.send(0, out("224.0.0.252:5355", b"hello"));
    assert_eq!(lab.heard(), [0; 0]);
}

#[test]
fn a_host_reaches_itself_by_its_own_address() {
    let (mut lab, lan) = Lab::lan(1, Link::default().with_loss(PerMille::ALWAYS), 1);
    lab.send(0, out("192.168.1.10:9", b"me"));
    lab.send(0, out("[fe80::10%2]:9", b"me"));
    assert_eq!(lab.heard(), [0, 0]);
    assert_eq!(lab.fabric.sent(Host(0), lan), Sent::default(), "nothing of it was on the wire");
}

#[test]
fn a_link_local_source_has_the_scope_of_the_interface_that_received() {
    let mut lab = Lab::new(1);
    let lan = lab.fabric.segment(Link::default());
    lab.plug(0, 3, lan, &["fe80::1/64"]);
    lab.plug(1, 7, lan, &["fe80::2/64"]);
    let source = lab.send(0, out("[fe80::2%3]:9", b"x"));
    assert_eq!(source, to("[fe80::1%3]:40000"), "the sender's own view");
    let arrival = lab.run(ms(10)).remove(0);
    assert_eq!(arrival.source, to("[fe80::1%7]:40000"), "the receiver's view");
    assert_eq!(arrival.destination, "fe80::2".parse::<IpAddr>().unwrap());
}

#[test]
fn the_scope_chooses_among_interfaces_with_the_same_addresses_behind_them() {
    let mut lab = Lab::new(1);
    let (left, right) = (lab.fabric.segment(Link::default()), lab.fabric.segment(Link::default()));
    lab.plug(0, 1, left, &["fe80::1/64"]);
    lab.plug(0, 2, right, &["fe80::1/64"]);
    lab.plug(1, 1, left, &["fe80::9/64"]);
    lab.plug(2, 1, right, &["fe80::9/64"]);
    lab.send(0, out("[fe80::9%1]:9", b"x"));
    assert_eq!(lab.heard(), [1]);
    lab.send(0, out("[fe80::9%2]:9", b"x"));
    assert_eq!(lab.heard(), [2]);
    lab.send(0, Outgoing { interface: Some(2), ..out("[fe80::9]:9", b"x") });
    assert_eq!(lab.heard(), [2]);
}

#[test]
fn without_a_way_a_send_is_an_error_and_counts() {
    let (mut lab, _) = Lab::lan(1, Link::default(), 2);
    let mut kind = |out: Outgoing| lab.fabric.send(lab.now, Host(0), out).unwrap_err();
    assert_eq!(kind(out("[fe80::11]:9", b"no scope")), ErrorKind::NetworkUnreachable);
    assert_eq!(kind(out("[fe80::11%9]:9", b"no such scope")), ErrorKind::NetworkUnreachable);
    assert_eq!(kind(out("10.0.0.1:9", b"no router")), ErrorKind::NetworkUnreachable);
    assert_eq!(kind(out("[2001:db8::1]:9", b"no router")), ErrorKind::NetworkUnreachable);
    assert_eq!(kind(multicast(9, Family::V4, b"no interface")), ErrorKind::NetworkUnreachable);
    let stolen = Some("192.168.1.11".parse().unwrap());
    assert_eq!(
        kind(Outgoing { source_ip: stolen, ..out("192.168.1.11:9", b"") }),
        ErrorKind::AddrNotAvailable
    );
    assert_eq!(kind(Outgoing { source_ip: stolen, ..out("[fe80::11%2]:9", b"") }), ErrorKind::InvalidInput);
    assert_eq!(lab.fired(Fault::Unreachable), 5);
}

#[test]
fn a_neighbour_that_is_not_there_is_an_error_three_seconds_later() {
    let (mut lab, _) = Lab::lan(1, Link::default(), 1);
    lab.send(0, out("192.168.1.77:9", b"lost"));
    lab.run(ms(2999));
    lab.send(0, out("192.168.1.77:9", b"lost"));
    lab.run(ms(1));
    let late = lab.fabric.send(lab.now, Host(0), out("192.168.1.77:9", b"error"));
    assert_eq!(late, Err(ErrorKind::HostUnreachable));
    assert_eq!(lab.fired(Fault::Unreachable), 1);
    lab.send(0, out("192.168.1.77:9", b"another search"));
    assert_eq!(lab.heard(), [0; 0]);
}

#[test]
fn the_longest_prefix_chooses_the_port_and_the_port_its_address() {
    let mut lab = Lab::new(1);
    let (wide, narrow) = (lab.fabric.segment(Link::default()), lab.fabric.segment(Link::default()));
    lab.plug(0, 1, wide, &["10.0.0.1/8"]);
    lab.plug(0, 2, narrow, &["10.1.0.1/16"]);
    lab.plug(1, 1, wide, &["10.2.0.9/8"]);
    lab.plug(2, 1, narrow, &["10.1.0.9/16"]);
    assert_eq!(lab.send(0, out("10.2.0.9:9", b"x")), to("10.0.0.1:40000"));
    assert_eq!(lab.heard(), [1]);
    assert_eq!(lab.send(0, out("10.1.0.9:9", b"x")), to("10.1.0.1:40000"));
    assert_eq!(lab.heard(), [2]);
}

#[test]
fn a_source_is_of_the_same_reach_and_the_same_network() {
    let mut lab = Lab::new(1);
    let lan = lab.fabric.segment(Link::default());
    let own = ["fe80::1/64", "fd00:1::1/64", "2001:db8:1::1/64", "169.254.1.1/16", "192.168.1.1/24"];
    lab.plug(0, ETH, lan, &own);
    lab.plug(1, ETH, lan, &["fe80::2/64", "fd00:1::2/64", "2001:db8:1::2/64", "192.168.1.2/24"]);
    let mut source = |destination: &str| lab.send(0, out(destination, b"x")).ip().to_string();
    assert_eq!(source("[fe80::2%2]:9"), "fe80::1");
    assert_eq!(source("[fd00:1::2]:9"), "fd00:1::1");
    assert_eq!(source("[2001:db8:1::2]:9"), "2001:db8:1::1");
    assert_eq!(source("192.168.1.2:9"), "192.168.1.1");
    assert_eq!(source("[ff02::fb%2]:5353"), "fe80::1");
    assert_eq!(source("224.0.0.251:5353"), "192.168.1.1");
    let given = Some("fd00:1::1".parse().unwrap());
    let source = lab.send(0, Outgoing { source_ip: given, ..out("[2001:db8:1::2]:9", b"x") });
    assert_eq!(source, to("[fd00:1::1]:40000"));
}

#[test]
fn two_interfaces_on_one_segment_are_two_ports() {
    let mut lab = Lab::new(1);
    let lan = lab.fabric.segment(Link::default());
    lab.plug(0, 1, lan, &["192.168.1.1/24", "fe80::1/64"]);
    lab.plug(0, 2, lan, &["192.168.1.2/24", "fe80::2/64"]);
    lab.plug(1, 1, lan, &["192.168.1.3/24", "fe80::3/64"]);
    lab.send(0, multicast(2, Family::V4, b"x"));
    let heard: Vec<_> = lab.run(ms(10)).iter().map(|a| (a.host.0, a.interface, a.source)).collect();
    assert_eq!(heard, [(0, 2, to("192.168.1.2:5353")), (1, 1, to("192.168.1.2:5353"))]);
    lab.send(1, multicast(1, Family::V6, b"x"));
    let sources: Vec<_> = lab.run(ms(10)).iter().map(|a| (a.host.0, a.source)).collect();
    assert_eq!(
        sources,
        [(1, to("[fe80::3%1]:5353")), (0, to("[fe80::3%1]:5353")), (0, to("[fe80::3%2]:5353"))]
    );
    let second: IpAddr = "192.168.1.2".parse().unwrap();
    assert_eq!(lab.send(1, out("192.168.1.2:9", b"x")), to("192.168.1.3:40000"));
    lab.send(0, Outgoing { source_ip: Some(second), ..out("192.168.1.3:9", b"x") });
    let interfaces: Vec<_> = lab.run(ms(10)).iter().map(|a| (a.host.0, a.interface, a.source.ip())).collect();
    assert_eq!(interfaces[0].1, 2);
    assert_eq!(interfaces[1].2, second);
}

#[test]
fn what_is_on_its_way_to_an_unplugged_port_is_gone() {
    let (mut lab, lan) = Lab::lan(1, Link::default(), 2);
    lab.send(0, out("192.168.1.11:9", b"gone"));
    lab.fabric.unplug(Host(1), ETH);
    lab.plug(1, ETH, lan, &["192.168.1.11/24"]);
    assert_eq!(lab.heard(), [0; 0]);
    lab.send(0, out("192.168.1.11:9", b"there"));
    assert_eq!(lab.heard(), [1]);
}

#[test]
fn an_unplugged_port_is_no_member_any_more() {
    let (mut lab, lan) = Lab::lan(1, Link::default(), 2);
    lab.fabric.unplug(Host(1), ETH);
    assert_eq!(lab.fabric.join(Host(1), ETH, Family::V4), Err(ErrorKind::AddrNotAvailable));
    lab.send(0, multicast(ETH, Family::V4, b"x"));
    assert_eq!(lab.fabric.in_flight(), 1, "its own loopback alone");
    let (segment, addresses) = (lan, vec![addr("192.168.1.11/24")]);
    lab.fabric.plug(Host(1), Port { interface: ETH, segment, addresses });
    lab.send(0, multicast(ETH, Family::V4, b"x"));
    assert_eq!(lab.heard(), [0, 0], "it has to join again");
}

#[test]
fn a_renumbered_interface_stays_in_its_groups_and_answers_to_its_new_address_alone() {
    let (mut lab, _) = Lab::lan(1, Link::default(), 2);
    lab.send(0, out("192.168.1.11:9", b"on its way"));
    lab.fabric.renumber(Host(1), ETH, vec![addr("192.168.1.99/24")]);
    lab.send(0, out("192.168.1.11:9", b"nobody"));
    assert_eq!(lab.heard(), [0; 0]);
    lab.send(0, out("192.168.1.99:9", b"x"));
    lab.send(0, multicast(ETH, Family::V4, b"x"));
    assert_eq!(lab.heard(), [0, 1, 1]);
    let ports: Vec<_> = lab.fabric.ports(Host(1)).map(|port| port.addresses).collect();
    assert_eq!(ports, [[addr("192.168.1.99/24")]]);
}

#[test]
fn a_partition_keeps_its_groups_apart_until_it_heals() {
    let (mut lab, lan) = Lab::lan(1, Link::default(), 5);
    lab.fabric.partition(lan, vec![vec![Host(0), Host(1)], vec![Host(2)]]);
    lab.send(0, multicast(ETH, Family::V4, b"x"));
    assert_eq!(lab.heard(), [0, 1]);
    lab.send(3, multicast(ETH, Family::V4, b"x"));
    assert_eq!(lab.heard(), [3, 4], "hosts in no group are one of their own");
    lab.send(0, out("192.168.1.12:9", b"x"));
    assert_eq!(lab.heard(), [0; 0]);
    assert_eq!(lab.fired(Fault::Partitioned), 7);
    lab.fabric.heal(lan);
    lab.send(0, out("192.168.1.12:9", b"x"));
    assert_eq!(lab.heard(), [2]);
}

#[test]
fn a_forged_source_is_seen_by_the_receiver() {
    let (mut lab, _) = Lab::lan(1, Link::default(), 3);
    let forged = to("192.168.1.12:5353");
    lab.fabric.forge(lab.now, Host(0), forged, out("192.168.1.11:9", b"x")).unwrap();
    let arrival = lab.run(ms(10)).remove(0);
    assert_eq!((arrival.host, arrival.source), (Host(1), forged));
}

#[test]
fn a_payload_is_shared_and_not_copied() {
    let (mut lab, _) = Lab::lan(1, Link::default(), 100);
    let sent = multicast(ETH, Family::V4, &[7; 1000]);
    lab.send(0, sent.clone());
    assert_eq!(lab.fabric.in_flight(), 100);
    let arrivals = lab.run(ms(10));
    assert!(arrivals.iter().all(|arrival| arrival.payload.as_ptr() == sent.payload.as_ptr()));
}
