//! The two halves of a stream, before a driver gives them its runtime's I/O traits.

mod recv;
mod send;

pub use recv::RawRecv;
pub use send::RawSend;

use handfast_core::StreamCode;
use handfast_core::error::{ReadError, WriteError};
use std::io;

/// A half was dropped before its end: the code of the reset or stop that the peer sees.
pub(crate) const DROPPED: u64 = StreamCode::Dropped.code();
/// A stream was refused: the code of the reset and stop that the peer sees.
pub(crate) const REFUSED: u64 = StreamCode::Refused.code();

/// How a read error looks to code that reads any kind of stream.
pub fn read_error(error: ReadError) -> io::Error {
    let kind = match error {
        ReadError::Reset(_) => io::ErrorKind::ConnectionReset,
        _ => io::ErrorKind::NotConnected,
    };
    io::Error::new(kind, error)
}

/// How a write error looks to code that writes any kind of stream.
pub fn write_error(error: WriteError) -> io::Error {
    let kind = match error {
        WriteError::Stopped(_) => io::ErrorKind::BrokenPipe,
        _ => io::ErrorKind::NotConnected,
    };
    io::Error::new(kind, error)
}
