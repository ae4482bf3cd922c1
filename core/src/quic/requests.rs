//! What a node and a discovery server ask each other, one request a stream: engines read and write these, and no
//! application hears of them.

use super::{Quic, find};
use crate::error::OpenError;
use crate::id::{ConnId, StreamId};
use crate::io::Readiness;
use std::net::SocketAddr;

impl Quic {
    /// Where a connection's peer is, by the path that was last proved.
    pub(crate) fn remote(&self, conn: ConnId) -> Option<SocketAddr> {
        let slot = (conn.0 & u64::from(u32::MAX)) as usize;
        self.conns.get(slot).filter(|found| found.id == conn).map(|found| found.quic.remote_address())
    }

    /// Opens a stream for one request, on a connection that was dialled by [`Alpn::Disco`]: no label goes before it.
    /// [`Quic::poll_request`] tells when it moves.
    pub(crate) fn open_request(&mut self, conn: ConnId) -> Result<StreamId, OpenError> {
        let conn = find(&mut self.conns, conn).ok_or(OpenError::Gone)?;
        conn.open_request()
    }

    /// A request that moved, and what it is ready for.
    pub(crate) fn poll_request(&mut self) -> Option<(ConnId, StreamId, Readiness)> {
        while let Some((id, stream)) = self.out.requests.pop_front() {
            let Some(conn) = find(&mut self.conns, id) else { continue };
            if let Some((_, now)) = conn.take_ready(&mut self.work, stream) {
                return Some((id, stream, now));
            }
        }
        None
    }
}
