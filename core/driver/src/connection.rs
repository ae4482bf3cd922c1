//! A connection to a paired peer, and the streams opened in it.

use crate::desk::{End, NodeHandle, Standing};
use crate::runtime::Runtime;
use crate::shared::Life;
use crate::slot::Slot;
use crate::stream::{RawRecv, RawSend};
use crate::waiters::Place;
use bytes::Bytes;
use handfast_core::error::{DatagramError, OpenError};
use handfast_core::{ConnId, ConnectedPeer, Direction, DisconnectReason};
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

/// A connection to a paired peer. Clones are the same connection.
///
/// Dropping it closes nothing: a connection belongs to its node, and ends by [`Connection::close`], by the
/// peer, or with the node.
pub struct Connection<R: Runtime> {
    pub(crate) handle: NodeHandle,
    peer: Arc<ConnectedPeer>,
    end: Arc<End>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Clone for Connection<R> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            peer: Arc::clone(&self.peer),
            end: Arc::clone(&self.end),
            runtime: PhantomData,
        }
    }
}

impl<R: Runtime> fmt::Debug for Connection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.peer.conn)
            .field("peer", &self.peer.id)
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Connection<R> {
    pub(crate) fn new(handle: NodeHandle, standing: Standing) -> Self {
        let Standing { peer, end } = standing;
        Self { handle, peer: Arc::new(peer), end, runtime: PhantomData }
    }

    pub(crate) fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// Its id, as events name it.
    pub fn id(&self) -> ConnId {
        self.peer.conn
    }

    /// The peer, as it was when the connection came up: its key, its metadata, where it was.
    pub fn peer(&self) -> &ConnectedPeer {
        &self.peer
    }

    /// Where the peer was when the connection came up.
    pub fn remote(&self) -> SocketAddr {
        self.peer.remote
    }

    /// Opens a stream both ways. The peer sees it once something is written or finished.
    ///
    /// Waits while the peer allows no more streams. `label`, at most 255 bytes, says what it is for.
    /// Cancel safe: a stream that was not returned was not opened.
    ///
    /// # Errors
    /// [`OpenError::Gone`] when the connection has ended, [`OpenError::Label`]; never
    /// [`OpenError::Exhausted`].
    pub async fn open_bi(&self, label: &str) -> Result<(R::SendStream, R::RecvStream), OpenError> {
        let (send, recv) = self.open_raw_bi(label).await?;
        Ok((send.into(), recv.into()))
    }

    /// Opens a stream to the peer alone; else as [`Connection::open_bi`]. Cancel safe.
    ///
    /// # Errors
    /// As [`Connection::open_bi`].
    pub async fn open_uni(&self, label: &str) -> Result<R::SendStream, OpenError> {
        Ok(self.open_raw_uni(label).await?.into())
    }

    pub(crate) async fn open_raw_bi(&self, label: &str) -> Result<(RawSend, RawRecv), OpenError> {
        let (slot, key) = self.open(Direction::Bi, label).await?;
        let send = RawSend::new(self.handle.clone(), Arc::clone(&slot), key);
        Ok((send, RawRecv::new(self.handle.clone(), slot, key)))
    }

    pub(crate) async fn open_raw_uni(&self, label: &str) -> Result<RawSend, OpenError> {
        let (slot, key) = self.open(Direction::Uni, label).await?;
        Ok(RawSend::new(self.handle.clone(), slot, key))
    }

    pub(crate) async fn open(
        &self,
        direction: Direction,
        label: &str,
    ) -> Result<(Arc<Slot>, u64), OpenError> {
        let mut place = Place::default();
        poll_fn(|cx| {
            let opened = self.handle.with_quietly(|locked, now| {
                if locked.life == Life::Stopped {
                    return Err(OpenError::Gone);
                }
                locked.open(now, self.peer.conn, direction, label, (&*cx, &mut place))
            });
            match opened {
                Err(OpenError::Exhausted) => Poll::Pending,
                other => Poll::Ready(other),
            }
        })
        .await
    }

    /// Sends a datagram: it arrives whole, or not at all, and not in order. Where more wait than
    /// [`Config::datagram_buffer`](crate::Config::datagram_buffer) allows, the oldest are dropped.
    ///
    /// # Errors
    /// [`DatagramError`], and nothing was sent.
    pub fn send_datagram(&self, datagram: impl Into<Bytes>) -> Result<(), DatagramError> {
        let datagram = datagram.into();
        self.handle.with(|locked, _| match locked.life {
            Life::Running | Life::Stopping => {
                let datagrams = locked.machine.datagrams(self.peer.conn);
                datagrams.map_err(|_| DatagramError::Gone)?.send(datagram)
            }
            Life::Stopped => Err(DatagramError::Gone),
        })
    }

    /// The next datagram that the peer sent, or `None` once the connection has ended. What is not read in time is
    /// dropped, the oldest first; see [`Config::datagram_buffer`](crate::Config::datagram_buffer). Several tasks may
    /// wait here; each datagram goes to one of them. Cancel safe.
    pub async fn read_datagram(&self) -> Option<Bytes> {
        let mut place = Place::default();
        poll_fn(|cx| self.handle.lock().poll_datagram(self.peer.conn, cx, &mut place)).await
    }

    /// Bytes of the largest datagram that can be sent at present, which changes with the path: a little over a
    /// kilobyte at least. `None` where the peer takes none, datagrams are switched off here, or the connection has
    /// ended.
    pub fn max_datagram_size(&self) -> Option<usize> {
        self.handle.with_quietly(|locked, _| match locked.life {
            Life::Running | Life::Stopping => locked.machine.datagrams(self.peer.conn).ok()?.max_size(),
            Life::Stopped => None,
        })
    }

    /// Waits until the connection has ended, and says why; at once where it has. Cancel safe.
    pub async fn closed(&self) -> DisconnectReason {
        let mut place = Place::default();
        poll_fn(|cx| self.end.poll(cx, &mut place)).await
    }

    /// Closes the connection. What was written and is not acknowledged may be lost: to be sure of it, finish
    /// the streams and wait for [`RawSend::delivered`]. Closing again does nothing.
    pub fn close(&self) {
        self.handle.with(|locked, now| locked.machine.close(now, self.peer.conn));
    }
}
