//! One message to every peer that is connected, at once.

use crate::alarm::within;
use crate::connection::Connection;
use crate::handle::Node;
use crate::runtime::Runtime;
use bytes::Bytes;
use handfast_core::PeerId;
use handfast_core::error::{OpenError, WriteError};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// How long a broadcast takes at most, unless it is told otherwise.
const BROADCAST_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a peer did not get a broadcast. Unless it says otherwise, the peer may have got a part, and knows that it is
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// The connection ended.
    #[error("the connection is gone")]
    Gone,
    /// A label is over 255 bytes. Nothing was sent.
    #[error("a stream label is over 255 bytes")]
    Label,
    /// The peer did not want it, and said so with this code.
    #[error("the peer stopped the stream (code {0:#x})")]
    Stopped(u64),
    /// The peer did not acknowledge all of it in time. It may yet get it, if it was written whole.
    #[error("the peer did not take it in time")]
    TimedOut,
}

impl<R: Runtime> Node<R> {
    /// Sends the bytes to every peer that is connected, each on a stream of its own with this label, all at once: a
    /// slow one holds up nobody else. Done when each has acknowledged all of it, or has failed, within 30 s. The
    /// bytes are not copied.
    ///
    /// What is acknowledged has reached the peer's node; whether its application reads it is another matter.
    ///
    /// Not cancel safe: dropping the future resets what is not written whole, and nobody says to whom that happened.
    ///
    /// ```no_run
    /// # use handfast_driver::{Node, Runtime};
    /// # async fn tell<R: Runtime>(node: Node<R>) {
    /// for (peer, result) in node.broadcast("clipboard", "new content").await {
    ///     if let Err(error) = result {
    ///         println!("{peer} has not got it: {error}");
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn broadcast(
        &self,
        label: &str,
        bytes: impl Into<Bytes>,
    ) -> Vec<(PeerId, Result<(), BroadcastError>)> {
        self.broadcast_within(label, bytes, BROADCAST_TIMEOUT).await
    }

    /// As [`Node::broadcast`], within another time. Not cancel safe.
    pub async fn broadcast_within(
        &self,
        label: &str,
        bytes: impl Into<Bytes>,
        limit: Duration,
    ) -> Vec<(PeerId, Result<(), BroadcastError>)> {
        let bytes = bytes.into();
        let connections = self.connections();
        let mut results: Vec<_> =
            connections.iter().map(|peer| (peer.peer().id, Err(BroadcastError::TimedOut))).collect();
        let mut running: Vec<Option<Delivery<'_>>> = connections
            .into_iter()
            .map(|peer| Some(Box::pin(deliver(peer, label, bytes.clone())) as Delivery<'_>))
            .collect();
        let all = poll_fn(|cx| {
            let mut left = false;
            for (delivery, (_, result)) in running.iter_mut().zip(&mut results) {
                match delivery.as_mut().map(|delivery| delivery.as_mut().poll(cx)) {
                    Some(Poll::Ready(done)) => {
                        *result = done;
                        *delivery = None;
                    }
                    Some(Poll::Pending) => left = true,
                    None => {}
                }
            }
            if left { Poll::Pending } else { Poll::Ready(()) }
        });
        // Whoever is late has that for a result already.
        let _ = within(&self.handle, limit, all).await;
        drop(running);
        results
    }
}

type Delivery<'a> = Pin<Box<dyn Future<Output = Result<(), BroadcastError>> + Send + 'a>>;

async fn deliver<R: Runtime>(peer: Connection<R>, label: &str, bytes: Bytes) -> Result<(), BroadcastError> {
    let mut send = peer.open_raw_uni(label).await.map_err(|error| match error {
        OpenError::Label => BroadcastError::Label,
        _ => BroadcastError::Gone,
    })?;
    let delivered = async {
        send.write_chunk(bytes).await?;
        send.finish()?;
        send.delivered().await
    };
    delivered.await.map_err(|error| match error {
        WriteError::Stopped(code) => BroadcastError::Stopped(code),
        _ => BroadcastError::Gone,
    })
}
