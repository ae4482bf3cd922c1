//! What a querier asks, when, and what it makes of the answers and of others' questions.

use super::lan::*;
use super::*;
use crate::mdns::parse::Query;
use crate::mdns::records::{Data, Question, Record, Share, Ttl, Types, Want};

fn stranger() -> SocketAddr {
    "10.0.0.200:5353".parse().unwrap()
}

fn response_of(records: &[Record]) -> Vec<u8> {
    write::response(Family::V4, records, &[]).remove(0)
}

fn address(node: usize) -> Record {
    record(host_name(node), Share::Unique, Data::A("10.0.0.200".parse().unwrap()))
}

fn whole(node: usize) -> Vec<Record> {
    let own = |data| record(instance_name(node), Share::Unique, data);
    vec![ptr(node), own(srv(node)), own(Data::Txt(txt("v"))), address(node)]
}

fn tell(lan: &mut Lan, records: &[Record]) {
    lan.inject(stranger(), &response_of(records));
    lan.run_for(millis(1));
}

fn question(name: &Name, kind: Type) -> Question {
    Question { name: name.clone(), kind, want: Want::Multicast }
}

/// Somebody else multicasts a question.
fn ask(lan: &mut Lan, asked: &Question, known: &[Record]) {
    let bytes = write::query(Family::V4, std::slice::from_ref(asked), known).remove(0);
    lan.inject("10.0.0.77:5353".parse().unwrap(), &bytes);
    lan.run_for(millis(1));
}

fn queries(lan: &Lan) -> Vec<(Duration, Query)> {
    lan.sent.iter().filter_map(|sent| Some((sent.at, sent.query()?))).collect()
}

/// When a question was asked, and whether for a reply by unicast.
fn asked(lan: &Lan, name: &Name, kind: Type) -> Vec<(Duration, Want)> {
    let of = |(at, query): &(Duration, Query)| {
        let is = |q: &&Question| q.name == *name && q.kind == kind;
        query.questions.iter().find(is).map(|q| (*at, q.want))
    };
    queries(lan).iter().filter_map(of).collect()
}

fn pointers() -> Name {
    kind().name().clone()
}

/// A node that browses, and says nothing; its link has long been up.
fn browsing() -> Lan {
    let mut lan = Lan::ethernet();
    lan.silent_node();
    lan.run_for(secs(10));
    let now = lan.time();
    lan.nodes[0].browse(now, kind().into()).unwrap();
    lan
}

/// The same, past its first questions: the next one is half an hour away.
fn settled() -> Lan {
    let mut lan = browsing();
    lan.run_for(secs(2100));
    lan.sent.clear();
    lan
}

fn resolve(lan: &mut Lan, node: usize) {
    let now = lan.time();
    lan.nodes[0].resolve(now, &kind(), &label(node));
}

#[test]
fn questions_want_unicast_when_the_link_came_up_or_the_machine_woke_and_at_no_other_time() {
    let mut lan = browsing();
    lan.run_for(secs(10));
    let wants = |lan: &Lan| asked(lan, &pointers(), Type::PTR).into_iter().map(|(_, want)| want);
    assert!(wants(&lan).all(|want| want == Want::Multicast), "the browse began later than the link");
    let (down, addresses) = (lan.time(), lan.addresses(0));
    lan.nodes[0].handle_link_down(down, SOCKET);
    lan.run_for(secs(10));
    for wakes in [false, true] {
        lan.sent.clear();
        let now = lan.time();
        if wakes {
            lan.nodes[0].handle_wake(now);
        } else {
            let (socket, family) = (SOCKET, Family::V4);
            let link = Link {
                socket,
                family,
                interface: INTERFACE,
                addresses: addresses.clone(),
                shares_port: false,
            };
            lan.nodes[0].handle_link_up(now, link);
        }
        lan.run_for(secs(10));
        let wants: Vec<Want> = wants(&lan).collect();
        assert_eq!(wants, [Want::Unicast, Want::Multicast, Want::Multicast, Want::Multicast], "{wakes}");
    }
}

#[test]
fn a_reply_by_unicast_is_believed_for_two_seconds_after_it_was_asked_for() {
    for (after, is_believed) in [(1900, true), (2200, false)] {
        let mut lan = settled();
        let now = lan.time();
        lan.nodes[0].handle_wake(now);
        lan.run_for(millis(after));
        let own = lan.ip(0).into();
        lan.deliver(0, stranger(), own, &response_of(&whole(9)));
        lan.run_for(millis(1));
        assert_eq!(lan.sees(0, 9), is_believed, "{after} ms");
    }
}

