//! Several segments: bridges, reflectors, and routers that do not translate.

use super::*;

/// Two LANs of two hosts each: 0 and 1 on one, 2 and 3 on the other, all in one subnet.
fn two_lans() -> (Lab, [Segment; 2]) {
    let mut lab = Lab::new(1);
    let lans = [lab.fabric.segment(Link::default()), lab.fabric.segment(Link::default())];
    for host in 0..4 {
        let (v4, v6) = (format!("192.168.1.{}/24", 10 + host), format!("fe80::{}/64", 10 + host));
        lab.plug(host, ETH, lans[host / 2], &[&v4, &v6]);
    }
    (lab, lans)
}

#[test]
fn a_bridge_makes_one_broadcast_domain_of_two() {
    let (mut lab, [a, b]) = two_lans();
    lab.send(0, multicast(ETH, Family::V6, b"x"));
    assert_eq!(lab.heard(), [0, 1]);
    lab.fabric.bridge(a, b);
    let sent = lab.now;
    lab.send(0, multicast(ETH, Family::V6, b"x"));
    lab.send(0, out("192.168.1.13:9", b"x"));
    let arrivals = lab.run(ms(10));
    let mut hosts: Vec<usize> = arrivals.iter().map(|arrival| arrival.host.0).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, [0, 1, 2, 3, 3]);
    let last = arrivals.last().unwrap();
    assert_eq!((last.host, last.at - sent, last.on_link), (Host(3), ms(2), true), "both segments take 1 ms");
}

#[test]
fn a_bridge_that_is_down_passes_nothing_until_it_is_up() {
    let (mut lab, [a, b]) = two_lans();
    let bridge = lab.fabric.bridge(a, b);
    lab.fabric.set_bridge(bridge, BridgeState::Down);
    lab.send(0, multicast(ETH, Family::V4, b"x"));
    lab.send(0, out("192.168.1.13:9", b"x"));
    assert_eq!(lab.heard(), [0, 1]);
    assert_eq!(lab.fired(Fault::BridgeDown), 2);
    lab.fabric.set_bridge(bridge, BridgeState::Up);
    lab.send(0, multicast(ETH, Family::V4, b"x"));
    lab.send(0, out("192.168.1.13:9", b"x"));
    assert_eq!(lab.heard(), [0, 1, 2, 3, 3]);
}

#[test]
fn unicast_on_one_segment_does_not_cross_the_bridge() {
    let (mut lab, [a, b]) = two_lans();
    let bridge = lab.fabric.bridge(a, b);
    lab.fabric.set_bridge(bridge, BridgeState::Down);
    lab.send(0, out("192.168.1.11:9", b"x"));
    assert_eq!(lab.heard(), [1]);
    assert_eq!(lab.fired(Fault::BridgeDown), 0);
}

#[test]
fn three_segments_in_a_row_are_one_domain() {
    let (mut lab, [a, b]) = two_lans();
    let c = lab.fabric.segment(Link::default());
    lab.plug(4, ETH, c, &["192.168.1.14/24"]);
    lab.fabric.bridge(a, b);
    lab.fabric.bridge(b, c);
    lab.send(0, multicast(ETH, Family::V4, b"x"));
    lab.send(4, out("192.168.1.10:9", b"x"));
    assert_eq!(lab.heard(), [0, 0, 1, 2, 3, 4]);
}

#[test]
#[should_panic(expected = "bridges form no loop")]
fn bridges_in_a_loop_are_refused() {
    let (mut lab, [a, b]) = two_lans();
    let c = lab.fabric.segment(Link::default());
    lab.fabric.bridge(a, b);
    lab.fabric.bridge(b, c);
    lab.fabric.bridge(c, a);
}

#[test]
fn a_reflector_says_a_multicast_again_from_its_own_address() {
    let mut lab = Lab::new(1);
    let (a, b) = (lab.fabric.segment(Link::default()), lab.fabric.segment(Link::default()));
    lab.plug(0, ETH, a, &["192.168.1.10/24", "fe80::10/64"]);
    lab.plug(1, ETH, b, &["192.168.2.11/24", "fe80::11/64"]);
    lab.fabric.reflector(a, b);
    for family in [Family::V4, Family::V6] {
        lab.send(0, multicast(ETH, family, b"x"));
    }
    let arrivals = lab.run(ms(10));
    let there: Vec<&Arrival> = arrivals.iter().filter(|arrival| arrival.host == Host(1)).collect();
    assert_eq!(there.len(), 2);
    assert_eq!(lab.fired(Fault::Reflected), 2);
    assert_eq!(there[0].source, to("192.168.2.254:5353"), "an address of the segment that it speaks on");
    let SocketAddr::V6(source) = there[1].source else { panic!("{}", there[1].source) };
    assert!(source.ip().is_unicast_link_local());
    assert!(there.iter().all(|arrival| arrival.on_link));
    assert_eq!((source.port(), source.scope_id()), (5353, ETH));
}

