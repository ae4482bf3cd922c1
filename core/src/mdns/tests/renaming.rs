//! Several services at a time, the names that they get, and what is said of them.

use super::lan::*;
use super::*;
use crate::mdns::records::{Data, Question, Record, Share, Srv, Ttl, Want};

const STRANGER: &str = "10.0.0.200:5353";
const OFFICE: ServiceId = ServiceId(1);
const ATTIC: ServiceId = ServiceId(2);

fn stranger() -> SocketAddr {
    STRANGER.parse().unwrap()
}

fn text(name: &str) -> Label {
    Label::new(name).unwrap()
}

fn alone() -> Lan {
    let mut lan = Lan::ethernet();
    lan.silent_node();
    lan
}

fn publish(lan: &mut Lan, id: ServiceId, service: Service) {
    let now = lan.time();
    lan.nodes[0].publish(now, id, service);
}

fn records(lan: &Lan) -> Vec<Record> {
    lan.sent.iter().flat_map(Sent::records).collect()
}

fn is_probe(sent: &Sent) -> bool {
    sent.query().is_some_and(|query| !query.proposed.is_empty())
}

fn told(lan: &Lan) -> Vec<Event> {
    lan.events[0].iter().map(|(_, event)| event.clone()).collect()
}

fn published(service: ServiceId, name: &str) -> Event {
    Event::Published { service, instance: text(name) }
}

fn renamed(service: ServiceId, name: &str) -> Event {
    Event::Renamed { service, instance: text(name) }
}

/// Claims every name below `kind` that the node probes for, while time passes.
fn occupy(lan: &mut Lan, time: Duration) {
    let end = lan.now + time;
    let mut heard = 0;
    while lan.now < end {
        lan.run_for(millis(20));
        let asked = lan.sent[heard..].iter().filter(|sent| is_probe(sent)).filter_map(Sent::query);
        let names: Vec<Name> =
            asked.flat_map(|query| query.questions).map(|question| question.name).collect();
        heard = lan.sent.len();
        for name in names {
            let data = Data::Srv(Srv { priority: 0, weight: 0, port: 9, target: host_name(9) });
            let claim = record(name, Share::Unique, data);
            lan.inject(stranger(), &write::response(Family::V4, &[claim], &[])[0]);
        }
    }
}

#[test]
fn a_name_that_is_taken_gets_a_number_and_the_application_hears_of_it() {
    let mut lan = alone();
    lan.silent_node();
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    lan.run_for(secs(5));
    let now = lan.time();
    lan.nodes[1].publish(now, OFFICE, chosen(1, "Office"));
    lan.run_for(secs(5));
    assert_eq!(told(&lan), [published(OFFICE, "Office")]);
    let other: Vec<Event> = lan.events[1].iter().map(|(_, event)| event.clone()).collect();
    assert_eq!(other, [renamed(OFFICE, "Office (2)"), published(OFFICE, "Office (2)")]);
}

#[test]
fn a_name_is_published_when_every_link_has_it() {
    let mut lan = alone();
    lan.join_other(0);
    lan.is_lost = Box::new(|_, _| false);
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    lan.run_for(secs(3));
    let says = |sent: &&Sent| sent.records().iter().any(|record| matches!(record.data, Data::Srv(_)));
    let first = |on| lan.sent.iter().filter(says).find(|sent| sent.on == on).map(|sent| sent.at).unwrap();
    let (time, event) = &lan.events[0][0];
    assert_eq!((*time, event), (first(SOCKET).max(first(OTHER_SOCKET)), &published(OFFICE, "Office")));
    assert_ne!(first(SOCKET), first(OTHER_SOCKET), "each link probes for itself");
}

#[test]
fn without_a_link_nothing_is_published_and_nothing_fails() {
    let mut lan = alone();
    let now = lan.time();
    lan.nodes[0].handle_link_down(now, SOCKET);
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    lan.run_for(secs(300));
    assert_eq!(told(&lan), []);
}

#[test]
fn of_two_services_of_ours_with_one_name_the_second_is_renamed_at_once() {
    let mut lan = alone();
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    publish(&mut lan, ATTIC, chosen(0, "oFFICE"));
    lan.run_for(Duration::ZERO);
    assert_eq!(told(&lan), [renamed(ATTIC, "oFFICE (2)")]);
    lan.run_for(secs(5));
    assert_eq!(told(&lan)[1..], [published(OFFICE, "Office"), published(ATTIC, "oFFICE (2)")]);
    let probes: Vec<_> = lan.sent.iter().filter(|sent| is_probe(sent)).collect();
    assert_eq!(probes.len(), 3, "the two are no strangers to each other");
}

