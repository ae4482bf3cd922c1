//! Which real address stands behind the address that QUIC is told.
//!
//! The one place that maps between the two, so that a peer may later be reached over several real paths
//! while QUIC sees a stable one. Each address stands for itself so far; what is made equal here are the
//! spellings of one address.

use crate::id::SocketId;
use crate::io::Family;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// The QUIC sockets by family.
#[derive(Default)]
pub(crate) struct Paths {
    v4: Option<Socket>,
    v6: Option<Socket>,
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
