//! What other systems tell of changes, in smol's reactor.

use handfast_driver::Watch;
use std::io;
use std::task::{Context, Poll, ready};

/// Watches the network interfaces.
#[derive(Debug)]
pub struct SmolWatch(if_watch::smol::IfWatcher);

impl SmolWatch {
    pub(crate) fn new() -> io::Result<Self> {
        if_watch::smol::IfWatcher::new().map(Self)
    }
}

impl Watch for SmolWatch {
    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_if_event(cx))?;
        // Changes come in bursts; one report stands for all of them.
        while let Poll::Ready(more) = self.0.poll_if_event(cx) {
            more?;
        }
        Poll::Ready(Ok(()))
    }
}
