//! Where a server keeps what it is told: in its own registry, or in a store that it asks.

use super::registry::Registry;
use super::requests::Asker;
use super::subscriptions::Sought;
use crate::id::PeerId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a store may take.
pub(super) const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// What a store is asked for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// An announcement, or its renewal.
    Hold {
        asker: Asker,
        seq: u64,
        lease_s: u32,
    },
    Withdraw {
        asker: Asker,
    },
    Seek {
        asker: Asker,
        sought: Vec<Sought>,
    },
    Subscribe {
        asker: Asker,
        sought: Vec<Sought>,
    },
    /// To be told of changes, or no longer.
    Watch(Vec<PeerId>),
}

impl Purpose {
    /// Whose request it is.
    ///
    /// # Panics
    /// For what nobody asked for.
    pub(super) fn asker(&self) -> Asker {
        match self {
            Self::Hold { asker, .. }
            | Self::Withdraw { asker }
            | Self::Seek { asker, .. }
            | Self::Subscribe { asker, .. } => *asker,
            Self::Watch(_) => unreachable!("nobody waits to hear that a peer is watched"),
        }
    }
}

/// Where it keeps it.
pub(super) enum Store {
    Embedded(Box<Registry>),
    Asked(Asked),
}

impl Store {
    /// Announcements that hold, and numbers of those that are gone, as far as they are kept here.
    pub(super) fn sizes(&self) -> (usize, usize) {
        match self {
            Self::Embedded(registry) => (registry.live(), registry.graves()),
            Self::Asked(_) => (0, 0),
        }
    }
}

/// What a store was asked and has not answered.
#[derive(Default)]
pub(super) struct Asked {
    next: u64,
    waiting: BTreeMap<u64, (Instant, Purpose)>,
}

impl Asked {
    /// Notes a question: its number, and until when it may be answered.
    pub(super) fn add(&mut self, now: Instant, purpose: Purpose) -> (u64, Instant) {
        self.next += 1;
        let until = now + STORE_PATIENCE;
        self.waiting.insert(self.next, (until, purpose));
        (self.next, until)
    }

    /// Takes what was asked by that number, unless it is over.
    pub(super) fn take(&mut self, number: u64) -> Option<(Instant, Purpose)> {
        self.waiting.remove(&number)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
