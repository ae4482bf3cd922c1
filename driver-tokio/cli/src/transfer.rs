//! Files, folders and pipes: a stream for each file.
//!
//! ```text
//! sender                                          receiver
//!   Offer { path, size, … }              ->
//!                                       <-        Accepted { have, prefix }, Refused { reason }, or
//!                                                 Verified: it is here already
//!   Start { from }                       ->
//!   the bytes from there, SHA-256 of all ->
//!   end of stream                        ->
//!                                       <-        Verified, or Failed { reason }
//! ```
//!
//! The bytes of a pipe, whose number nobody knows, go in chunks: a 4-byte big-endian length, so many bytes; the
//! length 0 ends them. A receiver that has the beginning of a file says so, with its hash: where that is the
//! sender's own, only the rest is sent.
//!
//! Never shows a file that is not whole: it gets its name after the hash of all of it was found right.

pub(crate) mod folder;
pub(crate) mod header;
pub(crate) mod name;
pub(crate) mod parts;
pub(crate) mod pipe;
mod place;
mod publish;
pub(crate) mod rate;
pub(crate) mod recv;
pub(crate) mod send;
mod space;
pub(crate) mod store;

#[cfg(test)]
mod tests;

use header::{FrameError, Reason};
use std::io;
use thiserror::Error;

/// What a stream of a file transfer begins with.
pub(crate) const LABEL: &str = "handfast-cli/file/2";

/// Bytes that are read from a file, or from the network, at a time.
const BLOCK: usize = 256 * 1024;

/// Blocks that wait between the network and the disk: with [`BLOCK`] 1 MiB, whatever the file's size.
const BLOCKS_WAITING: usize = 4;

/// The length of a SHA-256, in bytes.
const HASH_LEN: usize = 32;

/// How a transfer comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes are through.
    At(u64),
    /// So many were through already: it goes on from there.
    Resumed(u64),
}

/// Why a file was not sent or received.
#[derive(Debug, Error)]
pub(crate) enum TransferError {
    /// The file became longer or shorter while it was read.
    #[error("the file changed while it was sent")]
    Changed,
    /// The bytes are not those that were sent.
    #[error("the hash of what arrived is wrong")]
    Hash,
    /// This side's file could not be read or written.
    #[error("{}", local(.0))]
    Local(io::Error),
    /// The other side broke the protocol.
    #[error("the other device broke the protocol of file transfer: {0}")]
    Protocol(&'static str),
    /// The other side said why it does not want the file, or could not keep it.
    #[error("the other device refused the file: {0}")]
    Refused(Reason),
    /// The stream or its connection ended too early.
    #[error("the stream broke off: {0}")]
    Stream(io::Error),
    /// This side does not want the file.
    #[error("the file was refused: {}", own(.0))]
    Unwanted(Reason),
}

impl From<FrameError> for TransferError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Malformed => Self::Protocol("a message that cannot be read"),
            FrameError::Stream(error) => Self::Stream(error),
        }
    }
}

/// A full disk is what people can do something about: it gets its own words.
fn local(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
        _ => error.to_string(),
    }
}

/// A reason of this side's own.
fn own(reason: &Reason) -> &'static str {
    match reason {
        Reason::Device => "it comes from a device that --from does not name",
        Reason::Name => "its path is too long, or too deep",
        Reason::One => "only one file, or one pipe, can go to standard output",
        Reason::DiskFull | Reason::Hash | Reason::Write | Reason::Unknown => "it cannot be kept",
    }
}
