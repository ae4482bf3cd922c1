//! Hosts whose system, interfaces, clocks or power fail them.

use super::*;
use handfast_core::{Family, Now};
use handfast_tests::app::{App, Context, Recorder};
use handfast_tests::machine::Setup;
use std::net::IpAddr;
use std::sync::Arc;

/// Two hosts with IPv4 and IPv6.
fn dual() -> (World, Host, Host) {
    let mut world = new_world(1);
    let lan = world.lan();
    let add = |world: &mut World, number: u8| {
        let texts = [format!("10.0.0.{number}/16"), format!("fe80::{number}/64")];
        let port =
            Port { interface: 1, segment: lan, addresses: texts.iter().map(|text| address(text)).collect() };
        let setup = Setup::new(format!("host-{number}"), config(), Arc::new(identity(number)));
        world.boot(setup.with_port(port), Recorder::default())
    };
    let (a, b) = (add(&mut world, 1), add(&mut world, 2));
    world.run_for(SOON);
    (world, a, b)
}

#[test]
fn a_host_that_is_refused_one_ip_version_speaks_the_other_and_is_found() {
    for refused in [Family::V4, Family::V6] {
        let (mut world, a, b) = dual();
        assert_eq!(fired(&world, Fault::SocketRefused), 0);
        world.crash(a);
        world[a].refused.insert(refused);
        let since = world.elapsed();
        world.restart(a);
        world.run_for(secs(60));
        assert!(fired(&world, Fault::SocketRefused) >= 2, "its socket of QUIC, and that of mDNS");
        let speaks = |host: Host, family: Family| {
            sent_since(&world, host, since).iter().any(|sent| Family::of(sent.source.ip()) == family)
        };
        assert!(!speaks(a, refused) && speaks(b, refused));
        assert!(sees(&mut world, a, 2) && sees(&mut world, b, 1), "without {refused:?}");
    }
}

#[test]
fn a_host_that_loses_its_interface_falls_silent_and_is_given_up() {
    let (mut world, a, b) = two_hosts();
    world.run_for(SOON);
    assert!(sees(&mut world, b, 1));
    world.take_down(a, 1);
    let since = world.elapsed();
    let lan = world.lan();
    let before = world.fabric.sent(a, lan);
    assert!(!sees(&mut world, a, 2), "who has no interface sees nobody");
    // The pointer to it lives for 75 minutes. RFC 6762 §10.
    world.run_for(secs(4_500));
    assert_eq!(sent_since(&world, a, since), [] as [&Sent; 0]);
    assert_eq!(world.fabric.sent(a, lan), before, "nothing on the wire either");
    assert!(!sees(&mut world, b, 1));
    assert_eq!(fired(&world, Fault::InterfaceDown), 1);
    world.take_down(a, 1);
    assert_eq!(fired(&world, Fault::InterfaceDown), 1, "what is gone is not lost again");
}

#[test]
fn a_host_that_gets_its_interface_back_is_found_again() {
    let (mut world, a, b) = two_hosts();
    world.run_for(SOON);
    world.take_down(a, 1);
    world.run_for(secs(130));
    let port = on_lan(&mut world, 1, "10.0.0.2/16");
    let since = world.elapsed();
    world.bring_up(a, port);
    world.run_for(SOON);
    assert!(!sent_since(&world, a, since).is_empty());
    assert!(sees(&mut world, a, 2) && sees(&mut world, b, 1));
    assert_eq!(fired(&world, Fault::InterfaceUp), 1);
}

#[test]
fn a_renumbered_interface_sends_from_its_new_address_alone() {
    let (mut world, a, b) = two_hosts();
    world.run_for(SOON);
    let old = world.address(a);
    let since = world.elapsed();
    world.renumber(a, 1, addresses("10.0.77.7/16"));
    world.run_for(SOON);
    let new: IpAddr = "10.0.77.7".parse().unwrap();
    let sent = sent_since(&world, a, since);
    assert!(!sent.is_empty() && sent.iter().all(|sent| sent.source.ip() == new));
    let found = world.tell(b, |node, _| node.peers().discovered());
    let addresses: Vec<IpAddr> = found[0].addresses.iter().map(|at| at.address.ip()).collect();
    assert!(addresses.contains(&new) && !addresses.contains(&old.ip()), "{addresses:?}");
    assert_eq!(fired(&world, Fault::Renumbered), 1);
}

/// An application that notes when its timers fire, by its own clock.
#[derive(Default)]
struct Ticker {
    began: Option<Now>,
    ticks: Vec<Duration>,
}

impl App for Ticker {
    fn started(&mut self, cx: &mut Context<'_>) {
        self.began = Some(cx.now);
        cx.set_timer(secs(10), 1);
        cx.set_timer(secs(4000), 2);
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: u64) {
        self.ticks.extend(self.began.map(|began| cx.now.mono - began.mono));
    }
}

#[test]
fn the_timers_of_a_host_that_sleeps_stand_still() {
    let mut world = World::<Ticker>::seeded(1);
    let host = world.add_with(config(), Arc::new(identity(1)), vec![], Ticker::default());
    world.run_for(secs(4));
    world.suspend(host);
    world.run_for(secs(3600));
    world.resume(host);
    world.run_for(secs(5));
    assert_eq!(world[host].app.ticks, [] as [Duration; 0], "six seconds were left when it fell asleep");
    world.run_for(secs(1));
    assert_eq!(world[host].app.ticks, [secs(10)]);
    world.run_for(secs(3990));
    assert_eq!(world[host].app.ticks, [secs(10), secs(4000)]);
}

