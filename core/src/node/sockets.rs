//! Which sockets must exist, from the interfaces that there are.
//!
//! QUIC has one for each IP version, both on one port, since an SRV record has room for one. mDNS has one
//! for each usable interface and IP version.

use crate::config::Interfaces;
use crate::id::SocketId;
use crate::io::{Family, Interface, InterfaceAddr, Opened, SocketSpec};
use crate::table::Table;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

/// Interfaces that are used at a time. Further ones of the driver's list are left out.
pub(super) const MAX_INTERFACES: usize = 128;
/// Addresses that are heeded of one interface: far more than an interface has.
const MAX_ADDRESSES: usize = 256;
/// Interfaces whose datagrams are not heard since they are denied: a machine with many containers has a few hundred.
/// On further ones of the driver's list QUIC is heard, though mDNS is not spoken.
const MAX_DENIED: usize = 4096;
/// One for QUIC of each IP version; one for mDNS of each interface and IP version.
pub(super) const MAX_SOCKETS: usize = 2 + 2 * MAX_INTERFACES;

/// A QUIC socket that stops working is opened anew so often until the interfaces change: one that fails for good would
/// keep the driver busy with nothing else.
const MAX_REOPENED: u8 = 8;

/// What the driver shall do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Open(SocketId, SocketSpec),
    Close(SocketId),
}

/// The sockets and the interfaces that they follow from.
pub(super) struct Sockets {
    allowed: Interfaces,
    /// The interfaces that are in use.
    interfaces: Vec<Interface>,
    /// The indices of those that are there and shall not be used.
    denied: BTreeSet<u32>,
    sockets: BTreeMap<SocketId, Socket>,
    next: u32,
    /// What was asked for, then what the first QUIC socket got.
    port: u16,
    requests: VecDeque<Request>,
    /// Whether there are to be sockets of mDNS.
    mdns_on: bool,
    /// Whether mDNS's port was somebody else's before it was ours.
    shares_port: bool,
    /// QUIC sockets that were opened anew since the interfaces changed.
    reopened: u8,
}

struct Socket {
    spec: SocketSpec,
    open: bool,
}

impl Sockets {
    /// Asks for QUIC's IPv4 socket; IPv6 follows when its port is known.
    pub(super) fn new(allowed: Interfaces, port: u16, mdns_on: bool) -> Self {
        let mut sockets = Self {
            allowed,
            interfaces: Vec::new(),
            denied: BTreeSet::new(),
            sockets: BTreeMap::new(),
            next: 0,
            port,
            requests: VecDeque::new(),
            mdns_on,
            shares_port: false,
            reopened: 0,
        };
        sockets.open(SocketSpec::Quic { family: Family::V4, port });
        sockets
    }

    /// The whole list of interfaces. Returns the sockets that are gone.
    pub(super) fn handle_interfaces(&mut self, list: &[Interface]) -> Vec<SocketId> {
        self.interfaces =
            list.iter().filter(|i| self.allowed.uses(i)).take(MAX_INTERFACES).cloned().collect();
        let denied = list.iter().filter(|i| self.allowed.denies(i)).take(MAX_DENIED);
        self.denied = denied.map(|i| i.index).collect();
        for interface in &mut self.interfaces {
            interface.addresses.truncate(MAX_ADDRESSES);
        }
        let stale = self.follow();
        // One that failed is tried again when something changed.
        self.reopened = 0;
        self.ensure_quic();
        stale
    }

    /// Whether there are to be sockets of mDNS. Returns those that are gone.
    pub(super) fn set_mdns(&mut self, on: bool) -> Vec<SocketId> {
        self.mdns_on = on;
        self.follow()
    }

    /// Opens and closes what follows from the interfaces. Returns the sockets that are gone.
    fn follow(&mut self) -> Vec<SocketId> {
        let heard = if self.mdns_on { self.interfaces.as_slice() } else { &[] };
        let wanted: Vec<SocketSpec> = heard.iter().flat_map(mdns_specs).collect();
        let is_stale = |spec: &SocketSpec| matches!(spec, SocketSpec::Mdns { .. }) && !wanted.contains(spec);
        let stale: Vec<SocketId> =
            self.sockets.iter().filter(|(_, socket)| is_stale(&socket.spec)).map(|(id, _)| *id).collect();
        for id in &stale {
            self.sockets.remove(id);
            let is_asked = |r: &Request| matches!(r, Request::Open(asked, _) if asked == id);
            match self.requests.iter().position(is_asked) {
                // The driver has not heard of it.
                Some(at) => drop(self.requests.remove(at)),
                None => self.requests.push_back(Request::Close(*id)),
            }
        }
        for spec in wanted {
            self.ensure(spec);
        }
        stale
    }

