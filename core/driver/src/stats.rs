//! What a node did, as its handles tell it.

use crate::connection::Connection;
use crate::handle::Node;
use crate::runtime::Runtime;
use handfast_core::error::LimitError;
use handfast_core::{ConnStats, Labels, PeerId, PeerStats, Stats};

impl<R: Runtime> Node<R> {
    /// What this node did since it was started.
    ///
    /// ```no_run
    /// # use handfast_driver::{Node, Runtime};
    /// # fn show<R: Runtime>(node: &Node<R>) {
    /// let traffic = node.stats().quic.traffic;
    /// println!("{} bytes sent, {} packets lost", traffic.sent_bytes, traffic.lost_packets);
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        self.handle.lock().machine.stats()
    }

    /// What was done with a paired peer since this node was started, or since they were paired. `None` where it was
    /// neither connected nor dialled in vain.
    pub fn peer_stats(&self, peer: PeerId) -> Option<PeerStats> {
        self.handle.lock().machine.peers().stats(peer)
    }

    /// Bytes that streams of this node hold and that were not read; those that QUIC holds come on top. At most half of
    /// [`Config::receive_budget`](crate::Config::receive_budget), and 256 KiB for each stream whose reader has just asked.
    pub fn held_bytes(&self) -> usize {
        self.handle.lock().desk.room.held()
    }

    /// Sets which stream labels a paired peer may open, while this node runs and they are paired; `None` is what
    /// [`Config::labels`](crate::Config::labels) says. A stream of any other label is refused with 0x11 before
    /// anybody hears of it.
    ///
    /// ```no_run
    /// # use handfast_driver::{Labels, Node, PeerId, Runtime};
    /// # fn limit<R: Runtime>(node: &Node<R>, guest: PeerId) -> Result<(), Box<dyn std::error::Error>> {
    /// node.set_labels(guest, Some(Labels::only(["chat", "file/*"])))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LimitError`], and nothing changes.
    pub fn set_labels(&self, peer: PeerId, labels: Option<Labels>) -> Result<(), LimitError> {
        self.handle.with(|locked, now| locked.machine.peers().set_labels(now, peer, labels))
    }

    /// Sets how many streams a paired peer may have open at a time, each direction, while this node runs and they are
    /// paired; `None` is what [`Config::max_streams`](crate::Config::max_streams) says.
    ///
    /// # Errors
    /// [`LimitError`], and nothing changes.
    pub fn set_max_streams(&self, peer: PeerId, streams: Option<u32>) -> Result<(), LimitError> {
        self.handle.with(|locked, now| locked.machine.peers().set_max_streams(now, peer, streams))
    }
}

impl<R: Runtime> Connection<R> {
    /// How this connection is, and what it did: where it goes, how long an answer takes, what was lost. `None` once
    /// it is over and was read to its end.
    pub fn stats(&self) -> Option<ConnStats> {
        self.handle.lock().machine.conn_stats(self.id())
    }
}
