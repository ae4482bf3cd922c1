//! Several kinds at a time, types and subtypes, and what each browse is told.

use super::lan::*;
use super::*;
use crate::mdns::records::{Data, Question, Record, Share, Srv, Ttl, Want};
use crate::mdns::service::MAX_BROWSES;

fn text(label: &str) -> Label {
    Label::new(label).unwrap()
}

fn ipp() -> ServiceType {
    ServiceType::new(&text("_ipp"), &text("_tcp"))
}

fn colour() -> Kind {
    Kind::subtype(&ipp(), &text("_color"))
}

fn ssh() -> ServiceType {
    ServiceType::new(&text("_ssh"), &text("_tcp"))
}

fn printer() -> Label {
    text("Office.2 \u{2603}")
}

fn named(name: Name, data: Data) -> Record {
    record(name, Share::Unique, data)
}

/// What a machine with one service says of it, as of each of `kinds`.
fn says(kinds: &[Kind], instance: &Label) -> Vec<Record> {
    let (name, host) = (kinds[0].base().instance(instance), host_name(9));
    let pointer = |kind: &Kind| Record {
        name: kind.name().clone(),
        ttl: Ttl::OTHER,
        share: Share::Shared,
        data: Data::Ptr(name.clone()),
    };
    let mut records: Vec<Record> = kinds.iter().map(pointer).collect();
    let srv = Srv { priority: 0, weight: 0, port: 631, target: host.clone() };
    records.push(named(name, Data::Srv(srv)));
    records.push(named(host, Data::A("10.0.0.200".parse().unwrap())));
    records
}

fn tell(lan: &mut Lan, records: &[Record]) {
    let bytes = write::response(Family::V4, records, &[]).remove(0);
    lan.inject("10.0.0.200:5353".parse().unwrap(), &bytes);
    lan.run_for(millis(1));
}

fn browse(lan: &mut Lan, kind: &Kind) {
    let now = lan.time();
    lan.nodes[0].browse(now, kind.clone()).unwrap();
    lan.run_for(millis(1));
}

/// What was found and lost, by kind, since this was last asked.
fn told(lan: &mut Lan) -> Vec<(bool, Kind, Label)> {
    let of = |(_, event): (Duration, Event)| match event {
        Event::Found(instance) => Some((true, instance.kind, instance.name)),
        Event::Lost { kind, instance, .. } => Some((false, kind, instance)),
        Event::Conflict(_)
        | Event::Published { .. }
        | Event::Renamed { .. }
        | Event::Unnamed { .. }
        | Event::Updated(_) => None,
    };
    lan.events[0].drain(..).filter_map(of).collect()
}

fn questions(lan: &Lan) -> Vec<Question> {
    lan.sent.iter().filter_map(Sent::query).flat_map(|query| query.questions).collect()
}

fn quiet() -> Lan {
    let mut lan = Lan::ethernet();
    lan.silent_node();
    lan
}

#[test]
fn any_type_of_service_is_browsed_under_its_name_as_it_stands() {
    let mut lan = quiet();
    let odd = ServiceType::new(&text("No Service"), &text("_sctp"));
    for base in [ipp(), kind(), odd] {
        let kind = Kind::from(base);
        browse(&mut lan, &kind);
        tell(&mut lan, &says(std::slice::from_ref(&kind), &printer()));
        assert_eq!(told(&mut lan), [(true, kind.clone(), printer())]);
        lan.run_for(secs(1));
        assert!(questions(&lan).iter().any(|asked| asked.name == *kind.name() && asked.kind == Type::PTR));
    }
    let names: Vec<String> = questions(&lan).iter().map(|asked| asked.name.to_string()).collect();
    assert!(
        names.contains(&"_ipp._tcp.local.".to_owned()) && names.contains(&"_test._udp.local.".to_owned())
    );
}

#[test]
fn a_subtype_is_asked_for_under_sub_and_its_pointers_lead_to_instances_of_the_type() {
    let mut lan = quiet();
    browse(&mut lan, &colour());
    lan.run_for(secs(1));
    let asked = questions(&lan);
    assert_eq!(asked[0].name.to_string(), "_color._sub._ipp._tcp.local.");
    assert_eq!((asked[0].kind, asked[0].want), (Type::PTR, Want::Unicast));
    tell(&mut lan, &says(&[colour()], &printer()));
    assert_eq!(told(&mut lan), [(true, colour(), printer())]);
    assert!(
        !questions(&lan).iter().any(|asked| asked.name == *ipp().name()),
        "the type itself is not asked for"
    );
}

#[test]
fn a_pointer_of_a_subtype_that_leads_out_of_its_type_is_not_believed() {
    let mut lan = quiet();
    browse(&mut lan, &colour());
    browse(&mut lan, &ssh().into());
    let mut records = says(&[ssh().into()], &printer());
    records[0].name = colour().name().clone();
    tell(&mut lan, &records);
    // One that is named below the subtype is no instance either.
    let mut records = says(&[colour()], &printer());
    records[0].data = Data::Ptr(colour().name().child(&printer()).unwrap());
    tell(&mut lan, &records);
    assert_eq!(told(&mut lan), []);
    assert_eq!(lan.nodes[0].stats().records_cached, 3, "where both instances are, and not the pointers");
}

