//! Asks the store, one question at a time, off the loop, and brings its answers back.

use crate::desk::{NodeShared, StoreCall};
use crate::queue::Queue;
use crate::runtime::Runtime;
use crate::store::{Store, StoreError};
use handfast_core::Answer;
use handfast_core::store::{StoreReply, StoreRequest};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Serves the node's questions until it is stopped.
pub(crate) async fn run<R: Runtime>(
    runtime: R,
    shared: Arc<NodeShared>,
    store: Arc<dyn Store>,
    queue: Arc<Queue<StoreCall>>,
) {
    while let Some((token, request)) = poll_fn(|cx| queue.poll_pop(cx)).await {
        let (asked, is_load) = (Arc::clone(&store), request == StoreRequest::Load);
        let result = runtime.blocking(move || ask(&*asked, request)).await;
        let (reply, failure) = match result {
            Ok(reply) => (reply, None),
            Err(error) => {
                tracing::error!(%error, "the store failed");
                // What could not be written is read back: that decides whether the node can start.
                (StoreReply::Failed, is_load.then_some(error))
            }
        };
        let waker = shared.with(|locked, now| {
            locked.machine.answer(now, Answer::Store(token, reply));
            locked.desk.stored(failure)
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn ask(store: &dyn Store, request: StoreRequest) -> Result<StoreReply, StoreError> {
    let call = AssertUnwindSafe(|| match request {
        StoreRequest::Load => store.load().map(StoreReply::Loaded),
        StoreRequest::Write(change) => store.write(&change).map(|()| StoreReply::Written),
    });
    catch_unwind(call).unwrap_or(Err(StoreError::Panicked))
}
