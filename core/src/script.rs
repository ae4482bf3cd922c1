//! Reads octets as a script: what a fuzz target does, step by step.
//!
//! Never fails and never runs dry: past the end every number is 0 and every string empty. Read from the front
//! alone, so that a script that is cut short does as before up to there, and that seeds can be written by
//! hand.

/// What is left of a script.
pub(crate) struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// The octet that begins the next step; `None` at the end.
    pub(crate) fn step(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(crate) fn octet(&mut self) -> u8 {
        self.step().unwrap_or(0)
    }

    /// Big-endian.
    pub(crate) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    /// One octet, 0 for `false` as any even one.
    pub(crate) fn flag(&mut self) -> bool {
        self.octet() & 1 == 1
    }

    /// One octet picks an item. `items` has 1 to 256.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::from(self.octet()) % items.len()]
    }

    /// Two octets of length, and as many octets as there are of it.
    pub(crate) fn octets(&mut self) -> &'a [u8] {
        let len = usize::from(self.word()).min(self.rest.len());
        let (octets, rest) = self.rest.split_at(len);
        self.rest = rest;
        octets
    }

    /// Damages octets: some are changed, and the end may be cut off.
    pub(crate) fn damage(&mut self, octets: &mut Vec<u8>) {
        for _ in 0..self.octet() % 4 {
            let at = usize::from(self.word());
            let octet = self.octet();
            if !octets.is_empty() {
                let at = at % octets.len();
                octets[at] ^= octet;
            }
        }
        if self.flag() {
            octets.truncate(usize::from(self.word()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_ends_in_zeros_and_empty_strings() {
        let mut script = Script::new(&[7, 0, 9, 1, 2]);
        assert_eq!((script.step(), script.octets()), (Some(7), &[1, 2][..]));
        assert_eq!((script.step(), script.octet(), script.word(), script.flag()), (None, 0, 0, false));
        assert_eq!((script.octets(), script.pick(&[5, 6])), (&[][..], 5));
    }

    #[test]
    fn damage_changes_what_the_script_says_alone() {
        let mut octets = vec![1, 2, 3];
        Script::new(&[0]).damage(&mut octets);
        assert_eq!(octets, [1, 2, 3]);
        Script::new(&[1, 0, 4, 0xff, 1, 0, 2]).damage(&mut octets);
        assert_eq!(octets, [1, 2 ^ 0xff]);
    }
}
