//! What strangers may send, and what it must not do.

use super::lan::*;
use super::*;
use crate::mdns::guard::Refused;
use crate::mdns::name::Name;
use crate::mdns::records::{Data, Question, Record, Share, Ttl, Want};
use crate::testing::replay;
use bytes::BytesMut;
use proptest::prelude::*;

pub(super) fn stranger() -> SocketAddr {
    "10.0.0.200:5353".parse().unwrap()
}

pub(super) fn whole(node: usize) -> Vec<Record> {
    vec![
        ptr(node),
        record(instance_name(node), Share::Unique, srv(node)),
        record(instance_name(node), Share::Unique, Data::Txt(txt("v"))),
        record(host_name(node), Share::Unique, Data::A("10.0.0.200".parse().unwrap())),
    ]
}

pub(super) fn response_of(records: &[Record]) -> Vec<u8> {
    write::response(Family::V4, records, &[]).remove(0)
}

fn query() -> Vec<u8> {
    let question = Question { name: kind().name().clone(), kind: Type::PTR, want: Want::Multicast };
    write::query(Family::V4, &[question], &[]).remove(0)
}

/// How full a node's table is; none is over its bound.
pub(super) fn filled(lan: &Lan, name: &str) -> usize {
    let tables = lan.nodes[0].tables(Bounds { links: 1, resolved: 1 });
    for table in &tables {
        assert!(table.len <= table.bound, "{table:?}");
    }
    tables.iter().find(|table| table.name == name).expect("the table is listed").len
}

/// A node that is settled, and says nothing of itself.
fn settled() -> Lan {
    let mut lan = Lan::ethernet();
    lan.node();
    lan.run_for(secs(2000));
    lan.sent.clear();
    lan
}

#[test]
fn a_response_from_another_port_is_dropped() {
    let mut lan = settled();
    lan.inject("10.0.0.200:5354".parse().unwrap(), &response_of(&whole(9)));
    lan.run_for(secs(1));
    assert!(!lan.sees(0, 9));
    assert_eq!(lan.nodes[0].dropped(Dropped::Port), 1);
}

#[test]
fn a_response_by_unicast_is_dropped_unless_asked_for() {
    let mut lan = settled();
    let own = lan.ip(0).into();
    lan.deliver(0, stranger(), own, &response_of(&whole(9)));
    lan.run_for(secs(1));
    assert!(!lan.sees(0, 9));
    assert_eq!(lan.nodes[0].dropped(Dropped::Unasked), 1);
    let now = lan.time();
    lan.nodes[0].handle_wake(now);
    lan.run_for(secs(1));
    lan.deliver(0, stranger(), own, &response_of(&whole(9)));
    lan.run_for(secs(1));
    assert!(lan.sees(0, 9));
}

#[test]
fn a_unicast_from_off_the_link_gets_no_reply_and_is_not_believed() {
    let mut lan = settled();
    let own = lan.ip(0).into();
    for port in [5353, 40_000] {
        lan.deliver(0, SocketAddr::new([8, 8, 8, 8].into(), port), own, &query());
        lan.deliver(0, SocketAddr::new([8, 8, 8, 8].into(), port), own, &response_of(&whole(9)));
    }
    lan.run_for(secs(5));
    assert!(lan.sent.is_empty() && lan.events[0].is_empty());
    assert_eq!(lan.nodes[0].dropped(Dropped::OffLink), 4);
}

#[test]
fn a_response_is_never_answered() {
    let mut lan = settled();
    let mut bounced = query();
    bounced[2] |= 0x80;
    lan.inject(stranger(), &bounced);
    lan.run_for(secs(5));
    assert!(lan.sent.is_empty());
}

#[test]
fn what_came_in_on_an_unknown_interface_is_dropped() {
    let mut lan = settled();
    let rx = Received {
        socket: SOCKET,
        interface: Some(INTERFACE + 1),
        source: stranger(),
        destination: Some(GROUP_V4.into()),
        ecn: None,
        stride: 9000,
        payload: BytesMut::from(&response_of(&whole(9))[..]),
    };
    let now = lan.time();
    lan.nodes[0].handle_datagram(now, &rx);
    assert_eq!(lan.nodes[0].dropped(Dropped::NoLink), 1);
}

