//! Those who have no node: what they send is on the wire, with the source that it claims, and honest nodes
//! survive it.

use super::*;
use handfast_core::store::Role;
use handfast_tests::fabric::{Arrival, Outgoing};
use handfast_tests::forge::dns;
use handfast_tests::stranger::{Act, Misdeed, Puppet, Stranger};
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

/// The port of mDNS. RFC 6762 §3.
const MDNS_PORT: u16 = 5353;

/// A multicast of mDNS.
fn multicast(payload: Vec<u8>) -> Outgoing {
    let group = SocketAddr::from(([224, 0, 0, 251], MDNS_PORT));
    Outgoing { interface: Some(1), ..Outgoing::new(MDNS_PORT, group, payload) }
}

/// What a host announced of itself: the last response that it multicast.
fn announced(world: &World, host: Host) -> Vec<u8> {
    let mut sent = world.trace.sent.iter().rev().filter(|sent| sent.host == host);
    sent.find(|sent| dns::goodbye(&sent.bytes).is_some()).unwrap().bytes.clone()
}

#[test]
fn a_flood_is_on_the_wire_and_fills_no_table_and_hides_no_paired_peer() {
    const PEERS: usize = 16;
    let mut world = new_world(1);
    let mut small = config();
    small.max_discovered_peers = PEERS;
    let (one, two) = (identity(1), identity(2));
    let a = add(&mut world, small, &one, vec![record(&one, &two, Role::Host)]);
    let port = on_lan(&mut world, 1, "10.0.9.9/16");
    let mut rounds = 0;
    let flood = move |_: Instant, rng: &mut ChaCha12Rng| {
        rounds += 1;
        let one = |_| {
            let name = format!("{:016x}", rng.next_u64()).repeat(3)[..40].to_owned();
            let announcement = dns::announcement("test", &name, Ipv4Addr::new(10, 66, 66, 66), 10);
            Misdeed { fault: Fault::Flooded, as_if_from: None, out: multicast(announcement) }
        };
        Act { sends: (0..50).map(one).collect(), again: (rounds < 20).then_some(Duration::from_millis(100)) }
    };
    let mallory = world.invite(&[port], Box::new(flood));
    let b = add(&mut world, config(), &two, vec![record(&two, &one, Role::Joiner)]);
    let lan = world.lan();
    let mut most = 0;
    for _ in 0..20 {
        world.run_for(Duration::from_millis(100));
        most = most.max(world.tell(a, |node, _| node.peers().discovered().len()));
    }
    assert_eq!(most, PEERS, "it was believed, up to the limit");
    assert!(sees(&mut world, a, 2) && sees(&mut world, b, 1), "a friend stays in sight");
    assert_eq!((fired(&world, Fault::Flooded), world.fabric.sent(mallory, lan).multicasts), (1000, 1000));
    // What was announced for ten seconds is gone, and who is there is seen.
    world.run_for(secs(60));
    assert!(sees(&mut world, a, 2) && sees(&mut world, b, 1));
    assert_eq!(world.tell(a, |node, _| node.peers().discovered().len()), 1);
}

/// Sends all that he hears and overhears again, once, from his own address.
#[derive(Default)]
struct Replayer {
    again: Vec<Outgoing>,
    turns: u32,
}

impl Stranger for Replayer {
    fn heard(&mut self, _: Instant, arrival: &Arrival) {
        self.again.push(multicast(arrival.payload.to_vec()));
    }

    fn overheard(&mut self, _: Instant, _: Host, out: &Outgoing) -> Vec<Misdeed> {
        if !out.destination.ip().is_multicast() {
            self.again.push(Outgoing { source_ip: None, ..out.clone() });
        }
        Vec::new()
    }

    fn taps(&self) -> bool {
        true
    }

    fn act(&mut self, _: Instant, _: &mut ChaCha12Rng) -> Act {
        self.turns += 1;
        let again = |out| Misdeed { fault: Fault::Replayed, as_if_from: None, out };
        let sends = self.again.drain(..).take(100).map(again).collect();
        Act { sends, again: (self.turns < 100).then_some(Duration::from_millis(50)) }
    }
}

