//! Nodes that find each other on one LAN.

use super::support::*;
use handfast_core::{Advertise, DiscoveredPeer, Event, Metadata, PeerId, PeerIdKind};
use handfast_tests::net::{Host, Net};
use std::time::{Duration, Instant};

/// Within which two nodes see each other, whichever started first: two random delays of up to 120 ms
/// (RFC 6762 §5.2, §6), and the way there and back.
const AT_ONCE: Duration = Duration::from_millis(260);

fn discovered(net: &Net, host: Host) -> Vec<DiscoveredPeer> {
    let found = net.hosts[host.0].events.iter().filter_map(|event| match event {
        Event::PeerDiscovered(peer) => Some(peer.clone()),
        _ => None,
    });
    found.collect()
}

fn expired(net: &Net, host: Host, id: PeerId) -> bool {
    net.hosts[host.0].events.contains(&Event::PeerExpired(id))
}

#[test]
fn two_nodes_see_each_other_at_once_and_not_themselves() {
    for seed in 0..20 {
        let mut net = Net::new(Instant::now());
        let a = net.add(config().with_metadata(Metadata::named("laptop")), &identity(1), seed, vec![]);
        net.run_for(Duration::from_secs(30));
        let b = net.add(config(), &identity(2), seed + 1, vec![]);
        let seen =
            net.run_until(AT_ONCE, |net| !discovered(net, a).is_empty() && !discovered(net, b).is_empty());
        assert!(seen, "seed {seed}: not within {AT_ONCE:?}");
        net.run_for(Duration::from_secs(10));
        let of_b = discovered(&net, b);
        assert_eq!(of_b.len(), 1, "found once, and nobody else");
        assert_eq!((of_b[0].id, of_b[0].name.as_str()), (name(&identity(1)), "laptop"));
        assert_eq!(of_b[0].fingerprint, Some(identity(1).fingerprint()));
        assert_eq!(of_b[0].addresses[0].address, net.address(a));
        assert_eq!(discovered(&net, a)[0].id, name(&identity(2)));
    }
}

#[test]
fn a_peer_that_says_goodbye_expires_after_one_second() {
    let mut net = Net::new(Instant::now());
    let a = net.add(config(), &identity(1), 1, vec![]);
    let b = net.add(config(), &identity(2), 2, vec![]);
    assert!(net.run_until(SOON, |net| !discovered(net, a).is_empty()));
    net.run_for(SOON);
    let goodbye = net.elapsed();
    net.tell(b, |node, now| node.shutdown(now));
    assert!(net.run_until(SOON, |net| expired(net, a, name(&identity(2)))));
    let after = net.elapsed() - goodbye;
    assert!((Duration::from_secs(1)..Duration::from_millis(1_300)).contains(&after), "{after:?}");
}

#[test]
fn what_a_node_does_not_advertise_is_not_seen() {
    let mut net = Net::new(Instant::now());
    let mut advertise = Advertise::default();
    (advertise.name, advertise.fingerprint) = (false, false);
    let quiet = config().with_metadata(Metadata::named("secret")).with_advertise(advertise);
    net.add(quiet, &identity(1), 1, vec![]);
    let mut silent = Advertise::default();
    silent.enabled = false;
    net.add(config().with_advertise(silent), &identity(3), 3, vec![]);
    let b = net.add(config(), &identity(2), 2, vec![]);
    net.run_for(SOON);
    let found = discovered(&net, b);
    assert_eq!(found.len(), 1, "who does not advertise is not found");
    assert_eq!((found[0].name.as_str(), found[0].fingerprint), ("", None));
}

#[test]
fn both_forms_of_peer_id_are_read_by_every_node() {
    let mut net = Net::new(Instant::now());
    let a = net.add(config().with_peer_id(PeerIdKind::Sha256), &identity(1), 1, vec![]);
    let b = net.add(config(), &identity(2), 2, vec![]);
    net.run_for(SOON);
    assert_eq!(discovered(&net, b)[0].id, identity(1).peer_id(PeerIdKind::Sha256));
    assert_eq!(discovered(&net, a)[0].id, identity(2).peer_id(PeerIdKind::Sha1));
}

#[test]
fn another_application_is_not_seen() {
    let mut net = Net::new(Instant::now());
    let other = handfast_core::Config::new(handfast_core::ServiceName::new("other").unwrap());
    net.add(other, &identity(1), 1, vec![]);
    let b = net.add(config(), &identity(2), 2, vec![]);
    net.run_for(SOON);
    assert_eq!(discovered(&net, b), []);
}

#[test]
fn a_quiet_lan_stays_quiet() {
    let mut net = Net::new(Instant::now());
    let a = net.add(config(), &identity(1), 1, vec![]);
    net.add(config(), &identity(2), 2, vec![]);
    net.run_for(Duration::from_secs(60));
    let before = net.trace.len();
    net.run_for(Duration::from_secs(3600));
    // Each browses with gaps that double up to an hour, and asks for what nobody else asked for: a few
    // questions an hour, and their answers.
    let sent = net.trace.len() - before;
    assert!(sent <= 40, "{sent} datagrams in an hour");
    assert!(!expired(&net, a, name(&identity(2))), "and yet nobody is lost");
}

#[test]
fn a_paired_peer_that_is_found_can_be_connected_to_without_an_address() {
    let (mut net, a, b) = pair_of_hosts(1);
    let peer = name(&identity(2));
    assert!(net.run_until(SOON, |net| !discovered(net, a).is_empty()));
    assert!(discovered(&net, a)[0].paired);
    net.tell(a, |node, now| node.connect(now, peer)).unwrap();
    assert!(net.run_until(SOON, |net| conn(net, a).is_some() && conn(net, b).is_some()));
}

#[test]
fn a_node_that_slept_while_a_peer_left_is_told_within_two_seconds_of_waking() {
    let (mut net, a, _) = pair_of_hosts(1);
    assert!(net.run_until(SOON, |net| !discovered(net, a).is_empty()));
    net.run_for(SOON);
    // The peer is gone without a goodbye that anybody heard.
    net.lose = Some(Box::new(|from, _| from.0 == 1));
    net.run_for(Duration::from_secs(1));
    net.tell(a, |node, now| node.handle_wake(now, Duration::from_secs(8 * 3600)));
    net.lose = None;
    assert!(net.run_until(Duration::from_secs(2), |net| {
        net.trace.iter().rev().take_while(|(from, ..)| from.0 == 0).count() > 0
    }));
    assert_eq!(net.tell(a, |node, _| node.peers().discovered().len()), 1, "the peer answered again");
}
