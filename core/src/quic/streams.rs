//! Application streams: labels, halves, and what a reader or writer is told.
//!
//! A stream is forgotten when both of its halves are done, whichever way.

use super::connection::Conn;
use super::{Outbox, Work};
use crate::error::{ReadError, WriteError};
use crate::id::{ConnId, StreamId};
use crate::io::Readiness;
use bytes::Bytes;
use quinn_proto::{ReadError as QuicReadError, StreamId as QuicId, VarInt, WriteError as QuicWriteError};

/// Which way the bytes of a stream go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    Bi,
    /// From who opened it, alone.
    Uni,
}

impl From<Direction> for quinn_proto::Dir {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Bi => Self::Bi,
            Direction::Uni => Self::Uni,
        }
    }
}

impl From<quinn_proto::Dir> for Direction {
    fn from(dir: quinn_proto::Dir) -> Self {
        match dir {
            quinn_proto::Dir::Bi => Self::Bi,
            quinn_proto::Dir::Uni => Self::Uni,
        }
    }
}

/// What [`StreamMut::read_chunks`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Bytes that were put into the sink.
    pub bytes: usize,
    /// The end was reached: the stream is whole and nothing follows.
    pub fin: bool,
    /// The limit was reached first: more may wait.
    pub more: bool,
}

/// What [`StreamMut::write_chunks`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes taken.
    pub bytes: usize,
    /// Chunks taken whole. The one after them was advanced past what was taken of it.
    pub chunks: usize,
}

/// Who reads and writes the streams of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Owner {
    /// The application, which finds a label in front of each.
    #[default]
    Application,
    /// An engine: each is a request and its reply.
    Engine,
}

/// One stream beside the main one.
pub(super) struct Stream {
    pub(super) owner: Owner,
    pub(super) key: u64,
    pub(super) direction: Direction,
    pub(super) label: String,
    pub(super) recv: Recv,
    pub(super) send: Send,
    pub(super) pending: Readiness,
    pub(super) queued: bool,
}

/// The receiving half.
pub(super) enum Recv {
    /// The peer's label is not whole yet. Holds its length byte and what came of it.
    Label(Vec<u8>),
    Open,
    Done,
}

/// The sending half.
pub(super) enum Send {
    /// Open; holds what is left of the label, which goes before the application's bytes.
    Open {
        label: Bytes,
    },
    /// Finished by the application before the label could leave.
    FinishWanted {
        label: Bytes,
    },
    /// Everything is written, not everything acknowledged.
    Finishing,
    Done,
}

impl Stream {
    pub(super) fn opened_here(direction: Direction, label: &str, key: u64) -> Self {
        let prefix = match label {
            // Most streams have none: it costs no allocation.
            "" => Bytes::from_static(&[0]),
            label => [&[label.len() as u8], label.as_bytes()].concat().into(),
        };
        let recv = match direction {
            Direction::Bi => Recv::Open,
            Direction::Uni => Recv::Done,
        };
        Self {
            owner: Owner::Application,
            key,
            direction,
            label: label.to_owned(),
            recv,
            send: Send::Open { label: prefix },
            pending: Readiness::default(),
            queued: false,
        }
    }

    pub(super) fn opened_by_peer(direction: Direction) -> Self {
        let send = match direction {
            Direction::Bi => Send::Open { label: Bytes::new() },
            Direction::Uni => Send::Done,
        };
        Self {
            owner: Owner::Application,
            key: 0,
            direction,
            label: String::new(),
            recv: Recv::Label(Vec::new()),
            send,
            pending: Readiness::default(),
            queued: false,
        }
    }

    /// A request, whoever makes it.
    pub(super) fn request() -> Self {
        let (owner, recv) = (Owner::Engine, Recv::Open);
        Self { owner, recv, ..Self::opened_by_peer(Direction::Bi) }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.recv, Recv::Done) && matches!(self.send, Send::Done)
    }

    /// Notes what the driver shall hear of at the next [`crate::Output::Ready`]: not before the stream's label
    /// is whole, and it is told that there is one.
    pub(super) fn mark(&mut self, conn: ConnId, id: StreamId, out: &mut Outbox, what: Readiness) {
        let pending = &mut self.pending;
        pending.readable |= what.readable;
        pending.writable |= what.writable;
        pending.opened |= what.opened;
        pending.finished |= what.finished;
        pending.stopped = pending.stopped.or(what.stopped);
        if !self.queued && !matches!(self.recv, Recv::Label(_)) {
            self.queued = true;
            let queue = match self.owner {
                Owner::Application => &mut out.ready,
                Owner::Engine => &mut out.requests,
            };
            queue.push_back((conn, id));
        }
    }
}

