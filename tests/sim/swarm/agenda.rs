//! What is to happen, in order of time.

use super::plan::{Step, Way};
use handfast_core::Code;
use std::collections::BTreeMap;
use std::time::Duration;

/// Something that is to happen.
pub(super) enum Item {
    /// A guest is switched on.
    Arrive(usize),
    /// A step of the plan.
    Step(Step),
    /// A user types a code.
    Type { host: usize, joiner: usize, way: Way, code: Code },
    /// What a step did ends.
    Undo(Step),
}

/// What is to happen, in order of time; of one moment, in the order in which it was planned.
#[derive(Default)]
pub(super) struct Agenda {
    items: BTreeMap<(Duration, u64), Item>,
    next: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: Duration, item: Item) {
        self.next += 1;
        self.items.insert((at, self.next), item);
    }

    /// What happens next, unless it is after `end`.
    pub(super) fn next_before(&mut self, end: Duration) -> Option<(Duration, Item)> {
        let entry = self.items.first_entry()?;
        let at = entry.key().0;
        (at <= end).then(|| (at, entry.remove()))
    }
}
