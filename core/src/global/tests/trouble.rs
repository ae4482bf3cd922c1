//! Servers that are down, silent, busy, or cut everything short.

use super::directory::Mood;
use super::world::{Kept, World, secs};
use crate::event::{ServerFailure, ServerState};
use crate::wire::discovery::{RefusalCode, Request};

fn why(world: &World) -> Option<ServerFailure> {
    match world.states(0)[..] {
        [ServerState::Waiting { why, .. }] => Some(why),
        _ => None,
    }
}

#[test]
fn a_server_that_is_down_is_dialled_ever_less_often_and_found_when_it_is_back() {
    let mut world = World::new(2, 1);
    world.servers[0].mood = Mood::Down;
    world.pair(0, 1);
    world.pass(secs(3600));
    let dials = world.servers[0].dials;
    assert!((2 * 12..=2 * 40).contains(&dials), "of two nodes: {dials}");
    assert_eq!(why(&world), Some(ServerFailure::TimedOut));
    world.servers[0].mood = Mood::Honest;
    world.pass(secs(300));
    assert!(world.sees(0, 1) && world.sees(1, 0));
}

#[test]
fn nodes_that_lost_a_server_at_once_do_not_come_back_at_once() {
    let mut world = World::new(20, 1);
    for n in 1..20 {
        world.pair(0, n);
    }
    world.pass(secs(100));
    world.servers[0].mood = Mood::Down;
    world.cut(0);
    world.pass(secs(600));
    let mut at = Vec::new();
    for _ in 0..300 {
        let before = world.servers[0].dials;
        world.pass(secs(1));
        at.push(world.servers[0].dials - before);
    }
    assert!(at.iter().all(|dials| *dials <= 5), "{at:?}");
}

#[test]
fn whatever_is_wrong_with_a_server_it_is_left_alone_for_longer_each_time() {
    let moods = [
        (Mood::Silent, ServerFailure::TimedOut),
        (Mood::Truncating, ServerFailure::Misbehaved),
        (Mood::Breaking, ServerFailure::Closed),
    ];
    for (mood, failure) in moods {
        let mut world = World::new(2, 1);
        world.servers[0].mood = mood;
        world.pair(0, 1);
        world.pass(secs(3600));
        assert!(
            matches!(world.states(0)[..], [ServerState::Waiting { .. } | ServerState::Connected]),
            "{mood:?}"
        );
        let dials = world.servers[0].dials;
        assert!(dials <= 2 * 40, "{mood:?}: {dials}");
        assert!(why(&world).is_none_or(|why| why == failure), "{mood:?}: {:?}", why(&world));
        world.servers[0].mood = Mood::Honest;
        world.pass(secs(400));
        assert!(world.sees(0, 1) && world.sees(1, 0), "{mood:?}");
    }
}

#[test]
fn a_server_that_refuses_everything_is_asked_seldom() {
    use RefusalCode::*;
    for code in [BadRequest, NotSelf, TooLarge, RateLimited, Overloaded, Unsupported, Denied, Internal] {
        let mut world = World::new(2, 1);
        world.servers[0].mood = Mood::Refusing(code, 60);
        world.pair(0, 1);
        world.pass(secs(3600));
        let asked = world.asked(0, 0).len();
        assert!(asked <= 200, "{code:?}: {asked}");
        world.servers[0].mood = Mood::Honest;
        world.pass(secs(4000));
        assert!(world.sees(0, 1) && world.sees(1, 0), "{code:?}");
    }
}

#[test]
fn a_restarted_server_is_told_again_and_tells_again() {
    for kept in [Kept::All, Kept::Nothing] {
        let mut world = World::new(2, 1);
        world.pair(0, 1);
        world.pass(secs(100));
        world.restart(0, kept);
        world.pass(secs(5));
        assert_eq!(world.servers[0].records.len(), 2);
        world.move_to(1, "198.51.88.8");
        world.pass(secs(5));
        assert!(world.sees(0, 1));
    }
}

#[test]
fn a_peer_that_is_missing_is_asked_for_ever_less_often_where_the_server_tells_nothing_by_itself() {
    let mut world = World::new(2, 1);
    world.servers[0].mood = Mood::Refusing(RefusalCode::Unsupported, 1);
    world.pair(0, 1);
    world.switch(1, crate::global::Switched::Ended);
    world.servers[0].mood = Mood::Honest;
    world.pass(secs(300));
    world.asked(0, 0);
    world.servers[0].watchers.clear();
    world.cut(0);
    world.pass(secs(3 * 3600));
    let asked = world.asked(0, 0);
    let look_ups = asked.iter().filter(|request| matches!(request, Request::Lookup(_))).count();
    assert!(look_ups <= 20, "{look_ups}");
}

#[test]
fn answers_that_never_fit_do_not_make_a_node_ask_for_ever() {
    let mut world = World::new(2, 1);
    world.servers[0].mood = Mood::Crammed;
    world.pair(0, 1);
    world.look_up(0, 1);
    world.pass(secs(60));
    assert!(world.asked(0, 0).len() < 10);
}

#[test]
fn a_server_without_room_for_a_stream_is_tried_later() {
    let mut world = World::new(2, 1);
    world.pair(0, 1);
    world.pass(secs(5));
    let now = world.now_of(0);
    let conn = *world.nodes[0].conns.keys().next().unwrap();
    world.nodes[0].global.handle_unsent(now, conn);
    world.run();
    assert_eq!(why(&world), Some(ServerFailure::Busy));
    world.pass(secs(5));
    assert_eq!(world.states(0), [ServerState::Announced]);
}
