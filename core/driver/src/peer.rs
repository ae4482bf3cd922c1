//! A peer as an application holds it, connected or not: "give me a stream".
//!
//! Never sends anything twice: once bytes of the application may have left, what fails has failed.

use crate::alarm::{Alarm, within};
use crate::connection::Connection;
use crate::events::Events;
use crate::handle::{DialError, Node};
use crate::request::{RequestError, RequestLimits, exchange};
use crate::runtime::Runtime;
use crate::slot::Slot;
use crate::stream::{RawRecv, RawSend};
use bytes::Bytes;
use handfast_core::error::{ConnectError, DatagramError, OpenError};
use handfast_core::{ConnectFailure, Direction, Event, PeerId};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long a handle tries to reach its peer, unless it is told otherwise.
const REACH_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a handle pauses after it could not reach its peer, unless discovery tells of somebody before.
const PAUSE: Duration = Duration::from_secs(1);

/// A paired peer, to use as if it were connected: whatever needs a connection takes the one that stands, or dials
/// and waits for one, for 30 s unless [`with_timeout`](Self::with_timeout) says otherwise. Clones are the same peer.
///
/// A connection that goes away before a stream is opened in it is no error: the next one is waited for. Once a stream
/// is open it belongs to its connection, and ends with it.
///
/// Like a [`Node`], it keeps its node running.
pub struct PeerHandle<R: Runtime> {
    node: Node<R>,
    id: PeerId,
    timeout: Duration,
}

impl<R: Runtime> Clone for PeerHandle<R> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), ..*self }
    }
}

impl<R: Runtime> fmt::Debug for PeerHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why there is no stream to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReachError {
    /// A label is over 255 bytes.
    #[error("a stream label is over 255 bytes")]
    Label,
    /// The peer is connected, and allowed no further stream in time.
    #[error("the peer allowed no further stream in time")]
    TimedOut,
    /// The peer could not be reached: how the last try failed.
    #[error(transparent)]
    Unreachable(#[from] DialError),
}

/// Why no datagram was sent to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendDatagramError {
    /// The connection does not take it.
    #[error(transparent)]
    Datagram(#[from] DatagramError),
    /// The peer could not be reached: how the last try failed.
    #[error(transparent)]
    Unreachable(#[from] DialError),
}

impl<R: Runtime> Node<R> {
    /// A handle of a peer, by either of its names. Whether it is paired, or known at all, is found out when the
    /// handle is used.
    ///
    /// ```no_run
    /// # use handfast_driver::{Node, PeerId, Runtime};
    /// # async fn run<R: Runtime>(node: Node<R>, id: PeerId) -> Result<(), Box<dyn std::error::Error>> {
    /// let laptop = node.peer(id);
    /// let mut stream = laptop.open_uni("note").await?;
    /// stream.write_all(b"hello").await?;
    /// stream.finish()?;
    /// stream.delivered().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn peer(&self, id: PeerId) -> PeerHandle<R> {
        PeerHandle { node: self.clone(), id, timeout: REACH_TIMEOUT }
    }
}

impl<R: Runtime> PeerHandle<R> {
    /// Sets how long to try to reach the peer, and what a request may take in all.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The name by which the handle was made.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// The connection that stands, if one does.
    pub fn connection(&self) -> Option<Connection<R>> {
        self.node.connections().into_iter().find(|connection| connection.peer().key.is_named(&self.id))
    }

    /// Closes the connection that stands, as [`Connection::close`] does. Whatever is asked of the handle afterwards
    /// dials anew.
    pub fn close(&self) {
        if let Some(connection) = self.connection() {
            connection.close();
        }
    }

    /// The connection that stands, or the next one: dials, and dials again where that may help. Cancel safe: a dial
    /// that runs ends by itself.
    ///
    /// # Errors
    /// [`DialError`]: at once where the peer is not paired, refuses, or is another than was meant; else how the last
    /// try failed, when the time is over.
    pub async fn connect(&self) -> Result<Connection<R>, DialError> {
        let mut last = None;
        match within(&self.node.handle, self.timeout, self.reach(&mut last)).await {
            Some(result) => result,
            None => Err(last.unwrap_or(DialError::Failed(ConnectFailure::TimedOut))),
        }
    }

    /// Opens a stream both ways, as [`Connection::open_bi`], once the peer is connected. Cancel safe: a stream that
    /// was not returned was not opened.
    ///
    /// # Errors
    /// [`ReachError`].
    pub async fn open_bi(&self, label: &str) -> Result<(R::SendStream, R::RecvStream), ReachError> {
        let (slot, key) = self.open(Direction::Bi, label).await?;
        let (send, recv) = self.halves(slot, key);
        Ok((send.into(), recv.into()))
    }

    /// Opens a stream to the peer alone, as [`Connection::open_uni`], once the peer is connected. Cancel safe: a
    /// stream that was not returned was not opened.
    ///
    /// # Errors
    /// [`ReachError`].
    pub async fn open_uni(&self, label: &str) -> Result<R::SendStream, ReachError> {
        let (slot, key) = self.open(Direction::Uni, label).await?;
        Ok(RawSend::new(self.node.handle.clone(), slot, key).into())
    }

