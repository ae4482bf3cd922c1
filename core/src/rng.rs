//! Randomness from one seed.
//!
//! Each engine draws from a child generator of its own, so that one more draw in one engine does not
//! shift what another draws. Never asks the operating system: the seed is an argument of
//! [`Node::new`](crate::Node::new).

use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng};
use rand_core::RngCore;
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroize;

/// The 32 bytes from which a node draws all its randomness.
///
/// A driver fills it from the operating system, a simulation from a number. Two nodes must never share one.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Takes 32 bytes of entropy.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// One engine's generator.
pub(crate) struct Rng(ChaCha12Rng);

impl Rng {
    /// The generator of the engine called `label`.
    pub(crate) fn child(seed: &Seed, label: &str) -> Self {
        let mut key: [u8; 32] = Sha256::new()
            .chain_update(b"handfast-rng-v1\0")
            .chain_update(seed.0)
            .chain_update(label)
            .finalize()
            .into();
        let rng = ChaCha12Rng::from_seed(key);
        key.zeroize();
        Self(rng)
    }

    /// `N` fresh bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.0.fill_bytes(&mut out);
        out
    }

    /// A number below `bound`, without bias. `bound` is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a number below zero was asked for");
        // The largest multiple of `bound` that fits: what lies above would favour small results.
        let zone = u64::MAX - u64::MAX % bound;
        loop {
            let draw = self.0.next_u64();
            if draw < zone {
                return draw % bound;
            }
        }
    }

    /// A duration from `low` to `high`, both included, to the microsecond.
    pub(crate) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_micros() as u64;
        low + Duration::from_micros(self.below(span + 1))
    }

    /// The generator as `rand_core` has it, for libraries that take one.
    pub(crate) fn as_rng_core(&mut self) -> &mut ChaCha12Rng {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_one_seed_are_independent_and_repeatable() {
        let seed = Seed::new([7; 32]);
        let a: [u8; 16] = Rng::child(&seed, "mdns").bytes();
        assert_eq!(a, Rng::child(&seed, "mdns").bytes::<16>());
        assert_ne!(a, Rng::child(&seed, "pairing").bytes::<16>());
        assert_ne!(a, Rng::child(&Seed::new([8; 32]), "mdns").bytes::<16>());
    }

    #[test]
    fn a_draw_stays_within_its_bounds() {
        let mut rng = Rng::child(&Seed::new([1; 32]), "test");
        let (low, high) = (Duration::from_millis(20), Duration::from_millis(120));
        for _ in 0..1000 {
            assert!((low..=high).contains(&rng.between(low, high)));
            assert!(rng.below(7) < 7);
        }
        assert_eq!(rng.between(low, low), low);
    }
}
