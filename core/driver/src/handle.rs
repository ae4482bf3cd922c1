//! The node as an application holds it: how it is started, asked and stopped.

use crate::connection::Connection;
use crate::crypto;
use crate::desk::{Desk, Dialled, NodeHandle, Standing};
use crate::diagnostics::Diagnostics;
use crate::events::Events;
use crate::hooks;
use crate::incoming::Incoming;
use crate::interfaces;
use crate::manager::P2PManager;
use crate::pairing::{Hosting, HostingError, JoiningError, join};
use crate::promise::Promise;
use crate::room::Room;
use crate::runtime::Runtime;
use crate::shared::{Handle, Life, Shared};
use crate::shell::Shell;
use crate::store::{MemoryStore, Store, StoreError};
use crate::waiters::Place;
use crate::{keeper, resolver};
use handfast_core::error::{ConnectError, MetadataError, NodeError};
use handfast_core::{
    Code, Config, ConnId, ConnectFailure, ConnectedPeer, Dial, DiscoveredPeer, Identity, Metadata,
    PairedPeer, PeerId, PeerState, PublicKey, Target,
};
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A running node. Clones are the same node.
///
/// While a handle lives, be it a node, a connection, a stream, a pairing, a service or a search, the node runs. When the last
/// one is dropped it says goodbye and closes its sockets in the background; to wait for that, call
/// [`Node::shutdown`].
pub struct Node<R: Runtime> {
    pub(crate) handle: NodeHandle,
    about: Arc<About>,
    runtime: PhantomData<fn() -> R>,
}

/// What never changes about a node.
struct About {
    id: PeerId,
    key: PublicKey,
}

impl<R: Runtime> Clone for Node<R> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), about: Arc::clone(&self.about), runtime: PhantomData }
    }
}

impl<R: Runtime> fmt::Debug for Node<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.about.id).finish_non_exhaustive()
    }
}

