//! Looks up the names of peers' hosts off the loop, and brings the answers back.

use crate::desk::{NodeShared, ResolveCall};
use crate::queue::Queue;
use crate::runtime::Runtime;
use handfast_core::{Answer, HostName};
use std::future::poll_fn;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names that are looked up at a time; further ones have no address. The operating system may take half a minute for
/// one, and a thread as long.
const MAX_AT_ONCE: usize = 32;

/// Serves the node's questions until it is stopped.
pub(crate) async fn run<R: Runtime>(runtime: R, shared: Arc<NodeShared>, queue: Arc<Queue<ResolveCall>>) {
    let running = Arc::new(AtomicUsize::new(0));
    while let Some((token, name)) = poll_fn(|cx| queue.poll_pop(cx)).await {
        if running.fetch_add(1, Ordering::Relaxed) >= MAX_AT_ONCE {
            running.fetch_sub(1, Ordering::Relaxed);
            shared.with(|locked, now| locked.machine.answer(now, Answer::Resolve(token, Vec::new())));
            continue;
        }
        let (shared, running) = (Arc::clone(&shared), Arc::clone(&running));
        let found = runtime.resolve(name);
        runtime.spawn(async move {
            let found = found.await;
            running.fetch_sub(1, Ordering::Relaxed);
            shared.with(|locked, now| locked.machine.answer(now, Answer::Resolve(token, found)));
        });
    }
}

/// Asks the operating system. Blocks. A name that it does not know has no address.
pub(crate) fn look_up(name: &HostName) -> Vec<SocketAddr> {
    match (name.host(), name.port()).to_socket_addrs() {
        Ok(found) => found.collect(),
        Err(error) => {
            tracing::debug!(kind = ?error.kind(), "a name was not looked up");
            Vec::new()
        }
    }
}