#[test]
fn what_was_said_once_may_be_said_again_and_changes_nothing() {
    let (mut world, a, b) = pair_of_hosts(1);
    let port = on_lan(&mut world, 1, "10.0.9.9/16");
    let mallory = world.invite(&[port], Box::<Replayer>::default());
    connect(&mut world, a, b);
    world.run_for(secs(30));
    let honest = sent_since(&world, a, Duration::ZERO);
    let replayed = sent_since(&world, mallory, Duration::ZERO);
    let of_a = |sent: &&&Sent| honest.iter().any(|first| first.at < sent.at && first.bytes == sent.bytes);
    let quic = replayed.iter().filter(|sent| sent.destination == world.address(b)).filter(of_a).count();
    assert!(quic > 3, "{quic}");
    let ip = Ipv4Addr::new(10, 0, 9, 9);
    assert!(replayed.iter().all(|sent| sent.source.ip() == ip), "in his own name");
    assert_eq!(fired(&world, Fault::Replayed), replayed.len() as u64);
    for host in [a, b] {
        assert!(!told(&world, host, |event| matches!(event, Event::PeerDisconnected(..))));
        assert_eq!(world.tell(host, |node, _| node.peers().connected().len()), 1);
        assert_eq!(world.tell(host, |node, _| node.peers().discovered().len()), 1);
    }
}

#[test]
fn a_goodbye_in_anothers_name_is_on_the_wire_in_his_name_and_does_not_last() {
    let (mut world, a, b) = two_hosts();
    world.run_for(SOON);
    let port = on_lan(&mut world, 1, "10.0.9.9/16");
    let mallory = world.invite(&[port], Box::new(Puppet));
    let source = SocketAddr::new(world.address(b).ip(), MDNS_PORT);
    let out = multicast(dns::goodbye(&announced(&world, b)).unwrap());
    let since = world.elapsed();
    world.misbehave(mallory, Misdeed { fault: Fault::Forged, as_if_from: Some(source), out });
    world.run_for(secs(30));
    assert_eq!(
        sent_since(&world, mallory, since).iter().map(|sent| sent.source).collect::<Vec<_>>(),
        [source]
    );
    assert!(!sent_since(&world, b, since).is_empty(), "who hears that he is gone says that he is not");
    assert!(sees(&mut world, a, 2) && sees(&mut world, b, 1));
    assert_eq!(fired(&world, Fault::Forged), 1);
}

#[test]
fn a_peer_that_is_announced_where_it_is_not_is_reached_where_it_is() {
    let (mut world, a, b) = pair_of_hosts(1);
    world.run_for(SOON);
    let nowhere = Ipv4Addr::new(10, 0, 66, 66);
    let lie = dns::moved(&announced(&world, b), nowhere).unwrap();
    let port = on_lan(&mut world, 1, "10.0.9.9/16");
    let mallory = world.invite(&[port], Box::new(Puppet));
    let since = world.elapsed();
    world.misbehave(mallory, Misdeed { fault: Fault::Lied, as_if_from: None, out: multicast(lie) });
    world.run_for(Duration::from_millis(5));
    assert_eq!(sent_since(&world, mallory, since)[0].source, SocketAddr::from(([10, 0, 9, 9], MDNS_PORT)));
    let peer = name(&identity(2));
    world.tell(a, |node, now| node.connect(now, peer)).unwrap();
    assert!(world.run_until(SOON * 2, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    let found = world.tell(a, |node, _| node.peers().discovered());
    let (true_ip, heard) = (world.address(b).ip(), found[0].addresses.iter().map(|at| at.address.ip()));
    assert!(heard.clone().any(|ip| ip == true_ip), "{:?}", heard.collect::<Vec<_>>());
    assert_eq!(fired(&world, Fault::Lied), 1);
}
