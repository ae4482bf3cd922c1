//! Services of a subtype, between a node and Avahi. RFC 6763 §7.1.

use super::avahi::{Avahi, NEEDS_AVAHI};
use super::speaker::Speaker;
use crate::lab::{Net, in_lab_with};

/// The one of the subtype is found, and the other is not.
fn is_found_by_its_subtype(publisher: &mut Speaker, browser: &mut Speaker) {
    publisher.publish("_ipp._tcp", "Plain", 631, &[]);
    publisher.publish("_ipp._tcp,_universal", "Universal", 632, &["rp=print"]);
    browser.browse("_universal._sub._ipp._tcp");
    let found = browser.hears("found", |event| event["name"] == "Universal");
    assert_eq!((&found["port"], &found["txt"]["rp"]), (&632.into(), &"print".into()), "{found}");
    publisher.withdraw("_ipp._tcp", "Universal");
    browser.hears("lost", |event| event["name"] == "Universal");
    browser.never_heard(|event| event["name"] == "Plain");
}

#[test]
fn avahi_finds_a_service_of_a_node_by_its_subtype() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        is_found_by_its_subtype(&mut Speaker::node(lab, "a"), &mut avahi.speaker());
        avahi.end();
    });
}

#[test]
fn a_node_finds_a_service_of_avahi_by_its_subtype() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        is_found_by_its_subtype(&mut avahi.speaker(), &mut Speaker::node(lab, "a"));
        avahi.end();
    });
}