    /// Asks the peer something, as [`Connection::request`], once it is connected: within the handle's timeout in all,
    /// and 1 MiB of answer. Not cancel safe: dropping the future resets the stream, and the peer may have acted on
    /// the request.
    ///
    /// # Errors
    /// [`RequestError`]. What may have reached the peer is never sent again.
    pub async fn request(&self, label: &str, bytes: impl Into<Bytes>) -> Result<Bytes, RequestError> {
        self.request_within(label, bytes, RequestLimits::default().with_timeout(self.timeout)).await
    }

    /// As [`PeerHandle::request`], with other limits. Not cancel safe.
    ///
    /// # Errors
    /// As [`PeerHandle::request`].
    pub async fn request_within(
        &self,
        label: &str,
        bytes: impl Into<Bytes>,
        limits: RequestLimits,
    ) -> Result<Bytes, RequestError> {
        let (bytes, mut last, mut opened) = (bytes.into(), None, false);
        let request = async {
            let (slot, key) = match self.open_next(Direction::Bi, label, &mut last).await {
                Ok(stream) => stream,
                Err(ReachError::Label) => return Err(RequestError::Label),
                Err(ReachError::Unreachable(error)) => return Err(RequestError::Unreachable(error)),
                Err(ReachError::TimedOut) => return Err(RequestError::TimedOut),
            };
            opened = true;
            let (send, recv) = self.halves(slot, key);
            exchange(send, recv, bytes, limits.max_answer).await
        };
        match (within(&self.node.handle, limits.timeout, request).await, last) {
            (Some(result), _) => result,
            (None, Some(error)) if !opened => Err(RequestError::Unreachable(error)),
            (None, _) => Err(RequestError::TimedOut),
        }
    }

    /// Sends a datagram, as [`Connection::send_datagram`], once the peer is connected. Cancel safe: a future that is
    /// dropped has sent none.
    ///
    /// # Errors
    /// [`SendDatagramError`], and nothing was sent.
    pub async fn send_datagram(&self, datagram: impl Into<Bytes>) -> Result<(), SendDatagramError> {
        let (datagram, mut last): (Bytes, _) = (datagram.into(), None);
        let send = async {
            loop {
                let connection = self.reach(&mut last).await?;
                match connection.send_datagram(datagram.clone()) {
                    Err(DatagramError::Gone) => drop(connection.closed().await),
                    result => return result.map_err(SendDatagramError::Datagram),
                }
            }
        };
        match within(&self.node.handle, self.timeout, send).await {
            Some(result) => result,
            None => Err(last.unwrap_or(DialError::Failed(ConnectFailure::TimedOut)).into()),
        }
    }

    fn halves(&self, slot: Arc<Slot>, key: u64) -> (RawSend, RawRecv) {
        let handle = &self.node.handle;
        (RawSend::new(handle.clone(), Arc::clone(&slot), key), RawRecv::new(handle.clone(), slot, key))
    }

    async fn open(&self, direction: Direction, label: &str) -> Result<(Arc<Slot>, u64), ReachError> {
        let mut last = None;
        match within(&self.node.handle, self.timeout, self.open_next(direction, label, &mut last)).await {
            Some(result) => result,
            None => Err(last.map_or(ReachError::TimedOut, ReachError::Unreachable)),
        }
    }

    /// Opens a stream in the connection that stands, or in the next one in which that can be done.
    async fn open_next(
        &self,
        direction: Direction,
        label: &str,
        last: &mut Option<DialError>,
    ) -> Result<(Arc<Slot>, u64), ReachError> {
        loop {
            let connection = self.reach(last).await?;
            *last = None;
            match connection.open(direction, label).await {
                Ok(stream) => return Ok(stream),
                Err(OpenError::Label) => return Err(ReachError::Label),
                // It stands no longer, or is about to end.
                Err(_) => drop(connection.closed().await),
            }
        }
    }

    /// Dials until there is a connection, or until it is clear that there will be none.
    async fn reach(&self, last: &mut Option<DialError>) -> Result<Connection<R>, DialError> {
        let mut events: Option<Events> = None;
        loop {
            match self.node.connect(self.id).await {
                Ok(connection) => return Ok(connection),
                Err(error) if !may_pass(error) => return Err(error),
                Err(error) => *last = Some(error),
            }
            match &mut events {
                Some(events) => self.pause(events).await,
                // What came before it listened is found by the next try.
                None => events = Some(self.node.events()),
            }
        }
    }

    /// Waits until something is known of a paired peer that was not, or for a second.
    async fn pause(&self, events: &mut Events) {
        let mut pause = Alarm::after(&self.node.handle, PAUSE);
        let mut next = pin!(async {
            while let Some(event) = events.next().await {
                match event {
                    Event::PeerDiscovered(peer) | Event::PeerUpdated(peer) if peer.paired => return,
                    Event::PeerConnected(_) => return,
                    // The others make nobody easier to reach.
                    _ => {}
                }
            }
        });
        poll_fn(|cx| match next.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => pause.poll(cx),
        })
        .await;
    }
}

/// Whether another try may have more luck.
fn may_pass(error: DialError) -> bool {
    match error {
        DialError::Begin(error) => matches!(error, ConnectError::NoAddress | ConnectError::NotReady),
        DialError::Failed(failure) => {
            matches!(failure, ConnectFailure::NoAddress | ConnectFailure::NotReady | ConnectFailure::TimedOut)
        }
        DialError::Stopped => false,
    }
}
