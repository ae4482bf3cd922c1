//! What other systems tell of changes, in tokio's reactor.

use handfast_driver::Watch;
use std::io;
use std::task::{Context, Poll, ready};

/// Watches the network interfaces.
#[derive(Debug)]
pub struct TokioWatch(if_watch::tokio::IfWatcher);

impl TokioWatch {
    pub(crate) fn new() -> io::Result<Self> {
        if_watch::tokio::IfWatcher::new().map(Self)
    }
}

impl Watch for TokioWatch {
    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_if_event(cx))?;
        // Changes come in bursts; one report stands for all of them.
        while let Poll::Ready(more) = self.0.poll_if_event(cx) {
            more?;
        }
        Poll::Ready(Ok(()))
    }
}
