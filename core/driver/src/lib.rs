//! What every driver of Handfast shares: the loop that drives a node, the handles that an application holds,
//! and the hooks that it is told by.
//!
//! Names no runtime. A driver implements [`Runtime`] and the I/O traits of its runtime on two stream types,
//! and exports both under its own name; applications depend on a driver, not on this crate.
//!
//! One node is one task on one core, all its connections in it. Handles reach it through one lock and never
//! transmit themselves: they poke the loop.

mod alarm;
mod bind;
mod broadcast;
mod clock;
mod connection;
mod crypto;
mod desk;
mod diagnostics;
mod events;
mod global;
mod handle;
mod hooks;
mod incoming;
mod interfaces;
mod keeper;
mod machine;
mod manager;
mod marks;
#[cfg(feature = "metrics")]
mod metrics;
mod pairing;
mod peer;
mod promise;
mod queue;
mod reach;
mod request;
mod resolver;
mod room;
mod runtime;
mod server;
mod services;
mod shared;
mod shell;
mod sleep;
mod slot;
mod socket;
mod stats;
mod store;
mod stream;
#[cfg(feature = "values")]
mod value;
mod waiters;

pub use bind::open as open_socket;
pub use broadcast::BroadcastError;
pub use connection::Connection;
pub use crypto::{entropy, new_identity};
pub use desk::MAX_UNACCEPTED_STREAMS;
pub use events::{Events, MAX_QUEUED_EVENTS};
pub use handfast_core as core;
pub use handfast_core::ask::{Candidate, Confirmation};
pub use handfast_core::error;
pub use handfast_core::{
    Advertise, Announce, BrowseId, Code, Config, ConnId, ConnStats, ConnectFailure, ConnectedPeer, Consent,
    Direction, DisconnectReason, DiscoveredPeer, DiscoveryServer, Event, Fingerprint, Hearsay, HostName,
    Identity, IdleReason, Interfaces, Keeping, KnownAddress, Labels, LookUpOutcome, LookedUp, Metadata,
    PairId, PairedPeer, PairingFailure, PairingId, PairingStep, PeerId, PeerIdKind, PeerState, PeerStats,
    Policy, Protocol, PublicKey, PublicationId, QuicStats, ServerConfig, ServerFailure, ServerState,
    ServerStats, ServerStatus, Service, ServiceInstance, ServiceKey, ServiceName, ServiceType, Source,
    Sources, Stats, StreamId, Table, Target, Traffic, TrustedKey, TxtRecord, TxtValue,
};
pub use handle::{Builder, DialError, Node, Peer, StartError};
pub use incoming::Incoming;
pub use machine::{Attendant, Machine};
pub use manager::{HookFuture, P2PManager};
pub use marks::{MarkingError, TrustingError};
pub use pairing::{ConfirmPrompt, Hosting, HostingError, JoiningError, PairingPrompt};
pub use peer::{PeerHandle, ReachError, SendDatagramError};
pub use request::{RequestError, RequestLimits};
pub use runtime::{First, Runtime, Socket, Timer, Watch};
pub use server::{
    Changes, DIRECTORY_PATIENCE, Directory, DirectoryFuture, SNAPSHOT_EVERY, Server, ServerBuilder,
    ServerStartError,
};
pub use services::{Browser, Publication, ServiceEvent, SetTxtError};
pub use shell::SHUTDOWN_LIMIT;
pub use slot::{MAX_CONNECTION_BUFFER, MAX_STREAM_BUFFER};
#[cfg(feature = "redb")]
pub use store::redb::RedbStore;
pub use store::{MemoryStore, Store, StoreError};
pub use stream::{RawRecv, RawSend, read_error, write_error};
#[cfg(feature = "values")]
pub use value::{ReadValueError, ValueError, WriteValueError};
