//! What is counted.

use super::lan::*;
use super::*;
use crate::mdns::guard::Refused;
use crate::mdns::records::{Data, Question, Record, Share, Ttl, Want};

fn stranger() -> SocketAddr {
    "10.0.0.200:5353".parse().unwrap()
}

fn response_of(records: &[Record]) -> Vec<u8> {
    write::response(Family::V4, records, &[]).remove(0)
}

fn query(known: &[Record]) -> Vec<u8> {
    let question = Question { name: kind().name().clone(), kind: Type::PTR, want: Want::Multicast };
    write::query(Family::V4, &[question], known).remove(0)
}

#[test]
fn what_is_sent_is_counted_as_what_it_is() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    lan.run_for(secs(60));
    let stats = lan.nodes[a].stats();
    let queries = lan.sent.iter().filter(|sent| sent.query().is_some()).count() as u64;
    assert_eq!((stats.queries_sent, stats.probes_sent), (queries, 0));
    assert_eq!(stats.responses_sent, lan.sent.len() as u64 - queries);
    // PTR twice, SRV, TXT and A, three times each.
    assert_eq!((stats.announcements, stats.goodbyes), (15, 0));
    let now = lan.time();
    lan.nodes[a].withdraw_all(now);
    lan.run_for(secs(1));
    let said: usize = lan.sent.last().unwrap().records().len();
    assert_eq!(lan.nodes[a].stats().goodbyes, said as u64);
    assert_eq!(lan.nodes[a].stats().announcements, 15);
}

#[test]
fn what_is_left_out_is_counted() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    lan.run_for(millis(14_500));
    // Its next question is due in half a second.
    lan.inject(stranger(), &query(&[]));
    assert_eq!(lan.nodes[a].stats().questions_suppressed, 1);
    // It is about to answer, and somebody else does.
    lan.inject(stranger(), &response_of(&[ptr(a)]));
    assert_eq!(lan.nodes[a].stats().answers_suppressed, 1);
    lan.run_for(secs(5));
    lan.inject(stranger(), &query(&[ptr(a)]));
    assert_eq!(lan.nodes[a].stats().answers_suppressed, 2);
}

#[test]
fn what_is_received_is_counted_and_what_is_dropped_by_its_reason() {
    let mut lan = Lan::ethernet();
    let a = lan.silent_node();
    let reasons = [
        Dropped::Echo,
        Dropped::NoLink,
        Dropped::OffLink,
        Dropped::Port,
        Dropped::Unasked,
        Dropped::Unparsed,
        Dropped::Unrelated,
        Dropped::Refused(Refused::Counts),
        Dropped::Refused(Refused::Length),
        Dropped::Refused(Refused::Name),
        Dropped::Refused(Refused::Opcode),
        Dropped::Refused(Refused::Rcode),
        Dropped::Refused(Refused::Steps),
        Dropped::Refused(Refused::Truncated),
    ];
    let mut dropped = MdnsDropped::default();
    for (n, why) in reasons.into_iter().enumerate() {
        dropped.count(why);
        assert_eq!((dropped.of(why), dropped.total()), (1, n as u64 + 1), "each has a counter of its own");
    }
    lan.inject(stranger(), &query(&[]));
    lan.inject(stranger(), &query(&[])[..11]);
    let stats = lan.nodes[a].stats();
    assert_eq!(stats.datagrams_received, 2);
    assert_eq!((stats.dropped.unrelated, stats.dropped.length, stats.dropped.total()), (1, 1, 2));
}

#[test]
fn what_is_held_of_others_is_counted_and_what_made_way_and_what_contradicts_us() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    lan.run_for(secs(10));
    let whole = |node: usize| {
        let own = |name, data| record(name, Share::Unique, data);
        let ip = "10.0.0.200".parse().unwrap();
        [ptr(node), own(instance_name(node), srv(node)), own(host_name(node), Data::A(ip))]
    };
    lan.inject(stranger(), &response_of(&whole(9)));
    lan.run_for(millis(1));
    let stats = lan.nodes[a].stats();
    assert_eq!((stats.records_cached, stats.instances, stats.records_evicted), (3, 1, 0));
    (10..40).for_each(|node| lan.inject(stranger(), &response_of(&whole(node))));
    let stats = lan.nodes[a].stats();
    assert_eq!((stats.records_cached, stats.records_evicted), (64, 93 - 64));
    let other = Record { ttl: Ttl::HOST, ..record(instance_name(a), Share::Unique, srv(9)) };
    lan.inject(stranger(), &response_of(&[other]));
    assert_eq!(lan.nodes[a].stats().conflicts, 1);
}
