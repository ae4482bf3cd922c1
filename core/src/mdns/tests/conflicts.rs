//! Names that are ours, and somebody else says otherwise.

use super::lan::*;
use super::*;
use crate::mdns::records::{Data, Question, Record, Share, Srv, Ttl, Want};

const STRANGER: &str = "10.0.0.200:5353";
const OFFICE: ServiceId = ServiceId(1);
const OWN: ServiceId = ServiceId(0);

fn stranger() -> SocketAddr {
    STRANGER.parse().unwrap()
}

fn response(records: &[Record]) -> Vec<u8> {
    write::response(Family::V4, records, &[]).remove(0)
}

/// Where somebody else is.
fn elsewhere(name: Name) -> Record {
    record(name, Share::Unique, Data::Srv(Srv { priority: 9, weight: 0, port: 9, target: host_name(9) }))
}

/// A node that published itself and "Office" long ago.
fn settled() -> Lan {
    let mut lan = Lan::ethernet();
    let node = lan.silent_node();
    let now = lan.time();
    lan.nodes[node].publish(now, OWN, service(node));
    lan.nodes[node].publish(now, OFFICE, chosen(node, "Office"));
    lan.run_for(secs(2000));
    lan.sent.clear();
    lan.events[node].clear();
    lan
}

fn probes_for(sent: &Sent, name: &Name) -> bool {
    sent.query()
        .is_some_and(|query| !query.proposed.is_empty() && query.questions.iter().any(|q| q.name == *name))
}

/// When a node probed for a name.
fn probes(lan: &Lan, name: &Name) -> Vec<Duration> {
    lan.sent.iter().filter(|sent| probes_for(sent, name)).map(|sent| sent.at).collect()
}

/// Whether it was said since that a name is there.
fn says(lan: &Lan, name: &Name) -> bool {
    let is_of = |record: &Record| record.name == *name && record.ttl != Ttl::GOODBYE;
    lan.sent.iter().any(|sent| sent.records().iter().any(is_of))
}

fn goodbyes(lan: &Lan, on: SocketId) -> Vec<Record> {
    let sent = lan.sent.iter().filter(|sent| sent.on == on);
    sent.flat_map(Sent::records).filter(|record| record.ttl == Ttl::GOODBYE).collect()
}

fn told(lan: &Lan) -> Vec<Event> {
    lan.events[0].iter().map(|(_, event)| event.clone()).collect()
}

/// Says `claim` in answer to every probe of a node for `name`, until `time` is over.
fn insist(lan: &mut Lan, name: &Name, time: Duration) {
    let end = lan.now + time;
    let mut heard = lan.sent.len();
    while lan.now < end {
        lan.run_for(millis(20));
        let asked = lan.sent[heard..].iter().any(|sent| probes_for(sent, name));
        heard = lan.sent.len();
        if asked {
            lan.inject(stranger(), &response(&[elsewhere(name.clone())]));
        }
    }
}

#[test]
fn other_data_in_any_section_sends_a_name_back_to_probing_and_nobody_else_keeps_it() {
    let name = chosen_name("Office");
    for section in [7, 9, 11] {
        let mut lan = settled();
        let start = lan.now;
        let mut bytes = response(&[elsewhere(name.clone())]);
        bytes.swap(7, section);
        lan.inject(stranger(), &bytes);
        let question = Question { name: name.clone(), kind: Type::SRV, want: Want::Multicast };
        lan.inject(stranger(), &write::query(Family::V4, &[question], &[])[0]);
        lan.run_for(millis(700));
        assert!(!says(&lan, &name), "it is not ours until that is found out");
        lan.run_for(secs(10));
        let times = probes(&lan, &name);
        assert!(times.len() == 3 && times[0] <= start + millis(250), "{times:?}");
        assert!(says(&lan, &name));
        assert_eq!(told(&lan), [], "nothing became of it");
    }
}

#[test]
fn who_loses_a_name_that_he_had_takes_another_and_says_no_goodbye_in_its_name() {
    let mut lan = settled();
    let name = chosen_name("Office");
    lan.inject(stranger(), &response(&[elsewhere(name.clone())]));
    insist(&mut lan, &name, secs(10));
    assert!(!says(&lan, &name) && says(&lan, &chosen_name("Office (2)")));
    assert_eq!(goodbyes(&lan, SOCKET), []);
    let instance = Label::new("Office (2)").unwrap();
    let renamed = Event::Renamed { service: OFFICE, instance: instance.clone() };
    assert_eq!(told(&lan), [renamed, Event::Published { service: OFFICE, instance }]);
}

