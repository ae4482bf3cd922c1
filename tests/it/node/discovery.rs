//! Nodes that find each other on one LAN.

use super::support::*;
use handfast_core::{Advertise, DiscoveredPeer, Event, Metadata, PeerId, PeerIdKind};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;
use std::time::Duration;

/// Within which two nodes see each other, whichever started first: two random delays of up to 120 ms
/// (RFC 6762 §5.2, §6), and the way there and back.
const AT_ONCE: Duration = Duration::from_millis(260);

fn discovered(world: &World, host: Host) -> Vec<DiscoveredPeer> {
    let found = world[host].app.events.iter().filter_map(|event| match event {
        Event::PeerDiscovered(peer) => Some(peer.clone()),
        _ => None,
    });
    found.collect()
}

fn expired(world: &World, host: Host, id: PeerId) -> bool {
    world[host].app.events.contains(&Event::PeerExpired(id))
}

#[test]
fn two_nodes_see_each_other_at_once_and_not_themselves() {
    for seed in 0..20 {
        let mut world = new_world(seed);
        let a = add(&mut world, config().with_metadata(Metadata::named("laptop")), &identity(1), vec![]);
        world.run_for(Duration::from_secs(30));
        let b = add(&mut world, config(), &identity(2), vec![]);
        let seen = world
            .run_until(AT_ONCE, |world| !discovered(world, a).is_empty() && !discovered(world, b).is_empty());
        assert!(seen, "seed {seed}: not within {AT_ONCE:?}");
        world.run_for(Duration::from_secs(10));
        let of_b = discovered(&world, b);
        assert_eq!(of_b.len(), 1, "found once, and nobody else");
        assert_eq!((of_b[0].id, of_b[0].name.as_str()), (name(&identity(1)), "laptop"));
        assert_eq!(of_b[0].fingerprint, Some(identity(1).fingerprint()));
        assert_eq!(of_b[0].addresses[0].address, world.address(a));
        assert_eq!(discovered(&world, a)[0].id, name(&identity(2)));
    }
}

#[test]
fn a_peer_that_says_goodbye_expires_after_one_second() {
    let mut world = new_world(1);
    let a = add(&mut world, config(), &identity(1), vec![]);
    let b = add(&mut world, config(), &identity(2), vec![]);
    assert!(world.run_until(SOON, |world| !discovered(world, a).is_empty()));
    world.run_for(SOON);
    let goodbye = world.elapsed();
    world.tell(b, |node, now| node.shutdown(now));
    assert!(world.run_until(SOON, |world| expired(world, a, name(&identity(2)))));
    let after = world.elapsed() - goodbye;
    assert!((Duration::from_secs(1)..Duration::from_millis(1_300)).contains(&after), "{after:?}");
}

#[test]
fn what_a_node_does_not_advertise_is_not_seen() {
    let mut world = new_world(1);
    let mut advertise = Advertise::default();
    (advertise.name, advertise.fingerprint) = (false, false);
    let quiet = config().with_metadata(Metadata::named("secret")).with_advertise(advertise);
    add(&mut world, quiet, &identity(1), vec![]);
    let mut silent = Advertise::default();
    silent.enabled = false;
    add(&mut world, config().with_advertise(silent), &identity(3), vec![]);
    let b = add(&mut world, config(), &identity(2), vec![]);
    world.run_for(SOON);
    let found = discovered(&world, b);
    assert_eq!(found.len(), 1, "who does not advertise is not found");
    assert_eq!((found[0].name.as_str(), found[0].fingerprint), ("", None));
}

#[test]
fn both_forms_of_peer_id_are_read_by_every_node() {
    let mut world = new_world(1);
    let a = add(&mut world, config().with_peer_id(PeerIdKind::Sha256), &identity(1), vec![]);
    let b = add(&mut world, config(), &identity(2), vec![]);
    world.run_for(SOON);
    assert_eq!(discovered(&world, b)[0].id, identity(1).peer_id(PeerIdKind::Sha256));
    assert_eq!(discovered(&world, a)[0].id, identity(2).peer_id(PeerIdKind::Sha1));
}

#[test]
fn another_application_is_not_seen() {
    let mut world = new_world(1);
    let other = handfast_core::Config::new(handfast_core::ServiceName::new("other").unwrap());
    add(&mut world, other, &identity(1), vec![]);
    let b = add(&mut world, config(), &identity(2), vec![]);
    world.run_for(SOON);
    assert_eq!(discovered(&world, b), []);
}

#[test]
fn a_quiet_lan_stays_quiet() {
    let mut world = new_world(1);
    let a = add(&mut world, config(), &identity(1), vec![]);
    add(&mut world, config(), &identity(2), vec![]);
    world.run_for(Duration::from_secs(60));
    let sent = |world: &World| world.fabric.all_sent().map(|(.., sent)| sent.datagrams).sum::<u64>();
    let before = sent(&world);
    world.run_for(Duration::from_secs(3600));
    // Each browses with gaps that double up to an hour, and asks for what nobody else asked for: a few
    // questions an hour, and their answers.
    let sent = sent(&world) - before;
    assert!(sent <= 40, "{sent} datagrams in an hour");
    assert!(!expired(&world, a, name(&identity(2))), "and yet nobody is lost");
}

#[test]
fn a_paired_peer_that_is_found_can_be_connected_to_without_an_address() {
    let (mut world, a, b) = pair_of_hosts(1);
    let peer = name(&identity(2));
    assert!(world.run_until(SOON, |world| !discovered(world, a).is_empty()));
    assert!(discovered(&world, a)[0].paired);
    world.tell(a, |node, now| node.connect(now, peer)).unwrap();
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
}

#[test]
fn a_node_that_slept_while_a_peer_left_loses_it_ten_seconds_after_waking() {
    for slept in [Duration::from_secs(60), Duration::from_secs(8 * 3600)] {
        let (mut world, a, b) = pair_of_hosts(1);
        assert!(world.run_until(SOON, |world| !discovered(world, a).is_empty()));
        world.run_for(SOON);
        world.suspend(a);
        world.crash(b);
        world.run_for(slept);
        world.resume(a);
        let woke = world.elapsed();
        assert!(world.run_until(SOON * 4, |world| expired(world, a, name(&identity(2)))));
        // What nobody confirms within ten seconds is gone. RFC 6762 §10.4.
        assert_eq!((world.elapsed() - woke).as_secs(), 10);
    }
}

#[test]
fn a_node_that_slept_hears_within_two_seconds_that_a_peer_stayed() {
    let (mut world, a, b) = pair_of_hosts(1);
    assert!(world.run_until(SOON, |world| !discovered(world, a).is_empty()));
    world.run_for(SOON);
    world.suspend(a);
    world.run_for(Duration::from_secs(8 * 3600));
    // Its first questions are not answered.
    world.lose(move |from, _| from == b);
    world.resume(a);
    world.run_for(Duration::from_secs(1));
    world.lose_nothing();
    let before = world.trace.sent.len();
    assert!(world.run_until(Duration::from_secs(2), |world| {
        world.trace.sent[before..].iter().any(|sent| sent.host == b)
    }));
    world.run_for(SOON * 4);
    assert!(!expired(&world, a, name(&identity(2))), "the peer answered again");
    assert_eq!(world.tell(a, |node, _| node.peers().discovered().len()), 1);
}
