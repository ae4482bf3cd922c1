//! What travels: the packets inside the network, and what hosts put in and get out.

use super::{Family, Host, port::Owner};
use bytes::Bytes;
use handfast_core::Ecn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

/// The group of mDNS in IPv4. RFC 6762 §3.
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// The group of mDNS in IPv6. RFC 6762 §3.
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// A datagram that a host sends.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The interface that it must leave on. `None` leaves the choice to the network, which heeds the scope of
    /// an IPv6 destination.
    pub interface: Option<u32>,
    /// Its source address, which must be one of the host's. `None` takes the best.
    pub source_ip: Option<IpAddr>,
    /// Its source port.
    pub source_port: u16,
    /// To whom.
    pub destination: SocketAddr,
    /// Its ECN bits.
    pub ecn: Option<Ecn>,
    /// Whether it may be sent in fragments where it is larger than a link's MTU. mDNS may, QUIC may not.
    pub may_fragment: bool,
    /// Its bytes.
    pub payload: Bytes,
}

impl Outgoing {
    /// A datagram whose way and source address the network chooses, and that must not be fragmented.
    pub fn new(source_port: u16, destination: SocketAddr, payload: impl Into<Bytes>) -> Self {
        Self {
            interface: None,
            source_ip: None,
            source_port,
            destination,
            ecn: None,
            may_fragment: false,
            payload: payload.into(),
        }
    }
}

/// A datagram that reached a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it arrived.
    pub at: Instant,
    /// At which host.
    pub host: Host,
    /// On which of its interfaces.
    pub interface: u32,
    /// Who sent it, as the host sees it. A link-local IPv6 address has `interface` for its scope.
    pub source: SocketAddr,
    /// The address that it was sent to, as the host sees it.
    pub destination: IpAddr,
    /// The port that it was sent to, as the host sees it.
    pub destination_port: u16,
    /// Its ECN bits.
    pub ecn: Option<Ecn>,
    /// Its bytes.
    pub payload: Bytes,
    /// Whether no router passed it on.
    pub on_link: bool,
}

/// Where a packet goes next, on the segment that it is on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// To all members of the group of mDNS.
    Group(Family),
    /// To a multicast group in which nobody is.
    Nobody,
    /// To who has this address.
    Neighbor(IpAddr),
    /// To this router.
    Gateway(usize),
}

impl Next {
    /// Where a multicast goes.
    pub(super) fn multicast(destination: IpAddr) -> Self {
        match destination {
            IpAddr::V4(GROUP_V4) => Self::Group(Family::V4),
            IpAddr::V6(GROUP_V6) => Self::Group(Family::V6),
            IpAddr::V4(_) | IpAddr::V6(_) => Self::Nobody,
        }
    }
}

/// A packet on its way. Addresses are without scopes: the segment is the scope.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// Who sent it first.
    pub(super) origin: Owner,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) next: Next,
    pub(super) ecn: Option<Ecn>,
    pub(super) may_fragment: bool,
    /// How many routers passed it on.
    pub(super) hops: u8,
    pub(super) payload: Bytes,
}

impl Packet {
    /// Its bytes on the wire, IP and UDP headers included.
    pub(super) fn wire_len(&self, fragments: usize) -> usize {
        let header = match (self.destination.ip(), fragments) {
            (IpAddr::V4(_), _) => 20,
            (IpAddr::V6(_), 1) => 40,
            (IpAddr::V6(_), _) => 48,
        };
        8 + self.payload.len() + fragments * header
    }
}

/// An address without its scope.
pub(super) fn unscoped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

/// An address as a host names it: link-local IPv6 with the interface for its scope.
pub(super) fn scoped(address: SocketAddr, interface: u32) -> SocketAddr {
    match address {
        SocketAddr::V6(mut v6) if v6.ip().is_unicast_link_local() => {
            v6.set_scope_id(interface);
            SocketAddr::V6(v6)
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => address,
    }
}

/// Whether an address means something on one link alone.
pub(super) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Whether the Internet carries an address.
pub(super) fn is_public(ip: IpAddr) -> bool {
    let special = match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    };
    !(special || is_link_local(ip) || ip.is_loopback() || ip.is_multicast() || ip.is_unspecified())
}
