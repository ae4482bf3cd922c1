//! One connection on the pairing ALPN: who is there, and how far it got.
//!
//! ```text
//! AwaitOpen ─┬→ Prompting ─→ Joiner(…) ─┬→ Last ─→ closed
//!            └→ Host(…) ────────────────┴→ Aborting ─→ Last
//! ```
//!
//! Holds the states and how long each may take; moves none of them.

use super::keys::{Ends, Exporter};
use super::{host, introduction, joiner};
use crate::event::{PairingFailure, PairingId};
use crate::id::{ConnId, PairId, PublicKey};
use crate::store::{PairRecord, Role};
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;
use crate::wire::pairing::{AbortReason, RejectReason};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A step that only machines take.
pub(super) const STEP: Duration = Duration::from_secs(10);
/// What an application's hook may take.
pub(super) const HOOK: Duration = Duration::from_secs(30);
/// What a person may take.
pub(super) const PERSON: Duration = Duration::from_secs(120);
/// How long the writer of a last message waits for its reader to close.
pub(super) const LAST: Duration = Duration::from_secs(3);

/// A connection that `route` hands over.
pub(crate) struct NewSession {
    /// The connection.
    pub(crate) conn: ConnId,
    /// The TLS exporter's value, taken at `Connected`.
    pub(crate) exporter: [u8; 32],
    /// The key that the peer proved to hold.
    pub(crate) peer: PublicKey,
    /// Where it is.
    pub(crate) remote: SocketAddr,
    /// The pairing that this node dialled for: it must send `Open`. `None` where the peer dialled.
    pub(crate) dialled: Option<PairingId>,
}

pub(super) struct Session {
    pub(super) peer: PublicKey,
    pub(super) remote: SocketAddr,
    pub(super) exporter: Exporter,
    /// Whether this node is the QUIC client.
    pub(super) dialled: bool,
    /// The window or entry that it serves.
    pub(super) pairing: Option<PairingId>,
    pub(super) until: Instant,
    pub(super) state: State,
}

pub(super) enum State {
    /// As QUIC server, for the role that the peer wants.
    AwaitOpen,
    /// As joiner, for a code from this node's user. The frame is `Open`.
    Prompting {
        token: u64,
        open: Frame,
    },
    Host(Host),
    Joiner(Joiner),
    /// For the own record to be undone and deleted: then `Abort` may be said.
    Aborting {
        pair_id: PairId,
        reason: AbortReason,
    },
    /// All is said: for the peer to close.
    Last,
}

/// How far the host got. What follows `Confirm` holds the pair id.
pub(super) enum Host {
    Hello(host::AwaitHello),
    Pake(host::AwaitPake),
    Confirm(host::AwaitConfirm),
    /// As `Confirm`, where the two trust each other without a code.
    Trust(host::AwaitConfirm),
    Meta(introduction::AwaitMeta),
    /// For both sides' users.
    Asking(introduction::AskingBoth),
    /// For this side's user alone.
    Deciding(introduction::AskingOurs),
    /// For the other side's user alone.
    UserOk(introduction::AwaitUserOk),
    /// For `Prepared`.
    Prepared(introduction::Introduced),
    /// For the store to hold `hook`.
    StoringHook(PairRecord),
    /// For the application to save the peer.
    Saving(PairRecord),
    /// For the store to hold `committed`: the commit point.
    StoringCommitted(PairRecord),
    /// For `Done`.
    Done(PairRecord),
    /// For the store to hold `paired`.
    StoringPaired(PairRecord),
}

/// How far the joiner got. What follows `Confirm` holds the pair id.
pub(super) enum Joiner {
    Ack(joiner::AwaitAck),
    Pake(joiner::AwaitPake),
    Confirm(joiner::AwaitConfirm),
    /// As `Ack`, where the two trust each other without a code.
    TrustAck(joiner::AwaitTrust),
    /// As `Confirm`, where the two trust each other without a code.
    Trust(joiner::AwaitConfirm),
    Meta(introduction::AwaitMeta),
    /// For both sides' users.
    Asking(introduction::AskingBoth),
    /// For this side's user alone.
    Deciding(introduction::AskingOurs),
    /// For the other side's user alone.
    UserOk(introduction::AwaitUserOk),
    /// For the store to hold `hook`.
    StoringHook(PairRecord),
    /// For the application to save the peer.
    Saving(PairRecord),
    /// For the store to hold `prepared`.
    StoringPrepared(PairRecord),
    /// For `Commit`.
    Commit(PairRecord),
    /// For the store to hold `paired`.
    StoringPaired(PairRecord),
}

