//! What a node asks, when, and what it makes of what others ask. RFC 6762 §5.2, §5.4, §7.

use super::lan::*;
use super::*;
use crate::mdns::records::{Data, Question, Record, Share, Want};
use std::net::Ipv4Addr;

fn stranger() -> SocketAddr {
    "10.0.0.200:5353".parse().unwrap()
}

fn question(want: Want) -> Question {
    Question { name: kind().name().clone(), kind: Type::PTR, want }
}

fn is_for_kind(question: &Question) -> bool {
    question.kind == Type::PTR && question.name == *kind().name()
}

/// When `node` asked for its kind, and how.
fn asked(lan: &Lan, node: usize) -> Vec<(Duration, Question)> {
    let of_node = lan.sent.iter().filter(|sent| sent.by == node);
    let queries = of_node.filter_map(|sent| Some((sent.at, sent.query()?)));
    let all = queries.flat_map(|(at, query)| query.questions.into_iter().map(move |q| (at, q)));
    all.filter(|(_, question)| is_for_kind(question)).collect()
}

/// A node that looks for its kind, and publishes nothing.
fn browser(lan: &mut Lan) -> usize {
    let node = lan.silent_node();
    let now = lan.time();
    lan.nodes[node].browse(now, kind().into()).unwrap();
    node
}

/// A whole peer that is none of the nodes, as one would announce itself.
fn peer(number: usize) -> [Record; 3] {
    let ip = Ipv4Addr::new(10, 0, 0, 100 + number as u8);
    [
        ptr(number),
        record(instance_name(number), Share::Unique, srv(number)),
        record(host_name(number), Share::Unique, Data::A(ip)),
    ]
}

#[test]
fn questions_and_answers_go_from_the_shared_socket_to_port_5353() {
    let mut lan = Lan::ethernet();
    lan.node();
    let mut bytes = Vec::new();
    let mut sent = Vec::new();
    for _ in 0..20 {
        lan.now += millis(50);
        let now = lan.time();
        lan.nodes[0].handle_timeout(now);
        while let Some(transmit) = lan.nodes[0].poll_transmit(now, &mut bytes) {
            sent.push((transmit.socket, transmit.destination.port(), read(&std::mem::take(&mut bytes))));
        }
    }
    assert!(sent.iter().any(|(.., message)| matches!(message, Message::Query(_))));
    assert!(sent.iter().any(|(.., message)| matches!(message, Message::Response(_))));
    assert!(sent.iter().all(|(socket, port, _)| (*socket, *port) == (SOCKET, PORT)));
}

#[test]
fn the_first_question_waits_20_to_120_ms_and_not_the_same_time_for_all() {
    let mut lan = Lan::ethernet();
    let nodes: Vec<usize> = (0..40).map(|_| browser(&mut lan)).collect();
    lan.run_for(millis(500));
    let firsts: BTreeSet<Duration> = nodes.iter().map(|node| asked(&lan, *node)[0].0).collect();
    assert!(firsts.iter().all(|at| (millis(20)..=millis(120)).contains(at)), "{firsts:?}");
    assert!(firsts.len() > 30, "{firsts:?}");
}

#[test]
fn the_gaps_between_questions_begin_at_a_second_and_at_least_double_up_to_an_hour() {
    let mut lan = Lan::ethernet();
    let node = browser(&mut lan);
    lan.run_for(secs(12 * 3600));
    let times: Vec<Duration> = asked(&lan, node).into_iter().map(|(at, _)| at).collect();
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let hour = secs(3600);
    assert!((secs(1)..millis(1_250)).contains(&gaps[0]), "{gaps:?}");
    assert!(gaps.windows(2).all(|pair| pair[1] >= (pair[0] * 2).min(hour)), "{gaps:?}");
    // Up to a quarter more, lest all ask at once for ever.
    assert!(gaps.len() > 15 && gaps.iter().all(|gap| *gap < hour * 5 / 4), "{gaps:?}");
}

