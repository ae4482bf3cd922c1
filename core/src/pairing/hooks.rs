//! The application's hooks that are under way: one per pairing.

use crate::id::PairId;
use std::collections::BTreeMap;
use std::time::Instant;

/// A hook under way, or one that is due again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// Saves the peer.
    Saving { token: u64, until: Instant },
    /// Undoes that.
    Undoing { token: u64, until: Instant },
    /// To undo failed: a crash would repeat it, and so does time.
    Again { at: Instant },
}

#[derive(Default)]
pub(super) struct Hooks(BTreeMap<PairId, Hook>);

impl Hooks {
    pub(super) fn insert(&mut self, id: PairId, hook: Hook) {
        self.0.insert(id, hook);
    }

    pub(super) fn get(&self, id: &PairId) -> Option<&Hook> {
        self.0.get(id)
    }

    pub(super) fn remove(&mut self, id: &PairId) {
        self.0.remove(id);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Ends the saving hook that this token was made for; `None` when nobody waits for it any more.
    pub(super) fn take_saving(&mut self, answered: u64) -> Option<PairId> {
        self.take(|hook| matches!(hook, Hook::Saving { token, .. } if *token == answered))
    }

    /// Ends the undoing hook that this token was made for; `None` when nobody waits for it any more.
    pub(super) fn take_undoing(&mut self, answered: u64) -> Option<PairId> {
        self.take(|hook| matches!(hook, Hook::Undoing { token, .. } if *token == answered))
    }

    /// One that is late, or due again.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(PairId, Hook)> {
        let id = self.0.iter().find(|(_, hook)| hook.at() <= now).map(|(id, _)| *id)?;
        self.0.remove(&id).map(|hook| (id, hook))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.values().map(Hook::at).min()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, which: impl Fn(&Hook) -> bool) -> Option<PairId> {
        let id = self.0.iter().find(|(_, hook)| which(hook)).map(|(id, _)| *id)?;
        self.0.remove(&id);
        Some(id)
    }
}

impl Hook {
    fn at(&self) -> Instant {
        match self {
            Self::Saving { until, .. } | Self::Undoing { until, .. } => *until,
            Self::Again { at } => *at,
        }
    }
}
