use super::*;
use crate::mdns::guard::{head, scan};
use crate::mdns::parse::{Message, parse};
use crate::mdns::records::{Srv, Ttl, Type, Types};
use crate::wire::txt::Txt;
use proptest::prelude::*;

fn name(labels: &[&str]) -> Name {
    Name::from_labels(labels.iter().map(|label| label.as_bytes())).unwrap()
}

fn record(name: Name, data: Data) -> Record {
    Record { name, ttl: Ttl(120), share: Share::Shared, data }
}

fn srv(target: Name) -> Data {
    Data::Srv(Srv { priority: 1, weight: 2, port: 3, target })
}

fn read(bytes: &[u8]) -> Message {
    let head = head(bytes).unwrap();
    let mut safe = Vec::new();
    scan(bytes, &head, &mut safe, |_, _| true).unwrap();
    parse(&head, &safe).unwrap()
}

fn pointers(count: u16) -> Vec<Record> {
    let kind = name(&["_x", "_udp", "local"]);
    let instance = |n: u16| name(&[&format!("{n:040}"), "_x", "_udp", "local"]);
    (0..count).map(|n| record(kind.clone(), Data::Ptr(instance(n)))).collect()
}

#[test]
fn a_response_is_authoritative_and_has_nothing_else_set() {
    let bytes = response(Family::V4, &pointers(1), &[]).remove(0);
    assert_eq!(bytes[..12], [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn names_are_compressed_in_the_data_of_ptr_srv_and_nsec() {
    let (host, instance) = (name(&["h", "local"]), name(&["i", "_x", "_udp", "local"]));
    let records = [
        record(name(&["_x", "_udp", "local"]), Data::Ptr(instance.clone())),
        record(instance, srv(host.clone())),
        record(host, Data::Nsec(Types::from_bitmap(&[0x40]))),
    ];
    let bytes = response(Family::V4, &records, &[]).remove(0);
    let count = |needle: &[u8]| bytes.windows(needle.len()).filter(|window| *window == needle).count();
    assert_eq!((count(b"\x05local"), count(b"\x02_x"), count(b"\x01h")), (1, 1, 1));
}

#[test]
fn compression_keeps_the_case_of_letters() {
    let records = [
        record(name(&["Host", "local"]), Data::A([1, 2, 3, 4].into())),
        record(name(&["hOST", "local"]), Data::A([1, 2, 3, 4].into())),
    ];
    let bytes = response(Family::V4, &records, &[]).remove(0);
    assert!(bytes.windows(4).any(|window| window == b"hOST"));
}

#[test]
fn a_reply_to_a_resolver_echoes_id_and_question_and_has_a_plain_srv() {
    let question = Question { name: name(&["h", "local"]), kind: Type::SRV, want: Want::Multicast };
    let records = [record(name(&["h", "local"]), srv(name(&["h", "local"])))];
    let bytes = legacy(Family::V4, 0x1234, &[question], &records, &[]).remove(0);
    assert_eq!(bytes[..12], [0x12, 0x34, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    assert!(bytes.ends_with(b"\x01h\x05local\x00"));
}

#[test]
fn every_datagram_of_a_response_fits_its_frame() {
    for (family, budget) in [(Family::V4, 1472), (Family::V6, 1452)] {
        let datagrams = response(family, &pointers(200), &[]);
        assert!(datagrams.len() > 5);
        assert!(datagrams.iter().all(|datagram| datagram.len() <= budget));
        let read: Vec<Record> = datagrams
            .iter()
            .flat_map(|datagram| match read(datagram) {
                Message::Response(records) => records,
                Message::Query(_) => Vec::new(),
            })
            .collect();
        assert_eq!(read, pointers(200));
    }
}

#[test]
fn a_lone_record_may_exceed_the_frame() {
    let large = record(name(&["h"]), Data::Txt(Txt::decode(&[0; 2000]).unwrap()));
    let datagrams = response(Family::V4, &[pointers(1).remove(0), large], &[]);
    assert_eq!(datagrams.iter().map(|datagram| datagram.len() > 1472).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn additional_records_never_open_another_datagram() {
    assert_eq!(response(Family::V4, &pointers(1), &pointers(100)).len(), 1);
}

#[test]
fn known_answers_that_overflow_follow_without_questions_and_all_but_the_last_say_so() {
    let question = Question { name: name(&["_x", "_udp", "local"]), kind: Type::PTR, want: Want::Multicast };
    let datagrams = query(Family::V4, &[question], &pointers(70));
    let queries: Vec<_> = datagrams
        .iter()
        .map(|datagram| match read(datagram) {
            Message::Query(query) => query,
            Message::Response(_) => panic!("no query"),
        })
        .collect();
    assert_eq!(queries.iter().map(|query| query.questions.len()).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(queries.iter().map(|query| query.truncated).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(queries.iter().map(|query| query.known.len()).sum::<usize>(), 70);
}

#[test]
fn a_unicast_question_has_the_top_bit_of_its_class() {
    let question = Question { name: name(&["h"]), kind: Type::A, want: Want::Unicast };
    let bytes = query(Family::V4, std::slice::from_ref(&question), &[]).remove(0);
    assert!(bytes.ends_with(&[0, 1, 0x80, 1]));
    let Message::Query(query) = read(&bytes) else { panic!("no query") };
    assert_eq!(query.questions, [question]);
}

fn any_name() -> impl Strategy<Value = Name> {
    let label = prop_oneof![
        Just(b"local".to_vec()),
        Just(b"_udp".to_vec()),
        Just(b"_X".to_vec()),
        prop::collection::vec(any::<u8>(), 1..=20),
    ];
    prop::collection::vec(label, 0..6)
        .prop_map(|labels| Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap())
}

fn any_data() -> impl Strategy<Value = Data> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Data::A(ip.into())),
        any::<[u8; 16]>().prop_map(|ip| Data::Aaaa(ip.into())),
        any::<[u8; 32]>().prop_map(|bits| Data::Nsec(Types::from_bitmap(&bits))),
        any_name().prop_map(Data::Ptr),
        (any::<[u16; 3]>(), any_name()).prop_map(|([priority, weight, port], target)| {
            Data::Srv(Srv { priority, weight, port, target })
        }),
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5).prop_map(|strings| {
            let rdata: Vec<u8> =
                strings.iter().flat_map(|s| [vec![s.len() as u8], s.clone()].concat()).collect();
            Data::Txt(Txt::decode(&rdata).unwrap())
        }),
    ]
}

fn any_question() -> impl Strategy<Value = Question> {
    let kinds = vec![Type::A, Type::PTR, Type::TXT, Type::AAAA, Type::SRV, Type::NSEC, Type::ANY];
    (any_name(), prop::sample::select(kinds), any::<bool>()).prop_map(|(name, kind, unicast)| Question {
        name,
        kind,
        want: if unicast { Want::Unicast } else { Want::Multicast },
    })
}

#[test]
fn compression_looks_at_a_bounded_number_of_places() {
    let mut writer = Writer::begin(60_000, [0; 4], Targets::Compressed);
    for n in 0..100 {
        // Every label is new, and each would be a place to look at for every later name.
        let labels: Vec<String> = (0..30).map(|label| format!("{n}-{label}")).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        assert!(writer.record(Section::Answer, &record(name(&labels), Data::A([10, 0, 0, 1].into()))));
    }
    assert_eq!(writer.places.len(), MAX_PLACES);
}

proptest! {
    #[test]
    fn what_is_asked_is_read_again(
        questions in prop::collection::vec(any_question(), 1..12),
        known in prop::collection::vec((any_name(), any::<u32>(), any_data()), 0..40),
        v6: bool,
    ) {
        let known: Vec<Record> = known
            .into_iter()
            .map(|(name, ttl, data)| Record { name, ttl: Ttl(ttl), share: Share::Shared, data })
            .collect();
        let (mut asked, mut told) = (Vec::new(), Vec::new());
        let datagrams = query(if v6 { Family::V6 } else { Family::V4 }, &questions, &known);
        for (n, datagram) in datagrams.iter().enumerate() {
            let Message::Query(query) = read(datagram) else { panic!("a query became a response") };
            prop_assert_eq!(query.truncated, n + 1 < datagrams.len());
            asked.extend(query.questions);
            told.extend(query.known);
        }
        prop_assert_eq!((asked, told), (questions, known));
    }

    #[test]
    fn what_is_written_is_read_again(
        records in prop::collection::vec((any_name(), any::<u32>(), any::<bool>(), any_data()), 1..12),
    ) {
        let share = |unique| if unique { Share::Unique } else { Share::Shared };
        let records: Vec<Record> = records
            .into_iter()
            .map(|(name, ttl, unique, data)| Record { name, ttl: Ttl(ttl), share: share(unique), data })
            .collect();
        let mut again = Vec::new();
        for datagram in response(Family::V4, &records, &[]) {
            match read(&datagram) {
                Message::Response(records) => again.extend(records),
                Message::Query(_) => panic!("a response became a query"),
            }
        }
        prop_assert_eq!(&again, &records);
        // Equal names may differ in case: the octets may not.
        let octets = |records: &[Record]| records.iter().map(|r| r.name.as_wire().to_vec()).collect::<Vec<_>>();
        prop_assert_eq!(octets(&again), octets(&records));
    }
}

fn claim(label: &str, records: impl IntoIterator<Item = Data>) -> (Question, Vec<Record>) {
    let of = name(&[label, "_x", "_udp", "local"]);
    let proposed = records.into_iter().map(|data| record(of.clone(), data)).collect();
    (Question { name: of, kind: Type::ANY, want: Want::Unicast }, proposed)
}

#[test]
fn a_probe_has_all_that_it_proposes_in_one_datagram() {
    let long = Txt::encode([("k", crate::wire::txt::Value::Octets(&[b'x'; 250]))].repeat(10)).unwrap();
    let target = name(&["host", "local"]);
    let claims: Vec<_> = (0..40)
        .map(|n| claim(&format!("{n:050}"), [srv(target.clone()), Data::Txt(Txt::default())]))
        .collect();
    let lone = claim("lone", [Data::Txt(long), srv(target)]);
    let all = [&claims[..20], std::slice::from_ref(&lone), &claims[20..]].concat();
    let mut seen = Vec::new();
    for datagram in probe(Family::V6, &all) {
        let Message::Query(query) = read(&datagram) else { panic!("no query") };
        assert!(query.questions.len() == 1 || datagram.len() <= BUDGET_V6);
        for question in query.questions {
            let proposed = query.proposed.iter().filter(|record| record.name == question.name);
            seen.push((question.clone(), proposed.cloned().collect::<Vec<_>>()));
        }
    }
    assert_eq!(seen, all);
}

#[test]
fn of_a_unique_set_additional_records_are_all_sent_or_none() {
    let address = |n: u16| Record {
        share: Share::Unique,
        ..record(name(&["host", "local"]), Data::A([10, 0, n as u8, (n >> 8) as u8].into()))
    };
    let addresses: Vec<Record> = (0..40).map(address).collect();
    let small = record(name(&["i", "_x", "_udp", "local"]), Data::Txt(Txt::default()));
    let count = |answers: u16| {
        let datagrams = response(
            Family::V4,
            &pointers(answers),
            &[&addresses[..], std::slice::from_ref(&small)].concat(),
        );
        let Message::Response(records) = read(&datagrams[0]) else { panic!("no response") };
        assert!(datagrams.len() == 1 && records.contains(&small));
        records.iter().filter(|record| matches!(record.data, Data::A(_))).count()
    };
    assert_eq!((count(1), count(16)), (40, 0));
}
