//! What two or three nodes see of each other.

use super::lan::*;
use super::*;
use crate::mdns::records::{Data, Share, Ttl, Want};

#[test]
fn a_node_that_starts_is_seen_at_once_by_one_that_browses() {
    let mut lan = Lan::ethernet();
    let old = lan.node();
    lan.run_for(secs(30));
    let new = lan.node();
    assert_eq!(lan.run_until(secs(1), |lan| lan.sees(old, new)), millis(1));
}

#[test]
fn a_node_that_starts_sees_those_that_are_there_within_half_a_second() {
    for place in [Lan::ethernet, Lan::loopback] {
        let mut lan = place();
        let old = lan.node();
        lan.run_for(secs(30));
        let new = lan.node();
        let time = lan.run_until(secs(1), |lan| lan.sees(old, new) && lan.sees(new, old));
        assert!(time < millis(500), "{time:?}");
    }
}

#[test]
fn nodes_that_start_together_see_each_other_at_once() {
    for place in [Lan::ethernet, Lan::loopback] {
        let mut lan = place();
        let (a, b) = (lan.node(), lan.node());
        assert!(lan.run_until(secs(1), |lan| lan.sees(a, b) && lan.sees(b, a)) < millis(5));
    }
}

#[test]
fn what_is_found_has_port_addresses_and_txt() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(1));
    let expected = Instance {
        interface: INTERFACE,
        source: "10.0.0.2".parse().unwrap(),
        kind: kind().into(),
        name: label(b),
        host: host_name(b),
        port: 4001,
        addresses: vec!["10.0.0.2:4001".parse().unwrap()],
        txt: txt("v"),
    };
    assert_eq!(lan.seen(a), [expected]);
}

#[test]
fn a_node_never_sees_itself() {
    for place in [Lan::ethernet, Lan::loopback] {
        let mut lan = place();
        let alone = lan.node();
        lan.run_for(secs(10_000));
        assert_eq!(lan.seen(alone), []);
        lan.events[alone].clear();
    }
}

#[test]
fn a_node_does_not_answer_its_own_question() {
    let mut lan = Lan::ethernet();
    lan.node();
    lan.run_for(secs(60));
    let announcements = lan.sent.iter().filter(|sent| sent.query().is_none()).count();
    assert_eq!(announcements, 3);
}

#[test]
fn a_withdrawn_service_is_lost_one_second_after_its_goodbye() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(10));
    let now = lan.time();
    lan.nodes[b].withdraw_all(now);
    assert!(!lan.nodes[b].is_drained());
    lan.run_for(millis(999));
    assert!(lan.nodes[b].is_drained());
    assert!(lan.sees(a, b));
    lan.run_for(millis(2));
    assert!(!lan.sees(a, b));
}

#[test]
fn a_goodbye_names_every_record_but_the_one_that_all_share() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    lan.run_for(secs(10));
    lan.sent.clear();
    let now = lan.time();
    lan.nodes[a].withdraw_all(now);
    lan.run_for(secs(1));
    let records = lan.sent[0].records();
    assert!(records.iter().all(|record| record.ttl == Ttl::GOODBYE));
    assert!(
        records.iter().any(|record| matches!(&record.data, Data::Ptr(name) if *name == instance_name(a)))
    );
    assert!(!records.iter().any(|record| record.name == Service::enumeration()));
}

#[test]
fn a_crashed_peer_is_lost_when_its_pointer_expires() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(10));
    lan.is_lost = Box::new(move |sent, _| sent.by == b);
    lan.run_for(secs(4480));
    assert!(lan.sees(a, b));
    lan.run_for(secs(20));
    assert!(!lan.sees(a, b));
}

#[test]
fn a_live_peer_stays_for_ever() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(100_000));
    assert!(lan.sees(a, b) && lan.sees(b, a));
    assert_eq!(lan.events[a].len(), 1);
}

