//! smol's sockets, timers, tasks and blocking threads, as a node needs them.

use crate::executor;
use crate::stream::{RecvStream, SendStream};
use async_executor::Executor;
use async_io::Async;
use handfast_driver::{First, Socket, Timer, Watch};
use quinn_udp::UdpSockRef;
use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// smol: its reactor, its threads for blocking calls, and an executor, in which a node's tasks run.
///
/// By default that is one for all nodes of the process, in a thread of its own. An application that has an executor
/// spares itself the thread, and the way from there to its own tasks:
///
/// ```
/// use handfast_smol::{Builder, Config, Runtime, ServiceName, new_identity};
/// use std::sync::{Arc, Weak};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let executor = Arc::new(smol::Executor::new());
/// let config = Config::new(ServiceName::new("my-notes")?);
/// let builder = Builder::new(config, new_identity()?, Runtime::on(&executor));
/// # drop(builder);
/// // smol::block_on(executor.run(async { let node = builder.start().await?; … }))
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Runtime {
    /// Weak, since the node's own tasks have it, which the executor holds.
    executor: Option<Weak<Executor<'static>>>,
}

impl Runtime {
    /// Runs nodes in this executor, which the application must run for as long as they shall. Once it is dropped they
    /// are over, as with any runtime.
    pub fn on(executor: &Arc<Executor<'static>>) -> Self {
        Self { executor: Some(Arc::downgrade(executor)) }
    }
}

impl handfast_driver::Runtime for Runtime {
    type Socket = SmolSocket;
    type Timer = SmolTimer;
    type Watch = SmolWatch;
    type SendStream = SendStream;
    type RecvStream = RecvStream;

    fn register(&self, socket: UdpSocket) -> io::Result<SmolSocket> {
        Async::new_nonblocking(socket).map(SmolSocket)
    }

    fn timer(&self) -> SmolTimer {
        SmolTimer(async_io::Timer::never())
    }

    fn watch(&self) -> io::Result<SmolWatch> {
        if_watch::smol::IfWatcher::new().map(SmolWatch)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.executor {
            // A task for an executor that is gone goes the same way.
            Some(executor) => drop(executor.upgrade().map(|executor| executor.spawn(task).detach())),
            None => executor::shared().spawn(task).detach(),
        }
    }

    fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        blocking::unblock(call)
    }
}

/// A UDP socket in smol's reactor.
#[derive(Debug)]
pub struct SmolSocket(Async<UdpSocket>);

impl Socket for SmolSocket {
    fn as_udp(&self) -> UdpSockRef<'_> {
        self.0.get_ref().into()
    }

    fn poll_recv<T>(
        &self,
        cx: &mut Context<'_>,
        first: First,
        mut receive: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if first == First::Ask {
            ready!(self.0.poll_readable(cx))?;
        }
        loop {
            match receive() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
            ready!(self.0.poll_readable(cx))?;
        }
    }

    fn poll_send<T>(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match send() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
            ready!(self.0.poll_writable(cx))?;
        }
    }
}

/// A timer of smol's.
#[derive(Debug)]
pub struct SmolTimer(async_io::Timer);

impl Timer for SmolTimer {
    fn arm(&mut self, at: Instant) {
        self.0.set_at(at);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

/// Watches the network interfaces.
#[derive(Debug)]
pub struct SmolWatch(if_watch::smol::IfWatcher);

impl Watch for SmolWatch {
    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_if_event(cx))?;
        // Changes come in bursts; one report stands for all of them.
        while let Poll::Ready(more) = self.0.poll_if_event(cx) {
            more?;
        }
        Poll::Ready(Ok(()))
    }
}
