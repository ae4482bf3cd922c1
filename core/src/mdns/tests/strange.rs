//! Datagrams that nobody would write and anybody may send: what is quick about reading them changes nothing.

use super::*;
use crate::mdns::cache::{Cache, Upkeep};
use crate::mdns::guard::{Concern, head, scan, surely_unrelated};
use crate::mdns::parse::parse;
use crate::mdns::recall::recall;
use crate::mdns::records::{Data, Record, Ttl};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A name: labels, and then its end or a pointer to anywhere, most of it before.
fn a_name() -> impl Strategy<Value = Vec<u8>> {
    let labels = select(vec![&b"\x01h"[..], b"\x01H", b"\x02_x", b"\x05local", b"\x10_a label of all 16"]);
    let pointer = || (8_u16..120).prop_map(|to| (0xc000 | to).to_be_bytes().to_vec());
    let first = Just(b"\xc0\x0c".to_vec());
    (vec(labels, 0..4), prop_oneof![Just(vec![0]), first, pointer(), pointer()])
        .prop_map(|(labels, end)| [labels.concat(), end].concat())
}

/// A record, now and then with data that is none of its type.
fn a_record() -> impl Strategy<Value = Vec<u8>> {
    let kinds = select(vec![1_u16, 12, 12, 16, 28, 33, 33, 47, 41]);
    let classes = select(vec![1_u16, 0x8001, 0x8001, 3]);
    let noise = vec(0..20_u8, 0..9);
    (a_name(), kinds, classes, 0..3_u8, a_name(), prop::option::of(noise)).prop_map(
        |(name, kind, class, ttl, target, noise)| {
            let sound = match kind {
                1 => vec![10, 0, 0, 1],
                28 => vec![b'a'; 16],
                12 => target,
                33 => [&[0, 0, 0, 0, 0, 7][..], &target].concat(),
                47 => [&target[..], &[0, 1, 0x40]].concat(),
                _ => b"\x03k=v".to_vec(),
            };
            let data = noise.filter(|noise| noise.len() < 4).unwrap_or(sound);
            let words = [kind, class, 0, ttl.into(), data.len() as u16].map(u16::to_be_bytes);
            [&name, words.as_flattened(), &data].concat()
        },
    )
}

fn a_question() -> impl Strategy<Value = Vec<u8>> {
    let kinds = select(vec![1_u16, 12, 28, 33, 64, 255]);
    let classes = select(vec![1_u16, 0x8001, 3, 255]);
    (a_name(), kinds, classes)
        .prop_map(|(name, kind, class)| [&name, [kind, class].map(u16::to_be_bytes).as_flattened()].concat())
}

/// A message with questions, answers, and now and then an end that is not where the counts have it.
fn a_message() -> impl Strategy<Value = Vec<u8>> {
    let cut = prop_oneof![8 => Just(0_usize), 1 => 1..40_usize];
    (vec(a_question(), 0..3), vec(a_record(), 0..12), any::<bool>(), cut).prop_map(
        |(questions, records, answers, cut)| {
            let flags = if answers { 0x8400 } else { 0 };
            let counts = [flags, questions.len() as u16, records.len() as u16, 0, 0];
            let body = [questions.concat(), records.concat()].concat();
            let whole = [&[0, 0], counts.map(u16::to_be_bytes).as_flattened(), &body].concat();
            whole[..whole.len() - cut.min(body.len())].to_vec()
        },
    )
}

fn a_response() -> impl Strategy<Value = Vec<u8>> {
    (vec(a_record(), 0..12), 0..12_usize).prop_map(|(records, answers)| {
        let answers = answers.min(records.len());
        let counts = [0x8400, 0, answers as u16, 0, (records.len() - answers) as u16];
        [&[0, 0], counts.map(u16::to_be_bytes).as_flattened(), &records.concat()].concat()
    })
}

/// What the parser makes of a response, where the guard lets it pass.
fn parsed(datagram: &[u8]) -> Option<Vec<Record>> {
    let (head, mut safe) = (head(datagram).ok()?, Vec::new());
    scan(datagram, &head, &mut safe, |_, _| true).ok()?;
    match parse(&head, &safe).expect("what the guard lets pass is read") {
        Message::Query(_) => None,
        Message::Response(records) => Some(records),
    }
}

/// What is read without the parser by somebody who holds these records.
fn recalled(datagram: &[u8], held: &[Record]) -> Option<Vec<Record>> {
    let (now, mut cache, mut rng) = (base(), Cache::new(64), rng(1));
    for record in held {
        let record = Record { ttl: record.ttl.max(Ttl(1)), ..record.clone() };
        let by = (&record, Upkeep::Lapse, IpAddr::from([10, 0, 0, 9]));
        cache.insert(now, by, &mut rng, |_, _, _| false);
    }
    let (head, mut safe) = (head(datagram).ok()?, Vec::new());
    scan(datagram, &head, &mut safe, |_, _| true).ok()?;
    match recall(&head, &mut safe, &cache)? {
        Message::Query(_) => None,
        Message::Response(records) => Some(records),
    }
}

/// Octets of two records of the same octets are the same, letter case included.
fn octets(records: &[Record]) -> Vec<(Vec<u8>, Vec<u8>, String)> {
    let octets = |record: &Record| {
        let target = match &record.data {
            Data::Ptr(target) => target.as_wire().to_vec(),
            Data::Srv(srv) => srv.target.as_wire().to_vec(),
            Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Txt(_) => Vec::new(),
        };
        (record.name.as_wire().to_vec(), target, format!("{record:?}"))
    };
    records.iter().map(octets).collect()
}