#[test]
fn a_reflector_carries_neither_unicast_nor_other_ports() {
    let (mut lab, [a, b]) = two_lans();
    lab.fabric.reflector(a, b);
    lab.send(0, out("192.168.1.12:5353", b"x"));
    lab.send(0, out("224.0.0.251:5354", b"x"));
    assert_eq!(lab.heard(), [0, 1]);
    assert_eq!(lab.fired(Fault::Reflected), 0);
}

#[test]
fn an_answer_to_a_reflectors_own_address_goes_no_further() {
    let (mut lab, [a, b]) = two_lans();
    lab.fabric.reflector(a, b);
    lab.send(0, multicast(ETH, Family::V6, b"question"));
    let arrivals = lab.run(ms(10));
    let reflected = arrivals.iter().find(|arrival| arrival.host == Host(2)).unwrap().source;
    lab.send(2, Outgoing { destination: reflected, ..out("0.0.0.0:0", b"answer") });
    assert_eq!(lab.heard(), [0; 0]);
    assert_eq!(lab.fired(Fault::Reflected), 1);
}

#[test]
fn a_reflector_repeats_a_payload_after_a_second() {
    let (mut lab, [a, b]) = two_lans();
    lab.fabric.reflector(a, b);
    let mut heard = Vec::new();
    for at in [0, 999, 1000, 1998] {
        heard.extend(lab.run(lab.start + ms(at) - lab.now));
        lab.send(0, multicast(ETH, Family::V4, b"x"));
    }
    heard.extend(lab.run(ms(10)));
    let there = heard.iter().filter(|arrival| arrival.host == Host(2));
    assert_eq!(there.map(|arrival| lab.since(arrival)).collect::<Vec<_>>(), [ms(2), ms(1002)]);
    assert_eq!(lab.fired(Fault::Reflected), 2);
}

#[test]
fn two_reflectors_between_the_same_segments_fall_silent() {
    let (mut lab, [a, b]) = two_lans();
    lab.fabric.reflector(a, b);
    lab.fabric.reflector(a, b);
    lab.send(0, multicast(ETH, Family::V4, b"x"));
    let arrivals = lab.run(ms(60_000));
    assert!(arrivals.iter().any(|arrival| arrival.host == Host(2)));
    assert_eq!(lab.fabric.next_at(), None, "nothing is on its way any more");
    assert!(lab.fired(Fault::Reflected) <= 4, "{}", lab.fired(Fault::Reflected));
}

/// Two homes behind routers: host 0 in one, host 1 in the other, host 2 on the Internet.
fn homes(firewall: Firewall) -> Lab {
    let mut lab = Lab::new(1);
    let internet = lab.fabric.internet();
    let (a, b) = (lab.fabric.segment(Link::default()), lab.fabric.segment(Link::default()));
    lab.fabric.set_link(internet, Link::default().with_latency(ms(20)));
    lab.plug(0, ETH, a, &["fe80::1/64", "2001:db8:a::1/64", "198.51.100.1/24"]);
    lab.plug(1, ETH, b, &["fe80::1/64", "2001:db8:b::1/64", "203.0.113.1/24"]);
    lab.plug(2, ETH, internet, &["2001:db8:c::1/64", "192.0.2.1/24"]);
    lab.fabric.router(a, Router::Routed { firewall: Firewall::Open });
    lab.fabric.router(b, Router::Routed { firewall });
    lab
}

