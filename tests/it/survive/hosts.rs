//! Clocks that are wrong, machines that sleep, interfaces that come and go.

use super::support::*;
use handfast_core::{DisconnectReason, Event, Family, SocketSpec, Target};
use handfast_tests::app::Recorder;
use handfast_tests::fabric::{Host, Link, PerMille, Port};
use handfast_tests::machine::{Setup, address};
use handfast_tests::world::World;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

const YEAR_S: i64 = 365 * 24 * 3600;

fn port(world: &World, host: Host) -> Port {
    world.fabric.ports(host).next().unwrap()
}

#[test]
fn a_clock_a_year_off_hinders_neither_discovery_nor_pairing_nor_a_connection() {
    for skew in [-YEAR_S, YEAR_S] {
        let mut second = config();
        // Retry tokens carry dates.
        second.retry_from = 0;
        let mut world = World::seeded(1);
        let lan = world.lan();
        let ports = |n: u8| {
            vec![Port { interface: 1, segment: lan, addresses: vec![address(&format!("10.0.0.{n}/16"))] }]
        };
        let mut hosts = Vec::new();
        for (n, config, skew) in [(1, config(), 0), (2, second, skew)] {
            let mut setup = Setup::new(format!("host-{n}"), config, Arc::new(identity(n)));
            setup.ports = ports(n);
            setup.skew_s = skew;
            hosts.push(world.boot(setup, Recorder::default()));
        }
        let (a, b) = (hosts[0], hosts[1]);
        meet(&mut world, a, b);
        let code = world.tell(b, |node, now| node.pairing().host(now, &Target::Any)).unwrap().code;
        let at = world.address(b);
        world.tell(a, |node, now| node.pairing().join(now, code, &Target::At(vec![at]))).unwrap();
        let paired = |event: &Event| matches!(event, Event::PeerPaired(_));
        assert!(world.run_until(SOON, |world| told(world, a, paired) && told(world, b, paired)), "{skew}");
        assert!(world.run_until(SOON, |world| conn(world, a).is_some()));
        world.run_for(SOON);
        // And it jumps there and back while they are connected.
        let on_a = conn(&world, a).unwrap();
        for jump in [-2 * skew, 3 * skew, -skew] {
            world.jump_clock(b, jump);
            world.run_for(Duration::from_secs(60));
            assert_eq!(conn(&world, a), Some(on_a), "{skew}, {jump}");
            assert!(passes(&mut world, (a, on_a), b, SOON));
            assert!(sees(&mut world, a, b));
        }
    }
}

#[test]
fn who_slept_eight_hours_announces_once_drops_its_dead_connection_and_dials_anew() {
    let (mut world, a, b) = pair_of_hosts(1);
    meet(&mut world, a, b);
    let (old, _) = connect(&mut world, a, b);
    let lan = world.lan();
    world.run_for(MINUTE - world.elapsed());
    let at_first = world.fabric.sent(a, lan).multicasts;
    world.suspend(a);
    world.run_for(Duration::from_secs(8 * 3600));
    assert_eq!(conn(&world, b), None, "the peer missed it");
    let before = world.fabric.sent(a, lan).multicasts;
    world.resume(a);
    let gone = |event: &Event| matches!(event, Event::PeerDisconnected(conn, _, DisconnectReason::Reset) if *conn == old);
    assert!(world.run_until(Duration::from_secs(1), |world| told(world, a, gone)), "it is told at once");
    let peer = name(&identity(2));
    world.run_for(Duration::from_secs(2));
    world.tell(a, |node, now| node.connect(now, peer)).unwrap();
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    world.run_for(MINUTE);
    assert!(sees(&mut world, a, b) && sees(&mut world, b, a));
    let said = world.fabric.sent(a, lan).multicasts - before;
    // And it asks by name for the peer that it needs: for SRV and for TXT.
    assert!(said <= at_first + 2, "{said} multicasts in a minute, where one that begins says {at_first}");
}

#[test]
fn an_interface_that_flaps_a_hundred_times_a_second_costs_few_datagrams_and_is_recovered_from() {
    let (mut world, a, b) = pair_of_hosts(1);
    meet(&mut world, a, b);
    let (lan, back) = (world.lan(), port(&world, a));
    let before = world.fabric.sent(a, lan).datagrams;
    for _ in 0..1000 {
        world.take_down(a, 1);
        world.run_for(Duration::from_millis(5));
        world.bring_up(a, back.clone());
        world.run_for(Duration::from_millis(5));
    }
    let sent = world.fabric.sent(a, lan).datagrams - before;
    assert!(sent <= 200, "{sent} datagrams in 10 s");
    assert_bounded(&mut world, a);
    world.run_for(SOON);
    assert!(sees(&mut world, a, b) && sees(&mut world, b, a));
    connect(&mut world, a, b);
}

