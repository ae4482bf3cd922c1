//! Where servers run: one thread, whose processor time is read from the operating system.

use std::fs;
use std::future::pending;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};

/// A thread with a runtime of its own.
pub(crate) struct Bed {
    pub(crate) handle: Handle,
    thread: PathBuf,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            let thread = fs::read_link("/proc/thread-self").expect("Linux tells a thread its number");
            tell.send((runtime.handle().clone(), thread)).expect("somebody waits");
            runtime.block_on(pending::<()>());
        });
        let (handle, thread) = told.recv().expect("the thread begins");
        Self { handle, thread: PathBuf::from("/proc").join(thread) }
    }

    /// What the thread has used so far.
    pub(crate) fn cpu(&self) -> Duration {
        let times = fs::read_to_string(self.thread.join("schedstat")).expect("the thread lives");
        let busy = times.split_whitespace().next().and_then(|time| time.parse().ok());
        Duration::from_nanos(busy.expect("nanoseconds come first"))
    }
}
