//! What one peer may open, as the application sets it.

use super::support::*;
use handfast_core::error::{LabelsError, LimitError};
use handfast_core::{ConnId, Direction, Labels, Ready};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;

/// Opens a stream on A: whether B hears of it, and with what code A is stopped.
fn open(world: &mut World, (a, b): (Host, Host), on_a: ConnId, label: &str) -> (bool, Option<u64>) {
    for host in [a, b] {
        world[host].app.ready.clear();
    }
    world.tell(a, |node, now| node.open(now, on_a, Direction::Bi, label, 7).unwrap());
    world.run_for(SOON);
    let opened = |ready: &Ready| matches!(ready, Ready::Stream { now, .. } if now.opened);
    let stopped = |ready: &Ready| match ready {
        Ready::Stream { key: 7, now, .. } => now.stopped,
        _ => None,
    };
    (world[b].app.ready.iter().any(opened), world[a].app.ready.iter().find_map(stopped))
}

#[test]
fn labels_that_are_set_for_one_peer_hold_at_once_and_on_its_next_connection() {
    let (mut world, a, b) = pair_of_hosts(1);
    let (on_a, _) = connect(&mut world, a, b);
    assert_eq!(open(&mut world, (a, b), on_a, "any"), (true, None));
    let only = Some(Labels::only(["note"]));
    world.tell(b, |node, now| node.peers().set_labels(now, name(&identity(1)), only)).unwrap();
    assert_eq!(open(&mut world, (a, b), on_a, "any"), (false, Some(0x11)));
    assert_eq!(open(&mut world, (a, b), on_a, "note"), (true, None));
    world.tell(a, |node, now| node.close(now, on_a));
    world.run_for(SOON);
    for host in [a, b] {
        world[host].app.events.clear();
    }
    let (on_a, _) = connect(&mut world, a, b);
    assert_eq!(open(&mut world, (a, b), on_a, "any"), (false, Some(0x11)));
    world.tell(b, |node, now| node.peers().set_labels(now, name(&identity(1)), None)).unwrap();
    assert_eq!(open(&mut world, (a, b), on_a, "any"), (true, None));
}

#[test]
fn a_limit_of_one_peer_goes_with_its_pairing() {
    let (mut world, a, _) = pair_of_hosts(1);
    let peer = name(&identity(2));
    let limited = |world: &mut World, host: Host| {
        let tables = world[host].node().unwrap().tables();
        tables.iter().find(|table| table.name == "node: peers with limits of their own").unwrap().len
    };
    world.tell(a, |node, now| node.peers().set_max_streams(now, peer, Some(3))).unwrap();
    assert_eq!(limited(&mut world, a), 1);
    world.tell(a, |node, now| node.pairing().forget(now, peer));
    world.run_for(SOON);
    assert_eq!(limited(&mut world, a), 0);
    world.tell(a, |node, now| {
        let refused = node.peers().set_labels(now, peer, Some(Labels::none()));
        assert_eq!(refused, Err(LimitError::NotPaired));
    });
}

#[test]
fn a_limit_that_no_peer_may_have_is_an_error() {
    let (mut world, a, _) = pair_of_hosts(1);
    let peer = name(&identity(2));
    world.tell(a, |node, now| {
        let many = Labels::only((0..65).map(|n| n.to_string()));
        let refused = node.peers().set_labels(now, peer, Some(many));
        assert_eq!(refused, Err(LimitError::Labels(LabelsError::TooMany)));
        assert_eq!(node.peers().set_max_streams(now, peer, Some(65_537)), Err(LimitError::Streams));
    });
}
