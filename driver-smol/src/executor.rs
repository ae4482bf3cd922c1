//! Where nodes run whose application gave no executor: one thread for all of them.
//!
//! smol's own global executor would do the same, and bring files, processes and names that no node needs.

use async_executor::Executor;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread;

/// The executor of this process, started by whoever asks first.
///
/// # Panics
/// When the operating system has no thread to give.
pub(crate) fn shared() -> &'static Executor<'static> {
    static SHARED: OnceLock<Executor<'static>> = OnceLock::new();
    SHARED.get_or_init(|| {
        let run = || loop {
            // A task that panics is over; the others go on.
            let ticks = AssertUnwindSafe(|| async_io::block_on(shared().run(pending::<()>())));
            let _ = catch_unwind(ticks);
        };
        let thread = thread::Builder::new().name("handfast-smol".to_owned()).spawn(run);
        thread.expect("the system has a thread for nodes to run in");
        Executor::new()
    })
}
