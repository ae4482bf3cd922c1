//! A runtime whose sockets fail on demand, and whose names are the test's.

use handfast_core::{HostName, SocketSpec};
use handfast_driver::{First, Runtime, Socket};
use quinn_udp::UdpSockRef;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Another runtime, with faults.
#[derive(Clone)]
pub struct Faulty<R> {
    inner: R,
    refused: fn(&SocketSpec) -> bool,
    cut: Arc<AtomicBool>,
    full: Arc<AtomicBool>,
    hiccups: &'static [i32],
    names: Option<Arc<Names>>,
}

/// Knows where hosts are, by their names.
type Names = dyn Fn(&HostName) -> Vec<SocketAddr> + Send + Sync;

/// A socket of a runtime with faults.
#[derive(Debug)]
pub struct FaultySocket<S> {
    inner: S,
    cut: Arc<AtomicBool>,
    full: Arc<AtomicBool>,
    hiccups: &'static [i32],
    calls: AtomicUsize,
}

impl<R> Faulty<R> {
    /// A runtime that does not grant the sockets that `refused` picks.
    pub fn refusing(inner: R, refused: fn(&SocketSpec) -> bool) -> Self {
        Self { refused, ..Self::without_faults(inner) }
    }

    fn without_faults(inner: R) -> Self {
        let (cut, full) = (Arc::default(), Arc::default());
        Self { inner, refused: |_| false, cut, full, hiccups: &[], names: None }
    }

    /// A runtime, and its cable: while that is set to be cut nothing is sent or received.
    pub fn with_cable(inner: R) -> (Self, Arc<AtomicBool>) {
        let cut = Arc::new(AtomicBool::new(false));
        (Self { cut: Arc::clone(&cut), ..Self::without_faults(inner) }, cut)
    }

    /// A runtime whose sockets have no room for what is sent, while that is set: nobody is woken once they have.
    pub fn with_full_sockets(inner: R) -> (Self, Arc<AtomicBool>) {
        let full = Arc::new(AtomicBool::new(false));
        (Self { full: Arc::clone(&full), ..Self::without_faults(inner) }, full)
    }

    /// A runtime that asks `names` where hosts are, and not the operating system.
    pub fn with_names(
        inner: R,
        names: impl Fn(&HostName) -> Vec<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        Self { names: Some(Arc::new(names)), ..Self::without_faults(inner) }
    }

    /// A runtime whose sockets fail one call of ten, with one of these errors of the operating system.
    pub fn with_hiccups(inner: R, hiccups: &'static [i32]) -> Self {
        Self { hiccups, ..Self::without_faults(inner) }
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
        let (cut, full, hiccups) = (Arc::clone(&self.cut), Arc::clone(&self.full), self.hiccups);
        let (inner, calls) = (self.inner.register(socket)?, AtomicUsize::new(0));
        Ok(FaultySocket { inner, cut, full, hiccups, calls })
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

    fn resolve(&self, name: HostName) -> impl Future<Output = Vec<SocketAddr>> + Send + 'static {
        let known = self.names.as_ref().map(|names| names(&name));
        let asked = self.inner.resolve(name);
        async move {
            match known {
                Some(known) => known,
                None => asked.await,
            }
        }
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
        if self.cut.load(Ordering::SeqCst) || self.full.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        if let Some(error) = self.hiccup() {
            return Poll::Ready(Err(error));
        }
        self.inner.poll_send(cx, send)
    }
}
