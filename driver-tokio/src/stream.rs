//! Streams with tokio's I/O traits.

use handfast_driver::{RawRecv, RawSend, read_error, write_error};
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The sending half of a stream. Its own verbs are those of [`RawSend`].
///
/// As an [`AsyncWrite`] it need not be flushed, and shutting it down is [`RawSend::finish`]. Dropped before
/// that, it resets the stream.
#[derive(Debug)]
pub struct SendStream(RawSend);

/// The receiving half of a stream. Its own verbs are those of [`RawRecv`].
#[derive(Debug)]
pub struct RecvStream(RawRecv);

impl AsyncWrite for SendStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf).map_err(write_error)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.finish().map_err(write_error))
    }
}

impl AsyncRead for RecvStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(self.0.poll_read(cx, buf.initialize_unfilled())).map_err(read_error)?;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl From<RawSend> for SendStream {
    fn from(raw: RawSend) -> Self {
        Self(raw)
    }
}

impl Deref for SendStream {
    type Target = RawSend;

    fn deref(&self) -> &RawSend {
        &self.0
    }
}

impl DerefMut for SendStream {
    fn deref_mut(&mut self) -> &mut RawSend {
        &mut self.0
    }
}

impl From<RawRecv> for RecvStream {
    fn from(raw: RawRecv) -> Self {
        Self(raw)
    }
}

impl Deref for RecvStream {
    type Target = RawRecv;

    fn deref(&self) -> &RawRecv {
        &self.0
    }
}

impl DerefMut for RecvStream {
    fn deref_mut(&mut self) -> &mut RawRecv {
        &mut self.0
    }
}
