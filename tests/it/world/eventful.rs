//! One world in which everything goes wrong that can, and that ends well.

use super::*;
use bytes::Bytes;
use handfast_core::Target;
use handfast_tests::app::Hook;
use handfast_tests::fabric::{BridgeState, Depends, Firewall, Link, Nat, Outgoing, PerMille, Router};
use handfast_tests::forge::dns;
use handfast_tests::machine::Setup;
use handfast_tests::store::StoreFault;
use handfast_tests::stranger::{Misdeed, Puppet};
use handfast_tests::trace::Detail;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The port of mDNS. RFC 6762 §3.
const MDNS_PORT: u16 = 5353;

/// Plays a world in which every kind of fault fires at least once.
pub(crate) fn play(seed: u64) -> World {
    let mut world = World::seeded(seed);
    world.trace.keep(Detail::Datagrams);
    let hosts = gather(&mut world);
    ail_the_network(&mut world);
    ail_the_hosts(&mut world, hosts);
    ail_the_pairing(&mut world, hosts);
    misbehave(&mut world, hosts);
    pass_nats(&mut world);
    world.run_for(secs(60));
    world
}

/// Three hosts that never met: two on the LAN, the third, whose calendar is wrong, behind a bridge.
fn gather(world: &mut World) -> [Host; 3] {
    let [a, b] = [1, 2].map(|number| world.add(config(), &identity(number), vec![]));
    let lan = world.lan();
    let upstairs = world.fabric.segment(Link::default());
    let bridge = world.fabric.bridge(lan, upstairs);
    let guests = world.fabric.segment(Link::default());
    world.fabric.reflector(upstairs, guests);
    let port = Port { interface: 1, segment: upstairs, addresses: addresses("10.0.5.1/16") };
    let mut setup = Setup::new("upstairs", config(), Arc::new(identity(3))).with_port(port);
    setup.skew_s = -86_400;
    let c = world.boot(setup, Default::default());
    let listener = Port { interface: 1, segment: guests, addresses: addresses("10.7.0.1/16") };
    world.invite(&[listener], Box::new(Puppet));
    world.run_for(SOON);
    world.fabric.set_bridge(bridge, BridgeState::Down);
    world.tell(a, |node, now| node.handle_wake(now, secs(1)));
    world.run_for(SOON);
    world.fabric.set_bridge(bridge, BridgeState::Up);
    [a, b, c]
}

/// Links that lose, delay, repeat, shuffle, queue and swallow, and a partition.
fn ail_the_network(world: &mut World) {
    let lan = world.lan();
    let hosts: Vec<Host> = world.machines().map(|(host, _)| host).collect();
    let ms = Duration::from_millis;
    let calm = Link::default();
    let wild = calm.with_jitter(ms(20)).with_loss(PerMille(100)).with_duplicate(PerMille(200));
    let slow = calm.with_bandwidth(3_000, ms(500));
    for link in [wild.with_reorder(PerMille(300), ms(50)), slow, calm.with_mtu(600)] {
        world.fabric.set_link(lan, link);
        start_pairing(world, hosts[0], hosts[1]);
        world.run_for(secs(20));
        // Whether they paired by then or not.
        for host in &hosts[..2] {
            for other in [1, 2] {
                world.tell(*host, |node, now| node.pairing().forget(now, name(&identity(other))));
            }
        }
        world.run_for(secs(150));
    }
    world.fabric.set_link(lan, calm);
    world.fabric.partition(lan, vec![vec![hosts[0]], vec![hosts[1]]]);
    world.tell(hosts[0], |node, now| node.handle_wake(now, secs(1)));
    world.run_for(SOON);
    world.fabric.heal(lan);
    let nowhere = Target::At(vec!["192.0.2.1:9".parse().unwrap()]);
    world.tell(hosts[0], |node, now| node.pairing().host(now, &nowhere).unwrap());
    world.run_for(secs(200));
}

/// Interfaces, power, clocks.
fn ail_the_hosts(world: &mut World, [a, b, c]: [Host; 3]) {
    world.take_down(a, 1);
    world.run_for(SOON);
    let port = on_lan(world, 1, "10.0.0.2/16");
    world.bring_up(a, port);
    world.renumber(b, 1, addresses("10.0.6.6/16"));
    world.suspend(c);
    world.run_for(secs(600));
    world.resume(c);
    world.jump_clock(a, 1_000_000);
    world.crash_for(b, secs(2));
    world.run_for(secs(30));
}