#[test]
fn all_interfaces_that_vanish_and_return_leave_no_trace() {
    let (mut world, a, b) = pair_of_hosts(1);
    meet(&mut world, a, b);
    let (on_a, _) = connect(&mut world, a, b);
    let back = port(&world, a);
    world.take_down(a, 1);
    world.run_for(Duration::from_secs(10));
    assert!(!sees(&mut world, a, b), "nobody is seen without an interface");
    world.bring_up(a, back.clone());
    world.run_for(SOON);
    assert!(sees(&mut world, a, b));
    assert_eq!(conn(&world, a), Some(on_a), "a short absence ends no connection");
    assert!(passes(&mut world, (a, on_a), b, SOON));
    world.take_down(a, 1);
    world.run_for(Duration::from_secs(3600));
    assert_eq!((conn(&world, a), conn(&world, b)), (None, None));
    world.bring_up(a, back);
    world.run_for(SOON);
    assert!(sees(&mut world, a, b) && sees(&mut world, b, a));
    let peer = name(&identity(2));
    world.tell(a, |node, now| node.connect(now, peer)).unwrap();
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
}

#[test]
fn a_tunnel_that_swallows_everything_harms_no_other_interface() {
    let mut world = World::seeded(1);
    let lan = world.lan();
    let tunnel = world.fabric.segment(Link::default().with_loss(PerMille::ALWAYS).with_mtu(1280));
    let on = |interface, segment, ip: &str| Port { interface, segment, addresses: vec![address(ip)] };
    let tunnelled = |n: u8| on(7, tunnel, &format!("172.17.0.{n}/16"));
    let a = boot(&mut world, 1, vec![on(1, lan, "10.0.0.1/16"), tunnelled(1)]);
    let b = boot(&mut world, 2, vec![on(1, lan, "10.0.0.2/16"), tunnelled(2)]);
    meet(&mut world, a, b);
    let peer = name(&identity(2));
    world.tell(a, |node, now| node.connect(now, peer)).unwrap();
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    let on_a = conn(&world, a).unwrap();
    for _ in 0..10 {
        world.take_down(a, 7);
        world.run_for(Duration::from_secs(1));
        world.bring_up(a, tunnelled(1));
        world.run_for(Duration::from_secs(1));
    }
    assert_eq!(conn(&world, a), Some(on_a));
    assert!(!told(&world, a, |event| *event == Event::PeerExpired(peer)));
    assert!(passes(&mut world, (a, on_a), b, SOON));
}

#[test]
fn an_interface_whose_socket_fails_is_told_and_the_others_go_on() {
    let mut world = World::seeded(1);
    let (lan, other) = (world.lan(), world.fabric.segment(Link::default()));
    let on = |interface, segment, ip: &str| Port { interface, segment, addresses: vec![address(ip)] };
    let both = |n: u8| {
        let ports = [on(1, lan, &format!("10.0.0.{n}/16")), on(7, other, &format!("172.17.0.{n}/16"))];
        ports.to_vec()
    };
    let (a, b) = (boot(&mut world, 1, both(1)), boot(&mut world, 2, both(2)));
    meet(&mut world, a, b);
    world.fail_mdns(a, 7);
    let failed =
        |event: &Event| matches!(event, Event::SocketFailed(SocketSpec::Mdns { interface: 7, .. }, _));
    assert!(told(&world, a, failed));
    assert!(sees(&mut world, a, b));
    // Who goes and comes is heard of on the one that is left.
    world.shut_down(b);
    world.run_for(SOON);
    assert!(!sees(&mut world, a, b));
    world.crash(b);
    world.restart(b);
    world.run_for(SOON);
    assert!(sees(&mut world, a, b) && sees(&mut world, b, a));
    connect(&mut world, a, b);
    // Whatever changes is a reason to try again.
    assert_eq!(world[a].app.events.iter().filter(|event| failed(event)).count(), 1);
    world.take_down(a, 1);
    world.run_for(SOON);
    assert!(sees(&mut world, a, b), "by the other interface, which works again");
}

#[test]
fn two_hosts_with_nothing_but_link_local_ipv6_meet_and_connect_on_the_right_interface() {
    let mut world = World::seeded(1);
    let (lan, empty) = (world.lan(), world.fabric.segment(Link::default()));
    let on = |interface, segment, ip: &str| Port { interface, segment, addresses: vec![address(ip)] };
    // Two links with the same prefix: without its scope an address leads nowhere.
    let a = boot(&mut world, 1, vec![on(2, empty, "fe80::a:1/64"), on(3, lan, "fe80::b:1/64")]);
    let b = boot(&mut world, 2, vec![on(5, lan, "fe80::2/64")]);
    for host in [a, b] {
        world[host].refused.insert(Family::V4);
    }
    meet(&mut world, a, b);
    let seen = discovered(&mut world, a).remove(0);
    assert_eq!(seen.addresses[0].address.to_string(), "[fe80::2%3]:40000");
    let peer = name(&identity(2));
    world.tell(a, |node, now| node.connect(now, peer)).unwrap();
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    let on_a = conn(&world, a).unwrap();
    assert!(passes(&mut world, (a, on_a), b, SOON));
}
