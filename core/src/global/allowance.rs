//! How often something may happen: a burst, and then one each so often.

use std::time::{Duration, Instant};

/// What is left of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    burst: u32,
    each: Duration,
    left: u32,
    /// Since when what is left grows.
    since: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant, burst: u32, each: Duration) -> Self {
        Self { burst, each, left: burst, since: now }
    }

    /// Uses one up; or says when there is one again.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let grown = now.saturating_duration_since(self.since).as_micros() / self.each.as_micros();
        let grown = u32::try_from(grown).unwrap_or(u32::MAX);
        if grown >= self.burst - self.left {
            (self.left, self.since) = (self.burst, now);
        } else {
            self.left += grown;
            self.since += self.each * grown;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.since + self.each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::base;

    #[test]
    fn after_a_burst_there_is_one_each_so_often() {
        let (start, each) = (base(), Duration::from_secs(30));
        let mut allowance = Allowance::new(start, 3, each);
        let mut at = start;
        let mut taken = Vec::new();
        while taken.len() < 6 {
            match allowance.take(at) {
                Ok(()) => taken.push(at - start),
                Err(next) => {
                    assert!(next > at, "it is worth to wait");
                    at = next;
                }
            }
        }
        assert_eq!(taken, [0, 0, 0, 30, 60, 90].map(Duration::from_secs));
        // Whoever waits long has the whole burst again, and no more.
        let late = at + Duration::from_secs(3600);
        assert_eq!((0..9).filter(|_| allowance.take(late).is_ok()).count(), 3);
    }
}