/// Stores and hooks, in one pairing each.
fn ail_the_pairing(world: &mut World, [a, b, _]: [Host; 3]) {
    for fate in
        [StoreFault::Fail, StoreFault::FailWritten, StoreFault::Stall(secs(2)), StoreFault::CrashAfter]
    {
        world[a].store.script = [Some(fate)].into();
        start_pairing(world, a, b);
        world.run_for(SOON);
        world.restart(a);
        world.run_for(secs(150));
        forget(world, [a, b]);
    }
    for (hook, panics) in
        [(Hook::Fail, false), (Hook::Stall(SOON), false), (Hook::Hang, false), (Hook::Fail, true)]
    {
        (world[b].app.hooks, world[b].app.hooks_panic) = (hook, panics);
        start_pairing(world, a, b);
        world.run_for(secs(150));
        forget(world, [a, b]);
    }
    (world[b].app.hooks, world[b].app.hooks_panic) = (Hook::Succeed, false);
    start_pairing(world, a, b);
    world.run_for(SOON);
}

fn forget(world: &mut World, hosts: [Host; 2]) {
    for (host, other) in [(hosts[0], 2), (hosts[1], 1)] {
        world.tell(host, |node, now| node.pairing().forget(now, name(&identity(other))));
    }
    world.run_for(secs(30));
}

/// A stranger who says a little of everything.
fn misbehave(world: &mut World, [a, ..]: [Host; 3]) {
    let port = on_lan(world, 1, "10.0.9.9/16");
    let mallory = world.invite(&[port], Box::new(Puppet));
    let source = SocketAddr::new(world.address(a).ip(), MDNS_PORT);
    let group = SocketAddr::from(([224, 0, 0, 251], MDNS_PORT));
    let heard = world.trace.sent.iter().rev().filter(|sent| sent.host == a).map(|sent| &sent.bytes);
    let said = heard.clone().find(|bytes| dns::goodbye(bytes).is_some()).unwrap().clone();
    let here = Ipv4Addr::new(10, 0, 9, 9);
    for (fault, as_if_from, payload) in [
        (Fault::Flooded, None, dns::announcement("test", &"ab".repeat(20), here, 60)),
        (Fault::Replayed, None, said.clone()),
        (Fault::Forged, Some(source), dns::goodbye(&said).unwrap()),
        (Fault::Lied, None, dns::moved(&said, here).unwrap()),
    ] {
        let out = Outgoing { interface: Some(1), ..Outgoing::new(MDNS_PORT, group, payload) };
        world.misbehave(mallory, Misdeed { fault, as_if_from, out });
        world.run_for(SOON);
    }
}

/// Datagrams through NATs of every kind.
fn pass_nats(world: &mut World) {
    let internet = world.fabric.internet();
    let outside = |ip: &str| Port { interface: 1, segment: internet, addresses: addresses(ip) };
    let [x, y] = ["192.0.2.1/24", "192.0.2.2/24"].map(|ip| world.invite(&[outside(ip)], Box::new(Puppet)));
    let remote = |last: u8| SocketAddr::from(([192, 0, 2, last], 7));
    for (number, filtering) in
        [Depends::Independent, Depends::Address, Depends::AddressAndPort].into_iter().enumerate()
    {
        let home = world.fabric.segment(Link::default());
        let nat = Nat::new(Ipv4Addr::new(203, 0, 113, 1 + number as u8))
            .with_mapping(filtering)
            .with_filtering(filtering);
        let router = world.fabric.router(home, Router::Nat { nat, firewall: Firewall::Open });
        let port = Port { interface: 1, segment: home, addresses: addresses("192.168.1.9/24") };
        let inside = world.invite(&[port], Box::new(Puppet));
        let send = |world: &mut World, from: Host, source_port: u16, to: SocketAddr| {
            let now = world.now();
            world
                .fabric
                .send(now, from, Outgoing::new(source_port, to, Bytes::from_static(b"hello")))
                .unwrap();
            world.run_for(Duration::from_millis(10));
        };
        send(world, inside, 9, remote(1));
        let mapped = world.fabric.mapped(router, "192.168.1.9:9".parse().unwrap(), remote(1)).unwrap();
        for (from, source_port) in [(x, 7), (x, 8), (y, 7)] {
            send(world, from, source_port, mapped);
        }
        send(world, inside, 9, remote(2));
        world.fabric.rebind(router);
        send(world, inside, 9, remote(1));
    }
}

#[test]
fn everything_goes_wrong_in_one_world_and_it_ends_well() {
    let mut world = play(1);
    let silent: Vec<Fault> = world.tally().silent().collect();
    assert!(silent.is_empty(), "these never happened: {silent:?}");
    let [a, b]: [Host; 2] = [Host(0), Host(1)];
    for host in [a, b] {
        let [in_node, _, in_store] = paired(&mut world, host);
        assert_eq!((in_node, in_store), (1, 1), "{host:?}");
    }
    for host in [a, b, Host(2)] {
        let seen = [1, 2, 3].map(|other| sees(&mut world, host, other));
        assert_eq!(seen.iter().filter(|sees| **sees).count(), 2, "{host:?} sees {seen:?}");
    }
}
