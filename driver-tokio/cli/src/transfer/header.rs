//! The messages around a file's bytes.
//!
//! A 2-byte big-endian length, 1 to [`MAX_FRAME`], then MessagePack: a map with one key, the message's
//! name, whose value is a map. Unknown fields are skipped.

use super::HASH_LEN;
use crate::msgpack;
use serde::de::{self, DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The longest message, in bytes.
const MAX_FRAME: usize = 4096;

/// Names within each other at most: those of folders, and that of the file.
pub(crate) const MAX_DEPTH: usize = 32;

/// The longest path that is offered: its names together, in bytes. The receiver shortens each to what a file
/// system takes.
pub(crate) const MAX_PATH: usize = 2048;

/// What the sender says: an offer first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromSender {
    /// Shall this be sent?
    Offer(Offer),
    /// The bytes follow, from this one on: 0, or as many as the receiver has.
    Start { from: u64 },
}

/// A file, an empty folder, or a pipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offer {
    /// The command that sends, over all its connections.
    pub(crate) run: Id,
    /// This item of the command.
    pub(crate) id: Id,
    /// The same for the same file in the same state, whatever command sends it.
    pub(crate) key: Id,
    /// The same for the same argument of a command, whatever command it is.
    pub(crate) root: Id,
    /// Its number among those of the command, from 0.
    pub(crate) number: u64,
    /// How many those are.
    pub(crate) of: u64,
    /// Bytes that the command has to send from here on, as far as it knows.
    pub(crate) total: u64,
    /// The names of folders, then its own, as the sender has them.
    pub(crate) path: Vec<String>,
    pub(crate) what: What,
}

/// What is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// `modified` is in seconds since 1970, where it is known.
    File { size: u64, modified: Option<u64>, executable: bool },
    /// A folder with nothing in it. It has no bytes, and is answered by the verdict.
    Folder {},
    /// Bytes of unknown number. They follow in chunks.
    Pipe {},
}

impl Offer {
    /// How many bytes it has, where that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        match self.what {
            What::File { size, .. } => Some(size),
            What::Folder {} => Some(0),
            What::Pipe {} => None,
        }
    }

    /// Whether its path keeps to the limits.
    pub(crate) fn is_sound(&self) -> bool {
        (1..=MAX_DEPTH).contains(&self.path.len())
            && self.path.iter().map(String::len).sum::<usize>() <= MAX_PATH
    }
}

/// What the receiver says: one of the first three, then, but for the third, one of the last two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromReceiver {
    /// Send it. So many bytes of it are here, and this is their SHA-256.
    Accepted { have: u64, prefix: Digest },
    /// Do not send it.
    Refused { reason: Reason },
    /// It is stored, whole, under its name.
    Verified {},
    /// It is not stored.
    Failed { reason: Reason },
}

/// 16 bytes that name something, drawn at random or a part of a hash.
pub(crate) type Id = Bin<16>;

/// A SHA-256.
pub(crate) type Digest = Bin<HASH_LEN>;

/// So many bytes, as MessagePack's `bin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bin<const LEN: usize>(pub(crate) [u8; LEN]);

impl<const LEN: usize> fmt::Display for Bin<LEN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const LEN: usize> Serialize for Bin<LEN> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de, const LEN: usize> Deserialize<'de> for Bin<LEN> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_bytes(BinVisitor)
    }
}

struct BinVisitor<const LEN: usize>;

impl<const LEN: usize> Visitor<'_> for BinVisitor<LEN> {
    type Value = Bin<LEN>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LEN} bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bin<LEN>, E> {
        bytes.try_into().map(Bin).map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

/// Why a receiver does not have the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// It receives of another device alone.
    Device,
    /// No space is left, or too little.
    DiskFull,
    /// The hash was wrong.
    Hash,
    /// The path is over the limits.
    Name,
    /// It takes one file, or one pipe, and that is not what was offered.
    One,
    /// The file could not be written.
    Write,
    /// A reason that this version does not know.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "it receives from another device alone",
            Self::DiskFull => "its disk is full",
            Self::Hash => "the hash of what arrived is wrong",
            Self::Name => "the path is too long, or too deep",
            Self::One => "it takes one file alone",
            Self::Write => "it could not write the file",
            Self::Unknown => "for a reason that this version does not know",
        })
    }
}

impl From<&io::Error> for Reason {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Write,
        }
    }
}

/// Why there is no message.
#[derive(Debug, Error)]
pub(crate) enum FrameError {
    /// Not a message.
    #[error("a message that cannot be read")]
    Malformed,
    /// The stream ended or failed.
    #[error(transparent)]
    Stream(#[from] io::Error),
}

/// Reads one message.
pub(crate) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<T, FrameError> {
    let len = usize::from(stream.read_u16().await?);
    if !(1..=MAX_FRAME).contains(&len) {
        return Err(FrameError::Malformed);
    }
    let mut frame = vec![0; len];
    stream.read_exact(&mut frame).await?;
    msgpack::decode(&frame).ok_or(FrameError::Malformed)
}

/// Writes one message.
pub(crate) async fn write<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> io::Result<()> {
    let body = msgpack::encode(message);
    let len = u16::try_from(body.len()).ok().filter(|&len| usize::from(len) <= MAX_FRAME);
    let len = len.expect("a path is checked before it is offered, and nothing else can grow");
    let mut frame = Vec::with_capacity(2 + body.len());
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(&body);
    stream.write_all(&frame).await
}

#[cfg(test)]
mod tests;
