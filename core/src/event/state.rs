//! How it stands with a paired peer, and why.

use super::{ConnectFailure, DisconnectReason};
use std::fmt;
use std::time::Duration;

/// How it stands with a paired peer. Shown to people as a sentence without its subject.
///
/// ```
/// use handfast_core::{ConnectFailure, IdleReason, PeerState};
/// use std::time::Duration;
///
/// let why = IdleReason::Failed(ConnectFailure::NotPaired);
/// let waiting = PeerState::Waiting { pause: Duration::from_millis(2500), why };
/// assert_eq!(waiting.to_string(), "waiting 3 s for the next try: the peer is not paired with this device");
/// assert_eq!(PeerState::Dialling { addresses: 3 }.to_string(), "dialling 3 addresses");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerState {
    /// A connection stands.
    Connected,
    /// It is being dialled.
    Dialling {
        /// Addresses that are, or will be, tried.
        addresses: usize,
    },
    /// There is no connection, and none is being made.
    Idle(IdleReason),
    /// It is dialled again after a pause, or sooner where something gives reason to hope.
    Waiting {
        /// The whole pause, from when this was told.
        pause: Duration,
        /// What came of the last try, or connection.
        why: IdleReason,
    },
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdleReason {
    /// The last connection ended.
    #[error("{0}")]
    Ended(DisconnectReason),
    /// The last dial failed.
    #[error("{0}")]
    Failed(ConnectFailure),
    /// Nobody has asked for one yet.
    #[error("not asked for yet")]
    Unasked,
}

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Dialling { addresses: 1 } => f.write_str("dialling 1 address"),
            Self::Dialling { addresses } => write!(f, "dialling {addresses} addresses"),
            Self::Idle(why) => write!(f, "not connected: {why}"),
            Self::Waiting { pause, why } => {
                let secs = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
                write!(f, "waiting {secs} s for the next try: {why}")
            }
        }
    }
}