#[test]
fn the_same_data_is_never_a_conflict_whoever_says_it() {
    let mut lan = settled();
    let names = [chosen_name("Office"), instance_name(0)];
    for name in &names {
        let same = [srv(0), Data::Txt(txt("v"))].map(|data| record(name.clone(), Share::Unique, data));
        lan.inject(stranger(), &response(&same));
    }
    lan.run_for(secs(5));
    assert!(names.iter().all(|name| probes(&lan, name).is_empty()));
}

#[test]
fn another_type_at_a_name_that_we_have_and_a_goodbye_to_other_data_are_no_conflict() {
    let mut lan = settled();
    let name = chosen_name("Office");
    let address = record(name.clone(), Share::Unique, Data::A([1, 2, 3, 4].into()));
    let goodbye = Record { ttl: Ttl::GOODBYE, ..elsewhere(name.clone()) };
    lan.inject(stranger(), &response(&[address, goodbye]));
    lan.run_for(secs(5));
    assert!(probes(&lan, &name).is_empty());
}

#[test]
fn other_data_from_an_own_address_does_not_contest_a_name_that_we_have() {
    let mut lan = settled();
    let from = SocketAddr::new(lan.ip(0).into(), PORT);
    let claims = [chosen_name("Office"), instance_name(0)].map(elsewhere);
    lan.deliver(0, from, GROUP_V4.into(), &response(&claims));
    lan.run_for(secs(5));
    assert_eq!((lan.sent.len(), told(&lan)), (0, Vec::new()));
}

#[test]
fn a_hashed_name_that_nobody_defends_is_probed_for_and_kept() {
    let mut lan = settled();
    lan.inject(stranger(), &response(&[elsewhere(instance_name(0))]));
    lan.run_for(secs(10));
    assert_eq!(probes(&lan, &instance_name(0)).len(), 3);
    assert!(says(&lan, &instance_name(0)));
    assert_eq!(told(&lan), [Event::Conflict(OWN)]);
}

#[test]
fn a_hashed_name_that_is_lost_is_withdrawn_and_tried_again_every_minute() {
    let mut lan = settled();
    let name = instance_name(0);
    lan.inject(stranger(), &response(&[elsewhere(name.clone())]));
    insist(&mut lan, &name, secs(200));
    let times = probes(&lan, &name);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= secs(60)), "{times:?}");
    assert_eq!(times.len(), 4);
    assert!(!says(&lan, &name) && !lan.sent.iter().any(|sent| sent.records().contains(&ptr(0))));
    assert_eq!(goodbyes(&lan, SOCKET), []);
    let conflicts = told(&lan);
    assert!(
        conflicts.len() >= 3 && conflicts.iter().all(|event| *event == Event::Conflict(OWN)),
        "{conflicts:?}"
    );
    // He is gone.
    lan.run_for(secs(61));
    assert!(says(&lan, &name));
}

#[test]
fn a_host_name_that_is_lost_gets_a_number_and_every_service_follows_it() {
    let mut lan = settled();
    let other = |name| record(name, Share::Unique, Data::A([10, 0, 0, 200].into()));
    lan.inject(stranger(), &response(&[other(host_name(0))]));
    lan.run_until(secs(1), |lan| !probes(lan, &host_name(0)).is_empty());
    lan.inject(stranger(), &response(&[other(host_name(0))]));
    lan.sent.clear();
    lan.run_for(secs(10));
    let next = Name::from_labels([&b"node-0-2"[..], b"local"]).unwrap();
    assert_eq!(probes(&lan, &next).len(), 3, "somebody may have that one too");
    assert!(says(&lan, &next) && !says(&lan, &host_name(0)));
    let records: Vec<Record> = lan.sent.iter().flat_map(Sent::records).collect();
    for name in [instance_name(0), chosen_name("Office")] {
        let target = |record: &Record| matches!(&record.data, Data::Srv(srv) if srv.target == next);
        assert!(records.iter().any(|record| record.name == name && target(record)), "{name}");
    }
    assert_eq!(told(&lan), [Event::Conflict(OWN)]);
}

#[test]
fn a_conflict_on_one_link_renames_on_all_and_says_goodbye_where_nobody_else_has_the_name() {
    let mut lan = settled();
    lan.join_other(0);
    lan.run_for(secs(2000));
    lan.sent.clear();
    let name = chosen_name("Office");
    let claim = response(&[elsewhere(name.clone())]);
    lan.inject_other("10.1.0.200:5353".parse().unwrap(), &claim);
    let on = |lan: &Lan, on, name: &Name| lan.sent.iter().any(|sent| sent.on == on && probes_for(sent, name));
    lan.run_until(secs(1), |lan| on(lan, OTHER_SOCKET, &name));
    lan.inject_other("10.1.0.200:5353".parse().unwrap(), &claim);
    lan.run_for(secs(10));
    let next = chosen_name("Office (2)");
    assert!(on(&lan, SOCKET, &next) && on(&lan, OTHER_SOCKET, &next));
    let gone = goodbyes(&lan, SOCKET);
    assert!(gone.iter().any(|record| record.data == Data::Ptr(name.clone())), "{gone:?}");
    assert_eq!(goodbyes(&lan, OTHER_SOCKET), []);
    let renames = told(&lan).into_iter().filter(|event| matches!(event, Event::Renamed { .. }));
    assert_eq!(renames.count(), 1);
}

