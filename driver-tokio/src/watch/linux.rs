//! Linux's socket that tells of changes, in tokio's reactor.

use handfast_driver::{Watch, open_watch, read_watch};
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches the network interfaces.
#[derive(Debug)]
pub struct TokioWatch(AsyncFd<OwnedFd>);

impl TokioWatch {
    #[expect(deprecated, reason = "unsound for what does not own its descriptor, and this owns it")]
    pub(crate) fn new() -> io::Result<Self> {
        AsyncFd::with_interest(open_watch()?, Interest::READABLE).map(Self)
    }
}

impl Watch for TokioWatch {
    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            // Where it would block, the next look at the readiness registers the task.
            if let Ok(done) = guard.try_io(read_watch) {
                return Poll::Ready(done);
            }
        }
    }
}