#[test]
fn changed_txt_reaches_those_that_browse_at_once() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(10));
    lan.sent.clear();
    let now = lan.time();
    lan.nodes[b].publish(now, ServiceId(0), Service { txt: txt("w"), ..service(b) });
    lan.run_for(millis(10));
    assert_eq!(lan.seen(a)[0].txt, txt("w"));
    // Nothing but the TXT record is announced, as ours alone.
    let records = lan.sent[0].records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].share, Share::Unique);
}

#[test]
fn a_service_published_again_unchanged_says_nothing() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    lan.run_for(secs(100));
    lan.sent.clear();
    let now = lan.time();
    lan.nodes[a].publish(now, ServiceId(0), service(a));
    lan.run_for(secs(5));
    assert!(lan.sent.is_empty());
}

#[test]
fn a_changed_address_replaces_the_old_one_a_second_later() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(10));
    let (now, ip) = (lan.time(), "10.0.0.77".parse().unwrap());
    lan.nodes[b].handle_link_addresses(now, SOCKET, vec![InterfaceAddr { ip, prefix: 24 }]);
    lan.run_for(secs(5));
    assert_eq!(lan.seen(a)[0].addresses, [SocketAddr::new(ip, 4001)]);
}

#[test]
fn the_twelfth_change_within_a_minute_waits() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    lan.run_for(secs(10));
    lan.sent.clear();
    for n in 0..30 {
        let now = lan.time();
        lan.nodes[a].publish(now, ServiceId(0), Service { txt: txt(&n.to_string()), ..service(a) });
        lan.run_for(secs(2));
    }
    let distinct: BTreeSet<String> = lan.sent.iter().map(|sent| format!("{:?}", sent.records())).collect();
    assert!(distinct.len() <= 11, "{}", distinct.len());
    lan.run_for(secs(60));
    let last = lan.sent.iter().flat_map(Sent::records).last().unwrap();
    assert_eq!(last.data, Data::Txt(txt("29")));
}

#[test]
fn an_idle_pair_is_silent_between_refreshes() {
    let mut lan = Lan::ethernet();
    lan.node();
    lan.node();
    lan.run_for(secs(30));
    lan.sent.clear();
    // The series of each goes on at 31, 63, 127 s and so on; nobody answers what is known.
    lan.run_for(secs(2000));
    assert!(lan.sent.iter().all(|sent| sent.query().is_some()));
    assert!(lan.sent.len() <= 14, "{}", lan.sent.len());
}

#[test]
fn a_peer_that_is_needed_is_kept_fresh_and_others_are_not() {
    let mut lan = Lan::ethernet();
    let (a, b, c) = (lan.node(), lan.node(), lan.node());
    let now = lan.time();
    lan.nodes[a].resolve(now, &kind(), &label(b));
    lan.run_for(secs(1000));
    let asked: Vec<_> = lan.sent.iter().filter_map(Sent::query).flat_map(|query| query.questions).collect();
    assert!(asked.iter().any(|question| question.name == instance_name(b) && question.kind == Type::SRV));
    assert!(asked.iter().any(|question| question.name == host_name(b) && question.kind == Type::A));
    assert!(!asked.iter().any(|question| question.name == instance_name(c)));
    assert!(lan.sees(a, b) && lan.sees(a, c));
}

#[test]
fn a_peer_that_becomes_needed_is_kept_fresh_from_there_on() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(50));
    let now = lan.time();
    lan.nodes[a].resolve(now, &kind(), &label(b));
    lan.sent.clear();
    lan.run_for(secs(65));
    let asked: Vec<_> = lan.sent.iter().filter_map(Sent::query).flat_map(|query| query.questions).collect();
    // Who answers the one adds the other.
    let needed = [(instance_name(b), Type::SRV), (host_name(b), Type::A)];
    assert!(
        asked.iter().any(|question| needed.contains(&(question.name.clone(), question.kind))),
        "{asked:?}"
    );
}

#[test]
fn a_needed_peer_is_asked_for_by_name_and_answers_without_delay() {
    let mut lan = Lan::ethernet();
    let b = lan.node();
    lan.run_for(secs(40));
    let a = lan.silent_node();
    let now = lan.time();
    lan.nodes[a].resolve(now, &kind(), &label(b));
    lan.sent.clear();
    let time = lan.run_until(secs(1), |lan| lan.sees(a, b));
    // The first question waits up to 120 ms; the answers are the owner's alone and wait for nothing.
    assert!(time <= millis(122), "{time:?}");
    lan.run_for(secs(1));
    assert_eq!(lan.seen(a)[0].txt, txt("v"));
}

