//! The application's own trait.

use crate::connection::Connection;
use crate::incoming::Incoming;
use crate::pairing::{ConfirmPrompt, PairingPrompt};
use crate::runtime::Runtime;
use handfast_core::ask::Candidate;
use handfast_core::{
    ConnectedPeer, DisconnectReason, DiscoveredPeer, Event, PairId, PairedPeer, PeerId, PeerState, PublicKey,
};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

/// What an application's asynchronous hooks return.
pub type HookFuture<'a> = Pin<Box<dyn Future<Output = Result<(), ()>> + Send + 'a>>;

/// The application's side of a node: hooks that are called when something happens.
///
/// Every hook has a default, which does nothing. Hooks are called one at a time and in order, in a task of
/// their own and with no lock held: a hook may use its own node. One that panics loses its event, and the
/// connection it was about; one that blocks delays the other hooks, and on a runtime of a single thread that
/// thread, as blocking does anywhere. For long work send a message to a task of yours.
///
/// At most [`MAX_QUEUED_EVENTS`](crate::MAX_QUEUED_EVENTS) events wait for a slow hook. Beyond that later ones replace
/// earlier ones, or the oldest are dropped, and [`lagged`](Self::lagged) says how many.
/// Questions (`peer_pairing_request`, `peer_admitted`, `peer_confirmation`, `peer_paired`, `peer_paired_rollback`) and
/// streams are never dropped.
#[expect(unused_variables, reason = "a default hook does nothing, and its arguments' names are for readers")]
pub trait P2PManager<R: Runtime>: Send + Sync + 'static {
    /// QUIC is reachable at this local address, which may be the unspecified one.
    fn listening(&self, address: SocketAddr) {}

    /// A peer was found that was not known to be there. All of it is hearsay.
    fn peer_discovered(&self, peer: DiscoveredPeer) {}

    /// What is known of a present peer changed.
    fn peer_updated(&self, peer: DiscoveredPeer) {}

    /// A peer is no longer seen on any link.
    fn peer_expired(&self, peer: PeerId) {}

    /// A paired peer is connected, whoever dialled.
    fn peer_connected(&self, connection: Connection<R>, peer: ConnectedPeer) {}

    /// A connection that was reported by [`peer_connected`](Self::peer_connected) ended.
    fn peer_disconnected(&self, peer: PeerId, reason: DisconnectReason) {}

    /// How it stands with a paired peer changed: whether it is connected, being dialled, or will be, and why not.
    fn peer_state(&self, peer: PeerId, state: PeerState) {}

    /// A peer that shows a code wants this node to join it. Ask the user for the code and
    /// [`accept`](PairingPrompt::accept) with it, now or within 120 s; a prompt that is dropped, as the
    /// default does, refuses.
    fn peer_pairing_request(&self, prompt: PairingPrompt) {}

    /// Whether a key may stay that has just connected, before anything was said to it, paired or not. Called only where
    /// [`Config::admission`](crate::Config::admission) says so, and then for every data connection: each waits for it,
    /// 5 s at most, after which it is refused, as it is where the hook panics.
    fn peer_admitted(&self, peer: &Candidate) -> bool {
        true
    }

    /// Both sides proved the code: shall this node pair with that peer? Called only where
    /// [`Config::confirmation`](crate::Config::confirmation) says so. Show its name and its
    /// [label](crate::core::ask::Confirmation::label), and [`accept`](ConfirmPrompt::accept), now or within 120 s; a
    /// prompt that is dropped, as the default does, refuses.
    fn peer_confirmation(&self, prompt: ConfirmPrompt) {}

    /// Saves a peer. The pairing stands on both sides, or on neither: each waits for the other's future,
    /// 30 s at most. After that time the future is dropped and [`peer_paired_rollback`] runs.
    ///
    /// Must be idempotent on `peer.pair_id`: after a crash it may be called again. What `peer.replaces`
    /// names was saved before for the same key, and is replaced once the pairing is complete: keep it until
    /// [`Event::PeerPaired`], since this pairing may yet be undone.
    ///
    /// A crash can swallow the word that a pairing was completed, or ended: at each start compare what was
    /// saved with those of [`Node::peers`](crate::Node::peers) that are paired.
    ///
    /// # Errors
    /// An error ends the pairing on both sides.
    ///
    /// [`peer_paired_rollback`]: Self::peer_paired_rollback
    fn peer_paired(&self, peer: PairedPeer) -> HookFuture<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Undoes [`peer_paired`](Self::peer_paired) for this pairing, if it had any effect: the other side did
    /// not save this node. Must be idempotent.
    ///
    /// # Errors
    /// On an error it is called again later.
    fn peer_paired_rollback(&self, pairing: PairId) -> HookFuture<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// A pairing ended, because the peer or this node forgot it. A crash may swallow this: see
    /// [`peer_paired`](Self::peer_paired).
    fn peer_unpaired(&self, key: PublicKey, pairing: PairId) {}

    /// A peer opened a stream. The hook comes before [`Node::accept`](crate::Node::accept): keep the stream
    /// and return `None`, or return it to leave it to `accept`, as the default does.
    ///
    /// The hook is to route the stream, not to read it: hand it to a task of yours.
    fn accept_stream(&self, stream: Incoming<R>) -> Option<Incoming<R>> {
        Some(stream)
    }

    /// So many events were dropped or replaced since the last call, because the hooks were slower than the events.
    fn lagged(&self, dropped: u64) {}

    /// An event that has no hook of its own: among them all that is told of pairings under way, of keys that are
    /// trusted or banned, and of services, which a [`Browser`](crate::Browser) tells as well.
    fn event(&self, event: Event) {}
}
