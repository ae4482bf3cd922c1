//! When a stranger may have the user asked for a code: one prompt at a time, one per source a minute.

use crate::id::ConnId;
use crate::io::source_key;
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
        let source = source_key(source);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::base;

    /// Whether this source may prompt then; its prompt ends at once.
    fn may(prompts: &mut Prompts, after: u64, source: &str) -> bool {
        let begun = prompts.begin(base() + Duration::from_secs(after), ConnId(1), source.parse().unwrap());
        prompts.end(ConnId(1));
        begun.is_ok()
    }

    #[test]
    fn a_source_prompts_once_a_minute_and_an_ipv6_subnet_is_one_source() {
        let mut prompts = Prompts::default();
        assert!(may(&mut prompts, 0, "192.0.2.1") && !may(&mut prompts, 59, "192.0.2.1"));
        assert!(may(&mut prompts, 59, "192.0.2.2") && may(&mut prompts, 60, "192.0.2.1"));
        assert!(may(&mut prompts, 60, "2001:db8::1") && !may(&mut prompts, 61, "2001:db8::2"));
        assert!(may(&mut prompts, 61, "2001:db8:0:1::2"));
    }

    #[test]
    fn one_prompt_is_shown_at_a_time() {
        let mut prompts = Prompts::default();
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        assert!(prompts.begin(base(), ConnId(1), a).is_ok() && prompts.begin(base(), ConnId(2), b).is_err());
        prompts.end(ConnId(1));
        assert!(prompts.begin(base(), ConnId(2), b).is_ok());
    }
}
