//! Networks of one link or two, on which bytes flow again, and how soon.

use super::flow::Flow;
use super::support::*;
use handfast_core::{ConnId, PeerId};
use handfast_tests::fabric::{Host, Link, Port, Segment};
use handfast_tests::machine::address;
use handfast_tests::world::World;
use std::time::Duration;

/// Within this time of a network's return bytes flow again.
pub(super) const BACK: Duration = Duration::from_secs(3);

/// As long as anything may take before a test gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn slow() -> Link {
    Link::default().with_latency(Duration::from_millis(5)).with_bandwidth(500_000, Duration::from_millis(100))
}

pub(super) fn on(interface: u32, segment: Segment, ip: &str) -> Port {
    Port { interface, segment, addresses: vec![address(ip)] }
}

/// Two hosts that are on two such segments at once, and connected on the first; the first host dialled.
pub(super) fn two_links() -> (World, [Host; 2], [Segment; 2]) {
    let mut world = World::seeded(1);
    let segments = [world.lan(), world.fabric.segment(slow())];
    world.fabric.set_link(segments[0], slow());
    let [one, two] = segments;
    let a = boot(&mut world, 1, vec![on(1, one, "10.0.0.1/24"), on(2, two, "192.168.7.1/24")]);
    let b = boot(&mut world, 2, vec![on(1, one, "10.0.0.2/24"), on(2, two, "192.168.7.2/24")]);
    meet(&mut world, a, b);
    world.run_for(SOON);
    connect(&mut world, a, b);
    (world, [a, b], segments)
}

/// Lets bytes flow anew once both are connected, which an application asks for as soon as it is not. How long it took
/// until the first of them came.
pub(super) fn back(world: &mut World, [a, b]: [Host; 2], (from, to): (Host, Host)) -> Option<Duration> {
    let began = world.elapsed();
    let peers: [PeerId; 2] = [name(world[a].identity()), name(world[b].identity())];
    while world.elapsed() - began < PATIENCE {
        for (host, peer) in [(a, peers[1]), (b, peers[0])] {
            if conn(world, host).is_none() {
                // Nobody may be known to be anywhere yet.
                let _ = world.tell(host, |node, now| node.connect(now, peer));
            }
        }
        world.run_for(Duration::from_millis(20));
        if conn(world, from).is_some() && conn(world, to).is_some() {
            let mut flow = Flow::try_begin(world, from, to)?;
            flow.next_byte(world, PATIENCE)?;
            return Some(world.elapsed() - began);
        }
    }
    None
}

/// Every connection that a host was told of but the one that it sees has ended.
pub(super) fn sees_one(world: &World, host: Host) -> bool {
    use handfast_core::Event::{PeerConnected, PeerDisconnected};
    let mut open: Vec<ConnId> = Vec::new();
    for event in &world[host].app.events {
        match event {
            PeerConnected(peer) => open.push(peer.conn),
            PeerDisconnected(conn, ..) => open.retain(|open| open != conn),
            _ => {}
        }
    }
    open.len() == 1
}