/// Why a session ends, and what is said to the peer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Say `Abort`, once the own record is gone.
    Abort(AbortReason, PairingFailure),
    /// Close with this code and say nothing.
    Close(CloseCode, PairingFailure),
    /// The connection is gone.
    Lost(PairingFailure),
    /// Another session with the same peer stays: no window, entry or user hears of it.
    Outdone,
    /// As host, say `Reject`.
    Reject(RejectReason, u8, PairingFailure),
    /// The peer said `Reject` or `Abort`, and has no record: as the reader of a last message, close.
    Told(PairingFailure),
}

impl End {
    /// The peer broke the protocol.
    pub(super) const PROTOCOL: Self = Self::Close(CloseCode::Protocol, PairingFailure::Protocol);

    pub(super) fn failure(&self) -> PairingFailure {
        match self {
            Self::Abort(_, failure)
            | Self::Close(_, failure)
            | Self::Lost(failure)
            | Self::Reject(_, _, failure)
            | Self::Told(failure) => *failure,
            Self::Outdone => PairingFailure::Busy,
        }
    }
}

impl Session {
    pub(super) fn ends(&self, own: PublicKey, role: Role) -> Ends {
        let (joiner, host) = match role {
            Role::Joiner => (own, self.peer),
            Role::Host => (self.peer, own),
        };
        Ends { exporter: self.exporter.clone(), joiner, host }
    }
}

impl State {
    /// How long the state may last.
    pub(super) fn patience(&self, dialled: bool) -> Duration {
        match self {
            Self::AwaitOpen => STEP,
            Self::Prompting { .. } => PERSON,
            // The joiner's user was asked for the code, if this side dialled.
            Self::Host(Host::Hello(_)) if dialled => PERSON + STEP,
            Self::Host(Host::Hello(_) | Host::Pake(_) | Host::Confirm(_) | Host::Trust(_)) => STEP,
            Self::Host(Host::Meta(_) | Host::Done(_)) => STEP,
            Self::Joiner(Joiner::Ack(_) | Joiner::Pake(_) | Joiner::Confirm(_) | Joiner::Meta(_)) => STEP,
            Self::Joiner(Joiner::TrustAck(_) | Joiner::Trust(_)) => STEP,
            Self::Host(Host::Asking(_) | Host::Deciding(_)) => PERSON,
            Self::Joiner(Joiner::Asking(_) | Joiner::Deciding(_)) => PERSON,
            // The other side's own deadline comes first.
            Self::Host(Host::UserOk(_)) | Self::Joiner(Joiner::UserOk(_)) => PERSON + STEP,
            // The other side's hook and store.
            Self::Host(Host::Prepared(_)) | Self::Joiner(Joiner::Commit(_)) => HOOK + STEP,
            Self::Host(Host::Saving(_)) | Self::Joiner(Joiner::Saving(_)) => HOOK,
            Self::Host(Host::StoringHook(_) | Host::StoringCommitted(_) | Host::StoringPaired(_)) => STEP,
            Self::Joiner(Joiner::StoringHook(_) | Joiner::StoringPrepared(_) | Joiner::StoringPaired(_)) => {
                STEP
            }
            Self::Aborting { .. } => HOOK + STEP,
            Self::Last => LAST,
        }
    }

    /// What the state means by its time being up.
    pub(super) fn on_timeout(&self) -> End {
        match self {
            Self::AwaitOpen | Self::Aborting { .. } => {
                End::Close(CloseCode::Timeout, PairingFailure::Timeout)
            }
            Self::Last => End::Close(CloseCode::Ok, PairingFailure::Timeout),
            Self::Host(Host::Saving(_)) | Self::Joiner(Joiner::Saving(_)) => {
                End::Abort(AbortReason::Hook, PairingFailure::Hook)
            }
            Self::Prompting { .. }
            | Self::Host(Host::Asking(_) | Host::Deciding(_))
            | Self::Joiner(Joiner::Asking(_) | Joiner::Deciding(_)) => {
                End::Abort(AbortReason::Refused, PairingFailure::Timeout)
            }
            state if state.is_bound() => End::Close(CloseCode::Timeout, PairingFailure::Timeout),
            Self::Host(_) | Self::Joiner(_) => End::Abort(AbortReason::Timeout, PairingFailure::Timeout),
        }
    }

