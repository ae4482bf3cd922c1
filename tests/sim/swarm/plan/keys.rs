//! Draws what users decide about keys: whom to trust without a code, whom to ban, and whether to be asked.

use super::super::dice::Dice;
use super::draw::store_odds;
use super::{Care, Step};
use std::time::Duration;

/// The users of two devices enter each other's fingerprints within this time.
const BOTH_WITHIN: Duration = Duration::from_secs(60);

/// What befalls one of two that trust each other does so within this time.
const SOON: Duration = Duration::from_secs(4);

/// Whether the users of a world are asked.
pub(super) fn care(seed: u64) -> Care {
    let mut dice = Dice::of_keys(seed);
    Care { confirms: dice.one_in(4), admits: dice.one_in(8) }
}

/// What users decide, and when. Two worlds of three have none of it.
pub(super) fn draw(seed: u64, hosts: usize, length: Duration) -> Vec<(Duration, Step)> {
    let mut dice = Dice::of_keys(!seed);
    let mut steps = Vec::new();
    if !dice.one_in(3) {
        return steps;
    }
    for _ in 0..dice.between(1, 2) {
        let a = dice.below(hosts as u64) as usize;
        let b = (a + dice.between(1, hosts as u64 - 1) as usize) % hosts;
        let begin = dice.duration(Duration::ZERO, length / 2);
        let both = begin + dice.duration(Duration::ZERO, BOTH_WITHIN);
        steps.push((begin, Step::Trust(a, b)));
        if !dice.one_in(5) {
            steps.push((both, Step::Trust(b, a)));
        }
        let whose = *dice.pick(&[a, b]);
        let (at, while_) =
            (both + dice.duration(Duration::ZERO, SOON), dice.duration(Duration::from_secs(1), SOON * 8));
        match dice.below(4) {
            0 => steps.push((at, Step::Crash(whose, while_ / 4))),
            1 => steps.push((both, Step::Store(whose, store_odds(&mut dice), while_))),
            _ => {}
        }
        let later = dice.duration(begin, length.max(begin));
        match dice.below(6) {
            0 => steps.push((later, Step::Distrust(a, b))),
            1 => steps.push((later, Step::Forget(a, b))),
            2 | 3 => steps.push((later, Step::Ban(whose, a + b - whose, while_ * 4))),
            _ => {}
        }
    }
    steps
}
