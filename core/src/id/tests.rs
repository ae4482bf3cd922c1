use super::*;
use proptest::prelude::*;

fn a_key() -> PublicKey {
    // The public key of RFC 8032 §7.1, test 1.
    let hex = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
    PublicKey::from_bytes(bytes.try_into().unwrap()).unwrap()
}

#[test]
fn a_key_survives_its_spki() {
    let spki = a_key().to_spki();
    assert_eq!(PublicKey::from_spki(&spki), Ok(a_key()));
    assert_eq!(PublicKey::from_spki(&spki[1..]), Err(KeyError::NotEd25519));
    assert_eq!(PublicKey::from_spki(&[&spki[..], &[0]].concat()), Err(KeyError::NotEd25519));
}

#[test]
fn a_key_of_small_order_is_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(PublicKey::from_bytes(identity), Err(KeyError::Weak));
    assert_eq!(PublicKey::from_bytes([0; 32]), Err(KeyError::Weak));
}

#[test]
fn bytes_that_are_no_point_are_refused() {
    let mut bytes = [0; 32];
    bytes[0] = 2;
    assert_eq!(PublicKey::from_bytes(bytes), Err(KeyError::NotOnCurve));
}

#[test]
fn both_forms_of_a_peer_id_name_the_key_and_read_back() {
    let key = a_key();
    for (kind, len) in [(PeerIdKind::Sha1, 40), (PeerIdKind::Sha256, 53)] {
        let id = key.peer_id(kind);
        let text = id.to_string();
        assert_eq!(text.len(), len);
        assert!(text.len() <= 63, "a DNS label holds 63 octets");
        assert_eq!(text.parse(), Ok(id));
        assert!(key.is_named(&id));
    }
    assert!(!key.is_named(&PeerId::Sha1([0; 20])));
}

#[test]
fn a_peer_id_has_one_spelling() {
    let hex = a_key().peer_id(PeerIdKind::Sha1).to_string();
    assert_eq!(hex.to_ascii_uppercase().parse::<PeerId>(), Err(IdError::Alphabet));
    assert_eq!(hex[1..].parse::<PeerId>(), Err(IdError::Length));
    let base32 = a_key().peer_id(PeerIdKind::Sha256).to_string();
    assert_eq!(base32.to_ascii_uppercase().parse::<PeerId>(), Err(IdError::Alphabet));
    // 52 base32 characters carry 260 bits: the last 4 must be zero, or one id would have 16 texts.
    let loose = format!("{}b", &base32[..52]);
    assert_eq!(loose.parse::<PeerId>(), Err(IdError::Alphabet));
}

#[test]
fn a_service_name_keeps_every_rule_of_rfc_6763_section_7() {
    for good in ["a", "spacedrive", "a-b", "0a", "abcdefghijklmno"] {
        assert!(ServiceName::new(good).is_ok(), "{good}");
    }
    for (bad, why) in [
        ("", ServiceNameError::Length),
        ("abcdefghijklmnop", ServiceNameError::Length),
        ("Space", ServiceNameError::Alphabet),
        ("a_b", ServiceNameError::Alphabet),
        ("é", ServiceNameError::Alphabet),
        ("123", ServiceNameError::NoLetter),
        ("-a", ServiceNameError::Hyphen),
        ("a-", ServiceNameError::Hyphen),
        ("a--b", ServiceNameError::Hyphen),
    ] {
        assert_eq!(ServiceName::new(bad), Err(why), "{bad}");
    }
}

#[test]
fn a_label_is_the_first_eight_hex_digits() {
    let label = Fingerprint([0x7f; 32]).label();
    assert_eq!(label, "7f7f·7f7f");
}

proptest! {
    #[test]
    fn any_text_parses_to_an_id_with_that_text_or_to_an_error(text in "[a-z2-7A-F0-9]{0,60}") {
        if let Ok(id) = text.parse::<PeerId>() {
            prop_assert_eq!(id.to_string(), text.clone());
        }
        if let Ok(print) = text.parse::<Fingerprint>() {
            prop_assert_eq!(print.to_string(), text);
        }
    }

    #[test]
    fn every_fingerprint_reads_back(bytes: [u8; 32]) {
        let print = Fingerprint(bytes);
        prop_assert_eq!(print.to_string().parse(), Ok(print));
        let id = PeerId::Sha256(bytes);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn every_pair_id_reads_back_and_has_one_spelling(bytes: [u8; 32]) {
        let id = PairId::from_bytes(bytes);
        let text = id.to_string();
        prop_assert_eq!(text.parse(), Ok(id));
        prop_assert_eq!(serde_json::from_str::<PairId>(&format!("\"{text}\"")).unwrap(), id);
        prop_assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        prop_assert_eq!(text[1..].parse::<PairId>(), Err(IdError::Length));
        if text.bytes().any(|b| b.is_ascii_lowercase()) {
            prop_assert_eq!(text.to_ascii_uppercase().parse::<PairId>(), Err(IdError::Alphabet));
        }
    }

    #[test]
    fn every_sha1_name_reads_back(bytes: [u8; 20]) {
        let id = PeerId::Sha1(bytes);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn ids_read_back_from_messagepack_as_text(short: [u8; 20], long: [u8; 32], name: bool) {
        let id = if name { PeerId::Sha1(short) } else { PeerId::Sha256(long) };
        let packed = rmp_serde::to_vec(&id).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<PeerId>(&packed).unwrap(), id);
        prop_assert_eq!(rmp_serde::from_slice::<String>(&packed).unwrap(), id.to_string());
        let packed = rmp_serde::to_vec(&Fingerprint(long)).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Fingerprint>(&packed).unwrap(), Fingerprint(long));
    }

    #[test]
    fn every_key_survives_its_spki(entropy: [u8; 32]) {
        let key = crate::Identity::from_entropy(entropy).public_key();
        prop_assert_eq!(PublicKey::from_spki(&key.to_spki()), Ok(key));
    }

    #[test]
    fn any_44_bytes_with_the_prefix_are_a_key_or_an_error(bytes: [u8; 32]) {
        let spki = [&SPKI_PREFIX[..], &bytes].concat();
        if let Ok(key) = PublicKey::from_spki(&spki) {
            prop_assert_eq!(&key.to_spki()[..], &spki[..]);
        }
    }

    #[test]
    fn any_service_name_that_is_taken_is_kept(text in "[a-z0-9-]{0,17}") {
        if let Ok(name) = ServiceName::new(&text) {
            prop_assert_eq!(name.as_str(), &text);
            prop_assert_eq!(ServiceName::new(&name.to_string()), Ok(name));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,80}") {
        super::fuzz::text(text.as_bytes());
    }
}