#[test]
fn a_name_that_is_taken_is_passed_over_if_another_service_of_ours_has_the_next_one() {
    let mut lan = alone();
    for (id, name) in [(5, "Office"), (6, "Office (2)"), (7, "Office")] {
        publish(&mut lan, ServiceId(id), chosen(0, name));
    }
    lan.run_for(Duration::ZERO);
    assert_eq!(told(&lan), [renamed(ServiceId(7), "Office (3)")]);
}

#[test]
fn a_hashed_name_stays_whatever_a_chosen_one_was_first() {
    let mut lan = alone();
    publish(&mut lan, OFFICE, chosen(0, "node-0"));
    publish(&mut lan, ServiceId(0), service(0));
    lan.run_for(secs(5));
    assert_eq!(told(&lan), [renamed(OFFICE, "node-0 (2)"), published(OFFICE, "node-0 (2)")]);
}

#[test]
fn who_finds_no_name_for_a_minute_says_so_and_then_tries_once_a_minute() {
    let mut lan = alone();
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    occupy(&mut lan, secs(600));
    let unnamed: Vec<Duration> = lan.events[0]
        .iter()
        .filter(|(_, event)| *event == Event::Unnamed { service: OFFICE })
        .map(|(time, _)| *time)
        .collect();
    assert!(unnamed.len() == 1 && (secs(60)..secs(62)).contains(&unnamed[0]), "{unnamed:?}");
    let late: Vec<Duration> =
        lan.sent.iter().filter(|sent| is_probe(sent) && sent.at > secs(130)).map(|sent| sent.at).collect();
    assert!((7..=9).contains(&late.len()), "{late:?}");
    assert!(late.windows(2).all(|pair| pair[1] - pair[0] >= secs(59)), "{late:?}");
    // The others left.
    lan.run_for(secs(62));
    assert!(matches!(told(&lan).last(), Some(Event::Published { service: OFFICE, .. })));
}

#[test]
fn a_minute_of_defeats_by_probes_is_a_minute_without_a_name() {
    let mut lan = alone();
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    let end = lan.now + secs(90);
    let mut heard = 0;
    while lan.now < end {
        lan.run_for(millis(20));
        let probed = lan.sent[heard..].iter().any(is_probe);
        heard = lan.sent.len();
        if probed {
            let data = Data::Srv(Srv { priority: 9, weight: 9, port: 9, target: host_name(9) });
            let question = Question { name: chosen_name("Office"), kind: Type::ANY, want: Want::Unicast };
            let theirs = vec![record(chosen_name("Office"), Share::Shared, data)];
            lan.inject(stranger(), &write::probe(Family::V4, &[(question, theirs)])[0]);
        }
    }
    assert_eq!(told(&lan), [Event::Unnamed { service: OFFICE }]);
    assert!(lan.sent.iter().filter(|sent| is_probe(sent)).count() < 65);
}

#[test]
fn a_name_that_was_changed_by_others_stays_when_the_service_changes() {
    let mut lan = alone();
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    lan.run_until(secs(1), |lan| lan.sent.iter().any(is_probe));
    occupy(&mut lan, millis(20));
    lan.run_for(secs(100));
    assert_eq!(told(&lan), [renamed(OFFICE, "Office (2)"), published(OFFICE, "Office (2)")]);
    lan.sent.clear();
    let start = lan.now;
    publish(&mut lan, OFFICE, Service { txt: txt("new"), ..chosen(0, "Office") });
    lan.run_for(secs(100));
    // Announced at once, three times, without a probe: who has a name may change what it says.
    let times: Vec<Duration> = lan.sent.iter().map(|sent| sent.at - start).collect();
    assert_eq!(times, [secs(0), secs(1), secs(3)]);
    let expected = record(chosen_name("Office (2)"), Share::Unique, Data::Txt(txt("new")));
    assert!(lan.sent.iter().all(|sent| sent.records() == std::slice::from_ref(&expected)));
    assert_eq!(told(&lan).len(), 2);
}

#[test]
fn another_name_for_a_service_is_probed_for_and_the_old_one_gets_a_goodbye() {
    let mut lan = alone();
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    lan.run_for(secs(100));
    lan.sent.clear();
    publish(&mut lan, OFFICE, chosen(0, "Study"));
    lan.run_for(secs(100));
    let goodbyes: Vec<Record> =
        records(&lan).into_iter().filter(|record| record.ttl == Ttl::GOODBYE).collect();
    assert!(goodbyes.iter().any(|record| record.data == Data::Ptr(chosen_name("Office"))), "{goodbyes:?}");
    assert_eq!(lan.sent.iter().filter(|sent| is_probe(sent)).count(), 3);
    assert_eq!(told(&lan), [published(OFFICE, "Office"), published(OFFICE, "Study")]);
}