#[test]
fn what_is_needed_is_asked_for_at_80_85_90_and_95_percent_and_nothing_else_is() {
    let mut lan = settled();
    resolve(&mut lan, 9);
    tell(&mut lan, &whole(9));
    tell(&mut lan, &whole(8));
    lan.run_for(secs(2));
    lan.sent.clear();
    let start = lan.now - secs(2);
    lan.run_for(secs(117));
    for (name, kind) in [(instance_name(9), Type::SRV), (host_name(9), Type::A)] {
        let times: Vec<f64> =
            asked(&lan, &name, kind).iter().map(|(at, _)| (*at - start).as_secs_f64() / 1.2).collect();
        assert_eq!(times.len(), 4, "{times:?}");
        for (time, percent) in times.iter().zip([80.0, 85.0, 90.0, 95.0]) {
            // What comes due together goes out together: a tenth of a second at most.
            assert!((percent..percent + 2.2).contains(time), "{times:?}");
        }
    }
    for (name, kind) in [(instance_name(8), Type::SRV), (host_name(8), Type::A)] {
        assert_eq!(asked(&lan, &name, kind), []);
    }
}

#[test]
fn who_is_asked_for_by_others_in_vain_is_lost_and_is_not_asked_for() {
    let mut lan = settled();
    tell(&mut lan, &whole(9));
    tell(&mut lan, &whole(8));
    lan.run_for(secs(10));
    ask(&mut lan, &question(&pointers(), Type::PTR), &[ptr(8)]);
    lan.run_for(secs(60));
    assert!(lan.sees(0, 9), "one question is not enough");
    ask(&mut lan, &question(&pointers(), Type::PTR), &[ptr(8)]);
    lan.run_for(millis(9900));
    assert!(lan.sees(0, 9));
    lan.run_for(millis(200));
    assert!(!lan.sees(0, 9) && lan.sees(0, 8));
    lan.run_for(secs(20));
    assert!(lan.sent.is_empty(), "{:?}", lan.sent);
}

#[test]
fn who_answers_the_questions_of_others_stays() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(100));
    for _ in 0..10 {
        ask(&mut lan, &question(&pointers(), Type::PTR), &[]);
        lan.run_for(secs(15));
    }
    assert!(lan.sees(a, b) && lan.sees(b, a));
    assert_eq!((lan.events[a].len(), lan.events[b].len()), (1, 1));
}

#[test]
fn a_needed_peer_that_others_ask_for_in_vain_is_asked_for_before_it_is_given_up() {
    for is_there in [true, false] {
        let mut lan = Lan::ethernet();
        let (a, b) = (lan.node(), lan.node());
        let now = lan.time();
        lan.nodes[a].resolve(now, &kind(), &label(b));
        // Past 63 s, when the browse asks by itself.
        lan.run_for(secs(70));
        // Only one of them hears the forged questions.
        let bytes = write::query(Family::V4, &[question(&pointers(), Type::PTR)], &[]).remove(0);
        lan.is_lost = Box::new(move |sent, _| !is_there && sent.by == b);
        for _ in 0..2 {
            lan.run_for(secs(2));
            lan.sent.clear();
            lan.deliver(a, "10.0.0.77:5353".parse().unwrap(), GROUP_V4.into(), &bytes);
        }
        lan.run_for(secs(9));
        let times = asked(&lan, &instance_name(b), Type::SRV).len();
        assert!(if is_there { times == 1 } else { times >= 2 }, "its owner is asked: {times}");
        assert!(asked(&lan, &pointers(), Type::PTR).len() >= 2);
        assert!(lan.sees(a, b));
        lan.run_for(secs(2));
        assert_eq!(lan.sees(a, b), is_there);
        assert_eq!(lan.events[a].len(), if is_there { 1 } else { 2 }, "nothing flaps");
    }
}

#[test]
fn questions_whose_answers_would_not_come_here_prove_nothing() {
    let mut lan = settled();
    tell(&mut lan, &whole(9));
    let plain = question(&pointers(), Type::PTR);
    let bytes = |asked: Question| write::query(Family::V4, &[asked], &[]).remove(0);
    let unicast = bytes(Question { want: Want::Unicast, ..plain.clone() });
    let mut truncated = bytes(plain.clone());
    truncated[2] |= 2;
    let plain = bytes(plain);
    let (group, own) = (IpAddr::from(GROUP_V4), IpAddr::from(lan.ip(0)));
    for _ in 0..4 {
        lan.run_for(secs(5));
        for (from, to, bytes) in [
            ("10.0.0.77:5353", group, &unicast),
            ("10.0.0.77:5353", group, &truncated),
            // By unicast, from an ordinary resolver, from elsewhere, and from the one that it is about.
            ("10.0.0.77:5353", own, &plain),
            ("10.0.0.77:4000", group, &plain),
            ("8.8.8.8:5353", group, &plain),
            ("10.0.0.200:5353", group, &plain),
        ] {
            lan.deliver(0, from.parse().unwrap(), to, bytes);
        }
    }
    lan.run_for(secs(60));
    assert!(lan.sees(0, 9));
}

fn denial(name: Name, types: &[Type]) -> Record {
    let mut present = Types::default();
    types.iter().for_each(|kind| present.insert(*kind));
    record(name, Share::Unique, Data::Nsec(present))
}

