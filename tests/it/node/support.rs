//! What the tests of this folder share.

use handfast_core::store::{PairRecord, PairSecret, PairState, Role};
use handfast_core::{Config, ConnId, Event, Identity, PairId, PeerId, PeerIdKind, ServiceName};
use handfast_tests::fabric::Host;
pub(crate) use handfast_tests::paired::identity;
use handfast_tests::trace::Detail;
use handfast_tests::world::World;
use std::time::Duration;

pub(crate) const SOON: Duration = Duration::from_secs(5);

pub(crate) fn config() -> Config {
    let config = Config::new(ServiceName::new("test").unwrap());
    assert!(config.check().is_ok());
    config
}

pub(crate) fn name(identity: &Identity) -> PeerId {
    identity.peer_id(PeerIdKind::Sha1)
}

/// The record that `own` has of `peer` after the two paired.
pub(crate) fn record(own: &Identity, peer: &Identity, role: Role) -> PairRecord {
    let (pair_id, secret) = (PairId::from_bytes([9; 32]), PairSecret::from_bytes([8; 32]));
    PairRecord::new(pair_id, role, peer.public_key(), own.public_key(), secret, PairState::Paired)
}

/// An empty world that keeps every datagram.
pub(crate) fn new_world(seed: u64) -> World {
    let mut world = World::seeded(seed);
    world.trace.keep(Detail::Datagrams);
    world
}

/// Adds a host to the LAN, and gives its store the time to load.
pub(crate) fn add(world: &mut World, config: Config, own: &Identity, records: Vec<PairRecord>) -> Host {
    let host = world.add(config, own, records);
    world.run_for(Duration::ZERO);
    host
}

/// Two hosts that are paired with each other.
pub(crate) fn pair_of_hosts(seed: u64) -> (World, Host, Host) {
    let mut world = new_world(seed);
    let (a, b) = (identity(1), identity(2));
    let host_a = add(&mut world, config(), &a, vec![record(&a, &b, Role::Host)]);
    let host_b = add(&mut world, config(), &b, vec![record(&b, &a, Role::Joiner)]);
    (world, host_a, host_b)
}

/// Tells a host where a peer is, truly or not, and to connect to it.
pub(crate) fn dial(world: &mut World, (from, peer): (Host, &Identity), to: Host) {
    let (to, peer) = (world.address(to), name(peer));
    world.tell(from, |node, now| {
        node.peers().add_address(now, peer, to);
        node.connect(now, peer).unwrap();
    });
}

/// Dials from `a` (identity 1) to `b` (identity 2) by address and waits until both see it.
pub(crate) fn connect(world: &mut World, a: Host, b: Host) -> (ConnId, ConnId) {
    dial(world, (a, &identity(2)), b);
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    (conn(world, a).unwrap(), conn(world, b).unwrap())
}

/// The connection that a host was last told of.
pub(crate) fn conn(world: &World, host: Host) -> Option<ConnId> {
    world[host].app.events.iter().rev().find_map(|event| match event {
        Event::PeerConnected(peer) => Some(peer.conn),
        _ => None,
    })
}

pub(crate) fn told(world: &World, host: Host, what: impl Fn(&Event) -> bool) -> bool {
    world[host].app.events.iter().any(what)
}
