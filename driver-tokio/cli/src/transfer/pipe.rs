//! The ends of pipes: standard input to send, standard output to receive into, of this process or of another
//! one that this one does the work for.
//!
//! Used from blocking threads: whoever waits there for another process waits for its user.

use super::recv::Sink;
use super::send::Supply;
use crate::output::Far;
use bytes::{Buf as _, Bytes};
use std::io::{self, Read, Write as _};
use tokio::runtime::Handle;

/// Standard input.
#[derive(Debug)]
pub(crate) enum Input {
    Far { far: Far, rest: Bytes, runtime: Handle },
    Here(io::Stdin),
}

impl Input {
    /// That of the process whose user is there, or of this one. Within a runtime.
    pub(crate) fn of(far: Option<&Far>) -> Self {
        match far {
            Some(far) => Self::Far { far: far.clone(), rest: Bytes::new(), runtime: Handle::current() },
            None => Self::Here(io::stdin()),
        }
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Here(stdin) => stdin.read(buf),
            Self::Far { far, rest, runtime } => {
                if rest.is_empty() {
                    *rest = runtime.block_on(far.input())?.unwrap_or_default();
                }
                let len = rest.len().min(buf.len());
                rest.copy_to_slice(&mut buf[..len]);
                Ok(len)
            }
        }
    }
}

impl Supply for Input {
    fn rewind(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::NotSeekable.into())
    }
}

/// Standard output.
#[derive(Debug)]
pub(crate) enum Stdout {
    Far { far: Far, runtime: Handle },
    Here(io::Stdout),
}

impl Stdout {
    /// That of the process whose user is there, or of this one. Within a runtime.
    pub(crate) fn of(far: Option<&Far>) -> Self {
        match far {
            Some(far) => Self::Far { far: far.clone(), runtime: Handle::current() },
            None => Self::Here(io::stdout()),
        }
    }
}

impl Sink for Stdout {
    type Done = ();

    fn write(&mut self, bytes: &Bytes) -> io::Result<()> {
        match self {
            Self::Here(stdout) => stdout.write_all(bytes).and_then(|()| stdout.flush()),
            Self::Far { far, runtime } => runtime.block_on(far.data(bytes.clone())),
        }
    }

    fn clear(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn spoil(&mut self) {}

    fn done(self) -> io::Result<()> {
        Ok(())
    }
}
