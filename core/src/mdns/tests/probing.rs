//! What is asked before a name is ours, and who gets it when several ask.

use super::lan::*;
use super::*;
use crate::mdns::parse::Query;
use crate::mdns::records::{Data, Question, Record, Share, Srv, Ttl, Want};
use crate::mdns::service::host_name as host_of;

const STRANGER: &str = "10.0.0.200:5353";
const OFFICE: ServiceId = ServiceId(1);

fn stranger() -> SocketAddr {
    STRANGER.parse().unwrap()
}

fn respond(lan: &mut Lan, records: &[Record]) {
    lan.inject(stranger(), &write::response(Family::V4, records, &[])[0]);
}

/// What somebody else, later or earlier than `srv(0)` by his port, says of the name.
fn other_srv(port: u16) -> Data {
    Data::Srv(Srv { priority: 0, weight: 0, port, target: host_name(9) })
}

fn unique(name: &str, data: Data) -> Record {
    record(chosen_name(name), Share::Unique, data)
}

/// A stranger's probe.
fn probe(name: &str, proposed: &[Data]) -> Vec<u8> {
    let question = Question { name: chosen_name(name), kind: Type::ANY, want: Want::Unicast };
    let proposed = proposed.iter().map(|data| record(chosen_name(name), Share::Shared, data.clone()));
    write::probe(Family::V4, &[(question, proposed.collect())]).remove(0)
}

/// A node that begins to claim "Office" at time 0.
fn claiming() -> Lan {
    let mut lan = Lan::ethernet();
    let node = lan.silent_node();
    let now = lan.time();
    lan.nodes[node].publish(now, OFFICE, chosen(node, "Office"));
    lan
}

/// A node that has sent its first probe for "Office", and nothing else.
fn probing() -> Lan {
    let mut lan = claiming();
    lan.run_until(millis(251), |lan| !probes(lan, "Office").is_empty());
    lan.sent.clear();
    lan
}

fn probes(lan: &Lan, name: &str) -> Vec<Duration> {
    let is_probe = |query: &Query| {
        !query.proposed.is_empty() && query.questions.iter().any(|q| q.name == chosen_name(name))
    };
    lan.sent
        .iter()
        .filter(|sent| sent.query().is_some_and(|query| is_probe(&query)))
        .map(|sent| sent.at)
        .collect()
}

fn announced(lan: &Lan, name: &str) -> Option<Duration> {
    let says = |record: &Record| record.name == chosen_name(name) && matches!(record.data, Data::Srv(_));
    lan.sent.iter().find(|sent| sent.records().iter().any(says)).map(|sent| sent.at)
}

#[test]
fn a_chosen_name_is_probed_for_three_times_250_ms_apart_and_announced_250_ms_later() {
    let mut delays = BTreeSet::new();
    for _ in 0..20 {
        let mut lan = claiming();
        // Another node, another random delay.
        let now = lan.time();
        lan.nodes[0].withdraw(now, OFFICE);
        for seed in 0..delays.len() as u8 {
            lan.nodes[0].rng = rng(seed + 1);
        }
        lan.nodes[0].publish(now, OFFICE, chosen(0, "Office"));
        lan.run_for(secs(2));
        let times = probes(&lan, "Office");
        assert!(times[0] <= millis(250), "{times:?}");
        assert_eq!(times, [times[0], times[0] + millis(250), times[0] + millis(500)]);
        assert_eq!(announced(&lan, "Office"), Some(times[0] + millis(750)));
        delays.insert(times[0]);
    }
    assert!(delays.len() > 10 && *delays.last().unwrap() > millis(150), "{delays:?}");
}

#[test]
fn a_probe_asks_for_everything_by_unicast_and_proposes_all_records_without_the_flush_bit() {
    let mut lan = claiming();
    lan.run_until(millis(251), |lan| !probes(lan, "Office").is_empty());
    let sent = lan.sent.last().expect("the probe was sent");
    let query = sent.query().expect("a probe is a query");
    assert!(sent.is_multicast());
    assert_eq!(
        query.questions,
        [Question { name: chosen_name("Office"), kind: Type::ANY, want: Want::Unicast }]
    );
    let proposed = [(Ttl::HOST, srv(0)), (Ttl::OTHER, Data::Txt(txt("v")))];
    let name = chosen_name("Office");
    let record = |(ttl, data)| Record { name: name.clone(), ttl, share: Share::Shared, data };
    assert_eq!(query.proposed, proposed.map(record));
    // One question, no answer, two authorities, nothing additional.
    assert_eq!(sent.bytes[4..12], [0, 1, 0, 0, 0, 2, 0, 0]);
}