#[test]
fn a_peer_that_answers_without_addresses_is_asked_for_them() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    lan.run_for(secs(40));
    let records = [ptr(9), record(instance_name(9), Share::Unique, srv(9))];
    lan.inject("10.0.0.9:5353".parse().unwrap(), &write::response(Family::V4, &records, &[])[0]);
    lan.sent.clear();
    lan.run_for(secs(20));
    let asked: Vec<_> = lan.sent.iter().filter_map(Sent::query).flat_map(|query| query.questions).collect();
    let of_host: Vec<_> = asked.iter().filter(|question| question.name == host_name(9)).collect();
    assert_eq!(of_host.len(), 6, "two types, three times");
    assert_eq!(of_host[0].want, Want::Unicast);
    let address = record(host_name(9), Share::Unique, Data::A("10.0.0.9".parse().unwrap()));
    lan.inject("10.0.0.9:5353".parse().unwrap(), &write::response(Family::V4, &[address], &[])[0]);
    lan.run_for(millis(1));
    assert!(lan.sees(a, 9));
}

#[test]
fn half_of_all_datagrams_lost_delays_discovery_and_no_more() {
    let mut lan = Lan::ethernet();
    let mut coin = rng(77);
    lan.is_lost = Box::new(move |_, _| coin.below(2) == 0);
    let (a, b) = (lan.node(), lan.node());
    lan.run_until(secs(60), |lan| lan.sees(a, b) && lan.sees(b, a));
}

#[test]
fn a_link_that_goes_down_loses_what_was_seen_there() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(5));
    assert!(lan.sees(a, b));
    let now = lan.time();
    lan.nodes[a].handle_link_down(now, SOCKET);
    lan.run_for(secs(1));
    assert!(!lan.sees(a, b));
    let addresses = lan.addresses(a);
    let link =
        Link { socket: SOCKET, family: Family::V4, interface: INTERFACE, addresses, shares_port: false };
    let now = lan.time();
    lan.nodes[a].handle_link_up(now, link);
    assert!(lan.run_until(secs(1), |lan| lan.sees(a, b)) < millis(300));
}

#[test]
fn both_families_of_an_interface_are_one_sighting() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    let addresses = vec![
        InterfaceAddr { ip: "10.0.0.1".parse().unwrap(), prefix: 24 },
        InterfaceAddr { ip: "fe80::1".parse().unwrap(), prefix: 64 },
    ];
    let second =
        Link { socket: SocketId(2), family: Family::V6, interface: INTERFACE, addresses, shares_port: false };
    let now = lan.time();
    lan.nodes[a].handle_link_up(now, second);
    let records = [
        ptr(9),
        record(instance_name(9), Share::Unique, srv(9)),
        record(host_name(9), Share::Unique, Data::A("10.0.0.9".parse().unwrap())),
        record(host_name(9), Share::Unique, Data::Aaaa("fe80::9".parse().unwrap())),
    ];
    let bytes = &write::response(Family::V4, &records, &[])[0];
    lan.inject("10.0.0.9:5353".parse().unwrap(), bytes);
    lan.deliver(a, "[fe80::9%2]:5353".parse().unwrap(), GROUP_V6.into(), bytes);
    lan.run_for(millis(1));
    assert_eq!(lan.events[a].len(), 1);
    let addresses: Vec<SocketAddr> =
        vec!["10.0.0.9:4009".parse().unwrap(), "[fe80::9%2]:4009".parse().unwrap()];
    assert_eq!(lan.seen(a)[0].addresses, addresses);
    let now = lan.time();
    lan.nodes[a].handle_link_down(now, SOCKET);
    lan.run_for(millis(1));
    assert!(lan.sees(a, 9), "the other family still sees it");
}

