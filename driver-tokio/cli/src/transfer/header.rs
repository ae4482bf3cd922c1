//! The messages around a file's bytes.
//!
//! A 2-byte big-endian length, 1 to [`MAX_FRAME`], then MessagePack: a map with one key, the message's
//! name, whose value is a map. Unknown fields are skipped.

use crate::msgpack;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The longest message, in bytes.
const MAX_FRAME: usize = 4096;

/// The longest name that is offered, in bytes. The receiver shortens it to what a file system takes.
pub(crate) const MAX_NAME: usize = 1024;

/// What the sender says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromSender {
    /// A file: its name as the sender has it, and its size in bytes.
    Offer { name: String, size: u64 },
}

/// What the receiver says: one of the first two, then one of the last two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromReceiver {
    /// Send it.
    Accepted {},
    /// Do not send it.
    Refused { reason: Reason },
    /// It is stored, whole, under its name.
    Verified {},
    /// It is not stored.
    Failed { reason: Reason },
}

/// Why a receiver does not have the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// No space is left.
    DiskFull,
    /// The hash was wrong.
    Hash,
    /// The name is over the limit.
    Name,
    /// The file could not be written.
    Write,
    /// A reason that this version does not know.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "its disk is full",
            Self::Hash => "the hash of what arrived is wrong",
            Self::Name => "the name is too long",
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
    let len = len.expect("a name is cut before it is offered, and nothing else can grow");
    let mut frame = Vec::with_capacity(2 + body.len());
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(&body);
    stream.write_all(&frame).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msgpack::decode;

    #[tokio::test]
    async fn a_message_survives_the_wire() {
        let offer = FromSender::Offer { name: "a.txt".to_owned(), size: u64::MAX };
        let mut wire = Vec::new();
        write(&mut wire, &offer).await.unwrap();
        assert_eq!(read::<FromSender>(&mut &wire[..]).await.unwrap(), offer);
        for message in [FromReceiver::Verified {}, FromReceiver::Failed { reason: Reason::DiskFull }] {
            let mut wire = Vec::new();
            write(&mut wire, &message).await.unwrap();
            assert_eq!(read::<FromReceiver>(&mut &wire[..]).await.unwrap(), message);
        }
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error_and_never_a_guess() {
        let mut trailing = Vec::new();
        write(&mut trailing, &FromReceiver::Accepted {}).await.unwrap();
        trailing[1] += 1;
        trailing.push(0);
        for wire in [&[0, 0][..], &[0x10, 0x01, 0], &[0, 3, 1, 2, 3], &[0, 9, 1], &[0], &trailing] {
            assert!(read::<FromReceiver>(&mut &wire[..]).await.is_err(), "{wire:x?}");
        }
    }

    #[test]
    fn a_message_that_is_nested_too_deeply_is_malformed_and_costs_no_stack() {
        for (depth, sound) in [(4, true), (17, false), (4000, false)] {
            let fields = [&b"\x81\xa5Offer\x83\xa4name\xa1a\xa4size\x01\xa5later"[..], &vec![0x91; depth]];
            let frame = [&fields.concat()[..], b"\xc0"].concat();
            assert_eq!(decode::<FromSender>(&frame).is_some(), sound, "{depth}");
        }
    }

    #[test]
    fn a_reason_of_a_later_version_is_read_as_unknown() {
        #[derive(Serialize)]
        enum Later {
            Failed { reason: &'static str, detail: u8 },
        }
        let frame = rmp_serde::to_vec_named(&Later::Failed { reason: "too_hot", detail: 7 }).unwrap();
        assert_eq!(decode(&frame), Some(FromReceiver::Failed { reason: Reason::Unknown }));
    }
}
