//! Two services of one name: whoever comes later finds another for itself. RFC 6762 §8.1, §9.
//!
//! The stacks find their own services too; a node tells of those of others alone.

use super::avahi::{Avahi, NEEDS_AVAHI};
use super::speaker::{NEEDS_PYTHON, Speaker};
use crate::lab::{Net, in_lab_with};
use std::thread;

const KIND: &str = "_http._tcp";
const NAME: &str = "Ben's page";

/// Whoever looks finds the services, each by its name and with its own port.
fn finds(browser: &mut Speaker, services: &[(&str, u16)]) {
    browser.browse(KIND);
    for (name, port) in services {
        browser.hears("found", |event| event["name"] == *name && event["port"] == *port);
    }
}

#[test]
fn a_node_that_comes_after_zeroconf_takes_another_name() {
    in_lab_with(&[NEEDS_PYTHON], Net::V4, |lab| {
        let mut zeroconf = Speaker::zeroconf(lab, "b", Net::V4);
        let mut node = Speaker::node(lab, "a");
        zeroconf.publish(KIND, NAME, 8080, &[]);
        assert_eq!(node.publish_somehow(KIND, NAME, 8081, &[]), "Ben's page (2)");
        finds(&mut zeroconf, &[(NAME, 8080), ("Ben's page (2)", 8081)]);
        finds(&mut node, &[(NAME, 8080)]);
        node.end();
    });
}

#[test]
fn zeroconf_that_comes_after_a_node_takes_another_name() {
    in_lab_with(&[NEEDS_PYTHON], Net::V4, |lab| {
        let mut zeroconf = Speaker::zeroconf(lab, "b", Net::V4);
        let mut node = Speaker::node(lab, "a");
        node.publish(KIND, NAME, 8080, &[]);
        assert_eq!(zeroconf.publish_somehow(KIND, NAME, 8081, &[]), "Ben's page-2");
        finds(&mut node, &[("Ben's page-2", 8081)]);
        finds(&mut zeroconf, &[(NAME, 8080), ("Ben's page-2", 8081)]);
        zeroconf.end();
    });
}

#[test]
fn a_node_that_comes_after_avahi_takes_another_name() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        let mut node = Speaker::node(lab, "a");
        let _published = avahi.publish(KIND, NAME, 8080, &[]);
        assert_eq!(node.publish_somehow(KIND, NAME, 8081, &[]), "Ben's page (2)");
        finds(&mut avahi.speaker(), &[(NAME, 8080), ("Ben's page (2)", 8081)]);
        finds(&mut node, &[(NAME, 8080)]);
        node.end();
    });
}

#[test]
fn avahi_that_comes_after_a_node_takes_another_name() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        let mut node = Speaker::node(lab, "a");
        node.publish(KIND, NAME, 8080, &[]);
        let (_published, under) = avahi.publish_somehow(KIND, NAME, 8081, &[]);
        assert_eq!(under, "Ben's page #2");
        finds(&mut node, &[("Ben's page #2", 8081)]);
        finds(&mut avahi.speaker(), &[(NAME, 8080), ("Ben's page #2", 8081)]);
    });
}

/// Both probe: who wins is a matter of their records. RFC 6762 §8.2.
#[test]
fn a_node_and_avahi_that_come_at_once_end_with_two_names() {
    in_lab_with(&NEEDS_AVAHI, Net::V4, |lab| {
        let avahi = Avahi::start(lab, "b");
        let mut node = Speaker::node(lab, "a");
        let ((_published, theirs), ours) = thread::scope(|scope| {
            let ours = scope.spawn(|| node.publish_somehow(KIND, NAME, 8080, &[]));
            (avahi.publish_somehow(KIND, NAME, 8081, &[]), ours.join().unwrap())
        });
        let names = [ours.as_str(), theirs.as_str()];
        assert!(names == [NAME, "Ben's page #2"] || names == ["Ben's page (2)", NAME], "{names:?}");
        finds(&mut avahi.speaker(), &[(&ours, 8080), (&theirs, 8081)]);
        finds(&mut node, &[(&theirs, 8081)]);
    });
}
