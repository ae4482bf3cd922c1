//! What a node tells its application.

mod servers;
mod state;

pub use servers::{LookUpOutcome, LookedUp, ServerFailure, ServerState, ServerStatus};
pub use state::{IdleReason, PeerState};

use crate::id::{ConnId, Fingerprint, PairId, PeerId, PublicKey};
use crate::io::{SocketSpec, UnixTime};
use crate::metadata::Metadata;
use crate::service::{BrowseId, PublicationId, ServiceInstance, ServiceKey};
use std::io;
use std::net::SocketAddr;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// QUIC is reachable at this local address.
    Listening(SocketAddr),
    /// A socket could not be opened, or failed. The node goes on with the others.
    SocketFailed(SocketSpec, io::ErrorKind),
    /// A peer was found that was not known to be there.
    PeerDiscovered(DiscoveredPeer),
    /// What is known of a present peer changed.
    PeerUpdated(DiscoveredPeer),
    /// A peer is no longer seen on any link.
    PeerExpired(PeerId),
    /// Another node announces this node's name on the LAN. A hint: anyone there can forge it.
    NameConflict,
    /// A paired peer is connected; streams may be opened.
    PeerConnected(ConnectedPeer),
    /// A connection that was reported by [`Event::PeerConnected`] ended.
    PeerDisconnected(ConnId, PeerId, DisconnectReason),
    /// How it stands with a paired peer changed, and why. What lasted no time may be left out.
    PeerState(PeerId, PeerState),
    /// No connection to a peer could be made.
    ConnectFailed(PeerId, ConnectFailure),
    /// A key that has no pairing with this node connected, and was told so.
    StrangerRefused(PublicKey, SocketAddr),
    /// A key that hashes to a known peer's name, yet is not its key, was refused.
    IdentityMismatch(PeerId, SocketAddr),
    /// A pairing passed a step.
    PairingProgress(PairingId, PairingStep),
    /// An entry of a wrong code used up an attempt; so many are left in the window.
    PairingAttemptFailed {
        /// The window.
        pairing: PairingId,
        /// Who tried.
        remote: SocketAddr,
        /// How many more the window takes.
        attempts_left: u8,
    },
    /// Ten wrong codes were tried within 24 h: somebody may be guessing. Told once in that time; until they are that old
    /// codes have nine digits.
    ManyWrongCodes,
    /// A pairing ended: both sides saved the peer, or neither.
    PairingEnded(PairingId, Result<PairedPeer, PairingFailure>),
    /// The two sides are paired. Follows the success of `peer_paired` on both.
    PeerPaired(PairedPeer),
    /// From here on the node pairs with this key as soon as it can, also after a restart: that is stored.
    PeerTrusted(PairingId, Fingerprint),
    /// To pair with a key that is trusted came to nothing this time. The node goes on trying.
    TrustTried(PairingId, PairingFailure),
    /// A key is banned, and will be after a restart: that is stored. It was heeded before.
    PeerBanned(Fingerprint),
    /// A key that was trusted and not paired yet, or banned, is so no longer: that is stored.
    PeerUnmarked(Fingerprint),
    /// A pairing ended because the peer, or this node, forgot it.
    PeerUnpaired(PublicKey, PairId),
    /// The store failed: nothing was said that it does not hold.
    StoreFailed,
    /// How it stands with a discovery server changed.
    ServerState(ServerStatus),
    /// A discovery server was asked where a peer is, as the application wished. Told once a server for each look-up, and
    /// at the same time for several of one peer that are under way.
    LookedUp(LookedUp),
    /// The clocks of a discovery server and of this device are more than 300 s apart: one of them is wrong. Nothing on
    /// the LAN depends on clocks.
    ServerClock {
        /// The hash of the server's key.
        server: Fingerprint,
        /// By how much its clock is ahead, in seconds; negative where it is behind, 0 where they agree again.
        ahead_s: i64,
    },
    /// A search found a service that was not known to be there.
    ServiceFound(BrowseId, ServiceInstance),
    /// What is known of a service that was found changed.
    ServiceUpdated(BrowseId, ServiceInstance),
    /// A service that was found is no longer there.
    ServiceLost(BrowseId, ServiceKey),
    /// A service of this node is announced on every link that is up, under this name. Told again where it was
    /// renamed.
    ServicePublished(PublicationId, String),
    /// Somebody else has the name of a service of this node: it goes on under this one, which is yet to be
    /// announced. Keep it, to begin with it the next time. RFC 6762 §9.
    ServiceRenamed(PublicationId, String),
    /// No name could be had for a service of this node within a minute. It is tried again once a minute.
    ServiceUnnamed(PublicationId),
}

/// A peer as discovery sees it. All of it is hearsay until a connection proves the key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveredPeer {
    /// Its name.
    pub id: PeerId,
    /// The hash of its key, where it said so.
    pub fingerprint: Option<Fingerprint>,
    /// A name for people; empty where it said none.
    pub name: String,
    /// Its operating system; empty where it said none.
    pub os: String,
    /// Its application's version; empty where it said none.
    pub version: String,
    /// Whether it shows a pairing code.
    pub pairing: bool,
    /// The application's own TXT keys and values.
    pub extra: Vec<(String, Vec<u8>)>,
    /// Where it may be reached, each with where that came from.
    pub addresses: Vec<KnownAddress>,
    /// Whether this node is paired with a key of that name.
    pub paired: bool,
}

/// An address and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct KnownAddress {
    /// The address. Link-local IPv6 carries its scope.
    pub address: SocketAddr,
    /// Where it came from.
    pub source: Source,
    /// When it was last told of, by the wall clock: announced as it is, given, or reached.
    pub seen: UnixTime,
    /// When a connection was last made there, by the wall clock.
    pub connected: Option<UnixTime>,
}

