//! Transfers that break off, and go on.

use crate::device::{Device, Running, error, noise, pair, same};
use crate::lab::{Lab, Net, in_lab};
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

const IDLE: [&str; 2] = ["--idle-timeout", "1"];
const PATIENCE: [&str; 2] = ["--timeout", "30"];

const SIZE: usize = 60_000_000;

/// So slow that the middle of it can be met.
const SLOWLY: [&str; 2] = ["--limit", "20M"];

/// Where the receiver listens: it is found without waiting for announcements.
const PORT: [&str; 2] = ["--port", "4433"];
const ADDR: [&str; 2] = ["--addr", "10.9.0.1:4433"];

struct World {
    a: Device,
    b: Device,
    file: PathBuf,
}

impl World {
    fn new(lab: &Lab) -> Self {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let file = b.file("file", &noise(SIZE));
        Self { a, b, file }
    }

    fn receive(&self) -> Running {
        self.a.receive(&[IDLE[0], IDLE[1], PORT[0], PORT[1]])
    }

    fn send(&self, more: &[&str]) -> Running {
        let mut words = vec!["send", self.file.to_str().unwrap(), "a", IDLE[0], IDLE[1], ADDR[0], ADDR[1]];
        words.extend(PATIENCE);
        words.extend(more);
        self.b.start(&words)
    }

    fn is_whole(&self) {
        assert_eq!((self.a.received(), self.a.parts()), (vec!["file".to_owned()], 0));
        assert!(same(&self.file, &self.a.path("in/file")));
    }
}

fn in_the_middle(one: &Running) {
    one.event_where("progress", |e| e["bytes"].as_u64() > Some(SIZE as u64 / 4));
}

#[test]
fn a_file_goes_on_by_itself_when_the_receiver_was_killed_and_comes_back() {
    in_lab(Net::V4, |lab| {
        let world = World::new(lab);
        let receiving = world.receive();
        let sending = world.send(&SLOWLY);
        in_the_middle(&receiving);
        receiving.kill();
        receiving.end();
        assert_eq!((world.a.received(), world.a.parts()), (vec![], 1));
        let receiving = world.receive();
        let resumed = receiving.event("resumed");
        assert!(resumed["bytes"].as_u64() > Some(SIZE as u64 / 8), "{resumed}");
        let (code, events) = sending.end();
        assert_eq!(code, 0, "{events:#?}");
        for event in ["disconnected", "resumed", "sent"] {
            assert!(events.iter().any(|e| e["event"] == event), "no {event} in {events:#?}");
        }
        receiving.event("received");
        world.is_whole();
    });
}

#[test]
fn a_file_goes_on_when_the_sender_was_killed_and_sends_it_again() {
    in_lab(Net::V4, |lab| {
        let world = World::new(lab);
        let receiving = world.receive();
        let sending = world.send(&SLOWLY);
        in_the_middle(&receiving);
        sending.kill();
        sending.end();
        let (code, events) = world.send(&[]).end();
        assert_eq!(code, 0, "{events:#?}");
        let resumed = events.iter().find(|e| e["event"] == "resumed").expect("resumed");
        assert!(resumed["bytes"].as_u64() > Some(SIZE as u64 / 8), "{resumed}");
        receiving.event("received");
        world.is_whole();
    });
}

#[test]
fn a_file_that_changed_in_the_meantime_begins_anew() {
    in_lab(Net::V4, |lab| {
        let world = World::new(lab);
        let receiving = world.receive();
        let sending = world.send(&SLOWLY);
        in_the_middle(&receiving);
        sending.interrupt();
        assert_eq!(sending.end().0, 130);
        let mut bytes = noise(SIZE);
        bytes[0] ^= 1;
        fs::write(&world.file, bytes).unwrap();
        let (code, events) = world.send(&[]).end();
        assert_eq!(code, 0, "{events:#?}");
        assert!(events.iter().all(|e| e["event"] != "resumed"), "{events:#?}");
        receiving.event("received");
        assert!(same(&world.file, &world.a.path("in/file")));
    });
}

