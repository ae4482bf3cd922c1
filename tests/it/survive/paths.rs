//! Paths that carry only some of what is sent, and hosts that lose one of two, sleep, or begin anew while bytes flow.

use super::flow::{Flow, figure};
use super::links::*;
use super::support::*;
use bytes::Bytes;
use handfast_tests::fabric::{Firewall, Nat, PerMille, Router};
use handfast_tests::world::World;
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn one_of_two_links_is_cut_on_either_side_and_the_other_carries_on() {
    for (cuts, sends) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (mut world, hosts, _) = two_links();
        let (from, to) = (hosts[sends], hosts[1 - sends]);
        let mut flow = Flow::begin(&mut world, from, to);
        flow.run(&mut world, Duration::from_secs(1));
        // The address that the connection uses says which link it is on.
        world.take_down(hosts[cuts], 1);
        let began = world.elapsed();
        flow.run_until(&mut world, PATIENCE, |_, flow| flow.broken);
        let took = back(&mut world, hosts, (from, to)).map(|_| world.elapsed() - began);
        figure(format_args!("one of two links cut at host {cuts}, host {sends} sends: {took:?}"));
        assert!(flow.broken && took.is_some_and(|took| took <= BACK), "{took:?}");
        assert!(hosts.iter().all(|host| sees_one(&world, *host)));
    }
}

#[test]
fn a_network_that_comes_back_with_smaller_packets_carries_bytes_soon() {
    for sends in [0, 1] {
        let (mut world, a, b) = pair_of_hosts(1);
        let lan = world.lan();
        world.fabric.set_link(lan, slow());
        connect(&mut world, a, b);
        let (from, to) = ([a, b][sends], [b, a][sends]);
        let mut flow = Flow::begin(&mut world, from, to);
        flow.run(&mut world, Duration::from_secs(3));
        world.fabric.set_link(lan, slow().with_loss(PerMille::ALWAYS));
        flow.run(&mut world, Duration::from_millis(8_300));
        world.fabric.set_link(lan, slow().with_mtu(1280));
        let took = flow.next_byte(&mut world, PATIENCE);
        figure(format_args!("back with 1,280 bytes at most, host {sends} sends: {took:?}"));
        assert!(took.is_some_and(|took| took <= BACK), "{took:?}");
        let read = flow.read;
        flow.run(&mut world, Duration::from_secs(5));
        assert!(flow.read - read > 500_000, "{}", flow.read - read);
    }
}

#[test]
fn a_path_that_carries_one_way_alone_for_a_while_ends_no_connection() {
    for sends in [0, 1] {
        for deaf in [0, 1] {
            let (mut world, a, b) = pair_of_hosts(1);
            let lan = world.lan();
            world.fabric.set_link(lan, slow());
            let before = connect(&mut world, a, b);
            let hosts = [a, b];
            let mut flow = Flow::begin(&mut world, hosts[sends], hosts[1 - sends]);
            flow.run(&mut world, Duration::from_secs(1));
            let mute = hosts[1 - deaf];
            world.lose(move |from, _| from == mute);
            flow.run(&mut world, Duration::from_millis(20_300));
            world.lose_nothing();
            let took = flow.next_byte(&mut world, PATIENCE);
            figure(format_args!("host {deaf} heard nothing for 20.3 s, host {sends} sends: {took:?}"));
            assert!(took.is_some_and(|took| took <= BACK), "{took:?}");
            assert_eq!((conn(&world, a), conn(&world, b)), (Some(before.0), Some(before.1)));
        }
    }
}

#[test]
fn three_of_ten_packets_lost_slow_a_transfer_down_and_no_more() {
    for (seed, sends) in (1..=8).flat_map(|seed| [(seed, 0), (seed, 1)]) {
        let (mut world, a, b) = pair_of_hosts(seed);
        let lan = world.lan();
        world.fabric.set_link(lan, slow().with_loss(PerMille(300)));
        let before = connect(&mut world, a, b);
        let hosts = [a, b];
        let mut flow = Flow::begin(&mut world, hosts[sends], hosts[1 - sends]);
        flow.run(&mut world, Duration::from_secs(60));
        figure(format_args!("{} bytes in 60 s, of which 30 % of packets are lost", flow.read));
        assert!(flow.read > 100_000 && !flow.broken, "{}", flow.read);
        assert_eq!((conn(&world, a), conn(&world, b)), (Some(before.0), Some(before.1)));
    }
}

