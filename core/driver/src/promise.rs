//! One value from the node's lock to one waiting future.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A value that comes once. Clones are the same promise.
pub(crate) struct Promise<T>(Arc<Mutex<State<T>>>);

enum State<T> {
    Waiting(Option<Waker>),
    Kept(T),
    Taken,
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Promise<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::Waiting(None))))
    }

    /// Keeps the promise; the first value stays. The caller fires the waker once it holds no lock.
    pub(crate) fn keep(&self, value: T) -> Option<Waker> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Waiting(waker) => {
                let waker = waker.take();
                *state = State::Kept(value);
                waker
            }
            State::Kept(_) | State::Taken => None,
        }
    }

    /// The value, which is taken.
    ///
    /// # Panics
    /// When polled after it was ready, as futures may.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Taken) {
            State::Waiting(_) => {
                *state = State::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
            State::Kept(value) => Poll::Ready(value),
            State::Taken => panic!("a promise was polled after it was kept"),
        }
    }

    /// Whether both are the same promise.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
