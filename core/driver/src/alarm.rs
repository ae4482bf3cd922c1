//! Time limits of what handles wait for, kept by the timer of the loop: a handle needs no runtime.
//!
//! Never a clock for anything that the core decides.

use crate::desk::NodeHandle;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// No limit is longer: ten years, which every clock can add.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// When an alarm fires, and which one it is.
type Key = (Instant, u64);

/// The alarms of a node, one for each future that waits with a limit.
#[derive(Default)]
pub(crate) struct Alarms {
    waiting: BTreeMap<Key, Waker>,
    next: u64,
}

impl Alarms {
    pub(crate) fn arm(&mut self, at: Instant, waker: &Waker) -> Key {
        self.next += 1;
        self.waiting.insert((at, self.next), waker.clone());
        (at, self.next)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// When the next one fires.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// Fires those that are due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        while let Some(first) = self.waiting.first_entry()
            && first.key().0 <= now
        {
            wakers.push(first.remove());
        }
    }

    /// Fires all: nobody keeps the time any longer.
    pub(crate) fn stopped(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(std::mem::take(&mut self.waiting).into_values());
    }
}

/// A limit that runs from the first time it is polled.
pub(crate) struct Alarm<'a> {
    handle: &'a NodeHandle,
    limit: Duration,
    key: Option<Key>,
}

impl<'a> Alarm<'a> {
    pub(crate) fn after(handle: &'a NodeHandle, limit: Duration) -> Self {
        Self { handle, limit: limit.min(LONGEST), key: None }
    }

    /// Ready once the time is over, or the loop is.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(key) = self.key else {
            let limit = self.limit;
            self.key = self.handle.with(|locked, now| locked.desk.arm(now.mono + limit, cx.waker()));
            return if self.key.is_some() { Poll::Pending } else { Poll::Ready(()) };
        };
        match self.handle.lock().desk.alarms().waiting.get_mut(&key) {
            Some(waker) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.handle.lock().desk.alarms().waiting.remove(&key);
        }
    }
}

/// What `what` comes to, or `None` where it takes longer than `limit`.
pub(crate) async fn within<T>(
    handle: &NodeHandle,
    limit: Duration,
    what: impl Future<Output = T>,
) -> Option<T> {
    let mut what = pin!(what);
    let mut alarm = Alarm::after(handle, limit);
    poll_fn(|cx| match what.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => alarm.poll(cx).map(|()| None),
    })
    .await
}
