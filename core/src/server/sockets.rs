//! The two sockets of a server, and what is heard on them.

use crate::config::Interfaces;
use crate::id::SocketId;
use crate::io::{Family, Interface, Opened, SocketSpec};
use std::collections::{BTreeSet, VecDeque};

/// Interfaces that are told apart. On further ones a server that is told which to hear is deaf, and one that is told
/// which not to hear is not.
const MAX_INTERFACES: usize = 4096;

/// One for each IP version, both on one port.
pub(super) struct Sockets {
    allowed: Interfaces,
    /// What was asked for, then what the first socket got.
    port: u16,
    open: Vec<(SocketId, SocketSpec)>,
    next: u32,
    requests: VecDeque<(SocketId, SocketSpec)>,
    /// Interfaces that are heard, where some are named; else those that are not.
    named: BTreeSet<u32>,
}

impl Sockets {
    /// Asks for IPv4's; IPv6 follows when its port is known.
    pub(super) fn new(allowed: Interfaces, port: u16) -> Self {
        let (open, requests, named) = (Vec::new(), VecDeque::new(), BTreeSet::new());
        let mut sockets = Self { allowed, port, open, next: 0, requests, named };
        sockets.ensure(Family::V4);
        sockets
    }

    /// The whole list of interfaces. A socket that failed is tried again.
    pub(super) fn handle_interfaces(&mut self, list: &[Interface]) {
        let is_named = |interface: &&Interface| match self.allowed.allow.is_empty() {
            true => self.allowed.denies(interface),
            false => self.allowed.uses(interface),
        };
        self.named = list.iter().filter(is_named).take(MAX_INTERFACES).map(|i| i.index).collect();
        self.ensure(Family::V4);
    }

    /// A socket was opened, or failed. What it was for.
    pub(super) fn handle_socket(&mut self, id: SocketId, opened: Option<&Opened>) -> Option<SocketSpec> {
        let at = self.open.iter().position(|(open, _)| *open == id)?;
        let spec = self.open[at].1;
        match opened {
            Some(opened) => self.port = opened.address.port(),
            None => drop(self.open.swap_remove(at)),
        }
        if let SocketSpec::Quic { family: Family::V4, .. } = spec {
            self.ensure(Family::V6);
        }
        Some(spec)
    }

    pub(super) fn poll_request(&mut self) -> Option<(SocketId, SocketSpec)> {
        self.requests.pop_front()
    }

    /// Whether what came in on an interface is heard.
    pub(super) fn hears(&self, interface: Option<u32>) -> bool {
        interface.is_none_or(|index| self.named.contains(&index) != self.allowed.allow.is_empty())
    }

    fn ensure(&mut self, family: Family) {
        let is_there =
            |spec: &SocketSpec| matches!(spec, SocketSpec::Quic { family: other, .. } if *other == family);
        if !self.open.iter().any(|(_, spec)| is_there(spec)) {
            let (id, spec) = (SocketId(self.next), SocketSpec::Quic { family, port: self.port });
            self.next += 1;
            self.open.push((id, spec));
            self.requests.push_back((id, spec));
        } else if family == Family::V4 && self.requests.is_empty() && self.port != 0 {
            self.ensure(Family::V6);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, index: u32) -> Interface {
        Interface { name: name.into(), index, loopback: name == "lo", addresses: Vec::new() }
    }

    #[test]
    fn both_families_get_one_port_and_one_that_failed_is_tried_again() {
        let mut sockets = Sockets::new(Interfaces::all(), 0);
        let v4 = SocketSpec::Quic { family: Family::V4, port: 0 };
        assert_eq!(sockets.poll_request(), Some((SocketId(0), v4)));
        let opened = Opened { address: "0.0.0.0:7777".parse().unwrap(), gso_segments: 1, shares_port: false };
        sockets.handle_socket(SocketId(0), Some(&opened));
        let v6 = SocketSpec::Quic { family: Family::V6, port: 7777 };
        assert_eq!(sockets.poll_request(), Some((SocketId(1), v6)));
        sockets.handle_socket(SocketId(1), None);
        sockets.handle_interfaces(&[]);
        assert_eq!((sockets.poll_request(), sockets.poll_request()), (Some((SocketId(2), v6)), None));
    }

    #[test]
    fn what_comes_in_on_an_interface_that_is_not_used_is_not_heard() {
        let list = [interface("lo", 1), interface("eth0", 2)];
        let heard = |interfaces: Interfaces| {
            let mut sockets = Sockets::new(interfaces, 0);
            sockets.handle_interfaces(&list);
            [Some(1), Some(2), None].map(|index| sockets.hears(index))
        };
        assert_eq!(heard(Interfaces::all()), [true, true, true]);
        assert_eq!(heard(Interfaces::only(["lo"])), [true, false, true]);
        assert_eq!(heard(Interfaces::all_but(["eth*"])), [true, false, true]);
    }
}
