//! What the tests of this folder share.

use bytes::Bytes;
use handfast_core::{
    Config, ConnId, DiscoveredPeer, Event, Identity, Node, Now, PeerId, PeerIdKind, Ready, ServiceName,
    StreamId,
};
use handfast_tests::app::Recorder;
use handfast_tests::fabric::{Arrival, Host, Outgoing, Port};
use handfast_tests::machine::{Setup, address};
pub(super) use handfast_tests::paired::identity;
use handfast_tests::paired::records;
use handfast_tests::stranger::{Act, Stranger};
use handfast_tests::world::World;
use rand_chacha::ChaCha12Rng;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Long enough for whatever needs no retry.
pub(super) const SOON: Duration = Duration::from_secs(5);

/// The group and port of mDNS. RFC 6762 §3.
pub(super) const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);

pub(super) fn config() -> Config {
    Config::new(ServiceName::new("test").unwrap())
}

pub(super) fn name(identity: &Identity) -> PeerId {
    identity.peer_id(PeerIdKind::Sha1)
}

/// Two hosts on one LAN, identities 1 and 2, that are paired with each other.
pub(super) fn pair_of_hosts(seed: u64) -> (World, Host, Host) {
    pair_of(seed, [config(), config()])
}

/// Two such hosts, each configured so.
pub(super) fn pair_of(seed: u64, [first, second]: [Config; 2]) -> (World, Host, Host) {
    let mut world = World::seeded(seed);
    let (a, b) = (identity(1), identity(2));
    let (of_a, of_b) = records(a.public_key(), b.public_key());
    let a = world.add(first, &a, vec![of_a]);
    let b = world.add(second, &b, vec![of_b]);
    // The stores load.
    world.run_for(Duration::from_millis(1));
    (world, a, b)
}

/// Boots a host, identity 1 or 2 of a pair, with such interfaces.
pub(super) fn boot(world: &mut World, number: u8, ports: Vec<Port>) -> Host {
    let records = match number {
        1 => vec![records(identity(1).public_key(), identity(2).public_key()).0],
        _ => vec![records(identity(1).public_key(), identity(2).public_key()).1],
    };
    let mut setup = Setup::new(format!("host-{number}"), config(), Arc::new(identity(number)));
    setup = setup.with_records(records);
    setup.ports = ports;
    world.boot(setup, Recorder::default())
}

/// Dials from one host to another by address.
pub(super) fn dial(world: &mut World, from: Host, to: Host) {
    let (address, peer) = (world.address(to), name(world[to].identity()));
    world.tell(from, |node, now| {
        node.peers().add_address(now, peer, address);
        node.connect(now, peer).unwrap();
    });
}

/// Dials, and waits until both see the connection.
pub(super) fn connect(world: &mut World, a: Host, b: Host) -> (ConnId, ConnId) {
    dial(world, a, b);
    assert!(world.run_until(SOON, |world| conn(world, a).is_some() && conn(world, b).is_some()));
    (conn(world, a).unwrap(), conn(world, b).unwrap())
}

/// The connection that a host was last told of, unless it ended.
pub(super) fn conn(world: &World, host: Host) -> Option<ConnId> {
    world[host].app.events.iter().rev().find_map(|event| match event {
        Event::PeerConnected(peer) => Some(Some(peer.conn)),
        Event::PeerDisconnected(..) => Some(None),
        _ => None,
    })?
}

pub(super) fn told(world: &World, host: Host, what: impl Fn(&Event) -> bool) -> bool {
    world[host].app.events.iter().any(what)
}

pub(super) fn discovered(world: &mut World, host: Host) -> Vec<DiscoveredPeer> {
    world.tell(host, |node, _| node.peers().discovered())
}

pub(super) fn sees(world: &mut World, host: Host, other: Host) -> bool {
    let peer = name(world[other].identity());
    discovered(world, host).iter().any(|seen| seen.id == peer)
}

/// Waits until both of two hosts have been told of each other.
pub(super) fn meet(world: &mut World, a: Host, b: Host) {
    let (id_a, id_b) = (name(world[a].identity()), name(world[b].identity()));
    let found = |event: &Event, id| matches!(event, Event::PeerDiscovered(peer) if peer.id == id);
    let met = world.run_until(SOON, |world| {
        told(world, a, |event| found(event, id_b)) && told(world, b, |event| found(event, id_a))
    });
    assert!(met, "two on one LAN see each other");
}

