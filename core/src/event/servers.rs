//! How it stands with each discovery server, for the application.

use crate::id::{Fingerprint, PeerId};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A discovery server, and how it stands with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatus {
    /// The hash of its key.
    pub server: Fingerprint,
    /// How it stands.
    pub state: ServerState,
}

/// How it stands with a discovery server. Shown to people as a sentence without its subject.
///
/// ```
/// use handfast_core::{ServerFailure, ServerState};
/// use std::time::Duration;
///
/// let waiting = ServerState::Waiting { pause: Duration::from_secs(2), why: ServerFailure::Busy };
/// assert_eq!(waiting.to_string(), "waiting 2 s for the next try: the server is busy");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerState {
    /// Peers can find this node by it.
    Announced,
    /// A connection stands: it is asked where peers are.
    Connected,
    /// It is being dialled.
    Connecting,
    /// It is not needed, or switched off: nothing is sent to it.
    Idle,
    /// It is tried again after a pause.
    Waiting {
        /// The whole pause, from when this was told.
        pause: Duration,
        /// What came of the last try, or connection.
        why: ServerFailure,
    },
}

/// What came of asking a discovery server where a peer is: [`GlobalMut::look_up`](crate::GlobalMut::look_up).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookedUp {
    /// Who was asked about.
    pub peer: PeerId,
    /// The hash of the server's key.
    pub server: Fingerprint,
    /// What it said.
    pub outcome: LookUpOutcome,
}

/// What a discovery server said of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookUpOutcome {
    /// The server did not say.
    Failed(ServerFailure),
    /// It told what the peer announced.
    Found {
        /// Where the peer says that it is: at most 16 addresses, which need not all lead anywhere from here.
        addresses: Vec<SocketAddr>,
        /// For how long the server has had that, as it says; to the second.
        age: Duration,
    },
    /// It knows nothing of the peer that this node may know, or what it told does not hold.
    Missing,
}

/// Why a discovery server is of no use for now. What it told before stays known; everything else goes on without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerFailure {
    /// It asked for patience: too much was asked of it, by this node or by all.
    #[error("the server is busy")]
    Busy,
    /// Its clock is far ahead of this device's: see [`Event::ServerClock`](crate::Event::ServerClock).
    #[error("the clocks of the server and of this device differ")]
    Clock,
    /// It ended the connection.
    #[error("the server ended the connection")]
    Closed,
    /// It broke the protocol.
    #[error("the server broke the protocol")]
    Misbehaved,
    /// It does not serve this node.
    #[error("the server refused")]
    Refused,
    /// It did not answer in time.
    #[error("the server did not answer")]
    TimedOut,
    /// No address of it can be dialled.
    #[error("the server cannot be reached from here")]
    Unreachable,
    /// Another key answered at its address.
    #[error("another server answered at its address")]
    WrongKey,
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announced => f.write_str("announced"),
            Self::Connected => f.write_str("connected"),
            Self::Connecting => f.write_str("connecting"),
            Self::Idle => f.write_str("not in use"),
            Self::Waiting { pause, why } => {
                let secs = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
                write!(f, "waiting {secs} s for the next try: {why}")
            }
        }
    }
}
