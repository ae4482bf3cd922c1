//! Makes a world smaller in which something broke, as long as the same thing breaks.

use super::{Plan, Violation, play};
use crate::trace::Detail;
use std::collections::BTreeSet;

/// Worlds that are tried at most.
const TRIES: usize = 400;

/// The items of a plan that can go, and what still breaks without them. Looks first whether many can go at
/// once, then fewer, then one.
pub fn shrink(plan: &Plan, violation: &Violation) -> (BTreeSet<usize>, Violation) {
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    let mut last = violation.clone();
    let mut tries = 0;
    let mut size = plan.items().div_ceil(2);
    while size > 0 && tries < TRIES {
        let left: Vec<usize> = (0..plan.items()).filter(|item| !gone.contains(item)).collect();
        let mut shrunk = false;
        for part in left.chunks(size) {
            if tries == TRIES {
                break;
            }
            tries += 1;
            let fewer: BTreeSet<usize> = gone.iter().chain(part).copied().collect();
            let outcome = play(&plan.clone().without(&fewer), Detail::Digest);
            if let Some(found) = outcome.violation.filter(|found| found.kind() == violation.kind()) {
                (gone, last, shrunk) = (fewer, found, true);
            }
        }
        if !shrunk || size > 1 {
            size = if size == 1 { 0 } else { size / 2 };
        }
    }
    (gone, last)
}
