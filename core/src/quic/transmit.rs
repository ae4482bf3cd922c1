//! Whose datagrams leave next, and how many in one batch.

use super::connection::Conn;
use super::gate::Gate;
use super::paths::{Paths, Socket};
use super::reach::{Leaving, Way};
use crate::io::{Ecn, Transmit};
use quinn_proto::EcnCodepoint;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// Datagrams in a connection's first batch. Requests and responses do best with it; bulk grows out of it.
pub(super) const FIRST_BATCH: usize = 10;

/// What fits into one UDP send: a larger batch would be lost whole.
const MAX_BATCH_BYTES: usize = 65_507;

/// Segments that any system takes in one send.
const MAX_SEGMENTS: usize = 64;

/// Batches that one connection may send before the others have their turn.
const BATCHES_A_ROUND: u8 = 2;

/// Datagrams that answer strangers (version negotiation, Retry, refusals, stateless resets) and wait to
/// leave. More are dropped: whoever asks again is answered again.
pub(super) const MAX_RESPONSES: usize = 64;

/// What polling for datagrams gave.
pub(crate) enum Round {
    Transmit(Transmit),
    /// Everyone had a turn and somebody has more.
    Over,
    Idle,
}

/// Whose turn it is. Connections take turns, each with so many batches a round.
#[derive(Default)]
pub(super) struct Turn {
    /// Connections that have not had their turn in this round.
    left: usize,
    /// Batches that the one in front has sent.
    batches: u8,
    /// A round ended: say so before the next begins.
    ended: bool,
}

impl Turn {
    /// The connection in front, or `None` where a round ended or nobody waits.
    pub(super) fn next(&mut self, queue: &mut VecDeque<usize>) -> Option<usize> {
        if std::mem::take(&mut self.ended) && !queue.is_empty() {
            self.left = 0;
            return None;
        }
        if self.left == 0 {
            self.left = queue.len();
        }
        queue.front().copied()
    }

    /// The one in front sent a batch.
    pub(super) fn spent(&mut self, queue: &mut VecDeque<usize>) {
        self.batches += 1;
        if self.batches >= BATCHES_A_ROUND {
            queue.rotate_left(1);
            self.step();
        }
    }

    /// The one in front has nothing more.
    pub(super) fn done(&mut self, queue: &mut VecDeque<usize>) {
        queue.pop_front();
        self.step();
    }

    fn step(&mut self) {
        self.batches = 0;
        self.left = self.left.saturating_sub(1);
        self.ended = self.left == 0;
    }
}

/// A connection's next batch.
pub(super) fn batch(
    conn: &mut Conn,
    now: Instant,
    (paths, gate): (&Paths, &Gate),
    buf: &mut Vec<u8>,
) -> Option<Transmit> {
    if conn.drained {
        return None;
    }
    let socket = paths.to(conn.quic.remote_address())?;
    let mtu = usize::from(conn.quic.current_mtu());
    let most = MAX_SEGMENTS.min(MAX_BATCH_BYTES / mtu).min(socket.gso_segments).max(1);
    let limit = conn.batch.min(most);
    if std::mem::take(&mut conn.pulse.urgent) {
        gate.open();
        let transmit = admitted(conn, now, 1, buf);
        gate.shut();
        return finish(conn, now, &transmit?, (paths, socket), buf);
    }
    let transmit = admitted(conn, now, limit, buf)?;
    let segments = transmit.segment_size.map_or(1, |size| transmit.size.div_ceil(size));
    conn.batch = if segments >= limit {
        (conn.batch * 2).min(MAX_SEGMENTS)
    } else {
        (conn.batch / 2).max(FIRST_BATCH)
    };
    finish(conn, now, &transmit, (paths, socket), buf)
}

/// The next batch that may leave, of so many datagrams at most. To an address that is not known to be the peer's they
/// leave one by one, and some do not.
fn admitted(conn: &mut Conn, now: Instant, limit: usize, buf: &mut Vec<u8>) -> Option<quinn_proto::Transmit> {
    loop {
        buf.clear();
        let remote = conn.quic.remote_address();
        let seeks = (!conn.reach.is_proved(remote)).then(|| seeks(conn));
        let limit = if seeks.is_some() { 1 } else { limit };
        let transmit = conn.quic.poll_transmit(now, limit, buf)?;
        let to = transmit.destination;
        let way = match seeks {
            _ if to != remote => Way::Aside,
            Some(before) if before != self::seeks(conn) => Way::Unproved,
            Some(_) | None => Way::Proved,
        };
        if conn.reach.admits(now, Leaving { to, bytes: transmit.size, way }) {
            return Some(transmit);
        }
        tracing::trace!(bytes = transmit.size, "more than may be sent to an address that is not proved");
        conn.pulse.handle_sent(now);
    }
}

/// How often a connection asked whether a path leads to its peer, or how much fits through it.
fn seeks(conn: &Conn) -> u64 {
    let stats = conn.quic.stats();
    stats.frame_tx.path_challenge + stats.path.sent_plpmtud_probes
}

fn finish(
    conn: &mut Conn,
    now: Instant,
    transmit: &quinn_proto::Transmit,
    (paths, socket): (&Paths, Socket),
    buf: &mut Vec<u8>,
) -> Option<Transmit> {
    conn.pulse.handle_sent(now);
    buf.truncate(transmit.size);
    Some(to_io(transmit, paths, socket))
}

/// Answers to strangers.
#[derive(Default)]
pub(super) struct Responses(VecDeque<(quinn_proto::Transmit, Vec<u8>)>);

impl Responses {
    pub(super) fn push(&mut self, transmit: quinn_proto::Transmit, bytes: &[u8]) {
        if self.0.len() < MAX_RESPONSES {
            let bytes = bytes[..transmit.size].to_vec();
            self.0.push_back((transmit, bytes));
        }
    }

    pub(super) fn pop(&mut self, paths: &Paths, buf: &mut Vec<u8>) -> Option<Transmit> {
        while let Some((transmit, bytes)) = self.0.pop_front() {
            if let Some(socket) = paths.to(transmit.destination) {
                buf.clear();
                buf.extend_from_slice(&bytes);
                return Some(to_io(&transmit, paths, socket));
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn to_io(transmit: &quinn_proto::Transmit, paths: &Paths, socket: Socket) -> Transmit {
    let ecn = transmit.ecn.map(|ecn| match ecn {
        EcnCodepoint::Ect0 => Ecn::Ect0,
        EcnCodepoint::Ect1 => Ecn::Ect1,
        EcnCodepoint::Ce => Ecn::Ce,
    });
    let destination: SocketAddr = transmit.destination;
    Transmit {
        socket: socket.id,
        destination,
        source: paths.source(transmit.src_ip),
        ecn,
        segment_size: transmit.segment_size,
    }
}
