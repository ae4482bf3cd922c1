//! What a flood of forged records does to those who are known, and to who comes meanwhile.

use super::hostile::*;
use super::lan::*;
use super::*;
use crate::mdns::guard::Refused;
use crate::mdns::records::{Record, Ttl};

/// A node with a larger cache, past its first questions. Node 1 is a peer that it needs, node 2 one
/// that it knows, and node 3 one that says something later.
fn before_a_flood() -> Lan {
    let mut lan = Lan::ethernet();
    lan.silent_node();
    lan.nodes[0] = Mdns::new(Limits { cached_records: 1024 }, rng(1));
    let (now, addresses) = (lan.time(), lan.addresses(0));
    lan.nodes[0].handle_link_up(
        now,
        Link { socket: SOCKET, family: Family::V4, interface: INTERFACE, addresses, shares_port: false },
    );
    lan.nodes[0].browse(now, kind().into()).unwrap();
    lan.nodes[0].resolve(now, &kind(), &label(1));
    lan.node();
    lan.node();
    lan.silent_node();
    lan.run_for(secs(10));
    assert!(lan.sees(0, 1) && lan.sees(0, 2));
    lan
}

/// Ten instances that are not there: forty records.
fn forged(batch: usize) -> Vec<u8> {
    let nodes = 1000 + 10 * batch..1010 + 10 * batch;
    let long = |record| Record { ttl: Ttl::OTHER, ..record };
    response_of(&nodes.flat_map(whole).map(long).collect::<Vec<_>>())
}

/// Forged records, eight times as many as the cache holds, forty a datagram.
const FLOOD: usize = 8_000;

/// Delivers a flood to the first node within 2 s; in its middle the last node begins to publish.
fn flood(lan: &mut Lan, source: impl Fn(usize) -> SocketAddr) {
    for batch in 0..FLOOD / 40 {
        lan.deliver(0, source(batch), GROUP_V4.into(), &forged(batch));
        if batch == FLOOD / 80 {
            let now = lan.time();
            lan.nodes[3].publish(now, ServiceId(0), service(3));
        }
        if batch % 10 == 0 {
            lan.run_for(millis(30));
        }
        if batch % 100 == 0 {
            assert!(filled(lan, "mdns: records cached") <= 1024, "no table is over its bound");
        }
    }
}

/// When the first node found another, and how often it lost it.
fn fate(lan: &Lan, node: usize) -> (Option<Duration>, usize) {
    let is_found = |event: &Event| matches!(event, Event::Found(instance) if instance.name == label(node));
    let is_lost = |event: &Event| matches!(event, Event::Lost { instance, .. } if *instance == label(node));
    let found = lan.events[0].iter().find(|(_, event)| is_found(event)).map(|(at, _)| *at);
    (found, lan.events[0].iter().filter(|(_, event)| is_lost(event)).count())
}

#[test]
fn a_flood_from_forged_sources_pushes_out_nobody_who_is_known_and_hides_nobody_who_comes() {
    let mut lan = before_a_flood();
    let start = lan.now;
    flood(&mut lan, |n| SocketAddr::new([10, 0, 0, 100 + (n % 100) as u8].into(), 5353));
    assert_eq!(fate(&lan, 1).1 + fate(&lan, 2).1, 0, "the needed and the known are there");
    assert!(
        lan.nodes[0].tables(Bounds { links: 1, resolved: 1 }).iter().all(|table| table.len <= table.bound)
    );
    let (found, _) = fate(&lan, 3);
    assert!(found.is_some_and(|at| at < start + secs(5)), "{found:?}");
}

#[test]
fn a_flood_from_one_source_pushes_out_nobody_else() {
    let mut lan = before_a_flood();
    flood(&mut lan, |_| stranger());
    lan.run_for(secs(30));
    let lost: usize = (1..=3).map(|node| fate(&lan, node).1).sum();
    assert_eq!(lost, 0);
    assert!(fate(&lan, 3).0.is_some(), "who came in the middle of it was found, and stays");
}

#[test]
fn twelve_octets_that_claim_65535_records_are_refused_unread() {
    let mut lan = before_a_flood();
    let before = filled(&lan, "mdns: records cached");
    for claim in [[0xff; 8], [0, 0, 0xff, 0xff, 0, 0, 0, 0]] {
        let mut bytes = vec![0, 0, 0x84, 0];
        bytes.extend_from_slice(&claim);
        lan.inject(stranger(), &bytes);
    }
    assert_eq!(lan.nodes[0].dropped(Dropped::Refused(Refused::Counts)), 2);
    assert_eq!(filled(&lan, "mdns: records cached"), before);
}

#[test]
fn a_source_that_announces_in_part_without_end_leaves_room_to_ask_for_what_others_announce() {
    let mut lan = before_a_flood();
    let (honest, group) = ("10.0.0.201:5353".parse().unwrap(), IpAddr::from(GROUP_V4));
    for n in 0..400 {
        lan.deliver(0, stranger(), group, &response_of(&[ptr(n + 100)]));
        lan.run_for(millis(5));
    }
    lan.deliver(0, honest, group, &response_of(&[ptr(9)]));
    lan.run_for(secs(1));
    let asked: Vec<_> = lan.sent.iter().filter_map(Sent::query).flat_map(|query| query.questions).collect();
    assert!(asked.iter().any(|question| question.name == instance_name(9)), "{}", asked.len());
}
