//! A connection to a paired peer, and the streams opened in it.

use crate::desk::NodeHandle;
use crate::runtime::Runtime;
use crate::shared::Life;
use crate::slot::Slot;
use crate::stream::{RawRecv, RawSend};
use handfast_core::error::OpenError;
use handfast_core::{ConnId, ConnectedPeer, Direction};
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
    handle: NodeHandle,
    peer: Arc<ConnectedPeer>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Clone for Connection<R> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), peer: Arc::clone(&self.peer), runtime: PhantomData }
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
    pub(crate) fn new(handle: NodeHandle, peer: ConnectedPeer) -> Self {
        Self { handle, peer: Arc::new(peer), runtime: PhantomData }
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
        let (slot, key) = self.open(Direction::Bi, label).await?;
        let send = RawSend::new(self.handle.clone(), Arc::clone(&slot), key);
        Ok((send.into(), RawRecv::new(self.handle.clone(), slot, key).into()))
    }

    /// Opens a stream to the peer alone; else as [`Connection::open_bi`].
    ///
    /// # Errors
    /// As [`Connection::open_bi`].
    pub async fn open_uni(&self, label: &str) -> Result<R::SendStream, OpenError> {
        let (slot, key) = self.open(Direction::Uni, label).await?;
        Ok(RawSend::new(self.handle.clone(), slot, key).into())
    }

    async fn open(&self, direction: Direction, label: &str) -> Result<(Arc<Slot>, u64), OpenError> {
        poll_fn(|cx| {
            let opened = self.handle.with_quietly(|locked, now| {
                if locked.life == Life::Stopped {
                    return Err(OpenError::Gone);
                }
                locked.open(now, self.peer.conn, direction, label, cx.waker())
            });
            match opened {
                Err(OpenError::Exhausted) => Poll::Pending,
                other => Poll::Ready(other),
            }
        })
        .await
    }

    /// Closes the connection. What was written and is not acknowledged may be lost: to be sure of it, finish
    /// the streams and wait for [`RawSend::delivered`]. Closing again does nothing.
    pub fn close(&self) {
        self.handle.with(|locked, now| locked.machine.close(now, self.peer.conn));
    }
}