#[test]
fn a_response_is_read_without_the_parser_once_all_of_it_is_held() {
    let datagram = hostile::response_of(&hostile::whole(7));
    let records = parsed(&datagram).unwrap();
    assert_eq!(recalled(&datagram, &records), Some(records.clone()));
    for one in 0..records.len() {
        let others = [&records[..one], &records[one + 1..]].concat();
        assert_eq!(recalled(&datagram, &others), None, "{one} is not held");
    }
}

#[test]
fn a_response_in_other_letters_is_read_by_the_parser() {
    let mut datagram = hostile::response_of(&hostile::whole(7));
    let records = parsed(&datagram).unwrap();
    let letter = datagram.windows(5).position(|octets| octets == b"local").unwrap();
    datagram[letter] = b'L';
    assert_eq!(parsed(&datagram), Some(records.clone()));
    assert_eq!(recalled(&datagram, &records), None);
}

#[test]
fn what_others_say_of_themselves_is_turned_away_by_its_names_alone() {
    let datagram = hostile::response_of(&hostile::whole(7));
    let head = head(&datagram).unwrap();
    assert!(surely_unrelated(&datagram, &head, |_, _| false));
    for record in hostile::whole(7) {
        let is = |wire: &[u8], _| wire.eq_ignore_ascii_case(record.name.as_wire());
        assert!(!surely_unrelated(&datagram, &head, is), "{record:?}");
    }
}

#[test]
fn a_name_that_runs_through_what_the_scan_rewrites_is_left_to_the_scan() {
    // The first record is unreadable, for its data is no name: its type becomes another. The name of the second
    // begins in the middle of that type: a label of 12 octets as it came, and the root once it is rewritten.
    let first = b"\x01h\0\0\x0c\0\x01\0\0\0\x09\0\x05\x07abc\0";
    let second = b"\xc0\x10\0\x01\0\x01\0\0\0\x09\0\x04\x0a\0\0\x01";
    let header = b"\0\0\x84\0\0\0\0\x02\0\0\0\0";
    let datagram = [&header[..], first, second].concat();
    let (head, is_root) = (head(&datagram).unwrap(), |wire: &[u8], _| wire == [0]);
    assert_eq!(scan(&datagram, &head, &mut Vec::new(), is_root), Ok(Concern::Ours));
    assert!(!surely_unrelated(&datagram, &head, is_root));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_guard_asks_about_the_names_of_all_records_that_are_read_and_of_no_other(datagram in a_response()) {
        let (head, mut safe) = (head(&datagram).unwrap(), Vec::new());
        let mut asked = BTreeSet::new();
        let verdict = scan(&datagram, &head, &mut safe, |wire, _| {
            asked.insert(wire.to_vec());
            false
        });
        let read = parsed(&datagram).map(|records| {
            records.iter().map(|record| record.name.as_wire().to_vec()).collect::<BTreeSet<_>>()
        });
        match verdict {
            Ok(Concern::Ours) => prop_assert!(false, "nothing concerns anybody"),
            Ok(Concern::Unrelated) => prop_assert_eq!(Some(asked), read),
            Err(_) => prop_assert_eq!(None, read),
        }
    }

    #[test]
    fn a_datagram_is_turned_away_exactly_if_nothing_in_it_is_of_the_name(datagram in a_response(), at: prop::sample::Index) {
        let Some(records) = parsed(&datagram).filter(|records| !records.is_empty()) else { return Ok(()) };
        let (head, mut safe) = (head(&datagram).unwrap(), Vec::new());
        let other = name::Name::from_wire(b"\x05other\0").unwrap();
        for ours in [&at.get(&records).name, &other] {
            let is = |wire: &[u8], _| wire.eq_ignore_ascii_case(ours.as_wire());
            let slow = records.iter().any(|record| record.name == *ours);
            let quick = scan(&datagram, &head, &mut safe, is) == Ok(Concern::Ours);
            prop_assert_eq!(quick, slow);
        }
    }

    #[test]
    fn what_is_turned_away_by_its_names_is_turned_away_by_the_scan(datagram in a_message(), some in 0..6_u32) {
        let Ok(head) = head(&datagram) else { return Ok(()) };
        // Some names or other, and some of them only as those of hosts.
        let concerns = |wire: &[u8], kind: Type| {
            let sum = wire.iter().map(|octet| u32::from(*octet)).sum::<u32>();
            sum % 6 == some || (sum % 5 == some && kind.is_about_host())
        };
        let verdict = scan(&datagram, &head, &mut Vec::new(), concerns);
        if surely_unrelated(&datagram, &head, concerns) {
            prop_assert_eq!(verdict, Ok(Concern::Unrelated));
        }
    }

    #[test]
    fn what_is_read_without_the_parser_is_what_the_parser_reads(datagram in a_response(), leave_out in 0..24_usize) {
        let Some(records) = parsed(&datagram) else { return Ok(()) };
        let mut held = records.clone();
        if leave_out < held.len() {
            held.remove(leave_out);
        }
        if let Some(quick) = recalled(&datagram, &held) {
            prop_assert_eq!(octets(&quick), octets(&records));
        }
    }
}
