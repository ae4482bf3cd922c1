//! A runtime whose sockets fail on demand.

use handfast_core::SocketSpec;
use handfast_driver::{First, Runtime, Socket};
use quinn_udp::UdpSockRef;
use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Another runtime, with faults.
#[derive(Clone)]
pub struct Faulty<R> {
    inner: R,
    refused: fn(&SocketSpec) -> bool,
    cut: Arc<AtomicBool>,
}

/// A socket of a runtime with faults.
#[derive(Debug)]
pub struct FaultySocket<S> {
    inner: S,
    cut: Arc<AtomicBool>,
}

impl<R> Faulty<R> {
    /// A runtime that does not grant the sockets that `refused` picks.
    pub fn refusing(inner: R, refused: fn(&SocketSpec) -> bool) -> Self {
        Self { inner, refused, cut: Arc::default() }
    }

    /// A runtime, and its cable: while that is set to be cut nothing is sent or received.
    pub fn with_cable(inner: R) -> (Self, Arc<AtomicBool>) {
        let cut = Arc::new(AtomicBool::new(false));
        (Self { inner, refused: |_| false, cut: Arc::clone(&cut) }, cut)
    }
}

impl<R: Runtime> Runtime for Faulty<R> {
    type Socket = FaultySocket<R::Socket>;
    type Timer = R::Timer;
    type Watch = R::Watch;
    type SendStream = R::SendStream;
    type RecvStream = R::RecvStream;

    fn open(&self, spec: &SocketSpec) -> io::Result<UdpSocket> {
        if (self.refused)(spec) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        self.inner.open(spec)
    }

    fn register(&self, socket: UdpSocket) -> io::Result<Self::Socket> {
        Ok(FaultySocket { inner: self.inner.register(socket)?, cut: Arc::clone(&self.cut) })
    }

    fn timer(&self) -> R::Timer {
        self.inner.timer()
    }

    fn watch(&self) -> io::Result<R::Watch> {
        self.inner.watch()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner.spawn(task);
    }

    fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        self.inner.blocking(call)
    }
}

impl<S: Socket> Socket for FaultySocket<S> {
    fn as_udp(&self) -> UdpSockRef<'_> {
        self.inner.as_udp()
    }

    fn poll_recv<T>(
        &self,
        cx: &mut Context<'_>,
        first: First,
        receive: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if self.cut.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        self.inner.poll_recv(cx, first, receive)
    }

    fn poll_send<T>(&self, cx: &mut Context<'_>, send: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
        if self.cut.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        self.inner.poll_send(cx, send)
    }
}
