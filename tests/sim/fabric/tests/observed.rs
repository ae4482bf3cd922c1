//! What an observer at the wire counts and sees.

use super::*;

#[test]
fn what_a_host_sends_is_counted_once_however_many_hear_it() {
    let (mut lab, lan) = Lab::lan(1, Link::default().with_duplicate(PerMille::ALWAYS), 10);
    lab.send(0, multicast(ETH, Family::V4, &[0; 100]));
    lab.send(0, out("192.168.1.11:9", &[0; 50]));
    lab.run(ms(10));
    let sent = Sent { datagrams: 2, bytes: 150, multicasts: 1, multicast_bytes: 100 };
    assert_eq!(lab.fabric.sent(Host(0), lan), sent);
    assert_eq!(lab.fabric.all_sent().collect::<Vec<_>>(), [(Host(0), lan, sent)]);
}

#[test]
fn what_a_cable_loses_was_sent() {
    let (mut lab, lan) = Lab::lan(1, Link::default(), 2);
    lab.fabric.set_port_link(Host(0), ETH, Some(Link::default().with_loss(PerMille::ALWAYS)));
    lab.send(0, out("192.168.1.11:9", b"x"));
    assert_eq!(lab.heard(), [0; 0]);
    assert_eq!(lab.fabric.sent(Host(0), lan).datagrams, 1);
}

#[test]
fn the_last_packets_are_kept_and_no_more() {
    let (mut lab, lan) = Lab::lan(1, Link::default(), 2);
    lab.send(0, out("192.168.1.11:9", b"before"));
    lab.fabric.keep_seen(2);
    for payload in [b"a", b"b", b"c"] {
        lab.send(0, out("192.168.1.11:9", payload));
    }
    let seen = lab.fabric.take_seen();
    let payloads: Vec<&[u8]> = seen.iter().map(|seen| &seen.payload[..]).collect();
    assert_eq!(payloads, [b"b", b"c"]);
    assert_eq!((seen[0].from, seen[0].segment), (Talker::Host(Host(0), ETH), lan));
    assert_eq!((seen[0].source, seen[0].destination), (to("192.168.1.10:40000"), to("192.168.1.11:9")));
    assert!(lab.fabric.take_seen().is_empty());
}