#[test]
fn an_instance_of_a_type_and_of_a_subtype_is_found_and_lost_by_each_browse() {
    let mut lan = quiet();
    let both = [Kind::from(ipp()), colour()];
    both.iter().for_each(|kind| browse(&mut lan, kind));
    tell(&mut lan, &says(&both, &printer()));
    let found = told(&mut lan);
    assert_eq!(found.len(), 2);
    assert!(both.iter().all(|kind| found.contains(&(true, kind.clone(), printer()))));
    // It is no longer of the subtype: only that browse loses it.
    let bye = says(&[colour()], &printer()).remove(0);
    tell(&mut lan, &[Record { ttl: Ttl::GOODBYE, ..bye }]);
    lan.run_for(secs(2));
    assert_eq!(told(&mut lan), [(false, colour(), printer())]);
}

#[test]
fn who_browses_what_is_browsed_already_is_told_at_once_what_is_there() {
    let mut lan = quiet();
    let all = Kind::from(ipp());
    browse(&mut lan, &all);
    browse(&mut lan, &ssh().into());
    tell(&mut lan, &says(std::slice::from_ref(&all), &printer()));
    tell(&mut lan, &says(&[ssh().into()], &text("shell")));
    lan.run_for(secs(5));
    told(&mut lan);
    lan.sent.clear();
    browse(&mut lan, &all);
    assert_eq!(told(&mut lan), [(true, all, printer())]);
    assert!(lan.sent.is_empty(), "and nobody is asked");
}

#[test]
fn a_kind_that_is_no_longer_browsed_leaves_the_others_what_they_know() {
    let mut lan = quiet();
    let both = [Kind::from(ipp()), colour()];
    both.iter().for_each(|kind| browse(&mut lan, kind));
    tell(&mut lan, &says(&both, &printer()));
    told(&mut lan);
    let now = lan.time();
    lan.nodes[0].stop_browse(now, &both[0]);
    lan.sent.clear();
    lan.run_for(secs(300));
    assert!(questions(&lan).iter().all(|asked| asked.kind != Type::PTR || asked.name == *colour().name()));
    assert_eq!(told(&mut lan), []);
    let bye = says(&[colour()], &printer()).remove(0);
    tell(&mut lan, &[Record { ttl: Ttl::GOODBYE, ..bye }]);
    lan.run_for(secs(2));
    assert_eq!(told(&mut lan), [(false, colour(), printer())]);
}

#[test]
fn a_kind_beyond_the_bound_is_refused_until_another_is_given_up() {
    let mut lan = quiet();
    let kind = |n: usize| Kind::from(ServiceType::new(&text(&format!("_x{n}")), &text("_tcp")));
    (0..MAX_BROWSES).for_each(|n| browse(&mut lan, &kind(n)));
    let now = lan.time();
    assert_eq!(lan.nodes[0].browse(now, kind(MAX_BROWSES)), Err(TooManyBrowses));
    assert_eq!(lan.nodes[0].browse(now, kind(0)), Ok(()), "it is browsed already");
    tell(&mut lan, &says(&[kind(MAX_BROWSES - 1)], &printer()));
    assert_eq!(told(&mut lan).len(), 1);
    lan.nodes[0].stop_browse(now, &kind(7));
    assert_eq!(lan.nodes[0].browse(now, kind(MAX_BROWSES)), Ok(()));
}

#[test]
fn a_doubtful_instance_is_asked_for_as_of_each_kind_that_has_it() {
    let mut lan = quiet();
    let both = [Kind::from(ipp()), colour()];
    both.iter().for_each(|kind| browse(&mut lan, kind));
    tell(&mut lan, &says(&both, &printer()));
    lan.run_for(secs(100));
    told(&mut lan);
    lan.sent.clear();
    let now = lan.time();
    lan.nodes[0].reconfirm(now, &ipp(), &printer());
    lan.run_for(secs(11));
    for kind in &both {
        let times = questions(&lan).iter().filter(|asked| asked.name == *kind.name()).count();
        assert!(times >= 2, "{kind:?}: {times}");
    }
    assert_eq!(told(&mut lan).len(), 2, "each browse loses it");
}

#[test]
fn an_instance_that_is_resolved_and_not_browsed_is_told_as_of_its_type_each_time() {
    let mut lan = quiet();
    for _ in 0..2 {
        let now = lan.time();
        lan.nodes[0].resolve(now, &ipp(), &printer());
        tell(&mut lan, &says(&[ipp().into()], &printer())[1..]);
        assert_eq!(told(&mut lan), [(true, ipp().into(), printer())]);
        let now = lan.time();
        lan.nodes[0].stop_resolve(now, &ipp(), &printer());
        lan.run_for(secs(200));
        assert_eq!(told(&mut lan), []);
    }
}

#[test]
fn the_list_of_kinds_is_said_once_a_second_however_often_services_come_and_go() {
    let mut lan = Lan::ethernet();
    let node = lan.silent_node();
    for id in 0..8 {
        let now = lan.time();
        lan.nodes[node].publish(now, ServiceId(id), service(node));
        lan.run_for(millis(150));
        let now = lan.time();
        lan.nodes[node].withdraw(now, ServiceId(id));
        lan.run_for(millis(150));
    }
    let listed = lan.sent.iter().flat_map(|sent| sent.records().into_iter().map(|record| (sent.at, record)));
    let times: Vec<Duration> =
        listed.filter(|(_, record)| record.name == Service::enumeration()).map(|(at, _)| at).collect();
    assert!(times.len() >= 2, "{times:?}");
    assert!(times.is_sorted_by(|one, next| *one + secs(1) <= *next), "{times:?}");
}
