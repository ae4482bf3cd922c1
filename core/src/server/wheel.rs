//! What goes when: a ring of lists, one for each stretch of time. To put something off costs the same however much
//! there is.
//!
//! The lists run through the slots themselves.

use super::slots::{NONE, Slots};

/// Stretches that the ring has. Nothing may be due further ahead.
const RING: u32 = 4096;

/// The ring. Of everything in it the slot says when it is due.
pub(super) struct Wheel {
    /// Seconds of one stretch.
    stretch_s: u32,
    heads: Box<[u32]>,
    /// Stretches that were emptied.
    passed: u32,
    len: usize,
}

impl Wheel {
    /// A ring that begins with second 0.
    pub(super) fn new(stretch_s: u32) -> Self {
        Self { stretch_s, heads: vec![NONE; RING as usize].into(), passed: 0, len: 0 }
    }

    /// Seconds that something may be due ahead.
    pub(super) fn reach_s(&self) -> u32 {
        (RING - 2) * self.stretch_s
    }

    /// How many are in it.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts a slot in, by its `expires_s`.
    pub(super) fn put(&mut self, slots: &mut Slots, n: u32, now_s: u32) {
        self.pass_nothing(now_s);
        let at = self.list_of(slots[n].expires_s);
        let next = std::mem::replace(&mut self.heads[at], n);
        (slots[n].prev, slots[n].next) = (NONE, next);
        if next != NONE {
            slots[next].prev = n;
        }
        self.len += 1;
    }

    /// Takes a slot out, whose `expires_s` is as it was when it was put in.
    pub(super) fn take(&mut self, slots: &mut Slots, n: u32) {
        let (prev, next) = (slots[n].prev, slots[n].next);
        if next != NONE {
            slots[next].prev = prev;
        }
        if prev != NONE {
            slots[prev].next = next;
        } else {
            let at = self.list_of(slots[n].expires_s);
            self.heads[at] = next;
        }
        self.len -= 1;
    }

    /// Takes out one that is due: within the stretch after its second.
    pub(super) fn pop_due(&mut self, slots: &mut Slots, now_s: u32) -> Option<u32> {
        self.pass_nothing(now_s);
        let now = now_s / self.stretch_s;
        while self.passed < now {
            let head = self.heads[(self.passed % RING) as usize];
            if head != NONE {
                self.take(slots, head);
                return Some(head);
            }
            self.passed += 1;
        }
        None
    }

    /// When to look again, in seconds.
    pub(super) fn next_s(&self) -> Option<u32> {
        (self.len > 0).then_some((self.passed + 1) * self.stretch_s)
    }

    /// There is nothing in what passed while there was nothing.
    fn pass_nothing(&mut self, now_s: u32) {
        if self.len == 0 {
            self.passed = self.passed.max(now_s / self.stretch_s);
        }
    }

    /// What is due already goes with the first stretch that is looked at.
    fn list_of(&self, at_s: u32) -> usize {
        ((at_s / self.stretch_s).max(self.passed) % RING) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wheel: &mut Wheel, slots: &mut Slots, now_s: u32) -> Vec<u32> {
        let mut all: Vec<u32> = std::iter::from_fn(|| wheel.pop_due(slots, now_s)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn each_goes_in_the_stretch_after_its_second_unless_it_was_taken_out() {
        let (mut slots, mut wheel) = (Slots::new(), Wheel::new(10));
        let ns: Vec<u32> = [5, 9, 10, 25, 25, 7000]
            .map(|at| {
                let n = slots.take();
                slots[n].expires_s = at;
                wheel.put(&mut slots, n, 0);
                n
            })
            .to_vec();
        assert_eq!(due(&mut wheel, &mut slots, 9).len(), 0);
        assert_eq!(due(&mut wheel, &mut slots, 10), ns[..2]);
        wheel.take(&mut slots, ns[3]);
        assert_eq!(due(&mut wheel, &mut slots, 29), ns[2..3]);
        assert_eq!((due(&mut wheel, &mut slots, 30), wheel.len()), (ns[4..5].to_vec(), 1));
        assert_eq!(wheel.next_s(), Some(40));
        assert_eq!(due(&mut wheel, &mut slots, 100_000), ns[5..]);
        assert_eq!((wheel.len(), wheel.next_s()), (0, None));
    }
}