#[test]
fn a_host_that_sleeps_hears_and_says_nothing_and_is_told_how_long_it_slept() {
    let (mut world, a, b) = two_hosts();
    world.run_for(SOON);
    let (events, since) = (world[a].app.events.len(), world.elapsed());
    world.suspend(a);
    world.suspend(a);
    assert!(world[a].is_asleep());
    // B leaves, and says so to somebody who does not listen.
    world.shut_down(b);
    world.run_for(secs(600));
    assert_eq!((world[a].app.events.len(), sent_since(&world, a, since).len()), (events, 0));
    let before = world.host_now(a);
    world.resume(a);
    let after = world.host_now(a);
    assert_eq!(after.mono, before.mono - secs(600), "its monotonic clock stood still");
    assert_eq!(after.wall, before.wall, "and its calendar did not");
    world.run_for(secs(2));
    assert!(!sent_since(&world, a, since).is_empty(), "it says that it is back, and asks who is there");
    assert!(world.trace.story.iter().any(|line| line.ends_with("wakes after 600s")));
    assert_eq!(fired(&world, Fault::Suspended), 1, "who sleeps does not fall asleep");
}

/// Two hosts of which the first one's calendar is ahead, by seconds.
fn skewed(seconds: i64) -> (World, Host, Host) {
    let mut world = new_world(1);
    let port = on_lan(&mut world, 1, "10.0.0.1/16");
    let mut setup = Setup::new("skewed", config(), Arc::new(identity(1))).with_port(port);
    setup.skew_s = seconds;
    let a = world.boot(setup, Recorder::default());
    let b = add(&mut world, config(), &identity(2), vec![]);
    (world, a, b)
}

#[test]
fn hosts_whose_calendars_differ_by_a_generation_pair_and_connect() {
    for seconds in [-1_000_000_000_i64, 1_000_000_000] {
        let (mut world, a, b) = skewed(seconds);
        let (of_a, of_b) = (world.host_now(a), world.host_now(b));
        assert_eq!(of_a.wall.as_micros() as i64 - of_b.wall.as_micros() as i64, seconds * 1_000_000);
        assert_eq!(of_a.mono, of_b.mono, "it is no faster");
        start_pairing(&mut world, a, b);
        assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
        assert_eq!(fired(&world, Fault::ClockSkewed), 1);
    }
}

#[test]
fn a_calendar_that_jumps_breaks_no_connection_and_delays_no_timer() {
    for seconds in [-1_000_000_000_i64, 1_000_000_000] {
        let (mut world, a, b) = pair_of_hosts(1);
        connect(&mut world, a, b);
        let before = world.host_now(a);
        world.jump_clock(a, seconds);
        let after = world.host_now(a);
        assert_eq!(after.wall.as_micros() as i64 - before.wall.as_micros() as i64, seconds * 1_000_000);
        assert_eq!(after.mono, before.mono);
        world.run_for(config().idle_timeout * 3);
        assert!(!told(&world, a, |event| matches!(event, Event::PeerDisconnected(..))));
        assert!(!told(&world, a, |event| matches!(event, Event::PeerExpired(..))));
        assert_eq!(fired(&world, Fault::ClockJumped), 1);
    }
}

#[test]
fn a_node_that_crashes_says_no_goodbye_and_its_peer_notices_by_its_silence() {
    let (mut world, a, b) = pair_of_hosts(1);
    connect(&mut world, a, b);
    let since = world.elapsed();
    world.crash(b);
    world.crash(b);
    let gone = |world: &World| told(world, a, |event| matches!(event, Event::PeerDisconnected(..)));
    world.run_for(config().idle_timeout - config().keep_alive - secs(1));
    assert!(!gone(&world));
    world.run_for(config().keep_alive + secs(2));
    assert!(gone(&world));
    assert_eq!(sent_since(&world, b, since), [] as [&Sent; 0]);
    assert_eq!(fired(&world, Fault::Crashed), 1, "who crashed does not crash");
}

#[test]
fn a_node_that_restarts_has_what_its_store_held_and_says_other_bytes() {
    let (mut world, a, b) = pair_of_hosts(1);
    connect(&mut world, a, b);
    let first =
        sent_since(&world, b, Duration::ZERO).iter().map(|sent| sent.bytes.clone()).collect::<Vec<_>>();
    world.crash_for(b, secs(60));
    world.run_for(secs(59));
    assert!(!world[b].is_up());
    world[b].app.events.clear();
    world.run_for(secs(1));
    assert!(world[b].is_up());
    let again = world.elapsed();
    dial(&mut world, (b, &identity(1)), a);
    assert!(world.run_until(SOON, |world| conn(world, b).is_some()));
    let quic = |bytes: &[u8]| bytes.len() >= 1200;
    let second = sent_since(&world, b, again);
    let mut large = second.iter().filter(|sent| quic(&sent.bytes)).peekable();
    assert!(
        large.peek().is_some() && large.all(|sent| !first.contains(&sent.bytes)),
        "no two lives draw the same"
    );
    assert_eq!(fired(&world, Fault::Restarted), 1);
    world.restart(b);
    assert_eq!(fired(&world, Fault::Restarted), 1, "who runs does not restart");
}
