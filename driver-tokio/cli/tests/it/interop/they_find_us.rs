//! Others look for our kind of service, and see a node come, change and go.

use super::KIND;
use super::avahi::{Avahi, NEEDS_AVAHI};
use super::speaker::{NEEDS_PYTHON, Speaker};
use crate::device::{Device, Running};
use crate::lab::{Lab, Net, in_lab_with};
use serde_json::Value;
use std::thread;
use std::time::Duration;

/// The id of a peer that they publish.
const OTHER_PEER: &str = "0123456789abcdef0123456789abcdef01234567";

/// What is new is announced over 3 s, and all that belongs to it with it. A change that is not announced itself
/// would still be heard of in that time.
const ANNOUNCED: Duration = Duration::from_millis(3500);

/// A device whose commands have a port each.
struct Here {
    device: Device,
    port: u16,
}

impl Here {
    fn new(lab: &Lab) -> Self {
        Self { device: Device::new(lab, "a"), port: 5223 }
    }

    /// Starts a command on a port of its own, and gives the node's id.
    fn start(&mut self, words: &[&str]) -> (Running, String) {
        self.port += 1;
        let running = self.device.start(&[words, &["--port", &self.port.to_string()]].concat());
        let id = running.event("listening")["peer"].as_str().unwrap().to_owned();
        (running, id)
    }
}

/// What they tell of it is all that it publishes.
fn is_whole(event: &Value, id: &str, port: u16, net: Net) -> bool {
    let address = event["addresses"][0].as_str().unwrap();
    event["name"] == id
        && event["host"] == format!("{id}.local")
        && event["port"] == port
        && match net {
            Net::V4 => address == "10.9.0.1",
            Net::V6LinkLocal => address.starts_with("fe80::"),
        }
        && event["txt"]["txtvers"] == "1"
        && event["txt"]["name"] == "a"
        && event["txt"]["fp"].as_str().unwrap().len() == 52
}

/// A node starts while they look, crashes, comes back on another port, shows a pairing code, and leaves.
fn a_node_comes_changes_and_goes(lab: &Lab, net: Net, mut they: Speaker) {
    they.browse(KIND);
    let mut here = Here::new(lab);
    let (first, id) = here.start(&["discover"]);
    let found = they.hears("found", |event| event["name"] == id.as_str());
    assert!(is_whole(&found, &id, here.port, net), "{found}");
    first.kill();
    first.end();

    // Shows its code as soon as it sees whom it is for.
    let (pairing, _) = here.start(&["pair", OTHER_PEER]);
    let moved = they.hears("updated", |event| event["port"] == here.port);
    assert!(is_whole(&moved, &id, here.port, net), "{moved}");
    assert_eq!((&found["txt"]["pair"], &moved["txt"]["pair"]), (&Value::Null, &Value::Null));
    thread::sleep(ANNOUNCED);
    they.publish(KIND, OTHER_PEER, 40_000, &["txtvers=1"]);
    pairing.event("code");
    let shows = they.hears("updated", |event| event["name"] == id.as_str() && event["txt"]["pair"] == "1");
    assert!(is_whole(&shows, &id, here.port, net), "{shows}");

    pairing.interrupt();
    // Nothing that they saw of it expires within this test's patience.
    they.hears("lost", |event| event["name"] == id.as_str());
    they.end();
}

/// The node is there before they look.
fn a_node_is_there_already(lab: &Lab, net: Net, mut they: Speaker) {
    let mut here = Here::new(lab);
    let (_node, id) = here.start(&["discover"]);
    they.browse(KIND);
    let found = they.hears("found", |event| event["name"] == id.as_str());
    assert!(is_whole(&found, &id, here.port, net), "{found}");
    they.end();
}

#[test]
fn zeroconf_sees_a_node_come_change_and_go() {
    in_lab_with(&[NEEDS_PYTHON], Net::V4, |lab| {
        a_node_comes_changes_and_goes(lab, Net::V4, Speaker::zeroconf(lab, "b", Net::V4));
    });
}

#[test]
fn zeroconf_sees_a_node_come_change_and_go_by_link_local_ipv6_alone() {
    in_lab_with(&[NEEDS_PYTHON], Net::V6LinkLocal, |lab| {
        let net = Net::V6LinkLocal;
        a_node_comes_changes_and_goes(lab, net, Speaker::zeroconf(lab, "b", net));
    });
}

#[test]
fn zeroconf_finds_a_node_that_is_there_already() {
    in_lab_with(&[NEEDS_PYTHON], Net::V4, |lab| {
        a_node_is_there_already(lab, Net::V4, Speaker::zeroconf(lab, "b", Net::V4));
    });
}

#[test]
fn avahi_sees_a_node_come_change_and_go() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        a_node_comes_changes_and_goes(lab, Net::V4, avahi.speaker());
        avahi.end();
    });
}

#[test]
fn avahi_sees_a_node_come_change_and_go_by_link_local_ipv6_alone() {
    in_lab_with(&NEEDS_AVAHI, Net::V6LinkLocal, |lab| {
        let avahi = Avahi::start(lab, "b");
        a_node_comes_changes_and_goes(lab, Net::V6LinkLocal, avahi.speaker());
        avahi.end();
    });
}

#[test]
fn avahi_finds_a_node_that_is_there_already() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        a_node_is_there_already(lab, Net::V4, avahi.speaker());
        avahi.end();
    });
}

#[test]
fn avahi_browse_resolves_a_node_and_sees_it_go() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        let mut here = Here::new(lab);
        let (node, id) = here.start(&["discover"]);
        let browsing = avahi.browse(KIND);
        let resolved = browsing.line(|line| line.starts_with("=;eth0;IPv4;"));
        let port = here.port;
        let place = format!("=;eth0;IPv4;{id};{KIND};local;{id}.local;10.9.0.1;{port};");
        assert!(resolved.starts_with(&place), "{resolved}\nand not {place}");
        assert!(resolved.contains(r#""name=a""#) && resolved.contains(r#""txtvers=1""#), "{resolved}");
        node.interrupt();
        browsing.line(|line| line == format!("-;eth0;IPv4;{id};{KIND};local"));
        avahi.end();
    });
}
