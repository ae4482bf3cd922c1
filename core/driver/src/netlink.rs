//! Linux tells of changed network interfaces by a netlink socket. rtnetlink(7).
//!
//! Never reads what changed: the whole list is looked at anyway. Registers nothing; a driver does.

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Links that come, go and change: `RTMGRP_LINK`.
const LINKS: u32 = 0x1;
/// Their IPv4 addresses: `RTMGRP_IPV4_IFADDR`.
const IPV4_ADDRESSES: u32 = 0x10;
/// Their IPv6 addresses: `RTMGRP_IPV6_IFADDR`.
const IPV6_ADDRESSES: u32 = 0x100;

/// Opens a socket, non-blocking, that is readable when the network interfaces changed.
///
/// # Errors
/// What the operating system says.
pub fn open_watch() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // No protocol is protocol 0: `NETLINK_ROUTE`.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, LINKS | IPV4_ADDRESSES | IPV6_ADDRESSES))?;
    Ok(socket)
}

/// Takes all that a socket of [`open_watch`] tells: changes come in bursts, and one report stands for all of them.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] where nothing changed; else what the operating system says.
pub fn read_watch(socket: impl AsFd) -> io::Result<()> {
    // What does not fit is cut off, and nobody would read it.
    let mut head = [0_u8; 16];
    let mut changed = false;
    loop {
        match recv(&socket, &mut head[..], RecvFlags::empty()) {
            // Too many changes for the socket's buffer are changes too.
            Ok(_) | Err(Errno::NOBUFS) => changed = true,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if changed => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_opens_without_rights_and_is_quiet_where_nothing_changes() {
        let socket = open_watch().expect("a netlink socket");
        // Whatever another part of the machine may have done since; then there is nothing to say.
        let _ = read_watch(&socket);
        assert_eq!(read_watch(&socket).map_err(|error| error.kind()), Err(io::ErrorKind::WouldBlock));
    }
}
