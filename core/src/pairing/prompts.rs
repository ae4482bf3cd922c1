//! When a stranger may have the user asked for a code: one prompt at a time, one per source a minute.

use crate::id::ConnId;
use crate::table::Table;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a source that prompted may not prompt again.
const PAUSE: Duration = Duration::from_secs(60);
/// Sources that are remembered. While so many prompted within a minute, nobody else may.
const MAX_SOURCES: usize = 256;

#[derive(Default)]
pub(super) struct Prompts {
    current: Option<ConnId>,
    recent: BTreeMap<IpAddr, Instant>,
}

/// The user is not to be asked.
pub(super) struct TooMany;

impl Prompts {
    pub(super) fn begin(&mut self, now: Instant, conn: ConnId, source: IpAddr) -> Result<(), TooMany> {
        self.recent.retain(|_, at| now.saturating_duration_since(*at) < PAUSE);
        let full = self.recent.len() >= MAX_SOURCES;
        if self.current.is_some() || full || self.recent.contains_key(&source) {
            return Err(TooMany);
        }
        self.current = Some(conn);
        self.recent.insert(source, now);
        Ok(())
    }

    pub(super) fn end(&mut self, conn: ConnId) {
        if self.current == Some(conn) {
            self.current = None;
        }
    }

    /// How full it is.
    pub(super) fn table(&self) -> Table {
        Table::new("pairing: sources that prompted", self.recent.len(), MAX_SOURCES)
    }
}