#[test]
fn a_folder_goes_on_in_its_place_when_the_receiver_was_killed_in_the_middle_of_it() {
    in_lab(Net::V4, |lab| {
        let mut world = World::new(lab);
        let top = world.b.path("top");
        fs::create_dir(&top).unwrap();
        for n in 0..30 {
            fs::write(top.join(format!("{n:02}")), noise(2_000_000 + n)).unwrap();
        }
        world.file = top.clone();
        let receiving = world.receive();
        let sending = world.send(&SLOWLY);
        receiving.event_number("received", 8);
        receiving.kill();
        receiving.end();
        let receiving = world.receive();
        let (code, events) = sending.end();
        assert_eq!(code, 0, "{events:#?}");
        assert_eq!(events.iter().filter(|e| e["event"] == "sent").count(), 30);
        receiving.event_where("received", |e| e["path"].as_str().unwrap().ends_with("top/29"));
        assert_eq!((world.a.received(), world.a.parts()), (vec!["top".to_owned()], 0));
        assert_eq!(fs::read_dir(world.a.path("in/top")).unwrap().count(), 30);
        for n in 0..30 {
            let name = format!("{n:02}");
            assert!(same(&top.join(&name), &world.a.path("in/top").join(&name)));
        }
    });
}

#[test]
fn what_another_command_sends_goes_on_when_the_node_it_used_is_killed() {
    in_lab(Net::V4, |lab| {
        let world = World::new(lab);
        let receiving = world.receive();
        let node = world.b.start(&["node", IDLE[0], IDLE[1]]);
        node.event("listening");
        let sending = world.send(&SLOWLY);
        in_the_middle(&sending);
        node.kill();
        node.end();
        let (code, events) = sending.end();
        assert_eq!(code, 0, "{events:#?}");
        assert!(events.iter().any(|e| e["event"] == "resumed"), "{events:#?}");
        receiving.event("received");
        world.is_whole();
    });
}

#[test]
fn only_the_device_that_is_named_may_send() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        // A third device, in the place of the second.
        let c = Device::named(lab, "b", "c");
        pair(&a, &b);
        pair(&a, &c);
        let receiving = a.receive(&["--from", "c"]);
        let files = [&b, &c].map(|device| device.file("x", b"x"));
        let (code, events) = b.start(&["send", files[0].to_str().unwrap(), "a"]).end();
        assert_eq!((code, error(&events).0), (10, "transfer"));
        assert!(error(&events).1.contains("it receives from another device alone"), "{}", error(&events).1);
        receiving.event_where("refused", |e| e["reason"] == "other_device" && e["peer"].is_string());
        c.run(&["send", files[1].to_str().unwrap(), "a"]);
        receiving.event("received");
        assert_eq!(a.received(), ["x"]);
        let (code, events) = a.start(&["recv", "--from", "nobody"]).end();
        assert_eq!((code, error(&events).0), (7, "not_paired"));
    });
}

/// A cap of each side in turn. What is printed is how fast it went.
#[test]
#[expect(clippy::print_stdout, reason = "whoever tunes it wants to know")]
fn a_cap_is_kept_on_either_side() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let file = b.file("file", &noise(8_000_000));
        let words = ["send", file.to_str().unwrap(), "a"];
        for (receives, sends) in [(&[][..], &["--limit", "4M"][..]), (&["--limit", "4M"], &[])] {
            let receiving = a.receive(receives);
            let begun = Instant::now();
            b.run(&[&words[..], sends].concat());
            let mb_per_s = 8.0 / begun.elapsed().as_secs_f64();
            println!("capped at 4 MB/s, {mb_per_s:.2} MB/s went through");
            assert!(mb_per_s < 2.0 * 4.0, "{mb_per_s} MB/s");
            receiving.interrupt();
            receiving.end();
        }
    });
}