#[test]
fn a_doubtful_peer_that_is_gone_is_asked_for_twice_and_lost_after_ten_seconds() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(100));
    lan.is_lost = Box::new(move |sent, _| sent.by == b);
    lan.sent.clear();
    let now = lan.time();
    lan.nodes[a].reconfirm(now, &kind(), &label(b));
    lan.run_for(millis(9900));
    assert!(lan.sees(a, b));
    let asked =
        lan.sent.iter().filter(|sent| sent.by == a).filter_map(Sent::query).flat_map(|query| query.questions);
    let questions = asked.filter(|question| question.kind == Type::PTR).count();
    assert!((2..=5).contains(&questions), "{questions}");
    lan.run_for(millis(200));
    assert!(!lan.sees(a, b));
}

#[test]
fn a_doubtful_peer_that_is_there_stays_and_so_do_all_others() {
    let mut lan = Lan::ethernet();
    let (a, b, c) = (lan.node(), lan.node(), lan.node());
    lan.run_for(secs(100));
    lan.sent.clear();
    let now = lan.time();
    lan.nodes[a].reconfirm(now, &kind(), &label(b));
    lan.run_for(secs(60));
    assert!(lan.sees(a, b) && lan.sees(a, c));
    assert_eq!(lan.events[a].len(), 2);
    assert!(!lan.sent.iter().any(|sent| sent.by == c && sent.query().is_none()), "it is known");
}

#[test]
fn who_slept_loses_who_left_meanwhile_and_keeps_who_is_there() {
    let mut lan = Lan::ethernet();
    let (a, b, c) = (lan.node(), lan.node(), lan.node());
    lan.run_for(secs(100));
    lan.is_lost = Box::new(move |sent, _| sent.by == b);
    lan.sent.clear();
    let now = lan.time();
    lan.nodes[a].handle_wake(now);
    lan.run_for(secs(11));
    assert!(!lan.sees(a, b) && lan.sees(a, c));
    assert_eq!(lan.events[a].len(), 3, "one is lost, and nothing flaps");
    assert!(
        lan.sent.iter().any(|sent| sent.by == a && sent.records().contains(&ptr(a))),
        "it announces itself"
    );
}

#[test]
fn who_stops_browsing_hears_nothing_more() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    lan.run_for(secs(10));
    let now = lan.time();
    lan.nodes[a].stop_browse(now, &kind().into());
    lan.nodes[b].withdraw_all(now);
    lan.sent.clear();
    lan.run_for(secs(10_000));
    assert_eq!(lan.events[a].len(), 1);
    assert!(!lan.sent.iter().any(|sent| sent.by == a && sent.query().is_some()));
}

#[test]
fn who_is_no_longer_needed_is_no_longer_asked_for() {
    let mut lan = Lan::ethernet();
    let (a, b) = (lan.node(), lan.node());
    let now = lan.time();
    lan.nodes[a].resolve(now, &kind(), &label(b));
    lan.run_for(secs(500));
    let now = lan.time();
    lan.nodes[a].stop_resolve(now, &kind(), &label(b));
    lan.sent.clear();
    lan.run_for(secs(1000));
    let asked: Vec<_> = lan.sent.iter().filter_map(Sent::query).flat_map(|query| query.questions).collect();
    assert!(asked.iter().all(|question| question.kind == Type::PTR), "{asked:?}");
    assert!(lan.sees(a, b));
}

#[test]
fn a_question_that_is_wanted_again_waits_its_second() {
    let mut lan = Lan::ethernet();
    let a = lan.node();
    lan.run_for(secs(100));
    lan.sent.clear();
    // Asked after 120 ms at the latest, given up, and wanted again at once.
    for _ in 0..20 {
        let now = lan.time();
        lan.nodes[a].resolve(now, &kind(), &label(9));
        lan.run_for(millis(130));
        let now = lan.time();
        lan.nodes[a].stop_resolve(now, &kind(), &label(9));
    }
    let asked = lan.sent.iter().filter_map(Sent::query).flat_map(|query| query.questions);
    let times = asked.filter(|question| question.kind == Type::SRV).count();
    assert!((2..=3).contains(&times), "{times} times in 2.6 s");
}
