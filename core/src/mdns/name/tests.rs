use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn name(labels: &[&str]) -> Name {
    Name::from_labels(labels.iter().map(|label| label.as_bytes())).unwrap()
}

#[test]
fn names_compare_by_ascii_case_and_never_by_unicode_case() {
    assert_eq!(name(&["Ab-C", "LOCAL"]), name(&["aB-c", "local"]));
    assert_ne!(name(&["\u{c4}", "local"]), name(&["\u{e4}", "local"]));
    assert_eq!(name(&["B"]).cmp(&name(&["b"])), Ordering::Equal);
}

#[test]
fn a_name_has_at_most_255_octets_and_its_final_zero() {
    let long = [b'x'; 63];
    let labels = [&long[..], &long, &long, &long[..62]];
    assert_eq!(Name::from_labels(labels).unwrap().as_wire().len(), MAX_NAME);
    let labels = [&long[..], &long, &long, &long];
    assert_eq!(Name::from_labels(labels), Err(NameError::NameLength));
    assert_eq!(Name::from_labels([&[b'x'; 64][..]]), Err(NameError::LabelLength));
}

#[test]
fn an_instance_label_has_1_to_63_octets_and_no_control_character() {
    assert_eq!(Label::new("Ben's \u{2603}.phone").unwrap().as_str(), Some("Ben's \u{2603}.phone"));
    assert_eq!(Label::new(""), Err(NameError::LabelLength));
    assert_eq!(Label::new("a\u{7f}"), Err(NameError::Control));
}

#[test]
fn dots_and_backslashes_are_escaped_in_text_alone() {
    assert_eq!(name(&[r"a.b\c", "local"]).to_string(), r"a\.b\\c.local.");
    assert_eq!(name(&[r"a.b\c", "local"]).as_wire(), b"\x05a.b\\c\x05local\0");
}

#[test]
fn a_child_is_exactly_one_label_below() {
    let parent = name(&["_x", "_udp", "local"]);
    assert!(name(&["i", "_X", "_udp", "local"]).is_child_of(&parent));
    assert!(!parent.is_child_of(&parent));
    assert!(!name(&["a", "i", "_x", "_udp", "local"]).is_child_of(&parent));
}

proptest! {
    #[test]
    fn every_name_reads_back_from_its_octets(labels in vec(vec(any::<u8>(), 1..=63), 0..8)) {
        let total = labels.iter().map(|label| label.len() + 1).sum::<usize>() + 1;
        match Name::from_labels(labels.iter().map(Vec::as_slice)) {
            Ok(name) => {
                let again = Name::from_wire(name.as_wire()).unwrap();
                prop_assert_eq!(again.as_wire(), name.as_wire());
                prop_assert!(name.labels().eq(labels.iter().map(Vec::as_slice)));
            }
            Err(error) => prop_assert_eq!((error, total > MAX_NAME), (NameError::NameLength, true)),
        }
    }

    #[test]
    fn names_have_the_order_of_their_folded_octets(
        a in vec(vec(prop::sample::select(&b"abAB\0\xc4"[..]), 1..=4), 0..4),
        b in vec(vec(prop::sample::select(&b"abAB\0\xc4"[..]), 1..=4), 0..4),
    ) {
        let [a, b] = [a, b].map(|labels| Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap());
        let folded = |name: &Name| name.as_wire().to_ascii_lowercase();
        prop_assert_eq!(a.cmp(&b), folded(&a).cmp(&folded(&b)));
        prop_assert_eq!(a == b, folded(&a) == folded(&b));
        let in_place = WireName::new(a.as_wire());
        prop_assert_eq!(in_place.cmp_name(&b), a.cmp(&b));
        prop_assert!(a != b || in_place.mark() == b.wire_name().mark());
    }

    #[test]
    fn eight_octets_at_once_are_folded_as_each_of_them(octets: [u8; 8], letters in "[@-Z`-z]{8}") {
        for octets in [&octets[..], letters.as_bytes()].map(|eight| <[u8; 8]>::try_from(eight).unwrap()) {
            let at_once = folded(u64::from_be_bytes(octets)).to_be_bytes();
            prop_assert_eq!(at_once, octets.map(|octet| octet.to_ascii_lowercase()));
        }
    }

    #[test]
    fn any_octets_are_a_name_of_those_octets_or_none(wire in vec(0..70_u8, 0..300)) {
        if let Some(name) = Name::from_wire(&wire) {
            prop_assert_eq!(name.as_wire(), &wire[..]);
            prop_assert!(name.labels().all(|label| !label.is_empty() && label.len() < 256));
        }
    }
}
