//! Who is dialled again while a record is in doubt, and how often.

use super::world::{HOST, JOINER, World};
use std::time::Duration;

/// The joiner holds a record that its host never heard of, and has forgotten the session.
fn in_doubt() -> World {
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    let entry = world.join(JOINER, code);
    let wire = world.dial(JOINER, HOST, entry);
    // All but the joiner's `Prepared`.
    world.silence_after(wire, 11);
    world.run();
    world.restart(HOST);
    world.restart(JOINER);
    world.run();
    assert_eq!((world.nodes[HOST].tentative(), world.nodes[JOINER].tentative()), (0, 1));
    world
}

#[test]
fn a_peer_is_dialled_about_a_record_in_doubt_at_once_and_then_twice_as_late_each_time() {
    let mut world = in_doubt();
    assert_eq!(world.nodes[JOINER].settles, 1, "once it is loaded");
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
        let before = world.nodes[JOINER].settles;
        world.pass(Duration::from_secs(wait) - Duration::from_nanos(1));
        assert_eq!(world.nodes[JOINER].settles, before, "within {wait} s");
        world.pass(Duration::from_nanos(1));
        assert_eq!(world.nodes[JOINER].settles, before + 1, "after {wait} s");
    }
    assert_eq!(world.nodes[HOST].settles, 0);
}

#[test]
fn nobody_is_dialled_about_a_record_that_is_settled() {
    let mut world = in_doubt();
    world.connect(HOST, JOINER);
    world.run();
    assert_eq!(world.nodes[JOINER].tentative(), 0);
    let before = world.nodes[JOINER].settles;
    world.pass(Duration::from_secs(1000));
    assert_eq!(world.nodes[JOINER].settles, before);
    assert!(world.nodes[JOINER].engine.poll_timeout().is_none());
}
