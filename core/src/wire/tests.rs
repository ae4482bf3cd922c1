use super::Malformed;
use super::close::{CloseCode, StreamCode};
use super::control::{Control, Entry, Hello, Listed, State};
use super::frame::{Deframer, Frame};
use super::pairing::{
    Abort, AbortReason, Confirm, Decision, Open, PairHello, PairHelloAck, Pairing, Point, Reject,
    RejectReason, UserOk,
};
use crate::id::PairId;
use crate::metadata::Metadata;
use crate::store::Role;
use crate::testing::{replay, steps};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// A frame around a body that is written by hand.
fn frame(body: &[u8]) -> Frame {
    let bytes = [&(body.len() as u16).to_be_bytes()[..], body].concat();
    Deframer::default().next(&mut Bytes::from(bytes)).unwrap().unwrap()
}

fn pairing(body: &[u8]) -> Result<Pairing, Malformed> {
    Pairing::decode(&frame(body))
}

#[test]
fn a_user_ok_is_these_bytes() {
    let encoded = Pairing::UserOk(UserOk {}).encode();
    assert_eq!(encoded.as_bytes(), b"\x00\x09\x81\xa6UserOk\x80");
}

#[test]
fn a_hello_of_pairing_is_these_bytes() {
    let hello = PairHello { version: 1, suites: vec![1], methods: vec!["digits".into()], nonce: [7; 16] };
    let expected = "004681a95061697248656c6c6f84a776657273696f6e01a6737569746573\
                    9101a76d6574686f647391a6646967697473a56e6f6e6365c410"
        .to_owned()
        + &"07".repeat(16);
    assert_eq!(HEXLOWER.encode(Pairing::PairHello(hello).encode().as_bytes()), expected);
}

#[test]
fn ids_are_bin_and_states_are_str() {
    let entry = Entry { pair_id: PairId::from_bytes([1; 32]), state: Listed::Gone };
    let encoded = Control::State(State { state: vec![entry] }).encode();
    let body =
        [&b"\x81\xa5State\x81\xa5state\x91\x82\xa7pair_id\xc4\x20"[..], &[1; 32], b"\xa5state\xa4gone"]
            .concat();
    assert_eq!(&encoded.as_bytes()[2..], body);
}

#[test]
fn an_unknown_message_is_skipped_on_control_and_malformed_in_pairing() {
    let unknown = frame(b"\x81\xa3New\x81\xa1a\x01");
    assert_eq!(Control::decode(&unknown), Ok(None));
    assert_eq!(Pairing::decode(&unknown), Err(Malformed));
}

#[test]
fn unknown_fields_of_every_type_are_skipped() {
    for value in
        [&b"\xc0"[..], b"\xcb12345678", b"\xa1x", b"\xc4\x01x", b"\x91\xc3", b"\x81\xa1k\x02", b"\xd4\x01x"]
    {
        let body = [&b"\x81\xa4Open\x82\xa3new"[..], value, b"\xa4role\xa4host"].concat();
        assert_eq!(pairing(&body), Ok(Pairing::Open(Open::new(Role::Host))), "{value:02x?}");
    }
}

#[test]
fn what_breaks_the_form_is_malformed() {
    for (body, why) in [
        (&b"\x81\xa4Open\x82\xa4role\xa4host\xa4role\xa4host"[..], "a duplicate key"),
        (b"\x81\xa4Open\x83\xa1x\x01\xa1x\x01\xa4role\xa4host", "a duplicate key that is unknown"),
        (b"\x81\xa4Open\x81\xa4role\xa4host\x00", "a trailing byte"),
        (b"\x82\xa4Open\x81\xa4role\xa4host\xa1x\xc0", "two messages in one"),
        (b"\x80", "no message"),
        (b"\x81\xa4Open\x91\xa4host", "an array of fields"),
        (b"\x81\xa4Open\x81\xa4role\xc4\x04host", "bytes for a word"),
        (b"\x81\xa4Open\x81\xa4role\x00", "a number for a word"),
        (b"\x81\xa4Open\x81\xa4role\x81\xa4host\xc0", "a map for a word"),
        (b"\x81\xa4Open\x81\xa4role\xa4Host", "a word that is not in the set"),
        (b"\x81\xa4Open\x80", "a field left out"),
        (b"\x81\xa4Open\x81\xc4\x04role\xa4host", "a key of bytes"),
        (b"\x81\xa4Open\x82\xa1x\xa1\xff\xa4role\xa4host", "text that is no UTF-8"),
        (b"\x81\xa4Open\x82\xa1x\xc1\xa4role\xa4host", "the byte that is never used"),
        (b"\x81\xa4Open\x82\xa1x\xdd\xff\xff\xff\xff\xa4role\xa4host", "a length beyond the end"),
        (b"\x81\xc4\x04Open\x81\xa4role\xa4host", "a name of bytes"),
        (b"\x81\xa8ConfirmA\x81\xa3mac\xc4\x01x", "a short bin"),
        (b"\x81\xa8ConfirmA\x81\xa3mac\xa1x", "text for a bin"),
        (b"\x81\xa8ConfirmA\x81\xa3mac\x91\x01", "an array for a bin"),
        (b"\x81\xa9PairHello", "the end after the name"),
    ] {
        assert_eq!(pairing(body), Err(Malformed), "{why}");
    }
}

