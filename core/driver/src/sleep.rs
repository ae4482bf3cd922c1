//! Notices that the machine slept: the calendar went on while the clock that timers use stood still.
//!
//! Never trusts the difference further than to ask anew what is true: a calendar that was put forward looks
//! the same.

use handfast_core::Now;
use std::time::Duration;

/// A shorter sleep is one that nobody noticed; and a calendar that is kept right is moved by less at a time.
const NOTICED: Duration = Duration::from_secs(10);

/// The two clocks when they were last read.
pub(crate) struct Sleep(Now);

impl Sleep {
    pub(crate) fn new(now: Now) -> Self {
        Self(now)
    }

    /// For how long the machine slept since this was last asked.
    pub(crate) fn since_last(&mut self, now: Now) -> Option<Duration> {
        let last = std::mem::replace(&mut self.0, now);
        let by_calendar = now.wall.since_epoch().checked_sub(last.wall.since_epoch())?;
        let by_clock = now.mono.saturating_duration_since(last.mono);
        by_calendar.checked_sub(by_clock).filter(|slept| *slept >= NOTICED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_core::UnixTime;
    use std::time::Instant;

    /// What the second reading makes of the time since the first, in seconds of each clock.
    fn slept(mono: u64, wall: i64) -> Option<Duration> {
        let (start, epoch) = (Instant::now(), 1_700_000_000_i64);
        let at = |mono: u64, wall: i64| Now {
            mono: start + Duration::from_secs(mono),
            wall: UnixTime::from_micros((epoch + wall) as u64 * 1_000_000),
        };
        let mut sleep = Sleep::new(at(0, 0));
        let slept = sleep.since_last(at(mono, wall));
        assert_eq!(sleep.since_last(at(mono + 1, wall + 1)), None, "a sleep is told once");
        slept
    }

    #[test]
    fn a_calendar_that_went_on_alone_is_a_sleep() {
        assert_eq!(slept(5, 8 * 3600 + 5), Some(Duration::from_secs(8 * 3600)));
    }

    #[test]
    fn clocks_that_go_together_are_none() {
        assert_eq!(slept(0, 0), None);
        assert_eq!(slept(100_000, 100_000), None);
        assert_eq!(slept(100, 109), None, "a calendar is put right by a little");
    }

    #[test]
    fn a_calendar_that_goes_back_is_none() {
        assert_eq!(slept(10, -365 * 24 * 3600), None);
        assert_eq!(slept(100, 50), None);
    }
}
