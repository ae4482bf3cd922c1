//! A bounded queue from the node's lock to one waiting task.
//!
//! Never waits itself: where it is full, what waits is coalesced.

mod coalesce;

pub(crate) use coalesce::{Coalesce, Matter, Word};

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
    /// Whether it was full and has not been half empty since: what comes is folded into what waits.
    folding: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            items: VecDeque::new(),
            reader: None,
            closed: false,
            lagged: 0,
            folding: false,
        }))
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

impl<T: Coalesce> Queue<T> {
    /// Appends an item to at most `limit` others. From where it is full until it is half empty the later word on a
    /// matter replaces the earlier; if that is not enough the oldest item goes that may, and what may not go is
    /// bounded elsewhere. All that is told no more is counted.
    pub(crate) fn push_bounded(&self, item: T, limit: usize) -> Option<Waker> {
        let mut state = self.lock();
        let state = &mut *state;
        if state.items.len() < limit / 2 {
            state.folding = false;
        } else if state.items.len() >= limit && !std::mem::replace(&mut state.folding, true) {
            for item in std::mem::take(&mut state.items) {
                state.lagged += coalesce::fold(&mut state.items, item);
            }
        }
        if !state.folding {
            state.items.push_back(item);
            return state.reader.take();
        }
        state.lagged += coalesce::fold(&mut state.items, item);
        if state.items.len() > limit
            && let Some(victim) = coalesce::victim(&state.items)
        {
            state.items.remove(victim);
            state.lagged += 1;
        }
        state.reader.take()
    }
}

#[cfg(test)]
mod tests;
