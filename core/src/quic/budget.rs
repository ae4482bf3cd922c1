//! How many bytes each connection may buffer, so that all of them together stay within a bound.
//!
//! Every connection that may ever be there has a little of its own. Of what is left the first ones get as much
//! as a connection may have, and later ones a part of what the others left: nobody is ever taken anything,
//! since quinn-proto takes back a window only with time.

use crate::config::{BUDGET_EACH, Config};

/// Of what is left, one connection gets at most this part, as a divisor.
const PART: u64 = 16;

/// What all connections together may buffer, one way.
#[derive(Debug)]
pub(super) struct Budget {
    /// What is not given away, above everybody's own.
    left: u64,
    /// All that there was above it.
    pool: u64,
    each: u64,
    most: u64,
}

impl Budget {
    /// For so many connections, of which each may have at most `most`.
    pub(super) fn new(total: u64, connections: usize, most: u32) -> Self {
        let each = BUDGET_EACH.min(most.into());
        let pool = total.saturating_sub(each.saturating_mul(connections as u64));
        Self { left: pool, pool, each, most: most.into() }
    }

    /// What one connection has in any case.
    pub(super) fn each(&self) -> u64 {
        self.each
    }

    /// A window for a connection that has `window`: that, or more.
    pub(super) fn raise(&mut self, window: u64) -> u64 {
        let more = self.most.saturating_sub(window).min(self.left / PART);
        self.left -= more;
        window + more
    }

    /// A connection that had `window` is gone.
    pub(super) fn release(&mut self, window: u64) {
        self.left += window - self.each;
    }

    /// Bytes given away above everybody's own, and how many there may be.
    pub(super) fn sizes(&self) -> (usize, usize) {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        (size(self.pool - self.left), size(self.pool))
    }
}

/// What one connection may buffer, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    /// Received and not read.
    pub(super) receive: u64,
    /// Written and not acknowledged.
    pub(super) send: u64,
}

/// Both ways.
#[derive(Debug)]
pub(super) struct Budgets {
    pub(super) receive: Budget,
    pub(super) send: Budget,
}

impl Budgets {
    /// As the application wants it. The other half of what was received is a driver's.
    pub(super) fn new(config: &Config) -> Self {
        let connections = config.max_connections.saturating_mul(2);
        Self {
            receive: Budget::new(config.receive_budget / 2, connections, config.receive_window),
            send: Budget::new(config.send_budget, connections, config.send_window),
        }
    }

    pub(super) fn each(&self) -> Windows {
        Windows { receive: self.receive.each(), send: self.send.each() }
    }

    pub(super) fn raise(&mut self, windows: Windows) -> Windows {
        Windows { receive: self.receive.raise(windows.receive), send: self.send.raise(windows.send) }
    }

    pub(super) fn release(&mut self, windows: Windows) {
        self.receive.release(windows.receive);
        self.send.release(windows.send);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_first_connections_get_all_that_one_may_have_and_a_crowd_gets_less_and_less() {
        let mut budget = Budget::new(256 * MIB, 2048, 8 << 20);
        let windows: Vec<u64> = (0..2048).map(|_| budget.raise(BUDGET_EACH)).collect();
        assert!(windows[..8].iter().all(|window| *window == 8 * MIB), "{:?}", &windows[..8]);
        assert!(windows.is_sorted_by(|a, b| a >= b) && *windows.last().unwrap() >= BUDGET_EACH);
        assert!(windows.iter().sum::<u64>() <= 256 * MIB);
    }

    proptest! {
        #[test]
        fn all_together_never_exceed_the_budget(
            total in 0..64 * MIB,
            most in 1_u32..16 << 20,
            steps in prop::collection::vec((0..3_u8, any::<prop::sample::Index>()), 0..200),
        ) {
            let connections = 100;
            let mut budget = Budget::new(total, connections, most);
            let mut windows: Vec<u64> = Vec::new();
            for (step, at) in steps {
                match step {
                    0 if windows.len() < connections => windows.push(budget.raise(budget.each())),
                    1 if !windows.is_empty() => {
                        let at = at.index(windows.len());
                        windows[at] = budget.raise(windows[at]);
                    }
                    2 if !windows.is_empty() => budget.release(windows.swap_remove(at.index(windows.len()))),
                    _ => {}
                }
                let own = budget.each() * connections as u64;
                let above: u64 = windows.iter().map(|window| window - budget.each()).sum();
                prop_assert!(own + above <= total.max(own));
                prop_assert!(windows.iter().all(|window| (budget.each()..=most.into()).contains(window)));
                prop_assert_eq!(budget.sizes().0 as u64, above);
            }
        }
    }
}
