use super::*;
use crate::config::Policy;
use crate::peers::lonely::{Lonely, SECOND, address, agree, id, key};
use crate::quic::Cause;
use crate::testing::base;
use std::net::SocketAddr;

const CONN: ConnId = ConnId(1000);

/// Peer 1, whose other address ends with 2, has a connection from address 1 that the application sees.
fn connected() -> Lonely {
    let mut lonely = Lonely::with(Policy::Lazy, [1]);
    lonely.peers.add_address(base(), id(1), address(2));
    agree(&mut lonely.peers, CONN, key(1), address(1), false);
    lonely.hear();
    assert_eq!(lonely.peers.shown_to(&key(1)), Some(CONN));
    lonely
}

/// The last octets of the addresses that were dialled, and when, in milliseconds.
fn dialled(lonely: &Lonely) -> Vec<(u64, SocketAddr)> {
    lonely.dials.iter().map(|(at, to)| ((*at - base()).as_millis() as u64, *to)).collect()
}

#[test]
fn a_silent_peer_is_dialled_elsewhere_first_and_then_where_it_was() {
    let mut lonely = connected();
    lonely.peers.handle_silent(lonely.now, CONN);
    lonely.hear();
    lonely.run(SECOND);
    let order: Vec<SocketAddr> = dialled(&lonely).into_iter().map(|(_, to)| to).collect();
    assert_eq!(order, [address(2), address(1)]);
}

#[test]
fn a_peer_that_stays_silent_is_dialled_once_at_a_time() {
    let mut lonely = connected();
    for _ in 0..24 {
        lonely.peers.handle_silent(lonely.now, CONN);
        lonely.hear();
        lonely.run(SECOND);
    }
    // A dial that nobody answers takes ten seconds, with two addresses.
    assert_eq!(lonely.dials.len(), 6, "{:?}", dialled(&lonely));
}

#[test]
fn an_address_that_becomes_known_is_dialled_though_a_dial_was_in_vain_just_now() {
    let mut lonely = connected();
    lonely.peers.handle_silent(lonely.now, CONN);
    lonely.hear();
    for conn in (1..=2).map(ConnId) {
        lonely.peers.handle_lost(lonely.now, conn, Cause::Refused);
        lonely.hear();
    }
    assert_eq!(lonely.dials.len(), 2);
    lonely.run(SECOND);
    lonely.peers.add_address(lonely.now, id(1), address(3));
    lonely.hear();
    assert!(lonely.dials.len() > 2, "{:?}", dialled(&lonely));
}

#[test]
fn a_peer_that_is_heard_is_dialled_no_longer() {
    let mut lonely = connected();
    lonely.peers.handle_silent(lonely.now, CONN);
    lonely.hear();
    lonely.peers.handle_heard(CONN);
    lonely.hear();
    lonely.run(20 * SECOND);
    assert_eq!(dialled(&lonely), [(0, address(2))]);
    lonely.peers.add_address(lonely.now, id(1), address(3));
    lonely.hear();
    assert_eq!(lonely.dials.len(), 1, "nor where it becomes known to be");
}

#[test]
fn who_stops_dials_nobody_however_silent() {
    let mut lonely = connected();
    lonely.peers.stop();
    lonely.peers.handle_silent(lonely.now, CONN);
    lonely.hear();
    assert!(lonely.dials.is_empty());
}