/// One stream of a connection, borrowed from its node. See [`Node::stream`](crate::Node::stream).
///
/// What a verb queues leaves at the next [`Node::poll_output`](crate::Node::poll_output).
pub struct StreamMut<'a> {
    pub(super) conn: &'a mut Conn,
    pub(super) work: &'a mut Work,
    pub(super) id: StreamId,
}

impl StreamMut<'_> {
    /// Sets the number by which [`Ready::Stream`](crate::Ready::Stream) will name this stream.
    pub fn set_key(&mut self, key: u64) {
        self.stream().key = key;
    }

    /// The label by which it was opened: at most 255 bytes, empty where there is none.
    pub fn label(&self) -> &str {
        &self.conn.streams[&self.id].label
    }

    /// Which way its bytes go.
    pub fn direction(&self) -> Direction {
        self.conn.streams[&self.id].direction
    }

    /// Sets how much sooner than those of other streams its bytes leave: the higher go first, those that are equal
    /// take turns. 0 at the beginning. A packet's worth may be under way as before.
    pub fn set_priority(&mut self, priority: i32) {
        // A half that quinn-proto has forgotten has nothing to send.
        let _ = self.quic_send().set_priority(priority);
    }

    /// Takes up to `limit` bytes that arrived, without copying them, and frees their room for the peer.
    ///
    /// After `fin` or an error the receiving half is done.
    ///
    /// # Errors
    /// [`ReadError::Reset`] where the peer gave up: what came before is not a whole message.
    /// [`ReadError::Gone`] where the half is done, or the connection is lost and everything that arrived
    /// was read.
    pub fn read_chunks(&mut self, limit: usize, sink: &mut Vec<Bytes>) -> Result<Read, ReadError> {
        if !matches!(self.stream().recv, Recv::Open) {
            return Err(ReadError::Gone);
        }
        let result = read(self.conn, self.id, limit, sink);
        if !matches!(result, Ok(Read { fin: false, .. })) {
            self.stream().recv = Recv::Done;
        }
        self.touched();
        result
    }

    /// Copies bytes into the send buffer; says how many. Never takes more than the windows allow.
    ///
    /// # Errors
    /// [`WriteError::Blocked`] where there is no room: [`Readiness::writable`] follows.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.flush_label()?;
        let written = self.quic_send().write(data);
        self.wrote(written)
    }

    /// As [`StreamMut::write`], keeping the caller's buffers instead of copying them.
    ///
    /// # Errors
    /// As [`StreamMut::write`].
    pub fn write_chunks(&mut self, chunks: &mut [Bytes]) -> Result<Written, WriteError> {
        self.flush_label()?;
        let written = self.quic_send().write_chunks(chunks);
        self.wrote(written).map(|w| Written { bytes: w.bytes, chunks: w.chunks })
    }

    /// Says that nothing follows. [`Readiness::finished`] tells when the peer acknowledged everything.
    ///
    /// # Errors
    /// [`WriteError::Stopped`] or [`WriteError::Gone`]: the peer will not see a whole stream.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        match self.flush_label() {
            Ok(()) => self.finish_now(),
            Err(WriteError::Blocked) => {
                let stream = self.stream();
                if let Send::Open { label } = &mut stream.send {
                    stream.send = Send::FinishWanted { label: std::mem::take(label) };
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Gives up sending: the peer's reader gets [`ReadError::Reset`] with `code`, never a short stream that
    /// looks whole. What was finished and acknowledged stays so.
    pub fn reset(&mut self, code: u64) {
        if !matches!(self.stream().send, Send::Done) {
            // A half that quinn-proto has forgotten needs no reset.
            let _ = self.quic_send().reset(varint(code));
            self.stream().send = Send::Done;
        }
        self.touched();
    }

    /// Gives up reading: the peer's writer gets [`WriteError::Stopped`] with `code`.
    pub fn stop(&mut self, code: u64) {
        if !matches!(self.stream().recv, Recv::Done) {
            let _ = self.conn.quic.recv_stream(quic_id(self.id)).stop(varint(code));
            self.stream().recv = Recv::Done;
        }
        self.touched();
    }

    /// What could not be done while the label was blocked.
    pub(super) fn resume(&mut self) {
        if matches!(self.stream().send, Send::FinishWanted { .. }) && self.flush_label().is_ok() {
            // The peer may have stopped the stream meanwhile: then there is nothing to finish.
            let _ = self.finish_now();
        }
    }

    fn finish_now(&mut self) -> Result<(), WriteError> {
        let finished = self.quic_send().finish();
        self.touched();
        match finished {
            Ok(()) => {
                self.stream().send = Send::Finishing;
                Ok(())
            }
            Err(quinn_proto::FinishError::Stopped(code)) => Err(WriteError::Stopped(code.into_inner())),
            Err(quinn_proto::FinishError::ClosedStream) => Err(WriteError::Gone),
        }
    }

    fn flush_label(&mut self) -> Result<(), WriteError> {
        if self.conn.is_over() {
            return Err(WriteError::Gone);
        }
        let mut label = match &mut self.stream().send {
            Send::Open { label } | Send::FinishWanted { label } => std::mem::take(label),
            Send::Finishing | Send::Done => return Err(WriteError::Gone),
        };
        while !label.is_empty() {
            let written = self.quic_send().write_chunks(std::slice::from_mut(&mut label));
            if let Err(error) = self.wrote(written) {
                if let Send::Open { label: rest } | Send::FinishWanted { label: rest } =
                    &mut self.stream().send
                {
                    *rest = label;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn wrote<T>(&mut self, written: Result<T, QuicWriteError>) -> Result<T, WriteError> {
        match written {
            Ok(written) => {
                self.touched();
                Ok(written)
            }
            Err(QuicWriteError::Blocked) => Err(WriteError::Blocked),
            Err(QuicWriteError::Stopped(code)) => Err(WriteError::Stopped(code.into_inner())),
            Err(QuicWriteError::ClosedStream) => Err(WriteError::Gone),
        }
    }

    fn quic_send(&mut self) -> quinn_proto::SendStream<'_> {
        self.conn.quic.send_stream(quic_id(self.id))
    }

    fn stream(&mut self) -> &mut Stream {
        self.conn.streams.get_mut(&self.id).expect("a StreamMut is made for a stream that is there")
    }

    fn touched(&mut self) {
        self.work.send(self.conn);
    }
}

impl Drop for StreamMut<'_> {
    fn drop(&mut self) {
        if self.stream().is_done() && !self.stream().queued {
            self.conn.forget_stream(self.work, self.id);
        }
    }
}

fn read(conn: &mut Conn, id: StreamId, limit: usize, sink: &mut Vec<Bytes>) -> Result<Read, ReadError> {
    let over = conn.is_over();
    let mut stream = conn.quic.recv_stream(quic_id(id));
    let mut chunks = stream.read(true).map_err(|_| ReadError::Gone)?;
    let mut done = Read::default();
    let result = loop {
        if done.bytes >= limit {
            done.more = true;
            break Ok(done);
        }
        match chunks.next(limit - done.bytes) {
            Ok(Some(chunk)) => {
                done.bytes += chunk.bytes.len();
                sink.push(chunk.bytes);
            }
            Ok(None) => {
                done.fin = true;
                break Ok(done);
            }
            Err(QuicReadError::Blocked) if over && done.bytes == 0 => break Err(ReadError::Gone),
            // The next read says that the connection is gone.
            Err(QuicReadError::Blocked) => {
                done.more = over;
                break Ok(done);
            }
            Err(QuicReadError::Reset(code)) => break Err(ReadError::Reset(code.into_inner())),
        }
    };
    // Whether credit is due is found at the next transmit in any case.
    let _ = chunks.finalize();
    result
}

/// A code above what QUIC can carry becomes the largest that it can.
pub(super) fn varint(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

/// As quinn-proto has it.
pub(super) fn quic_id(id: StreamId) -> QuicId {
    VarInt::from_u64(id.0).expect("a stream id comes from quinn-proto").into()
}

/// As the rest of the core has it.
pub(super) fn stream_id(id: QuicId) -> StreamId {
    StreamId(id.into())
}
