//! Avahi and a node on one host share port 5353, and both work, whoever came first.

use super::KIND;
use super::avahi::{Avahi, NEEDS_AVAHI};
use super::speaker::Speaker;
use crate::device::{Device, Running};
use crate::lab::{Lab, Net, in_lab_with};

/// A peer's id, as good as any.
const REMOTE: &str = "0123456789abcdef0123456789abcdef01234567";
const LOCAL: &str = "89abcdef0123456789abcdef0123456789abcdef";

fn start(device: &Device) -> (Running, String) {
    let node = device.start(&["discover"]);
    let id = node.event("listening")["peer"].as_str().unwrap().to_owned();
    (node, id)
}

/// The two of host `a` see each other and host `b`, which sees both.
fn both_work(lab: &Lab, avahi: Avahi, node: &Running, id: &str) {
    let mut remote = Speaker::zeroconf(lab, "b", Net::V4);
    remote.publish(KIND, REMOTE, 40_000, &["txtvers=1", "name=Jo"]);
    let local = avahi.publish("_http._tcp", "Ben's page", 8080, &["path=/"]);
    let peer = avahi.publish(KIND, LOCAL, 40_001, &["txtvers=1", "name=Bo"]);
    for kind in ["_http._tcp", KIND] {
        remote.browse(kind);
    }
    for (name, host) in [("Ben's page", "avahi.local"), (LOCAL, "avahi.local"), (id, &format!("{id}.local"))]
    {
        let found = remote.hears("found", |event| event["name"] == name);
        assert_eq!((&found["host"], &found["addresses"][0]), (&host.into(), &"10.9.0.1".into()), "{found}");
    }
    for (peer, address) in [(REMOTE, "10.9.0.2:40000"), (LOCAL, "10.9.0.1:40001")] {
        let found = node.event_where("found", |e| e["peer"] == peer && e["addresses"][0] == address);
        assert_eq!(found["peer"], peer);
    }
    let browsing = avahi.browse(KIND);
    for name in [REMOTE, LOCAL, id] {
        browsing.line(|line| line.starts_with(&format!("=;eth0;IPv4;{name};")));
    }
    drop((local, peer));
    node.event_where("lost", |e| e["peer"] == LOCAL);
    remote.hears("lost", |event| event["name"] == "Ben's page");
    remote.withdraw(KIND, REMOTE);
    node.event_where("lost", |e| e["peer"] == REMOTE);
    browsing.line(|line| line == format!("-;eth0;IPv4;{REMOTE};{KIND};local"));
    node.interrupt();
    browsing.line(|line| line == format!("-;eth0;IPv4;{id};{KIND};local"));
    remote.hears("lost", |event| event["name"] == id);
    remote.end();
    avahi.end();
}

#[test]
fn a_node_works_beside_avahi_that_was_there_first() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "a");
        let device = Device::new(lab, "a");
        let (node, id) = start(&device);
        both_work(lab, avahi, &node, &id);
    });
}

#[test]
fn avahi_works_beside_a_node_that_was_there_first() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let device = Device::new(lab, "a");
        let (node, id) = start(&device);
        let avahi = Avahi::start(lab, "a");
        both_work(lab, avahi, &node, &id);
    });
}
