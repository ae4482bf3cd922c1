//! The time in which a code is shown, and the attempts that it takes.
//!
//! Never sends anything: it counts.

use crate::code::{Code, CodeLength};
use crate::event::PairingId;
use crate::id::ConnId;
use crate::table::Table;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Attempts that a window takes before its code dies. An attacker's chance is 3 in 10^6 a window.
pub(super) const ATTEMPTS: u8 = 3;
/// Wrong codes after which codes get longer.
const FAILURES_TO_LENGTHEN: usize = 10;
/// How long a wrong code counts towards that.
const FAILURE_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// A code that is shown.
pub(super) struct Window {
    pub(super) id: PairingId,
    pub(super) code: Code,
    pub(super) until: Instant,
    attempts_left: u8,
    /// The one session that has been sent something to test a guess with.
    slot: Option<ConnId>,
}

impl Window {
    pub(super) fn open(id: PairingId, code: Code, until: Instant) -> Self {
        Self { id, code, until, attempts_left: ATTEMPTS, slot: None }
    }

    pub(super) fn attempts_left(&self) -> u8 {
        self.attempts_left
    }

    /// Whether a session could take the slot.
    pub(super) fn is_free(&self) -> bool {
        self.slot.is_none() && self.attempts_left > 0
    }

    /// Takes the slot and uses up one attempt, which nothing gives back. Whoever calls saw that it is free.
    pub(super) fn take_attempt(&mut self, conn: ConnId) {
        assert!(self.is_free(), "an attempt is taken only from a window that has one");
        self.attempts_left -= 1;
        self.slot = Some(conn);
    }

    /// Frees the slot after an attempt that failed.
    pub(super) fn release(&mut self, conn: ConnId) {
        if self.slot == Some(conn) {
            self.slot = None;
        }
    }

    /// No attempt is left, and none is being decided.
    pub(super) fn is_dead(&self) -> bool {
        self.slot.is_none() && self.attempts_left == 0
    }
}

/// When wrong codes came in, over all windows: the last few.
#[derive(Default)]
pub(super) struct Failures {
    recent: VecDeque<Instant>,
    /// When the application was last told that there are many.
    told_at: Option<Instant>,
}

/// So many wrong codes came in within a day that somebody may be guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alarm;

impl Failures {
    /// Counts one. The alarm is raised once a day.
    pub(super) fn add(&mut self, now: Instant) -> Option<Alarm> {
        if self.recent.len() == FAILURES_TO_LENGTHEN {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        let is_told = self.told_at.is_some_and(|at| now.saturating_duration_since(at) < FAILURE_MEMORY);
        if is_told || !self.are_many(now) {
            return None;
        }
        self.told_at = Some(now);
        Some(Alarm)
    }

    /// How full it is.
    pub(super) fn table(&self) -> Table {
        Table::new("pairing: wrong codes remembered", self.recent.len(), FAILURES_TO_LENGTHEN)
    }

    /// How long the next code must be.
    pub(super) fn code_length(&self, now: Instant) -> CodeLength {
        if self.are_many(now) { CodeLength::Nine } else { CodeLength::Seven }
    }

    fn are_many(&self, now: Instant) -> bool {
        let recent = |at: &Instant| now.saturating_duration_since(*at) < FAILURE_MEMORY;
        self.recent.len() == FAILURES_TO_LENGTHEN && self.recent.front().is_some_and(recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::base;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    #[test]
    fn ten_wrong_codes_within_a_day_raise_one_alarm_and_lengthen_codes_until_they_are_a_day_old() {
        let (mut failures, start) = (Failures::default(), base());
        for n in 1..=30 {
            let alarm = failures.add(start + HOUR / 10 * n);
            assert_eq!(alarm.is_some(), n == 10, "wrong code {n}");
        }
        assert_eq!(failures.code_length(start + HOUR * 23), CodeLength::Nine);
        assert_eq!(failures.code_length(start + HOUR * 27), CodeLength::Seven);
        let next_day: Vec<bool> =
            (0..10).map(|n| failures.add(start + HOUR * 30 + HOUR * n).is_some()).collect();
        assert_eq!(next_day.iter().filter(|raised| **raised).count(), 1, "told again, a day later");
        assert!(next_day[9], "once there are ten again");
    }

    #[test]
    fn wrong_codes_that_are_further_apart_raise_no_alarm() {
        let mut failures = Failures::default();
        for n in 0..100 {
            assert_eq!(failures.add(base() + HOUR * 3 * n), None);
        }
        assert_eq!(failures.code_length(base() + HOUR * 300), CodeLength::Seven);
    }
}
