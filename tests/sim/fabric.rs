//! The network of a simulated world: hosts by number, datagrams as bytes.
//!
//! Hosts are plugged into segments, each one broadcast domain with the properties of its [`Link`]. Bridges,
//! reflectors and routers join segments. What a host sends goes hop by hop: a NAT learns of a datagram when it
//! passes, and a link that changes changes what enters it from then on.
//!
//! Never reads a clock, and never knows what a datagram says. The same calls with the same seed give the same
//! arrivals.

mod carry;
mod firewall;
mod link;
mod nat;
mod packet;
mod port;
mod queue;
mod reflector;
mod route;
mod router;
mod segment;
mod tap;
#[cfg(test)]
mod tests;

pub use firewall::Firewall;
pub use handfast_core::{Ecn, Family, InterfaceAddr};
pub use link::{Bandwidth, Link, PerMille};
pub use nat::{Depends, Nat};
pub use packet::{Arrival, Outgoing};
pub use port::Port;
pub use router::Router;
pub use tap::{Seen, Sent, Talker};

use crate::fault::Tally;
use port::{Attachment, Cable, Owner, PortId, Side};
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Which host of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(pub usize);

/// Which segment of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment(usize);

/// Which bridge of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bridge(usize);

/// Which reflector of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reflector(usize);

/// Which router of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouterId(usize);

/// Whether a bridge passes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgeState {
    /// It passes everything.
    Up,
    /// It passes nothing. Hosts do not notice but by what fails to arrive.
    Down,
}

struct Bridged {
    ports: [PortId; 2],
    state: BridgeState,
}

/// A network in virtual time.
pub struct Fabric {
    rng: ChaCha12Rng,
    tally: Tally,
    queue: queue::Queue,
    tap: tap::Tap,
    segments: Vec<segment::State>,
    internet: Option<Segment>,
    ports: BTreeMap<PortId, Attachment>,
    ports_made: u32,
    hosts: BTreeMap<Host, BTreeMap<u32, PortId>>,
    cables: BTreeMap<(Host, u32), Link>,
    bridges: Vec<Bridged>,
    reflectors: Vec<reflector::State>,
    routers: Vec<router::State>,
    searches: route::Searches,
    /// Packets that were put on links so far: a later one has a higher number.
    orders: u64,
}