#[test]
fn a_needed_peer_of_two_addresses_that_says_both_again_is_not_asked_again() {
    let mut lan = settled();
    resolve(&mut lan, 9);
    let other = record(host_name(9), Share::Unique, Data::A("10.0.0.201".parse().unwrap()));
    let both = [&whole(9)[..], &[other]].concat();
    tell(&mut lan, &both);
    lan.run_for(secs(20));
    lan.sent.clear();
    tell(&mut lan, &both);
    lan.run_for(secs(20));
    assert_eq!(asked(&lan, &host_name(9), Type::A), [], "neither supersedes the other");
    tell(&mut lan, &whole(9));
    lan.run_for(secs(5));
    assert!(!asked(&lan, &host_name(9), Type::A).is_empty(), "one of them was not said again");
}

#[test]
fn what_its_owner_denies_in_a_response_of_nothing_else_is_asked_for_no_more() {
    let mut lan = settled();
    resolve(&mut lan, 9);
    tell(&mut lan, &[ptr(9), record(instance_name(9), Share::Unique, srv(9))]);
    lan.run_for(millis(200));
    let kinds = [(host_name(9), Type::A), (host_name(9), Type::AAAA), (instance_name(9), Type::TXT)];
    assert!(kinds.iter().all(|(name, kind)| asked(&lan, name, *kind).len() == 1));
    tell(&mut lan, &[denial(host_name(9), &[Type::A])]);
    tell(&mut lan, &[denial(instance_name(9), &[Type::SRV])]);
    lan.sent.clear();
    lan.run_for(secs(5));
    let times = kinds.map(|(name, kind)| asked(&lan, &name, kind).len());
    assert_eq!(times, [2, 0, 0], "after 1 s and 3 s, and only what may exist");
}

#[test]
fn addresses_that_were_said_before_their_service_are_kept() {
    let mut lan = settled();
    // In a response that concerns us, though nothing in it says what is there.
    tell(&mut lan, &[ptr(9), address(9), address(8)]);
    tell(&mut lan, &[record(instance_name(9), Share::Unique, srv(9))]);
    assert!(lan.sees(0, 9));
    tell(&mut lan, &[ptr(8), record(instance_name(8), Share::Unique, srv(8))]);
    assert!(lan.sees(0, 8));
    lan.run_for(secs(10));
    assert_eq!(asked(&lan, &host_name(9), Type::A), [], "nobody is asked for them");
}

#[test]
fn the_rest_of_what_was_announced_in_part_is_asked_for_directly() {
    let mut lan = settled();
    tell(&mut lan, &[ptr(9)]);
    lan.run_for(secs(10));
    let wants: Vec<Want> =
        asked(&lan, &instance_name(9), Type::SRV).into_iter().map(|(_, want)| want).collect();
    assert_eq!(wants, [Want::Unicast, Want::Multicast, Want::Multicast]);
}

#[test]
fn who_wakes_asks_within_two_seconds_and_loses_who_is_silent_after_ten() {
    let mut lan = Lan::ethernet();
    let (a, b, c) = (lan.node(), lan.node(), lan.node());
    lan.run_for(secs(100));
    lan.is_lost = Box::new(move |sent, _| sent.by == b);
    lan.run_for(secs(3600));
    lan.sent.clear();
    let (now, woke) = (lan.time(), lan.now);
    lan.nodes[a].handle_wake(now);
    lan.run_for(secs(60));
    let first = asked(&lan, &pointers(), Type::PTR)[0].0 - woke;
    assert!(first <= millis(120), "{first:?}");
    let answered = lan.sent.iter().find(|sent| sent.by == c && sent.records().contains(&ptr(c))).unwrap().at;
    assert!(answered - woke < secs(2), "{:?}", answered - woke);
    assert!(lan.sees(a, c) && !lan.sees(a, b));
    let lost = lan.events[a].iter().find(|(_, event)| matches!(event, Event::Lost { .. })).unwrap().0;
    assert!((secs(10)..secs(11)).contains(&(lost - woke)), "{:?}", lost - woke);
}

#[test]
fn a_forged_goodbye_or_place_of_a_needed_peer_is_undone_before_it_counts() {
    for forged in 0..2 {
        let mut lan = Lan::ethernet();
        let (a, b) = (lan.node(), lan.node());
        let now = lan.time();
        lan.nodes[a].resolve(now, &kind(), &label(b));
        lan.run_for(secs(60));
        lan.sent.clear();
        let own = record(instance_name(b), Share::Unique, srv(b));
        let lie = match forged {
            0 => Record { ttl: Ttl::GOODBYE, ..own },
            _ => Record { data: srv(77), ..own },
        };
        // Only one hears it: the owner has nothing to contradict.
        lan.deliver(a, stranger(), GROUP_V4.into(), &response_of(&[lie]));
        lan.run_for(millis(900));
        assert!(!asked(&lan, &instance_name(b), Type::SRV).is_empty(), "its owner is asked");
        lan.run_for(secs(30));
        let lost = lan.events[a].iter().filter(|(_, event)| matches!(event, Event::Lost { .. }));
        assert_eq!(lost.count(), 0);
        assert_eq!(lan.seen(a)[0].port, 4000 + b as u16);
    }
}
