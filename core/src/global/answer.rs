//! Whether what a server says of a peer was said by that peer, and to whom.
//!
//! Never trusts the server: what it makes up has no signature, and what it replays has a number that was seen.

use super::seal;
use crate::id::{Fingerprint, PublicKey};
use crate::store::PairSecret;
use crate::wire::discovery::Answer;
use crate::wire::record::{Body, Payload};
use std::net::SocketAddr;

/// What a peer said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) owner: PublicKey,
    pub(super) seq: u64,
    /// Until when it was meant, in seconds since 1970.
    pub(super) not_after_s: u64,
    pub(super) addresses: Vec<SocketAddr>,
}

/// Why an answer is not heeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// No record, or none that its owner signed.
    Forged,
    /// The record of another key.
    Foreign,
    /// It is older than one that was seen.
    Replayed,
    /// It is sealed, and not for this node.
    Unreadable,
}

/// Checks an answer about the key with the hash `print`, of which `seen` is the highest number so far.
pub(super) fn check(
    answer: &Answer,
    print: &Fingerprint,
    secrets: &[PairSecret],
    seen: u64,
) -> Result<Said, Rejected> {
    let record = answer.record.as_ref().ok_or(Rejected::Forged)?;
    let body = Body::verify(record).map_err(|_| Rejected::Forged)?;
    if body.owner.fingerprint() != *print {
        return Err(Rejected::Foreign);
    }
    if body.seq < seen {
        return Err(Rejected::Replayed);
    }
    let addresses = match &body.payload {
        Payload::Plain(plain) => plain.addresses.clone(),
        Payload::Sealed(sealed) => {
            let open = |secret: &PairSecret| seal::open(&body.entries, sealed, secret, print);
            secrets.iter().find_map(open).ok_or(Rejected::Unreadable)?
        }
    };
    Ok(Said { owner: body.owner, seq: body.seq, not_after_s: body.not_after_s, addresses })
}
