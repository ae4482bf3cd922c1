//! When which connection wants to be woken: one ordered set for all of them.
//!
//! A connection has one entry, which is moved only to an earlier time: a deadline that is put off, as most
//! are with every packet, costs nothing until the entry is due and the connection is asked again.

use std::collections::BTreeSet;
use std::time::Instant;

/// The set. Holds at most one entry per connection.
#[derive(Default)]
pub(crate) struct Timers(BTreeSet<(Instant, usize)>);

impl Timers {
    /// Arms the connection in `slot`; `armed` is the time it is armed for so far.
    pub(crate) fn arm(&mut self, slot: usize, armed: &mut Option<Instant>, at: Option<Instant>) {
        if let Some(at) = at
            && armed.is_none_or(|armed| at < armed)
        {
            self.disarm(slot, armed);
            *armed = Some(at);
            self.0.insert((at, slot));
        }
    }

    /// Forgets the connection in `slot`.
    pub(crate) fn disarm(&mut self, slot: usize, armed: &mut Option<Instant>) {
        if let Some(at) = armed.take() {
            self.0.remove(&(at, slot));
        }
    }

    /// A connection that is due, which is armed no longer.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, slot)| slot)
    }

    /// How many connections are armed.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// When the next connection is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::base;
    use std::time::Duration;

    #[test]
    fn a_connection_has_one_entry_and_only_an_earlier_time_moves_it() {
        let (mut timers, mut armed, now) = (Timers::default(), None, base());
        let at = |s| Some(now + Duration::from_secs(s));
        timers.arm(3, &mut armed, at(5));
        timers.arm(3, &mut armed, at(9));
        assert_eq!(timers.next(), at(5));
        timers.arm(3, &mut armed, at(2));
        assert_eq!((timers.next(), timers.0.len()), (at(2), 1));
        assert_eq!(timers.pop_due(now + Duration::from_secs(1)), None);
        assert_eq!(timers.pop_due(now + Duration::from_secs(2)), Some(3));
        assert_eq!(timers.next(), None);
    }
}
