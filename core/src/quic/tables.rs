//! How full the engine's tables are.

use super::Quic;
use super::connection::{Conn, MAX_OPENED};
use super::label::MAX_LABEL;
use super::main_stream::{MAX_OUTBOX, MAX_READ};
use super::paths::MAX_LOCALS;
use super::reach::MAX_UNPROVED;
use super::streams::{Recv, Stream};
use super::transmit::MAX_RESPONSES;
use crate::table::Table;

/// Bytes of the smallest frame: its length, and a body of one byte.
const MIN_FRAME: usize = 3;
/// Besides frames a connection is told of when it stands, when its main stream ends or there is room for requests, and
/// when it is lost.
const TURNS: usize = 3;

impl Quic {
    /// All of them.
    pub(crate) fn tables(&self) -> Vec<Table> {
        let (config, max) = (&self.config, self.max_connections());
        let each = || self.conns.iter().map(|(_, conn)| &**conn);
        let (received, may_receive) = self.budgets.receive.sizes();
        let (written, may_write) = self.budgets.send.sizes();
        let [strangers, of_source] = self.admission.sizes();
        let mut tables = vec![
            Table::new("quic: connections accepted", self.accepted, config.max_connections),
            Table::new("quic: connections dialled", self.conns.len() - self.accepted, config.max_connections),
            Table::new("quic: connections unauthenticated", strangers, config.max_unauthenticated),
            Table::new("quic: those of one source", of_source, config.max_unauthenticated_per_source),
            Table::new("quic: handles", self.slots.len(), max),
            Table::new("quic: timers", self.timers.len(), max),
            Table::new(
                "quic: events",
                self.out.events.len(),
                max.saturating_mul(MAX_READ / MIN_FRAME + TURNS),
            ),
            // Each stream once.
            Table::new(
                "quic: streams ready",
                self.out.ready.len(),
                each().map(|conn| conn.streams.len()).sum(),
            ),
            Table::new(
                "quic: requests that moved",
                self.out.requests.len(),
                each().map(|conn| conn.streams.len()).sum(),
            ),
            Table::new("quic: connections with room for streams", self.out.available.len(), max),
            Table::new("quic: connections with datagrams", self.out.datagrams.len(), max),
            Table::new("quic: connections to read on", self.out.unread.len(), max),
            Table::new("quic: connections to ask", self.work.poll.len(), max),
            Table::new("quic: connections to send", self.work.send.len(), max),
            Table::new("quic: addresses of this machine", self.paths.known_locals(), MAX_LOCALS),
            Table::new("quic: answers to strangers", self.responses.len(), MAX_RESPONSES),
            Table::fullest(
                "quic: frames to say on a connection",
                each().map(|conn| conn.main.waiting()),
                MAX_OUTBOX,
            ),
            Table::fullest(
                "quic: addresses where a peer may be",
                each().map(|conn| conn.reach.unproved()),
                MAX_UNPROVED,
            ),
            Table::fullest("quic: streams opened here", each().map(|conn| conn.opened), MAX_OPENED),
            Table::fullest(
                "quic: streams opened by a peer",
                each().map(Conn::opened_there),
                each().map(Conn::max_opened_there).max().unwrap_or(0),
            ),
            Table::fullest(
                "quic: bytes of datagrams to read",
                each().map(|conn| conn.datagrams.waiting()[0]),
                config.datagram_buffer as usize,
            ),
            Table::fullest(
                "quic: bytes of datagrams to send",
                each().map(|conn| conn.datagrams.waiting()[1]),
                config.datagram_buffer as usize,
            ),
            Table::new("quic: bytes that may be received, beyond each one's own", received, may_receive),
            Table::new("quic: bytes that may be written, beyond each one's own", written, may_write),
            Table::fullest("quic: bytes of a label", each().map(Conn::longest_label), 1 + MAX_LABEL),
        ];
        let networks = self.admission.networks();
        tables.extend(networks.map(|[len, max]| Table::new("quic: networks that came lately", len, max)));
        tables
    }

    /// Accepted and dialled.
    pub(crate) fn max_connections(&self) -> usize {
        self.config.max_connections.saturating_mul(2)
    }
}

impl Conn {
    fn opened_there(&self) -> usize {
        self.streams.len() - self.opened
    }

    /// Both directions.
    fn max_opened_there(&self) -> usize {
        (self.most_streams as usize).saturating_mul(2)
    }

    /// Bytes of the longest label that is not whole.
    fn longest_label(&self) -> usize {
        let label = |stream: &Stream| match &stream.recv {
            Recv::Label(got) => got.len(),
            Recv::Open | Recv::Done => 0,
        };
        self.streams.values().map(label).max().unwrap_or(0)
    }
}
