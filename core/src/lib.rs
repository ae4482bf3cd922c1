//! Peer discovery, pairing and QUIC byte streams as one pure, deterministic state machine.

mod as_bin;
mod as_bin_list;
pub mod ask;
mod code;
mod config;
pub mod error;
mod event;
mod id;
mod identity;
mod io;
mod mdns;
mod metadata;
mod pairing;
mod peers;
mod quic;
mod rng;
pub mod store;
#[cfg(test)]
mod testing;
mod wire;

pub use ask::{Answer, Ask};
pub use code::Code;
pub use config::{Advertise, Config, Interfaces};
pub use event::*;
pub use id::{ConnId, Fingerprint, PairId, PeerId, PeerIdKind, PublicKey, ServiceName, SocketId, StreamId};
pub use identity::Identity;
pub use io::*;
pub use metadata::Metadata;
pub use peers::Dial;
pub use quic::{Crypto, Direction, Read, StreamMut, Written};
pub use rng::Seed;
pub use wire::close::StreamCode;
