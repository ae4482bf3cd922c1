//! Who has switched mDNS off, and is not to be heard on the LAN: judged at the simulated link.

use crate::fabric::Host;
use crate::world::Seen;
use std::collections::BTreeMap;
use std::time::Duration;

/// Goodbyes are said within this time, then nothing.
const FAREWELL: Duration = Duration::from_secs(3);

/// The nodes that are to be silent.
#[derive(Default)]
pub(super) struct Silence {
    /// By host: in which of its lives, and since when.
    silent: BTreeMap<Host, (u64, Duration)>,
}

impl Silence {
    /// A node is to be silent from here on.
    pub(super) fn begin(&mut self, host: Host, boots: u64, at: Duration) {
        self.silent.insert(host, (boots, at));
    }

    /// It may speak, or what it had to say was put off.
    pub(super) fn end(&mut self, host: Host) {
        self.silent.remove(&host);
    }

    /// A datagram of mDNS of a node. Panics where it was to be silent.
    pub(super) fn sent(&self, seen: &Seen<'_>) {
        let Some((boots, since)) = self.silent.get(&seen.host) else { return };
        assert!(
            seen.boots != *boots || seen.at <= *since + FAREWELL,
            "who switched mDNS off is silent: {:?} speaks after {:?}",
            seen.host,
            seen.at - *since
        );
    }
}