#[test]
fn routers_carry_both_families_from_home_to_home() {
    let mut lab = homes(Firewall::Open);
    lab.send(0, out("[2001:db8:b::1]:9", b"x"));
    lab.send(0, out("203.0.113.1:9", b"x"));
    lab.send(0, out("192.0.2.1:9", b"x"));
    let arrivals = lab.run(ms(100));
    let seen: Vec<_> = arrivals.iter().map(|a| (a.host.0, a.source.ip().to_string(), lab.since(a))).collect();
    let home = |source: &str| (1, source.to_owned(), ms(22));
    assert_eq!(seen, [(2, "198.51.100.1".to_owned(), ms(21)), home("2001:db8:a::1"), home("198.51.100.1"),]);
    assert!(arrivals.iter().all(|arrival| !arrival.on_link));
}

#[test]
fn a_link_local_source_never_leaves_its_link() {
    let mut lab = homes(Firewall::Open);
    // `fe80::1` has the longer prefix in common with it.
    assert_eq!(lab.send(0, out("[fd00:9::1]:9", b"x")), to("[2001:db8:a::1]:40000"));
}

#[test]
fn the_internet_carries_no_multicast_and_nothing_private() {
    let mut lab = homes(Firewall::Open);
    let internet = lab.fabric.internet();
    lab.plug(3, ETH, internet, &["192.0.2.2/24"]);
    lab.send(2, multicast(ETH, Family::V4, b"x"));
    assert_eq!(lab.heard(), [2], "its own loopback alone");
    lab.send(0, out("10.0.0.1:9", b"x"));
    assert_eq!(lab.heard(), [0; 0]);
    assert_eq!(lab.fired(Fault::Unreachable), 1, "the router knew no way");
    lab.send(0, multicast(ETH, Family::V6, b"x"));
    assert_eq!(lab.heard(), [0]);
}

#[test]
fn a_stateful_firewall_lets_in_who_was_spoken_to() {
    let mut lab = homes(Firewall::Stateful { idle: Duration::from_secs(120) });
    let inside = |port: u16| Outgoing { source_port: port, ..out("[2001:db8:b::1]:40000", b"in") };
    lab.send(0, inside(7));
    assert_eq!(lab.heard(), [0; 0]);
    lab.send(1, out("[2001:db8:a::1]:7", b"out"));
    lab.run(ms(100));
    lab.send(0, inside(7));
    lab.send(0, inside(8));
    assert_eq!(lab.heard(), [1]);
    lab.run(Duration::from_secs(120));
    lab.send(0, inside(7));
    assert_eq!(lab.heard(), [0; 0], "it was silent for too long");
}

#[test]
fn a_router_serves_the_segments_that_are_bridged_to_its_own() {
    let mut lab = homes(Firewall::Open);
    let home = lab.fabric.ports(Host(0)).next().unwrap().segment;
    let annex = lab.fabric.segment(Link::default());
    lab.plug(3, ETH, annex, &["2001:db8:a::3/64"]);
    let bridge = lab.fabric.bridge(home, annex);
    lab.send(3, out("[2001:db8:b::1]:9", b"x"));
    lab.send(1, out("[2001:db8:a::3]:9", b"x"));
    assert_eq!(lab.heard(), [1, 3]);
    lab.fabric.set_bridge(bridge, BridgeState::Down);
    lab.send(3, out("[2001:db8:b::1]:9", b"x"));
    lab.send(1, out("[2001:db8:a::3]:9", b"x"));
    assert_eq!(lab.heard(), [0; 0]);
    assert_eq!(lab.fired(Fault::BridgeDown), 2);
}

#[test]
fn a_router_joins_two_networks_on_one_segment() {
    let mut lab = homes(Firewall::Open);
    let home = lab.fabric.ports(Host(0)).next().unwrap().segment;
    lab.plug(3, ETH, home, &["2001:db8:d::3/64"]);
    lab.send(3, out("[2001:db8:a::1]:9", b"x"));
    let arrival = lab.run(ms(10)).remove(0);
    assert_eq!((arrival.host, arrival.on_link), (Host(0), false));
}

#[test]
fn a_black_hole_on_the_internet_swallows_what_the_lan_takes() {
    let mut lab = homes(Firewall::Open);
    let internet = lab.fabric.internet();
    lab.fabric.set_link(internet, Link::default().with_mtu(1280));
    lab.send(0, out("203.0.113.1:9", &[0; 1253]));
    lab.send(0, out("203.0.113.1:9", &[0; 1252]));
    assert_eq!(lab.run(ms(100)).iter().map(|a| a.payload.len()).collect::<Vec<_>>(), [1252]);
    assert_eq!(lab.fired(Fault::TooBig), 1);
}