/// No table of a host's node is over its bound.
pub(super) fn assert_bounded(world: &mut World, host: Host) {
    for table in world.tell(host, |node, _| node.tables()) {
        assert!(table.len <= table.bound, "{table:?}");
    }
}

/// Somebody without a node, who does only what a test does in his place.
struct Puppet;

impl Stranger for Puppet {
    fn heard(&mut self, _: Instant, _: &Arrival) {}

    fn act(&mut self, _: Instant, _: &mut ChaCha12Rng) -> Act {
        Act::default()
    }
}

/// Puts a stranger on the LAN, at 10.0.200.1.
pub(super) fn stranger(world: &mut World) -> Host {
    let addresses = vec![address("10.0.200.1/16")];
    let port = Port { interface: 1, segment: world.lan(), addresses };
    world.invite(&[port], Box::new(Puppet))
}

/// Lets a stranger send a datagram that names any source.
pub(super) fn forge(world: &mut World, by: Host, [source, to]: [SocketAddr; 2], payload: &[u8]) {
    let out = Outgoing {
        interface: Some(1),
        source_ip: None,
        source_port: source.port(),
        destination: to,
        ecn: None,
        may_fragment: true,
        payload: Bytes::copy_from_slice(payload),
    };
    let now = world.now();
    world.fabric.forge(now, by, source, out).expect("the LAN takes it");
}

/// Lets a stranger say something to the group of mDNS as if he were at an address.
pub(super) fn say(world: &mut World, by: Host, ip: Ipv4Addr, payload: &[u8]) {
    forge(world, by, [SocketAddr::from((ip, GROUP.1)), GROUP.into()], payload);
}

/// The last multicast of a host that `is_such`, from what was kept.
pub(super) fn overheard(
    world: &mut World,
    host: Host,
    mut is_such: impl FnMut(&[u8]) -> bool,
) -> Option<Bytes> {
    let from = world.address(host).ip();
    let seen = world.fabric.take_seen();
    let mut own = seen.into_iter().filter(|seen| seen.source.ip() == from);
    own.rfind(|seen| is_such(&seen.payload)).map(|seen| seen.payload)
}

/// A stream that a host was told of.
pub(super) fn opened(world: &World, host: Host) -> Vec<(ConnId, StreamId)> {
    let opened = |ready: &Ready| match ready {
        Ready::Stream { conn, stream, now, .. } if now.opened => Some((*conn, *stream)),
        _ => None,
    };
    world[host].app.ready.iter().filter_map(opened).collect()
}

/// Reads what there is of a stream, and whether that was all.
pub(super) fn read(
    node: &mut Node,
    conn: ConnId,
    id: StreamId,
) -> Result<(Vec<u8>, bool), handfast_core::error::ReadError> {
    let mut sink: Vec<Bytes> = Vec::new();
    let mut stream = node.stream(conn, id).map_err(|_| handfast_core::error::ReadError::Gone)?;
    let read = stream.read_chunks(usize::MAX, &mut sink)?;
    Ok((sink.concat(), read.fin))
}

/// Sends a message from one host to another over a connection that stands, and reads it there: whether it came
/// whole within `limit`.
pub(super) fn passes(world: &mut World, (a, on_a): (Host, ConnId), b: Host, limit: Duration) -> bool {
    world[b].app.ready.clear();
    let sent = world.tell(a, |node: &mut Node, now: Now| {
        let id = node.open(now, on_a, handfast_core::Direction::Uni, "", 1).ok()?;
        let mut stream = node.stream(on_a, id).ok()?;
        stream.write(b"hello").ok()?;
        stream.finish().ok()
    });
    if sent.is_none() || !world.run_until(limit, |world| !opened(world, b).is_empty()) {
        return false;
    }
    let (on_b, id) = opened(world, b)[0];
    world.run_for(Duration::from_millis(10));
    world.tell(b, |node, _| read(node, on_b, id)) == Ok((b"hello".to_vec(), true))
}