    /// A socket was opened, or failed. What it was for; `None` for one that is no longer wanted.
    pub(super) fn handle_socket(&mut self, id: SocketId, opened: Option<&Opened>) -> Option<SocketSpec> {
        // Our own sockets share the port as well, and each knows what to do with what the others get.
        let is_first = self.mdns().next().is_none();
        let socket = self.sockets.get_mut(&id)?;
        let spec = socket.spec;
        match opened {
            Some(opened) => {
                socket.open = true;
                match spec {
                    SocketSpec::Quic { .. } => self.port = opened.address.port(),
                    SocketSpec::Mdns { .. } if is_first => self.shares_port = opened.shares_port,
                    SocketSpec::Mdns { .. } => {}
                }
            }
            None => {
                let was_open = socket.open;
                self.sockets.remove(&id);
                if let SocketSpec::Quic { family, .. } = spec
                    && was_open
                    && self.reopened < MAX_REOPENED
                {
                    self.reopened += 1;
                    // Connections know the port that it had.
                    self.open(SocketSpec::Quic { family, port: self.port });
                }
            }
        }
        if matches!(spec, SocketSpec::Quic { family: Family::V4, .. }) {
            self.ensure(SocketSpec::Quic { family: Family::V6, port: self.port });
        }
        Some(spec)
    }

    pub(super) fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// What a socket is for.
    pub(super) fn spec(&self, id: SocketId) -> Option<SocketSpec> {
        self.sockets.get(&id).map(|socket| socket.spec)
    }

    /// The port that QUIC listens on, once it is known.
    pub(super) fn quic_port(&self) -> Option<u16> {
        let is_quic = |s: &Socket| s.open && matches!(s.spec, SocketSpec::Quic { .. });
        self.sockets.values().any(is_quic).then_some(self.port)
    }

    /// The interfaces in use.
    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The addresses of an interface in use.
    pub(super) fn addresses(&self, interface: u32) -> Vec<InterfaceAddr> {
        let found = self.interfaces.iter().find(|i| i.index == interface);
        found.map(|i| i.addresses.clone()).unwrap_or_default()
    }

    /// Whether unicasts to mDNS's port may go to somebody else.
    pub(super) fn shares_port(&self) -> bool {
        self.shares_port
    }

    /// The open mDNS sockets and their interfaces.
    pub(super) fn mdns(&self) -> impl Iterator<Item = (SocketId, u32)> {
        self.sockets.iter().filter(|(_, socket)| socket.open).filter_map(|(id, socket)| match socket.spec {
            SocketSpec::Mdns { interface, .. } => Some((*id, interface)),
            SocketSpec::Quic { .. } => None,
        })
    }

    /// Whether datagrams that came in on an interface are heard. Where the operating system does not tell
    /// the interface, they are. So are, unless interfaces are allowed by name, those on loopback: what this
    /// machine sends to an address of its own comes in there.
    pub(super) fn hears(&self, interface: Option<u32>) -> bool {
        let Some(index) = interface else { return true };
        if self.allowed.allow.is_empty() {
            !self.denied.contains(&index)
        } else {
            self.interfaces.iter().any(|i| i.index == index)
        }
    }

    /// How full its tables are.
    pub(super) fn tables(&self) -> [Table; 5] {
        let addresses = self.interfaces.iter().map(|interface| interface.addresses.len());
        [
            Table::new("node: interfaces", self.interfaces.len(), MAX_INTERFACES),
            Table::fullest("node: addresses of an interface", addresses, MAX_ADDRESSES),
            Table::new("node: interfaces denied", self.denied.len(), MAX_DENIED),
            Table::new("node: sockets", self.sockets.len(), MAX_SOCKETS),
            // To open those, and to close as many that were there before.
            Table::new("node: sockets to open or close", self.requests.len(), 2 * MAX_SOCKETS),
        ]
    }

