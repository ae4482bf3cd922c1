//! The receiving half: a read takes what the loop left in the stream's slot.

use super::DROPPED;
use crate::desk::NodeHandle;
use crate::slot::{Drain, Slot};
use bytes::Bytes;
use handfast_core::error::ReadError;
use handfast_core::{ConnId, StreamId};
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The receiving half of a stream.
///
/// Dropped before its end, it tells the peer that no more is wanted, with the code 0x10.
pub struct RawRecv {
    handle: NodeHandle,
    slot: Arc<Slot>,
    key: u64,
    /// What was taken out of the slot, from `next` on.
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) next: usize,
    /// What came of a value that is not whole.
    #[cfg(feature = "values")]
    pub(crate) frames: handfast_core::value::Frames,
    /// The end, an error or a stop: the core knows that nobody reads any longer.
    ended: bool,
}

impl fmt::Debug for RawRecv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRecv").field("conn", &self.slot.conn).field("stream", &self.slot.stream).finish()
    }
}

impl RawRecv {
    pub(crate) fn new(handle: NodeHandle, slot: Arc<Slot>, key: u64) -> Self {
        Self {
            handle,
            slot,
            key,
            chunks: Vec::new(),
            next: 0,
            #[cfg(feature = "values")]
            frames: handfast_core::value::Frames::default(),
            ended: false,
        }
    }

    /// The connection it is in.
    pub fn conn(&self) -> ConnId {
        self.slot.conn
    }

    /// Its id, the same on both sides.
    pub fn id(&self) -> StreamId {
        self.slot.stream
    }

    /// The next bytes as they came, without copying; `None` at the end, and from there on.
    ///
    /// # Errors
    /// [`ReadError::Reset`] if the peer gave up, [`ReadError::Gone`] if the connection ended first: what
    /// was read is then not a whole message.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ReadError>> {
        match std::task::ready!(self.poll_fill(cx)) {
            Ok(true) => {
                let chunk = std::mem::take(&mut self.chunks[self.next]);
                self.next += 1;
                Poll::Ready(Ok(Some(chunk)))
            }
            Ok(false) => Poll::Ready(Ok(None)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Reads into `buf` and says how much; 0 at the end.
    ///
    /// # Errors
    /// As [`RawRecv::poll_chunk`].
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, ReadError>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        match std::task::ready!(self.poll_fill(cx)) {
            Ok(true) => Poll::Ready(Ok(self.copy_into(buf))),
            Ok(false) => Poll::Ready(Ok(0)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn copy_into(&mut self, buf: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(chunk) = self.chunks.get_mut(self.next) {
            let part = chunk.len().min(buf.len() - done);
            buf[done..done + part].copy_from_slice(&chunk.split_to(part));
            done += part;
            if !chunk.is_empty() {
                break;
            }
            self.next += 1;
        }
        done
    }

    /// Makes sure that a chunk is at hand; false at the end.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, ReadError>> {
        loop {
            if self.next < self.chunks.len() {
                return Poll::Ready(Ok(true));
            }
            self.chunks.clear();
            self.next = 0;
            let mut state = self.slot.lock();
            if !state.chunks.is_empty() {
                self.slot.take(&mut state, &mut self.chunks);
            }
            let more = std::mem::take(&mut state.more);
            if self.chunks.is_empty() && !more {
                if let Some(end) = state.end {
                    self.ended = true;
                    return Poll::Ready(end.map(|()| false));
                }
                state.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            drop(state);
            if more {
                self.refill();
            }
        }
    }

    /// The slot was full and is empty: takes what the core held back, which lets the peer send more.
    fn refill(&mut self) {
        let own = self.handle.with(|locked, _| self.slot.drain(locked.stream(&self.slot), Drain::Asked));
        // The reader is the caller: it looks again.
        drop(own);
    }

    /// The next bytes as they came, without copying; `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// As [`RawRecv::poll_chunk`].
    pub async fn read_chunk(&mut self) -> Result<Option<Bytes>, ReadError> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Reads into `buf` and says how much; 0 at the end, or if `buf` is empty. Cancel safe.
    ///
    /// # Errors
    /// As [`RawRecv::poll_chunk`].
    pub async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ReadError> {
        poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// Reads to the end, at most `limit` bytes; `None` if there are more, and then the rest is not wanted.
    /// Not cancel safe: what was read is lost.
    ///
    /// # Errors
    /// As [`RawRecv::poll_chunk`].
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Option<Vec<u8>>, ReadError> {
        let mut out = Vec::new();
        while let Some(chunk) = self.read_chunk().await? {
            if out.len() + chunk.len() > limit {
                self.stop(DROPPED);
                return Ok(None);
            }
            out.extend_from_slice(&chunk);
        }
        Ok(Some(out))
    }

    /// Tells the peer that no more is wanted, and why: `code` is below 2^62. After the end it does nothing.
    pub fn stop(&mut self, code: u64) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.handle.with(|locked, _| {
            if let Ok(mut stream) = locked.stream(&self.slot) {
                stream.stop(code);
            }
        });
        let mut state = self.slot.lock();
        self.slot.take(&mut state, &mut Vec::new());
        state.more = false;
        state.end = Some(Err(ReadError::Gone));
    }
}

impl Drop for RawRecv {
    fn drop(&mut self) {
        self.stop(DROPPED);
        self.handle.lock().release(self.key, &self.slot);
    }
}
