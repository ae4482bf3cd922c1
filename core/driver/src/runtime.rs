//! What a driver must bring: sockets that wake a task, timers, tasks, and threads for blocking calls.
//!
//! Names no runtime. A driver implements [`Runtime`] and its two stream types, nothing else.

use crate::stream::{RawRecv, RawSend};
use handfast_core::{HostName, SocketSpec};
use quinn_udp::UdpSockRef;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::DerefMut;
use std::task::{Context, Poll};
use std::time::Instant;

/// An asynchronous runtime, as a node needs it.
///
/// A value of it is a handle: cheap to clone. Its methods are called from within the runtime's own tasks,
/// or where [`Builder::start`](crate::Builder::start) is awaited.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A UDP socket that wakes the task that polls it.
    type Socket: Socket;
    /// A timer.
    type Timer: Timer;
    /// Tells of changed network interfaces.
    type Watch: Watch;
    /// The sending half of a stream, with the runtime's I/O traits.
    type SendStream: From<RawSend> + DerefMut<Target = RawSend> + fmt::Debug + Send + Unpin + 'static;
    /// The receiving half of a stream, with the runtime's I/O traits.
    type RecvStream: From<RawRecv> + DerefMut<Target = RawRecv> + fmt::Debug + Send + Unpin + 'static;

    /// Opens a socket, non-blocking. A wrapper may refuse here what the operating system would grant.
    ///
    /// # Errors
    /// What the operating system says; the node goes on without that socket.
    fn open(&self, spec: &SocketSpec) -> io::Result<UdpSocket> {
        crate::bind::open(spec)
    }

    /// Registers a non-blocking socket.
    ///
    /// # Errors
    /// What the operating system says.
    fn register(&self, socket: UdpSocket) -> io::Result<Self::Socket>;

    /// A timer that is not armed.
    fn timer(&self) -> Self::Timer;

    /// Begins to watch the network interfaces.
    ///
    /// # Errors
    /// What the operating system says; a slow poll stands in for it.
    fn watch(&self) -> io::Result<Self::Watch>;

    /// Runs a task to its end, or to the runtime's.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Runs a blocking call where it blocks no task. The call does not panic.
    fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static;

    /// Looks up the addresses of a host, with its port: as the operating system does, as a blocking call. None
    /// where it has none, or cannot be looked up.
    fn resolve(&self, name: HostName) -> impl Future<Output = Vec<SocketAddr>> + Send + 'static {
        self.blocking(move || crate::resolver::look_up(&name))
    }
}

/// A registered UDP socket.
pub trait Socket: Send + Sync + 'static {
    /// The socket itself, for quinn-udp.
    fn as_udp(&self) -> UdpSockRef<'_>;

    /// Runs `receive` until it gets something, or until there is nothing; then the task is woken once there
    /// is.
    fn poll_recv<T>(
        &self,
        cx: &mut Context<'_>,
        first: First,
        receive: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>>;

    /// Runs `send` until it has sent, or until there is no room; then the task is woken once there is.
    fn poll_send<T>(&self, cx: &mut Context<'_>, send: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>>;
}

/// What to do first when a socket is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// Try, and ask the reactor only if that would block: for a socket that is busy. To ask first more than
    /// halves the throughput on some runtimes.
    Try,
    /// Ask the reactor: for a socket that is quiet, where a try is a wasted system call.
    Ask,
}

/// A timer.
pub trait Timer: Send + 'static {
    /// Arms it, whatever it was armed for.
    fn arm(&mut self, at: Instant);

    /// Ready once the time has come, and until it is armed anew. Pending for ever if it never was armed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Watches the network interfaces.
pub trait Watch: Send + 'static {
    /// Ready when something changed since it was last ready.
    ///
    /// # Errors
    /// When it can watch no longer; it is not polled again.
    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}
