use super::names::MAX_STEPS;
use super::*;
use crate::io::Family;
use crate::mdns::name::{MAX_NAME, Name};
use crate::mdns::parse::{Message, parse};
use crate::mdns::records::{Data, Question, Record, Share, Srv, Ttl, Type, Types, Want};
use crate::mdns::write;
use crate::testing::steps;
use proptest::prelude::*;

fn name(labels: &[&str]) -> Name {
    Name::from_labels(labels.iter().map(|label| label.as_bytes())).unwrap()
}

/// A response with one record of each type.
fn everything() -> Vec<u8> {
    let (kind, instance) = (name(&["_x", "_udp", "local"]), name(&["i", "_x", "_udp", "local"]));
    let host = name(&["h", "local"]);
    let record = |name: &Name, data| Record { name: name.clone(), ttl: Ttl(9), share: Share::Unique, data };
    let srv = Srv { priority: 0, weight: 0, port: 7, target: host.clone() };
    let mut types = Types::default();
    types.insert(Type::A);
    let records = [
        record(&kind, Data::Ptr(instance.clone())),
        record(&instance, Data::Srv(srv)),
        record(&instance, Data::Txt(Txt::decode(b"\x03k=v").unwrap())),
        record(&host, Data::A([10, 0, 0, 1].into())),
        record(&host, Data::Aaaa("fe80::1".parse().unwrap())),
        record(&host, Data::Nsec(types)),
    ];
    write::response(Family::V4, &records, &[]).remove(0)
}

fn read(message: &[u8]) -> Result<Vec<Record>, Refused> {
    let head = head(message)?;
    let mut safe = Vec::new();
    scan(message, &head, &mut safe, |_, _| true)?;
    match parse(&head, &safe).expect("what the guard lets pass is read") {
        Message::Query(query) => Ok(query.known),
        Message::Response(records) => Ok(records),
    }
}

/// A response with these counts of answers, and whatever follows.
fn response(answers: u16, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    message[6..8].copy_from_slice(&answers.to_be_bytes());
    message.extend_from_slice(body);
    message
}

const GOOD: &[u8] = b"\x01h\x00\x00\x01\x00\x01\x00\x00\x00\x78\x00\x04\x0a\x00\x00\x01";

#[test]
fn a_message_cut_at_any_octet_is_refused() {
    let whole = everything();
    assert_eq!(read(&whole).unwrap().len(), 6);
    for len in 0..whole.len() {
        assert!(read(&whole[..len]).is_err(), "{len}");
    }
}

#[test]
fn a_message_has_12_to_9000_octets() {
    assert_eq!(head(&[0; 11]), Err(Refused::Length));
    assert_eq!(head(&[0; 9001]), Err(Refused::Length));
    assert!(head(&[0; 9000]).is_ok());
}

#[test]
fn counts_beyond_the_octets_are_refused_unread() {
    assert_eq!(read(&response(u16::MAX, GOOD)), Err(Refused::Counts));
    assert_eq!(read(&response(3, GOOD)), Err(Refused::Counts));
}

#[test]
fn opcode_and_rcode_must_be_zero() {
    let mut message = everything();
    message[2] |= 0x08;
    assert_eq!(read(&message), Err(Refused::Opcode));
    let mut message = everything();
    message[3] |= 0x03;
    assert_eq!(read(&message), Err(Refused::Rcode));
}

#[test]
fn reserved_bits_are_ignored() {
    let mut message = everything();
    message[2] |= 0x03;
    message[3] |= 0xf0;
    assert_eq!(read(&message).unwrap().len(), 6);
}

#[test]
fn a_pointer_to_itself_forward_or_in_a_loop_costs_its_record_alone() {
    for pointer in [12_u16, 40, 14, 0] {
        let mut body = vec![0xc0 | (pointer >> 8) as u8, pointer as u8];
        body.extend_from_slice(&GOOD[3..]);
        body.extend_from_slice(GOOD);
        assert_eq!(read(&response(2, &body)).unwrap().len(), 1, "{pointer}");
    }
}

#[test]
fn a_chain_of_pointers_ends_after_a_fixed_number_of_steps() {
    // A TXT record full of pointers, each to the one before, and many records that go through all of them.
    let mut body = b"\x00\x00\x10\x00\x01\x00\x00\x00\x00".to_vec();
    let chain = 2000_usize;
    body.extend_from_slice(&(2 * chain as u16).to_be_bytes());
    let first = HEADER + body.len();
    body.extend_from_slice(&[0, 0]);
    for link in 1..chain {
        let to = if link == 1 { first } else { first + 2 * (link - 1) };
        body.extend_from_slice(&(0xc000 | to as u16).to_be_bytes());
    }
    let last = first + 2 * (chain - 1);
    for _ in 0..8 {
        body.extend_from_slice(&(0xc000 | last as u16).to_be_bytes());
        body.extend_from_slice(&GOOD[3..]);
    }
    assert_eq!(read(&response(9, &body)), Err(Refused::Steps));
}