#[test]
fn eight_containers_are_read_and_nine_are_malformed() {
    for (nested, fits) in [(6, true), (7, false), (3000, false)] {
        let body = [&b"\x81\xa4Open\x82\xa1x"[..], &vec![0x91; nested], b"\xc0\xa4role\xa4host"].concat();
        assert_eq!(pairing(&body).is_ok(), fits, "{nested} arrays in 2 maps");
    }
}

#[test]
fn limits_of_lists_and_text_hold_at_their_edges() {
    let hello = |features: usize, letters: usize, entries: u8| {
        let state = (0..entries)
            .map(|n| Entry { pair_id: PairId::from_bytes([n; 32]), state: Listed::Paired })
            .collect();
        let features = vec!["f".repeat(letters); features];
        let hello = Hello { instance: [0; 16], lost: 0, features, metadata: None, state };
        Control::decode(&Control::Hello(hello).encode()).is_ok()
    };
    assert!(hello(32, 32, 8));
    assert!(!hello(33, 1, 0));
    assert!(!hello(1, 33, 0));
    assert!(!hello(0, 0, 9));
    let meta = |name: usize, extra: usize| {
        let meta = Metadata::named("n".repeat(name)).with_extra(vec![0; extra]);
        Pairing::decode(&Pairing::Meta(meta).encode()).is_ok()
    };
    assert!(meta(64, 2048));
    assert!(!meta(65, 0));
    assert!(!meta(0, 2049));
}

#[test]
fn a_list_that_names_a_pairing_twice_is_malformed() {
    let entry = Entry { pair_id: PairId::from_bytes([1; 32]), state: Listed::Paired };
    let twice = Control::State(State { state: vec![entry, Entry { state: Listed::Gone, ..entry }] });
    assert_eq!(Control::decode(&twice.encode()), Err(Malformed));
}

#[test]
fn a_frame_of_no_bytes_or_too_many_is_malformed() {
    for bad in [[0, 0], [0x10, 0x01], [0xff, 0xff]] {
        let mut piece = Bytes::copy_from_slice(&bad);
        assert_eq!(Deframer::default().next(&mut piece), Err(Malformed));
    }
    let mut largest = Bytes::from([&[0x10, 0x00][..], &[0; 4096]].concat());
    assert!(Deframer::default().next(&mut largest).unwrap().is_some());
}

fn metadata() -> impl Strategy<Value = Metadata> {
    (".{0,16}", "[a-z]{0,32}", "[0-9.]{0,32}", vec(any::<u8>(), 0..2048)).prop_map(
        |(name, os, version, extra)| {
            Metadata::named(name).with_os(os).with_version(version).with_extra(extra)
        },
    )
}

fn entries(max: usize) -> impl Strategy<Value = Vec<Entry>> {
    let states = prop::sample::select(vec![
        Listed::Hook,
        Listed::Prepared,
        Listed::Committed,
        Listed::Paired,
        Listed::Gone,
    ]);
    (btree_set(any::<[u8; 32]>(), 0..=max), states).prop_map(|(ids, state)| {
        ids.into_iter().map(|id| Entry { pair_id: PairId::from_bytes(id), state }).collect()
    })
}

fn a_control() -> impl Strategy<Value = Control> {
    let hello = (
        any::<[u8; 16]>(),
        any::<u32>(),
        vec("[a-z]{0,32}", 0..32),
        prop::option::of(metadata()),
        entries(8),
    )
        .prop_map(|(instance, lost, features, metadata, state)| Hello {
            instance,
            lost,
            features,
            metadata,
            state,
        });
    prop_oneof![hello.prop_map(Control::Hello), entries(16).prop_map(|state| Control::State(State { state }))]
}

