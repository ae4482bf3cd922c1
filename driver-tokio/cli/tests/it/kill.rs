//! kill -9 in the middle of a transfer.

use crate::device::{Device, Running, error, pair};
use crate::lab::{Lab, Net, in_lab};
use std::fs::File;
use std::time::{Duration, Instant};

/// What the tests set, and what a busy machine may add.
const IDLE: [&str; 2] = ["--idle-timeout", "2"];
const NOTICED_WITHIN: Duration = Duration::from_secs(2 + 3);

/// More than is sent before the kill. Takes no room on disk.
const SIZE: u64 = 64 << 30;

/// A transfer that runs until it is killed: the two devices, who receives, and who sends.
fn transfer(lab: &Lab) -> (Device, Device, Running, Running) {
    let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
    pair(&a, &b);
    let receiving = a.receive(&IDLE);
    let path = b.path("huge");
    File::create(&path).unwrap().set_len(SIZE).unwrap();
    let sending = b.start(&["send", path.to_str().unwrap(), "a", IDLE[0], IDLE[1]]);
    (a, b, receiving, sending)
}

/// Nothing that was received looks whole.
fn nothing_looks_whole(a: &Device) {
    let names = a.received();
    assert!(names.iter().all(|name| name.starts_with('.') && name.contains(".part-")), "{names:?}");
}

fn a_receiver_notices(lab: &Lab, moment: impl Fn(&Running, &Running)) {
    let (a, _b, receiving, sending) = transfer(lab);
    moment(&receiving, &sending);
    sending.kill();
    let killed = Instant::now();
    let error = receiving.event("error");
    assert!(killed.elapsed() < NOTICED_WITHIN, "noticed after {:?}", killed.elapsed());
    assert_eq!(error["kind"], "transfer");
    // It removes what it has, and goes on.
    assert_eq!(a.received(), Vec::<String>::new());
    receiving.interrupt();
    assert_eq!(receiving.end().0, 130);
}

fn a_sender_notices(lab: &Lab, moment: impl Fn(&Running, &Running)) {
    let (a, _b, receiving, sending) = transfer(lab);
    moment(&receiving, &sending);
    receiving.kill();
    let killed = Instant::now();
    let (code, events) = sending.end();
    assert!(killed.elapsed() < NOTICED_WITHIN, "noticed after {:?}", killed.elapsed());
    assert_eq!((code, error(&events).0), (10, "transfer"), "{:?}", error(&events));
    nothing_looks_whole(&a);
}

fn at_the_offer(receiving: &Running, _: &Running) {
    receiving.event("offer");
}

fn in_the_middle(receiving: &Running, sending: &Running) {
    receiving.event_where("progress", |e| e["bytes"].as_u64() > Some(8 << 20));
    sending.event("progress");
}

#[test]
fn a_receiver_whose_sender_is_killed_at_the_offer_keeps_nothing() {
    in_lab(Net::V4, |lab| a_receiver_notices(lab, at_the_offer));
}

#[test]
fn a_receiver_whose_sender_is_killed_in_the_middle_keeps_nothing() {
    in_lab(Net::V4, |lab| a_receiver_notices(lab, in_the_middle));
}

#[test]
fn a_sender_whose_receiver_is_killed_at_the_offer_gets_an_error() {
    in_lab(Net::V4, |lab| a_sender_notices(lab, at_the_offer));
}

#[test]
fn a_sender_whose_receiver_is_killed_in_the_middle_gets_an_error() {
    in_lab(Net::V4, |lab| a_sender_notices(lab, in_the_middle));
}

#[test]
fn an_interrupt_of_the_sender_is_an_error_for_the_receiver() {
    in_lab(Net::V4, |lab| {
        let (a, _b, receiving, sending) = transfer(lab);
        in_the_middle(&receiving, &sending);
        sending.interrupt();
        assert_eq!(sending.end().0, 130);
        receiving.event("error");
        assert_eq!(a.received(), Vec::<String>::new());
    });
}

#[test]
fn an_interrupt_of_the_receiver_leaves_nothing_and_is_an_error_for_the_sender() {
    in_lab(Net::V4, |lab| {
        let (a, _b, receiving, sending) = transfer(lab);
        in_the_middle(&receiving, &sending);
        receiving.interrupt();
        assert_eq!(receiving.end().0, 130);
        assert_eq!(a.received(), Vec::<String>::new());
        let (code, events) = sending.end();
        assert_eq!((code, error(&events).0), (10, "transfer"));
    });
}
