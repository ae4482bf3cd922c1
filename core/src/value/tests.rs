use super::fuzz::Anything;
use super::*;
use crate::testing::replay;
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    title: String,
    lines: Vec<u32>,
}

fn note() -> Note {
    Note { title: "shopping".to_owned(), lines: vec![1, 2, 3] }
}

/// The bytes of a value without their length.
fn body(value: &impl Serialize) -> Vec<u8> {
    encode(value).unwrap()[PREFIX..].to_vec()
}

#[test]
fn a_value_is_a_length_and_messagepack_with_named_fields() {
    let expected = b"\0\0\0\x1a\x82\xa5title\xa8shopping\xa5lines\x93\x01\x02\x03";
    assert_eq!(encode(&note()).unwrap(), expected[..]);
    assert_eq!(decode(&expected[4..]), Ok(note()));
}

#[test]
fn values_are_cut_from_a_stream_however_it_comes() {
    let stream = [encode(&note()).unwrap(), encode(&7).unwrap(), encode("x").unwrap()].concat();
    for piece in 1..stream.len() {
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        for part in stream.chunks(piece) {
            let mut part = Bytes::copy_from_slice(part);
            while let Some(frame) = frames.next(&mut part, MAX_VALUE).unwrap() {
                found.push(frame);
            }
        }
        assert!(frames.is_between());
        assert_eq!((found.len(), decode(&found[0]), decode(&found[1])), (3, Ok(note()), Ok(7)));
    }
}

#[test]
fn a_length_over_the_limit_is_an_error_before_anything_is_kept() {
    for (len, max, fits) in [(10_u32, 10, true), (11, 10, false), (u32::MAX, MAX_VALUE, false)] {
        let mut frames = Frames::default();
        let mut piece = Bytes::copy_from_slice(&len.to_be_bytes());
        let next = frames.next(&mut piece, max);
        assert_eq!(next, if fits { Ok(None) } else { Err(ValueError::TooLong) });
        assert_eq!(frames.partial.len(), PREFIX);
        assert!(!frames.is_between());
    }
}

#[test]
fn what_is_cut_off_or_goes_on_is_an_error_with_a_name() {
    let whole = body(&note());
    for end in 0..whole.len() {
        assert_eq!(decode::<Note>(&whole[..end]), Err(ValueError::Truncated));
    }
    assert_eq!(decode::<Note>(&[&whole[..], &[0xc0]].concat()), Err(ValueError::Trailing));
    assert!(matches!(decode::<Note>(&body(&7)), Err(ValueError::Type(_))));
    assert!(matches!(decode::<u8>(b"\xc1"), Err(ValueError::Type(_))));
}

#[test]
fn sixty_four_containers_are_read_and_sixty_five_are_too_deep() {
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    assert!(decode::<serde::de::IgnoredAny>(&nested(64)).is_ok());
    assert_eq!(decode::<serde::de::IgnoredAny>(&nested(65)).unwrap_err(), ValueError::TooDeep);
    // serde's reader of enums counts no depth: half a million levels would end the stack.
    let variant = b"\x81\xa6Inside";
    let bomb = [variant.repeat(500_000), body(&Anything::Nothing)].concat();
    assert_eq!(decode::<Anything>(&bomb), Err(ValueError::TooDeep));
}

#[test]
fn counts_that_claim_more_than_there_is_take_no_memory() {
    for bomb in [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ] {
        assert_eq!(decode::<Vec<u64>>(bomb), Err(ValueError::Truncated));
        assert_eq!(decode::<BTreeMap<u64, u64>>(bomb), Err(ValueError::Truncated));
        assert_eq!(decode::<String>(bomb), Err(ValueError::Truncated));
    }
}

#[test]
fn fields_that_nobody_knows_are_skipped() {
    let mut fields = BTreeMap::from([("title", vec![]), ("lines", vec![1_u8])]);
    for n in 0..1_000 {
        fields.insert(["a", "b", "c"][n % 3], vec![0; 100]);
    }
    let extended = [b"\x83\xa5title\xa1x\xa5lines\x91\x05\xa5later".to_vec(), body(&fields)].concat();
    assert_eq!(decode(&extended), Ok(Note { title: "x".to_owned(), lines: vec![5] }));
}

#[test]
fn a_type_that_messagepack_lacks_is_an_error_with_a_name() {
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    assert!(matches!(encode(&Stubborn), Err(EncodeError::Type(why)) if why.contains("no")));
}

#[test]
fn the_seeds_of_the_fuzz_target_are_survived() {
    let mut values = 0;
    replay("value", |_, seed| values += fuzz::value(seed));
    assert!(values >= 8, "{values}");
}

proptest! {
    #[test]
    fn any_octets_are_values_or_errors(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::value(&octets);
        let framed = [&(octets.len() as u32).to_be_bytes()[..], &octets].concat();
        fuzz::value(&framed);
    }
}
