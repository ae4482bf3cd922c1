//! Discovery servers that are not there, before whole nodes.

use super::support::*;
use handfast_core::{DiscoveryServer, Event, ServerFailure, ServerState};
use handfast_tests::world::World;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Where nobody is.
const NOBODY: &str = "10.0.250.1:5224";

/// The worst pauses that a server which does not answer brings: 1, 2, 4 … 300 s, half of each by chance, and the 10 s
/// that a handshake may take.
const MOST_DIALS_AN_HOUR: u64 = 40;

/// Datagrams that one dial in vain sends at most: QUIC sends a lost Initial packet again after 1, 2, 4 … s.
const DATAGRAMS_A_DIAL: u64 = 16;

fn state(world: &mut World, host: handfast_tests::fabric::Host) -> ServerState {
    world.tell(host, |node, _| node.global().servers()[0].state)
}

#[test]
fn a_server_that_is_down_harms_nothing_on_the_lan_and_hears_ever_less() {
    let server = DiscoveryServer::new(NOBODY.parse().unwrap(), identity(99).fingerprint());
    let with_server = config().with_server(server);
    let (mut world, a, b) = pair_of(66, [with_server.clone(), with_server]);
    let (sent, counter) = (Rc::new(Cell::new(0u64)), Rc::new(Cell::new(0u64)));
    let count = Rc::clone(&counter);
    world.watch(Box::new(move |seen| {
        if seen.destination == NOBODY.parse().unwrap() {
            count.set(count.get() + 1);
        }
    }));
    meet(&mut world, a, b);
    let (on_a, _) = connect(&mut world, a, b);
    assert!(passes(&mut world, (a, on_a), b, SOON));
    world.run_for(Duration::from_secs(3600));
    assert_eq!(conn(&world, a), Some(on_a), "the connection stands");
    assert!(passes(&mut world, (a, on_a), b, SOON));
    assert_bounded(&mut world, a);
    let dials = world.tell(a, |node, _| node.stats().global.dials);
    assert!((10..=MOST_DIALS_AN_HOUR).contains(&dials), "{dials}");
    let most = 2 * MOST_DIALS_AN_HOUR * DATAGRAMS_A_DIAL;
    assert!((20..=most).contains(&counter.get()), "{}", counter.get());
    let why = |told: &Event| match told {
        Event::ServerState(status) => match status.state {
            ServerState::Waiting { why, .. } => Some(why),
            _ => None,
        },
        _ => None,
    };
    assert!(told(&world, a, |event| why(event) == Some(ServerFailure::TimedOut)));
    // Another network may reach it: the pause is over.
    sent.set(counter.get());
    world.tell(a, |node, now| node.handle_wake(now, Duration::from_secs(8 * 3600)));
    world.run_for(Duration::from_secs(1));
    assert!(counter.get() > sent.get());
    assert_eq!(state(&mut world, a), ServerState::Connecting);
}

#[test]
fn a_node_that_is_paired_with_nobody_sends_nothing_to_any_server() {
    let mut world = World::seeded(67);
    let server = DiscoveryServer::new(NOBODY.parse().unwrap(), identity(99).fingerprint());
    let host = world.add(config().with_server(server), &identity(1), Vec::new());
    world.watch(Box::new(|seen| assert_ne!(seen.destination, NOBODY.parse().unwrap())));
    world.run_for(Duration::from_secs(7200));
    assert_eq!(state(&mut world, host), ServerState::Idle);
}
