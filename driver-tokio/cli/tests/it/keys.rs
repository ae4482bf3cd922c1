//! What a user decides about keys: to trust one without a code, and to ban one.

use crate::device::{Device, error, pair};
use crate::lab::{Net, in_lab};
use handfast_core::Fingerprint;

/// What the user of this device reads out to the other one.
fn fingerprint(device: &Device) -> String {
    let events = device.run(&["id"]);
    let identity = events.iter().find(|event| event["event"] == "identity").unwrap();
    identity["fingerprint"].as_str().unwrap().to_owned()
}

/// The fingerprints in the list of devices under that word.
fn listed(device: &Device, word: &str) -> Vec<String> {
    let events = device.run(&["peers"]);
    let fitting = events.iter().filter(|event| event["event"] == word);
    fitting.map(|event| event["fingerprint"].as_str().unwrap().to_owned()).collect()
}

fn trust_each_other(a: &Device, b: &Device) {
    let (of_a, of_b) = (fingerprint(a), fingerprint(b));
    let first = a.start(&["trust", &of_b]);
    first.event("trusted");
    b.run(&["trust", &of_a]);
    assert_eq!(first.end().0, 0);
    assert_eq!((a.paired(), b.paired()), (vec!["b".to_owned()], vec!["a".to_owned()]));
    assert_eq!((listed(a, "trusted"), listed(b, "trusted")), (vec![], vec![]), "the trust was fulfilled");
}

#[test]
fn two_devices_pair_without_a_code_once_each_was_told_the_others_fingerprint_over_ipv4() {
    in_lab(Net::V4, |lab| trust_each_other(&Device::new(lab, "a"), &Device::new(lab, "b")));
}

#[test]
fn two_devices_pair_without_a_code_once_each_was_told_the_others_fingerprint_over_link_local_ipv6() {
    in_lab(Net::V6LinkLocal, |lab| trust_each_other(&Device::new(lab, "a"), &Device::new(lab, "b")));
}

#[test]
fn trust_outlives_its_command_and_any_other_one_goes_on_with_it() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let (of_a, of_b) = (fingerprint(&a), fingerprint(&b));
        let first = a.start(&["trust", &of_b]);
        first.event("trusted");
        first.kill();
        first.end();
        assert_eq!(listed(&a, "trusted"), [of_b]);
        let receiving = a.receive(&[]);
        b.run(&["trust", &of_a]);
        receiving.event("paired");
        receiving.interrupt();
        receiving.end();
        assert_eq!((a.paired(), b.paired()), (vec!["b".to_owned()], vec!["a".to_owned()]));
    });
}

#[test]
fn whoever_trusts_a_device_that_does_not_trust_back_pairs_with_nobody() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let of_b = fingerprint(&b);
        let receiving = b.receive(&[]);
        let waiting = a.start(&["trust", &of_b]);
        waiting.event_where("refused", |event| event["reason"] == "not_trusted");
        waiting.interrupt();
        assert_eq!(waiting.end().0, 130);
        receiving.interrupt();
        receiving.end();
        assert_eq!((a.paired(), b.paired()), (vec![], vec![]));
        a.run(&["forget", &of_b]);
        assert_eq!(listed(&a, "trusted"), Vec::<String>::new());
    });
}

#[test]
fn a_banned_device_is_paired_no_longer_and_cannot_pair_until_the_ban_is_lifted() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let of_b = fingerprint(&b);
        a.run(&["ban", "b"]);
        assert_eq!((a.paired(), listed(&a, "banned")), (vec![], vec![of_b.clone()]));
        let receiving = a.receive(&[]);
        let file = b.file("x", b"x");
        let (code, _) = b.start(&["send", file.to_str().unwrap(), "a"]).end();
        assert_ne!(code, 0, "a banned device sends nothing");
        receiving.interrupt();
        receiving.end();
        assert_eq!(a.received(), Vec::<String>::new());
        a.run(&["unban", &of_b]);
        assert_eq!(listed(&a, "banned"), Vec::<String>::new());
        pair(&a, &b);
        assert_eq!(a.paired(), ["b"]);
    });
}

#[test]
fn what_is_no_fingerprint_or_was_never_decided_is_an_error() {
    let device = Device::on_loopback("a");
    let own = fingerprint(&device);
    let (code, events) = device.start(&["trust", "7f3a·c21e"]).end();
    assert_eq!((code, error(&events).0), (2, "usage"), "a label is no proof");
    for words in [["trust", &own], ["ban", &own]] {
        let (code, events) = device.start(&words).end();
        assert_eq!((code, error(&events).0), (2, "usage"), "{words:?}: {events:#?}");
    }
    let nobody = Fingerprint::from_bytes([7; 32]).to_string();
    let (code, events) = device.start(&["unban", &nobody]).end();
    assert_eq!((code, error(&events).0), (5, "no_such_peer"), "{events:#?}");
}