/// Everything that a node is started from.
pub struct Builder<R: Runtime> {
    config: Config,
    identity: Identity,
    runtime: R,
    store: Arc<dyn Store>,
    manager: Option<Arc<dyn P2PManager<R>>>,
    linger: Duration,
    pub(crate) diagnostics: Diagnostics,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Entropy(#[source] std::io::Error),
    /// The configuration breaks a rule.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A file that shall be written for diagnosis could not be opened.
    #[error("a file for diagnosis could not be opened: {0}")]
    Diagnostics(#[source] std::io::Error),
    /// The runtime ended.
    #[error("the node was stopped while it started")]
    Stopped,
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no connection to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// Nobody was dialled.
    #[error(transparent)]
    Begin(#[from] ConnectError),
    /// The peer was dialled in vain.
    #[error(transparent)]
    Failed(#[from] ConnectFailure),
    /// The node was stopped.
    #[error("the node was stopped")]
    Stopped,
}

/// A peer, as far as it is known: at least one of the first three is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its name.
    pub id: PeerId,
    /// What discovery says, which is hearsay.
    pub discovered: Option<DiscoveredPeer>,
    /// What was agreed when it was paired.
    pub paired: Option<PairedPeer>,
    /// Its connection.
    pub connected: Option<ConnectedPeer>,
    /// How it stands with it, and why, where it is paired.
    pub state: Option<PeerState>,
}

impl<R: Runtime + Default> Node<R> {
    /// Begins to build a node, with a store in memory and no manager.
    pub fn builder(config: Config, identity: Identity) -> Builder<R> {
        Builder::new(config, identity, R::default())
    }
}

impl<R: Runtime> Builder<R> {
    /// A builder for a runtime that is a value of its own.
    pub fn new(config: Config, identity: Identity, runtime: R) -> Self {
        let store = Arc::new(MemoryStore::default());
        Self {
            config,
            identity,
            runtime,
            store,
            manager: None,
            linger: Duration::ZERO,
            diagnostics: Diagnostics::default(),
        }
    }

    /// Where pairings are kept. The default forgets them.
    #[must_use]
    pub fn with_store(mut self, store: impl Store) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Whose hooks are called. Without one every pairing is saved in the store alone, and prompts of peers
    /// who show a code are refused.
    #[must_use]
    pub fn with_manager(mut self, manager: impl P2PManager<R>) -> Self {
        self.manager = Some(Arc::new(manager));
        self
    }

    /// How long the loop stays awake after it ran out of work, before it sleeps: zero unless told
    /// otherwise. With 50 µs a round trip takes an eighth of the time; other work that wants the cores
    /// suffers.
    #[must_use]
    pub fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Starts the node; done once its sockets are open, or were refused, and the store has loaded.
    ///
    /// Call it within the runtime. A socket that could not be opened fails nothing: see
    /// [`Node::local_addresses`]. Not cancel safe: dropping the future stops the node.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(self) -> Result<Node<R>, StartError> {
        let Self { config, identity, runtime, store, manager, linger, diagnostics } = self;
        let about = Arc::new(About { id: identity.peer_id(config.peer_id), key: identity.public_key() });
        let seed = crypto::seed().map_err(StartError::Entropy)?;
        let started = Promise::new();
        let (desk, store_queue, hook_queue) =
            Desk::new(manager.is_some(), Room::new(config.receive_budget / 2), started.clone());
        let machine = diagnostics.machine(config, &identity, &seed)?;
        let handle = Handle::first(Arc::new(Shared::new(machine, desk)));
        let shared = Arc::clone(handle.shared());
        let node = Node { handle, about, runtime: PhantomData };

        runtime.spawn(keeper::run(runtime.clone(), Arc::clone(&shared), store, store_queue));
        let lookups = node.handle.lock().desk.lookups();
        runtime.spawn(resolver::run(runtime.clone(), Arc::clone(&shared), lookups));
        if let (Some(manager), Some(queue)) = (manager, hook_queue) {
            runtime.spawn(hooks::run(Arc::clone(&shared), manager, queue));
        }
        #[cfg(feature = "metrics")]
        if let Some(metrics) = diagnostics.metrics {
            runtime.spawn(metrics.run(runtime.clone(), Arc::clone(&shared)));
        }
        let list = runtime.blocking(interfaces::list).await.unwrap_or_default();
        node.handle.with(|locked, now| locked.machine.handle_interfaces(now, &list));
        runtime.spawn(Shell::new(runtime.clone(), Arc::clone(&shared), linger).run());
        runtime.spawn(interfaces::watch(runtime.clone(), shared, list));
        poll_fn(|cx| started.poll(cx)).await?;
        Ok(node)
    }
}

impl<R: Runtime> Node<R> {
    /// This node's name.
    pub fn id(&self) -> PeerId {
        self.about.id
    }

    /// This node's key.
    pub fn public_key(&self) -> PublicKey {
        self.about.key
    }

    /// Where QUIC's sockets are bound: the unspecified address of each family that could be opened, and the
    /// port.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        let locked = self.handle.lock();
        match locked.life {
            Life::Running | Life::Stopping => locked.machine.local_addresses(),
            Life::Stopped => Vec::new(),
        }
    }

    /// Every peer that is discovered, paired or connected.
    pub fn peers(&self) -> Vec<Peer> {
        let mut locked = self.handle.lock();
        let peers = locked.machine.peers();
        let (discovered, paired, connected) = (peers.discovered(), peers.paired(), peers.connected());
        let mut all = merge(discovered, paired, connected);
        for peer in all.iter_mut().filter(|peer| peer.paired.is_some()) {
            peer.state = peers.state(peer.id);
        }
        all
    }

    /// The connections to paired peers.
    pub fn connections(&self) -> Vec<Connection<R>> {
        let standing = self.handle.lock().connections();
        standing.into_iter().map(|standing| Connection::new(self.handle.clone(), standing)).collect()
    }

    /// The connection of that id, as events name it, while it lives.
    pub fn connection(&self, id: ConnId) -> Option<Connection<R>> {
        let standing =
            self.handle.lock().connections().into_iter().find(|standing| standing.peer.conn == id)?;
        Some(Connection::new(self.handle.clone(), standing))
    }

    /// Connects to a paired peer, or gives the connection that stands.
    ///
    /// Cancel safe: dropping the future leaves the dial to end by itself, within 10 s.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn connect(&self, peer: PeerId) -> Result<Connection<R>, DialError> {
        let promise = Promise::new();
        let begun = self.handle.with(|locked, now| {
            if locked.life != Life::Running {
                return Err(DialError::Stopped);
            }
            let begun = locked.machine.connect(now, peer)?;
            let is_meant = |standing: &Standing| begun == Dial::Connected(standing.peer.conn);
            let standing = locked.connections().into_iter().find(is_meant);
            if standing.is_none() {
                locked.desk.await_dial(peer, promise.clone());
            }
            Ok(standing)
        })?;
        let standing = match begun {
            Some(standing) => standing,
            None => {
                let _forget = Forget { handle: &self.handle, promise: &promise };
                poll_fn(|cx| promise.poll(cx)).await?
            }
        };
        Ok(Connection::new(self.handle.clone(), standing))
    }

