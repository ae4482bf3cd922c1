//! What goes wrong in a world that is not the network: each kind of fault, and its effect.

mod application;
pub(crate) mod eventful;
mod every_kind;
mod hooks;
mod hosts;
mod names;
mod reach;
mod rest;
mod servers;
mod stores;
mod strangers;

use crate::node::support::*;
use handfast_core::{Event, PairedPeer, PairingFailure, Target};
use handfast_tests::fabric::{Host, InterfaceAddr, Port};
use handfast_tests::fault::Fault;
use handfast_tests::machine::address;
use handfast_tests::trace::Sent;
use handfast_tests::world::World;
use std::time::Duration;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn fired(world: &World, fault: Fault) -> u64 {
    world.tally().of(fault)
}

/// What a host sent since a moment of the world.
fn sent_since(world: &World, host: Host, since: Duration) -> Vec<&Sent> {
    world.trace.sent.iter().filter(|sent| sent.host == host && sent.at >= since).collect()
}

/// An interface on the LAN that [`World::add`] takes.
fn on_lan(world: &mut World, interface: u32, ip: &str) -> Port {
    Port { interface, segment: world.lan(), addresses: vec![address(ip)] }
}

fn addresses(ip: &str) -> Vec<InterfaceAddr> {
    vec![address(ip)]
}

/// Two hosts that never met.
fn two_hosts() -> (World, Host, Host) {
    let mut world = new_world(1);
    let a = add(&mut world, config(), &identity(1), vec![]);
    let b = add(&mut world, config(), &identity(2), vec![]);
    (world, a, b)
}

/// Whether a host is seen by another one at this moment.
fn sees(world: &mut World, host: Host, other: u8) -> bool {
    let id = name(&identity(other));
    world.tell(host, |node, _| node.peers().discovered()).iter().any(|peer| peer.id == id)
}

/// A shows a code, and B types it at once.
fn start_pairing(world: &mut World, a: Host, b: Host) {
    let code = world.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    let at = Target::At(vec![world.address(a)]);
    world.tell(b, |node, now| node.pairing().join(now, code, &at).unwrap());
}

fn outcome(world: &World, host: Host) -> Option<Result<PairedPeer, PairingFailure>> {
    world[host].app.events.iter().rev().find_map(|event| match event {
        Event::PairingEnded(_, result) => Some(result.clone()),
        _ => None,
    })
}

/// How many peers a host is paired with, as its node has it, its application, and its store.
fn paired(world: &mut World, host: Host) -> [usize; 3] {
    let node = world.tell(host, |node, _| node.peers().paired().len());
    [node, world[host].app.saved.len(), world[host].store.records.len()]
}
