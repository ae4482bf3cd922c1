//! What one host shows without a network of its own.

use crate::device::{Device, error};

#[test]
fn the_demo_finds_pairs_sends_and_ends_with_its_figures() {
    let device = Device::on_loopback("demo");
    let events = device.run(&["demo", "--size", "8"]);
    let done = events.last().unwrap();
    assert_eq!(
        (&done["event"], &done["ok"], &done["bytes"]),
        (&"done".into(), &true.into(), &(8 << 20).into())
    );
    assert!(done["mib_per_s"].as_f64().unwrap() > 0.0, "{done}");
    for figure in ["discovered_ms", "paired_ms"] {
        assert!(done[figure].is_u64(), "{done}");
    }
    for event in ["found", "code", "paired", "progress"] {
        assert!(events.iter().any(|e| e["event"] == event), "no {event} in {events:#?}");
    }
    assert!(!device.path("home").exists(), "the demo has homes of its own");
}

#[test]
fn a_killed_process_leaves_a_home_that_can_be_used() {
    let device = Device::on_loopback("a");
    let first = device.receive(&[]);
    first.kill();
    assert_eq!(first.end().0, -1);
    assert_eq!(device.paired(), Vec::<String>::new());
}

#[test]
fn wrong_arguments_are_an_error_in_json_too() {
    let device = Device::on_loopback("a");
    for words in [&["dance"][..], &["send", "alone"], &["pair", "a", "b"], &["recv", "--app", "No Good"]] {
        let (code, events) = device.start(words).end();
        assert_eq!((code, error(&events).0), (2, "usage"), "{words:?}");
    }
    let output = device.command(&["recv", "--interface", "nope0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no network interface `nope0`"), "{output:?}");
}

#[test]
fn the_help_lists_the_exit_codes() {
    let output = Device::on_loopback("a").command(&["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && help.contains("130  interrupted by Ctrl-C"), "{help}");
}

#[test]
fn a_code_with_a_typing_error_is_caught_before_anything_is_sent() {
    let device = Device::on_loopback("a");
    for code in ["482-1930", "123456", "1234 56789 0"] {
        let (exit, events) = device.start(&["pair", code]).end();
        assert_eq!((exit, error(&events).0), (8, "wrong_code"), "{code}");
        assert!(!events.iter().any(|e| e["event"] == "listening"));
    }
}

#[test]
fn a_device_that_was_never_paired_is_no_receiver() {
    let device = Device::on_loopback("a");
    let file = device.file("x", b"x");
    let (code, events) = device.start(&["send", file.to_str().unwrap(), "nobody"]).end();
    assert_eq!((code, error(&events).0), (7, "not_paired"));
}