impl Fabric {
    /// A network without anything. All its chances follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha12Rng::seed_from_u64(seed),
            tally: Tally::default(),
            queue: queue::Queue::default(),
            tap: tap::Tap::default(),
            segments: Vec::new(),
            internet: None,
            ports: BTreeMap::new(),
            ports_made: 0,
            hosts: BTreeMap::new(),
            cables: BTreeMap::new(),
            bridges: Vec::new(),
            reflectors: Vec::new(),
            routers: Vec::new(),
            searches: route::Searches::default(),
            orders: 0,
        }
    }

    /// Adds a segment: every path from one port on it to another is like `link`.
    pub fn segment(&mut self, link: Link) -> Segment {
        self.segments.push(segment::State::new(link, false));
        Segment(self.segments.len() - 1)
    }

    /// The Internet: a segment without multicast, on which every public address is one hop away. There is one;
    /// it is made with the first call, and [`Fabric::set_link`] changes its link like any other.
    pub fn internet(&mut self) -> Segment {
        if let Some(internet) = self.internet {
            return internet;
        }
        self.segments.push(segment::State::new(Link::default(), true));
        let internet = Segment(self.segments.len() - 1);
        self.internet = Some(internet);
        internet
    }

    /// Changes a segment's link for what enters it from now on.
    pub fn set_link(&mut self, segment: Segment, link: Link) {
        self.segments[segment.0].link = link;
    }

    /// Gives a host's interface a cable of its own, which all that it sends and receives passes besides the
    /// segment. It stays when the interface is unplugged and plugged in again. `None` takes it away.
    pub fn set_port_link(&mut self, host: Host, interface: u32, link: Option<Link>) {
        match link {
            Some(link) => self.cables.insert((host, interface), link),
            None => self.cables.remove(&(host, interface)),
        };
        let Some(id) = self.port_id(host, interface) else { return };
        let port = self.ports.get_mut(&id).expect("hosts' ports are there");
        match (&mut port.cable, link) {
            (Some(cable), Some(link)) => cable.link = link,
            (cable, link) => *cable = link.map(Cable::new),
        }
    }

    /// Joins two segments to one broadcast domain. The bridge is up.
    ///
    /// # Panics
    ///
    /// If they are joined already, by one bridge or by several: bridges must not form a loop. Or if one of them
    /// is the Internet.
    pub fn bridge(&mut self, a: Segment, b: Segment) -> Bridge {
        for end in [a, b] {
            assert!(!self.segments[end.0].internet, "nobody bridges to the Internet");
        }
        assert!(!self.joined(a, b, None), "bridges form no loop");
        let index = self.bridges.len();
        let ports = [
            self.attach(Owner::Bridge(index, Side::A), a, Vec::new()),
            self.attach(Owner::Bridge(index, Side::B), b, Vec::new()),
        ];
        self.bridges.push(Bridged { ports, state: BridgeState::Up });
        self.segments[a.0].bridges.push(ports[0]);
        self.segments[b.0].bridges.push(ports[1]);
        Bridge(index)
    }

    /// Takes a bridge down, or up again.
    pub fn set_bridge(&mut self, bridge: Bridge, state: BridgeState) {
        self.bridges[bridge.0].state = state;
    }

    /// Puts a reflector between two segments: what it hears on one for port 5353 of the group of mDNS it says
    /// on the other, in its own name and from port 5353. The same payload at most once a second.
    ///
    /// # Panics
    ///
    /// If one of them is the Internet.
    pub fn reflector(&mut self, a: Segment, b: Segment) -> Reflector {
        let index = self.reflectors.len();
        let mut plug = |side: Side| {
            let segment = side.of([a, b]);
            assert!(!self.segments[segment.0].internet, "nobody reflects to the Internet");
            let owner = Owner::Reflector(index, side);
            let id = self.attach(owner, segment, vec![reflector::link_local(index, side)]);
            for family in [Family::V4, Family::V6] {
                self.segments[segment.0].members_mut(family).insert(id, owner);
            }
            id
        };
        let ports = [plug(Side::A), plug(Side::B)];
        self.reflectors.push(reflector::State::new(ports));
        Reflector(index)
    }

    /// Makes a router the way from a segment, and from those bridged to it, to the Internet. The first router
    /// of a segment is its hosts' default route.
    ///
    /// # Panics
    ///
    /// If the inside is the Internet.
    pub fn router(&mut self, inside: Segment, kind: Router) -> RouterId {
        assert!(!self.segments[inside.0].internet, "a router's inside is not the Internet");
        let outside = self.internet();
        let index = self.routers.len();
        let public = match kind {
            Router::Nat { nat, .. } => vec![InterfaceAddr { ip: nat.public.into(), prefix: 32 }],
            Router::Routed { .. } => Vec::new(),
        };
        let ports = [
            self.attach(Owner::Router(index, Side::A), inside, Vec::new()),
            self.attach(Owner::Router(index, Side::B), outside, public),
        ];
        let start = (self.rng.next_u32() >> 16) as u16;
        self.routers.push(router::State::new(kind, inside, ports, start));
        self.segments[inside.0].gateways.push(index);
        RouterId(index)
    }

    /// Makes a NAT forget all its mappings: what is used again gets another port. Nothing where there is no
    /// NAT.
    pub fn rebind(&mut self, router: RouterId) {
        if let Some(table) = &mut self.routers[router.0].nat {
            table.rebind();
        }
    }

    /// Keeps hosts of different groups on a segment from hearing one another. Hosts in no group are one more
    /// group. Bridges, reflectors and routers hear everybody, and everybody hears them.
    pub fn partition(&mut self, segment: Segment, groups: Vec<Vec<Host>>) {
        self.segments[segment.0].split(groups);
    }

    /// Ends a segment's partition.
    pub fn heal(&mut self, segment: Segment) {
        self.segments[segment.0].heal();
    }

    /// Plugs a host's interface into a segment. One of the same index is unplugged first.
    ///
    /// # Panics
    ///
    /// If the interface's index is 0, which is no scope.
    pub fn plug(&mut self, host: Host, port: Port) {
        assert!(port.interface != 0, "an interface's index is not 0");
        self.unplug(host, port.interface);
        let id = self.attach(Owner::Host(host, port.interface), port.segment, port.addresses);
        let cable = self.cables.get(&(host, port.interface)).map(|link| Cable::new(*link));
        self.ports.get_mut(&id).expect("the port was just made").cable = cable;
        self.hosts.entry(host).or_default().insert(port.interface, id);
    }

    /// Unplugs a host's interface. It leaves its groups, and what was on its way to it is gone.
    pub fn unplug(&mut self, host: Host, interface: u32) {
        let Some(ports) = self.hosts.get_mut(&host) else { return };
        let Some(id) = ports.remove(&interface) else { return };
        let port = self.ports.remove(&id).expect("hosts' ports are there");
        self.segments[port.segment.0].remove(id, &port);
    }

    /// Gives a plugged interface other addresses. It stays in its groups.
    pub fn renumber(&mut self, host: Host, interface: u32, addresses: Vec<InterfaceAddr>) {
        let Some(id) = self.port_id(host, interface) else { return };
        let port = self.ports.get_mut(&id).expect("hosts' ports are there");
        let segment = &mut self.segments[port.segment.0];
        segment.remove_addresses(id, port);
        port.addresses = addresses;
        segment.add_addresses(id, port);
    }

    /// A host's plugged interfaces, by index.
    pub fn ports(&self, host: Host) -> impl Iterator<Item = Port> {
        let ports = self.hosts.get(&host).into_iter().flatten();
        ports.map(|(interface, id)| {
            let port = &self.ports[id];
            Port { interface: *interface, segment: port.segment, addresses: port.addresses.clone() }
        })
    }

    /// A host's interface joins the group of mDNS of a family: multicasts reach members alone.
    ///
    /// # Errors
    ///
    /// `AddrNotAvailable` if the interface is not plugged in.
    pub fn join(&mut self, host: Host, interface: u32, family: Family) -> Result<(), ErrorKind> {
        let id = self.port_id(host, interface).ok_or(ErrorKind::AddrNotAvailable)?;
        let port = &self.ports[&id];
        self.segments[port.segment.0].members_mut(family).insert(id, port.owner);
        Ok(())
    }

    /// A host's interface leaves the group of mDNS of a family.
    pub fn leave(&mut self, host: Host, interface: u32, family: Family) {
        if let Some(id) = self.port_id(host, interface) {
            let segment = self.ports[&id].segment;
            self.segments[segment.0].members_mut(family).remove(&id);
        }
    }

    /// When [`Fabric::poll_arrival`] is next due: a datagram arrives then, or passes a device on its way.
    pub fn next_at(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    /// The next datagram that arrives by `now`. Poll until `None`; call [`Fabric::send`] with no earlier time
    /// than this.
    pub fn poll_arrival(&mut self, now: Instant) -> Option<Arrival> {
        while let Some(flight) = self.queue.pop(now) {
            if let Some(arrival) = self.land(flight) {
                return Some(arrival);
            }
        }
        None
    }

    /// How many datagrams are on their way, each counted for each receiver.
    pub fn in_flight(&self) -> usize {
        self.queue.len()
    }

    /// The faults that took effect so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What a host put on a segment so far, on all its interfaces there. Loopback is not on the segment.
    pub fn sent(&self, host: Host, segment: Segment) -> Sent {
        self.tap.sent(host, segment)
    }

    /// What each host put on each segment so far.
    pub fn all_sent(&self) -> impl Iterator<Item = (Host, Segment, Sent)> {
        self.tap.all_sent()
    }

    /// Keeps the last `limit` packets that anybody puts on a segment. 0, which is the default, keeps none.
    pub fn keep_seen(&mut self, limit: usize) {
        self.tap.keep(limit);
    }

    /// The packets kept since the last call, oldest first.
    pub fn take_seen(&mut self) -> VecDeque<Seen> {
        self.tap.take_seen()
    }

    /// By which outside address a NAT's inside address speaks to `remote`, if it did lately.
    pub fn mapped(&self, router: RouterId, inside: SocketAddr, remote: SocketAddr) -> Option<SocketAddr> {
        let table = self.routers[router.0].nat.as_ref()?;
        table.mapped(inside, remote).map(|port| SocketAddr::new(IpAddr::V4(table.nat.public), port))
    }

    fn attach(&mut self, owner: Owner, segment: Segment, addresses: Vec<InterfaceAddr>) -> PortId {
        let id = PortId(self.ports_made);
        self.ports_made += 1;
        let attachment = Attachment::new(owner, segment, addresses);
        self.segments[segment.0].add(id, &attachment);
        self.ports.insert(id, attachment);
        id
    }

    fn port_id(&self, host: Host, interface: u32) -> Option<PortId> {
        self.hosts.get(&host)?.get(&interface).copied()
    }

    /// Whether bridges join two segments, up or down.
    fn joined(&self, a: Segment, b: Segment, from: Option<PortId>) -> bool {
        let onward = self.segments[a.0].bridges.iter().filter(|bridge| Some(**bridge) != from);
        a == b
            || onward.into_iter().any(|bridge| {
                let far = self.far_end(*bridge);
                self.joined(self.ports[&far].segment, b, Some(far))
            })
    }
}
