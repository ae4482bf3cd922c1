//! Questions that a node puts to its application, and the answers.
//!
//! Each question carries a token of its own type, which cannot be copied: it is answered at most once, by
//! the answer that fits. A question that is never answered is taken as refused after its deadline.

use crate::code::Code;
use crate::error::HookFailed;
use crate::event::PairedPeer;
use crate::id::PairId;
use crate::store::{StoreReply, StoreRequest};
use std::net::SocketAddr;

/// A question. Exhaustive on purpose, as [`Output`](crate::Output).
#[derive(Debug)]
pub enum Ask {
    /// A peer that shows a code wants this node to join: is there a code? Unanswered for 120 s it is
    /// refused.
    PairingRequest(PairingRequestToken, PairingRequest),
    /// Save this peer. Must be idempotent on the pair id. Answer within 30 s.
    Paired(PairedToken, PairedPeer),
    /// Undo [`Ask::Paired`] for this pair id, if it happened. Must be idempotent.
    Rollback(RollbackToken, PairId),
    /// Do this with the durable store.
    Store(StoreToken, StoreRequest),
}

/// Who wants to be joined. All of it is unauthenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairingRequest {
    /// Where the connection comes from.
    pub remote: SocketAddr,
    /// The key that the peer proved to hold.
    pub peer: crate::id::PublicKey,
}

/// An answer, made by spending the question's token.
#[derive(Debug)]
pub enum Answer {
    /// To [`Ask::PairingRequest`].
    PairingRequest(PairingRequestToken, PairingReply),
    /// To [`Ask::Paired`].
    Paired(PairedToken, Result<(), HookFailed>),
    /// To [`Ask::Rollback`].
    Rollback(RollbackToken, Result<(), HookFailed>),
    /// To [`Ask::Store`].
    Store(StoreToken, StoreReply),
}

/// What the application says to a peer that wants to be joined.
#[derive(Debug)]
pub enum PairingReply {
    /// Join with this code, which the user typed.
    Join(Code),
    /// Refuse.
    Reject,
}

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, PartialEq, Eq)]
        pub struct $name(pub(crate) u64);
    )*};
}
tokens! {
    /// Answers one [`Ask::PairingRequest`].
    PairingRequestToken,
    /// Answers one [`Ask::Paired`].
    PairedToken,
    /// Answers one [`Ask::Rollback`].
    RollbackToken,
    /// Answers one [`Ask::Store`].
    StoreToken,
}
