//! What the loop and the handles share: one lock, and a way to poke the loop.
//!
//! The lock order is: this lock, then a stream's slot or a queue. Wakers fire with no lock held.

use crate::clock;
use crate::waiters::{Place, Waiters};
use handfast_core::Now;
use std::future::poll_fn;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A machine and its attendant behind their lock.
pub(crate) struct Shared<M, A> {
    locked: Mutex<Locked<M, A>>,
    /// Whether a handle changed something since the last turn began.
    poked: AtomicBool,
    /// Counts pokes, so that the loop sees whether more are coming.
    posts: AtomicU32,
    /// Wakes the loop.
    driver: Mutex<Option<Waker>>,
    /// Handles that are alive; with the last one the loop winds down.
    handles: AtomicUsize,
}

/// What the lock guards.
pub(crate) struct Locked<M, A> {
    pub(crate) machine: M,
    pub(crate) desk: A,
    pub(crate) life: Life,
    /// Who waits for the end.
    pub(crate) enders: Waiters,
}

/// How far a loop's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// A handle asked for the end, or the last one is gone.
    Stopping,
    /// The loop is over; the sockets are closed.
    Stopped,
}

impl<M, A> Shared<M, A> {
    pub(crate) fn new(machine: M, desk: A) -> Self {
        Self {
            locked: Mutex::new(Locked { machine, desk, life: Life::Running, enders: Waiters::default() }),
            poked: AtomicBool::new(false),
            posts: AtomicU32::new(0),
            driver: Mutex::new(None),
            handles: AtomicUsize::new(0),
        }
    }

    /// Takes the lock. A panic under it ends the loop, which tells everybody; no handle panics in turn.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Locked<M, A>> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a verb, then pokes the loop, which sends what came of it. The clock is read under the lock, so
    /// that time never goes back for the machine.
    pub(crate) fn with<T>(&self, verb: impl FnOnce(&mut Locked<M, A>, Now) -> T) -> T {
        let mut locked = self.lock();
        let result = verb(&mut locked, clock::now());
        drop(locked);
        self.poke();
        result
    }

    /// As [`Shared::with`], where nothing is to be sent yet.
    pub(crate) fn with_quietly<T>(&self, verb: impl FnOnce(&mut Locked<M, A>, Now) -> T) -> T {
        verb(&mut self.lock(), clock::now())
    }

    /// Waits until the loop is over.
    pub(crate) async fn ended(&self) {
        self.until_end(|_| Poll::Pending).await;
    }

    /// Polls `what` until it is ready, which is true, or until the loop is over.
    pub(crate) async fn until_end(&self, mut what: impl FnMut(&mut Context<'_>) -> Poll<()>) -> bool {
        let mut place = Place::default();
        poll_fn(|cx| {
            if what(cx).is_ready() {
                return Poll::Ready(true);
            }
            let locked = self.lock();
            if locked.life == Life::Stopped {
                return Poll::Ready(false);
            }
            locked.enders.wait(&mut place, cx.waker());
            Poll::Pending
        })
        .await
    }

    /// Makes the loop turn.
    pub(crate) fn poke(&self) {
        self.posts.fetch_add(1, Ordering::Relaxed);
        if !self.poked.swap(true, Ordering::SeqCst) {
            let waker = self.driver_slot().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Whether the loop was poked since [`Shared::begin_turn`].
    pub(crate) fn is_poked(&self) -> bool {
        self.poked.load(Ordering::SeqCst)
    }

    /// How often the loop was poked.
    pub(crate) fn posts(&self) -> u32 {
        self.posts.load(Ordering::Relaxed)
    }

    /// What is posted from here on needs another turn.
    pub(crate) fn begin_turn(&self) {
        self.poked.store(false, Ordering::SeqCst);
    }

    /// Whom a poke wakes. Set before the loop looks at [`Shared::is_poked`] for the last time.
    pub(crate) fn set_driver(&self, waker: &Waker) {
        let mut slot = self.driver_slot();
        match &*slot {
            Some(old) if old.will_wake(waker) => {}
            Some(_) | None => *slot = Some(waker.clone()),
        }
    }

    fn driver_slot(&self) -> MutexGuard<'_, Option<Waker>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a task to those that wait, once.
pub(crate) fn add_waker(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|old| old.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}

/// Counts as a handle of the node: while one lives, the loop runs.
pub(crate) struct Handle<M, A>(Arc<Shared<M, A>>);

impl<M, A> Handle<M, A> {
    /// The first handle, or another one while any is alive. `None` once the last one is gone.
    pub(crate) fn another(shared: &Arc<Shared<M, A>>) -> Option<Self> {
        shared
            .handles
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n > 0).then_some(n + 1))
            .ok()
            .map(|_| Self(Arc::clone(shared)))
    }

    pub(crate) fn first(shared: Arc<Shared<M, A>>) -> Self {
        shared.handles.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<M, A>> {
        &self.0
    }
}

impl<M, A> Clone for Handle<M, A> {
    fn clone(&self) -> Self {
        self.0.handles.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

impl<M, A> Deref for Handle<M, A> {
    type Target = Shared<M, A>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<M, A> Drop for Handle<M, A> {
    fn drop(&mut self) {
        if self.0.handles.fetch_sub(1, Ordering::SeqCst) == 1 {
            let mut locked = self.0.lock();
            if locked.life == Life::Running {
                locked.life = Life::Stopping;
            }
            drop(locked);
            self.0.poke();
        }
    }
}
