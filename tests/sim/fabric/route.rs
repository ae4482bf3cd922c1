//! Which way a host sends: the port, the source address, and who is next.

use super::packet::{Next, Outgoing, Packet, is_link_local, unscoped};
use super::port::{Owner, PortId};
use super::{Fabric, Family, Host, Segment};
use crate::fault::Fault;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a host looks for a neighbour before it says that there is none: three requests, one second apart.
/// RFC 4861 §10. What is sent meanwhile is lost without a word.
const NEIGHBOUR_WAIT: Duration = Duration::from_secs(3);

/// Neighbours that all hosts together look for. A search more forgets another one.
const MAX_SEARCHES: usize = 4096;

/// Neighbours that hosts look for and that are not there, and since when.
#[derive(Default)]
pub(super) struct Searches(BTreeMap<(PortId, IpAddr), Instant>);

impl Searches {
    fn found(&mut self, port: PortId, ip: IpAddr) {
        if !self.0.is_empty() {
            self.0.remove(&(port, ip));
        }
    }

    /// Whether the search is still on. One that ended without success begins anew with the next datagram.
    fn goes_on(&mut self, now: Instant, port: PortId, ip: IpAddr) -> bool {
        if self.0.len() >= MAX_SEARCHES && !self.0.contains_key(&(port, ip)) {
            self.0.pop_first();
        }
        let since = *self.0.entry((port, ip)).or_insert(now);
        let goes_on = now - since < NEIGHBOUR_WAIT;
        if !goes_on {
            self.0.remove(&(port, ip));
        }
        goes_on
    }
}

/// A way that a host may send by.
struct Way {
    port: PortId,
    interface: u32,
    next: Next,
}

impl Fabric {
    /// Sends a datagram, as a host's system does. Returns the source that it has, a link-local one with its
    /// scope.
    ///
    /// The way is, in this order: to the host itself; the interface that is asked for, by name or by the
    /// destination's scope; the port with the longest prefix that holds the destination; a port with a router.
    ///
    /// # Errors
    ///
    /// `NetworkUnreachable` without a way, and `HostUnreachable` where nobody on the segment has the
    /// destination, first three seconds after the first try: both count as [`Fault::Unreachable`].
    /// `AddrNotAvailable` for a source that is not the host's, and `InvalidInput` for one of the other family.
    pub fn send(&mut self, now: Instant, from: Host, out: Outgoing) -> Result<SocketAddr, ErrorKind> {
        if let Some(source) = out.source_ip {
            if source.is_ipv4() != out.destination.is_ipv4() {
                return Err(ErrorKind::InvalidInput);
            }
            if self.own_port(from, source, None).is_none() {
                return Err(ErrorKind::AddrNotAvailable);
            }
        }
        self.dispatch(now, from, None, out)
    }

    /// Sends a datagram in another's name: as [`Fabric::send`], with any source.
    ///
    /// # Errors
    ///
    /// As [`Fabric::send`], but for those that are about the source.
    pub fn forge(
        &mut self,
        now: Instant,
        from: Host,
        source: SocketAddr,
        out: Outgoing,
    ) -> Result<SocketAddr, ErrorKind> {
        self.dispatch(now, from, Some(unscoped(source)), Outgoing { source_ip: None, ..out })
    }

    fn dispatch(
        &mut self,
        now: Instant,
        from: Host,
        forged: Option<SocketAddr>,
        out: Outgoing,
    ) -> Result<SocketAddr, ErrorKind> {
        let destination = out.destination.ip();
        let asked = out.interface.or_else(|| scope(out.destination));
        let own = self.own_port(from, destination, asked);
        let way = match own {
            Some((port, interface)) => Some(Way { port, interface, next: Next::Neighbor(destination) }),
            None if destination.is_multicast() => self.way_to_group(from, asked, &out),
            None => self.way_to(from, asked, destination, out.source_ip),
        };
        let Some(way) = way else { return Err(self.unreachable(ErrorKind::NetworkUnreachable)) };
        let chosen = out.source_ip.or_else(|| self.best_source(way.port, destination));
        let source = match (forged, chosen) {
            (Some(source), _) => source,
            (None, Some(ip)) => SocketAddr::new(ip, out.source_port),
            (None, None) => return Err(self.unreachable(ErrorKind::NetworkUnreachable)),
        };
        let packet = Arc::new(Packet {
            origin: Owner::Host(from, way.interface),
            source,
            destination: unscoped(out.destination),
            next: way.next,
            ecn: out.ecn,
            may_fragment: out.may_fragment,
            hops: 0,
            payload: out.payload,
        });
        let named = super::packet::scoped(source, way.interface);
        if own.is_some() {
            self.loop_back(now, way.port, &packet);
            return Ok(named);
        }
        match way.next {
            Next::Group(family) => {
                let segment = self.ports[&way.port].segment;
                if self.segments[segment.0].members(family).contains_key(&way.port) {
                    self.loop_back(now, way.port, &packet);
                }
            }
            Next::Neighbor(ip) => self.seek(now, way.port, ip)?,
            Next::Nobody | Next::Gateway(_) => {}
        }
        self.launch(now, way.port, &packet);
        Ok(named)
    }

