//! Peers and networks that fall silent without anybody being told: what is sent goes another way, or the same way
//! again, and soon.

use super::flow::{Flow, figure};
use super::links::*;
use super::support::*;
use handfast_core::{DisconnectReason, Event};
use handfast_tests::fabric::{Link, PerMille};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

fn dead() -> Link {
    Link::default().with_loss(PerMille::ALWAYS)
}

#[test]
fn a_link_that_is_cut_where_nobody_is_told_is_left_for_another_within_three_seconds() {
    for sends in [0, 1] {
        let (mut world, hosts, segments) = two_links();
        let (from, to) = (hosts[sends], hosts[1 - sends]);
        let old = conn(&world, from);
        let mut flow = Flow::begin(&mut world, from, to);
        flow.run(&mut world, Duration::from_secs(1));
        world.fabric.set_link(segments[0], dead());
        let began = world.elapsed();
        let anew = |world: &_, _: &_| conn(world, from) != old && conn(world, from).is_some();
        flow.run_until(&mut world, PATIENCE, anew);
        let took = back(&mut world, hosts, (from, to)).map(|_| world.elapsed() - began);
        figure(format_args!("one of two links cut somewhere, host {sends} sends: {took:?}"));
        assert!(took.is_some_and(|took| took <= BACK), "{took:?}");
        assert!(flow.broken, "who reads is told that bytes are missing");
        assert!(hosts.iter().all(|host| sees_one(&world, *host)));
        let why =
            |event: &Event| matches!(event, Event::PeerDisconnected(_, _, DisconnectReason::NetworkChanged));
        assert!(told(&world, from, why));
    }
}

#[test]
fn a_receiver_that_is_killed_and_begins_anew_is_found_by_the_sender_within_three_seconds() {
    for sends in [0, 1] {
        let (mut world, a, b) = pair_of_hosts(1);
        let (lan, hosts) = (world.lan(), [a, b]);
        world.fabric.set_link(lan, slow());
        meet(&mut world, a, b);
        connect(&mut world, a, b);
        let (from, to) = (hosts[sends], hosts[1 - sends]);
        let old = conn(&world, from);
        let mut flow = Flow::begin(&mut world, from, to);
        flow.run(&mut world, Duration::from_secs(1));
        world.crash(to);
        let began = world.elapsed();
        // Whoever does not answer at all says nothing of what he forgot.
        world.run_for(Duration::from_secs(1));
        world.restart(to);
        world[to].app.events.clear();
        let anew = world.run_until(PATIENCE, |world| {
            conn(world, from) != old && conn(world, from).is_some() && conn(world, to).is_some()
        });
        let took = world.elapsed() - began;
        figure(format_args!("the receiver killed and begun anew, host {sends} sends: {took:?}"));
        assert!(anew && took <= BACK, "{took:?}");
        assert!(hosts.iter().all(|host| sees_one(&world, *host)));
    }
}

/// Whenever it comes back: the dial that was begun meanwhile may be answered first.
#[test]
fn a_network_that_is_silent_for_seconds_and_comes_back_ends_no_connection() {
    for (outage, sends) in (21..61).flat_map(|tenths| [(tenths * 100, 0), (tenths * 100, 1)]) {
        let (mut world, a, b) = pair_of_hosts(outage);
        let lan = world.lan();
        world.fabric.set_link(lan, slow());
        let before = connect(&mut world, a, b);
        let (from, to) = ([a, b][sends], [b, a][sends]);
        let mut flow = Flow::begin(&mut world, from, to);
        flow.run(&mut world, Duration::from_secs(1));
        world.fabric.set_link(lan, dead());
        flow.run(&mut world, Duration::from_millis(outage));
        world.fabric.set_link(lan, slow());
        let took = flow.next_byte(&mut world, PATIENCE);
        assert!(took.is_some_and(|took| took <= BACK), "{outage} ms of silence: {took:?}");
        flow.run(&mut world, Duration::from_secs(12));
        assert_eq!((conn(&world, a), conn(&world, b)), (Some(before.0), Some(before.1)), "{outage} ms");
        let others = |event: &Event| matches!(event, Event::PeerDisconnected(..));
        assert!(!told(&world, a, others) && !told(&world, b, others), "{outage} ms");
    }
}

/// A host that looks for a neighbour's hardware address keeps a few packets for him until he is found.
#[test]
fn packets_that_were_held_back_for_seconds_and_arrive_at_last_slow_nothing_down() {
    for sends in [0, 1] {
        let (mut world, a, b) = pair_of_hosts(1);
        let (lan, by) = (world.lan(), stranger(&mut world));
        world.fabric.set_link(lan, slow());
        connect(&mut world, a, b);
        let (from, to) = ([a, b][sends], [b, a][sends]);
        let mut flow = Flow::begin(&mut world, from, to);
        flow.run(&mut world, Duration::from_secs(1));
        world.lose(|_, _| true);
        flow.run(&mut world, Duration::from_millis(1_050));
        let kept = Rc::new(RefCell::new(Vec::new()));
        let queue = Rc::clone(&kept);
        world.lose(move |of, out| {
            let mut queue = queue.borrow_mut();
            if of == from && out.destination.port() != GROUP.1 && queue.len() < 3 {
                queue.push(out.payload.clone());
            }
            true
        });
        flow.run(&mut world, Duration::from_millis(5_250));
        world.lose_nothing();
        let way = [world.address(from), world.address(to)];
        for packet in kept.take() {
            forge(&mut world, by, way, &packet);
        }
        let before = flow.read;
        flow.run(&mut world, Duration::from_secs(2));
        figure(format_args!("{} bytes in the 2 s after packets came late", flow.read - before));
        assert!(flow.read - before > 800_000, "{}", flow.read - before);
    }
}
