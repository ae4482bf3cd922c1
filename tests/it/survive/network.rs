//! Networks that break, come back and change while bytes flow: whole bytes or an error, one connection, and soon.

use super::flow::{Flow, figure};
use super::support::*;
use handfast_core::{ConnId, DisconnectReason, Event};
use handfast_tests::fabric::{Host, Link, PerMille, Port};
use handfast_tests::machine::address;
use handfast_tests::world::World;
use std::time::Duration;

/// Within this time of a network's return bytes flow again.
const BACK: Duration = Duration::from_secs(3);

/// In milliseconds.
const OUTAGES: [u64; 4] = [1_100, 5_300, 10_700, 30_400];

const DEAD: Link = Link {
    latency: Duration::from_millis(1),
    jitter: Duration::ZERO,
    loss: PerMille::ALWAYS,
    duplicate: PerMille::NEVER,
    reorder: PerMille::NEVER,
    hold: Duration::ZERO,
    bandwidth: None,
    mtu: 1500,
};

/// A LAN of 500 kB/s.
fn slow() -> Link {
    Link::default().with_latency(Duration::from_millis(5)).with_bandwidth(500_000, Duration::from_millis(100))
}

/// Two hosts that see each other on such a LAN and are connected; the first dialled.
fn pair_on(link: Link) -> (World, Host, Host) {
    let (mut world, a, b) = pair_of_hosts(1);
    let lan = world.lan();
    world.fabric.set_link(lan, link);
    meet(&mut world, a, b);
    connect(&mut world, a, b);
    (world, a, b)
}

fn port(world: &World, host: Host) -> Port {
    world.fabric.ports(host).next().unwrap()
}

/// Why a connection ended for a host.
fn ended(world: &World, host: Host, conn: ConnId) -> Option<DisconnectReason> {
    world[host].app.events.iter().find_map(|event| match event {
        Event::PeerDisconnected(ended, _, reason) if *ended == conn => Some(*reason),
        _ => None,
    })
}

/// Both ways that bytes may flow.
fn both_ways(a: Host, b: Host) -> [(Host, Host); 2] {
    [(a, b), (b, a)]
}

#[test]
fn bytes_flow_again_soon_after_a_silence_that_nobody_was_told_of() {
    for outage in OUTAGES.map(Duration::from_millis) {
        for sends in [0, 1] {
            let (mut world, a, b) = pair_on(slow());
            let (from, to) = both_ways(a, b)[sends];
            let before = (conn(&world, a), conn(&world, b));
            let mut flow = Flow::begin(&mut world, from, to);
            flow.run(&mut world, Duration::from_secs(1));
            let lan = world.lan();
            world.fabric.set_link(lan, DEAD);
            flow.run(&mut world, outage);
            world.fabric.set_link(lan, slow());
            let took = flow.next_byte(&mut world, Duration::from_secs(60));
            figure(format_args!(
                "{outage:?} of silence, the {} sends: {took:?}",
                ["dialler", "acceptor"][sends]
            ));
            assert!(took.is_some_and(|took| took <= BACK), "{outage:?}: {took:?}");
            assert_eq!((conn(&world, a), conn(&world, b)), before, "the connection lives on");
            let read = flow.read;
            flow.run(&mut world, Duration::from_secs(5));
            assert!(flow.read - read > 1_000_000, "at full speed again: {}", flow.read - read);
        }
    }
}

#[test]
fn bytes_flow_again_soon_after_an_interface_came_back() {
    for outage in OUTAGES.map(Duration::from_millis) {
        for (sends, loses) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let (mut world, a, b) = pair_on(slow());
            let (from, to) = both_ways(a, b)[sends];
            let before = (conn(&world, a), conn(&world, b));
            let mut flow = Flow::begin(&mut world, from, to);
            flow.run(&mut world, Duration::from_secs(1));
            let (host, back) = ([a, b][loses], port(&world, [a, b][loses]));
            world.take_down(host, 1);
            flow.run(&mut world, outage);
            world.bring_up(host, back);
            let took = flow.next_byte(&mut world, Duration::from_secs(60));
            let who = ["dialler", "acceptor"];
            figure(format_args!(
                "the {}'s interface away for {outage:?}, the {} sends: {took:?}",
                who[loses], who[sends]
            ));
            assert!(took.is_some_and(|took| took <= BACK), "{outage:?}: {took:?}");
            assert_eq!((conn(&world, a), conn(&world, b)), before, "the connection lives on");
        }
    }
}

#[test]
fn the_dialler_gets_another_address_in_the_middle_of_a_transfer_and_the_connection_moves() {
    for sends in [0, 1] {
        let (mut world, a, b) = pair_on(slow());
        let (from, to) = both_ways(a, b)[sends];
        let before = (conn(&world, a), conn(&world, b));
        let mut flow = Flow::begin(&mut world, from, to);
        flow.run(&mut world, Duration::from_secs(2));
        for ip in ["10.0.77.1/16", "10.0.77.2/16", "10.0.77.3/16"] {
            world.renumber(a, 1, vec![address(ip)]);
            let took = flow.next_byte(&mut world, Duration::from_secs(60));
            // What was on its way counts as well: a while later it is gone.
            flow.run(&mut world, Duration::from_millis(300));
            let more = flow.next_byte(&mut world, Duration::from_secs(60));
            figure(format_args!("the dialler at {ip}: {took:?}, {more:?}"));
            assert!(more.is_some_and(|more| more <= BACK), "{more:?}");
            assert_eq!((conn(&world, a), conn(&world, b)), before, "the connection lives on");
            flow.run(&mut world, Duration::from_secs(1));
        }
        let read = flow.read;
        flow.run(&mut world, Duration::from_secs(5));
        assert!(flow.read - read > 1_000_000, "at full speed again: {}", flow.read - read);
    }
}

#[test]
fn the_acceptor_gets_another_address_in_the_middle_of_a_transfer_and_another_connection_takes_over() {
    for sends in [0, 1] {
        let (mut world, a, b) = pair_on(slow());
        let (from, to) = both_ways(a, b)[sends];
        let (on_a, on_b) = (conn(&world, a).unwrap(), conn(&world, b).unwrap());
        let mut flow = Flow::begin(&mut world, from, to);
        flow.run(&mut world, Duration::from_secs(2));
        world.renumber(b, 1, vec![address("10.0.77.1/16")]);
        let anew = move |world: &World, _: &Flow| {
            let other = |host, old| conn(world, host).is_some_and(|conn| conn != old);
            other(a, on_a) && other(b, on_b)
        };
        let took = flow.run_until(&mut world, Duration::from_secs(60), anew);
        figure(format_args!("the acceptor at another address: connected anew in {took:?}"));
        assert!(took.is_some_and(|took| took <= BACK), "{took:?}");
        assert_eq!(ended(&world, b, on_b), Some(DisconnectReason::NetworkChanged));
        assert_eq!(ended(&world, a, on_a), Some(DisconnectReason::Replaced));
        flow.run(&mut world, Duration::from_millis(100));
        assert!(flow.broken, "who reads is told that bytes are missing");
        let mut flow = Flow::begin(&mut world, from, to);
        assert!(flow.next_byte(&mut world, BACK).is_some());
    }
}