#[test]
fn a_name_too_long_costs_its_record_alone() {
    let mut body = Vec::new();
    for _ in 0..5 {
        body.push(63);
        body.extend_from_slice(&[b'x'; 63]);
    }
    body.extend_from_slice(&GOOD[2..]);
    body.extend_from_slice(GOOD);
    assert_eq!(read(&response(2, &body)).unwrap().len(), 1);
}

#[test]
fn a_label_of_an_unknown_kind_is_refused() {
    let mut body = GOOD.to_vec();
    body[0] = 0x41;
    assert_eq!(read(&response(1, &body)), Err(Refused::Name));
}

#[test]
fn one_bad_record_does_not_void_the_others() {
    let bad: [&[u8]; 8] = [
        // NSEC whose bitmap runs past its end; one with window 1 before 0; A of 5 octets; AAAA of 4.
        b"\x01h\x00\x00\x2f\x00\x01\x00\x00\x00\x78\x00\x06\x01h\x00\x00\x20\x40",
        b"\x01h\x00\x00\x2f\x00\x01\x00\x00\x00\x78\x00\x09\x01h\x00\x01\x01\x40\x00\x01\x40",
        b"\x01h\x00\x00\x01\x00\x01\x00\x00\x00\x78\x00\x05\x0a\x00\x00\x01\x00",
        b"\x01h\x00\x00\x1c\x00\x01\x00\x00\x00\x78\x00\x04\x0a\x00\x00\x01",
        // TXT whose string runs past its end; an unknown class; OPT with a broken option; SRV without target.
        b"\x01h\x00\x00\x10\x00\x01\x00\x00\x00\x78\x00\x02\x05a",
        b"\x01h\x00\x00\x01\x12\x34\x00\x00\x00\x78\x00\x04\x0a\x00\x00\x01",
        b"\x00\x00\x29\x05\xa0\x00\x00\x00\x00\x00\x04\x00\x04\x00\xff",
        b"\x01h\x00\x00\x21\x00\x01\x00\x00\x00\x78\x00\x06\x00\x00\x00\x00\x00\x07",
    ];
    for bad in bad {
        let body = [bad, GOOD].concat();
        assert_eq!(read(&response(2, &body)).unwrap().len(), 1, "{bad:?}");
    }
}

#[test]
fn a_question_of_an_unknown_type_or_class_does_not_void_the_others() {
    let message = b"\0\0\0\0\0\x03\0\0\0\0\0\0\x01h\0\x12\x34\0\x01\x01h\0\0\x01\x12\x34\x01h\0\0\x01\0\x01";
    let head = head(message).unwrap();
    let mut safe = Vec::new();
    scan(message, &head, &mut safe, |_, _| true).unwrap();
    let Some(Message::Query(query)) = parse(&head, &safe) else { panic!("no query") };
    assert_eq!(query.questions.iter().map(|question| question.kind.0).collect::<Vec<_>>(), [10, 1]);
}

#[test]
fn an_empty_txt_is_read_as_one_empty_string() {
    let body = b"\x01h\x00\x00\x10\x00\x01\x00\x00\x00\x78\x00\x00";
    assert_eq!(read(&response(1, body)).unwrap()[0].data, Data::Txt(Txt::default()));
}

#[test]
fn the_octets_of_txt_are_kept_as_they_came() {
    let body = b"\x01h\x00\x00\x10\x00\x01\x00\x00\x00\x78\x00\x07\x02=x\x00\x02\xff=";
    let Data::Txt(txt) = &read(&response(1, body)).unwrap()[0].data else { panic!("no TXT") };
    assert_eq!(txt.as_rdata(), b"\x02=x\x00\x02\xff=");
}

#[test]
fn compressed_targets_of_srv_are_read() {
    let body =
        [GOOD, b"\xc0\x0c\x00\x21\x80\x01\x00\x00\x00\x78\x00\x08\x00\x00\x00\x00\x00\x07\xc0\x0c"].concat();
    let Data::Srv(srv) = &read(&response(2, &body)).unwrap()[1].data else { panic!("no SRV") };
    assert_eq!(srv.target, name(&["h"]));
}

#[test]
fn a_message_about_other_names_is_told_apart_before_it_is_parsed() {
    let message = everything();
    let head = head(&message).unwrap();
    let mut safe = Vec::new();
    let ours = name(&["I", "_X", "_udp", "local"]);
    let is = |wire: &[u8], name: &Name| wire.eq_ignore_ascii_case(name.as_wire());
    assert_eq!(scan(&message, &head, &mut safe, |wire, _| is(wire, &ours)), Ok(Concern::Ours));
    let other = name(&["_y", "_udp", "local"]);
    assert_eq!(scan(&message, &head, &mut safe, |wire, _| is(wire, &other)), Ok(Concern::Unrelated));
}

