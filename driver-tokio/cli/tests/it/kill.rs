//! kill -9 in the middle of a transfer.

use crate::device::{Device, Running, error, pair};
use crate::lab::{Lab, Net, in_lab};
use std::fs::File;
use std::time::{Duration, Instant};

/// What the tests set, and what a busy machine may add.
const IDLE: [&str; 2] = ["--idle-timeout", "2"];
const GIVEN_UP: [&str; 2] = ["--timeout", "1"];
const NOTICED_WITHIN: Duration = Duration::from_secs(2 + 1 + 3);

/// More than is sent before the kill. Takes no room on the sender's disk.
const SIZE: u64 = 4 << 30;

/// A transfer that runs until it is killed: the two devices, who receives, and who sends.
fn transfer(lab: &Lab) -> (Device, Device, Running, Running) {
    let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
    pair(&a, &b);
    let receiving = a.receive(&IDLE);
    let path = b.path("huge");
    File::create(&path).unwrap().set_len(SIZE).unwrap();
    let words = ["send", path.to_str().unwrap(), "a", IDLE[0], IDLE[1], GIVEN_UP[0], GIVEN_UP[1]];
    let sending = b.start(&words);
    (a, b, receiving, sending)
}

fn a_receiver_notices(lab: &Lab, moment: impl Fn(&Running, &Running)) {
    let (a, _b, receiving, sending) = transfer(lab);
    moment(&receiving, &sending);
    sending.kill();
    let killed = Instant::now();
    let error = receiving.event("error");
    assert!(killed.elapsed() < NOTICED_WITHIN, "noticed after {:?}", killed.elapsed());
    assert_eq!(error["kind"], "transfer");
    // Nothing looks whole, and it goes on.
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
    assert_eq!(a.received(), Vec::<String>::new());
}

fn at_the_offer(receiving: &Running, _: &Running) {
    receiving.event("offer");
}

fn in_the_middle(receiving: &Running, sending: &Running) {
    receiving.event_where("progress", |e| e["bytes"].as_u64() > Some(8 << 20));
    sending.event("progress");
}

#[test]
fn a_receiver_whose_sender_is_killed_at_the_offer_has_nothing_that_looks_whole() {
    in_lab(Net::V4, |lab| a_receiver_notices(lab, at_the_offer));
}

#[test]
fn a_receiver_whose_sender_is_killed_in_the_middle_has_nothing_that_looks_whole() {
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
fn an_interrupt_of_the_receiver_leaves_nothing_that_looks_whole_and_is_an_error_for_the_sender() {
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
