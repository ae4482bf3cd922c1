//! Addresses as bytes, in snapshots and in the slots of a registry: 4 or 6, the address, the port, big-endian.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes that an address takes.
pub(crate) fn len(address: &SocketAddr) -> usize {
    1 + 2 + if address.is_ipv4() { 4 } else { 16 }
}

/// Adds an address.
pub(crate) fn write(address: &SocketAddr, out: &mut Vec<u8>) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

/// Reads an address, and gives what follows it.
pub(crate) fn read(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (ip, rest): (IpAddr, &[u8]) = match bytes.split_first()? {
        (4, rest) => rest.split_first_chunk().map(|(ip, rest)| (Ipv4Addr::from(*ip).into(), rest))?,
        (6, rest) => rest.split_first_chunk::<16>().map(|(ip, rest)| (Ipv6Addr::from(*ip).into(), rest))?,
        _ => return None,
    };
    let (port, rest) = rest.split_first_chunk()?;
    Some((SocketAddr::new(ip, u16::from_be_bytes(*port)), rest))
}