/// Octets of all names of records: what a message may make grow, by pointing at one name again and again.
fn octets_of_names(records: &[Record]) -> usize {
    records.iter().map(|record| record.name.as_wire().len()).sum()
}

#[test]
fn many_records_of_one_long_name_take_bounded_room_and_time() {
    // One name of 254 octets, and as many records as 9,000 octets hold, each of which points to it.
    let long: Vec<u8> = (0..4).flat_map(|_| [&[62][..], &[b'x'; 62]].concat()).chain([0]).collect();
    let first = [&long[..], &GOOD[3..]].concat();
    let record = [&[0xc0, 12][..], &GOOD[3..]].concat();
    let count = (MAX_MESSAGE - HEADER - first.len()) / record.len();
    let body = [first, record.repeat(count)].concat();
    let message = response(count as u16 + 1, &body);
    let taken = steps(|| {
        let records = read(&message).unwrap();
        assert_eq!(records.len(), count + 1);
        assert!(octets_of_names(&records) <= MAX_NAME * message.len() / 11);
    });
    assert!(taken <= MAX_STEPS, "{taken}");
}

#[test]
fn twice_the_records_take_twice_the_steps() {
    let taken = |count: u16| {
        let message = response(count, &GOOD.repeat(usize::from(count)));
        steps(|| drop(read(&message)))
    };
    assert_eq!(taken(200), 2 * taken(100));
}

proptest! {
    #[test]
    fn no_message_takes_more_steps_or_room_than_its_length_allows(
        part in prop::collection::vec(any::<u8>(), 1..60),
        pointer in prop::collection::vec(prop::sample::select(vec![0xc0, 12, 14, 0, 1, 4]), 1..60),
        len in 0..9000_usize,
        answers: u16,
    ) {
        let body: Vec<u8> = pointer.iter().chain(&part).chain(GOOD).cycle().take(len).copied().collect();
        for answers in [answers, answers % 800] {
            let message = response(answers, &body);
            let taken = steps(|| {
                if let Ok(records) = read(&message) {
                    assert!(records.len() <= message.len() / 11);
                    assert!(octets_of_names(&records) <= MAX_NAME * message.len() / 11);
                }
            });
            prop_assert!(taken <= MAX_STEPS + 1, "{taken}");
        }
    }

    #[test]
    fn whatever_passes_the_guard_is_read_by_the_parser(
        flips in prop::collection::vec((0_usize..1000, any::<u8>()), 0..8),
    ) {
        let mut message = everything();
        for (at, octet) in flips {
            let at = at % message.len();
            message[at] = octet;
        }
        // `read` panics where the parser fails.
        let _ = read(&message);
    }

    #[test]
    fn any_octets_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300), counts in any::<[u8; 4]>()) {
        let mut message = vec![0, 0, counts[0] & 0x80, 0, 0, counts[0] & 3, 0, counts[1] & 3, 0, counts[2] & 3, 0, counts[3] & 3];
        message.extend_from_slice(&body);
        let _ = read(&message);
    }
}

#[test]
fn what_a_probe_proposes_is_compared_with_its_names_written_out() {
    let (instance, target) = (name(&["i", "_x", "_udp", "local"]), name(&["Host", "_x", "_udp", "local"]));
    let srv = Data::Srv(Srv { priority: 1, weight: 2, port: 3, target: target.clone() });
    let record = |data| Record { name: instance.clone(), ttl: Ttl::HOST, share: Share::Shared, data };
    let records = [record(Data::Ptr(target)), record(srv), record(Data::Aaaa([7; 16].into()))];
    let question = Question { name: instance.clone(), kind: Type::ANY, want: Want::Unicast };
    let bytes = write::probe(Family::V4, &[(question, records.to_vec())]).remove(0);
    let mut expected: Vec<Proposal> = records.iter().map(Proposal::of).collect();
    expected.sort();
    assert_eq!(proposals(&bytes, &head(&bytes).unwrap(), &name(&["I", "_X", "_udp", "local"])), expected);
    assert_eq!(proposals(&bytes, &head(&bytes).unwrap(), &name(&["other", "local"])), []);
}

#[test]
fn the_octets_of_a_probe_are_compared_without_sign() {
    let name = name(&["MyPrinter", "local"]);
    let of = |ip: [u8; 4]| {
        Proposal::of(&Record {
            name: name.clone(),
            ttl: Ttl::HOST,
            share: Share::Shared,
            data: Data::A(ip.into()),
        })
    };
    // The example of RFC 6762 §8.2.
    assert!(of([169, 254, 200, 50]) > of([169, 254, 99, 200]));
}
