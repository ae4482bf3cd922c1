//! One file over one stream.
//!
//! ```text
//! sender                                receiver
//!   Offer { name, size }          ->
//!                                 <-   Accepted, or Refused { reason }
//!   size bytes, SHA-256 of them   ->
//!   end of stream                 ->
//!                                 <-   Verified, or Failed { reason }
//! ```
//!
//! Never shows a file that is not whole: it gets its name after its hash was found right.

pub(crate) mod header;
pub(crate) mod name;
pub(crate) mod publish;
pub(crate) mod recv;
pub(crate) mod send;

#[cfg(test)]
mod tests;

use header::{FrameError, Reason};
use std::io;
use thiserror::Error;

/// What a stream of a file transfer begins with.
pub(crate) const LABEL: &str = "handfast-cli/file/1";

/// Bytes that are read from a file, or from the network, at a time.
const BLOCK: usize = 256 * 1024;

/// Blocks that wait between the network and the disk: with [`BLOCK`] 1 MiB, whatever the file's size.
const BLOCKS_WAITING: usize = 4;

/// The length of a SHA-256, in bytes.
const HASH_LEN: usize = 32;

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
