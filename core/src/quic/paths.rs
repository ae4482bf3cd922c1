//! Which real address stands behind the address that QUIC is told.
//!
//! The one place that maps between the two, so that a peer may later be reached over several real paths
//! while QUIC sees a stable one. Each address stands for itself so far; what is made equal here are the
//! spellings of one address.

use crate::id::SocketId;
use crate::io::{Family, Interface};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Addresses of this machine that are known at a time. Of a machine with more none is ever taken for gone.
pub(super) const MAX_LOCALS: usize = 4096;

/// The QUIC sockets by family, and the machine's addresses.
#[derive(Default)]
pub(crate) struct Paths {
    v4: Option<Socket>,
    v6: Option<Socket>,
    locals: Locals,
}

/// The addresses that this machine has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Locals {
    all: BTreeSet<IpAddr>,
    /// There are so many that none is known.
    truncated: bool,
    interfaces: BTreeSet<u32>,
    /// Whether an interface leads out of the machine, for IPv4 and for IPv6.
    ways: [bool; 2],
}

impl Locals {
    /// The addresses of all interfaces, of which those that `is_used` says may be sent on.
    pub(crate) fn new(list: &[Interface], is_used: impl Fn(&Interface) -> bool) -> Self {
        let mut locals = Self::default();
        for interface in list.iter().take(MAX_LOCALS) {
            locals.interfaces.insert(interface.index);
            for ip in interface.addresses.iter().map(|address| address.ip) {
                locals.all.insert(ip);
                let leads_out = !interface.loopback && !ip.is_loopback() && is_used(interface);
                locals.ways[usize::from(ip.is_ipv6())] |= leads_out;
            }
        }
        locals.truncated = list.len() > MAX_LOCALS || locals.all.len() > MAX_LOCALS;
        if locals.truncated {
            locals.all.clear();
        }
        locals
    }

    fn has(&self, ip: IpAddr) -> bool {
        self.truncated || ip.is_loopback() || self.all.contains(&ip)
    }
}

/// How the machine's addresses stand to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The address that it uses is there.
    Here,
    /// That is gone, and there are others.
    Elsewhere,
    /// It led over one interface alone, which is gone, and there are others.
    Nowhere,
    /// No interface leads anywhere.
    CutOff,
}

/// An open QUIC socket.
#[derive(Clone, Copy)]
pub(crate) struct Socket {
    pub(crate) id: SocketId,
    pub(crate) local: SocketAddr,
    pub(crate) gso_segments: usize,
}

impl Paths {
    /// A socket was opened.
    pub(crate) fn open(&mut self, socket: Socket) {
        *self.of(Family::of(socket.local.ip())) = Some(socket);
    }

    /// A socket is gone. Whether it was one of QUIC's.
    pub(crate) fn close(&mut self, id: SocketId) -> bool {
        let mut closed = false;
        for slot in [&mut self.v4, &mut self.v6] {
            if slot.is_some_and(|socket| socket.id == id) {
                *slot = None;
                closed = true;
            }
        }
        closed
    }

