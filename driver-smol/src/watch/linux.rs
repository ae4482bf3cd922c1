//! Linux's socket that tells of changes, in smol's reactor.

use handfast_driver::{Watch, open_watch, read_watch};
use smol::Async;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

/// Watches the network interfaces.
#[derive(Debug)]
pub struct SmolWatch(Async<OwnedFd>);

impl SmolWatch {
    pub(crate) fn new() -> io::Result<Self> {
        Async::new_nonblocking(open_watch()?).map(Self)
    }
}

impl Watch for SmolWatch {
    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_readable(cx))?;
            match read_watch(self.0.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}
