//! When links came up lately: one that flaps is silent until its second is over.
//!
//! Knows nothing of what a link says. RFC 6762 §6 lets a record be multicast once a second.

use crate::io::Family;
use crate::table::Table;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A link speaks at once when it comes up, and not again within this time when it comes up again.
const GAP: Duration = Duration::from_secs(1);

/// Links remembered; then the one that came up first is forgotten.
const MAX_UPS: usize = 512;

/// When the links of the last second first spoke.
#[derive(Debug, Default)]
pub(super) struct Ups(VecDeque<(Instant, u32, Family)>);

impl Ups {
    /// A link came up: when it may begin to speak.
    pub(super) fn on_up(&mut self, now: Instant, interface: u32, family: Family) -> Instant {
        while self.0.front().is_some_and(|(spoke, ..)| now >= *spoke + GAP) {
            self.0.pop_front();
        }
        let same = self.0.iter().find(|(_, i, f)| (*i, *f) == (interface, family));
        if let Some((spoke, ..)) = same {
            return *spoke + GAP;
        }
        if self.0.len() == MAX_UPS {
            self.0.pop_front();
        }
        self.0.push_back((now, interface, family));
        now
    }

    pub(super) fn table(&self) -> Table {
        Table::new("mdns: links that came up lately", self.0.len(), MAX_UPS)
    }
}
