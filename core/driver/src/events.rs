//! The events of a node as a stream.

use crate::queue::Queue;
use futures_core::Stream;
use handfast_core::Event;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How many events wait for a slow reader, be it a manager's hooks, an [`Events`] or a
/// [`Browser`](crate::Browser).
///
/// From there on, until half of them were read, the later word on a peer or a service replaces the earlier: who replays what
/// is left ends with the same picture. A connection that came and went is not told at all, and else always both its
/// beginning and its end are. Where that is not enough, the oldest event goes that leaves no picture, and then the
/// oldest of discovery.
pub const MAX_QUEUED_EVENTS: usize = 1024;

/// The events of a node from [`Node::events`](crate::Node::events) on.
///
/// Ends when the node is stopped. At most [`MAX_QUEUED_EVENTS`] wait; see [`Events::lagged`].
pub struct Events(Arc<Queue<Event>>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events(..)")
    }
}

impl Events {
    pub(crate) fn new(queue: Arc<Queue<Event>>) -> Self {
        Self(queue)
    }

    /// The next event, or `None` once the node is stopped. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.0.poll_pop(cx)).await
    }

    /// How many events were dropped or replaced since this was last asked, because they were not read in time.
    pub fn lagged(&mut self) -> u64 {
        self.0.take_lagged()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_pop(cx)
    }
}

/// Queues an event for one reader. The caller fires the waker once it holds no lock.
pub(crate) fn push(queue: &Queue<Event>, event: Event) -> Option<Waker> {
    queue.push_bounded(event, MAX_QUEUED_EVENTS)
}
