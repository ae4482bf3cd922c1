//! Finds the slot of a name: an open-addressed table of slot numbers, four bytes each.
//!
//! Names are hashes, which their owners can grind: where one belongs follows from a secret as well. The table grows
//! piece by piece, so that nobody waits for all of it.

use super::slots::NONE;

/// Pieces that grow by themselves.
const SHARDS: usize = 256;
/// Cells that a piece begins with.
const FIRST: usize = 8;
/// A piece grows beyond this part of its cells, in eighths.
const FULL: usize = 7;

/// The table. What it is told of slots it asks `key_of`.
pub(super) struct Index {
    shards: Box<[Shard]>,
    seed: [u64; 2],
}

#[derive(Default)]
struct Shard {
    /// A power of two, or none.
    cells: Box<[u32]>,
    len: usize,
}

impl Index {
    pub(super) fn new(seed: [u64; 2]) -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), seed }
    }

    /// The slot of a name.
    pub(super) fn find<'a>(&self, key: &[u8], key_of: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        let hash = self.hash(key);
        let shard = &self.shards[shard_of(hash)];
        let mut at = shard.home(hash)?;
        loop {
            match shard.cells[at] {
                NONE => return None,
                slot if key_of(slot) == key => return Some(slot),
                _ => at = shard.after(at),
            }
        }
    }

    /// Notes the slot of a name that has none.
    pub(super) fn insert<'a>(&mut self, slot: u32, key_of: impl Fn(u32) -> &'a [u8]) {
        let hash = self.hash(key_of(slot));
        let n = shard_of(hash);
        if (self.shards[n].len + 1) * 8 > self.shards[n].cells.len() * FULL {
            self.grow(n, &key_of);
        }
        self.shards[n].place(hash, slot);
        self.shards[n].len += 1;
    }

    /// Forgets a slot that was noted.
    pub(super) fn remove<'a>(&mut self, slot: u32, key_of: impl Fn(u32) -> &'a [u8]) {
        let hash = self.hash(key_of(slot));
        let n = shard_of(hash);
        let shard = &self.shards[n];
        let mut hole = shard.home(hash).expect("a slot was noted before it is forgotten");
        while shard.cells[hole] != slot {
            hole = shard.after(hole);
        }
        // What comes after moves up, unless it would stand before where it belongs.
        let mut at = shard.after(hole);
        while self.shards[n].cells[at] != NONE {
            let moved = self.shards[n].cells[at];
            let shard = &self.shards[n];
            let home = shard.home(self.hash(key_of(moved))).expect("there are cells");
            let (from_home, from_hole) = (shard.distance(home, at), shard.distance(hole, at));
            if from_home >= from_hole {
                self.shards[n].cells[hole] = moved;
                hole = at;
            }
            at = self.shards[n].after(at);
        }
        self.shards[n].cells[hole] = NONE;
        self.shards[n].len -= 1;
    }

    fn grow<'a>(&mut self, n: usize, key_of: &impl Fn(u32) -> &'a [u8]) {
        let size = (self.shards[n].cells.len() * 2).max(FIRST);
        let old = std::mem::replace(&mut self.shards[n].cells, vec![NONE; size].into());
        for slot in old.into_iter().filter(|slot| *slot != NONE) {
            let hash = self.hash(key_of(slot));
            self.shards[n].place(hash, slot);
        }
    }

    /// A name has 20 bytes or more, all of them as good as random.
    fn hash(&self, key: &[u8]) -> u64 {
        let word = |at: usize| {
            let bytes = key.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            u64::from_le_bytes(bytes.expect("a name has 16 bytes and more"))
        };
        let product = u128::from(word(0) ^ self.seed[0]) * u128::from(word(8) ^ self.seed[1]);
        (product >> 64) as u64 ^ product as u64
    }
}

fn shard_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

impl Shard {
    fn home(&self, hash: u64) -> Option<usize> {
        Some(hash as usize & self.cells.len().checked_sub(1)?)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.cells.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.cells.len() - 1)
    }

    fn place(&mut self, hash: u64, slot: u32) {
        let mut at = self.home(hash).expect("there are cells");
        while self.cells[at] != NONE {
            at = self.after(at);
        }
        self.cells[at] = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};
    use std::collections::BTreeSet;

    fn keys() -> Vec<[u8; 32]> {
        (0..3000_u32).map(|n| Sha256::digest(n.to_be_bytes()).into()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_was_noted_and_not_forgotten_is_found_and_nothing_else(
            steps in prop::collection::vec((any::<bool>(), 0..3000_u32), 0..6000),
            seed in any::<[u64; 2]>(),
        ) {
            let (keys, mut index, mut model) = (keys(), Index::new(seed), BTreeSet::new());
            let key_of = |slot: u32| &keys[slot as usize][..];
            for (add, slot) in steps {
                if add && model.insert(slot) {
                    index.insert(slot, key_of);
                } else if !add && model.remove(&slot) {
                    index.remove(slot, key_of);
                }
            }
            for slot in 0..3000 {
                let found = index.find(key_of(slot), key_of);
                prop_assert_eq!(found, model.contains(&slot).then_some(slot));
            }
        }
    }

    #[test]
    fn where_a_name_belongs_follows_from_the_seed() {
        let (a, b) = (Index::new([1, 2]), Index::new([3, 4]));
        let same = keys().iter().filter(|key| a.hash(&key[..]) >> 48 == b.hash(&key[..]) >> 48).count();
        assert!(same < 10, "{same}");
    }
}
