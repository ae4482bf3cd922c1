//! tokio's sockets, timers, tasks and blocking threads, as a node needs them.

use crate::stream::{RecvStream, SendStream};
use handfast_driver::{First, Socket, Timer, Watch};
use quinn_udp::UdpSockRef;
use std::future::{Future, pending};
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::Interest;

/// tokio: the runtime in whose context a node is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runtime;

impl handfast_driver::Runtime for Runtime {
    type Socket = TokioSocket;
    type Timer = TokioTimer;
    type Watch = TokioWatch;
    type SendStream = SendStream;
    type RecvStream = RecvStream;

    fn register(&self, socket: UdpSocket) -> io::Result<TokioSocket> {
        tokio::net::UdpSocket::from_std(socket).map(TokioSocket)
    }

    fn timer(&self) -> TokioTimer {
        TokioTimer(None)
    }

    fn watch(&self) -> io::Result<TokioWatch> {
        if_watch::tokio::IfWatcher::new().map(TokioWatch)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        let task = tokio::task::spawn_blocking(call);
        async move {
            match task.await {
                Ok(value) => value,
                // The runtime is going down, and whoever waits here with it.
                Err(_) => pending().await,
            }
        }
    }
}

/// A UDP socket in tokio's reactor.
#[derive(Debug)]
pub struct TokioSocket(tokio::net::UdpSocket);

impl Socket for TokioSocket {
    fn as_udp(&self) -> UdpSockRef<'_> {
        (&self.0).into()
    }

    fn poll_recv<T>(
        &self,
        cx: &mut Context<'_>,
        _: First,
        mut receive: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        // tokio keeps in mind whether a socket was last found empty: to ask first costs no system call.
        loop {
            ready!(self.0.poll_recv_ready(cx))?;
            match self.0.try_io(Interest::READABLE, &mut receive) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_send<T>(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
        loop {
            ready!(self.0.poll_send_ready(cx))?;
            match self.0.try_io(Interest::WRITABLE, &mut send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

/// A timer of tokio's.
#[derive(Debug)]
pub struct TokioTimer(Option<Pin<Box<tokio::time::Sleep>>>);

impl Timer for TokioTimer {
    fn arm(&mut self, at: Instant) {
        match &mut self.0 {
            Some(sleep) => sleep.as_mut().reset(at.into()),
            None => self.0 = Some(Box::pin(tokio::time::sleep_until(at.into()))),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }
}

/// Watches the network interfaces.
#[derive(Debug)]
pub struct TokioWatch(if_watch::tokio::IfWatcher);

impl Watch for TokioWatch {
    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_if_event(cx))?;
        // Changes come in bursts; one report stands for all of them.
        while let Poll::Ready(more) = self.0.poll_if_event(cx) {
            more?;
        }
        Poll::Ready(Ok(()))
    }
}
