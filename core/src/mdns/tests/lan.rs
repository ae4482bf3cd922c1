//! The link: everybody hears every multicast, the sender too.

use super::*;
use crate::mdns::guard;
use crate::mdns::parse::{Message, Query};
use crate::mdns::records::{Data, Record, Share, Srv, Ttl};
use bytes::BytesMut;
use std::net::Ipv4Addr;

pub(super) const SOCKET: SocketId = SocketId(1);
pub(super) const INTERFACE: u32 = 2;
/// A second segment, where only those are that joined it.
pub(super) const OTHER_SOCKET: SocketId = SocketId(2);
pub(super) const OTHER_INTERFACE: u32 = 3;

/// Whether each node is a machine of its own, or all share 127.0.0.1 and its port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Ethernet,
    Loopback,
}

/// A datagram that some node sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Duration,
    pub(super) by: usize,
    /// Which segment it was sent on: all nodes have the same ids for their sockets.
    pub(super) on: SocketId,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

impl Sent {
    pub(super) fn message(&self) -> Message {
        read(&self.bytes)
    }

    pub(super) fn query(&self) -> Option<Query> {
        match self.message() {
            Message::Query(query) => Some(query),
            Message::Response(_) => None,
        }
    }

    pub(super) fn records(&self) -> Vec<Record> {
        match self.message() {
            Message::Query(_) => Vec::new(),
            Message::Response(records) => records,
        }
    }

    pub(super) fn is_multicast(&self) -> bool {
        self.to == SocketAddr::new(GROUP_V4.into(), PORT)
    }
}

pub(super) fn read(bytes: &[u8]) -> Message {
    let mut safe = Vec::new();
    let head = guard::head(bytes).unwrap();
    guard::scan(bytes, &head, &mut safe, |_, _| true).unwrap();
    parse::parse(&head, &safe).unwrap()
}

pub(super) struct Lan {
    base: Instant,
    pub(super) now: Duration,
    place: Place,
    /// Whether nodes that come find the port taken.
    pub(super) shares_port: bool,
    pub(super) nodes: Vec<Mdns>,
    pub(super) events: Vec<Vec<(Duration, Event)>>,
    pub(super) sent: Vec<Sent>,
    /// The nodes of the second segment.
    others: BTreeSet<usize>,
    /// Whether everything that is said on one segment is heard on the other as well.
    pub(super) is_bridged: bool,
    /// Whether a datagram is lost on its way to a node.
    #[expect(clippy::type_complexity, reason = "it is named by its field")]
    pub(super) is_lost: Box<dyn FnMut(&Sent, usize) -> bool>,
}

impl Lan {
    pub(super) fn ethernet() -> Self {
        Self::at(Place::Ethernet)
    }

    pub(super) fn loopback() -> Self {
        Self::at(Place::Loopback)
    }

    fn at(place: Place) -> Self {
        Self {
            base: base(),
            now: Duration::ZERO,
            place,
            shares_port: false,
            nodes: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
            others: BTreeSet::new(),
            is_bridged: false,
            is_lost: Box::new(|_, _| false),
        }
    }

    pub(super) fn time(&self) -> Instant {
        self.base + self.now
    }

    pub(super) fn ip(&self, node: usize) -> Ipv4Addr {
        match self.place {
            Place::Ethernet => Ipv4Addr::new(10, 0, 0, node as u8 + 1),
            Place::Loopback => Ipv4Addr::LOCALHOST,
        }
    }

    pub(super) fn addresses(&self, node: usize) -> Vec<InterfaceAddr> {
        vec![InterfaceAddr {
            ip: self.ip(node).into(),
            prefix: if self.place == Place::Ethernet { 24 } else { 8 },
        }]
    }

    /// A node without any wish.
    pub(super) fn silent_node(&mut self) -> usize {
        let node = self.nodes.len();
        let mut mdns = Mdns::new(Limits { cached_records: 64 }, rng(node as u8 + 1));
        let addresses = self.addresses(node);
        let link = Link {
            socket: SOCKET,
            family: Family::V4,
            interface: INTERFACE,
            addresses,
            shares_port: self.shares_port,
        };
        mdns.handle_link_up(self.time(), link);
        self.nodes.push(mdns);
        self.events.push(Vec::new());
        node
    }

