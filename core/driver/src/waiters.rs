//! Tasks that wait for one thing, as long as their futures live.
//!
//! A future that is dropped leaves: who waits with a limit, again and again, fills nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Those that wait. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Waiters(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    wakers: BTreeMap<u64, Waker>,
    next: u64,
}

/// One future's place among those that wait for one thing; empty until it waits, and left with it.
#[derive(Default)]
pub(crate) struct Place(Option<(Waiters, u64)>);

impl Waiters {
    /// Takes the place, or stays in it.
    pub(crate) fn wait(&self, place: &mut Place, waker: &Waker) {
        let mut waiting = self.lock();
        let id = match &place.0 {
            Some((_, id)) => *id,
            None => {
                waiting.next += 1;
                place.0 = Some((self.clone(), waiting.next));
                waiting.next
            }
        };
        waiting.wakers.insert(id, waker.clone());
    }

    /// Wakes them all, once the lock is released: whoever still has to wait comes back.
    pub(crate) fn wake(&self, wakers: &mut Vec<Waker>) {
        wakers.extend(std::mem::take(&mut self.lock().wakers).into_values());
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().wakers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((waiters, id)) = self.0.take() {
            let left = waiters.lock().wakers.remove(&id);
            // A waker may run code of the runtime when it is dropped: not under the lock.
            drop(left);
        }
    }
}
