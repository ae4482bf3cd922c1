//! What many nodes say together: one asks for all.

use super::lan::*;
use super::*;
use crate::mdns::browse::Queries;
use crate::mdns::direct::Direct;
use crate::mdns::records::{Question, Record, Want};

/// Their records fit into one another's caches.
const MANY: usize = 14;

fn stranger() -> SocketAddr {
    "10.0.0.200:5353".parse().unwrap()
}

fn many() -> Lan {
    let mut lan = Lan::ethernet();
    for _ in 0..MANY {
        lan.node();
    }
    lan
}

fn asked(lan: &Lan) -> Vec<&Sent> {
    let asks = |sent: &&Sent| sent.query().is_some_and(|query| !query.questions.is_empty());
    lan.sent.iter().filter(asks).collect()
}

/// The datagrams of somebody who browses as well and knows this.
fn foreign(known: &[Record]) -> Vec<Vec<u8>> {
    let question = Question { name: kind().name().clone(), kind: Type::PTR, want: Want::Multicast };
    write::query(Family::V4, &[question], known)
}

/// A node that sees another and is a second from its next question: when it asks, after a stranger asked.
fn asks_after(datagrams: &[Vec<u8>]) -> Duration {
    asks_after_hearing(stranger(), datagrams)
}

fn asks_after_hearing(from: SocketAddr, datagrams: &[Vec<u8>]) -> Duration {
    let mut lan = Lan::ethernet();
    let (a, _) = (lan.node(), lan.silent_node());
    let announced = write::response(Family::V4, &[ptr(1)], &[]).remove(0);
    lan.inject("10.0.0.2:5353".parse().unwrap(), &announced);
    let mut last = Duration::ZERO;
    for _ in 0..4 {
        let seen = lan.sent.len();
        lan.run_until(secs(20), |lan| {
            lan.sent[seen..].iter().any(|sent| sent.query().is_some_and(asks_kind))
        });
        last = lan.now;
    }
    let next = lan.nodes[a].poll_timeout().unwrap().at - lan.time();
    lan.run_for(next - secs(1));
    lan.sent.clear();
    for datagram in datagrams {
        lan.inject(from, datagram);
    }
    let start = lan.now;
    assert!(start > last);
    lan.run_until(secs(60), |lan| lan.sent.iter().any(|sent| sent.query().is_some_and(asks_kind)));
    lan.now - start
}

fn asks_kind(query: crate::mdns::parse::Query) -> bool {
    query.questions.iter().any(|question| question.kind == Type::PTR)
}

#[test]
fn of_many_that_start_together_each_asks_once_and_then_one_for_all() {
    let mut lan = many();
    lan.run_for(millis(500));
    assert_eq!(asked(&lan).len(), MANY, "the first question is asked by each");
    lan.sent.clear();
    lan.run_for(secs(2000));
    // After 1, 3, 7 s and so on: ten times, if nobody spoke at the same moment as another.
    assert!((8..=14).contains(&asked(&lan).len()), "{}", asked(&lan).len());
}

#[test]
fn what_all_must_refresh_is_asked_for_by_one_and_told_once_by_each() {
    let mut lan = many();
    lan.run_for(secs(3000));
    lan.sent.clear();
    lan.run_for(secs(20_000));
    // Once in 80 % of 4,500 s, and by repetitions once less than half of that is left.
    assert!((5..=20).contains(&asked(&lan).len()), "{}", asked(&lan).len());
    for node in 0..MANY {
        let told = lan.sent.iter().filter(|sent| sent.by == node && sent.query().is_none()).count();
        assert!((4..=9).contains(&told), "{told}");
    }
}

#[test]
fn who_asks_the_same_and_knows_no_more_asks_for_us() {
    assert!(asks_after(&foreign(&[])) > secs(2));
    assert!(asks_after(&foreign(&[ptr(1)])) > secs(2));
}

#[test]
fn who_knows_us_asks_for_us_if_we_know_him_as_he_does_not_answer_himself() {
    let peer = "10.0.0.2:5353".parse().unwrap();
    assert!(asks_after_hearing(peer, &foreign(&[ptr(0), ptr(1)])) > secs(2));
    assert!(asks_after(&foreign(&[ptr(0), ptr(1)])) <= millis(1010));
}

#[test]
fn who_knows_more_than_we_do_does_not_ask_for_us() {
    assert!(asks_after(&foreign(&[ptr(1), ptr(2)])) <= millis(1010));
}

#[test]
fn who_knows_more_than_we_do_and_says_so_in_the_rest_of_his_query_does_not_ask_for_us() {
    let peer = "10.0.0.2:5353".parse().unwrap();
    let mut datagrams = foreign(&[ptr(1)]);
    datagrams[0][2] |= 0x02;
    let rest = |known: &[Record]| write::query(Family::V4, &[], known).remove(0);
    let known = [datagrams.clone(), vec![rest(&[ptr(0), ptr(1)])]].concat();
    assert!(asks_after_hearing(peer, &known) > secs(2));
    let unknown = [datagrams.clone(), vec![rest(&[ptr(2)])]].concat();
    // A moment later than we would have, lest all who find out now ask at once.
    assert!(asks_after_hearing(peer, &unknown) <= millis(1120));
}

#[test]
fn somebody_who_just_came_and_repeats_his_question_does_not_put_ours_off() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    lan.run_for(secs(20));
    lan.sent.clear();
    lan.run_until(secs(60), |lan| !asked(lan).is_empty());
    lan.run_for(secs(2));
    let next = lan.nodes[a].poll_timeout().unwrap();
    assert!(next.at > lan.time() + secs(10));
    lan.inject(stranger(), &foreign(&[])[0]);
    lan.run_for(secs(1));
    assert_eq!(lan.nodes[a].poll_timeout().unwrap().at, next.at);
}

#[test]
fn what_wants_refreshing_within_a_second_of_the_question_is_not_asked_for_again() {
    let (mut rng, start, name) = (rng(1), base(), kind().name().clone());
    let mut queries = Queries::new(start, Direct::Reach);
    queries.refresh(start, &name, Type::PTR);
    assert_eq!(queries.take_due(start, &mut rng).len(), 1);
    queries.refresh(start + millis(999), &name, Type::PTR);
    assert_eq!(queries.next_at(), None);
    queries.refresh(start + secs(1), &name, Type::PTR);
    assert_eq!(queries.next_at(), Some(start + secs(1)));
}
