//! Random draws from a seed.

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use std::time::Duration;

/// Draws from a seed.
pub(super) struct Dice(ChaCha12Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self::of_stream(seed, 7)
    }

    /// Those that say what users offer and look for: that they do changes nothing else of a world.
    pub(super) fn of_wishes(seed: u64) -> Self {
        Self::of_stream(seed, 8)
    }

    /// Those that say what users decide about keys.
    pub(super) fn of_keys(seed: u64) -> Self {
        Self::of_stream(seed, 9)
    }

    /// Those that say how peers are reached.
    pub(super) fn of_reach(seed: u64) -> Self {
        Self::of_stream(seed, 10)
    }

    fn of_stream(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number below `bound`. A bias of one in 2^32 is of no matter here.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound.max(1)
    }

    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(super) fn per_mille(&mut self, most: u32) -> u32 {
        self.below(u64::from(most) + 1) as u32
    }

    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }

    pub(super) fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_millis() as u64;
        low + Duration::from_millis(self.below(span + 1))
    }

    /// Up to so many seconds, forward or back.
    pub(super) fn seconds(&mut self, most: i64) -> i64 {
        self.below(2 * most as u64) as i64 - most
    }

    /// A number of bytes: mostly small, at times a few hundred KiB.
    pub(super) fn size(&mut self) -> u64 {
        match self.below(10) {
            0 => 0,
            1..=5 => self.below(5_000),
            6..=8 => self.below(100_000),
            _ => self.below(1 << 20),
        }
    }
}
