use super::*;
use crate::identity::Identity;
use proptest::collection::vec;
use proptest::prelude::*;

fn key(entropy: u8) -> PublicKey {
    Identity::from_entropy([entropy; 32]).public_key()
}

fn a_record() -> impl Strategy<Value = PairRecord> {
    let role = prop::sample::select(vec![Role::Host, Role::Joiner]);
    let states = vec![PairState::Hook, PairState::Prepared, PairState::Committed, PairState::Paired];
    let metadata = (".{0,16}", "[a-z]{0,32}", "[0-9.]{0,32}", vec(any::<u8>(), 0..300)).prop_map(
        |(name, os, version, extra)| {
            Metadata::named(name).with_os(os).with_version(version).with_extra(extra)
        },
    );
    let ids =
        (any::<[u8; 32]>(), any::<[u8; 32]>(), vec(any::<[u8; 32]>(), 0..9), vec(any::<[u8; 16]>(), 0..9));
    (ids, role, prop::sample::select(states), metadata, any::<[u8; 2]>()).prop_map(
        |((id, secret, replaces, instances), role, state, metadata, keys)| {
            let (pair_id, secret) = (PairId::from_bytes(id), PairSecret::from_bytes(secret));
            let mut record = PairRecord::new(pair_id, role, key(keys[0]), key(keys[1]), secret, state);
            record.replaces = replaces.into_iter().map(PairId::from_bytes).collect();
            (record.instances, record.metadata) = (instances, metadata);
            record
        },
    )
}

fn some_record() -> PairRecord {
    let (pair_id, secret) = (PairId::from_bytes([1; 32]), PairSecret::from_bytes([2; 32]));
    PairRecord::new(pair_id, Role::Host, key(1), key(2), secret, PairState::Paired)
}

/// The record as a later version might write it: with one field more, which holds `value`.
fn with_a_field(record: &PairRecord, value: &[u8]) -> Vec<u8> {
    let mut bytes = record.encode().to_vec();
    // A map of up to 14 fields has its length in its first byte.
    assert!((0x80..0x8f).contains(&bytes[0]));
    bytes[0] += 1;
    bytes.extend_from_slice(b"\xa5later");
    bytes.extend_from_slice(value);
    bytes
}

#[test]
fn unknown_fields_are_skipped() {
    for value in [&b"\xc0"[..], b"\xa1x", b"\xc4\x01x", b"\x91\xc3", b"\x81\xa1k\x02", b"\xcb12345678"] {
        let bytes = with_a_field(&some_record(), value);
        assert_eq!(PairRecord::decode(&bytes), Ok(some_record()), "{value:02x?}");
    }
}

#[test]
fn a_record_that_is_nested_too_deeply_is_damaged_and_costs_no_stack() {
    for (depth, sound) in [(8, true), (17, false), (1_000, false), (100_000, false)] {
        let value = [vec![0x91; depth], vec![0xc0]].concat();
        let read = PairRecord::decode(&with_a_field(&some_record(), &value));
        assert_eq!(read.is_ok(), sound, "{depth}");
    }
}

#[test]
fn bytes_after_a_record_are_damage() {
    for more in [0xc0, 0x00, 0xc1, 0xff] {
        let bytes = [&some_record().encode()[..], &[more]].concat();
        assert_eq!(PairRecord::decode(&bytes), Err(RecordError::Malformed), "{more:#x}");
    }
}

#[test]
fn a_record_claims_no_more_room_than_its_bytes() {
    for bomb in [
        &b"\x81\xa8replaces\xdd\xff\xff\xff\xff"[..],
        b"\x81\xa9instances\xdd\xff\xff\xff\xff",
        b"\x81\xa7pair_id\xc6\xff\xff\xff\xff",
        b"\x81\xa8metadata\x81\xa4name\xdb\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
    ] {
        assert_eq!(PairRecord::decode(bomb), Err(RecordError::Malformed), "{bomb:02x?}");
    }
}

proptest! {
    #[test]
    fn every_record_reads_back(record in a_record()) {
        let bytes = record.encode();
        prop_assert_eq!(PairRecord::decode(&bytes), Ok(record));
    }

    #[test]
    fn a_record_that_is_cut_is_damaged(record in a_record(), at in any::<prop::sample::Index>()) {
        let bytes = record.encode();
        prop_assert_eq!(PairRecord::decode(&bytes[..at.index(bytes.len())]), Err(RecordError::Malformed));
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(record in a_record(), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)) {
        let mut bytes = record.encode().to_vec();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        super::fuzz::record(&bytes);
    }
}