fn a_pairing() -> impl Strategy<Value = Pairing> {
    let reasons = prop::sample::select(vec![
        RejectReason::NoWindow,
        RejectReason::Busy,
        RejectReason::Locked,
        RejectReason::Version,
        RejectReason::Method,
        RejectReason::BadCode,
    ]);
    let aborts = prop::sample::select(vec![
        AbortReason::Refused,
        AbortReason::Cancelled,
        AbortReason::Timeout,
        AbortReason::Hook,
        AbortReason::Store,
        AbortReason::Busy,
    ]);
    let decision = any::<[u8; 32]>().prop_map(|id| Decision { pair_id: PairId::from_bytes(id) });
    let point = any::<([u8; 32], u8)>().prop_map(|(x, side)| {
        let mut point = [side; 33];
        point[1..].copy_from_slice(&x);
        Point { point }
    });
    let confirm = any::<[u8; 32]>().prop_map(|mac| Confirm { mac });
    prop_oneof![
        prop::sample::select(vec![Role::Host, Role::Joiner]).prop_map(|role| Pairing::Open(Open::new(role))),
        (any::<u16>(), vec(any::<u8>(), 0..32), vec("[a-z]{0,32}", 0..32), any::<[u8; 16]>())
            .prop_map(|(version, suites, methods, nonce)| PairHello { version, suites, methods, nonce })
            .prop_map(Pairing::PairHello),
        (any::<u16>(), any::<u8>(), "[a-z]{0,32}", any::<[u8; 16]>(), any::<u8>())
            .prop_map(|(version, suite, method, nonce, attempts_left)| PairHelloAck {
                version,
                suite,
                method,
                nonce,
                attempts_left
            })
            .prop_map(Pairing::PairHelloAck),
        (reasons, any::<u8>())
            .prop_map(|(reason, attempts_left)| Reject { reason, attempts_left })
            .prop_map(Pairing::Reject),
        point.clone().prop_map(Pairing::PakeA),
        point.prop_map(Pairing::PakeB),
        confirm.clone().prop_map(Pairing::ConfirmA),
        confirm.prop_map(Pairing::ConfirmB),
        metadata().prop_map(Pairing::Meta),
        Just(Pairing::UserOk(UserOk {})),
        decision.clone().prop_map(Pairing::Prepared),
        decision.clone().prop_map(Pairing::Commit),
        decision.prop_map(Pairing::Done),
        aborts.prop_map(|reason| Pairing::Abort(Abort { reason })),
    ]
}

