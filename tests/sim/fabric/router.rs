//! Routers between a segment and the Internet: which way a packet goes, and whether it may.

use super::firewall::{Connections, Firewall};
use super::nat::{Nat, Table};
use super::packet::{Next, Packet, is_link_local, is_public};
use super::port::{PortId, Side};
use super::{Fabric, Segment};
use crate::fault::Fault;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// What a router does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Router {
    /// It carries public addresses of both families as they are.
    Routed {
        /// Who gets in.
        firewall: Firewall,
    },
    /// It translates IPv4, and carries public IPv6 as it is.
    Nat {
        /// How it translates.
        nat: Nat,
        /// Which IPv6 gets in.
        firewall: Firewall,
    },
}

/// A packet that so many routers passed on is dropped: more than any way here has.
const MAX_HOPS: u8 = 16;

pub(super) struct State {
    pub(super) inside: Segment,
    /// Its port inside, and its port on the Internet.
    pub(super) ports: [PortId; 2],
    pub(super) nat: Option<Table>,
    connections: Connections,
}

impl State {
    pub(super) fn new(kind: Router, inside: Segment, ports: [PortId; 2], start: u16) -> Self {
        let (nat, firewall) = match kind {
            Router::Routed { firewall } => (None, firewall),
            Router::Nat { nat, firewall } => (Some(Table::new(nat, start)), firewall),
        };
        Self { inside, ports, nat, connections: Connections::new(firewall) }
    }

    /// Whether it carries an address as it is.
    pub(super) fn carries(&self, ip: IpAddr) -> bool {
        is_public(ip) && (ip.is_ipv6() || self.nat.is_none())
    }
}

impl Fabric {
    /// A packet reached a router.
    pub(super) fn route(&mut self, now: Instant, router: usize, side: Side, packet: &Packet) {
        let (source, destination) = (packet.source.ip(), packet.destination.ip());
        let stays = is_link_local(source) || is_link_local(destination) || destination.is_multicast();
        if stays || packet.hops >= MAX_HOPS {
            return;
        }
        let packet = Packet { hops: packet.hops + 1, ..packet.clone() };
        let translates = self.routers[router].nat.is_some() && destination.is_ipv4();
        match (side, translates) {
            (Side::A, false) => self.carry_out(now, router, packet),
            (Side::A, true) => self.translate_out(now, router, packet),
            (Side::B, false) => self.carry_in(now, router, packet),
            (Side::B, true) => self.translate_in(now, router, packet),
        }
    }

    fn carry_out(&mut self, now: Instant, router: usize, packet: Packet) {
        let (source, destination) = (packet.source, packet.destination);
        let inside = self.routers[router].inside;
        if self.way(inside, Next::Neighbor(destination.ip()), None).is_some() {
            return self.forward(now, router, Side::A, packet);
        }
        if !is_public(destination.ip()) || !is_public(source.ip()) {
            return self.tally.fired(Fault::Unreachable);
        }
        self.routers[router].connections.went_out(now, source, destination);
        self.forward(now, router, Side::B, packet);
    }

    fn carry_in(&mut self, now: Instant, router: usize, packet: Packet) {
        let state = &self.routers[router];
        if state.connections.lets_in(now, packet.source, packet.destination) {
            self.forward(now, router, Side::A, packet);
        }
    }

    fn translate_out(&mut self, now: Instant, router: usize, mut packet: Packet) {
        let inside = self.routers[router].inside;
        if self.way(inside, Next::Neighbor(packet.destination.ip()), None).is_some() {
            return self.forward(now, router, Side::A, packet);
        }
        if !is_public(packet.destination.ip()) {
            return self.tally.fired(Fault::Unreachable);
        }
        let table = self.routers[router].nat.as_mut().expect("only a NAT translates");
        let public = IpAddr::V4(table.nat.public);
        let returns = packet.destination.ip() == public;
        if returns && !table.nat.hairpin {
            return;
        }
        let port = table.outbound(now, packet.source, packet.destination, &mut self.tally);
        packet.source = SocketAddr::new(public, port);
        if returns {
            return self.translate_in(now, router, packet);
        }
        self.forward(now, router, Side::B, packet);
    }

    fn translate_in(&mut self, now: Instant, router: usize, mut packet: Packet) {
        let table = self.routers[router].nat.as_mut().expect("only a NAT translates");
        let port = packet.destination.port();
        let Some(inside) = table.inbound(now, packet.source, port, &mut self.tally) else { return };
        packet.destination = inside;
        self.forward(now, router, Side::A, packet);
    }

    fn forward(&mut self, now: Instant, router: usize, side: Side, mut packet: Packet) {
        packet.next = Next::Neighbor(packet.destination.ip());
        let port = side.of(self.routers[router].ports);
        self.launch(now, port, &Arc::new(packet));
    }
}