#[test]
fn datagrams_that_the_kernel_joined_are_taken_apart() {
    let mut lan = settled();
    // A stride that both have: the first is filled up with a record that nobody reads.
    let (mut first, second) = (response_of(&whole(8)), response_of(&whole(9)));
    let stride = first.len();
    first.extend_from_slice(&second);
    let rx = Received {
        socket: SOCKET,
        interface: None,
        source: stranger(),
        destination: Some(GROUP_V4.into()),
        ecn: None,
        stride,
        payload: BytesMut::from(&first[..]),
    };
    let now = lan.time();
    lan.nodes[0].handle_datagram(now, &rx);
    lan.run_for(millis(1));
    assert!(lan.sees(0, 8) && lan.sees(0, 9));
}

#[test]
fn a_flood_of_names_stays_within_the_cache_and_the_needed_peer_stays() {
    let mut lan = settled();
    let now = lan.time();
    lan.nodes[0].resolve(now, &kind(), &label(1));
    lan.inject(stranger(), &response_of(&whole(1)));
    for node in 2..3000 {
        lan.inject(stranger(), &response_of(&whole(node)));
        if node % 100 == 0 {
            lan.run_for(millis(1));
        }
    }
    lan.run_for(millis(1));
    assert_eq!(filled(&lan, "mdns: records cached"), 64);
    assert!(lan.sees(0, 1));
    assert!(lan.seen(0).len() <= 64);
    assert!(lan.sent.len() < 10, "a flood of answers is no reason to ask");
}

#[test]
fn what_makes_way_in_a_flood_is_forgotten_though_no_time_passes() {
    let mut lan = settled();
    for node in 1..2000 {
        // All end alike, so that the oldest makes way.
        let records = whole(node).into_iter().map(|record| Record { ttl: Ttl(120), ..record });
        lan.now += Duration::from_micros(1);
        lan.inject(stranger(), &response_of(&records.collect::<Vec<_>>()));
        assert!(filled(&lan, "mdns: instances seen") <= 64, "after {node} instances");
    }
    lan.run_for(millis(1));
    assert!((1..=64).contains(&lan.seen(0).len()));
}

#[test]
fn a_flood_of_pointers_makes_us_ask_a_bounded_number_of_questions() {
    let mut lan = settled();
    for node in 0..2000 {
        lan.inject(stranger(), &response_of(&[ptr(node + 10)]));
    }
    lan.run_for(secs(60));
    let asked: usize = lan.sent.iter().filter_map(Sent::query).map(|query| query.questions.len()).sum();
    assert!(asked <= 3 * 260, "{asked}");
    lan.sent.clear();
    lan.run_for(secs(600));
    let asked: usize = lan.sent.iter().filter_map(Sent::query).map(|query| query.questions.len()).sum();
    assert!(asked < 10, "{asked}");
}

#[test]
fn a_slow_flood_of_pointers_makes_us_send_ten_datagrams_a_second_at_most() {
    let mut lan = settled();
    for node in 0..200 {
        lan.inject(stranger(), &response_of(&[ptr(node + 10)]));
        lan.run_for(millis(10));
    }
    let asked = lan.sent.iter().filter(|sent| sent.query().is_some()).count();
    // Two seconds, and what may be asked ahead.
    assert!(asked <= 20 + 6, "{asked}");
}

#[test]
fn a_forged_goodbye_is_undone_by_its_owner_within_the_second() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(100));
    lan.inject(stranger(), &response_of(&[Record { ttl: Ttl::GOODBYE, ..ptr(b) }]));
    lan.run_for(secs(10));
    assert!(lan.sees(a, b));
    assert_eq!(lan.events[a].len(), 1);
}

#[test]
fn records_of_a_second_do_not_make_us_ask() {
    let mut lan = settled();
    for _ in 0..60 {
        let short = whole(9).into_iter().map(|record| Record { ttl: Ttl(1), ..record });
        lan.inject(stranger(), &response_of(&short.collect::<Vec<_>>()));
        lan.run_for(millis(900));
    }
    assert!(lan.sent.len() < 3, "{:?}", lan.sent);
}

