//! The two clocks of a simulated host. The world's own time is the only one that is true.

use crate::fault::{Fault, Tally};
use handfast_core::{Now, UnixTime};
use std::time::{Duration, Instant};

/// 2026-01-01, as microseconds since the epoch: where every calendar begins that is right.
const WALL_START: i128 = 1_767_225_600_000_000;

/// What a host takes for the time.
#[derive(Clone, Debug)]
pub struct Clock {
    /// When the world began.
    start: Instant,
    /// By how many microseconds the calendar is ahead.
    ahead: i128,
    /// For how long the monotonic clock stood still while the host slept.
    stood: Duration,
}

impl Clock {
    /// A clock that is right.
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, ahead: 0, stood: Duration::ZERO }
    }

    /// What the host takes a moment for.
    pub fn read(&self, world: Instant) -> Now {
        let micros = WALL_START + (world - self.start).as_micros() as i128 + self.ahead;
        let wall = UnixTime::from_micros(u64::try_from(micros.max(0)).unwrap_or(u64::MAX));
        Now { mono: world - self.stood, wall }
    }

    /// When a moment of the host's monotonic clock comes, if the host does not sleep until then.
    pub(crate) fn to_world(&self, mono: Instant) -> Instant {
        mono + self.stood
    }

    /// Sets the calendar forward, or back, by seconds.
    pub(crate) fn jump(&mut self, seconds: i64) {
        self.ahead += i128::from(seconds) * 1_000_000;
    }

    /// The host slept: its monotonic clock stood still, as Linux's does.
    pub(crate) fn stand(&mut self, slept: Duration) {
        self.stood += slept;
    }

    /// Counts a calendar that was wrong from the start.
    pub(crate) fn skew(&mut self, seconds: i64, tally: &mut Tally) {
        self.jump(seconds);
        tally.fired(Fault::ClockSkewed);
    }
}