/// Where an address came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// Announced on the LAN, on the interface with this index.
    Mdns {
        /// The interface's index.
        interface: u32,
    },
    /// Given by the application, or by the DNS for a name that the application gave.
    Manual,
    /// Where the peer was connected before.
    Remembered,
    /// A discovery server told it, and the peer signed it, or [`Hearsay::Tried`](crate::Hearsay::Tried) is set.
    Global,
}

/// A connection to a paired peer, after both sides said `Hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectedPeer {
    /// The connection.
    pub conn: ConnId,
    /// The peer's name.
    pub id: PeerId,
    /// The key that it proved to hold.
    pub key: PublicKey,
    /// What it says of itself.
    pub metadata: Metadata,
    /// Where it is.
    pub remote: SocketAddr,
    /// Whether this node dialled.
    pub dialled: bool,
}

/// A peer that both sides agreed to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairedPeer {
    /// The pairing.
    pub pair_id: PairId,
    /// The peer's name.
    pub id: PeerId,
    /// Its key.
    pub key: PublicKey,
    /// What it said of itself.
    pub metadata: Metadata,
    /// The earlier pairings with the same key that this one replaces.
    pub replaces: Vec<PairId>,
}

/// One call of [`host`](crate::PairingMut::host) or [`join`](crate::PairingMut::join), or one key that is
/// [trusted](crate::PairingMut::trust), as long as the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairingId(pub(crate) u64);

/// A key that this node pairs with, without a code, as soon as the two meet and trust each other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustedKey {
    /// What [`Event::PairingEnded`] will name. Another after a restart.
    pub pairing: PairingId,
    /// The key's hash.
    pub fingerprint: Fingerprint,
    /// Where the user said that it may be reached.
    pub addresses: Vec<SocketAddr>,
    /// Whether it is stored: until then nobody is dialled for it.
    pub stored: bool,
}

/// How far a pairing got, for people who watch. In this order, but for steps that are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairingStep {
    /// A connection to the other side stands.
    Connected,
    /// The other side proved that it knows the code.
    Confirmed,
    /// This side's user is asked whether to pair.
    AwaitingUser,
    /// This side agrees; the other side's user may still be asked.
    AwaitingPeer,
    /// The application is asked to save the peer.
    Saving,
    /// The application saved the peer; the other side's is awaited.
    Saved,
}

/// Why a pairing did not happen. Nothing is left behind on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingFailure {
    /// The codes differ.
    #[error("the code was wrong")]
    BadCode {
        /// How many more tries the host's window takes; 0 where it is closed.
        attempts_left: u8,
    },
    /// The other side pairs with somebody else, or is at its limit.
    #[error("the other device is busy pairing")]
    Busy,
    /// Cancelled by this side's application.
    #[error("pairing was cancelled")]
    Cancelled,
    /// The connection was lost.
    #[error("the connection was lost while pairing")]
    ConnectionLost,
    /// This side's application failed to save the peer.
    #[error("the application could not save the peer")]
    Hook,
    /// The other side used up its attempts, or this side its entries.
    #[error("too many wrong codes")]
    Locked,
    /// The two have no version, suite or method in common.
    #[error("the other device speaks another version of pairing")]
    Method,
    /// The other side was not told to trust this one, or not yet.
    #[error("the other device does not trust this one yet")]
    NotTrusted,
    /// The other side shows no code.
    #[error("the other device shows no pairing code")]
    NoWindow,
    /// The other side broke the protocol.
    #[error("the other device broke the pairing protocol")]
    Protocol,
    /// The other side's user or application refused.
    #[error("the other device refused")]
    Refused,
    /// The other side's application or store failed to save this node.
    #[error("the other device could not save this one")]
    RemoteStore,
    /// This side's store failed.
    #[error("the pairing could not be stored")]
    Store,
    /// A step took too long, or the window closed.
    #[error("pairing took too long")]
    Timeout,
    /// The other side could not be reached.
    #[error("the other device could not be reached")]
    Unreachable,
    /// The key at that address is not that of the chosen peer.
    #[error("another device answered at that address")]
    WrongPeer,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// This side closed it.
    #[error("closed here")]
    ClosedHere,
    /// The peer closed it.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// Another connection to the same peer took its place.
    #[error("replaced by another connection")]
    Replaced,
    /// The peer fell silent.
    #[error("the peer fell silent")]
    TimedOut,
    /// The peer lost its state: it was restarted.
    #[error("the peer was restarted")]
    Reset,
    /// No stream was open on it for as long as [`Config::idle_close`](crate::Config::idle_close) says.
    #[error("closed here, since nobody used it")]
    Unused,
    /// The pairing ended.
    #[error("no longer paired")]
    Unpaired,
    /// The peer broke the protocol.
    #[error("the peer broke the protocol")]
    Protocol,
    /// This machine's network changed, and the connection could not go on from another address, or nobody answered
    /// there: the peer is dialled anew at once. Or the peer fell silent, for two seconds at least, and another
    /// connection to it, which takes this one's place, was answered.
    #[error("the network changed")]
    NetworkChanged,
}

/// Why a peer could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// Nobody answered at any address within 10 s.
    #[error("no address of the peer answered")]
    TimedOut,
    /// The peer answered, but is not paired with this node (any more).
    #[error("the peer is not paired with this device")]
    NotPaired,
    /// Some other key answered at every address.
    #[error("another device answered at the peer's address")]
    WrongPeer,
    /// No address of the peer is known.
    #[error("no address of the peer is known")]
    NoAddress,
    /// The peer refused, or broke the protocol.
    #[error("the peer refused the connection")]
    Refused,
    /// The peer's store, or this one's, is not ready.
    #[error("the peer is not ready")]
    NotReady,
}