#[test]
fn names_that_are_claimed_together_are_probed_for_in_one_datagram() {
    let mut lan = claiming();
    let now = lan.time();
    for (id, name) in [(2, "Attic"), (3, "Cellar")] {
        lan.nodes[0].publish(now, ServiceId(id), chosen(0, name));
    }
    lan.run_until(millis(251), |lan| !probes(lan, "Office").is_empty());
    let query = lan.sent.last().and_then(Sent::query).expect("the probe was sent");
    assert_eq!((query.questions.len(), query.proposed.len()), (3, 6));
    lan.run_for(secs(1));
    assert_eq!(probes(&lan, "Cellar").len(), 3);
}

#[test]
fn a_name_that_is_probed_for_is_neither_announced_nor_answered_for() {
    let mut lan = probing();
    let ask = |name, kind| Question { name, kind, want: Want::Multicast };
    let questions = [
        ask(chosen_name("Office"), Type::SRV),
        ask(chosen_name("Office"), Type::A),
        ask(kind().name().clone(), Type::PTR),
    ];
    for datagram in write::query(Family::V4, &questions, &[]) {
        lan.inject(stranger(), &datagram);
    }
    lan.run_for(millis(700));
    assert!(lan.sent.iter().all(|sent| sent.query().is_some()), "{:?}", lan.sent);
    lan.run_for(secs(1));
    assert!(announced(&lan, "Office").is_some());
}

#[test]
fn what_is_said_of_a_name_before_the_first_probe_is_ignored() {
    let mut lan = claiming();
    respond(&mut lan, &[unique("Office", other_srv(9))]);
    lan.inject(stranger(), &probe("Office", &[other_srv(9)]));
    lan.run_for(secs(2));
    assert_eq!(probes(&lan, "Office").len(), 3);
    assert!(announced(&lan, "Office").is_some());
}

#[test]
fn a_record_of_any_type_takes_a_name_away_that_is_probed_for() {
    for data in
        [Data::A([1, 2, 3, 4].into()), Data::Nsec(Default::default()), Data::Txt(txt("w")), other_srv(1)]
    {
        let mut lan = probing();
        respond(&mut lan, &[unique("Office", data)]);
        lan.run_for(secs(3));
        assert_eq!(announced(&lan, "Office"), None);
        assert!(announced(&lan, "Office (2)").is_some());
    }
}

#[test]
fn who_takes_his_record_back_while_we_probe_leaves_us_the_name() {
    let mut lan = probing();
    respond(&mut lan, &[Record { ttl: Ttl::GOODBYE, ..unique("Office", other_srv(9)) }]);
    lan.run_for(secs(2));
    assert!(announced(&lan, "Office").is_some());
}

#[test]
fn the_answer_to_the_third_probe_still_counts() {
    let mut lan = probing();
    lan.run_for(millis(749));
    respond(&mut lan, &[unique("Office", other_srv(9))]);
    lan.run_for(secs(3));
    assert_eq!((probes(&lan, "Office").len(), announced(&lan, "Office")), (2, None));
}

#[test]
fn a_unicast_answer_to_a_probe_is_heeded() {
    let mut lan = probing();
    let own = lan.ip(0).into();
    lan.deliver(0, stranger(), own, &write::response(Family::V4, &[unique("Office", other_srv(9))], &[])[0]);
    lan.run_for(secs(3));
    assert_eq!(announced(&lan, "Office"), None);
}

#[test]
fn who_says_the_same_takes_no_name_away() {
    let mut lan = probing();
    respond(&mut lan, &[unique("Office", srv(0)), unique("Office", Data::Txt(txt("v")))]);
    lan.run_for(secs(2));
    assert!(announced(&lan, "Office").is_some());
}

