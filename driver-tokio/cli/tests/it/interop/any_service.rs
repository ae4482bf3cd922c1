//! Any kind of service, between any two speakers: it comes, changes and goes.

use super::avahi::{Avahi, NEEDS_AVAHI};
use super::speaker::{NEEDS_PYTHON, Speaker};
use crate::lab::{Lab, Net, in_lab_with};

const KIND: &str = "_http._tcp";
/// One label each, with what a label may have and a careless reader trips over. RFC 6763 §4.1.1.
const NAMES: [&str; 2] = ["Bén's 2.0 page", r#"a "b\c" page"#];
/// The same for zeroconf, which takes each dot of what it publishes for the end of a label.
const NAMES_WITHOUT_DOT: [&str; 2] = ["Bén's page", NAMES[1]];

/// Both names are published, one before the browser looks; each changes its TXT record, and goes.
fn services_come_change_and_go(publisher: &mut Speaker, names: [&str; 2], browser: &mut Speaker) {
    publisher.publish(KIND, names[0], 8080, &["path=/", "flag", "empty="]);
    browser.browse(KIND);
    publisher.publish(KIND, names[1], 8081, &["path=/"]);
    for (name, port) in names.into_iter().zip(8080..) {
        let found = browser.hears("found", |event| event["name"] == name);
        assert_eq!((&found["port"], &found["txt"]["path"]), (&port.into(), &"/".into()), "{found}");
        assert!(found["addresses"].as_array().is_some_and(|all| !all.is_empty()), "{found}");
    }
    let found = browser.hears("found", |event| event["name"] == names[0]);
    assert_eq!(found["txt"], serde_json::json!({"path": "/", "flag": null, "empty": ""}));
    for name in names {
        publisher.txt(KIND, name, &["path=/new"]);
        browser.hears("updated", |event| event["name"] == name && event["txt"]["path"] == "/new");
    }
    for name in names {
        publisher.withdraw(KIND, name);
        browser.hears("lost", |event| event["name"] == name);
    }
}

fn a_node_and_zeroconf_see_each_other(lab: &Lab, net: Net) {
    let mut node = Speaker::node(lab, "a");
    let mut zeroconf = Speaker::zeroconf(lab, "b", net);
    services_come_change_and_go(&mut node, NAMES, &mut zeroconf);
    services_come_change_and_go(&mut zeroconf, NAMES_WITHOUT_DOT, &mut node);
    node.end();
    zeroconf.end();
}

fn a_node_and_avahi_see_each_other(lab: &Lab, node: &str, avahi: &'static str) {
    let mut node = Speaker::node(lab, node);
    let avahi = Avahi::start(lab, avahi);
    let mut they = avahi.speaker();
    services_come_change_and_go(&mut node, NAMES, &mut they);
    services_come_change_and_go(&mut they, NAMES, &mut node);
    node.end();
    they.end();
    avahi.end();
}

#[test]
fn a_node_and_zeroconf_see_each_others_services() {
    in_lab_with(&[NEEDS_PYTHON], Net::V4, |lab| a_node_and_zeroconf_see_each_other(lab, Net::V4));
}

#[test]
fn a_node_and_zeroconf_see_each_others_services_by_link_local_ipv6_alone() {
    in_lab_with(&[NEEDS_PYTHON], Net::V6LinkLocal, |lab| {
        a_node_and_zeroconf_see_each_other(lab, Net::V6LinkLocal);
    });
}

#[test]
fn a_node_and_avahi_see_each_others_services() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| a_node_and_avahi_see_each_other(lab, "a", "b"));
}

#[test]
fn a_node_and_avahi_see_each_others_services_by_link_local_ipv6_alone() {
    in_lab_with(&NEEDS_AVAHI, Net::V6LinkLocal, |lab| a_node_and_avahi_see_each_other(lab, "a", "b"));
}

#[test]
fn a_node_and_avahi_see_each_others_services_on_one_host() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| a_node_and_avahi_see_each_other(lab, "a", "a"));
}

#[test]
fn avahi_and_zeroconf_see_each_others_services_in_the_lab() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "a");
        let mut one = avahi.speaker();
        let mut other = Speaker::zeroconf(lab, "b", Net::V4);
        services_come_change_and_go(&mut one, NAMES, &mut other);
        services_come_change_and_go(&mut other, NAMES_WITHOUT_DOT, &mut one);
        one.end();
        other.end();
        avahi.end();
    });
}
