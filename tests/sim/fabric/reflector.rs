//! Reflectors: what is said to the group of mDNS on one segment is said again on another, as avahi does with
//! `enable-reflector`.

use super::packet::{Next, Packet, unscoped};
use super::port::{Owner, PortId, Side};
use super::{Fabric, Family, Segment};
use crate::fault::Fault;
use bytes::Bytes;
use handfast_core::InterfaceAddr;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The port of mDNS. RFC 6762 §3.
pub(super) const MDNS_PORT: u16 = 5353;

/// A reflector says a payload again only so often, so that two of them do not answer each other for ever.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Payloads of a family that a reflector remembers having said. One more within [`AGAIN_AFTER`] is not reflected.
const MAX_SAID: usize = 4096;

pub(super) struct State {
    pub(super) ports: [PortId; 2],
    /// Payloads that it said, of IPv4 and of IPv6, and when.
    said: [BTreeMap<Bytes, Instant>; 2],
}

impl State {
    pub(super) fn new(ports: [PortId; 2]) -> Self {
        Self { ports, said: Default::default() }
    }

    /// Whether it says a payload again.
    fn says(&mut self, now: Instant, family: Family, payload: &Bytes) -> bool {
        let [v4, v6] = &mut self.said;
        let said = match family {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        if said.len() >= MAX_SAID {
            said.retain(|_, at| now - *at < AGAIN_AFTER);
        }
        let lately = said.get(payload).is_some_and(|at| now - *at < AGAIN_AFTER);
        if lately || said.len() >= MAX_SAID {
            return false;
        }
        said.insert(payload.clone(), now);
        true
    }
}

/// The link-local address of a reflector's side.
pub(super) fn link_local(reflector: usize, side: Side) -> InterfaceAddr {
    let own = u16::try_from(reflector).expect("a world has few reflectors");
    let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5eff, 0, own, side.of([0xa, 0xb]));
    InterfaceAddr { ip: ip.into(), prefix: 64 }
}

impl Fabric {
    /// A reflector heard a multicast.
    pub(super) fn reflect(&mut self, now: Instant, reflector: usize, side: Side, packet: &Packet) {
        let other = side.other();
        let port = other.of(self.reflectors[reflector].ports);
        let family = Family::of(packet.destination.ip());
        if packet.destination.port() != MDNS_PORT || !packet.destination.ip().is_multicast() {
            return;
        }
        let Some(source) = self.reflector_ip(reflector, other, port, family) else { return };
        if !self.reflectors[reflector].says(now, family, &packet.payload) {
            return;
        }
        self.tally.fired(Fault::Reflected);
        let again = Packet {
            origin: Owner::Reflector(reflector, other),
            source: SocketAddr::new(source, MDNS_PORT),
            destination: unscoped(packet.destination),
            next: Next::Group(family),
            ..packet.clone()
        };
        self.launch(now, port, &Arc::new(again));
    }

    fn reflector_ip(&self, reflector: usize, side: Side, port: PortId, family: Family) -> Option<IpAddr> {
        match family {
            Family::V6 => Some(link_local(reflector, side).ip),
            Family::V4 => self.spare_v4(self.ports[&port].segment, reflector),
        }
    }

    /// An IPv4 address that a reflector has on a segment: the last one of its subnet that no host has.
    fn spare_v4(&self, segment: Segment, reflector: usize) -> Option<IpAddr> {
        let state = &self.segments[segment.0];
        let addresses = state.ports.keys().flat_map(|id| &self.ports[id].addresses);
        let subnets = addresses.filter(|address| address.prefix <= 30);
        let (network, mask) = subnets.filter_map(subnet).next()?;
        let last = (network | !mask) - 1;
        let free = |n: &u32| state.holder(Ipv4Addr::from(*n).into()).is_none();
        (network + 1..=last).rev().filter(free).nth(reflector).map(|n| Ipv4Addr::from(n).into())
    }
}

/// The network and the mask of an IPv4 address.
fn subnet(address: &InterfaceAddr) -> Option<(u32, u32)> {
    match address.ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(address.prefix)).unwrap_or(0);
            Some((u32::from(ip) & mask, mask))
        }
        IpAddr::V6(_) => None,
    }
}