    /// A node that publishes itself and looks for others.
    pub(super) fn node(&mut self) -> usize {
        let node = self.silent_node();
        let now = self.time();
        self.nodes[node].publish(now, ServiceId(0), service(node));
        self.nodes[node].browse(now, kind().into()).unwrap();
        node
    }

    /// An address on the second segment.
    pub(super) fn other_ip(&self, node: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 1, 0, node as u8 + 1)
    }

    /// A node joins the second segment.
    pub(super) fn join_other(&mut self, node: usize) {
        let addresses = vec![InterfaceAddr { ip: self.other_ip(node).into(), prefix: 24 }];
        let (socket, interface) = (OTHER_SOCKET, OTHER_INTERFACE);
        let now = self.time();
        self.others.insert(node);
        self.nodes[node].handle_link_up(
            now,
            Link { socket, family: Family::V4, interface, addresses, shares_port: false },
        );
    }

    /// A stranger's datagram, to the group of the second segment.
    pub(super) fn inject_other(&mut self, from: SocketAddr, bytes: &[u8]) {
        for node in self.others.clone() {
            self.deliver_on(OTHER_SOCKET, node, from, GROUP_V4.into(), bytes);
        }
    }

    /// A stranger's datagram, to the group.
    pub(super) fn inject(&mut self, from: SocketAddr, bytes: &[u8]) {
        for node in 0..self.nodes.len() {
            self.deliver(node, from, GROUP_V4.into(), bytes);
        }
    }

    pub(super) fn deliver(&mut self, node: usize, from: SocketAddr, to: IpAddr, bytes: &[u8]) {
        self.deliver_on(SOCKET, node, from, to, bytes);
    }

    fn deliver_on(&mut self, socket: SocketId, node: usize, from: SocketAddr, to: IpAddr, bytes: &[u8]) {
        let rx = Received {
            socket,
            interface: Some(if socket == SOCKET { INTERFACE } else { OTHER_INTERFACE }),
            source: from,
            destination: Some(to),
            ecn: None,
            stride: bytes.len().max(1),
            payload: BytesMut::from(bytes),
        };
        let now = self.time();
        self.nodes[node].handle_datagram(now, &rx);
    }

    /// Lets time pass; whatever the engines want happens in its order.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..200_000 {
            self.flush();
            let next = self.nodes.iter().filter_map(Mdns::poll_timeout).min();
            let next = next.map_or(end, |deadline| deadline.at.saturating_duration_since(self.base));
            if next >= end {
                self.now = end;
                return;
            }
            assert!(next >= self.now || self.now < end, "a deadline in the past");
            self.now = self.now.max(next);
            let now = self.time();
            self.nodes.iter_mut().for_each(|node| node.handle_timeout(now));
        }
        panic!("the engines never rest");
    }

    pub(super) fn run_until(&mut self, limit: Duration, mut is_so: impl FnMut(&Self) -> bool) -> Duration {
        let start = self.now;
        while !is_so(self) {
            assert!(self.now < start + limit, "it did not happen in {limit:?}");
            self.run_for(millis(1));
        }
        self.now - start
    }

    fn flush(&mut self) {
        loop {
            let mut out = Vec::new();
            let now = self.time();
            for (by, node) in self.nodes.iter_mut().enumerate() {
                let mut bytes = Vec::new();
                while let Some(transmit) = node.poll_transmit(now, &mut bytes) {
                    let bytes = std::mem::take(&mut bytes);
                    let (on, to) = (transmit.socket, transmit.destination);
                    out.push(Sent { at: self.now, by, on, to, bytes });
                }
                while let Some(event) = node.poll_event() {
                    self.events[by].push((self.now, event));
                }
            }
            if out.is_empty() {
                return;
            }
            for sent in out {
                self.carry(&sent);
                self.sent.push(sent);
            }
        }
    }

    fn carry(&mut self, sent: &Sent) {
        let ip = if sent.on == SOCKET { self.ip(sent.by) } else { self.other_ip(sent.by) };
        let from = SocketAddr::new(ip.into(), PORT);
        let mut hearers: Vec<(SocketId, usize)> = Vec::new();
        for (socket, nodes) in
            [(SOCKET, (0..self.nodes.len()).collect()), (OTHER_SOCKET, self.others.clone())]
        {
            let is_there = socket == sent.on || (self.is_bridged && sent.is_multicast());
            let hears = |lan: &Self, node: usize| {
                let own = if socket == SOCKET { lan.ip(node) } else { lan.other_ip(node) };
                is_there && (sent.is_multicast() || sent.to.ip() == own)
            };
            hearers.extend(nodes.into_iter().filter(|node| hears(self, *node)).map(|node| (socket, node)));
        }
        if !sent.is_multicast() {
            // One socket alone gets a unicast to a shared port.
            hearers.truncate(1);
        }
        for (socket, node) in hearers {
            if !(self.is_lost)(sent, node) {
                self.deliver_on(socket, node, from, sent.to.ip(), &sent.bytes);
            }
        }
    }

    /// What a node sees now, by its events.
    pub(super) fn seen(&self, node: usize) -> Vec<Instance> {
        let mut seen: BTreeMap<Label, Instance> = BTreeMap::new();
        for (_, event) in &self.events[node] {
            match event {
                Event::Found(instance) => {
                    assert!(seen.insert(instance.name.clone(), instance.clone()).is_none(), "found twice");
                }
                Event::Updated(instance) => {
                    assert!(seen.insert(instance.name.clone(), instance.clone()).is_some(), "never found");
                }
                Event::Lost { instance, .. } => assert!(seen.remove(instance).is_some(), "never found"),
                Event::Conflict(_)
                | Event::Published { .. }
                | Event::Renamed { .. }
                | Event::Unnamed { .. } => {}
            }
        }
        seen.into_values().collect()
    }

    pub(super) fn sees(&self, node: usize, other: usize) -> bool {
        self.seen(node).iter().any(|instance| instance.name == label(other))
    }
}

