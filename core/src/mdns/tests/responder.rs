//! Who gets which answer, how, and when.

use super::lan::*;
use super::*;
use crate::mdns::parse::Query;
use crate::mdns::records::{Data, Question, Record, Share, Ttl, Want};
use std::net::Ipv4Addr;

const STRANGER: &str = "10.0.0.200:5353";

fn stranger() -> SocketAddr {
    STRANGER.parse().unwrap()
}

fn ask(name: Name, kind: Type, want: Want) -> Question {
    Question { name, kind, want }
}

fn ask_kind(want: Want) -> Question {
    ask(kind().name().clone(), Type::PTR, want)
}

/// A node that announced itself long ago, and nothing else.
fn settled() -> Lan {
    let mut lan = Lan::ethernet();
    let node = lan.silent_node();
    let now = lan.time();
    lan.nodes[node].publish(now, ServiceId(0), service(node));
    lan.run_for(secs(2000));
    lan.sent.clear();
    lan
}

/// What comes back, and after what time, when a stranger asks by multicast.
fn answers(lan: &mut Lan, questions: &[Question], known: &[Record]) -> Vec<(Duration, Sent)> {
    let start = lan.now;
    lan.sent.clear();
    for datagram in write::query(Family::V4, questions, known) {
        lan.inject(stranger(), &datagram);
    }
    lan.run_for(secs(3));
    lan.sent.drain(..).map(|sent| (sent.at - start, sent)).collect()
}

#[test]
fn announcements_are_three_with_doubling_gaps_and_never_periodic() {
    let mut lan = Lan::ethernet();
    let node = lan.silent_node();
    let now = lan.time();
    lan.nodes[node].publish(now, ServiceId(0), service(node));
    lan.run_for(secs(10_000));
    let times: Vec<Duration> = lan.sent.iter().map(|sent| sent.at).collect();
    assert_eq!(times, [secs(0), secs(1), secs(3)]);
    let kinds: Vec<Type> = lan.sent[0].records().iter().map(|record| record.data.kind()).collect();
    assert_eq!(kinds, [Type::PTR, Type::PTR, Type::SRV, Type::TXT, Type::A]);
}

#[test]
fn who_slept_announces_twice_a_second_apart() {
    let mut lan = settled();
    let (start, now) = (lan.now, lan.time());
    lan.nodes[0].handle_wake(now);
    lan.run_for(secs(1000));
    assert_eq!(lan.sent.iter().map(|sent| sent.at - start).collect::<Vec<_>>(), [secs(0), secs(1)]);
}

#[test]
fn a_shared_answer_waits_20_to_120_ms_and_brings_all_that_is_asked_next() {
    let mut lan = settled();
    let answers = answers(&mut lan, &[ask_kind(Want::Multicast)], &[]);
    let [(time, answer)] = &answers[..] else { panic!("{answers:?}") };
    assert!((millis(20)..=millis(120)).contains(time), "{time:?}");
    assert!(answer.is_multicast());
    let kinds: Vec<Type> = answer.records().iter().map(|record| record.data.kind()).collect();
    assert_eq!(kinds, [Type::PTR, Type::SRV, Type::TXT, Type::A]);
    assert_eq!(answer.bytes[4..12], [0, 0, 0, 1, 0, 0, 0, 3], "the answer, and three additional records");
}

#[test]
fn an_answer_that_is_ours_alone_waits_for_nothing() {
    let mut lan = settled();
    let answers = answers(&mut lan, &[ask(instance_name(0), Type::SRV, Want::Multicast)], &[]);
    assert_eq!(answers[0].0, Duration::ZERO);
    let records = answers[0].1.records();
    assert_eq!(records.iter().map(|record| record.data.kind()).collect::<Vec<_>>(), [Type::SRV, Type::A]);
    assert!(records.iter().all(|record| record.share == Share::Unique && record.ttl == Ttl::HOST));
}

