//! Cables that are pulled, addresses that change and processes that die in the middle of a transfer.
//!
//! A file arrives whole; or its transfer ends with an error, and then it arrives whole when it is sent again.

use crate::device::{Device, PATIENCE, Running, error, noise, pair};
use crate::lab::{Lab, Net, in_lab, measured, sh};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Bytes of the file: some four seconds' worth on the slow links.
const SIZE: usize = 40_000_000;

/// More than what two nodes say while no file is sent.
const FLOWS: u64 = 300_000;

/// Whoever waits for a connection to time out begins anew after three times as long.
const LATE: Duration = Duration::from_secs(15);

/// How often is looked whether bytes flow.
const LOOK: Duration = Duration::from_millis(10);

/// A file on its way from `b`, who dialled, to `a`.
struct Transfer<'a> {
    lab: &'a Lab,
    a: Device,
    b: Device,
    file: PathBuf,
    receiving: Running,
    sending: Running,
    /// How often the file was sent again.
    again: u32,
}

fn words(file: &Path) -> [&str; 3] {
    ["send", file.to_str().unwrap(), "a"]
}

impl<'a> Transfer<'a> {
    /// One that has got some way.
    fn begin(lab: &'a Lab) -> Self {
        lab.slow_down();
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let receiving = a.receive(&[]);
        let mut bytes = noise(SIZE / 40);
        for n in 1..40 {
            bytes.extend_from_within(..SIZE / 40);
            bytes[n * SIZE / 40] = n as u8;
        }
        let file = b.file("big", &bytes);
        let sending = b.start(&words(&file));
        let transfer = Self { lab, a, b, file, receiving, sending, again: 0 };
        let began = Instant::now();
        while transfer.lab.received("a") < 5_000_000 {
            assert!(began.elapsed() < PATIENCE, "the file is on its way");
            sleep(LOOK);
        }
        transfer
    }

    /// Waits until bytes flow, and sends the file again wherever its transfer ended with an error. How long it took.
    fn flows(&mut self) -> Duration {
        let (began, before) = (Instant::now(), self.lab.received("a"));
        while self.lab.received("a") < before + FLOWS {
            assert!(began.elapsed() < PATIENCE, "bytes flow again");
            if self.sending.is_over() {
                self.send_again();
            }
            sleep(LOOK);
        }
        began.elapsed()
    }

    fn send_again(&mut self) {
        self.again += 1;
        let next = self.b.start(&words(&self.file));
        let (code, events) = std::mem::replace(&mut self.sending, next).end();
        assert_ne!(code, 0, "{events:#?}");
        if code > 0 {
            let (kind, _) = error(&events);
            assert!(["transfer", "unreachable"].contains(&kind), "{events:#?}");
        }
    }

    /// Sees the file arrive whole, and nothing that looks whole and is not.
    fn arrives(mut self, what: &str, took: Duration) {
        loop {
            self.sending.wait_over(PATIENCE);
            assert!(self.sending.is_over() && self.again < 5, "the file arrives");
            if self.sending.has_told("sent") {
                break;
            }
            self.send_again();
        }
        let sent = fs::read(&self.file).unwrap();
        let whole = self.a.received().into_iter().filter(|name| !name.starts_with('.'));
        let whole: Vec<_> = whole.map(|name| self.a.path("in").join(name)).collect();
        assert!(!whole.is_empty() && whole.iter().all(|path| fs::read(path).unwrap() == sent), "{whole:?}");
        assert!(took < LATE, "{what}: {took:?}");
        let (ms, again) = (took.as_millis(), self.again);
        measured(format_args!("{what}: bytes flowed after {ms} ms; sent again {again} times"));
        self.receiving.interrupt();
        self.receiving.end();
    }
}

fn pulled(lab: &Lab, what: &str, [away, back]: [&dyn Fn(); 2], time: Duration) {
    let mut transfer = Transfer::begin(lab);
    away();
    sleep(time);
    back();
    let took = transfer.flows();
    assert_eq!(transfer.again, 0, "a short absence ends no transfer");
    transfer.arrives(what, took);
}