proptest! {
    #[test]
    fn every_control_message_reads_back(message in a_control()) {
        prop_assert_eq!(Control::decode(&message.encode()), Ok(Some(message)));
    }

    #[test]
    fn every_pairing_message_reads_back(message in a_pairing()) {
        prop_assert_eq!(Pairing::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 1..200)) {
        let frame = frame(&bytes);
        let _ = Control::decode(&frame);
        let _ = Pairing::decode(&frame);
    }

    #[test]
    fn no_damaged_message_panics(message in a_pairing(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = message.encode().as_bytes()[2..].to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Pairing::decode(&frame(&bytes));
        bytes.truncate(at.max(1));
        prop_assert_eq!(Pairing::decode(&frame(&bytes)), Err(Malformed));
    }

    #[test]
    fn no_damaged_control_message_panics(message in a_control(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = message.encode().as_bytes()[2..].to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        super::fuzz::frames(&[&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat());
        bytes.truncate(at.max(1));
        prop_assert_eq!(Control::decode(&frame(&bytes)), Err(Malformed));
    }

    #[test]
    fn a_frame_is_read_in_as_many_steps_as_it_has_bytes(
        message in a_pairing(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        bytes in vec(any::<u8>(), 1..3000),
    ) {
        let mut damaged = message.encode().as_bytes()[2..].to_vec();
        for (at, byte) in flips {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        for body in [damaged, bytes] {
            let taken = steps(|| drop(Pairing::decode(&frame(&body))));
            prop_assert!(taken <= body.len() + 1, "{taken} steps for {} bytes", body.len());
        }
    }

    #[test]
    fn no_message_is_larger_than_the_frame_that_it_came_in(message in a_control()) {
        let len = message.encode().as_bytes().len();
        let texts = |hello: &Hello| hello.features.iter().map(String::len).sum::<usize>();
        let (lists, text) = match &message {
            Control::Hello(hello) => (hello.state.len(), texts(hello)),
            Control::State(state) => (state.state.len(), 0),
        };
        prop_assert!(32 * lists + text <= len);
    }

    #[test]
    fn any_code_is_a_reason_that_says_it_or_unknown(code: u64, small in 0..20_u64) {
        for code in [code, small] {
            prop_assert!(CloseCode::from_u64(code).is_none_or(|reason| u64::from(reason.as_u32()) == code));
        }
    }

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut(
        messages in vec(a_pairing(), 1..6),
        cuts in vec(1..300_usize, 1..20),
    ) {
        let mut stream = Bytes::from(messages.iter().flat_map(|m| m.encode().as_bytes().to_vec()).collect::<Vec<_>>());
        let (mut deframer, mut read, mut cuts) = (Deframer::default(), Vec::new(), cuts.into_iter().cycle());
        while !stream.is_empty() {
            let mut piece = stream.split_to(cuts.next().unwrap().min(stream.len()));
            while let Some(frame) = deframer.next(&mut piece).unwrap() {
                read.push(Pairing::decode(&frame).unwrap());
            }
        }
        prop_assert!(deframer.is_between_frames());
        prop_assert_eq!(read, messages);
    }
}

#[test]
fn bombs_are_malformed_in_a_few_steps() {
    let most = frame(&[0xc0; 4096]).as_bytes().len() - 2;
    let nested = |open: &[u8]| {
        let body: Vec<u8> = [b"\x81\xa4Open\x82\xa1x", open].concat();
        body.into_iter().cycle().take(most).collect::<Vec<u8>>()
    };
    let field = |value: &[u8]| [b"\x81\xa4Open\x82\xa1x", value, b"\xa4role\xa4host"].concat();
    for (bomb, most_steps, what) in [
        (field(b"\xdd\xff\xff\xff\xff"), 16, "an array of four billion"),
        (field(b"\xdf\xff\xff\xff\xff"), 16, "a map of four billion"),
        (field(b"\xdb\xff\xff\xff\xff"), 16, "four gigabytes of text"),
        (field(b"\xc6\xff\xff\xff\xff"), 16, "four gigabytes of bytes"),
        (field(b"\xc9\xff\xff\xff\xff\x01"), 16, "four gigabytes of extension"),
        (field(&[0x91; 4000]), 16, "four thousand arrays within each other"),
        (field(&[0x81; 4000]), 16, "four thousand maps within each other"),
        (field(&[&b"\xdc\x0f\xa0"[..], &[0x90; 4000]].concat()), 4096, "four thousand empty arrays"),
        (nested(&[0x81, 0xa0]), 4096, "a message that repeats itself"),
    ] {
        let taken = steps(|| drop(Pairing::decode(&frame(&bomb))));
        assert!(taken <= most_steps, "{what}: {taken}");
    }
}

#[test]
fn twice_the_fields_take_twice_the_steps() {
    let taken = |fields: u16| {
        let keys = (0..fields).flat_map(|n| [&[0xa4][..], format!("{n:04}").as_bytes(), &[0xc0]].concat());
        let head = [&b"\x81\xa4Open\xde"[..], &fields.to_be_bytes()].concat();
        let body: Vec<u8> = head.into_iter().chain(keys).collect();
        steps(|| drop(Pairing::decode(&frame(&body))))
    };
    assert_eq!(taken(600) - taken(0), 2 * (taken(300) - taken(0)));
}

#[test]
fn a_deframer_holds_one_frame_at_most() {
    let mut deframer = Deframer::default();
    let mut piece = Bytes::from([&[0x10, 0x00][..], &[0; 4095]].concat());
    assert_eq!(deframer.next(&mut piece), Ok(None));
    assert!(piece.is_empty() && !deframer.is_between_frames());
    let mut rest = Bytes::from(vec![0; 10_000]);
    assert_eq!(deframer.next(&mut rest).unwrap().unwrap().as_bytes().len(), 4098);
    assert_eq!(rest.len(), 9_999, "what belongs to the next frame is left where it is");
}

#[test]
fn every_close_code_reads_back_and_no_two_reasons_share_one() {
    let known: Vec<CloseCode> = (0..=255).filter_map(CloseCode::from_u64).collect();
    assert_eq!(known.len(), 9);
    assert!(known.iter().enumerate().all(|(n, code)| code.as_u32() == n as u32));
    let streams = [StreamCode::Dropped, StreamCode::Refused, StreamCode::Cancelled].map(StreamCode::code);
    assert_eq!(streams, [0x10, 0x11, 0x12]);
}

#[test]
fn the_seeds_of_the_fuzz_target_are_survived() {
    let (mut seeds, mut read) = (0, 0);
    replay("frames", |_, seed| {
        seeds += 1;
        read += super::fuzz::frames(seed);
    });
    // Each but one holds a message; one holds a message of a later version, and one holds three.
    assert_eq!(read, seeds + 1);
}
