//! A bounded queue from the node's lock to one waiting task.
//!
//! Never waits itself: what does not fit is the pusher's to drop.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A queue with one reader.
pub(crate) struct Queue<T>(Mutex<State<T>>);

struct State<T> {
    items: VecDeque<T>,
    reader: Option<Waker>,
    closed: bool,
    lagged: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Mutex::new(State { items: VecDeque::new(), reader: None, closed: false, lagged: 0 }))
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends an item. The caller fires the waker once it holds no lock.
    pub(crate) fn push(&self, item: T) -> Option<Waker> {
        let mut state = self.lock();
        state.items.push_back(item);
        state.reader.take()
    }

    /// Appends an item to at most `limit` others: makes room by dropping the first that `spare` picks, or
    /// else the oldest that may be dropped, and counts it. If none may, the queue grows: what may not be
    /// dropped is bounded elsewhere.
    pub(crate) fn push_bounded(
        &self,
        item: T,
        limit: usize,
        spare: impl Fn(&T) -> bool,
        may_drop: impl Fn(&T) -> bool,
    ) -> Option<Waker> {
        let mut state = self.lock();
        if state.items.len() >= limit {
            let victim = state.items.iter().position(spare).or_else(|| state.items.iter().position(may_drop));
            if let Some(victim) = victim {
                state.items.remove(victim);
                state.lagged += 1;
            }
        }
        state.items.push_back(item);
        state.reader.take()
    }

    /// No item follows. What is queued can still be read.
    pub(crate) fn close(&self) -> Option<Waker> {
        let mut state = self.lock();
        state.closed = true;
        state.reader.take()
    }

    /// The oldest item, or `None` once the queue is closed and empty.
    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.lock();
        if let Some(item) = state.items.pop_front() {
            return Poll::Ready(Some(item));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// How many items wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// How many items were dropped since this was last asked.
    pub(crate) fn take_lagged(&self) -> u64 {
        std::mem::take(&mut self.lock().lagged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &Queue<u32>) -> Vec<u32> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = Vec::new();
        while let Poll::Ready(Some(item)) = queue.poll_pop(&mut cx) {
            out.push(item);
        }
        out
    }

    #[test]
    fn a_full_queue_drops_what_can_be_spared_first_and_counts_it() {
        let queue = Queue::default();
        for item in [1, 2, 3] {
            queue.push_bounded(item, 3, |i| *i == 2, |_| true);
        }
        queue.push_bounded(4, 3, |i| *i == 2, |_| true);
        queue.push_bounded(5, 3, |i| *i == 2, |_| true);
        assert_eq!(drain(&queue), [3, 4, 5]);
        assert_eq!(queue.take_lagged(), 2);
        assert_eq!(queue.take_lagged(), 0);
    }

    #[test]
    fn what_may_not_be_dropped_stays() {
        let queue = Queue::default();
        for item in [1, 2, 3] {
            queue.push_bounded(item, 2, |_| false, |i| *i != 1);
        }
        assert_eq!(drain(&queue), [1, 3]);
    }

    #[test]
    fn a_closed_queue_is_read_to_its_end() {
        let queue = Queue::default();
        queue.push(1);
        queue.close();
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(queue.poll_pop(&mut cx), Poll::Ready(Some(1)));
        assert_eq!(queue.poll_pop(&mut cx), Poll::Ready(None));
    }
}