#[test]
fn a_cable_that_is_pulled_and_put_back_interrupts_a_transfer() {
    in_lab(Net::V4, |lab| {
        let ends: [&dyn Fn(); 2] = [&|| sh("ip link set va down"), &|| sh("ip link set va up")];
        pulled(lab, "the receiver's cable pulled for 6 s", ends, Duration::from_secs(6));
    });
}

#[test]
fn a_senders_cable_that_is_pulled_and_put_back_interrupts_a_transfer() {
    in_lab(Net::V4, |lab| {
        let ends: [&dyn Fn(); 2] = [&|| sh("ip link set vb down"), &|| sh("ip link set vb up")];
        pulled(lab, "the sender's cable pulled for 6 s", ends, Duration::from_secs(6));
    });
}

#[test]
fn a_cable_between_others_that_is_pulled_and_put_back_interrupts_a_transfer() {
    in_lab(Net::V4, |lab| {
        let ends: [&dyn Fn(); 2] = [&|| sh("ip link set br0 down"), &|| sh("ip link set br0 up")];
        pulled(lab, "a cable between others pulled for 13 s", ends, Duration::from_secs(13));
    });
}

#[test]
fn an_interface_that_goes_down_and_comes_up_interrupts_a_transfer() {
    in_lab(Net::V4, |lab| {
        let ends: [&dyn Fn(); 2] =
            [&|| lab.inside("b", "ip link set eth0 down"), &|| lab.inside("b", "ip link set eth0 up")];
        pulled(lab, "the sender's interface down for 6 s", ends, Duration::from_secs(6));
    });
}

#[test]
fn an_address_of_the_sender_that_changes_interrupts_no_transfer() {
    in_lab(Net::V4, |lab| {
        let mut transfer = Transfer::begin(lab);
        lab.inside("b", "ip addr del 10.9.0.2/24 dev eth0; ip addr add 10.9.0.77/24 dev eth0");
        sleep(Duration::from_millis(100));
        let took = transfer.flows();
        assert_eq!(transfer.again, 0, "the connection moves");
        transfer.arrives("the sender at another address", took);
    });
}

#[test]
fn an_address_of_the_receiver_that_changes_ends_a_transfer_and_the_next_is_whole() {
    in_lab(Net::V4, |lab| {
        let mut transfer = Transfer::begin(lab);
        lab.inside("a", "ip addr del 10.9.0.1/24 dev eth0; ip addr add 10.9.0.77/24 dev eth0");
        sleep(Duration::from_millis(100));
        let took = transfer.flows();
        transfer.arrives("the receiver at another address", took);
    });
}

#[test]
fn one_of_two_cables_that_is_cut_ends_a_transfer_and_the_next_is_whole() {
    in_lab(Net::V4, |lab| {
        lab.second_link();
        let mut transfer = Transfer::begin(lab);
        let before = lab.received_on("a", "eth0");
        sleep(Duration::from_millis(200));
        let port = if lab.received_on("a", "eth0") > before + FLOWS { "va" } else { "wa" };
        sh(&format!("ip link set {port} down"));
        let took = transfer.flows();
        transfer.arrives("one of two cables cut", took);
    });
}

#[test]
fn a_receiver_that_is_killed_and_begins_anew_gets_the_file_when_it_is_sent_again() {
    in_lab(Net::V4, |lab| {
        let mut transfer = Transfer::begin(lab);
        transfer.receiving.kill();
        let next = transfer.a.receive(&[]);
        std::mem::replace(&mut transfer.receiving, next).end();
        let took = transfer.flows();
        transfer.arrives("the receiver killed and begun anew", took);
    });
}

#[test]
fn a_sender_that_is_killed_and_begins_anew_sends_the_file_whole() {
    in_lab(Net::V4, |lab| {
        let mut transfer = Transfer::begin(lab);
        transfer.sending.kill();
        transfer.send_again();
        let took = transfer.flows();
        transfer.arrives("the sender killed and begun anew", took);
    });
}
