//! Draws how users want peers to be reached, what else than streams they send, and links that carry one way alone.

use super::super::dice::Dice;
use super::Step;
use handfast_core::Sources;
use std::time::Duration;

/// Datagrams that are sent at once.
const DATAGRAMS: u64 = 40;

/// Bytes of a question.
const QUESTION: u64 = 3_000;

/// Whether nodes keep the peers connected that they are paired with.
pub(super) fn eager(seed: u64) -> bool {
    Dice::of_reach(seed).one_in(3)
}

/// What befalls the ways to peers, and when. Every other world has none of it.
pub(super) fn draw(seed: u64, hosts: usize, length: Duration) -> Vec<(Duration, Step)> {
    let mut dice = Dice::of_reach(!seed);
    let mut steps = Vec::new();
    if dice.one_in(2) {
        return steps;
    }
    for _ in 0..dice.between(1, 12) {
        let a = dice.below(hosts as u64) as usize;
        let b = (a + dice.between(1, hosts as u64 - 1) as usize) % hosts;
        let while_ = Duration::from_millis(dice.between(5_000, 120_000));
        let step = match dice.below(10) {
            0 | 1 => Step::Sources(a, sources(&mut dice), while_),
            2 | 3 => Step::Mute(a, while_ / 4),
            4 => Step::Name(a, b),
            5 | 6 => Step::Datagrams(a, b, dice.between(1, DATAGRAMS) as u32),
            7 => Step::Tell(a, dice.size() / 8),
            _ => Step::Ask(a, b, dice.below(QUESTION) as usize),
        };
        steps.push((dice.duration(Duration::ZERO, length), step));
    }
    steps
}

/// At least one of them is off.
fn sources(dice: &mut Dice) -> Sources {
    let mut sources = Sources::all();
    match dice.below(4) {
        0 => sources = Sources::none(),
        1 => sources.manual = false,
        2 => sources.remembered = false,
        _ => sources.mdns = false,
    }
    sources
}
