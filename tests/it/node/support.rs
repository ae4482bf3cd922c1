//! What the tests of this folder share.

use handfast_core::store::{PairRecord, PairSecret, PairState, Role};
use handfast_core::{Config, ConnId, Event, Identity, PairId, PeerId, PeerIdKind, ServiceName};
use handfast_tests::net::{Host, Net};
pub(crate) use handfast_tests::paired::identity;
use std::time::{Duration, Instant};

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

/// Two hosts that are paired with each other.
pub(crate) fn pair_of_hosts(seed: u64) -> (Net, Host, Host) {
    let mut net = Net::new(Instant::now());
    let (a, b) = (identity(1), identity(2));
    let host_a = net.add(config(), &a, seed, vec![record(&a, &b, Role::Host)]);
    let host_b = net.add(config(), &b, seed + 1, vec![record(&b, &a, Role::Joiner)]);
    (net, host_a, host_b)
}

/// Dials from `a` (identity 1) to `b` (identity 2) by address and waits until both see it.
pub(crate) fn connect(net: &mut Net, a: Host, b: Host) -> (ConnId, ConnId) {
    let (to, peer) = (net.address(b), name(&identity(2)));
    net.tell(a, |node, now| {
        node.peers().add_address(now, peer, to);
        node.connect(now, peer).unwrap();
    });
    assert!(net.run_until(SOON, |net| conn(net, a).is_some() && conn(net, b).is_some()));
    (conn(net, a).unwrap(), conn(net, b).unwrap())
}

/// The connection that a host was last told of.
pub(crate) fn conn(net: &Net, host: Host) -> Option<ConnId> {
    net.hosts[host.0].events.iter().rev().find_map(|event| match event {
        Event::PeerConnected(peer) => Some(peer.conn),
        _ => None,
    })
}

pub(crate) fn told(net: &Net, host: Host, what: impl Fn(&Event) -> bool) -> bool {
    net.hosts[host.0].events.iter().any(what)
}