#[test]
fn two_links_that_are_one_network_never_cost_a_name() {
    let mut lan = Lan::ethernet();
    lan.is_bridged = true;
    lan.silent_node();
    lan.join_other(0);
    let now = lan.time();
    lan.nodes[0].publish(now, OWN, service(0));
    lan.nodes[0].publish(now, OFFICE, chosen(0, "Office"));
    lan.run_for(secs(20));
    let instance = Label::new("Office").unwrap();
    assert_eq!(told(&lan), [Event::Published { service: OFFICE, instance }]);
    // A sleep, a claim that sends every name to probing, and a look at the hosts.
    let now = lan.time();
    lan.nodes[0].handle_wake(now);
    lan.run_for(secs(20));
    for name in [instance_name(0), chosen_name("Office")] {
        lan.inject(stranger(), &response(&[elsewhere(name)]));
    }
    let host = record(host_name(0), Share::Unique, Data::A([10, 0, 0, 200].into()));
    lan.inject(stranger(), &response(&[host]));
    lan.sent.clear();
    lan.run_for(secs(20));
    assert_eq!(told(&lan)[1..], [Event::Conflict(OWN)]);
    // Each link probes for its own addresses, and gives way to nobody, least of all to the other one.
    assert_eq!(probes(&lan, &host_name(0)).len(), 6);
    assert!(says(&lan, &host_name(0)) && says(&lan, &instance_name(0)) && says(&lan, &chosen_name("Office")));
    lan.sent.clear();
    lan.run_for(secs(4000));
    assert_eq!(lan.sent.len(), 0, "the two never come to rest");
}

#[test]
fn an_address_that_another_link_said_makes_this_one_say_its_own_once_a_second_at_most() {
    let mut lan = settled();
    lan.join_other(0);
    lan.run_for(secs(2000));
    lan.sent.clear();
    // What the other link says, come over a bridge.
    let echo = record(host_name(0), Share::Unique, Data::address(lan.other_ip(0).into()));
    let start = lan.now;
    for _ in 0..50 {
        lan.inject(stranger(), &response(std::slice::from_ref(&echo)));
        lan.run_for(millis(100));
    }
    let own = Data::address(lan.ip(0).into());
    let says = |sent: &&Sent| sent.records().iter().any(|record| record.data == own);
    let times: Vec<Duration> = lan.sent.iter().filter(says).map(|sent| sent.at).collect();
    assert_eq!(times[0], start, "peers forget the address within a second");
    assert!(times.len() >= 4 && times.windows(2).all(|pair| pair[1] - pair[0] >= secs(1)), "{times:?}");
    assert_eq!(told(&lan), []);
}

#[test]
fn forged_conflicts_without_end_cost_a_bounded_number_of_datagrams_and_renames() {
    let mut lan = settled();
    let start = lan.now;
    let mut minutes = Vec::new();
    for _ in 0..5 {
        let (sent, end) = (lan.sent.len(), lan.now + secs(60));
        while lan.now < end {
            // The forger knows every name at once.
            let current = |id| lan.nodes[0].scope.services.get(&id).map(Service::instance_name);
            let claims: Vec<Record> = [OWN, OFFICE].into_iter().filter_map(current).map(elsewhere).collect();
            let host = lan.nodes[0].scope.services[&OWN].host_name();
            let host = record(host, Share::Unique, Data::A([10, 0, 0, 200].into()));
            lan.inject(stranger(), &response(&claims));
            lan.inject(stranger(), &response(&[host]));
            lan.run_for(millis(10));
        }
        minutes.push(lan.sent.len() - sent);
    }
    let renames = told(&lan).iter().filter(|event| matches!(event, Event::Renamed { .. })).count();
    assert!(minutes[0] <= 120 && minutes[1..].iter().all(|sent| *sent <= 60), "{minutes:?}");
    assert!((10..=30).contains(&renames), "{renames}");
    let mut probes: Vec<Duration> =
        lan.sent.iter().filter(|sent| sent.query().is_some()).map(|sent| sent.at).collect();
    probes.retain(|at| *at > start + secs(10));
    probes.dedup();
    assert!(probes.windows(2).all(|pair| pair[1] - pair[0] >= millis(4750)), "{probes:?}");
    for table in lan.nodes[0].tables(Bounds { links: 1, resolved: 1 }) {
        assert!(table.len <= table.bound, "{table:?}");
    }
}
