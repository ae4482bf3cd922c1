//! The sending half: a write goes to the core and pokes the loop, and never transmits itself.

use super::DROPPED;
use crate::desk::NodeHandle;
use crate::slot::Slot;
use bytes::Bytes;
use handfast_core::error::{Gone, WriteError};
use handfast_core::{ConnId, StreamId, StreamMut};
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The sending half of a stream.
///
/// A peer never takes half a message for a whole one: a half that is dropped before
/// [`finish`](RawSend::finish) resets the stream, with the code 0x10.
pub struct RawSend {
    handle: NodeHandle,
    slot: Arc<Slot>,
    key: u64,
    /// Finished or reset: nothing may follow.
    ended: bool,
    reset: bool,
}

impl fmt::Debug for RawSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSend").field("conn", &self.slot.conn).field("stream", &self.slot.stream).finish()
    }
}

impl RawSend {
    pub(crate) fn new(handle: NodeHandle, slot: Arc<Slot>, key: u64) -> Self {
        Self { handle, slot, key, ended: false, reset: false }
    }

    /// The connection it is in.
    pub fn conn(&self) -> ConnId {
        self.slot.conn
    }

    /// Its id, the same on both sides.
    pub fn id(&self) -> StreamId {
        self.slot.stream
    }

    /// Sets how much sooner than those of other streams its bytes leave: of the higher all that can, before any of
    /// the lower; those that are equal take turns. 0 at the beginning.
    pub fn set_priority(&mut self, priority: i32) {
        if let Ok(mut stream) = self.handle.lock().stream(&self.slot) {
            stream.set_priority(priority);
        }
    }

    /// Writes some of `data`, by copying, and says how much.
    ///
    /// # Errors
    /// [`WriteError::Gone`] and [`WriteError::Stopped`]; never [`WriteError::Blocked`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, WriteError>> {
        self.poll_verb(cx, |stream| stream.write(data))
    }

    /// Writes some of `chunks` without copying, and says how many bytes: what was taken is cut off their
    /// fronts, so that the empty ones are done.
    ///
    /// # Errors
    /// As [`RawSend::poll_write`].
    pub fn poll_write_chunks(
        &mut self,
        cx: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<usize, WriteError>> {
        self.poll_verb(cx, |stream| {
            let written = stream.write_chunks(chunks)?;
            for done in &mut chunks[..written.chunks] {
                done.clear();
            }
            Ok(written.bytes)
        })
    }

    fn poll_verb(
        &mut self,
        cx: &mut Context<'_>,
        mut verb: impl FnMut(&mut StreamMut<'_>) -> Result<usize, WriteError>,
    ) -> Poll<Result<usize, WriteError>> {
        if self.ended {
            return Poll::Ready(Err(WriteError::Gone));
        }
        let mut locked = self.handle.lock();
        let result = match locked.stream(&self.slot) {
            Ok(mut stream) => verb(&mut stream),
            Err(Gone) => Err(WriteError::Gone),
        };
        match result {
            Ok(bytes) => {
                drop(locked);
                self.handle.poke();
                Poll::Ready(Ok(bytes))
            }
            // With the node's lock held, so that the loop cannot see room in between.
            Err(WriteError::Blocked) => {
                let mut state = self.slot.lock();
                if state.gone {
                    return Poll::Ready(Err(WriteError::Gone));
                }
                state.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(WriteError::Gone) => Poll::Ready(Err(self.slot.lock().why_ended())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Writes some of `data` and says how much, at least one byte unless `data` is empty.
    ///
    /// Waits while the peer, or the connection's window, takes no more. Cancel safe: what was not reported
    /// was not written.
    ///
    /// # Errors
    /// As [`RawSend::poll_write`].
    pub async fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        poll_fn(|cx| self.poll_write(cx, data)).await
    }

    /// Writes all of `data`. Not cancel safe: a part may have been written.
    ///
    /// # Errors
    /// As [`RawSend::poll_write`].
    pub async fn write_all(&mut self, mut data: &[u8]) -> Result<(), WriteError> {
        while !data.is_empty() {
            let written = self.write(data).await?;
            data = &data[written..];
        }
        Ok(())
    }

    /// Writes a whole chunk without copying it. Not cancel safe: a part may have been written.
    ///
    /// # Errors
    /// As [`RawSend::poll_write`].
    pub async fn write_chunk(&mut self, chunk: Bytes) -> Result<(), WriteError> {
        self.write_chunks(&mut [chunk]).await
    }

    /// Writes all of `chunks` without copying. Cancel safe: what is left in them when the future is dropped was not
    /// written, and the rest was.
    ///
    /// # Errors
    /// As [`RawSend::poll_write`].
    pub async fn write_chunks(&mut self, chunks: &mut [Bytes]) -> Result<(), WriteError> {
        let mut done = 0;
        loop {
            while chunks.get(done).is_some_and(Bytes::is_empty) {
                done += 1;
            }
            if done == chunks.len() {
                return Ok(());
            }
            poll_fn(|cx| self.poll_write_chunks(cx, &mut chunks[done..])).await?;
        }
    }

    /// Ends the stream: the peer reads the end after what was written. Finishing again does nothing.
    ///
    /// # Errors
    /// As [`RawSend::poll_write`].
    pub fn finish(&mut self) -> Result<(), WriteError> {
        if self.ended {
            return Ok(());
        }
        let mut locked = self.handle.lock();
        let result = match locked.stream(&self.slot) {
            Ok(mut stream) => stream.finish(),
            Err(Gone) => Err(WriteError::Gone),
        };
        drop(locked);
        self.ended = result.is_ok();
        self.handle.poke();
        result.map_err(|_| self.slot.lock().why_ended())
    }

    /// Waits until the peer has acknowledged everything, the end included. Call it after
    /// [`RawSend::finish`]. Cancel safe.
    ///
    /// # Errors
    /// [`WriteError::Gone`] if the connection ended before, or this half was reset, [`WriteError::Stopped`] if the peer did not want
    /// all of it.
    pub async fn delivered(&mut self) -> Result<(), WriteError> {
        poll_fn(|cx| {
            let mut state = self.slot.lock();
            if state.finished {
                Poll::Ready(Ok(()))
            } else if state.stopped.is_some() || state.gone || self.reset {
                Poll::Ready(Err(state.why_ended()))
            } else {
                state.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// Waits until the peer wants no more, and gives its code; `None` where that cannot happen any longer: everything
    /// was acknowledged, this half was reset, or the connection has ended. Cancel safe.
    pub async fn stopped(&mut self) -> Option<u64> {
        poll_fn(|cx| {
            let mut state = self.slot.lock();
            if state.stopped.is_some() || state.finished || state.gone || self.reset {
                return Poll::Ready(state.stopped);
            }
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Gives up: what the peer has not read is dropped, and it sees `code`, below 2^62. After the end it
    /// does nothing.
    pub fn reset(&mut self, code: u64) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.reset = true;
        self.handle.with(|locked, _| {
            if let Ok(mut stream) = locked.stream(&self.slot) {
                stream.reset(code);
            }
        });
    }
}

impl Drop for RawSend {
    fn drop(&mut self) {
        self.reset(DROPPED);
        self.handle.lock().release(self.key, &self.slot);
    }
}
