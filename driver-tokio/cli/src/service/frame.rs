//! What a command's process and the node's process say to each other through the socket.
//!
//! ```text
//! client                                       node
//!   b"handfast", version: u16          <->      b"handfast", version: u16
//!   Order                               ->
//!                                      <-       Tell, Note, Ask, Bar…, Data, Want, in any order
//!   Answer, Data, DataEnd               ->
//!                                      <-       End, or Moved; then it hangs up
//! ```
//!
//! A frame is a 4-byte big-endian length, 1 to [`MAX_FRAME`], and a byte of kind: 0 for a message in
//! MessagePack, 1 for data as it is. Who hangs up before the end takes its order back. Both ends are of one
//! version: another one is told apart by the greeting, which never changes.

use crate::exit::Failure;
use crate::msgpack;
use crate::output::Event;
use crate::work::{Order, Passed};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The version of everything after the greeting.
pub(crate) const VERSION: u16 = 1;

/// What each side says first, before its version.
const MAGIC: [u8; 8] = *b"handfast";

/// The longest frame in bytes, without its length. An order may name many files.
pub(crate) const MAX_FRAME: usize = 4 << 20;

/// Data goes in frames of at most so many bytes.
pub(crate) const MAX_DATA: usize = 256 * 1024;

const MESSAGE: u8 = 0;
const DATA: u8 = 1;

/// What a client says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum FromClient {
    /// First: what is to be done.
    Order(Box<Order>),
    /// The line that its user answered to a question.
    Answer { question: u32, line: Option<String> },
    /// Its input has ended, or could not be read any further.
    DataEnd { error: Option<String> },
}

/// What the node's process says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ToClient {
    /// Shows how a file comes along.
    Bar { bar: u32, name: String, total: Option<u64> },
    /// So many bytes of it are through.
    BarAt { bar: u32, bytes: u64 },
    /// It is shown no longer.
    BarGone { bar: u32 },
    /// Other words for what is waited for.
    BarSay { bar: u32, text: String },
    /// Shows what is waited for.
    BarWaiting { bar: u32, text: String },
    /// A question for the user.
    Ask { question: u32, text: String },
    /// The order is carried out, or has failed.
    End(Result<(), Failure>),
    /// This process is the node no longer: give the order to the next one, or be it.
    Moved {},
    /// A remark for people.
    Note(String),
    /// So much of what is sent is through.
    Passed(Passed),
    /// A line.
    Tell(Event),
    /// So many more bytes of the client's input may be sent.
    Want { bytes: u32 },
}

/// One frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame<T> {
    Data(Bytes),
    Message(T),
}

/// Says which version this side is, and hears which the other is. `None` where it is no Handfast at all.
pub(crate) async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Option<u16>> {
    let mut greeting = [0; MAGIC.len() + 2];
    greeting[..MAGIC.len()].copy_from_slice(&MAGIC);
    greeting[MAGIC.len()..].copy_from_slice(&VERSION.to_be_bytes());
    stream.write_all(&greeting).await?;
    stream.read_exact(&mut greeting).await?;
    let (magic, version) = greeting.split_at(MAGIC.len());
    Ok((magic == MAGIC).then(|| u16::from_be_bytes([version[0], version[1]])))
}

/// Reads one frame. `None` at the end of the stream, if it is between two frames.
pub(crate) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<Frame<T>>> {
    let mut len = [0; 4];
    match stream.read(&mut len).await? {
        0 => return Ok(None),
        read => stream.read_exact(&mut len[read..]).await?,
    };
    let len = u32::from_be_bytes(len) as usize;
    if !(1..=MAX_FRAME).contains(&len) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let kind = stream.read_u8().await?;
    // Grows with what arrives, not with what is claimed.
    let mut body = Vec::with_capacity(len.min(MAX_DATA));
    let read = stream.take(len as u64 - 1).read_to_end(&mut body).await?;
    if read != len - 1 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    match kind {
        MESSAGE => match msgpack::decode(&body) {
            Some(message) => Ok(Some(Frame::Message(message))),
            None => Err(io::ErrorKind::InvalidData.into()),
        },
        DATA if body.len() <= MAX_DATA => Ok(Some(Frame::Data(body.into()))),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Writes one frame.
///
/// # Errors
/// `InvalidInput` for a message that is too long; else those of the stream.
pub(crate) async fn write<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: &Frame<T>,
) -> io::Result<()> {
    let encoded;
    let (kind, body) = match frame {
        Frame::Data(data) => (DATA, &data[..]),
        Frame::Message(message) => {
            encoded = msgpack::encode(message);
            (MESSAGE, &encoded[..])
        }
    };
    let len = body.len() + 1;
    if len > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many files for one command"));
    }
    stream.write_u32(len as u32).await?;
    stream.write_u8(kind).await?;
    stream.write_all(body).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests;
