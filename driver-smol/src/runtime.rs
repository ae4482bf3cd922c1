//! smol's sockets, timers, tasks and blocking threads, as a node needs them.

use crate::stream::{RecvStream, SendStream};
use crate::watch::SmolWatch;
use handfast_driver::{First, Socket, Timer};
use quinn_udp::UdpSockRef;
use smol::Async;
use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// smol, and its global executor: one thread, or as many as the environment's `SMOL_THREADS` says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runtime;

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
        SmolTimer(smol::Timer::never())
    }

    fn watch(&self) -> io::Result<SmolWatch> {
        SmolWatch::new()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        smol::unblock(call)
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
pub struct SmolTimer(smol::Timer);

impl Timer for SmolTimer {
    fn arm(&mut self, at: Instant) {
        self.0.set_at(at);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}