#[test]
fn names_are_asked_for_in_any_case() {
    let mut lan = settled();
    let name = Name::from_labels([&b"NODE-0"[..], b"_Test", b"_UDP", b"LOCAL"]).unwrap();
    assert_eq!(answers(&mut lan, &[ask(name, Type::TXT, Want::Multicast)], &[]).len(), 1);
}

#[test]
fn any_gets_everything_that_we_have_of_a_name() {
    let mut lan = settled();
    let answers = answers(&mut lan, &[ask(instance_name(0), Type::ANY, Want::Multicast)], &[]);
    let kinds: Vec<Type> = answers[0].1.records().iter().map(|record| record.data.kind()).collect();
    assert_eq!(kinds, [Type::SRV, Type::TXT, Type::A]);
}

#[test]
fn the_kinds_of_services_are_listed() {
    let mut lan = settled();
    let answers = answers(&mut lan, &[ask(Service::enumeration(), Type::PTR, Want::Multicast)], &[]);
    assert_eq!(answers[0].1.records()[0].data, Data::Ptr(kind().name().clone()));
}

#[test]
fn a_type_that_a_name_of_ours_lacks_is_denied() {
    let mut lan = settled();
    for (name, kind) in [(host_name(0), Type::AAAA), (instance_name(0), Type::A), (host_name(0), Type(65))] {
        let answers = answers(&mut lan, &[ask(name.clone(), kind, Want::Multicast)], &[]);
        let records = answers[0].1.records();
        let Data::Nsec(types) = &records[0].data else { panic!("{records:?}") };
        assert!(!types.contains(kind) && records[0].name == name);
        // In the answer section: some responders drop responses without one.
        assert_eq!(answers[0].1.bytes[7], 1);
    }
}

#[test]
fn a_denial_has_the_name_itself_as_the_next_one_window_0_and_no_bit_of_its_own() {
    let mut lan = settled();
    for (name, lacking, bitmap) in [
        // A alone; TXT and SRV.
        (host_name(0), Type::AAAA, &[0x40][..]),
        (instance_name(0), Type::A, &[0, 0, 0x80, 0, 0x40][..]),
    ] {
        let answers = answers(&mut lan, &[ask(name, lacking, Want::Multicast)], &[]);
        let bytes = &answers[0].1.bytes;
        // A pointer to the name of the record, which is the first in the message.
        let next_name = [0xc0, 12];
        let data = [&next_name[..], &[0, bitmap.len() as u8], bitmap].concat();
        // NSEC, IN with the flush bit, 120 s as a record of that type would have.
        let fixed = [0, 47, 0x80, 1, 0, 0, 0, 120, 0, data.len() as u8];
        let expected = [&fixed[..], &data].concat();
        assert!(bytes.windows(expected.len()).any(|window| window == expected), "{bytes:02x?}");
    }
}

#[test]
fn a_known_answer_is_not_given_unless_less_than_half_its_time_is_left() {
    let mut lan = settled();
    let with_ttl = |ttl| Record { ttl: Ttl(ttl), ..ptr(0) };
    assert_eq!(answers(&mut lan, &[ask_kind(Want::Multicast)], &[with_ttl(2250)]).len(), 0);
    assert_eq!(answers(&mut lan, &[ask_kind(Want::Multicast)], &[with_ttl(2249)]).len(), 1);
}

#[test]
fn a_direct_answer_is_given_where_the_record_was_multicast_lately() {
    let mut lan = settled();
    // Nothing was multicast for a quarter of an hour: all shall hear it.
    let first = answers(&mut lan, &[ask_kind(Want::Unicast)], &[]);
    assert!(first.len() == 1 && first[0].1.is_multicast());
    let second = answers(&mut lan, &[ask_kind(Want::Unicast)], &[]);
    assert!(second.len() == 1 && second[0].1.to == stranger());
}