#[test]
fn a_chosen_name_is_announced_three_times_with_doubling_gaps_and_never_again() {
    let mut lan = alone();
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    lan.run_for(secs(10_000));
    let says = |sent: &&Sent| sent.records().iter().any(|record| matches!(record.data, Data::Srv(_)));
    let times: Vec<Duration> = lan.sent.iter().filter(says).map(|sent| sent.at).collect();
    assert_eq!(times, [times[0], times[0] + secs(1), times[0] + secs(3)]);
}

#[test]
fn a_service_that_is_withdrawn_gets_a_goodbye_and_the_others_stay() {
    let mut lan = alone();
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    publish(&mut lan, ATTIC, chosen(0, "Attic"));
    lan.run_for(secs(100));
    lan.sent.clear();
    let now = lan.time();
    lan.nodes[0].withdraw(now, OFFICE);
    lan.run_for(secs(100));
    let said = records(&lan);
    assert!(said.iter().all(|record| record.ttl == Ttl::GOODBYE), "{said:?}");
    let is_own = |r: &Record| r.name == chosen_name("Office") || r.data == Data::Ptr(chosen_name("Office"));
    assert!(said.len() >= 3 && said.iter().all(is_own), "{said:?}");
}

#[test]
fn a_service_that_is_withdrawn_while_it_is_probed_for_says_nothing_more() {
    let mut lan = alone();
    publish(&mut lan, OFFICE, chosen(0, "Office"));
    lan.run_until(secs(1), |lan| lan.sent.iter().any(is_probe));
    let now = lan.time();
    lan.nodes[0].withdraw(now, OFFICE);
    lan.run_for(Duration::ZERO);
    lan.sent.clear();
    lan.run_for(secs(100));
    assert!(lan.sent.is_empty() && told(&lan).is_empty());
}

#[test]
fn instances_of_a_subtype_are_listed_announced_and_taken_back() {
    let mut lan = alone();
    let with = |subtypes: &[&str]| Service {
        subtypes: subtypes.iter().map(|label| text(label)).collect(),
        ..chosen(0, "Office")
    };
    publish(&mut lan, OFFICE, with(&["_printer", "_scanner"]));
    lan.run_for(secs(2000));
    let name = Name::from_labels([&b"_printer"[..], b"_sub", b"_test", b"_udp", b"local"]).unwrap();
    let pointer = record(name.clone(), Share::Shared, Data::Ptr(chosen_name("Office")));
    assert!(records(&lan).contains(&pointer));
    lan.sent.clear();
    let question = Question { name, kind: Type::PTR, want: Want::Multicast };
    lan.inject(stranger(), &write::query(Family::V4, &[question], &[])[0]);
    lan.run_for(secs(1));
    let kinds: Vec<Type> = records(&lan).iter().map(|record| record.data.kind()).collect();
    assert_eq!((&records(&lan)[0], &kinds[..]), (&pointer, &[Type::PTR, Type::SRV, Type::TXT, Type::A][..]));
    lan.sent.clear();
    publish(&mut lan, OFFICE, with(&["_scanner"]));
    lan.run_for(secs(10));
    assert_eq!(records(&lan), [Record { ttl: Ttl::GOODBYE, ..pointer }]);
}

#[test]
fn as_many_services_as_may_be_are_probed_for_and_published_within_bounds() {
    let mut lan = alone();
    for id in 0..MAX_SERVICES as u64 {
        let subtypes = (0..MAX_SUBTYPES).map(|n| text(&format!("_sub-{n}"))).collect();
        publish(&mut lan, ServiceId(id), Service { subtypes, ..chosen(0, &format!("Office {id}")) });
        for table in lan.nodes[0].tables(Bounds { links: 1, resolved: 1 }) {
            assert!(table.len <= table.bound, "{table:?}");
        }
    }
    lan.run_for(secs(5));
    assert!(lan.sent.iter().all(|sent| sent.bytes.len() <= 1472));
    assert!(lan.sent.iter().filter(|sent| is_probe(sent)).count() <= 9, "names share a datagram");
    assert_eq!(told(&lan).len(), MAX_SERVICES);
    let now = lan.time();
    lan.nodes[0].withdraw_all(now);
    lan.sent.clear();
    lan.run_for(secs(5));
    let bye = |id: usize| Data::Ptr(chosen_name(&format!("Office {id}")));
    let said = records(&lan);
    assert!((0..MAX_SERVICES).all(|id| said.iter().any(|record| record.data == bye(id))));
}
