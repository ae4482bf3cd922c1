//! One home, several commands at a time: the first is the node, and the others use it.

use crate::device::{Device, Running, error, noise, pair, same};
use crate::lab::{Lab, Net, in_lab};
use std::fs;
use std::os::unix::fs::FileTypeExt as _;

/// The socket of a device's home.
fn socket(device: &Device) -> std::path::PathBuf {
    device.path("home").join("handfast.sock")
}

#[test]
fn each_of_two_devices_receives_in_one_terminal_and_sends_in_another() {
    in_lab(Net::V4, |lab| {
        let devices = [Device::new(lab, "a"), Device::new(lab, "b")];
        pair(&devices[0], &devices[1]);
        let receiving = devices.each_ref().map(|device| device.receive(&[]));
        for (from, to) in [(0, 1), (1, 0)] {
            let file = devices[from].file("file", &noise(3_000_000));
            let sent = devices[from].run(&["send", file.to_str().unwrap(), devices[to].name()]);
            assert!(sent.iter().any(|e| e["event"] == "sent" && e["bytes"] == 3_000_000), "{sent:#?}");
            receiving[to].event("received");
            assert!(same(&file, &devices[to].path("in/file")));
        }
    });
}

#[test]
fn three_commands_send_at_once_through_one_node() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let receiving = a.receive(&[]);
        let node = b.start(&["node"]);
        node.event("listening");
        let files = ["one", "two", "three"].map(|name| b.file(name, &noise(20_000_000)));
        let sending = files.each_ref().map(|file| b.start(&["send", file.to_str().unwrap(), "a"]));
        for one in sending {
            let (code, events) = one.end();
            assert_eq!(code, 0, "{events:#?}");
        }
        for file in &files {
            let name = file.file_name().unwrap().to_str().unwrap();
            receiving.event_where("received", |e| e["path"].as_str().unwrap().ends_with(name));
            assert!(same(file, &a.path("in").join(name)));
        }
        node.interrupt();
        assert_eq!(node.end().0, 130);
        assert!(!socket(&b).exists());
    });
}

#[test]
fn every_command_works_while_another_one_is_the_node() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let receiving = a.receive(&[]);
        // Both sides of a pairing by clients.
        let node = b.start(&["up"]);
        node.event("listening");
        pair(&a, &b);
        assert_eq!((a.paired(), b.paired()), (vec!["b".to_owned()], vec!["a".to_owned()]));
        let discovering = a.start(&["discover"]);
        discovering.event_where("found", |e| e["name"] == "b" && e["paired"] == true);
        discovering.interrupt();
        assert_eq!(discovering.end().0, 130);
        let id = b.run(&["id"]);
        let fingerprint = id.iter().find(|e| e["event"] == "identity").unwrap()["fingerprint"].clone();
        let fingerprint = fingerprint.as_str().unwrap();
        a.run(&["ban", "b"]);
        assert_eq!(a.paired(), Vec::<String>::new());
        a.run(&["unban", fingerprint]);
        let (code, events) = a.start(&["unban", fingerprint]).end();
        assert_eq!((code, error(&events).0), (5, "no_such_peer"));
        pair(&a, &b);
        b.run(&["forget", "a"]);
        assert_eq!(b.paired(), Vec::<String>::new());
        // All of it was stored.
        receiving.interrupt();
        receiving.end();
        node.interrupt();
        node.end();
        assert_eq!(b.paired(), Vec::<String>::new());
    });
}

#[test]
fn a_device_is_trusted_through_the_node_of_another_command() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let fingerprint = |device: &Device| {
            let id = device.run(&["id"]);
            id.iter().find(|e| e["event"] == "identity").unwrap()["fingerprint"].as_str().unwrap().to_owned()
        };
        let (of_a, of_b) = (fingerprint(&a), fingerprint(&b));
        let _receiving = [a.receive(&[]), b.receive(&[])];
        let first = a.start(&["trust", &of_b]);
        first.event("trusted");
        b.run(&["trust", &of_a]);
        assert_eq!(first.end().0, 0);
        assert_eq!((a.paired(), b.paired()), (vec!["b".to_owned()], vec!["a".to_owned()]));
    });
}

fn a_receiver_goes_on(lab: &Lab, end_of_the_node: impl Fn(&Running)) {
    let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
    pair(&a, &b);
    let node = a.start(&["node"]);
    node.event("listening");
    let receiving = a.receive(&[]);
    end_of_the_node(&node);
    node.end();
    // It tells again where it listens, now that it is the node.
    receiving.event_number("listening", 2);
    let file = b.file("file", &noise(100_000));
    b.run(&["send", file.to_str().unwrap(), "a"]);
    receiving.event("received");
}

#[test]
fn whoever_receives_goes_on_when_the_process_that_was_the_node_ends() {
    in_lab(Net::V4, |lab| a_receiver_goes_on(lab, Running::interrupt));
}

#[test]
fn whoever_receives_goes_on_when_the_process_that_was_the_node_is_killed() {
    in_lab(Net::V4, |lab| a_receiver_goes_on(lab, Running::kill));
}

#[test]
fn whoever_waits_for_a_killed_node_is_told_and_the_next_command_takes_its_place() {
    in_lab(Net::V4, |lab| {
        let a = Device::new(lab, "a");
        let node = a.start(&["node"]);
        node.event("listening");
        let showing = a.start(&["pair"]);
        showing.event("code");
        node.kill();
        assert_eq!(node.end().0, -1);
        let (code, events) = showing.end();
        assert_eq!((code, error(&events).0), (11, "node_gone"), "{events:#?}");
        assert!(fs::symlink_metadata(socket(&a)).unwrap().file_type().is_socket(), "left by the killed one");
        assert_eq!(a.paired(), Vec::<String>::new());
        let next = a.start(&["node"]);
        next.event("listening");
        a.run(&["id"]);
        next.interrupt();
        assert_eq!(next.end().0, 130);
    });
}

#[test]
fn the_node_waits_for_a_pairing_of_another_command_until_it_is_interrupted_again() {
    let a = Device::on_loopback("a");
    let node = a.start(&["node"]);
    node.event("listening");
    let showing = a.start(&["pair"]);
    showing.event("code");
    node.interrupt();
    // Others are still served.
    assert_eq!(a.paired(), Vec::<String>::new());
    showing.interrupt();
    assert_eq!(showing.end().0, 130);
    assert_eq!(node.end().0, 130);
}

#[test]
fn options_that_are_not_the_nodes_are_an_error() {
    let device = Device::on_loopback("a");
    let node = device.start(&["node"]);
    node.event("listening");
    for words in
        [["peers", "--app", "other"], ["discover", "--port", "4433"], ["recv", "--idle-timeout", "7"]]
    {
        let (code, events) = device.start(&words).end();
        let (kind, message) = error(&events);
        assert_eq!((code, kind), (2, "usage"), "{words:?}");
        assert!(
            message.contains(words[1]) && message.contains(&format!("process {}", node.pid())),
            "{message}"
        );
    }
    let (code, events) = device.start(&["node"]).end();
    assert_eq!((code, error(&events).0), (3, "home_busy"));
}

#[test]
fn a_process_that_is_stopped_is_said_to_be() {
    let device = Device::on_loopback("a");
    let node = device.start(&["node"]);
    node.event("listening");
    node.pause();
    let (code, events) = device.start(&["peers"]).end();
    assert_eq!((code, error(&events).0), (3, "home_busy"), "{events:#?}");
    assert!(error(&events).1.contains("does not answer"), "{}", error(&events).1);
    node.resume();
    device.run(&["peers"]);
}