#[test]
fn when_many_ask_for_unicast_at_once_the_first_is_told_alone_and_multicasts_tell_the_others() {
    let mut lan = settled();
    answers(&mut lan, &[ask_kind(Want::Multicast)], &[]);
    lan.sent.clear();
    let datagram = write::query(Family::V4, &[ask_kind(Want::Unicast)], &[]).remove(0);
    for asker in 100..150 {
        lan.inject(SocketAddr::new(Ipv4Addr::new(10, 0, 0, asker).into(), PORT), &datagram);
        lan.run_for(millis(5));
    }
    lan.run_for(secs(3));
    let (to_all, alone): (Vec<&Sent>, Vec<&Sent>) = lan.sent.iter().partition(|sent| sent.is_multicast());
    // Who asks after the first multicast needs another one, a second later.
    assert_eq!((to_all.len(), alone.len()), (2, 1));
    assert!(to_all[1].at >= to_all[0].at + secs(1));
    assert!(to_all[0].records().contains(&ptr(0)));
    assert!(alone.iter().all(|sent| sent.records().contains(&ptr(0))));
}

#[test]
fn a_query_that_came_by_unicast_is_answered_directly() {
    let mut lan = settled();
    answers(&mut lan, &[ask_kind(Want::Multicast)], &[]);
    let datagram = write::query(Family::V4, &[ask_kind(Want::Multicast)], &[]).remove(0);
    let own = lan.ip(0).into();
    lan.deliver(0, stranger(), own, &datagram);
    lan.run_for(secs(1));
    assert_eq!(lan.sent[0].to, stranger());
}

#[test]
fn one_on_this_machine_is_answered_by_multicast() {
    let mut lan = settled();
    answers(&mut lan, &[ask_kind(Want::Multicast)], &[]);
    let datagram = write::query(Family::V4, &[ask_kind(Want::Unicast)], &[]).remove(0);
    let from = SocketAddr::new(lan.ip(0).into(), PORT);
    lan.deliver(0, from, GROUP_V4.into(), &datagram);
    lan.run_for(secs(1));
    assert!(lan.sent.len() == 1 && lan.sent[0].is_multicast());
}

#[test]
fn a_resolver_gets_its_id_its_question_short_times_and_no_flush_bit() {
    let mut lan = settled();
    let mut datagram =
        write::query(Family::V4, &[ask(instance_name(0), Type::SRV, Want::Multicast)], &[]).remove(0);
    datagram[..2].copy_from_slice(&[0xbe, 0xef]);
    let resolver = "10.0.0.200:40000".parse().unwrap();
    lan.inject(resolver, &datagram);
    lan.run_for(secs(1));
    let [reply] = &lan.sent[..] else { panic!("{:?}", lan.sent) };
    assert_eq!(reply.to, resolver);
    assert_eq!(reply.bytes[..6], [0xbe, 0xef, 0x84, 0, 0, 1]);
    let records = reply.records();
    assert!(!records.is_empty());
    assert!(records.iter().all(|record| record.ttl == Ttl(10) && record.share == Share::Shared));
}

