//! What an application does with the connections that stand: streams and datagrams.

use super::Node;
use crate::error::{Gone, OpenError};
use crate::id::{ConnId, StreamId};
use crate::io::Now;
use crate::quic::{DatagramsMut, Direction, StreamMut};

impl Node {
    /// Opens a stream on a connection that [`Event::PeerConnected`](crate::Event::PeerConnected) told of. The peer
    /// learns of it with its first bytes, of which the label, at most 255 bytes, is a part. `key` comes back in
    /// [`Ready::Stream`](crate::Ready::Stream).
    ///
    /// # Errors
    /// [`OpenError::Exhausted`] until the peer allows more: [`Ready::Streams`](crate::Ready::Streams) tells.
    pub fn open(
        &mut self,
        now: Now,
        conn: ConnId,
        direction: Direction,
        label: &str,
        key: u64,
    ) -> Result<StreamId, OpenError> {
        self.clamp(now);
        self.quic.open(conn, direction, label, key)
    }

    /// One stream, to read and write.
    ///
    /// # Errors
    /// [`Gone`] where both of its halves are done, or its connection is lost and was read to its end.
    pub fn stream(&mut self, conn: ConnId, stream: StreamId) -> Result<StreamMut<'_>, Gone> {
        self.stale = true;
        self.quic.stream(conn, stream)
    }

    /// The datagrams of a connection that [`Event::PeerConnected`](crate::Event::PeerConnected) told of: each
    /// arrives whole, or not at all, and not in order.
    ///
    /// ```
    /// # use handfast_core::{ConnId, Node, error::DatagramError};
    /// # fn wave(node: &mut Node, conn: ConnId) -> Result<(), DatagramError> {
    /// let mut datagrams = node.datagrams(conn).map_err(|_| DatagramError::Gone)?;
    /// datagrams.send(bytes::Bytes::from_static(b"still here"))?;
    /// while let Some(datagram) = datagrams.read() {
    ///     drop(datagram);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Gone`] where the application does not see the connection: not yet, or no longer. What it has not read of
    /// a connection that ended is lost.
    pub fn datagrams(&mut self, conn: ConnId) -> Result<DatagramsMut<'_>, Gone> {
        self.stale = true;
        self.quic.datagrams(conn)
    }
}
