//! The store that several servers share: asked off the loop, its answers and its changes brought back.
//!
//! Never learns what is stored. What a store does not answer in time, or panics over, it has failed to do.

use super::ServerShared;
use super::desk::DirectoryCall;
use crate::queue::Queue;
use crate::runtime::{Runtime, Timer};
use crate::shared::Life;
use handfast_core::Answer;
use handfast_core::ask::DirectoryToken;
use handfast_core::directory::{DirectoryChange, DirectoryReply, DirectoryRequest};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long a [`Directory`] may take for an answer: the server has answered for it by then.
pub const DIRECTORY_PATIENCE: Duration = Duration::from_secs(5);

/// What a [`Directory`] will have done.
pub type DirectoryFuture = Pin<Box<dyn Future<Output = DirectoryReply> + Send>>;

/// A store that several discovery servers share: what is announced by one of them is found by all.
///
/// As long as it does not answer, the server says that it is overloaded, and when to come back. It acknowledges
/// nothing that the store has not.
pub trait Directory: Send + Sync + 'static {
    /// Tells where changes of what is watched go to. Called once, within the runtime, before anything is asked.
    fn begin(&self, changes: Changes);

    /// Does what is asked for. Called in the order in which it is asked, and must not block; what the future does has
    /// no order. At most 4,096 are waited for at a time, each for [`DIRECTORY_PATIENCE`], after which it is dropped.
    ///
    /// The future of a [`DirectoryRequest::Unwatch`] is never polled.
    fn ask(&self, request: DirectoryRequest) -> DirectoryFuture;
}

/// Tells a server of changes in the store that it shares. Clones tell the same server; none of them keeps it alive.
#[derive(Clone)]
pub struct Changes(Weak<ServerShared>);

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

impl Changes {
    pub(super) fn of(shared: &Arc<ServerShared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// Something changed that is watched, by whichever server. Changes of one owner are told in their order.
    pub fn tell(&self, change: &DirectoryChange) {
        self.with(|server, now| server.handle_change(now, change));
    }

    /// Changes may have happened that were not told: every subscriber will ask anew.
    pub fn lost(&self) {
        self.with(handfast_core::Server::handle_changes_lost);
    }

    /// Whether the server is over, and nobody hears of changes any longer.
    pub fn is_closed(&self) -> bool {
        self.0.upgrade().is_none_or(|shared| shared.lock().life == Life::Stopped)
    }

    fn with(&self, verb: impl FnOnce(&mut handfast_core::Server, handfast_core::Now)) {
        if let Some(shared) = self.0.upgrade() {
            shared.with(|locked, now| {
                if locked.life != Life::Stopped {
                    verb(&mut locked.machine, now);
                }
            });
        }
    }
}

/// Serves the server's questions until it is stopped.
pub(super) async fn run<R: Runtime>(
    runtime: R,
    shared: Arc<ServerShared>,
    directory: Arc<dyn Directory>,
    queue: Arc<Queue<DirectoryCall>>,
) {
    while let Some((token, request)) = poll_fn(|cx| queue.poll_pop(cx)).await {
        let is_waited_for = !matches!(request, DirectoryRequest::Unwatch(_));
        let future = guarded(|| directory.ask(request));
        if is_waited_for {
            let future = future.unwrap_or_else(|| Box::pin(std::future::ready(DirectoryReply::Failed)));
            runtime.spawn(answer(runtime.timer(), Arc::clone(&shared), token, future));
        }
    }
}

async fn answer(
    mut timer: impl Timer,
    shared: Arc<ServerShared>,
    token: DirectoryToken,
    mut future: DirectoryFuture,
) {
    timer.arm(Instant::now() + DIRECTORY_PATIENCE);
    let reply = poll_fn(|cx| match guarded(|| future.as_mut().poll(cx)) {
        Some(Poll::Ready(reply)) => Poll::Ready(reply),
        Some(Poll::Pending) => timer.poll(cx).map(|()| DirectoryReply::Failed),
        None => Poll::Ready(DirectoryReply::Failed),
    });
    let reply = reply.await;
    // What it holds is given back also where nobody hears the answer.
    drop(future);
    shared.with(|locked, now| locked.machine.answer(now, Answer::Directory(token, reply)));
}

/// Calls the store; `None` if it panicked. It may be left inconsistent: that is its own affair.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(call));
    if result.is_err() {
        tracing::error!("the store of servers panicked");
    }
    result.ok()
}
