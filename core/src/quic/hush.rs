//! How much a log says of strangers: what quinn-proto has to say of a few of their datagrams a second, and of the others
//! how many there were.
//!
//! Never hides what is said of a peer that is known, or of a connection that was dialled here.

use std::time::{Duration, Instant};
use tracing::Dispatch;
use tracing::dispatcher::with_default;

/// Datagrams of strangers of which the log tells, in each [`SPAN`].
const TOLD: u64 = 8;

/// What is counted anew after each.
const SPAN: Duration = Duration::from_secs(1);

/// The datagrams of strangers so far, of one span.
#[derive(Debug, Default)]
pub(super) struct Hush {
    since: Option<Instant>,
    heard: u64,
}

impl Hush {
    /// A datagram came from somebody who is not known.
    pub(super) fn handle_stranger(&mut self, now: Instant) {
        let is_over = self.since.is_none_or(|since| since + SPAN <= now);
        if is_over {
            let untold = self.heard.saturating_sub(TOLD);
            if untold > 0 {
                tracing::debug!(untold, "the log told of no more datagrams of strangers");
            }
            *self = Self { since: Some(now), heard: 0 };
        }
        self.heard += 1;
    }

    /// Does what is to be done about a datagram, which may be a stranger's. Nothing is logged of it once there were many.
    pub(super) fn quietly<T>(&self, now: Instant, act: impl FnOnce() -> T) -> T {
        let is_over = self.since.is_none_or(|since| since + SPAN <= now);
        if is_over || self.heard < TOLD { act() } else { with_default(&Dispatch::none(), act) }
    }
}
