//! What a discovery server keeps, and what it asks of a store that several of them share.
//!
//! A server alone keeps everything itself and asks nobody. One of many asks ([`Ask::Directory`](crate::Ask::Directory)),
//! and goes on when it is answered.

pub(crate) mod address;
mod piece;

pub use piece::{read_piece, write_piece};

use crate::id::{Fingerprint, PeerId};
use bytes::Bytes;
use std::net::SocketAddr;

/// Where one node is, as it announced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Whose it is, by the full hash of his key: one name of his, and what the entry is stored under.
    pub owner: Fingerprint,
    /// His other name.
    pub sha1: [u8; 20],
    /// Higher than that of every announcement of his before it.
    pub seq: u64,
    /// The signed record, at most 4 KiB.
    pub record: Bytes,
    /// What he tells anybody beside it, at most 16.
    pub addresses: Vec<SocketAddr>,
    /// When he announced it, in seconds since 1970 by the server's clock.
    pub announced_s: u64,
    /// Until when it holds, likewise.
    pub expires_s: u64,
}

/// What a store shall do. Each is one step: nothing that another server does comes in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryRequest {
    /// Keep this, until it expires, in place of what there is of the same owner: if its number is higher than any
    /// that was seen of him within the last seven days, or the same and the record too. [`DirectoryReply::Done`] or
    /// [`DirectoryReply::Stale`].
    Put(DirectoryEntry),
    /// Keep what there is of an owner until then, if it has this number. Answered as
    /// [`DirectoryRequest::Put`].
    Refresh {
        /// Whose.
        owner: Fingerprint,
        /// His other name.
        sha1: [u8; 20],
        /// Its number.
        seq: u64,
        /// Until when it holds from now on, in seconds since 1970.
        expires_s: u64,
    },
    /// Forget what there is of an owner, if its number is not higher, and remember the number for seven days. Answered
    /// as [`DirectoryRequest::Put`].
    Withdraw {
        /// Whose.
        owner: Fingerprint,
        /// His other name.
        sha1: [u8; 20],
        /// Up to which number.
        seq: u64,
    },
    /// What there is of these, by either name: [`DirectoryReply::Found`], in the same order.
    Get(Vec<PeerId>),
    /// Tell of every change of these from here on, by either name: see
    /// [`Server::handle_change`](crate::Server::handle_change). What there is of them once every later change is told:
    /// [`DirectoryReply::Found`], in the same order. Some may be watched already.
    Watch(Vec<PeerId>),
    /// Tell of them no longer. Nobody waits for an answer.
    Unwatch(Vec<PeerId>),
}

/// What a store did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryReply {
    /// It is done.
    Done,
    /// Nothing was done: a higher number than that is held.
    Stale {
        /// The highest that was seen.
        seq: u64,
    },
    /// Nothing was done: there is no room.
    Full,
    /// What there is, in the order in which it was asked for.
    Found(Vec<Option<DirectoryEntry>>),
    /// The store could not be asked, or does not answer.
    Failed,
}

/// What became of one node's announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryChange {
    /// Whose.
    pub owner: Fingerprint,
    /// His other name.
    pub sha1: [u8; 20],
    /// What there is of him from now on.
    pub entry: Option<DirectoryEntry>,
}

impl DirectoryChange {
    /// Both names of whom it is about.
    pub(crate) fn names(&self) -> [PeerId; 2] {
        [PeerId::Sha1(self.sha1), PeerId::Sha256(*self.owner.as_bytes())]
    }
}
