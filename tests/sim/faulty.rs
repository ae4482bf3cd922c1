//! A runtime whose sockets fail on demand.

use handfast_core::SocketSpec;
use handfast_driver::{First, Runtime, Socket};
use quinn_udp::UdpSockRef;
use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Another runtime, with faults.
#[derive(Clone)]
pub struct Faulty<R> {
    inner: R,
    refused: fn(&SocketSpec) -> bool,
    cut: Arc<AtomicBool>,
    hiccups: &'static [i32],
}

/// A socket of a runtime with faults.
#[derive(Debug)]
pub struct FaultySocket<S> {
    inner: S,
    cut: Arc<AtomicBool>,
    hiccups: &'static [i32],
    calls: AtomicUsize,
}

impl<R> Faulty<R> {
    /// A runtime that does not grant the sockets that `refused` picks.
    pub fn refusing(inner: R, refused: fn(&SocketSpec) -> bool) -> Self {
        Self { inner, refused, cut: Arc::default(), hiccups: &[] }
    }

    /// A runtime, and its cable: while that is set to be cut nothing is sent or received.
    pub fn with_cable(inner: R) -> (Self, Arc<AtomicBool>) {
        let cut = Arc::new(AtomicBool::new(false));
        (Self { inner, refused: |_| false, cut: Arc::clone(&cut), hiccups: &[] }, cut)
    }

    /// A runtime whose sockets fail one call of ten, with one of these errors of the operating system.
    pub fn with_hiccups(inner: R, hiccups: &'static [i32]) -> Self {
        Self { inner, refused: |_| false, cut: Arc::default(), hiccups }
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
        let (cut, hiccups) = (Arc::clone(&self.cut), self.hiccups);
        Ok(FaultySocket { inner: self.inner.register(socket)?, cut, hiccups, calls: AtomicUsize::new(0) })
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

impl<S> FaultySocket<S> {
    /// The error of this call, if it is to fail.
    fn hiccup(&self) -> Option<io::Error> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        // Without a pattern, lest it always be a send that fails.
        let noise = call.wrapping_mul(0x9e37_79b9) >> 16;
        let error = self.hiccups.get((noise / 10).checked_rem(self.hiccups.len())?)?;
        noise.is_multiple_of(10).then(|| io::Error::from_raw_os_error(*error))
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
        if let Some(error) = self.hiccup() {
            return Poll::Ready(Err(error));
        }
        self.inner.poll_recv(cx, first, receive)
    }

    fn poll_send<T>(&self, cx: &mut Context<'_>, send: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
        if self.cut.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        if let Some(error) = self.hiccup() {
            return Poll::Ready(Err(error));
        }
        self.inner.poll_send(cx, send)
    }
}
