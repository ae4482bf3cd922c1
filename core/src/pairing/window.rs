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
pub(super) struct Failures(VecDeque<Instant>);

impl Failures {
    pub(super) fn add(&mut self, now: Instant) {
        if self.0.len() == FAILURES_TO_LENGTHEN {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    /// How full it is.
    pub(super) fn table(&self) -> Table {
        Table::new("pairing: wrong codes remembered", self.0.len(), FAILURES_TO_LENGTHEN)
    }

    /// How long the next code must be.
    pub(super) fn code_length(&self, now: Instant) -> CodeLength {
        let recent = |at: &Instant| now.saturating_duration_since(*at) < FAILURE_MEMORY;
        if self.0.len() == FAILURES_TO_LENGTHEN && self.0.front().is_some_and(recent) {
            CodeLength::Nine
        } else {
            CodeLength::Seven
        }
    }
}