    /// The next stream that a peer opened and that no manager kept, or `None` once the node is stopped.
    ///
    /// At most [`MAX_UNACCEPTED_STREAMS`](crate::MAX_UNACCEPTED_STREAMS) wait; further ones are refused.
    /// Several tasks may wait here. Cancel safe: no stream is lost.
    pub async fn accept(&self) -> Option<Incoming<R>> {
        let mut place = Place::default();
        let arrival = poll_fn(|cx| self.handle.lock().desk.poll_accept(cx, &mut place)).await?;
        Some(Incoming::new(self.handle.clone(), arrival))
    }

    /// Shows a pairing code until it is used or its window closes.
    ///
    /// Dropping what is returned closes the window.
    ///
    /// # Errors
    /// [`HostingError`].
    pub fn pair_host(&self, target: Target) -> Result<Hosting, HostingError> {
        Hosting::begin(&self.handle, &target)
    }

    /// Pairs with a peer that shows this code; done when both sides saved each other, or neither did.
    ///
    /// Dropping the future cancels the pairing, as long as it can be; it may yet come about if the other
    /// side has decided. Not cancel safe in the sense that the entry of the code is used up.
    ///
    /// # Errors
    /// [`JoiningError`].
    pub async fn pair_join(&self, code: Code, target: Target) -> Result<PairedPeer, JoiningError> {
        join(&self.handle, code, &target).await
    }

    /// Ends the pairing with a peer, which is told now or when it is next met. False if there was none.
    pub fn forget(&self, peer: PeerId) -> bool {
        self.handle.with(|locked, now| locked.machine.pairing().forget(now, peer))
    }

    /// Changes what peers are told of this node: on the LAN at once, as far as [`Config::advertise`] says and at
    /// most ten times a minute; paired peers with each connection that begins after this. Nothing happens on a
    /// node that was stopped.
    ///
    /// # Errors
    /// The first field that is over its limit, and nothing changes.
    pub fn set_metadata(&self, metadata: Metadata) -> Result<(), MetadataError> {
        self.handle.with(|locked, now| locked.machine.set_metadata(now, metadata))
    }

    /// The events from here on, as the hooks would get them.
    pub fn events(&self) -> Events {
        Events::new(self.handle.lock().desk.subscribe())
    }

    /// Says goodbye, delivers what was finished, closes every connection and every socket: done when that
    /// is, within [`SHUTDOWN_LIMIT`](crate::SHUTDOWN_LIMIT).
    ///
    /// Cancel safe: dropping the future lets the node wind down by itself. Calling it again waits again.
    pub async fn shutdown(&self) {
        self.handle.with(|locked, _| {
            if locked.life == Life::Running {
                locked.life = Life::Stopping;
            }
        });
        self.handle.ended().await;
    }
}

/// Takes a promise off the list when nobody awaits it any longer.
struct Forget<'a> {
    handle: &'a NodeHandle,
    promise: &'a Promise<Dialled>,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.handle.lock().desk.forget_dial(self.promise);
    }
}

/// One entry a peer. Discovery knows a peer by either of its names.
fn merge(
    discovered: Vec<DiscoveredPeer>,
    paired: Vec<PairedPeer>,
    connected: Vec<ConnectedPeer>,
) -> Vec<Peer> {
    let blank = |id| Peer { id, discovered: None, paired: None, connected: None, state: None };
    let mut out: Vec<Peer> =
        paired.into_iter().map(|p| Peer { paired: Some(p.clone()), ..blank(p.id) }).collect();
    for peer in connected {
        let known = out.iter().position(|p| p.paired.as_ref().is_some_and(|paired| paired.key == peer.key));
        match known {
            Some(at) => out[at].connected = Some(peer),
            None => out.push(Peer { connected: Some(peer.clone()), ..blank(peer.id) }),
        }
    }
    let mut by_name = std::collections::BTreeMap::new();
    for (at, peer) in out.iter().enumerate() {
        let key = peer.paired.as_ref().map(|p| p.key).or(peer.connected.as_ref().map(|p| p.key));
        for kind in [handfast_core::PeerIdKind::Sha1, handfast_core::PeerIdKind::Sha256] {
            by_name.extend(key.map(|key| (key.peer_id(kind), at)));
        }
    }
    for peer in discovered {
        match by_name.get(&peer.id) {
            Some(at) => out[*at].discovered = Some(peer),
            None => out.push(Peer { discovered: Some(peer.clone()), ..blank(peer.id) }),
        }
    }
    out
}