pub(super) fn kind() -> ServiceType {
    ServiceType::udp(&ServiceName::new("test").unwrap())
}

pub(super) fn label(node: usize) -> Label {
    Label::new(&format!("node-{node}")).unwrap()
}

pub(super) fn txt(value: &str) -> Txt {
    Txt::encode([("k", crate::wire::txt::Value::Octets(value.as_bytes()))]).unwrap()
}

pub(super) fn service(node: usize) -> Service {
    Service {
        kind: kind(),
        subtypes: Vec::new(),
        instance: label(node),
        naming: Naming::Hashed,
        host: label(node),
        port: 4000 + node as u16,
        txt: txt("v"),
    }
}

/// A service whose name somebody else may want as well.
pub(super) fn chosen(node: usize, name: &str) -> Service {
    Service { instance: Label::new(name).unwrap(), naming: Naming::Chosen, ..service(node) }
}

pub(super) fn chosen_name(name: &str) -> Name {
    kind().instance(&Label::new(name).unwrap())
}

pub(super) fn instance_name(node: usize) -> Name {
    kind().instance(&label(node))
}

pub(super) fn host_name(node: usize) -> Name {
    service(node).host_name()
}

pub(super) fn record(name: Name, share: Share, data: Data) -> Record {
    let ttl = if matches!(data, Data::Ptr(_) | Data::Txt(_)) { Ttl::OTHER } else { Ttl::HOST };
    Record { name, ttl, share, data }
}

/// What `node` would say of its kind.
pub(super) fn ptr(node: usize) -> Record {
    record(kind().name().clone(), Share::Shared, Data::Ptr(instance_name(node)))
}

pub(super) fn srv(node: usize) -> Data {
    Data::Srv(Srv { priority: 0, weight: 0, port: 4000 + node as u16, target: host_name(node) })
}