#[test]
fn a_nat_that_forgets_its_mapping_under_load_interrupts_a_transfer_for_a_moment() {
    let mut world = World::seeded(1);
    let (lan, internet) = (world.lan(), world.fabric.internet());
    world.fabric.set_link(lan, slow());
    let nat = Nat::new(Ipv4Addr::new(203, 0, 113, 7));
    let router = world.fabric.router(lan, Router::Nat { nat, firewall: Firewall::Open });
    let a = boot(&mut world, 1, vec![on(1, lan, "192.168.1.2/24")]);
    let b = boot(&mut world, 2, vec![on(1, internet, "192.0.2.1/24")]);
    world.run_for(Duration::from_millis(1));
    let before = connect(&mut world, a, b);
    for (from, to) in [(a, b), (b, a)] {
        let mut flow = Flow::begin(&mut world, from, to);
        for _ in 0..5 {
            flow.run(&mut world, Duration::from_secs(2));
            world.fabric.rebind(router);
            // What was on its way counts as well: a while later it is gone.
            flow.run(&mut world, Duration::from_millis(300));
            let took = flow.next_byte(&mut world, PATIENCE);
            figure(format_args!("another mapping under load: {took:?} and 300 ms"));
            assert!(took.is_some_and(|took| took <= BACK), "{took:?}");
        }
    }
    assert_eq!((conn(&world, a), conn(&world, b)), (Some(before.0), Some(before.1)));
}

/// Packets of the dialler are caught and come from a forged source in its place, while the acceptor sends all it can.
#[test]
fn a_packet_that_names_another_source_brings_that_one_a_challenge_at_most_and_ends_no_connection() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (lan, by) = (world.lan(), stranger(&mut world));
    world.fabric.set_link(lan, slow());
    let before = connect(&mut world, a, b);
    let mut flow = Flow::begin(&mut world, b, a);
    flow.run(&mut world, Duration::from_secs(2));
    let caught = Rc::new(RefCell::new(Vec::new()));
    let net = Rc::clone(&caught);
    world.lose(move |from, out| {
        let is_caught = from == a && out.destination.port() != GROUP.1;
        if is_caught {
            net.borrow_mut().push(out.payload.clone());
        }
        is_caught
    });
    flow.run(&mut world, Duration::from_millis(30));
    let (victim, to) = (SocketAddr::from(([10, 0, 200, 1], 4444)), world.address(b));
    world.fabric.keep_seen(10_000);
    world.fabric.take_seen();
    let packet = caught.borrow().last().cloned().expect("the dialler acknowledges what comes");
    forge(&mut world, by, [victim, to], &packet);
    world.run_for(Duration::from_secs(1));
    let seen = world.fabric.take_seen();
    let got: Vec<usize> =
        seen.iter().filter(|seen| seen.destination == victim).map(|seen| seen.payload.len()).collect();
    figure(format_args!("{} bytes from a forged source brought it {got:?}", packet.len()));
    // RFC 9000 §8.1 allows three times the bytes. quinn-proto pads its challenge to 1,200 bytes all the same.
    assert_eq!(got, [1200]);
    // All that is caught, in the name of as many sources: one that is not paid for each second.
    let caught: Vec<_> = caught.borrow_mut().drain(..).collect();
    for (n, packet) in caught.iter().enumerate() {
        forge(&mut world, by, [SocketAddr::from((victim.ip(), 5000 + n as u16)), to], packet);
        world.run_for(Duration::from_millis(10));
    }
    let seen = world.fabric.take_seen();
    let got: usize =
        seen.iter().filter(|seen| seen.destination.ip() == victim.ip()).map(|seen| seen.payload.len()).sum();
    let paid: usize = caught.iter().map(Bytes::len).sum();
    figure(format_args!("{} packets, {paid} bytes, from as many forged sources brought {got}", caught.len()));
    assert!(got <= 3 * paid + 1200 * (1 + caught.len() / 100), "{got} for {paid}");
    world.lose_nothing();
    let took = flow.next_byte(&mut world, PATIENCE);
    assert!(took.is_some_and(|took| took <= BACK), "{took:?}");
    assert_eq!((conn(&world, a), conn(&world, b)), (Some(before.0), Some(before.1)));
}

