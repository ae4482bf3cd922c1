//! Values on streams, instead of bytes: MessagePack with named fields, each with its length in front of it.
//!
//! How they look on the wire is told in [`handfast_core::value`].

use crate::stream::{RawRecv, RawSend};
use handfast_core::error::{ReadError, WriteError};
pub use handfast_core::value::ValueError;
use handfast_core::value::{EncodeError, MAX_VALUE, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

/// Why a value was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteValueError {
    /// It cannot be written at all. Nothing was.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The stream takes no more.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why no value was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadValueError {
    /// The stream ended in an error.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What came is no such value.
    #[error(transparent)]
    Value(#[from] ValueError),
}

impl RawSend {
    /// Writes a value, for [`RawRecv::read_value`] at the other end. Any number of them may follow each other.
    ///
    /// Not cancel safe: a part may have been written, and then all that can be done with the stream is to reset it,
    /// as dropping it does.
    ///
    /// ```no_run
    /// # use handfast_driver::{Connection, Runtime};
    /// # async fn run<R: Runtime>(connection: Connection<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Note {
    ///     title: String,
    ///     lines: Vec<String>,
    /// }
    ///
    /// let (mut send, mut recv) = connection.open_bi("notes").await?;
    /// send.write_value(&Note { title: "today".into(), lines: vec![] }).await?;
    /// send.finish()?;
    /// while let Some(note) = recv.read_value::<Note>().await? {
    ///     println!("{}", note.title);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`WriteValueError`].
    pub async fn write_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteValueError> {
        let frame = encode(value)?;
        Ok(self.write_chunk(frame).await?)
    }
}

impl RawRecv {
    /// Reads the next value, of at most 1 MiB; `None` where the stream ends before one begins.
    ///
    /// Cancel safe: what has come of a value is kept for the next call. Bytes that are read otherwise in between are
    /// those that follow what was kept. After a value of another type, or one that is no value, the next can be read.
    ///
    /// # Errors
    /// [`ReadValueError`].
    pub async fn read_value<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ReadValueError> {
        self.read_value_within(MAX_VALUE).await
    }

    /// As [`RawRecv::read_value`], of at most `max` bytes. Cancel safe.
    ///
    /// # Errors
    /// As [`RawRecv::read_value`].
    pub async fn read_value_within<T: DeserializeOwned>(
        &mut self,
        max: usize,
    ) -> Result<Option<T>, ReadValueError> {
        poll_fn(|cx| self.poll_value(cx, max)).await
    }

    /// As [`RawRecv::read_value_within`], for a task that polls.
    ///
    /// # Errors
    /// As [`RawRecv::read_value`].
    pub fn poll_value<T: DeserializeOwned>(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<T>, ReadValueError>> {
        loop {
            if !ready!(self.poll_fill(cx))? {
                let ended =
                    if self.frames.is_between() { Ok(None) } else { Err(ValueError::Truncated.into()) };
                return Poll::Ready(ended);
            }
            let chunk = &mut self.chunks[self.next];
            let frame = self.frames.next(chunk, max)?;
            if chunk.is_empty() {
                self.next += 1;
            }
            if let Some(frame) = frame {
                return Poll::Ready(Ok(Some(decode(&frame)?)));
            }
        }
    }
}
