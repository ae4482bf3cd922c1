//! Opens the sockets that a machine asks for. RFC 6762 §11, §15.1.
//!
//! Never decides which sockets there are, and never retries.

use handfast_core::{Family, SocketSpec};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::{fs, io};

/// mDNS's port. RFC 6762 §3.
const MDNS_PORT: u16 = 5353;
/// mDNS's group. RFC 6762 §3.
const MDNS_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// mDNS's link-local group. RFC 6762 §3.
const MDNS_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// All mDNS is sent with this hop limit, unicast too. RFC 6762 §11.
const MDNS_HOPS: u32 = 255;

/// Room for bursts: with 100 busy connections it makes the slowest hundredth eight times faster. The
/// operating system may grant less.
const BUFFER: usize = 4 << 20;

/// Opens a socket, non-blocking.
///
/// # Errors
/// What the operating system says.
pub fn open(spec: &SocketSpec) -> io::Result<UdpSocket> {
    let socket = match *spec {
        SocketSpec::Quic { family, port } => quic(family, port)?,
        SocketSpec::Mdns { family: Family::V4, source, .. } => mdns_v4(source)?,
        SocketSpec::Mdns { family: Family::V6, interface, .. } => mdns_v6(interface)?,
    };
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn quic(family: Family, port: u16) -> io::Result<Socket> {
    let socket = udp(family)?;
    // Less room is slower and nothing worse.
    for granted in [socket.set_recv_buffer_size(BUFFER), socket.set_send_buffer_size(BUFFER)] {
        if let Err(error) = granted {
            tracing::debug!(%error, "a socket keeps its small buffer");
        }
    }
    let address = match family {
        Family::V4 => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port),
        Family::V6 => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
    };
    socket.bind(&address.into())?;
    Ok(socket)
}

fn udp(family: Family) -> io::Result<Socket> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    match family {
        Family::V4 => {}
        Family::V6 => socket.set_only_v6(true)?,
    }
    Ok(socket)
}

/// Whether some socket has mDNS's port already, of whatever program. RFC 6762 §15.1.
///
/// Elsewhere than on Linux the operating system's own responder always has it. Nothing is bound to find out: that
/// would keep the port from somebody who comes at the same moment.
pub(crate) fn mdns_port_is_taken() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let has_port = |line: &str| {
        let address = line.split_whitespace().nth(1).and_then(|address| address.rsplit_once(':'));
        address.is_some_and(|(_, port)| u16::from_str_radix(port, 16) == Ok(MDNS_PORT))
    };
    // Of the network namespace of this thread; a kernel that tells nothing has nobody to share with.
    let tables = ["udp", "udp6"].map(|table| fs::read_to_string(format!("/proc/thread-self/net/{table}")));
    tables.iter().flatten().any(|table| table.lines().any(has_port))
}

/// The operating system's own responder has the port, too.
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    Ok(())
}

fn mdns_v4(source: IpAddr) -> io::Result<Socket> {
    let IpAddr::V4(source) = source else { return Err(io::ErrorKind::InvalidInput.into()) };
    let socket = udp(Family::V4)?;
    share_port(&socket)?;
    // Else the socket hears groups that other sockets joined, on other interfaces.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_multicast_all_v4(false)?;
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(MDNS_HOPS)?;
    socket.set_ttl_v4(MDNS_HOPS)?;
    socket.set_multicast_if_v4(&source)?;
    socket.bind(&SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), MDNS_PORT).into())?;
    socket.join_multicast_v4(&MDNS_V4, &source)?;
    Ok(socket)
}

fn mdns_v6(interface: u32) -> io::Result<Socket> {
    let socket = udp(Family::V6)?;
    share_port(&socket)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_multicast_all_v6(false)?;
    socket.set_multicast_loop_v6(true)?;
    socket.set_multicast_hops_v6(MDNS_HOPS)?;
    socket.set_unicast_hops_v6(MDNS_HOPS)?;
    socket.set_multicast_if_v6(interface)?;
    socket.bind(&SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), MDNS_PORT).into())?;
    socket.join_multicast_v6(&MDNS_V6, interface)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_share_a_quic_port_and_a_taken_one_is_refused() {
        let v4 = open(&SocketSpec::Quic { family: Family::V4, port: 0 }).unwrap();
        let port = v4.local_addr().unwrap().port();
        let v6 = open(&SocketSpec::Quic { family: Family::V6, port }).unwrap();
        assert_eq!(v6.local_addr().unwrap().port(), port);
        let again = open(&SocketSpec::Quic { family: Family::V4, port });
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn two_nodes_share_the_mdns_port_on_loopback() {
        let spec = SocketSpec::Mdns { family: Family::V4, interface: 1, source: Ipv4Addr::LOCALHOST.into() };
        let (a, b) = (open(&spec).unwrap(), open(&spec).unwrap());
        assert_eq!(a.local_addr().unwrap().port(), 5353);
        assert_eq!(b.local_addr().unwrap(), a.local_addr().unwrap());
    }

    #[test]
    fn who_has_the_mdns_port_is_seen_by_those_who_come_later() {
        let spec = SocketSpec::Mdns { family: Family::V4, interface: 1, source: Ipv4Addr::LOCALHOST.into() };
        let _first = open(&spec).unwrap();
        assert!(mdns_port_is_taken());
    }

    #[test]
    fn mdns_leaves_with_255_hops_by_multicast_and_by_unicast() {
        let spec = SocketSpec::Mdns { family: Family::V4, interface: 1, source: Ipv4Addr::LOCALHOST.into() };
        let v4 = Socket::from(open(&spec).unwrap());
        assert_eq!((v4.multicast_ttl_v4().unwrap(), v4.ttl_v4().unwrap()), (255, 255));
        let v6 = mdns_v6(1).unwrap();
        assert_eq!((v6.multicast_hops_v6().unwrap(), v6.unicast_hops_v6().unwrap()), (255, 255));
    }
}
