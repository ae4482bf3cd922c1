//! What waits between the loop and the reader of one stream.
//!
//! A turn drains what is readable into the slot; a read takes the whole of it and touches no other lock.
//! Beyond [`CAPACITY`] the bytes stay in the core, whose flow control is the back-pressure.

use bytes::Bytes;
use handfast_core::error::{Gone, ReadError, WriteError};
use handfast_core::{ConnId, StreamId, StreamMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Bytes that wait for a reader outside of the core.
const CAPACITY: usize = 256 << 10;

/// One stream, as both of its halves and the loop share it.
pub(crate) struct Slot {
    pub(crate) conn: ConnId,
    pub(crate) stream: StreamId,
    state: Mutex<State>,
}

/// What the slot's own lock guards.
#[derive(Default)]
pub(crate) struct State {
    /// Bytes to read, in order.
    pub(crate) chunks: Vec<Bytes>,
    /// How many they are.
    pub(crate) buffered: usize,
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
    pub(crate) fn new(conn: ConnId, stream: StreamId, halves: u8) -> Self {
        Self { conn, stream, state: Mutex::new(State { halves, ..State::default() }) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves what is readable from the core into the slot.
    pub(crate) fn drain(&self, stream: Result<StreamMut<'_>, Gone>) -> Option<Waker> {
        let mut state = self.lock();
        let state = &mut *state;
        if state.end.is_some() {
            return None;
        }
        let room = CAPACITY.saturating_sub(state.buffered);
        if room == 0 {
            state.more = true;
            return None;
        }
        let read = match stream {
            Ok(mut stream) => stream.read_chunks(room, &mut state.chunks),
            Err(Gone) => Err(ReadError::Gone),
        };
        match read {
            Ok(read) => {
                state.buffered += read.bytes;
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
