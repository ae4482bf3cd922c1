//! The codes that connections and streams end with.
//!
//! All are hints for people and traces: a forged Initial packet can carry any close code, so none ever
//! changes a pairing record.

/// Why a connection is closed, as QUIC's application error code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseCode {
    /// All is said.
    Ok,
    /// The peer broke the protocol.
    Protocol,
    /// Another connection to the same peer stays.
    Duplicate,
    /// There is no pairing between the two keys.
    NotPaired,
    /// The pairing ended.
    Unpaired,
    /// A step took too long.
    Timeout,
    /// No room, or busy with another pairing.
    Busy,
    /// The node shuts down.
    Shutdown,
    /// The store has not loaded, or failed.
    NotReady,
}

impl CloseCode {
    /// The code on the wire.
    pub(crate) fn as_u32(self) -> u32 {
        match self {
            Self::Ok => 0x00,
            Self::Protocol => 0x01,
            Self::Duplicate => 0x02,
            Self::NotPaired => 0x03,
            Self::Unpaired => 0x04,
            Self::Timeout => 0x05,
            Self::Busy => 0x06,
            Self::Shutdown => 0x07,
            Self::NotReady => 0x08,
        }
    }

    /// What a peer's code means; `None` for one that this version does not know.
    pub(crate) fn from_u64(code: u64) -> Option<Self> {
        Some(match code {
            0x00 => Self::Ok,
            0x01 => Self::Protocol,
            0x02 => Self::Duplicate,
            0x03 => Self::NotPaired,
            0x04 => Self::Unpaired,
            0x05 => Self::Timeout,
            0x06 => Self::Busy,
            0x07 => Self::Shutdown,
            0x08 => Self::NotReady,
            _ => return None,
        })
    }
}

/// Why one half of a stream ends early, as QUIC's reset and stop codes say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamCode {
    /// 0x10: its owner dropped it unfinished.
    Dropped,
    /// 0x11: the receiver does not take such streams.
    Refused,
    /// 0x12: its owner gave up.
    Cancelled,
}

impl StreamCode {
    /// The code on the wire, as [`StreamMut::reset`](crate::StreamMut::reset) and
    /// [`StreamMut::stop`](crate::StreamMut::stop) take it.
    pub const fn code(self) -> u64 {
        match self {
            Self::Dropped => 0x10,
            Self::Refused => 0x11,
            Self::Cancelled => 0x12,
        }
    }
}