#[test]
fn who_slept_eight_hours_in_the_middle_of_a_transfer_is_back_soon_with_one_connection() {
    for (sleeps, sends) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (mut world, a, b) = pair_of_hosts(1);
        let hosts = [a, b];
        meet(&mut world, a, b);
        connect(&mut world, a, b);
        let mut flow = Flow::begin(&mut world, hosts[sends], hosts[1 - sends]);
        flow.run(&mut world, Duration::from_secs(1));
        world.suspend(hosts[sleeps]);
        world.run_for(Duration::from_secs(8 * 3600));
        world.resume(hosts[sleeps]);
        let took = back(&mut world, hosts, (hosts[sends], hosts[1 - sends]));
        figure(format_args!("host {sleeps} slept for 8 h, host {sends} sends: {took:?}"));
        assert!(took.is_some_and(|took| took <= BACK), "{took:?}");
        flow.run(&mut world, Duration::from_millis(50));
        assert!(flow.broken, "who reads is told that bytes are missing");
        assert!(hosts.iter().all(|host| sees_one(&world, *host)));
    }
}

#[test]
fn a_peer_that_is_killed_in_the_middle_of_a_transfer_and_begins_anew_is_back_soon() {
    for (dies, sends) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (mut world, a, b) = pair_of_hosts(1);
        let hosts = [a, b];
        meet(&mut world, a, b);
        connect(&mut world, a, b);
        let mut flow = Flow::begin(&mut world, hosts[sends], hosts[1 - sends]);
        flow.run(&mut world, Duration::from_secs(1));
        let lives = conn(&world, hosts[1 - dies]);
        world.crash(hosts[dies]);
        world.run_for(Duration::from_secs(5));
        world.restart(hosts[dies]);
        world[hosts[dies]].app.events.clear();
        let anew = |world: &World| conn(world, hosts[1 - dies]).is_some_and(|conn| Some(conn) != lives);
        let began = world.elapsed();
        let peer = name(world[hosts[1 - dies]].identity());
        while !anew(&world) && world.elapsed() - began < PATIENCE {
            let _ = world.tell(hosts[dies], |node, now| node.connect(now, peer));
            world.run_for(Duration::from_millis(20));
        }
        let took = back(&mut world, hosts, (hosts[sends], hosts[1 - sends])).map(|_| world.elapsed() - began);
        figure(format_args!("host {dies} began anew, host {sends} sends: {took:?}"));
        assert!(took.is_some_and(|took| took <= BACK), "{took:?}");
        assert!(hosts.iter().all(|host| sees_one(&world, *host)));
    }
}

#[test]
fn both_dial_at_once_a_thousand_times_and_one_connection_is_left_each_time() {
    for seed in 0..1000 {
        let (mut world, a, b) = pair_of_hosts(seed);
        // Now the one is first by a hair, now the other, and now they cross.
        let apart = Duration::from_micros(seed % 7 * 500);
        dial(&mut world, [a, b][seed as usize % 2], [b, a][seed as usize % 2]);
        world.run_for(apart);
        dial(&mut world, [b, a][seed as usize % 2], [a, b][seed as usize % 2]);
        world.run_for(SOON);
        assert!(sees_one(&world, a) && sees_one(&world, b), "seed {seed}");
        let on_a = conn(&world, a).unwrap();
        assert!(passes(&mut world, (a, on_a), b, SOON), "it is the same one: seed {seed}");
    }
}
