//! Peer discovery, pairing and QUIC byte streams as one pure, deterministic state machine.
//!
//! This crate opens no socket, reads no clock, starts no thread and asks nobody for randomness: a [`Node`] is
//! told what happens, and says what to do. The same calls give the same bytes. For an application, take
//! `handfast-tokio` or `handfast-smol`, which drive it; take this crate to write a driver, to simulate, or to
//! look inside.
//!
//! # A whole loop
//!
//! Two verbs matter: tell the node something (`handle_*`, [`Node::answer`], or a verb of the application), then
//! call [`Node::poll_output`] until it says [`Output::Wait`].
//!
//! ```
//! use handfast_core::ask::{Answer, Ask};
//! use handfast_core::store::{StoreReply, StoreRequest, Stored};
//! use handfast_core::*;
//! # fn open(_: SocketSpec) -> Result<Opened, std::io::ErrorKind> { Err(std::io::ErrorKind::Unsupported) }
//! # fn send(_: Transmit, _: &[u8]) {}
//! # fn receive_until(_: Option<Deadline>) -> Option<Received> { None }
//!
//! fn run(mut node: Node, mut now: impl FnMut() -> Now, mut turns: u32) {
//!     let mut buf = Vec::new();
//!     while turns > 0 {
//!         match node.poll_output(now(), &mut buf) {
//!             Output::Open(id, spec) => node.handle_socket(now(), id, open(spec)),
//!             Output::Close(_id) => { /* drop the socket */ }
//!             Output::Transmit(transmit) => send(transmit, &buf),
//!             Output::Event(event) => println!("{event:?}"),
//!             Output::Ready(_ready) => { /* read or write `node.stream(..)` */ }
//!             Output::Ask(Ask::Store(token, StoreRequest::Load)) => {
//!                 node.answer(now(), Answer::Store(token, StoreReply::Loaded(Stored::default())));
//!             }
//!             Output::Ask(_) => { /* answer when the application has */ }
//!             Output::Yield => { /* see what was received, then go on */ }
//!             Output::Wait(deadline) => match receive_until(deadline) {
//!                 Some(received) => node.handle_datagram(now(), received),
//!                 None => node.handle_timeout(now()),
//!             },
//!         }
//!         turns -= 1;
//!     }
//! }
//!
//! let identity = Identity::from_entropy([7; 32]); // from the operating system, and kept
//! let config = Config::new(ServiceName::new("chat")?);
//! let crypto = Crypto::new(rustls::crypto::ring::default_provider());
//! let start = std::time::Instant::now();
//! let clock = move || Now { mono: start, wall: UnixTime::from_micros(0) };
//! let node = Node::new(config, &identity, crypto, &Seed::new([9; 32]), clock())?;
//! run(node, clock, 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is inside
//!
//! | module | does | never does |
//! |---|---|---|
//! | `wire` | bytes to values and back | keep state |
//! | `mdns` | finds and announces services on the LAN (RFC 6762, 6763) | know what a peer is |
//! | `quic` | connections, streams, TLS (RFC 9000, 9001) | decide whom to trust |
//! | `pairing` | makes two strangers trust each other, both or neither | touch a connection |
//! | `global` | finds peers beyond the LAN, by servers that it does not trust | believe what is not signed |
//! | `peers` | where peers are, and which connection counts | touch a pairing record |
//! | `node` | carries what one says to whom it concerns | anything else |
//!
//! Engines do not know each other: `node/route.rs` is the only wiring. Which rules of mDNS are kept, and which test
//! shows each, is told in [`mdns_rules`]; what pairing says on the wire, and what it withstands, in
//! [`pairing_protocol`]; what nodes and discovery servers say to each other, and what a server learns, in
//! [`discovery_protocol`].

mod as_bin;
mod as_bin_list;
pub mod ask;
mod buckets;
mod code;
mod config;
pub mod directory;
#[doc = include_str!("discovery_protocol.md")]
pub mod discovery_protocol {}
pub mod error;
mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod global;
mod host;
mod id;
mod identity;
mod io;
mod mdns;
#[doc = include_str!("mdns_rules.md")]
pub mod mdns_rules {}
mod metadata;
mod node;
mod pairing;
#[doc = include_str!("pairing_protocol.md")]
pub mod pairing_protocol {}
mod peers;
mod quic;
mod rng;
#[cfg(any(fuzzing, test))]
mod script;
mod server;
mod service;
mod shares;
pub mod store;
mod table;
#[cfg(test)]
mod testing;
pub mod value;
mod wire;

pub use ask::{Answer, Ask};
pub use code::Code;
pub use config::{
    Advertise, Announce, Config, Consent, DiscoveryServer, Hearsay, Interfaces, Labels, Policy, Sources,
};
pub use event::*;
pub use global::GlobalStats;
pub use host::HostName;
pub use id::{ConnId, Fingerprint, PairId, PeerId, PeerIdKind, PublicKey, ServiceName, SocketId, StreamId};
pub use identity::Identity;
pub use io::*;
pub use mdns::{MdnsDropped, MdnsStats};
pub use metadata::Metadata;
pub use node::{GlobalMut, Hosting, Node, PairingMut, PeerStats, PeersMut, ServicesMut, Stats, Target};
pub use peers::Dial;
pub use quic::{
    ConnStats, Crypto, DatagramsDropped, DatagramsMut, Direction, QuicStats, Read, StreamMut, Traffic,
    Written,
};
pub use rng::Seed;
pub use server::{Keeping, Server, ServerConfig, ServerStats};
pub use service::*;
pub use table::Table;
pub use wire::close::StreamCode;
