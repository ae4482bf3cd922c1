//! What passes between a node and the world: datagrams, sockets, interfaces, time and outputs.

use crate::ask::Ask;
use crate::event::Event;
use crate::id::{ConnId, SocketId, StreamId};
use bytes::BytesMut;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// The two clocks of one moment: timers use the one, dates on the wire and on disk the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Never goes back. One that does is clamped.
    pub mono: Instant,
    /// What the calendar says; may jump either way.
    pub wall: UnixTime,
}

/// Microseconds since 1970-01-01T00:00:00Z, leap seconds aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// A time from microseconds since the epoch.
    pub fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// As a duration since the epoch.
    pub fn since_epoch(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

/// The IP version of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// A network interface, as the operating system lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// The operating system's index, also the scope of its link-local IPv6 addresses. Not 0.
    pub index: u32,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddr>,
}

/// One address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceAddr {
    /// The address.
    pub ip: IpAddr,
    /// The length of its prefix, in bits: at most 32 for IPv4, 128 for IPv6.
    pub prefix: u8,
}

impl InterfaceAddr {
    /// Whether `ip` lies in this address's prefix.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let shift = 32 - u32::from(self.prefix.min(32));
                (own.to_bits() ^ ip.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let shift = 128 - u32::from(self.prefix.min(128));
                (own.to_bits() ^ ip.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// A socket that the driver shall open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketSpec {
    /// A UDP socket for QUIC, bound to the family's unspecified address. IPv6 is bound `IPV6_V6ONLY`.
    Quic {
        /// IPv4 or IPv6.
        family: Family,
        /// The port, or 0 to let the operating system choose.
        port: u16,
    },
    /// A UDP socket on port 5353, shared with the operating system's own responder, joined to the mDNS
    /// group on one interface and sending multicast there, with hop limit 255. RFC 6762 §11, §15.1.
    Mdns {
        /// 224.0.0.251 or ff02::fb.
        family: Family,
        /// The interface's index.
        interface: u32,
        /// The interface's own address, which multicasts carry as their source.
        source: IpAddr,
    },
}

/// What the driver made of a [`SocketSpec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The address that it is bound to.
    pub address: SocketAddr,
    /// Datagrams that one send may carry (GSO); 1 where the operating system has none. Not 0.
    pub gso_segments: usize,
    /// For mDNS, whether anybody had its port before this socket: a unicast reply may go to him, so that none is
    /// asked for. Of a node's first socket alone it matters. RFC 6762 §15.1.
    pub shares_port: bool,
}

/// The two bits of explicit congestion notification. RFC 3168 §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ecn {
    /// ECT(1).
    Ect1 = 0b01,
    /// ECT(0).
    Ect0 = 0b10,
    /// Congestion experienced.
    Ce = 0b11,
}

/// One received buffer: a datagram, or several of one sender that the kernel joined (GRO).
#[derive(Debug)]
pub struct Received {
    /// The socket it came in on.
    pub socket: SocketId,
    /// The index of the interface it came in on, where the operating system tells.
    pub interface: Option<u32>,
    /// Who sent it. Link-local IPv6 carries its scope.
    pub source: SocketAddr,
    /// The address that it was sent to, where the operating system tells.
    pub destination: Option<IpAddr>,
    /// Its ECN bits.
    pub ecn: Option<Ecn>,
    /// The length of each datagram in `payload`; the last one may be shorter. Not 0.
    pub stride: usize,
    /// The bytes.
    pub payload: BytesMut,
}

/// Where the bytes in the buffer of [`Node::poll_output`](crate::Node::poll_output) go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The socket to send on.
    pub socket: SocketId,
    /// To whom.
    pub destination: SocketAddr,
    /// The source address to use, where it matters.
    pub source: Option<IpAddr>,
    /// The ECN bits to set.
    pub ecn: Option<Ecn>,
    /// The length of each datagram in the buffer where there are several (GSO).
    pub segment_size: Option<usize>,
}

/// When the node next wants [`Node::handle_timeout`](crate::Node::handle_timeout), and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// Why, for traces.
    pub reason: Reason,
}

/// Why a node wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// An announcement is due. RFC 6762 §8.3.
    MdnsAnnounce,
    /// A cached record expires or wants refreshing. RFC 6762 §5.2, §10.
    MdnsCache,
    /// A probe is due, or the verdict on a name. RFC 6762 §8.1.
    MdnsProbe,
    /// A query is due. RFC 6762 §5.2.
    MdnsQuery,
    /// A delayed answer is due. RFC 6762 §6.
    MdnsRespond,
    /// A step of a pairing takes too long, or its window closes.
    Pairing,
    /// What a discovery server holds expires, or one of its answers takes too long.
    Directory,
    /// Something is due with a discovery server.
    Discovery,
    /// The next candidate of a dial is due, or the dial is out of time.
    Dial,
    /// A connection that is not yet authenticated, or that said its last message, is out of time.
    Handshake,
    /// One of QUIC's own timers. RFC 9002.
    Quic,
}

/// What a stream became ready for; several may be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Bytes, the end, or a reset wait to be read.
    pub readable: bool,
    /// The peer or the connection took bytes: writing may go on.
    pub writable: bool,
    /// The peer opened it and its label is known. Implies `readable`.
    pub opened: bool,
    /// Everything written, and the end, was acknowledged.
    pub finished: bool,
    /// The peer does not want more, for this reason: writing fails from here on.
    pub stopped: Option<u64>,
}

/// Something that a waiting task wants to know. At most one per stream and turn, and per connection
/// and turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// A stream moved.
    Stream {
        /// Its connection.
        conn: ConnId,
        /// The stream.
        stream: StreamId,
        /// What the driver set by [`StreamMut::set_key`](crate::StreamMut::set_key), else 0.
        key: u64,
        /// What it is ready for.
        now: Readiness,
    },
    /// Datagrams came: [`Node::datagrams`](crate::Node::datagrams) has them.
    Datagrams {
        /// The connection.
        conn: ConnId,
    },
    /// The peer allows more streams: an open that was refused may be tried again.
    Streams {
        /// The connection.
        conn: ConnId,
    },
}

/// What a node wants done.
///
/// Exhaustive on purpose: a new kind must break every driver at compile time.
#[derive(Debug)]
pub enum Output {
    /// Open a socket; answer with [`Node::handle_socket`](crate::Node::handle_socket).
    Open(SocketId, SocketSpec),
    /// Close a socket.
    Close(SocketId),
    /// Send what is in the buffer.
    Transmit(Transmit),
    /// Tell the application.
    Event(Event),
    /// Wake who waits.
    Ready(Ready),
    /// Ask the application; answer with [`Node::answer`](crate::Node::answer).
    Ask(Ask),
    /// Every connection had its share of this turn and some have more to send: see what was received,
    /// then call again.
    Yield,
    /// Nothing more until an input, or until the deadline.
    Wait(Option<Deadline>),
}

/// By what strangers are counted: one IPv6 host has a whole /64 to send from.
pub(crate) fn source_key(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}
