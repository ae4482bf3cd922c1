//! A discovery server as a program holds it: how it is started, asked and stopped.

mod desk;
mod directory;
mod snapshot;

pub use directory::{Changes, DIRECTORY_PATIENCE, Directory, DirectoryFuture};

use crate::clock;
use crate::crypto;
use crate::interfaces;
use crate::promise::Promise;
use crate::runtime::Runtime;
use crate::shared::{Handle, Life, Shared};
use crate::shell::Shell;
use desk::ServerDesk;
use handfast_core::error::ServerError;
use handfast_core::{Identity, Keeping, PublicKey, ServerConfig, ServerStats};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often what a server holds is written down.
pub const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

/// The lock of a server.
type ServerShared = Shared<handfast_core::Server, ServerDesk>;

/// A running discovery server: nodes that are not on one LAN find each other by it. Clones are the same server.
///
/// While a handle lives, the server runs. When the last one is dropped it closes its connections in the background; to
/// wait for that, call [`Server::shutdown`].
///
/// ```no_run
/// # async fn run<R: handfast_driver::Runtime>(runtime: R) -> Result<(), Box<dyn std::error::Error>> {
/// use handfast_driver::{ServerBuilder, ServerConfig, new_identity};
///
/// let config = ServerConfig::new().with_port(4433);
/// let builder = ServerBuilder::new(config, new_identity()?, runtime).with_snapshot("/var/lib/handfast/directory");
/// let server = builder.start().await?;
/// println!("clients pin the key {}", server.public_key().fingerprint());
/// # Ok(())
/// # }
/// ```
pub struct Server<R: Runtime> {
    handle: Handle<handfast_core::Server, ServerDesk>,
    key: PublicKey,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Clone for Server<R> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), key: self.key, runtime: PhantomData }
    }
}

impl<R: Runtime> fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Everything that a server is started from.
pub struct ServerBuilder<R: Runtime> {
    config: ServerConfig,
    identity: Identity,
    runtime: R,
    snapshot: Option<PathBuf>,
    directory: Option<Arc<dyn Directory>>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerStartError {
    /// No socket could be opened.
    #[error("no socket could be opened: {0}")]
    Bind(io::ErrorKind),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Entropy(#[source] io::Error),
    /// The configuration wants a store that is asked, and none was given.
    #[error("there is no store for servers that share one")]
    NoStore,
    /// The configuration breaks a rule.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The snapshot could not be read, or is damaged. Move it away to begin with nothing.
    #[error("the snapshot could not be read: {0}")]
    Snapshot(#[source] io::Error),
    /// The runtime ended.
    #[error("the server was stopped while it started")]
    Stopped,
}

impl<R: Runtime + Default> Server<R> {
    /// Begins to build a server that remembers nothing.
    pub fn builder(config: ServerConfig, identity: Identity) -> ServerBuilder<R> {
        ServerBuilder::new(config, identity, R::default())
    }
}

impl<R: Runtime> ServerBuilder<R> {
    /// A builder for a runtime that is a value of its own.
    pub fn new(config: ServerConfig, identity: Identity, runtime: R) -> Self {
        Self { config, identity, runtime, snapshot: None, directory: None }
    }

    /// Where what the server holds is written, each [`SNAPSHOT_EVERY`] and when it stops, and read when it starts. A
    /// crash loses what was announced since; whoever announced it does so again within half its lease. The file
    /// beside it that ends in `.new` is the server's too.
    #[must_use]
    pub fn with_snapshot(mut self, path: impl Into<PathBuf>) -> Self {
        self.snapshot = Some(path.into());
        self
    }

    /// The store that it shares with other servers, in place of its own memory: clients may ask any of them. Such a
    /// server writes no snapshot.
    #[must_use]
    pub fn with_directory(mut self, directory: impl Directory) -> Self {
        self.config = self.config.with_keeping(Keeping::Asked);
        self.directory = Some(Arc::new(directory));
        self
    }

    /// Starts the server; done once a socket is open and the snapshot is read.
    ///
    /// Call it within the runtime. Not cancel safe: dropping the future stops the server.
    ///
    /// # Errors
    /// [`ServerStartError`].
    pub async fn start(self) -> Result<Server<R>, ServerStartError> {
        let Self { config, identity, runtime, snapshot, directory } = self;
        if config.keeping == Keeping::Asked && directory.is_none() {
            return Err(ServerStartError::NoStore);
        }
        // What somebody else keeps is not written down here.
        let snapshot = snapshot.filter(|_| directory.is_none());
        let seed = crypto::seed().map_err(ServerStartError::Entropy)?;
        let (key, crypto) = (identity.public_key(), crypto::crypto());
        let machine = handfast_core::Server::new(config, &identity, crypto, &seed, clock::now())?;
        let started = Promise::new();
        let handle = Handle::first(Arc::new(Shared::new(machine, ServerDesk::new(started.clone()))));
        let shared = Arc::clone(handle.shared());
        let server = Server { handle, key, runtime: PhantomData };
        if let Some(path) = &snapshot {
            let (shared, path) = (Arc::clone(&shared), path.clone());
            let restored = runtime.blocking(move || snapshot::restore(&shared, &path)).await;
            restored.map_err(ServerStartError::Snapshot)?;
        }
        if let Some(directory) = directory {
            directory.begin(Changes::of(&shared));
            let questions = shared.lock().desk.questions();
            runtime.spawn(directory::run(runtime.clone(), Arc::clone(&shared), directory, questions));
        }
        let list = runtime.blocking(interfaces::list).await.unwrap_or_default();
        server.handle.with(|locked, now| locked.machine.handle_interfaces(now, &list));
        runtime.spawn(Shell::new(runtime.clone(), Arc::clone(&shared), Duration::ZERO).run());
        runtime.spawn(interfaces::watch(runtime.clone(), Arc::clone(&shared), list));
        poll_fn(|cx| started.poll(cx)).await?;
        if let Some(path) = snapshot {
            shared.lock().desk.saves = true;
            runtime.spawn(snapshot::keep(runtime.clone(), shared, path));
        }
        Ok(server)
    }
}

impl<R: Runtime> Server<R> {
    /// The server's key, which clients pin.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Where its sockets are bound: the unspecified address of each family that could be opened, and the port.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        let locked = self.handle.lock();
        match locked.life {
            Life::Running | Life::Stopping => locked.machine.local_addresses(),
            Life::Stopped => Vec::new(),
        }
    }

    /// What it has and did so far.
    pub fn stats(&self) -> ServerStats {
        self.handle.lock().machine.stats()
    }

    /// Answers what was asked, closes every connection and every socket, and writes its snapshot: done when that is,
    /// within [`SHUTDOWN_LIMIT`](crate::SHUTDOWN_LIMIT) and the time that the disk takes.
    ///
    /// Cancel safe: dropping the future lets the server wind down by itself. Calling it again waits again.
    pub async fn shutdown(&self) {
        self.handle.with(|locked, _| {
            if locked.life == Life::Running {
                locked.life = Life::Stopping;
            }
        });
        self.handle.ended().await;
        poll_fn(|cx| self.handle.lock().desk.poll_saved(cx)).await;
    }
}
