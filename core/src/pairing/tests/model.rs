//! Random worlds, in which everything that may go wrong does, against what must hold in all of them.
//!
//! Two real engines are driven one small step at a time: one event, one frame, one answer of a store, a
//! hook or a rollback. In between users pair, with right codes, wrong ones and none, are asked, cancel, forget and ban;
//! connections are made and cut; stores fail; processes crash. After each step whatever changed in a store
//! is held against [`records`]: what the rules let a side store, given what the other side's store holds.
//! At the end all faults cease, the two are connected, and everything is held against one another.

mod app;
mod drive;
mod records;

use drive::Drive;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the worlds of these seeds. How many ended with the two paired.
fn run(seeds: std::ops::Range<u64>) -> usize {
    let ends_paired = |seed: &u64| {
        let mut drive = Drive::new(*seed);
        let end = catch_unwind(AssertUnwindSafe(|| drive.story()));
        end.unwrap_or_else(|_| panic!("seed {seed}:{}", drive.log()))
    };
    seeds.filter(ends_paired).count()
}

#[test]
fn random_worlds_end_on_both_sides_or_on_neither() {
    let paired = run(0..600);
    assert!((200..400).contains(&paired), "both outcomes are seen: {paired}");
}