    fn ensure_quic(&mut self) {
        let has =
            |family| move |s: &Socket| matches!(s.spec, SocketSpec::Quic { family: f, .. } if f == family);
        if !self.sockets.values().any(has(Family::V4)) {
            self.open(SocketSpec::Quic { family: Family::V4, port: self.port });
        } else if !self.sockets.values().any(has(Family::V6)) && self.quic_port().is_some() {
            self.open(SocketSpec::Quic { family: Family::V6, port: self.port });
        }
    }

    fn ensure(&mut self, spec: SocketSpec) {
        if !self.sockets.values().any(|socket| socket.spec == spec) {
            self.open(spec);
        }
    }

    fn open(&mut self, spec: SocketSpec) {
        let id = SocketId(self.next);
        self.next += 1;
        self.sockets.insert(id, Socket { spec, open: false });
        self.requests.push_back(Request::Open(id, spec));
    }
}

/// At most one socket for each IP version that the interface has an address of.
fn mdns_specs(interface: &Interface) -> impl Iterator<Item = SocketSpec> {
    let index = interface.index;
    let v4 = interface.addresses.iter().map(|a| a.ip).find(IpAddr::is_ipv4);
    // Link-local is what the group's scope is. RFC 6762 §11, RFC 4007 §6.
    let v6s = || interface.addresses.iter().map(|a| a.ip).filter(IpAddr::is_ipv6);
    let v6 = v6s().find(is_link_local).or_else(|| v6s().next());
    let spec =
        move |source: IpAddr| SocketSpec::Mdns { family: Family::of(source), interface: index, source };
    v4.into_iter().chain(v6).map(spec)
}