#[test]
fn a_unique_answer_ends_the_questions_until_80_percent_of_its_time() {
    let mut lan = Lan::ethernet();
    let (b, a) = (lan.node(), lan.silent_node());
    lan.run_for(secs(40));
    lan.sent.clear();
    let (start, now) = (lan.now, lan.time());
    lan.nodes[a].resolve(now, &kind(), &label(b));
    lan.run_for(secs(110));
    let queries =
        lan.sent.iter().filter(|sent| sent.by == a).filter_map(|sent| Some((sent.at, sent.query()?)));
    let mut of_srv = queries.filter(|(_, query)| query.questions.iter().any(|q| q.kind == Type::SRV));
    assert!(of_srv.next().unwrap().0 - start <= millis(120));
    let refreshed = of_srv.next().unwrap().0 - start;
    assert!((secs(96)..secs(100)).contains(&refreshed), "{refreshed:?}");
}

#[test]
fn who_shares_the_port_with_others_at_one_address_never_asks_for_unicast() {
    for (mut lan, shares_port) in [(Lan::loopback(), false), (Lan::ethernet(), true)] {
        lan.shares_port = shares_port;
        let node = lan.node();
        lan.run_for(secs(100));
        let asked = asked(&lan, node);
        assert!(asked.len() > 3 && asked.iter().all(|(_, question)| question.want == Want::Multicast));
    }
}

#[test]
fn a_question_brings_what_is_known_without_the_flush_bit_and_what_others_know_is_not_believed() {
    let mut lan = Lan::ethernet();
    let node = browser(&mut lan);
    lan.inject(stranger(), &write::response(Family::V4, &peer(7), &[])[0]);
    lan.run_for(millis(500));
    let known: Vec<Record> =
        lan.sent.iter().filter_map(Sent::query).find(|q| q.questions.iter().any(is_for_kind)).unwrap().known;
    assert_eq!(known.len(), 1);
    assert_eq!((&known[0].data, known[0].share), (&ptr(7).data, Share::Shared));
    assert!(lan.sees(node, 7));

    lan.inject(stranger(), &write::query(Family::V4, &[question(Want::Multicast)], &peer(8))[0]);
    lan.run_for(secs(1));
    assert!(!lan.sees(node, 8));
}

#[test]
fn what_somebody_else_just_asked_knowing_no_more_is_not_asked_again() {
    let asks_again = |by_stranger: &[Record], want: Want| {
        let mut lan = Lan::ethernet();
        let node = browser(&mut lan);
        // Asked at about 0, 1 and 3 s: the next would be at 7 s.
        lan.run_for(millis(6_500));
        assert_eq!(asked(&lan, node).len(), 3);
        lan.inject(stranger(), &write::query(Family::V4, &[question(want)], by_stranger)[0]);
        lan.run_for(secs(4));
        asked(&lan, node).len() > 3
    };
    assert!(!asks_again(&[], Want::Multicast));
    assert!(asks_again(&[], Want::Unicast), "its answer does not come to us");
    assert!(asks_again(&[ptr(9)], Want::Multicast), "what it knows it will not hear, and we neither");
}

#[test]
fn questions_in_a_response_are_ignored_as_is_its_id() {
    let mut lan = Lan::ethernet();
    let node = lan.node();
    lan.run_for(secs(10));
    lan.sent.clear();
    let asked = [Question { kind: Type::ANY, ..question(Want::Multicast) }];
    let response = write::legacy(Family::V4, 77, &asked, &peer(7), &[]).remove(0);
    assert_eq!(response[..6], [0, 77, 0x84, 0, 0, 1], "an id, and one question");
    lan.inject(stranger(), &response);
    assert!(lan.run_until(secs(1), |lan| lan.sees(node, 7)) < millis(2));
    lan.run_for(secs(1));
    assert!(lan.sent.iter().all(|sent| sent.records().is_empty()), "nobody is answered");
}

#[test]
fn the_class_of_opt_is_a_length_and_voids_nothing_beside_it() {
    let mut lan = Lan::ethernet();
    let node = browser(&mut lan);
    let mut response = write::response(Family::V4, &peer(7), &[]).remove(0);
    // EDNS0 as Apple's responder adds it, with a length of 0x85a0 and one option.
    response.extend_from_slice(&[0, 0, 41, 0x85, 0xa0, 0, 0, 0x11, 0x94, 0, 4, 0, 4, 0, 0]);
    response[11] += 1;
    lan.inject(stranger(), &response);
    lan.run_for(millis(1));
    assert!(lan.sees(node, 7));
    assert_eq!(lan.nodes[node].dropped(Dropped::Unparsed), 0);
}
