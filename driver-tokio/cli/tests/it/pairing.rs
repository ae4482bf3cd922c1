//! Two devices pair, and part, through the command.

use crate::device::{Device, error, noise, pair, same};
use crate::lab::{Net, in_lab};
use handfast_core::Code;

/// The whole life of a pairing.
fn pair_send_restart_forget(a: &Device, b: &Device) {
    pair(a, b);
    let file = b.file("photo.jpg", &noise(3_000_000));
    let words = ["send", file.to_str().unwrap(), "a"];
    for name in ["photo.jpg", "photo (1).jpg"] {
        // Both are new processes each time: no code is asked for.
        let receiving = a.receive(&[]);
        let sent = b.run(&words);
        assert!(sent.iter().any(|e| e["event"] == "sent" && e["bytes"] == 3_000_000), "{sent:#?}");
        let received = receiving.event("received");
        assert!(received["path"].as_str().unwrap().ends_with(name), "{received}");
        assert!(same(&file, &a.path("in").join(name)));
        receiving.interrupt();
        assert_eq!(receiving.end().0, 130);
    }
    a.run(&["forget", "b"]);
    assert_eq!(a.paired(), Vec::<String>::new());
    let receiving = a.receive(&[]);
    let (code, events) = b.start(&words).end();
    let (kind, message) = error(&events);
    assert_eq!((code, kind), (7, "not_paired"), "{message}");
    assert!(message.contains("not paired with this device any more"), "{message}");
    assert_eq!(receiving.event("refused")["reason"], "not_paired");
    assert_eq!(b.paired(), Vec::<String>::new());
    receiving.interrupt();
    receiving.end();
    assert_eq!(a.received(), ["photo (1).jpg", "photo.jpg"]);
}

#[test]
fn two_devices_pair_once_and_send_until_one_forgets_over_ipv4() {
    in_lab(Net::V4, |lab| pair_send_restart_forget(&Device::new(lab, "a"), &Device::new(lab, "b")));
}

#[test]
fn two_devices_pair_once_and_send_until_one_forgets_over_link_local_ipv6() {
    in_lab(Net::V6LinkLocal, |lab| pair_send_restart_forget(&Device::new(lab, "a"), &Device::new(lab, "b")));
}

/// Another code with a right check digit.
fn another(code: &str) -> String {
    let digits: Vec<_> = code.chars().filter(char::is_ascii_digit).collect();
    let body: String = digits[1..digits.len() - 1].iter().collect();
    let first = if digits[0] == '9' { '0' } else { '9' };
    let candidates = (0..10).map(|check| format!("{first}{body}{check}"));
    candidates.into_iter().find(|candidate| candidate.parse::<Code>().is_ok()).unwrap()
}

#[test]
fn a_wrong_code_never_pairs_and_three_of_them_close_the_window() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let showing = a.start(&["pair"]);
        let code = showing.event("code")["code"].as_str().unwrap().to_owned();
        for left in [2, 1, 0] {
            let (exit, events) = b.start(&["pair", &another(&code)]).end();
            assert_eq!((exit, error(&events).0), (8, "wrong_code"), "{events:#?}");
            showing.event_where("refused", |e| e["reason"] == "wrong_code" && e["attempts_left"] == left);
        }
        let (exit, events) = showing.end();
        assert_eq!((exit, error(&events).0), (8, "wrong_code"), "{events:#?}");
        assert_eq!((a.paired(), b.paired()), (vec![], vec![]));
    });
}

#[test]
fn a_right_code_pairs_after_a_wrong_one() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let showing = a.start(&["pair"]);
        let code = showing.event("code")["code"].as_str().unwrap().to_owned();
        assert_eq!(b.start(&["pair", &another(&code)]).end().0, 8);
        b.run(&["pair", &code, "a"]);
        assert_eq!(showing.end().0, 0);
        assert_eq!((a.paired(), b.paired()), (vec!["b".to_owned()], vec!["a".to_owned()]));
    });
}

#[test]
fn an_address_that_is_given_needs_no_discovery() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        lab.lose_multicasts();
        let showing = a.start(&["pair", "--port", "4433"]);
        let code = showing.event("code")["code"].as_str().unwrap().to_owned();
        b.run(&["pair", &code, "--addr", "10.9.0.1:4433"]);
        assert_eq!(showing.end().0, 0);
        let file = b.file("x", b"by address");
        let receiving = a.receive(&["--port", "4433"]);
        b.run(&["send", file.to_str().unwrap(), "a", "--addr", "10.9.0.1:4433"]);
        receiving.event("received");
    });
}

#[test]
fn discovery_tells_of_devices_that_come_and_go() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let discovering = a.start(&["discover"]);
        let receiving = b.receive(&[]);
        let found = discovering.event_where("found", |e| e["name"] == "b");
        assert_eq!((&found["paired"], &found["source"]), (&false.into(), &"mdns".into()));
        assert!(found["addresses"][0].as_str().unwrap().starts_with("10.9.0.2:"), "{found}");
        receiving.interrupt();
        receiving.end();
        // By its goodbye: without one it would be seen for more than an hour.
        assert_eq!(discovering.event("lost")["peer"], found["peer"]);
    });
}