fn is_link_local(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, index: u32, ips: &[&str]) -> Interface {
        let addresses = ips.iter().map(|ip| InterfaceAddr { ip: ip.parse().unwrap(), prefix: 24 }).collect();
        Interface { name: name.into(), index, loopback: name == "lo", addresses }
    }

    fn requests(sockets: &mut Sockets) -> Vec<Request> {
        std::iter::from_fn(|| sockets.poll_request()).collect()
    }

    fn opened(address: &str) -> Opened {
        Opened { address: address.parse().unwrap(), gso_segments: 1, shares_port: false }
    }

    #[test]
    fn ipv6_is_opened_on_the_port_that_ipv4_got() {
        let mut sockets = Sockets::new(Interfaces::all(), 0, true);
        let v4 = SocketSpec::Quic { family: Family::V4, port: 0 };
        assert_eq!(requests(&mut sockets), [Request::Open(SocketId(0), v4)]);
        sockets.handle_socket(SocketId(0), Some(&opened("0.0.0.0:7777")));
        let v6 = SocketSpec::Quic { family: Family::V6, port: 7777 };
        assert_eq!(requests(&mut sockets), [Request::Open(SocketId(1), v6)]);
        assert_eq!(sockets.quic_port(), Some(7777));
    }

    #[test]
    fn a_host_without_ipv4_still_gets_ipv6() {
        let mut sockets = Sockets::new(Interfaces::all(), 5223, true);
        requests(&mut sockets);
        sockets.handle_socket(SocketId(0), None);
        let v6 = SocketSpec::Quic { family: Family::V6, port: 5223 };
        assert_eq!(requests(&mut sockets), [Request::Open(SocketId(1), v6)]);
    }

    #[test]
    fn a_quic_socket_that_stops_working_is_opened_anew_on_its_port_but_not_without_end() {
        let mut sockets = Sockets::new(Interfaces::all(), 0, true);
        sockets.handle_socket(SocketId(0), Some(&opened("0.0.0.0:40000")));
        requests(&mut sockets);
        let again = Request::Open(SocketId(2), SocketSpec::Quic { family: Family::V4, port: 40000 });
        sockets.handle_socket(SocketId(0), None);
        assert_eq!(requests(&mut sockets), [again]);
        for n in 2..100 {
            sockets.handle_socket(SocketId(n), Some(&opened("0.0.0.0:40000")));
            sockets.handle_socket(SocketId(n), None);
        }
        assert_eq!(requests(&mut sockets).len(), 7);
        // One that could not be opened at all waits for a change.
        sockets.handle_interfaces(&[]);
        assert_eq!(requests(&mut sockets).len(), 1);
        sockets.handle_socket(SocketId(10), None);
        assert_eq!(requests(&mut sockets), []);
    }

    #[test]
    fn each_interface_has_one_mdns_socket_for_each_family_and_loses_them_with_its_addresses() {
        let mut sockets = Sockets::new(Interfaces::all(), 0, true);
        requests(&mut sockets);
        let eth = interface("eth0", 2, &["192.0.2.1", "2001:db8::1", "fe80::1"]);
        assert_eq!(sockets.handle_interfaces(&[eth, interface("lo", 1, &["127.0.0.1"])]), []);
        let v4 = SocketSpec::Mdns { family: Family::V4, interface: 2, source: "192.0.2.1".parse().unwrap() };
        let v6 = SocketSpec::Mdns { family: Family::V6, interface: 2, source: "fe80::1".parse().unwrap() };
        let (a, b) = (SocketId(1), SocketId(2));
        assert_eq!(requests(&mut sockets), [Request::Open(a, v4), Request::Open(b, v6)]);
        assert_eq!(sockets.handle_interfaces(&[]), [a, b]);
        assert_eq!(requests(&mut sockets), [Request::Close(a), Request::Close(b)]);
    }

    #[test]
    fn the_first_socket_of_mdns_says_whether_somebody_else_had_the_port() {
        for shares_port in [false, true] {
            let mut sockets = Sockets::new(Interfaces::all(), 0, true);
            let eth = interface("eth0", 2, &["192.0.2.1", "fe80::1"]);
            sockets.handle_interfaces(std::slice::from_ref(&eth));
            let first = Opened { shares_port, ..opened("0.0.0.0:5353") };
            sockets.handle_socket(SocketId(1), Some(&first));
            // It shares the port with the first.
            let second = Opened { shares_port: true, ..opened("[::]:5353") };
            sockets.handle_socket(SocketId(2), Some(&second));
            assert_eq!(sockets.shares_port(), shares_port);
            // All are gone, and others come.
            sockets.handle_interfaces(&[]);
            sockets.handle_interfaces(&[eth]);
            let again = Opened { shares_port: !shares_port, ..first };
            sockets.handle_socket(SocketId(3), Some(&again));
            assert_eq!(sockets.shares_port(), !shares_port);
        }
    }

    #[test]
    fn interfaces_that_flap_leave_nothing_to_open_or_close() {
        let mut sockets = Sockets::new(Interfaces::all(), 0, true);
        requests(&mut sockets);
        for n in 0..1000 {
            sockets.handle_interfaces(&[interface("eth0", n, &["192.0.2.1", "fe80::1"])]);
        }
        assert_eq!(requests(&mut sockets).len(), 2);
        let many: Vec<_> = (0..1000).map(|n| interface("veth", n, &["192.0.2.1", "fe80::1"])).collect();
        sockets.handle_interfaces(&many);
        assert!(sockets.tables().iter().all(|table| table.len <= table.bound), "{:?}", sockets.tables());
    }

    #[test]
    fn with_named_interfaces_no_other_is_heard() {
        let mut sockets = Sockets::new(Interfaces::only(["lo"]), 0, true);
        sockets
            .handle_interfaces(&[interface("eth0", 2, &["192.0.2.1"]), interface("lo", 1, &["127.0.0.1"])]);
        assert!(sockets.hears(Some(1)) && sockets.hears(None) && !sockets.hears(Some(2)));
    }

    #[test]
    fn a_denied_interface_has_no_socket_and_is_not_heard_until_it_is_another() {
        let mut sockets = Sockets::new(Interfaces::all_but(["docker*"]), 0, true);
        requests(&mut sockets);
        let list = |docker: &str| {
            let docker = interface(docker, 3, &["172.17.0.1"]);
            [interface("eth0", 2, &["192.0.2.1"]), docker, interface("lo", 1, &["127.0.0.1"])]
        };
        sockets.handle_interfaces(&list("docker0"));
        assert_eq!(requests(&mut sockets).len(), 1, "one for eth0");
        assert!(sockets.hears(Some(2)) && !sockets.hears(Some(3)) && sockets.hears(Some(1)));
        sockets.handle_interfaces(&list("eth1"));
        assert!(sockets.hears(Some(3)), "the number is in use for something else");
    }
}
