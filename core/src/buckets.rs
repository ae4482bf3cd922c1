//! How often something may happen, by who does it: a bucket of tokens for each key.
//!
//! A key whose bucket is full is not kept, so that the table holds those alone who did something lately.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How many tokens a bucket holds, and how long one takes to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) every: Duration,
}

/// The buckets that are not full.
pub(crate) struct Buckets<K> {
    rate: Rate,
    max: usize,
    /// When each is full again.
    full_at: BTreeMap<K, Instant>,
    /// The same, the first that is full first.
    order: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> Buckets<K> {
    /// No bucket is begun yet; `max` are kept at a time.
    pub(crate) fn new(rate: Rate, max: usize) -> Self {
        Self { rate, max, full_at: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Takes so many tokens, all or none. Otherwise says after how long they are there.
    pub(crate) fn take(&mut self, now: Instant, key: K, tokens: u32) -> Result<(), Duration> {
        self.forget_full(now);
        let old = self.full_at.get(&key).copied();
        if old.is_none() && self.full_at.len() >= self.max {
            return Err(self.order.first().map_or(self.rate.every, |(at, _)| *at - now));
        }
        let full_at = old.unwrap_or(now).max(now) + self.rate.every * tokens;
        let (lacking, capacity) = (full_at - now, self.rate.every * self.rate.burst);
        if let Some(wait) = lacking.checked_sub(capacity).filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        if let Some(old) = old {
            self.order.remove(&(old, key));
        }
        if tokens > 0 {
            self.full_at.insert(key, full_at);
            self.order.insert((full_at, key));
        }
        Ok(())
    }

    /// How many buckets are not full.
    pub(crate) fn len(&self) -> usize {
        self.full_at.len()
    }

    /// How many there may be.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    fn forget_full(&mut self, now: Instant) {
        while let Some((at, key)) = self.order.first().copied()
            && at <= now
        {
            self.order.pop_first();
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::base;

    const RATE: Rate = Rate { burst: 3, every: Duration::from_secs(10) };

    #[test]
    fn a_burst_is_granted_and_then_one_at_a_time() {
        let (mut buckets, now) = (Buckets::new(RATE, 8), base());
        assert_eq!([(); 3].map(|()| buckets.take(now, 'a', 1)), [Ok(()); 3]);
        assert_eq!(buckets.take(now, 'a', 1), Err(Duration::from_secs(10)));
        assert_eq!(buckets.take(now, 'b', 3), Ok(()), "others have buckets of their own");
        let later = now + Duration::from_secs(10);
        assert_eq!(buckets.take(later, 'a', 1), Ok(()));
        assert_eq!(buckets.take(later, 'a', 2), Err(Duration::from_secs(20)));
    }

    #[test]
    fn who_did_nothing_lately_is_forgotten_and_who_finds_no_room_waits_for_the_next_to_go() {
        let (mut buckets, now) = (Buckets::new(RATE, 2), base());
        let at = |s| now + Duration::from_secs(s);
        assert_eq!((buckets.take(now, 'a', 1), buckets.take(now, 'b', 2)), (Ok(()), Ok(())));
        assert_eq!(buckets.take(at(4), 'c', 1), Err(Duration::from_secs(6)));
        assert_eq!(buckets.take(at(10), 'c', 1), Ok(()));
        assert_eq!((buckets.len(), buckets.max()), (2, 2));
        assert_eq!(buckets.take(at(100), 'd', 1), Ok(()));
        assert_eq!(buckets.len(), 1);
    }
}
