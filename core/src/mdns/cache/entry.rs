//! One record that is cached, and what it waits for.

use crate::mdns::name::Name;
use crate::mdns::records::{Data, Ttl};
use crate::shares::Stake;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// What an entry waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The refresh point with this index, which comes before its end.
    Refresh { point: usize, at: Instant },
    /// Its end.
    End,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) data: Data,
    pub(super) ttl: Ttl,
    /// Who said it last.
    pub(super) said_by: IpAddr,
    pub(super) received: Instant,
    pub(super) ends: Instant,
    pub(super) stage: Stage,
    /// When somebody asked for it last, and it was not said since. RFC 6762 §10.5.
    pub(super) asked: Option<Instant>,
    pub(super) stake: Stake,
}

impl Entry {
    /// What is left of its time, where that is at least half of it. RFC 6762 §7.1.
    pub(super) fn half_left(&self, now: Instant) -> Option<Duration> {
        let left = self.ends.saturating_duration_since(now);
        (left * 2 >= self.ttl.duration() && !left.is_zero()).then_some(left)
    }
}