#[test]
fn addresses_that_nobody_can_dial_are_not_kept() {
    let mut lan = settled();
    for ip in ["127.0.0.1", "0.0.0.0", "224.0.0.251", "255.255.255.255"] {
        let mut records = whole(9);
        records[3].data = Data::A(ip.parse().unwrap());
        lan.inject(stranger(), &response_of(&records));
    }
    lan.run_for(secs(1));
    assert!(!lan.sees(0, 9));
}

#[test]
fn what_concerns_nobody_here_is_turned_away_unread() {
    let mut lan = settled();
    let name = Name::from_labels([&b"_ipp"[..], b"_tcp", b"local"]).unwrap();
    let printer = Record { name: name.clone(), ttl: Ttl(120), share: Share::Shared, data: Data::Ptr(name) };
    lan.inject(stranger(), &response_of(&[printer]));
    assert_eq!(lan.nodes[0].dropped(Dropped::Unrelated), 1);
}

#[test]
fn a_refused_datagram_is_counted_by_its_reason() {
    let mut lan = settled();
    lan.inject(stranger(), &query()[..11]);
    lan.inject(stranger(), &[0xff; 40]);
    assert_eq!(lan.nodes[0].dropped(Dropped::Refused(Refused::Length)), 1);
    assert_eq!(lan.nodes[0].dropped(Dropped::Refused(Refused::Opcode)), 1);
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let mut lan = settled();
    lan.inject(stranger(), &response_of(&whole(9)));
    lan.now -= secs(1000);
    lan.inject(stranger(), &response_of(&whole(8)));
    let now = lan.time();
    lan.nodes[0].handle_timeout(now);
    lan.now += secs(1000);
    lan.run_for(secs(1));
    assert!(lan.sees(0, 8) && lan.sees(0, 9));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_octets_from_the_group_make_it_panic_or_spin(
        flips in prop::collection::vec((any::<bool>(), prop::collection::vec((0_usize..400, any::<u8>()), 0..6)), 1..12),
    ) {
        let mut lan = Lan::ethernet();
        lan.node();
        lan.run_for(secs(1));
        for (asks, flips) in flips {
            let mut bytes = if asks { query() } else { response_of(&whole(9)) };
            for (at, octet) in flips {
                let at = at % bytes.len();
                bytes[at] = octet;
            }
            lan.inject(stranger(), &bytes);
            lan.run_for(millis(300));
        }
        lan.run_for(secs(100));
        prop_assert!(lan.sent.len() < 400);
    }
}

#[test]
fn the_seeds_of_the_fuzz_target_are_survived() {
    replay("mdns_datagram", |_, seed| crate::mdns::fuzz::datagram(base(), seed));
}

/// A response with CNAME records, each from one name to another. RFC 1035 §3.3.1.
fn aliases(links: &[(&Name, &Name)]) -> Vec<u8> {
    let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, links.len() as u8, 0, 0, 0, 0];
    for (from, to) in links {
        message.extend_from_slice(from.as_wire());
        message.extend_from_slice(b"\0\x05\x80\x01\0\0\0\x78");
        message.extend_from_slice(&(to.as_wire().len() as u16).to_be_bytes());
        message.extend_from_slice(to.as_wire());
    }
    message
}

#[test]
fn aliases_are_ignored_in_a_loop_and_one_after_the_other() {
    let mut lan = settled();
    lan.inject(stranger(), &response_of(&whole(9)));
    lan.run_for(secs(1));
    lan.sent.clear();
    let held = filled(&lan, "mdns: records cached");
    let (a, b, own) = (instance_name(9), host_name(9), instance_name(0));
    for links in [&[(&a, &a)][..], &[(&a, &b), (&b, &a)], &[(&own, &a), (&a, &own)], &[(&b, &own)]] {
        lan.inject(stranger(), &aliases(links));
        // Two that contradict each other, two seconds apart.
        lan.run_for(secs(2));
    }
    assert_eq!(filled(&lan, "mdns: records cached"), held);
    assert!(lan.sees(0, 9));
    assert!(lan.sent.is_empty() && lan.events[0].len() == 1);
}

#[test]
fn what_a_stranger_names_after_us_is_no_second_instance_of_us() {
    let mut lan = settled();
    lan.inject(stranger(), &response_of(&whole(0)));
    lan.run_for(secs(5));
    assert!(!lan.sees(0, 0));
}
