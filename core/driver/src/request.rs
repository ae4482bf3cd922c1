//! One message and its answer, on a stream of their own.

use crate::alarm::within;
use crate::connection::Connection;
use crate::handle::DialError;
use crate::runtime::Runtime;
use crate::stream::{RawRecv, RawSend};
use bytes::Bytes;
use handfast_core::error::{OpenError, ReadError, WriteError};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// What a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestLimits {
    /// From the call to the last byte of the answer. 30 s unless told otherwise.
    pub timeout: Duration,
    /// Bytes of the answer, which is kept in memory. 1 MiB unless told otherwise.
    pub max_answer: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), max_answer: 1 << 20 }
    }
}

impl RequestLimits {
    /// Sets how long it may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how many bytes the answer may have.
    #[must_use]
    pub fn with_max_answer(mut self, max_answer: usize) -> Self {
        self.max_answer = max_answer;
        self
    }
}

/// Why a request has no answer. The peer may have acted on it all the same, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The connection ended.
    #[error("the connection is gone")]
    Gone,
    /// A label is over 255 bytes. Nothing was sent.
    #[error("a stream label is over 255 bytes")]
    Label,
    /// The peer refused it, or gave up the answer, with this code.
    #[error("the peer refused the request (code {0:#x})")]
    Refused(u64),
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// The answer is longer than it may be.
    #[error("the answer is longer than it may be")]
    TooLong,
    /// The peer could not be reached. Nothing was sent. Of [`PeerHandle`](crate::PeerHandle) alone.
    #[error(transparent)]
    Unreachable(#[from] DialError),
}

impl<R: Runtime> Connection<R> {
    /// Asks the peer something: opens a stream with this label, sends the bytes, and gives what the peer sends back
    /// until it finishes. At most 30 s, and 1 MiB of answer; see [`Connection::request_within`].
    ///
    /// The peer accepts the stream as any other, reads it to its end, writes its answer and finishes.
    ///
    /// Not cancel safe: dropping the future resets the stream, and the peer may have acted on the request.
    ///
    /// ```no_run
    /// # use handfast_driver::{Connection, Runtime};
    /// # async fn ask<R: Runtime>(connection: Connection<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// let answer = connection.request("weather", "Berlin").await?;
    /// println!("{}", String::from_utf8_lossy(&answer));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`RequestError`], but for [`RequestError::Unreachable`].
    pub async fn request(&self, label: &str, bytes: impl Into<Bytes>) -> Result<Bytes, RequestError> {
        self.request_within(label, bytes, RequestLimits::default()).await
    }

    /// As [`Connection::request`], with other limits. Not cancel safe.
    ///
    /// # Errors
    /// As [`Connection::request`].
    pub async fn request_within(
        &self,
        label: &str,
        bytes: impl Into<Bytes>,
        limits: RequestLimits,
    ) -> Result<Bytes, RequestError> {
        let bytes = bytes.into();
        let request = async {
            let (send, recv) = self.open_raw_bi(label).await.map_err(|error| match error {
                OpenError::Label => RequestError::Label,
                _ => RequestError::Gone,
            })?;
            exchange(send, recv, bytes, limits.max_answer).await
        };
        within(self.handle(), limits.timeout, request).await.unwrap_or(Err(RequestError::TimedOut))
    }
}

/// Sends a request while its answer is read: neither side waits for the other to have all of it.
pub(crate) async fn exchange(
    mut send: RawSend,
    mut recv: RawRecv,
    bytes: Bytes,
    max_answer: usize,
) -> Result<Bytes, RequestError> {
    let mut sending = pin!(async {
        send.write_chunk(bytes).await?;
        send.finish()
    });
    let mut receiving = pin!(recv.read_to_end(max_answer));
    let mut sent: Option<Result<(), WriteError>> = None;
    let answer = poll_fn(|cx| {
        if sent.is_none()
            && let Poll::Ready(result) = sending.as_mut().poll(cx)
        {
            sent = Some(result);
        }
        receiving.as_mut().poll(cx)
    });
    // A peer that wants no more of the request may answer it all the same.
    match (answer.await, sent) {
        (Ok(Some(answer)), _) => Ok(answer.into()),
        (Ok(None), _) => Err(RequestError::TooLong),
        (Err(ReadError::Reset(code)), _) => Err(RequestError::Refused(code)),
        (Err(_), Some(Err(WriteError::Stopped(code)))) => Err(RequestError::Refused(code)),
        (Err(_), _) => Err(RequestError::Gone),
    }
}
