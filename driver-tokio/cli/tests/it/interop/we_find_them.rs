//! Others publish what a node of ours publishes, and a node sees it come, change and go.

use super::KIND;
use super::avahi::{Avahi, NEEDS_AVAHI};
use super::speaker::{NEEDS_PYTHON, Speaker};
use crate::device::{Device, Running};
use crate::lab::{Lab, Net, in_lab_with};
use serde_json::Value;

/// A peer's id, as good as any.
const PEER: &str = "0123456789abcdef0123456789abcdef01234567";
const PORT: u16 = 40_000;

fn is_there(event: &Value, net: Net) -> bool {
    let address = event["addresses"][0].as_str().unwrap_or_default();
    match net {
        Net::V4 => address == format!("10.9.0.2:{PORT}"),
        Net::V6LinkLocal => address.starts_with("[fe80::") && address.ends_with(&format!("]:{PORT}")),
    }
}

fn look(device: &Device) -> Running {
    let looking = device.start(&["discover"]);
    looking.event("listening");
    looking
}

/// They publish while we look, change the TXT record, and withdraw.
fn a_peer_comes_changes_and_goes(lab: &Lab, net: Net, mut they: Speaker) {
    let device = Device::new(lab, "a");
    let looking = look(&device);
    they.publish(KIND, PEER, PORT, &["txtvers=1", "name=Jo's laptop"]);
    let found = looking.event_where("found", |e| e["name"] == "Jo's laptop" && is_there(e, net));
    assert_eq!((&found["peer"], &found["pairing"]), (&PEER.into(), &false.into()), "{found}");
    they.txt(KIND, PEER, &["txtvers=1", "name=Bo", "pair=1"]);
    looking.event_where("found", |e| e["name"] == "Bo" && e["pairing"] == true && is_there(e, net));
    they.withdraw(KIND, PEER);
    looking.event_where("lost", |event| event["peer"] == PEER);
    they.end();
}

/// They published before we looked, and end without withdrawing first.
fn a_peer_is_there_already(lab: &Lab, net: Net, mut they: Speaker) {
    they.publish(KIND, PEER, PORT, &["txtvers=1", "name=Jo"]);
    let device = Device::new(lab, "a");
    let looking = look(&device);
    looking.event_where("found", |e| e["peer"] == PEER && e["name"] == "Jo" && is_there(e, net));
    they.end();
    looking.event_where("lost", |event| event["peer"] == PEER);
}

#[test]
fn a_node_sees_a_peer_of_zeroconf_come_change_and_go() {
    in_lab_with(&[NEEDS_PYTHON], Net::V4, |lab| {
        a_peer_comes_changes_and_goes(lab, Net::V4, Speaker::zeroconf(lab, "b", Net::V4));
    });
}

#[test]
fn a_node_sees_a_peer_of_zeroconf_come_change_and_go_by_link_local_ipv6_alone() {
    in_lab_with(&[NEEDS_PYTHON], Net::V6LinkLocal, |lab| {
        let net = Net::V6LinkLocal;
        a_peer_comes_changes_and_goes(lab, net, Speaker::zeroconf(lab, "b", net));
    });
}

#[test]
fn a_node_finds_a_peer_of_zeroconf_that_is_there_already() {
    in_lab_with(&[NEEDS_PYTHON], Net::V4, |lab| {
        a_peer_is_there_already(lab, Net::V4, Speaker::zeroconf(lab, "b", Net::V4));
    });
}

#[test]
fn a_node_sees_a_peer_of_avahi_come_change_and_go() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        a_peer_comes_changes_and_goes(lab, Net::V4, avahi.speaker());
        avahi.end();
    });
}

#[test]
fn a_node_sees_a_peer_of_avahi_come_change_and_go_by_link_local_ipv6_alone() {
    in_lab_with(&NEEDS_AVAHI, Net::V6LinkLocal, |lab| {
        let avahi = Avahi::start(lab, "b");
        a_peer_comes_changes_and_goes(lab, Net::V6LinkLocal, avahi.speaker());
        avahi.end();
    });
}

#[test]
fn a_node_finds_a_peer_of_avahi_that_is_there_already() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        a_peer_is_there_already(lab, Net::V4, avahi.speaker());
        avahi.end();
    });
}

#[test]
fn a_node_sees_what_avahi_publish_publishes_come_and_go() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        let device = Device::new(lab, "a");
        let looking = look(&device);
        let publishing = avahi.publish(KIND, PEER, PORT, &["txtvers=1", "name=Jo"]);
        looking.event_where("found", |e| e["peer"] == PEER && e["name"] == "Jo" && is_there(e, Net::V4));
        drop(publishing);
        looking.event_where("lost", |event| event["peer"] == PEER);
        avahi.end();
    });
}

/// More than one datagram holds, of answers and of known answers.
#[test]
fn a_node_finds_a_hundred_peers_of_avahi_whoever_came_first() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        let mut they = avahi.speaker();
        let device = Device::new(lab, "a");
        let early = look(&device);
        let peers: Vec<_> = (0..100).map(|n| format!("{n:040x}")).collect();
        for peer in &peers {
            they.publish(KIND, peer, PORT, &["txtvers=1", &format!("name={peer}")]);
        }
        let see_all = |looking: &Running| {
            for peer in &peers {
                looking.event_where("found", |e| e["name"] == peer.as_str() && is_there(e, Net::V4));
            }
        };
        see_all(&early);
        early.interrupt();
        early.end();
        see_all(&look(&device));
        they.end();
        avahi.end();
    });
}
