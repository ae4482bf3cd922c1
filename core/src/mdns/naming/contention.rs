//! How often names are fought for. RFC 6762 §8.1.

use crate::table::Table;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// After so many conflicts within [`WINDOW`], every further attempt waits for [`ATTEMPT_GAP`]. RFC 6762 §8.1.
const MAX_CONFLICTS: usize = 15;
const WINDOW: Duration = Duration::from_secs(10);
const ATTEMPT_GAP: Duration = Duration::from_secs(5);
/// The wait ends once there was no conflict for so long.
const CALM: Duration = Duration::from_secs(60);

/// The conflicts of all names of ours: a stranger who forges them makes us probe no more often for having many.
#[derive(Debug, Default)]
pub(super) struct Contention {
    /// Of the last [`WINDOW`]; the oldest of more than [`MAX_CONFLICTS`] are forgotten.
    recent: VecDeque<Instant>,
    /// Until when attempts wait.
    wary_until: Option<Instant>,
    /// When the last attempt begins that waited.
    attempt: Option<Instant>,
}

impl Contention {
    /// A conflict: when the next attempt may begin, if not at once.
    pub(super) fn on_conflict(&mut self, now: Instant) -> Option<Instant> {
        self.recent.retain(|at| now < *at + WINDOW);
        if self.recent.len() == MAX_CONFLICTS {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if self.recent.len() == MAX_CONFLICTS || self.is_wary(now) {
            self.wary_until = Some(now + CALM);
        }
        self.attempt(now, now + ATTEMPT_GAP)
    }

    /// A name is tried again, after a rest: when that may begin, if not at once.
    pub(super) fn on_retry(&mut self, now: Instant) -> Option<Instant> {
        self.attempt(now, now)
    }

    /// All names together wait for the same moment, and these moments keep their distance.
    fn attempt(&mut self, now: Instant, soonest: Instant) -> Option<Instant> {
        if !self.is_wary(now) {
            return None;
        }
        let attempt = match self.attempt {
            Some(attempt) if attempt >= soonest => attempt,
            Some(attempt) => soonest.max(attempt + ATTEMPT_GAP),
            None => soonest,
        };
        self.attempt = Some(attempt);
        Some(attempt)
    }

    fn is_wary(&self, now: Instant) -> bool {
        self.wary_until.is_some_and(|until| now < until)
    }

    /// How full it is.
    pub(super) fn table(&self) -> Table {
        Table::new("mdns: conflicts lately", self.recent.len(), MAX_CONFLICTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::base;

    #[test]
    fn from_the_fifteenth_conflict_in_ten_seconds_on_attempts_are_five_seconds_apart() {
        let (start, mut contention) = (base(), Contention::default());
        let at = |millis: u64| start + Duration::from_millis(millis);
        for n in 0..14 {
            assert_eq!(contention.on_conflict(at(700 * n)), None);
        }
        assert_eq!(contention.on_conflict(at(9_900)), Some(at(14_900)));
        // Another name joins the attempt that is far enough, or makes one that is.
        assert_eq!(contention.on_conflict(at(9_900)), Some(at(14_900)));
        assert_eq!(contention.on_conflict(at(10_000)), Some(at(19_900)));
        assert_eq!(contention.on_conflict(at(30_000)), Some(at(35_000)));
        // So does one that rested.
        assert_eq!(contention.on_retry(at(31_000)), Some(at(35_000)));
        assert_eq!(contention.on_retry(at(36_000)), Some(at(40_000)));
    }

    #[test]
    fn fourteen_conflicts_in_any_ten_seconds_make_nobody_wait() {
        let (start, mut contention) = (base(), Contention::default());
        let conflicts = (0..200).map(|n| contention.on_conflict(start + Duration::from_millis(720) * n));
        assert!(conflicts.into_iter().all(|attempt| attempt.is_none()));
    }

    #[test]
    fn a_quiet_minute_ends_the_wait() {
        let (start, mut contention) = (base(), Contention::default());
        let waits = (0..15).map(|_| contention.on_conflict(start)).last().flatten();
        assert_eq!(waits, Some(start + ATTEMPT_GAP));
        assert!(contention.on_conflict(start + Duration::from_secs(59)).is_some());
        assert_eq!(contention.on_conflict(start + Duration::from_secs(120)), None);
    }
}
