//! Clients that ask too much, too often, or nonsense.

use super::world::*;
use crate::server::ServerConfig;
use crate::wire::discovery::{MAX_REQUEST, MAX_WANTED, RefusalCode, Reply, Request};
use std::time::Duration;

#[test]
fn nonsense_is_a_bad_request_whatever_it_claims() {
    let mut world = World::new();
    let a = world.join();
    let nested = [&[0x81, 0xa7][..], b"Refresh", &[0x91; 5000]].concat();
    let claims = [&[0x81, 0xa6][..], b"Lookup", &[0xdd, 0xff, 0xff, 0xff, 0xff]].concat();
    let map = [0xdf, 0xff, 0xff, 0xff, 0xff];
    let trailing = [&refresh(1).encode()[..], &[0xc0]].concat();
    for octets in [&b""[..], &[0xc1], &nested, &claims, &map, &trailing, &[0x80]] {
        let id = world.say(a, octets, true);
        assert_eq!(refusal(&world.reply(a, id)).0, RefusalCode::BadRequest);
    }
    let unknown = [&[0x81, 0xa5][..], b"Later", &[0x80]].concat();
    let id = world.say(a, &unknown, true);
    assert_eq!(refusal(&world.reply(a, id)).0, RefusalCode::Unsupported);
    assert!(world.is_connected(a));
}

#[test]
fn a_request_over_its_limit_is_refused_before_it_is_read_to_its_end() {
    let mut world = World::new();
    let a = world.join();
    let id = world.say(a, &vec![0; MAX_REQUEST], false);
    assert_eq!(world.heard(a, id), None);
    world.give_up(a, id);
    let id = world.say(a, &vec![0; MAX_REQUEST + 1], false);
    assert_eq!(refusal(&world.reply(a, id)).0, RefusalCode::TooLarge);
    let ids = vec![id_of_nobody(); MAX_WANTED + 1];
    let reply = world.request(a, &Request::QueryClientAnnouncement(ids));
    assert_eq!(refusal(&reply).0, RefusalCode::BadRequest);
}

fn id_of_nobody() -> crate::id::PeerId {
    id(99)
}

#[test]
fn a_request_that_is_not_ended_within_ten_seconds_is_cut_off() {
    let mut world = World::new();
    let a = world.join();
    for _ in 0..8 {
        world.say(a, b"\x81", false);
    }
    world.pass(Duration::from_millis(9_900));
    assert_eq!(world.server.stats().late, 0);
    world.pass(Duration::from_millis(200));
    assert_eq!(world.server.stats().late, 8);
    assert!(matches!(world.request(a, &refresh(1)), Reply::Error(_)), "there is room for others again");
}

#[test]
fn ten_announcements_at_once_are_taken_and_then_one_each_thirty_seconds() {
    let mut world = World::new();
    let (a, b) = (world.join(), world.join());
    for seq in 1..=10 {
        let record = world.plain(a, seq);
        world.announced(a, record);
    }
    let record = world.plain(a, 11);
    assert_eq!(refusal(&world.announce(a, record.clone())), (RefusalCode::RateLimited, 0, 30));
    // Another connection of the same key is no other key.
    let again = world.join_as(a);
    assert_eq!(refusal(&world.request(again, &refresh(10))).0, RefusalCode::RateLimited);
    let other = world.plain(b, 1);
    world.announced(b, other);
    world.pass(Duration::from_secs(30));
    world.announced(a, record);
}

#[test]
fn two_hundred_and_fifty_six_peers_at_once_may_be_asked_about_and_then_eight_a_second() {
    let mut world = World::new();
    let a = world.join();
    let all = Request::QueryClientAnnouncement((0..64).map(id).collect());
    for _ in 0..4 {
        assert_eq!(found(&world.request(a, &all)).1, 64);
    }
    assert_eq!(refusal(&world.request(a, &all)), (RefusalCode::RateLimited, 0, 8));
    world.pass(Duration::from_secs(1));
    let eight = Request::QueryClientAnnouncement((0..8).map(id).collect());
    assert_eq!(found(&world.request(a, &eight)).1, 8);
    assert_eq!(refusal(&world.request(a, &eight)).0, RefusalCode::RateLimited);
}

#[test]
fn a_full_server_takes_nobody_new_and_still_serves_who_is_there() {
    let mut config = ServerConfig::new().with_port(4433);
    (config.max_records, config.max_tombstones) = (1, 1);
    let mut world = World::of(config);
    let (a, b) = (world.join(), world.join());
    let (first, second) = (world.plain(a, 1), world.plain(a, 2));
    world.announced(a, first);
    let other = world.plain(b, 1);
    assert_eq!(refusal(&world.announce(b, other.clone())), (RefusalCode::Overloaded, 0, 60));
    world.announced(a, second);
    assert!(matches!(world.request(a, &withdraw(2)), Reply::Ok(_)));
    world.announced(b, other);
    // There is room for one number of what is gone.
    assert!(matches!(world.request(b, &withdraw(1)), Reply::Ok(_)));
    assert_eq!((world.server.stats().records, world.server.stats().tombstones), (0, 1));
}

#[test]
fn a_ninth_connection_of_one_key_is_turned_away() {
    let mut world = World::new();
    for n in 0..8 {
        world.join_as(0);
        assert!(world.is_connected(n));
    }
    world.join_as(0);
    assert!(!world.is_connected(8));
    world.join_as(1);
    assert!(world.is_connected(9));
    world.leave(0);
    world.join_as(0);
    assert!(world.is_connected(10));
}

#[test]
fn a_server_that_is_shut_down_answers_what_was_asked_and_then_is_gone() {
    let mut world = World::new();
    let a = world.join();
    let stream = world.ask(a, &Request::QueryClientAnnouncement(vec![id(a)]));
    world.server.shutdown(world.clock());
    world.pass(Duration::from_secs(1));
    assert_eq!(found(&world.reply(a, stream)).1, 1);
    assert!(!world.is_connected(a));
    assert!(world.server.is_drained());
    let late = world.join();
    assert!(!world.is_connected(late));
}