    /// The socket that reaches `remote`.
    pub(crate) fn to(&self, remote: SocketAddr) -> Option<Socket> {
        match Family::of(remote.ip()) {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// The open sockets.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = Socket> {
        [self.v4, self.v6].into_iter().flatten()
    }

    /// Takes the machine's addresses. Whether they are others than before.
    pub(crate) fn set_locals(&mut self, locals: Locals) -> bool {
        let changed = self.locals != locals;
        self.locals = locals;
        changed
    }

    /// How they stand to a connection that uses the address `local`, where that is known.
    pub(crate) fn standing(&self, local: Option<IpAddr>, remote: SocketAddr) -> Standing {
        let scope = match remote {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
            _ => None,
        };
        let has_scope = scope.is_none_or(|scope| self.locals.interfaces.contains(&scope));
        let has_way = self.locals.ways[usize::from(remote.is_ipv6())];
        match local {
            None => Standing::Here,
            Some(local) if self.locals.truncated || self.locals.has(local) && has_scope => Standing::Here,
            Some(_) if !has_way => Standing::CutOff,
            Some(_) if has_scope => Standing::Elsewhere,
            Some(_) => Standing::Nowhere,
        }
    }

    /// The source address to send from: none that is gone, which would lose all that is sent from it.
    pub(crate) fn source(&self, wanted: Option<IpAddr>) -> Option<IpAddr> {
        // A machine that tells of no address at all has some.
        wanted.filter(|ip| self.locals.all.is_empty() || self.locals.has(*ip))
    }

    /// How many of the machine's addresses are known.
    pub(crate) fn known_locals(&self) -> usize {
        self.locals.all.len()
    }

    /// The one spelling of a peer's address that QUIC is told: no IPv4 in IPv6, no flow label, and a scope
    /// for link-local addresses alone.
    pub(crate) fn canonical(remote: SocketAddr) -> SocketAddr {
        let SocketAddr::V6(v6) = remote else { return remote };
        match v6.ip().to_canonical() {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), v6.port()),
            IpAddr::V6(ip) => {
                let scope = if ip.is_unicast_link_local() { v6.scope_id() } else { 0 };
                SocketAddrV6::new(ip, v6.port(), 0, scope).into()
            }
        }
    }

    fn of(&mut self, family: Family) -> &mut Option<Socket> {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::InterfaceAddr;

    fn interface(index: u32, ips: &[&str]) -> Interface {
        let addresses = ips.iter().map(|ip| InterfaceAddr { ip: ip.parse().unwrap(), prefix: 24 }).collect();
        Interface { name: format!("eth{index}"), index, loopback: index == 1, addresses }
    }

    fn standing(list: &[Interface], local: &str, remote: &str) -> Standing {
        let mut paths = Paths::default();
        paths.set_locals(Locals::new(list, |interface| interface.index != 9));
        paths.standing(Some(local.parse().unwrap()), remote.parse().unwrap())
    }

    #[test]
    fn a_connection_stands_where_its_address_is_and_its_interface() {
        let lo = || interface(1, &["127.0.0.1", "::1"]);
        let (v4, remote) = ("192.0.2.1", "192.0.2.9:1");
        assert_eq!(standing(&[lo(), interface(2, &[v4])], v4, remote), Standing::Here);
        assert_eq!(standing(&[lo()], v4, remote), Standing::CutOff);
        assert_eq!(standing(&[lo(), interface(3, &["198.51.100.1"])], v4, remote), Standing::Elsewhere);
        // Another family leads nowhere, and nor does an interface that is not to be used.
        assert_eq!(standing(&[interface(3, &["2001:db8::1"])], v4, remote), Standing::CutOff);
        assert_eq!(standing(&[interface(9, &["172.17.0.1"])], v4, remote), Standing::CutOff);
        assert_eq!(standing(&[], v4, remote), Standing::CutOff);
        assert_eq!(standing(&[lo()], "127.0.0.2", "127.0.0.1:1"), Standing::Here);
        let local = [interface(3, &["fe80::1"])];
        assert_eq!(standing(&local, "fe80::1", "[fe80::2%3]:1"), Standing::Here);
        assert_eq!(standing(&local, "fe80::1", "[fe80::2%2]:1"), Standing::Nowhere);
    }

    #[test]
    fn a_source_that_is_gone_is_not_sent_from() {
        let mut paths = Paths::default();
        let (here, gone) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        assert_eq!(paths.source(gone), gone);
        assert!(paths.set_locals(Locals::new(&[interface(2, &["192.0.2.1"])], |_| true)));
        assert_eq!((paths.source(here), paths.source(gone)), (here, None));
    }

    #[test]
    fn a_machine_with_more_addresses_than_are_known_loses_none() {
        let ips: Vec<String> = (0..=MAX_LOCALS).map(|n| format!("10.0.{}.{}", n >> 8, n & 255)).collect();
        let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
        assert_eq!(standing(&[interface(2, &ips)], "192.0.2.1", "192.0.2.9:1"), Standing::Here);
    }

    #[test]
    fn one_address_has_one_spelling() {
        for (spelled, canonical) in [
            ("[::ffff:192.0.2.1]:7", "192.0.2.1:7"),
            ("[fe80::1%3]:7", "[fe80::1%3]:7"),
            ("[2001:db8::1%3]:7", "[2001:db8::1]:7"),
            ("192.0.2.1:7", "192.0.2.1:7"),
        ] {
            let (spelled, canonical) = (spelled.parse().unwrap(), canonical.parse().unwrap());
            assert_eq!(Paths::canonical(spelled), canonical);
        }
    }
}
