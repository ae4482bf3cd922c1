//! What waits between the loop and the reader of one stream.
//!
//! A turn drains what is readable into the slot; a read takes the whole of it and touches no other lock.
//! Beyond [`MAX_STREAM_BUFFER`], or [`MAX_CONNECTION_BUFFER`] of all the streams of a connection, the bytes stay in the core, whose
//! flow control is the back-pressure.

use crate::room::Room;
use bytes::Bytes;
use handfast_core::error::{Gone, ReadError, WriteError};
use handfast_core::{ConnId, StreamId, StreamMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Bytes of one stream that wait for its reader outside of the core.
pub const MAX_STREAM_BUFFER: usize = 256 << 10;

/// Bytes of all streams of one connection that wait for their readers outside of the core.
pub const MAX_CONNECTION_BUFFER: usize = 4 << 20;

/// Bytes of a connection's streams that wait for their readers, counted.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<AtomicUsize>);

impl Pool {
    fn room(&self) -> usize {
        MAX_CONNECTION_BUFFER.saturating_sub(self.0.load(Ordering::Relaxed))
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn sub(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Whether a stream takes no more than there is room for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drain {
    /// It does, and no more than its node has: nobody is known to read it.
    Modest,
    /// Its reader asks for it, and takes all of it at once.
    Asked,
}

/// One stream, as both of its halves and the loop share it.
pub(crate) struct Slot {
    pub(crate) conn: ConnId,
    pub(crate) stream: StreamId,
    pool: Pool,
    /// What all streams of the node hold.
    node: Room,
    state: Mutex<State>,
}

/// What the slot's own lock guards.
#[derive(Default)]
pub(crate) struct State {
    /// Bytes to read, in order.
    pub(crate) chunks: Vec<Bytes>,
    /// How many they are.
    buffered: usize,
    /// What follows the chunks: the end, or an error.
    pub(crate) end: Option<Result<(), ReadError>>,
    /// Whether the core holds more than the slot may.
    pub(crate) more: bool,
    /// Whether everything written was acknowledged.
    pub(crate) finished: bool,
    /// Why the peer did not want what was written.
    pub(crate) stopped: Option<u64>,
    /// Whether the stream, or its connection, is gone.
    pub(crate) gone: bool,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
    /// Halves that the application holds; with the last one the slot is given up.
    pub(crate) halves: u8,
}

impl State {
    /// Why nothing more can be written.
    pub(crate) fn why_ended(&self) -> WriteError {
        self.stopped.map_or(WriteError::Gone, WriteError::Stopped)
    }
}

impl Slot {
    pub(crate) fn new(conn: ConnId, stream: StreamId, halves: u8, pool: Pool, node: Room) -> Self {
        Self { conn, stream, pool, node, state: Mutex::new(State { halves, ..State::default() }) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves all that waits into an empty list.
    pub(crate) fn take(&self, state: &mut State, into: &mut Vec<Bytes>) {
        std::mem::swap(into, &mut state.chunks);
        self.give_back(std::mem::take(&mut state.buffered));
    }

    fn give_back(&self, bytes: usize) {
        self.pool.sub(bytes);
        self.node.give_back(bytes);
    }

    /// Moves what is readable from the core into the slot.
    pub(crate) fn drain(&self, stream: Result<StreamMut<'_>, Gone>, how: Drain) -> Option<Waker> {
        let mut state = self.lock();
        let state = &mut *state;
        if state.end.is_some() {
            return None;
        }
        let room = match how {
            Drain::Modest => {
                MAX_STREAM_BUFFER.saturating_sub(state.buffered).min(self.pool.room()).min(self.node.left())
            }
            Drain::Asked => MAX_STREAM_BUFFER.saturating_sub(state.buffered),
        };
        if room == 0 {
            state.more = true;
            // Whoever waits for the first of it asks for it himself.
            return if state.chunks.is_empty() { state.reader.take() } else { None };
        }
        let read = match stream {
            Ok(mut stream) => stream.read_chunks(room, &mut state.chunks),
            Err(Gone) => Err(ReadError::Gone),
        };
        match read {
            Ok(read) => {
                state.buffered += read.bytes;
                self.pool.add(read.bytes);
                self.node.take(read.bytes);
                state.more = read.more;
                if read.fin {
                    state.end = Some(Ok(()));
                }
            }
            Err(error) => {
                state.more = false;
                state.end = Some(Err(error));
            }
        }
        if state.chunks.is_empty() && state.end.is_none() { None } else { state.reader.take() }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let buffered = self.lock().buffered;
        self.give_back(buffered);
    }
}