#[test]
fn a_record_is_multicast_once_a_second_whoever_asks() {
    let mut lan = settled();
    let end = lan.now + secs(20);
    let question = [&[ask_kind(Want::Multicast)][..], &[ask(instance_name(0), Type::SRV, Want::Multicast)]];
    for n in 0_usize.. {
        let from = SocketAddr::new([10, 0, 0, 100 + (n % 100) as u8].into(), PORT);
        let datagram = write::query(Family::V4, question[n % 2], &[]).remove(0);
        lan.inject(from, &datagram);
        lan.run_for(millis(50));
        if lan.now >= end {
            break;
        }
    }
    for kind in [Type::PTR, Type::SRV, Type::TXT, Type::A] {
        let has = |sent: &&Sent| sent.records().iter().any(|record| record.data.kind() == kind);
        let times: Vec<Duration> = lan.sent.iter().filter(has).map(|sent| sent.at).collect();
        assert!(times.len() > 10, "{kind:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= secs(1)), "{kind:?}: {times:?}");
    }
}

#[test]
fn known_answers_of_a_truncated_query_are_awaited() {
    let mut lan = settled();
    let mut known: Vec<Record> = (1..80).map(ptr).collect();
    known.push(ptr(0));
    assert_eq!(answers(&mut lan, &[ask_kind(Want::Multicast)], &known).len(), 0);
}

#[test]
fn a_truncated_query_that_nobody_continues_is_answered_after_half_a_second() {
    let mut lan = settled();
    let known: Vec<Record> = (1..80).map(ptr).collect();
    let first = write::query(Family::V4, &[ask_kind(Want::Multicast)], &known).remove(0);
    let start = lan.now;
    lan.inject(stranger(), &first);
    lan.run_for(secs(1));
    let time = lan.sent[0].at - start;
    assert!((millis(400)..=millis(500)).contains(&time), "{time:?}");
}

#[test]
fn fragments_without_end_hold_an_answer_for_half_a_second_at_most() {
    let mut lan = settled();
    let known: Vec<Record> = (1..80).map(ptr).collect();
    let datagrams = write::query(Family::V4, &[ask_kind(Want::Multicast)], &known);
    let start = lan.now;
    lan.inject(stranger(), &datagrams[0]);
    while lan.now < start + secs(2) {
        lan.inject(stranger(), &datagrams[1]);
        lan.run_for(millis(100));
    }
    assert!(lan.sent[0].at - start <= millis(500));
}

#[test]
fn an_answer_that_somebody_else_gave_is_not_repeated() {
    let mut lan = settled();
    let question = ask(Service::enumeration(), Type::PTR, Want::Multicast);
    lan.inject(stranger(), &write::query(Family::V4, &[question], &[])[0]);
    let same = record(Service::enumeration(), Share::Shared, Data::Ptr(kind().name().clone()));
    lan.inject("10.0.0.201:5353".parse().unwrap(), &write::response(Family::V4, &[same], &[])[0]);
    lan.run_for(secs(3));
    assert!(lan.sent.is_empty());
}

#[test]
fn a_goodbye_in_our_name_is_contradicted() {
    let mut lan = settled();
    let goodbye = Record { ttl: Ttl::GOODBYE, ..ptr(0) };
    lan.inject(stranger(), &write::response(Family::V4, &[goodbye], &[])[0]);
    lan.run_for(secs(1));
    assert_eq!(lan.sent[0].records()[0], ptr(0));
}

#[test]
fn other_data_at_a_name_of_ours_is_a_conflict_reported_once_a_minute() {
    let mut lan = settled();
    let other = record(instance_name(0), Share::Unique, srv(7));
    let bytes = write::response(Family::V4, &[other], &[]).remove(0);
    for _ in 0..100 {
        lan.inject(stranger(), &bytes);
        lan.run_for(millis(100));
    }
    let conflicts: Vec<_> = lan.events[0].iter().map(|(_, event)| event.clone()).collect();
    assert_eq!(conflicts, [Event::Conflict(ServiceId(0))]);
    lan.run_for(secs(60));
    lan.inject(stranger(), &bytes);
    lan.run_for(secs(1));
    assert_eq!(lan.events[0].len(), 2);
}

#[test]
fn an_echo_of_our_own_records_is_no_conflict() {
    let mut lan = settled();
    let second = InterfaceAddr { ip: "192.168.7.7".parse().unwrap(), prefix: 24 };
    let link = Link {
        socket: SocketId(9),
        family: Family::V4,
        interface: 9,
        addresses: vec![second],
        shares_port: false,
    };
    let now = lan.time();
    lan.nodes[0].handle_link_up(now, link);
    lan.run_for(secs(10));
    // A bridge carries what the other interface says, with an address of its own.
    let echo = [
        ptr(0),
        record(instance_name(0), Share::Unique, srv(0)),
        record(host_name(0), Share::Unique, Data::address(second.ip)),
    ];
    lan.inject(stranger(), &write::response(Family::V4, &echo, &[])[0]);
    lan.run_for(secs(10));
    assert_eq!(lan.events[0], []);
}

#[test]
fn every_address_of_the_sending_interface_is_told_and_no_other() {
    let mut lan = settled();
    let ips = ["10.0.0.1", "10.0.0.50", "fe80::5"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let addresses = ips.map(|ip| InterfaceAddr { ip, prefix: 24 }).to_vec();
    let now = lan.time();
    lan.nodes[0].handle_link_addresses(now, SOCKET, addresses);
    lan.run_for(secs(1000));
    let answers = answers(&mut lan, &[ask(host_name(0), Type::A, Want::Multicast)], &[]);
    let told: Vec<Data> = answers[0].1.records().into_iter().map(|record| record.data).collect();
    assert_eq!(told, ips.map(Data::address));
}

#[test]
fn a_probe_for_our_name_is_answered_at_once_and_directly() {
    let mut lan = settled();
    answers(&mut lan, &[ask(instance_name(0), Type::SRV, Want::Multicast)], &[]);
    // A query with a record in its authority section.
    let question = ask(instance_name(0), Type::ANY, Want::Unicast);
    let proposed = record(instance_name(0), Share::Shared, srv(7));
    let mut probe = write::query(Family::V4, &[question], &[proposed]).remove(0);
    probe.swap(7, 9);
    let Message::Query(Query { proposed, .. }) = read(&probe) else { panic!("no query") };
    assert_eq!(proposed.len(), 1);
    let start = lan.now;
    lan.inject(stranger(), &probe);
    lan.run_for(secs(1));
    assert!(lan.sent.iter().any(|sent| (sent.at, sent.to) == (start, stranger())));
}

#[test]
fn every_question_is_answered_and_answers_that_are_due_together_leave_together() {
    let mut lan = settled();
    let enumeration = ask(Service::enumeration(), Type::PTR, Want::Multicast);
    let answers = answers(&mut lan, &[ask_kind(Want::Multicast), enumeration], &[]);
    let [(time, answer)] = &answers[..] else { panic!("{answers:?}") };
    assert!(*time <= millis(500), "{time:?}");
    let names: Vec<Name> = answer.records().into_iter().map(|record| record.name).collect();
    assert!(names.contains(kind().name()) && names.contains(&Service::enumeration()));
}

#[test]
fn what_is_ours_alone_has_the_flush_bit_and_what_names_a_host_lives_for_two_minutes() {
    let mut lan = Lan::ethernet();
    let node = lan.node();
    let second = InterfaceAddr { ip: "10.0.0.77".parse().unwrap(), prefix: 24 };
    let (now, mut addresses) = (lan.time(), lan.addresses(node));
    addresses.push(second);
    lan.nodes[node].handle_link_addresses(now, SOCKET, addresses);
    lan.run_for(secs(10));
    let records = lan.sent[0].records();
    for record in &records {
        let (share, ttl) = match &record.data {
            Data::Ptr(_) => (Share::Shared, 4500),
            Data::Txt(_) => (Share::Unique, 4500),
            Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Srv(_) => (Share::Unique, 120),
        };
        assert_eq!((record.share, record.ttl), (share, Ttl(ttl)), "{record:?}");
    }
    let of_host = |sent: &Sent| sent.records().iter().filter(|r| r.data.kind() == Type::A).count();
    assert!(lan.sent.iter().all(|sent| [0, 2].contains(&of_host(sent))), "a set is never told in part");
    assert_eq!(of_host(&lan.sent[0]), 2);
}

#[test]
fn nothing_is_answered_from_the_cache() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(2000));
    assert!(lan.sees(a, b));
    let questions = [
        ask_kind(Want::Multicast),
        ask(instance_name(b), Type::SRV, Want::Multicast),
        ask(host_name(b), Type::A, Want::Multicast),
    ];
    lan.sent.clear();
    // `b` does not hear it.
    lan.deliver(a, stranger(), GROUP_V4.into(), &write::query(Family::V4, &questions, &[])[0]);
    lan.run_for(secs(3));
    let answers: Vec<&Sent> = lan.sent.iter().filter(|sent| !sent.records().is_empty()).collect();
    assert!(!answers.is_empty());
    let is_of_b = |record: &Record| {
        [instance_name(b), host_name(b)].contains(&record.name) || record.data == ptr(b).data
    };
    assert!(answers.iter().all(|sent| sent.by == a && !sent.records().iter().any(is_of_b)));
}
