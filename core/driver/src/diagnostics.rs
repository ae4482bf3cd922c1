//! What a node writes down of its connections, where it is asked to: keys, and qlog.

use crate::handle::{Builder, StartError};
use crate::runtime::Runtime;
use crate::{clock, crypto};
use handfast_core::{Config, Identity, Node, Seed};
use rustls::KeyLog;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What is asked for.
#[derive(Default)]
pub(crate) struct Diagnostics {
    key_log: Option<PathBuf>,
    #[cfg(feature = "qlog")]
    qlog: Option<PathBuf>,
    #[cfg(feature = "metrics")]
    pub(crate) metrics: Option<crate::metrics::Metrics>,
}

impl<R: Runtime> Builder<R> {
    /// Appends the secrets of every connection to this file, which Wireshark and its like read as `SSLKEYLOGFILE`.
    ///
    /// **Whoever has the file can read all that those connections said and say.** It is made for its owner alone where
    /// the system can do that. Off unless asked for; never leave it on. Written within the node's loop: for
    /// diagnosis.
    #[must_use]
    pub fn with_key_log(mut self, file: impl Into<PathBuf>) -> Self {
        self.diagnostics.key_log = Some(file.into());
        self
    }

    /// As [`with_key_log`](Self::with_key_log), to the file that the environment variable `SSLKEYLOGFILE` names, if
    /// there is one.
    #[must_use]
    pub fn with_key_log_from_env(mut self) -> Self {
        self.diagnostics.key_log =
            std::env::var_os("SSLKEYLOGFILE").filter(|name| !name.is_empty()).map(Into::into);
        self
    }

    /// Writes what every connection does into this file, as qlog: `.sqlog`, a JSON text sequence (RFC 7464). Each event
    /// names its connection by `group_id`: one of the connection ids of QUIC, at first the one that a dialler made up.
    ///
    /// It holds sizes and times of packets, no address, no key and nothing of what is said. What was in the file is gone. Off
    /// unless asked for. Written within the node's loop: for diagnosis.
    #[cfg(feature = "qlog")]
    #[must_use]
    pub fn with_qlog(mut self, file: impl Into<PathBuf>) -> Self {
        self.diagnostics.qlog = Some(file.into());
        self
    }
}

impl Diagnostics {
    /// The state machine of a node, which writes down what is asked for.
    pub(crate) fn machine(
        &self,
        config: Config,
        identity: &Identity,
        seed: &Seed,
    ) -> Result<Node, StartError> {
        let mut crypto = crypto::crypto();
        if let Some(path) = &self.key_log {
            let log = KeyLogFile::open(path).map_err(StartError::Diagnostics)?;
            crypto = crypto.with_key_log(Arc::new(log));
        }
        let now = clock::now();
        #[cfg(not(feature = "qlog"))]
        let node = Node::new(config, identity, crypto, seed, now)?;
        #[cfg(feature = "qlog")]
        let mut node = Node::new(config, identity, crypto, seed, now)?;
        #[cfg(feature = "qlog")]
        if let Some(sink) = self.open_qlog().map_err(StartError::Diagnostics)? {
            node.write_qlog(now, sink);
        }
        Ok(node)
    }

    #[cfg(feature = "qlog")]
    fn open_qlog(&self) -> io::Result<Option<Box<dyn Write + Send + Sync>>> {
        let Some(path) = &self.qlog else { return Ok(None) };
        // Whole records, so that what a crash leaves can be read.
        Ok(Some(Box::new(io::LineWriter::new(File::create(path)?))))
    }
}

/// A file of secrets.
struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map(|file| Self(Mutex::new(file)))
    }
}

impl std::fmt::Debug for KeyLogFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyLogFile(..)")
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One write, since others may append to the same file.
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the secrets of a connection could not be written down");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a string never fails.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
