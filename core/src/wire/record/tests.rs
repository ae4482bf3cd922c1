use super::*;
use crate::identity::Identity;
use data_encoding::HEXLOWER;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn body(payload: Payload) -> Body {
    let owner = Identity::from_entropy([1; 32]).public_key();
    Body { owner, seq: 7, issued_s: 8, not_after_s: 9, entries: vec![[2; 32], [3; 32]], payload }
}

fn plain() -> Body {
    body(Payload::Plain(Plain { addresses: vec!["192.0.2.1:7".parse().unwrap()] }))
}

#[test]
fn a_record_is_these_bytes() {
    let identity = Identity::from_entropy([1; 32]);
    let record = plain().sign(&identity.signer());
    let spki = HEXLOWER.encode(&identity.public_key().to_spki());
    let entries = "02".repeat(32) + &"03".repeat(32);
    let payload = "81a5506c61696e81a961646472657373657391ab3139322e302e322e313a37";
    let expected = format!("97 01 c42c {spki} 07 08 09 c440 {entries} {payload}").replace(' ', "");
    assert_eq!(HEXLOWER.encode(&plain().encode()), expected);
    let len = expected.len() / 2;
    assert_eq!(record[..3], [0x92, 0xc4, len as u8]);
    assert_eq!(record[3 + len..][..2], [0xc4, 0x40]);
}

#[test]
fn a_record_is_read_if_its_owner_signed_all_of_it() {
    let (own, other) = (Identity::from_entropy([1; 32]), Identity::from_entropy([2; 32]));
    let record = plain().sign(&own.signer());
    assert_eq!(Body::verify(&record), Ok(plain()));
    assert_eq!(Body::verify(&plain().sign(&other.signer())), Err(Malformed));
    for at in 0..record.len() {
        let mut forged = record.to_vec();
        forged[at] ^= 1;
        assert_eq!(Body::verify(&forged), Err(Malformed), "octet {at}");
    }
}

#[test]
fn a_signature_of_something_else_is_none_of_a_record() {
    let own = Identity::from_entropy([1; 32]);
    let body = plain().encode();
    let signature = own.signer().sign(&body);
    assert_eq!(Body::verify(&write(&(Bin(&body), Bin(&signature)))), Err(Malformed));
}

#[test]
fn what_is_no_record_is_malformed() {
    let own = Identity::from_entropy([1; 32]);
    let sign = |body: &[u8]| {
        let signature = own.signer().sign(&[CONTEXT, body].concat());
        Body::verify(&write(&(Bin(body), Bin(&signature))))
    };
    let spki = own.public_key().to_spki();
    let payload = plain().payload;
    let with = |version: u8, entries: &[u8]| {
        write(&(version, Bin(&spki), 7_u64, 8_u64, 9_u64, Bin(entries), &payload))
    };
    assert!(sign(&with(1, &[])).is_ok());
    for (body, why) in [
        (with(2, &[]), "a later version"),
        (with(1, &[0; 31]), "a part of an entry"),
        (with(1, &[[1; 32], [0; 32]].concat()), "entries out of order"),
        (with(1, &[0; 49 * 32]), "too many entries"),
        (write(&(1_u8, Bin(&spki), 7_u64)), "too few fields"),
        (write(&(1_u8, Bin(&spki[1..]), 7_u64, 8_u64, 9_u64, Bin(&[]), &payload)), "no key"),
        (write(&(1_u8, Bin(&spki), -7_i64, 8_u64, 9_u64, Bin(&[]), &payload)), "a number below zero"),
        ([with(1, &[]), vec![0]].concat(), "a trailing byte"),
    ] {
        assert_eq!(sign(&body), Err(Malformed), "{why}");
    }
    assert_eq!(Body::verify(&[0; MAX_RECORD + 1]), Err(Malformed));
}

fn a_payload() -> impl Strategy<Value = Payload> {
    let address = any::<([u8; 16], u16)>().prop_map(SocketAddr::from);
    let plain = vec(address, 0..=16).prop_map(|addresses| Payload::Plain(Plain { addresses }));
    let sealed = (any::<[u8; 24]>(), vec(any::<u8>(), 0..1040))
        .prop_map(|(nonce, bytes)| Payload::Sealed(Sealed { nonce, ciphertext: bytes.into() }));
    prop_oneof![plain, sealed]
}

proptest! {
    #[test]
    fn every_record_reads_back(
        seed: [u8; 32], seq: u64, issued_s: u64, not_after_s: u64,
        entries in btree_set(any::<[u8; 32]>(), 0..=48), payload in a_payload(),
    ) {
        let own = Identity::from_entropy(seed);
        let entries = entries.into_iter().collect();
        let body = Body { owner: own.public_key(), seq, issued_s, not_after_s, entries, payload };
        prop_assert_eq!(Body::verify(&body.sign(&own.signer())), Ok(body));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Body::verify(&bytes);
    }
}