#[test]
fn what_the_cache_has_of_a_name_is_never_consulted() {
    let mut lan = Lan::ethernet();
    let node = lan.silent_node();
    let now = lan.time();
    lan.nodes[node].browse(now, kind().into()).unwrap();
    let pointer = record(kind().name().clone(), Share::Shared, Data::Ptr(chosen_name("Office")));
    let host = record(host_name(9), Share::Unique, Data::A("10.0.0.200".parse().unwrap()));
    respond(
        &mut lan,
        &[pointer, unique("Office", other_srv(9)), unique("Office", Data::Txt(txt("w"))), host],
    );
    lan.run_for(secs(1));
    assert_eq!(lan.seen(node).len(), 1);
    let now = lan.time();
    lan.nodes[node].publish(now, OFFICE, chosen(node, "Office"));
    lan.run_for(secs(2));
    assert!(announced(&lan, "Office").is_some());
}

#[test]
fn a_later_probe_for_the_same_name_goes_first_and_ours_begins_again_after_a_second() {
    let mut lan = probing();
    let start = lan.now;
    lan.inject(stranger(), &probe("Office", &[other_srv(u16::MAX), Data::Txt(txt("v"))]));
    lan.run_for(secs(4));
    let times = probes(&lan, "Office");
    assert_eq!(times, [1000, 1250, 1500].map(|time| start + millis(time)));
    assert_eq!(announced(&lan, "Office"), Some(start + millis(1750)));
}

#[test]
fn an_earlier_probe_for_the_same_name_is_ignored() {
    let mut lan = probing();
    let start = lan.now;
    lan.inject(stranger(), &probe("Office", &[other_srv(1), Data::Txt(txt("v"))]));
    lan.run_for(secs(2));
    assert!(announced(&lan, "Office").is_some_and(|at| at <= start + millis(750)));
}

#[test]
fn the_first_difference_of_the_sorted_records_decides_and_then_their_number() {
    let (ours, more) = ([srv(0), Data::Txt(txt("v"))], Data::Nsec(Default::default()));
    let goes_first = |proposed: &[Data]| {
        let mut lan = probing();
        let start = lan.now;
        lan.inject(stranger(), &probe("Office", proposed));
        lan.run_for(secs(4));
        announced(&lan, "Office").unwrap() - start > secs(1)
    };
    let [srv, txt_v] = ours;
    // TXT comes before SRV, whatever the order on the wire.
    assert!(goes_first(&[other_srv(1), Data::Txt(txt("w"))]));
    assert!(!goes_first(&[other_srv(u16::MAX), Data::Txt(txt("u"))]));
    assert!(!goes_first(&[txt_v.clone(), srv.clone()]));
    assert!(goes_first(&[txt_v.clone(), srv.clone(), more]));
    assert!(!goes_first(std::slice::from_ref(&txt_v)));
    assert!(goes_first(std::slice::from_ref(&srv)));
}

#[test]
fn records_of_types_that_nobody_here_reads_count_in_a_comparison() {
    let mut lan = probing();
    let start = lan.now;
    // HINFO, 13, comes before TXT: what is first decides.
    let mut earlier =
        probe("Office", &[Data::A([1, 2, 3, 4].into()), other_srv(u16::MAX), Data::Txt(txt("v"))]);
    let at = earlier.windows(6).position(|octets| octets == [0, 1, 0, 1, 0, 0]).expect("the record is there");
    earlier[at + 1] = 13;
    lan.inject(stranger(), &earlier);
    lan.run_for(secs(2));
    assert!(announced(&lan, "Office").is_some_and(|at| at <= start + millis(750)));
}

#[test]
fn two_that_claim_a_name_together_end_with_two_names() {
    let mut lan = Lan::ethernet();
    for node in 0..2 {
        lan.silent_node();
        let now = lan.time();
        lan.nodes[node].publish(now, OFFICE, chosen(node, "Office"));
    }
    lan.run_for(secs(10));
    let named = |name: &str| Event::Published { service: OFFICE, instance: name_of(name) };
    let got = |node: usize, event: &Event| lan.events[node].iter().any(|(_, e)| e == event);
    // The port is larger.
    assert!(got(1, &named("Office")) && got(0, &named("Office (2)")), "{:?}", lan.events);
}

fn name_of(name: &str) -> Label {
    Label::new(name).unwrap()
}

#[test]
fn two_on_one_machine_that_want_a_name_end_with_two_names() {
    let mut lan = Lan::loopback();
    for node in 0..2 {
        lan.silent_node();
        let now = lan.time();
        lan.nodes[node].publish(now, OFFICE, chosen(node, "Office"));
        lan.run_for(secs(5));
    }
    let published = |node: usize| lan.events[node].last().map(|(_, event)| event.clone());
    let named = |name| Some(Event::Published { service: OFFICE, instance: name_of(name) });
    assert_eq!((published(0), published(1)), (named("Office"), named("Office (2)")));
    assert!(lan.sent.iter().all(Sent::is_multicast), "a unicast may reach the wrong one");
}

