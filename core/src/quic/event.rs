//! What other engines hear of connections.

use super::tls::Alpn;
use crate::id::{ConnId, PublicKey};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;
use quinn_proto::ConnectionError;
use std::net::SocketAddr;

/// What other engines hear.
#[derive(Debug)]
pub(crate) enum Event {
    /// TLS is done: the peer holds this key. A client does not know yet whether it is accepted.
    Connected {
        conn: ConnId,
        alpn: Alpn,
        peer: PublicKey,
        exporter: [u8; 32],
        remote: SocketAddr,
        dialled: bool,
    },
    /// A frame came in on the main stream.
    Frame { conn: ConnId, frame: Frame },
    /// The peer ended the main stream after its last frame.
    MainEnded { conn: ConnId },
    /// On a connection for requests: the peer allows more of them.
    Room { conn: ConnId },
    /// The peer has acknowledged nothing for a while, though it was asked. Said again about once a second, until
    /// the connection is heard or over.
    Silent { conn: ConnId },
    /// The peer of a connection that had fallen silent acknowledged something.
    Heard { conn: ConnId },
    /// The connection is over. Said once for each that was dialled or accepted.
    Lost { conn: ConnId, cause: Cause },
}

/// Why a connection is over. A hint, except for what happened here: anybody can forge the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Closed here.
    Here(CloseCode),
    /// Closed here, because nobody used it.
    Unused,
    /// Closed by the peer, with a code if it is one that we know.
    Peer(Option<CloseCode>),
    /// The key is not the one that was meant.
    WrongKey,
    /// Refused before TLS began, or TLS failed at the other end.
    Refused,
    /// The peer broke QUIC or TLS.
    Broken,
    /// The peer does not know the connection any more.
    Reset,
    /// Nothing was heard for too long.
    TimedOut,
    /// Closed here: it could not go on when this machine's network changed.
    NetworkChanged,
}

/// TLS's alert for a certificate that was understood and turned away: our verifier says so for no other
/// reason than a wrong key. RFC 8446 §6.2, RFC 9001 §4.8.
const ACCESS_DENIED: u64 = 0x100 + 49;

impl Cause {
    pub(super) fn from_quic(error: ConnectionError) -> Self {
        match error {
            ConnectionError::TransportError(e) if u64::from(e.code) == ACCESS_DENIED => Self::WrongKey,
            ConnectionError::TransportError(_) | ConnectionError::VersionMismatch => Self::Broken,
            ConnectionError::ConnectionClosed(_) => Self::Refused,
            ConnectionError::ApplicationClosed(close) => {
                Self::Peer(CloseCode::from_u64(close.error_code.into_inner()))
            }
            ConnectionError::Reset => Self::Reset,
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => Self::Here(CloseCode::Ok),
        }
    }
}
