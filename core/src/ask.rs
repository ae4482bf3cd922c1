//! Questions that a node puts to its application, and the answers.
//!
//! Each question carries a token of its own type, which cannot be copied: it is answered at most once, by
//! the answer that fits. A question that is never answered is taken as refused after its deadline.

use crate::code::Code;
use crate::directory::{DirectoryReply, DirectoryRequest};
use crate::error::HookFailed;
use crate::event::{PairedPeer, PairingId};
use crate::host::HostName;
use crate::id::{PairId, PeerId, PublicKey};
use crate::metadata::Metadata;
use crate::store::{StoreReply, StoreRequest};
use std::net::SocketAddr;

/// A question. Exhaustive on purpose, as [`Output`](crate::Output).
#[derive(Debug)]
pub enum Ask {
    /// A peer that shows a code wants this node to join: is there a code? Unanswered for 120 s it is
    /// refused.
    PairingRequest(PairingRequestToken, PairingRequest),
    /// A key proved itself on a data connection, and nothing was said yet: may it stay? Asked only where
    /// [`Config::admission`](crate::Config::admission) says so. Unanswered for 5 s it is refused.
    Admit(AdmitToken, Candidate),
    /// Both sides proved the code, and the peer said who it is: shall the two be paired? Asked only where
    /// [`Config::confirmation`](crate::Config::confirmation) says so. Unanswered for 120 s it is refused.
    Confirm(ConfirmToken, Confirmation),
    /// Save this peer. Must be idempotent on the pair id. Answer within 30 s.
    Paired(PairedToken, PairedPeer),
    /// Undo [`Ask::Paired`] for this pair id, if it happened. Must be idempotent.
    Rollback(RollbackToken, PairId),
    /// Do this with the durable store.
    Store(StoreToken, StoreRequest),
    /// Do this with the store that discovery servers share. No node asks it, and of servers only one that
    /// [`Keeping::Asked`](crate::Keeping::Asked) made. Unanswered for 5 s it has failed.
    Directory(DirectoryToken, DirectoryRequest),
    /// Look up the addresses of this host, with its port. Unanswered for 5 s it has none.
    Resolve(ResolveToken, HostName),
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

/// Who connected, on a data connection. The key is proven, and nothing else is known of it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// The peer's name.
    pub id: PeerId,
    /// The key that it proved to hold.
    pub key: PublicKey,
    /// Where it is.
    pub remote: SocketAddr,
    /// Whether this node dialled.
    pub dialled: bool,
    /// Whether this node is paired with it.
    pub paired: bool,
}

/// Whom a pairing is with, once both sides proved the code. All of it is authenticated by that, so the name is what
/// the device with the right code says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirmation {
    /// The pairing.
    pub pairing: PairingId,
    /// The peer's name.
    pub id: PeerId,
    /// Its key.
    pub key: PublicKey,
    /// What it says of itself.
    pub metadata: Metadata,
    /// Where it is.
    pub remote: SocketAddr,
    /// The earlier pairings with the same key that this one replaces.
    pub replaces: Vec<PairId>,
}

impl Confirmation {
    /// What to show people beside the name, as `7f3a·c21e`: a label, never a proof.
    pub fn label(&self) -> String {
        self.key.fingerprint().label()
    }
}

/// What the application says to [`Ask::Admit`] and [`Ask::Confirm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Yes.
    Granted,
    /// No.
    Refused,
}

/// An answer, made by spending the question's token.
#[derive(Debug)]
pub enum Answer {
    /// To [`Ask::PairingRequest`].
    PairingRequest(PairingRequestToken, PairingReply),
    /// To [`Ask::Admit`].
    Admit(AdmitToken, Permission),
    /// To [`Ask::Confirm`].
    Confirm(ConfirmToken, Permission),
    /// To [`Ask::Paired`].
    Paired(PairedToken, Result<(), HookFailed>),
    /// To [`Ask::Rollback`].
    Rollback(RollbackToken, Result<(), HookFailed>),
    /// To [`Ask::Store`].
    Store(StoreToken, StoreReply),
    /// To [`Ask::Directory`].
    Directory(DirectoryToken, DirectoryReply),
    /// To [`Ask::Resolve`]: none where it has none, or could not be looked up. The first 8 are heeded.
    Resolve(ResolveToken, Vec<SocketAddr>),
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
    /// Answers one [`Ask::Admit`].
    AdmitToken,
    /// Answers one [`Ask::Confirm`].
    ConfirmToken,
    /// Answers one [`Ask::Paired`].
    PairedToken,
    /// Answers one [`Ask::Rollback`].
    RollbackToken,
    /// Answers one [`Ask::Store`].
    StoreToken,
    /// Answers one [`Ask::Directory`].
    DirectoryToken,
    /// Answers one [`Ask::Resolve`].
    ResolveToken,
}
