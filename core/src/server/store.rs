//! Where a server keeps what it is told: in its own registry, or in a store that it asks.

use super::registry::Registry;
use super::requests::Asker;
use super::subscriptions::Sought;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a store may take.
pub(super) const STORE_PATIENCE: Duration = Duration::from_secs(5);
/// What a store may be asked at a time: a server that is asked more is overloaded at once, and waits for nothing.
pub(super) const MAX_QUESTIONS: usize = 4096;

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
}

impl Purpose {
    /// Whose request it is.
    pub(super) fn asker(&self) -> Asker {
        match self {
            Self::Hold { asker, .. }
            | Self::Withdraw { asker }
            | Self::Seek { asker, .. }
            | Self::Subscribe { asker, .. } => *asker,
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
    /// Notes a question: its number, and until when it may be answered. What it was for, where too many wait.
    pub(super) fn add(&mut self, now: Instant, purpose: Purpose) -> Result<(u64, Instant), Purpose> {
        if self.waiting.len() >= MAX_QUESTIONS {
            return Err(purpose);
        }
        let (number, until) = (self.number(), now + STORE_PATIENCE);
        self.waiting.insert(number, (until, purpose));
        Ok((number, until))
    }

    /// A number for what is asked next.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes what was asked by that number, unless it is over.
    pub(super) fn take(&mut self, number: u64) -> Option<(Instant, Purpose)> {
        self.waiting.remove(&number)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
