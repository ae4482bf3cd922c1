//! What happened in a world, as a digest, and as a story where somebody wants to read it.

use sha2::{Digest, Sha256};
use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::fabric::Host;

/// One datagram that a host sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How long after the beginning of the world.
    pub at: Duration,
    /// By whom.
    pub host: Host,
    /// From where.
    pub source: SocketAddr,
    /// To where.
    pub destination: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// How much of what happens is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The digest alone.
    #[default]
    Digest,
    /// What happened, in words.
    Story,
    /// Every datagram too.
    Datagrams,
}

/// A record of everything that happened, in order.
///
/// The digest covers every datagram's bytes and every word of the story, whether they are kept or not.
#[derive(Debug, Default)]
pub struct Trace {
    detail: Detail,
    digest: Sha256,
    /// Every datagram, where they are kept.
    pub sent: Vec<Sent>,
    /// The story's lines, where they are kept.
    pub story: Vec<String>,
    line: String,
}

impl Trace {
    /// Sets how much is kept from here on.
    pub fn keep(&mut self, detail: Detail) {
        self.detail = detail;
    }

    /// A hash of all that happened so far.
    pub fn digest(&self) -> String {
        let digest = self.digest.clone().finalize();
        digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Tells what happened, to a host or to the world.
    pub fn tell(&mut self, at: Duration, who: &str, what: fmt::Arguments<'_>) {
        self.line.clear();
        let seconds = at.as_secs_f64();
        let _ = write!(self.line, "{seconds:>12.6}  {who:<10} {what}");
        self.digest.update(self.line.as_bytes());
        if self.detail >= Detail::Story {
            self.story.push(self.line.clone());
        }
    }

    /// Notes a datagram.
    pub(crate) fn sent(&mut self, at: Duration, host: Host, to: [SocketAddr; 2], bytes: &[u8]) {
        let [source, destination] = to;
        self.digest.update((at.as_nanos() as u64).to_be_bytes());
        self.digest.update((host.0 as u64).to_be_bytes());
        self.line.clear();
        let _ = write!(self.line, "{source} {destination}");
        self.digest.update(self.line.as_bytes());
        self.digest.update(bytes);
        if self.detail >= Detail::Datagrams {
            self.sent.push(Sent { at, host, source, destination, bytes: bytes.to_vec() });
        }
    }
}
