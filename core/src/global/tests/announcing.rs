//! What is announced, under which numbers, and how often.

use super::directory::Mood;
use super::world::{Kept, START_S, World, secs};
use crate::event::{Event, ServerState};
use crate::wire::discovery::{RefusalCode, Request};
use crate::wire::record::{Body, MAX_ENTRIES};

fn announcements(asked: &[Request]) -> usize {
    asked.iter().filter(|request| matches!(request, Request::ClientAnnouncement(_))).count()
}

fn refreshes(asked: &[Request]) -> usize {
    asked.iter().filter(|request| matches!(request, Request::Refresh(_))).count()
}

#[test]
fn an_announcement_is_renewed_by_its_number_twice_an_hour_and_made_anew_twice_a_day() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    world.pass(secs(24 * 3600));
    let asked = world.asked(0, 0);
    // 1800 s ±10 %.
    let renewed = refreshes(&asked);
    assert!((43..=54).contains(&renewed), "{renewed}");
    let anew = announcements(&asked);
    assert!((2..=4).contains(&anew), "{anew}");
    let subscribed = asked.iter().filter(|request| matches!(request, Request::Subscribe(_))).count();
    assert_eq!((subscribed, asked.len()), (1, renewed + anew + 1), "nothing else is asked");
}

#[test]
fn a_number_is_the_time_and_above_every_one_before_although_the_clock_went_back() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    let first = world.nodes[0].stored.unwrap();
    assert_eq!(first, START_S * 1_000_000);
    world.nodes[0].clock_s = -200;
    world.move_to(0, "198.51.100.9");
    world.pass(secs(5));
    // Once for the address, and once more for how the server then saw it.
    assert!((first + 1..=first + 2).contains(&world.nodes[0].stored.unwrap()));
}

#[test]
fn nothing_is_announced_before_its_number_is_stored() {
    let mut world = World::new(2, 1);
    world.nodes[0].store_fails = true;
    world.pair(0, 1);
    world.pass(secs(60));
    assert_eq!(announcements(&world.asked(0, 0)), 0);
    assert!(world.sees(0, 1), "others are found all the same");
    world.nodes[0].store_fails = false;
    world.pass(secs(11));
    assert!(world.sees(1, 0));
}

#[test]
fn interfaces_that_flap_announce_no_more_than_a_server_takes() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    world.pass(secs(5));
    world.asked(0, 0);
    for n in 0..600 {
        world.move_to(0, ["198.51.100.1", "198.51.100.2"][n % 2]);
        world.pass(secs(1) / 10);
    }
    world.pass(secs(60));
    let asked = world.asked(0, 0);
    assert!(announcements(&asked) <= 14, "{}", announcements(&asked));
    assert!(world.sees(1, 0), "and the last word is right");
}

#[test]
fn an_interface_that_comes_back_within_two_seconds_is_no_news() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    world.pass(secs(5));
    world.asked(0, 0);
    world.move_to(0, "198.51.100.1");
    world.move_to(0, "198.51.0.1");
    world.pass(secs(60));
    assert_eq!(world.asked(0, 0), []);
}

#[test]
fn a_server_that_forgot_is_told_in_full_and_one_that_holds_a_higher_number_is_outbid() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    world.pass(secs(5));
    world.restart(0, Kept::Nothing);
    world.pass(secs(10));
    assert!(world.sees(1, 0));
    // It forgets, and the connection stands: at the next renewal it says so.
    world.servers[0].records.clear();
    world.servers[0].highest.clear();
    world.pass(secs(2000));
    assert_eq!(world.servers[0].records.len(), 2);
    // This node was restored from a backup, say.
    let print = world.key(0).fingerprint();
    let held = world.nodes[0].stored.unwrap() + 1_000_000_000_000;
    world.servers[0].highest.insert(print, held);
    world.restart(0, Kept::All);
    world.pass(secs(10));
    assert_eq!(world.servers[0].records[&print].0, held + 1);
    assert_eq!(world.nodes[0].stored, Some(held + 1));
}

#[test]
fn numbers_cannot_be_used_up_by_a_server_that_claims_to_hold_the_last() {
    let mut world = World::new(2, 2);
    let print = world.key(0).fingerprint();
    world.servers[0].highest.insert(print, u64::MAX);
    world.pair(0, 1);
    world.pass(secs(600));
    assert!(world.nodes[0].stored.unwrap() < u64::MAX / 2);
    assert!(world.sees(1, 0), "the other server takes it");
    assert!(matches!(world.states(0)[0], ServerState::Waiting { .. }));
    assert!(announcements(&world.asked(0, 0)) < 20);
}

#[test]
fn of_sixty_peers_those_who_were_connected_last_can_read() {
    let mut world = World::new(61, 1);
    for n in 1..=60 {
        world.pair(0, n);
    }
    for n in (1..=60).rev() {
        let key = world.key(n);
        world.nodes[0].global.handle_peer_connected(&key);
    }
    world.move_to(0, "198.51.200.1");
    world.pass(secs(600));
    let (_, held) = &world.servers[0].records[&world.key(0).fingerprint()];
    assert_eq!(Body::verify(&held.record).unwrap().entries.len(), MAX_ENTRIES);
    for n in 1..=60 {
        assert_eq!(world.sees(n, 0), n <= MAX_ENTRIES, "peer {n}");
    }
}

#[test]
fn a_server_that_asks_for_patience_gets_it() {
    let mut world = World::new(2, 1);
    world.servers[0].mood = Mood::Refusing(RefusalCode::RateLimited, 120);
    world.pair(0, 1);
    let before = world.asked(0, 0).len();
    assert!(before <= 3, "{before}");
    world.pass(secs(119));
    assert_eq!(world.asked(0, 0), []);
    world.servers[0].mood = Mood::Honest;
    // A quarter longer at most, so that not all come back at once.
    world.pass(secs(40));
    assert!(world.sees(0, 1));
}

#[test]
fn a_clock_that_is_a_year_behind_is_named_and_that_server_is_not_used() {
    let mut world = World::new(2, 1);
    world.nodes[0].clock_s = -365 * 24 * 3600;
    world.pair(0, 1);
    world.pass(secs(60));
    let server = world.servers[0].key.fingerprint();
    let warned = Event::ServerClock { server, ahead_s: 365 * 24 * 3600 };
    assert_eq!(world.nodes[0].told.iter().filter(|told| **told == warned).count(), 1);
    assert!(matches!(world.states(0)[..], [ServerState::Waiting { .. }]));
    // It is put right.
    world.nodes[0].clock_s = 0;
    world.pass(secs(300));
    assert!(world.sees(0, 1) && world.sees(1, 0));
}

#[test]
fn a_clock_that_was_never_set_or_is_ahead_follows_the_server() {
    for clock_s in [-(START_S as i64), 365 * 24 * 3600] {
        let mut world = World::new(2, 1);
        world.nodes[0].clock_s = clock_s;
        world.pair(0, 1);
        world.pass(secs(60));
        assert!(world.sees(0, 1) && world.sees(1, 0), "{clock_s}");
        let (_, held) = &world.servers[0].records[&world.key(0).fingerprint()];
        let issued_s = Body::verify(&held.record).unwrap().issued_s;
        assert!(issued_s.abs_diff(START_S) < 100, "it is dated by the server's clock: {issued_s}");
        let names_it = |told: &Event| matches!(told, Event::ServerClock { .. });
        assert!(world.nodes[0].told.iter().any(names_it), "{clock_s}");
    }
}