    /// Looks for a neighbour. While the search goes on, what is sent is put on the wire and reaches nobody.
    fn seek(&mut self, now: Instant, port: PortId, ip: IpAddr) -> Result<(), ErrorKind> {
        let segment = self.ports[&port].segment;
        if self.segments[segment.0].internet || self.way(segment, Next::Neighbor(ip), None).is_some() {
            self.searches.found(port, ip);
            return Ok(());
        }
        if self.searches.goes_on(now, port, ip) {
            return Ok(());
        }
        Err(self.unreachable(ErrorKind::HostUnreachable))
    }

    fn unreachable(&mut self, kind: ErrorKind) -> ErrorKind {
        self.tally.fired(Fault::Unreachable);
        kind
    }

    /// The ports of a host, or the one that is asked for.
    fn candidates(&self, host: Host, asked: Option<u32>) -> impl Iterator<Item = (u32, PortId)> {
        let ports = self.hosts.get(&host).into_iter().flatten();
        let fits = move |interface: &u32| asked.is_none_or(|asked| asked == *interface);
        ports.map(|(interface, id)| (*interface, *id)).filter(move |(interface, _)| fits(interface))
    }

    /// The port of a host that has an address.
    fn own_port(&self, host: Host, ip: IpAddr, asked: Option<u32>) -> Option<(PortId, u32)> {
        // Only a link-local address is bound to the interface that is asked for.
        let asked = asked.filter(|_| is_link_local(ip));
        let mut ports = self.candidates(host, asked);
        ports.find(|(_, id)| self.ports[id].has(ip)).map(|(interface, id)| (id, interface))
    }

    fn way_to_group(&self, host: Host, asked: Option<u32>, out: &Outgoing) -> Option<Way> {
        let family = Family::of(out.destination.ip());
        let next = Next::multicast(out.destination.ip());
        let speaks = |id: &PortId| {
            let mut own = self.ports[id].addresses.iter();
            own.any(|own| Family::of(own.ip) == family && out.source_ip.is_none_or(|source| source == own.ip))
        };
        let by_name = asked.is_some();
        let (interface, port) = self.candidates(host, asked).find(|(_, id)| by_name || speaks(id))?;
        Some(Way { port, interface, next })
    }

    fn way_to(
        &self,
        host: Host,
        asked: Option<u32>,
        destination: IpAddr,
        source: Option<IpAddr>,
    ) -> Option<Way> {
        if is_link_local(destination) && destination.is_ipv6() && asked.is_none() {
            return None;
        }
        let holds = |id: PortId| source.is_some_and(|source| self.ports[&id].has(source));
        let on_link = self.candidates(host, asked).filter_map(|(interface, port)| {
            let addresses = self.ports[&port].addresses.iter();
            let prefixes = addresses.filter(|own| own.contains(destination)).map(|own| own.prefix);
            let way = Way { port, interface, next: Next::Neighbor(destination) };
            prefixes.max().map(|prefix| ((prefix, holds(port)), way))
        });
        if let Some((_, way)) = first_max(on_link) {
            return Some(way);
        }
        if is_link_local(destination) {
            return None;
        }
        let routed = self.candidates(host, asked).filter_map(|(interface, port)| {
            let next = self.default_route(port, destination)?;
            Some((holds(port), Way { port, interface, next }))
        });
        first_max(routed).map(|(_, way)| way)
    }

    /// Where a port sends what is not on its link, if it has a routable address of that family.
    fn default_route(&self, port: PortId, destination: IpAddr) -> Option<Next> {
        let port = &self.ports[&port];
        let family = Family::of(destination);
        let mut own = port.addresses.iter().map(|own| own.ip);
        if !own.any(|own| Family::of(own) == family && !is_link_local(own)) {
            return None;
        }
        if self.segments[port.segment.0].internet {
            return Some(Next::Neighbor(destination));
        }
        self.gateway(port.segment, None).map(Next::Gateway)
    }

    /// The router of a segment, or of one that is bridged to it.
    fn gateway(&self, segment: Segment, from: Option<PortId>) -> Option<usize> {
        let state = &self.segments[segment.0];
        let bridges = || state.bridges.iter().copied().filter(|bridge| Some(*bridge) != from);
        let beyond = |bridge: PortId| {
            let far = self.far_end(bridge);
            self.gateway(self.ports[&far].segment, Some(far))
        };
        state.gateways.first().copied().or_else(|| bridges().find_map(beyond))
    }

    /// The source that a port takes for a destination: of the same reach, then with the longest common prefix.
    /// RFC 6724 §5, rules 2 and 8.
    fn best_source(&self, port: PortId, destination: IpAddr) -> Option<IpAddr> {
        let local = is_link_local(destination) || (destination.is_multicast() && destination.is_ipv6());
        let own = self.ports[&port].addresses.iter().map(|own| own.ip);
        let same = own.filter(|own| own.is_ipv4() == destination.is_ipv4());
        let graded = same.map(|own| ((is_link_local(own) == local, common_prefix(own, destination)), own));
        first_max(graded).map(|(_, own)| own)
    }
}

/// The scope that an IPv6 destination names.
fn scope(destination: SocketAddr) -> Option<u32> {
    match destination {
        SocketAddr::V4(_) => None,
        SocketAddr::V6(v6) => Some(v6.scope_id()).filter(|scope| *scope != 0),
    }
}

fn common_prefix(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    }
}

/// The first of those with the highest grade.
fn first_max<G: Ord, T>(graded: impl Iterator<Item = (G, T)>) -> Option<(G, T)> {
    graded.reduce(|best, next| if next.0 > best.0 { next } else { best })
}