#[test]
fn a_name_is_probed_for_on_a_link_that_comes_up_later() {
    let mut lan = claiming();
    lan.run_for(secs(10));
    lan.sent.clear();
    lan.join_other(0);
    lan.run_for(secs(10));
    assert!(lan.sent.iter().all(|sent| sent.on == OTHER_SOCKET));
    let times = probes(&lan, "Office");
    assert_eq!((times.len(), announced(&lan, "Office")), (3, Some(times[0] + millis(750))));
}

#[test]
fn who_wakes_probes_for_chosen_names_and_announces_hashed_ones_at_once() {
    let mut lan = claiming();
    let now = lan.time();
    lan.nodes[0].publish(now, ServiceId(0), service(0));
    lan.run_for(secs(100));
    lan.sent.clear();
    let (woken, now) = (lan.now, lan.time());
    lan.nodes[0].handle_wake(now);
    lan.run_for(secs(10));
    let times = probes(&lan, "Office");
    assert!(times.len() == 3 && times[0] <= woken + millis(250), "{times:?}");
    assert_eq!(announced(&lan, "Office"), Some(times[0] + millis(750)));
    let says = |sent: &Sent| sent.records().iter().any(|record| record.name == instance_name(0));
    assert_eq!(lan.sent.iter().find(|sent| says(sent)).map(|sent| sent.at), Some(woken));
}

#[test]
fn a_probe_is_answered_by_multicast_again_after_250_ms_and_not_before() {
    let mut lan = claiming();
    lan.run_for(secs(2000));
    lan.sent.clear();
    // One that does not ask for a unicast answer, as RFC 6762 §8.1 allows.
    let name = chosen_name("Office");
    let question = Question { name: name.clone(), kind: Type::ANY, want: Want::Multicast };
    let datagram = write::probe(Family::V4, &[(question, vec![unique("Office", other_srv(9))])]).remove(0);
    for _ in 0..30 {
        lan.inject(stranger(), &datagram);
        lan.run_for(millis(50));
    }
    let times: Vec<_> = lan.sent.iter().map(|sent| sent.at).collect();
    assert!(times.len() == 6 && times.windows(2).all(|pair| pair[1] - pair[0] == millis(250)), "{times:?}");
}

#[test]
fn what_is_asked_beside_a_probe_waits_its_second() {
    let mut lan = claiming();
    lan.run_for(secs(2000));
    lan.sent.clear();
    let kind = Question { name: kind().name().clone(), kind: Type::PTR, want: Want::Multicast };
    let office = Question { name: chosen_name("Office"), kind: Type::ANY, want: Want::Multicast };
    let claims = [(kind, vec![ptr(9)]), (office, vec![unique("Office", other_srv(9))])];
    let datagram = write::probe(Family::V4, &claims).remove(0);
    for _ in 0..30 {
        lan.inject(stranger(), &datagram);
        lan.run_for(millis(50));
    }
    let tells = |sent: &&Sent| sent.records().iter().any(|record| record.data.kind() == Type::PTR);
    let times: Vec<_> = lan.sent.iter().filter(tells).map(|sent| sent.at).collect();
    assert!(times.len() == 2 && times[1] - times[0] >= secs(1), "{times:?}");
}

#[test]
fn everyone_who_probes_for_our_name_is_told_at_once_and_directly() {
    let mut lan = claiming();
    lan.run_for(secs(100));
    lan.sent.clear();
    for n in 0..30 {
        let from = SocketAddr::new([10, 0, 0, 100 + n].into(), PORT);
        lan.inject(from, &probe("Office", &[other_srv(9)]));
        lan.run_for(Duration::ZERO);
        assert!(lan.sent.iter().any(|sent| sent.to == from));
        lan.run_for(millis(10));
    }
}

#[test]
fn a_host_of_ours_is_never_probed_for_unless_somebody_claims_it() {
    let mut lan = claiming();
    lan.run_for(secs(10));
    let asks =
        |sent: &Sent| sent.query().is_some_and(|q| q.questions.iter().any(|q| q.name == host_of(&label(0))));
    assert!(!lan.sent.iter().any(asks));
}