    /// The pair id, from the proof on.
    pub(super) fn held(&self) -> Option<PairId> {
        match self {
            Self::Host(Host::Meta(state)) | Self::Joiner(Joiner::Meta(state)) => Some(state.pair_id()),
            Self::Host(Host::UserOk(state)) | Self::Joiner(Joiner::UserOk(state)) => Some(state.pair_id()),
            Self::Host(Host::Asking(state)) | Self::Joiner(Joiner::Asking(state)) => Some(state.pair_id()),
            Self::Host(Host::Deciding(state)) | Self::Joiner(Joiner::Deciding(state)) => {
                Some(state.pair_id())
            }
            Self::Host(Host::Prepared(state)) => Some(state.pair_id()),
            Self::AwaitOpen | Self::Prompting { .. } | Self::Aborting { .. } | Self::Last => None,
            Self::Host(Host::Hello(_) | Host::Pake(_) | Host::Confirm(_) | Host::Trust(_)) => None,
            Self::Joiner(Joiner::Ack(_) | Joiner::Pake(_) | Joiner::Confirm(_)) => None,
            Self::Joiner(Joiner::TrustAck(_) | Joiner::Trust(_)) => None,
            Self::Host(_) | Self::Joiner(_) => self.record().map(|record| record.pair_id),
        }
    }

    /// The record as it was stored last, or is being stored.
    pub(super) fn record(&self) -> Option<&PairRecord> {
        match self {
            Self::Host(
                Host::StoringHook(record)
                | Host::Saving(record)
                | Host::StoringCommitted(record)
                | Host::Done(record)
                | Host::StoringPaired(record),
            )
            | Self::Joiner(
                Joiner::StoringHook(record)
                | Joiner::Saving(record)
                | Joiner::StoringPrepared(record)
                | Joiner::Commit(record)
                | Joiner::StoringPaired(record),
            ) => Some(record),
            Self::AwaitOpen | Self::Prompting { .. } | Self::Aborting { .. } | Self::Last => None,
            Self::Host(_) | Self::Joiner(_) => None,
        }
    }

    /// The question that is put to this side's user.
    pub(super) fn asks(&self) -> Option<u64> {
        match self {
            Self::Host(Host::Asking(state)) | Self::Joiner(Joiner::Asking(state)) => Some(state.token),
            Self::Host(Host::Deciding(state)) | Self::Joiner(Joiner::Deciding(state)) => Some(state.token),
            Self::AwaitOpen | Self::Prompting { .. } | Self::Aborting { .. } | Self::Last => None,
            Self::Host(_) | Self::Joiner(_) => None,
        }
    }

    /// Past the point where this side may still give up by itself: the joiner once it is about to say
    /// `Prepared`, the host once it is about to commit.
    pub(super) fn is_bound(&self) -> bool {
        matches!(
            self,
            Self::Host(Host::StoringCommitted(_) | Host::Done(_) | Host::StoringPaired(_))
                | Self::Joiner(Joiner::StoringPrepared(_) | Joiner::Commit(_) | Joiner::StoringPaired(_))
        )
    }

    /// Whether the peer may say `Abort` here. A joiner may until it said `Prepared`, a host until it said
    /// `Commit`.
    pub(super) fn takes_abort(&self) -> bool {
        match self {
            Self::AwaitOpen | Self::Aborting { .. } | Self::Last => false,
            Self::Prompting { .. } => true,
            Self::Host(_) => self.record().is_none(),
            Self::Joiner(Joiner::StoringPaired(_)) => false,
            Self::Joiner(_) => true,
        }
    }

    /// Whether the host may say `Reject` here.
    pub(super) fn takes_reject(&self) -> bool {
        matches!(
            self,
            Self::Joiner(Joiner::Ack(_) | Joiner::Pake(_) | Joiner::Confirm(_) | Joiner::TrustAck(_))
        )
    }

    /// Whether either side's hook may have run.
    pub(super) fn may_have_hooked(&self) -> bool {
        self.record().is_some() || matches!(self, Self::Host(Host::Prepared(_)))
    }

    /// The part that this side plays, once it is known and until the session ends.
    pub(super) fn role(&self) -> Option<Role> {
        match self {
            Self::Host(_) => Some(Role::Host),
            Self::Prompting { .. } | Self::Joiner(_) => Some(Role::Joiner),
            Self::AwaitOpen | Self::Aborting { .. } | Self::Last => None,
        }
    }
}
