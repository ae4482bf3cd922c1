//! The table of "both or neither", explored exhaustively.
//!
//! A naive model of two nodes, written from the rules of pairing and sharing no code with the engine: what
//! each stores, asks its application, says in a session and lists on a data connection. From every start
//! below, every order is tried in which its steps can happen: writes that take their time, hooks that fail
//! or hang, sessions and connections that each side loses when it likes, any number of crashes, cancels
//! and unpairings, lists that are read late. In no state may a safety rule be broken, from each the two
//! come to rest if left alone, and wherever they rest both are paired or neither is.
//!
//! The same is tried where the two trust each other's keys without a code: either may end that trust, or ban the
//! other and lift the ban again.
//!
//! What it leaves out: a store that fails, more than one data connection at a time, and how a code is proven.

mod explore;
mod rules;
mod state;
mod steps;

use explore::{Seen, explore};
use rules::{Flaw, Rules};
use state::{Rec, State};

/// Starts from what the two hold of an earlier pairing, with a new session hosted by the node of that
/// number; sees at least so many states.
fn explore_all(starts: &[[Rec; 2]], host: usize, late: u32, most_faults: usize, floor: usize) -> Seen {
    let starts: Vec<_> = starts.iter().map(|first| State::new(*first)).collect();
    let rules = Rules { host: [0, host], flaw: Flaw::None, late, marks: false };
    explore_by(&rules, &starts, most_faults, floor)
}

/// The same, where the two trust each other's keys without a code.
fn explore_trust(starts: &[[Rec; 2]], late: u32, most_faults: usize, floor: usize) -> Seen {
    let starts: Vec<_> = starts.iter().map(|first| State::new(*first).trusting()).collect();
    let rules = Rules { host: [0, 0], flaw: Flaw::None, late, marks: true };
    explore_by(&rules, &starts, most_faults, floor)
}

fn explore_by(rules: &Rules, starts: &[State], most_faults: usize, floor: usize) -> Seen {
    match explore(rules, starts, most_faults) {
        Ok(seen) => {
            assert!(seen.states >= floor, "the exploration shrank: {seen:?}");
            assert!(seen.paired > 0 && seen.paired < seen.ends, "both outcomes are seen: {seen:?}");
            seen
        }
        Err(bad) => panic!("broken: {}\n{}", bad.sentence, bad.story),
    }
}

const NOTHING: [Rec; 2] = [Rec::None, Rec::None];
const BOTH: [Rec; 2] = [Rec::Paired, Rec::Paired];
/// The other unpaired while this one was away.
const HOST_ALONE: [Rec; 2] = [Rec::Paired, Rec::None];
const JOINER_ALONE: [Rec; 2] = [Rec::None, Rec::Paired];
/// What an earlier session that was lost leaves behind, once both sides know of its loss.
const LOST: [[Rec; 2]; 4] = [
    [Rec::Committed, Rec::Prepared],
    [Rec::None, Rec::Prepared],
    [Rec::Hook, Rec::Prepared],
    [Rec::Committed, Rec::Paired],
];

#[test]
fn a_first_pairing_ends_on_both_sides_or_on_neither() {
    explore_all(&[NOTHING], 0, 3, usize::MAX, 75_000);
}

#[test]
fn a_pairing_over_an_old_one_ends_on_both_sides_or_leaves_the_old_one() {
    let seen = explore_all(&[BOTH], 0, 1, usize::MAX, 550_000);
    assert!(seen.paired * 2 > seen.ends, "the old one stays where the new one fails: {seen:?}");
}

#[test]
fn a_pairing_over_an_old_one_that_one_side_forgot_ends_on_both_sides_or_on_neither() {
    explore_all(&[HOST_ALONE, JOINER_ALONE], 0, 1, usize::MAX, 275_000);
}

#[test]
fn a_pairing_after_one_that_was_lost_ends_on_both_sides_or_on_neither() {
    for host in [0, 1] {
        explore_all(&LOST, host, 2, 1, 100_000);
    }
}

#[test]
fn two_that_trust_each_other_end_paired_on_both_sides_or_on_neither_whoever_cancels_or_bans() {
    explore_trust(&[NOTHING], 2, 2, 100_000);
}

#[test]
fn trust_in_a_peer_of_an_earlier_pairing_replaces_it_on_both_sides_or_on_neither() {
    explore_trust(&[BOTH, HOST_ALONE, JOINER_ALONE], 1, 1, 30_000);
    explore_trust(&LOST, 1, 1, 30_000);
}

/// The first way that is found in which a broken rule shows, by the number of faults that it takes.
fn symptom(flaw: Flaw) -> Option<&'static str> {
    let starts = [NOTHING, BOTH, HOST_ALONE, JOINER_ALONE, LOST[0]];
    let marks = matches!(flaw, Flaw::UnmarksLater | Flaw::BansHalf);
    let rules = Rules { host: [0, 0], flaw, late: 1, marks };
    let begin = |start| if marks { State::new(start).trusting() } else { State::new(start) };
    let tries = (0..=1).flat_map(|faults| starts.map(|start| (start, faults)));
    let mut found = tries.filter_map(|(start, faults)| explore(&rules, &[begin(start)], faults).err());
    found.next().map(|bad| bad.sentence)
}

#[test]
fn a_rule_that_is_broken_is_noticed() {
    let unasked = "nothing is unpaired that nobody asked to unpair";
    let saved = "what has no record is not saved by the application";
    let symptoms = [
        (Flaw::LeftOutIsGone, unasked),
        (Flaw::UnpairsAtOnce, unasked),
        (Flaw::ListsSessions, unasked),
        (Flaw::SaysBeforeStoring, unasked),
        (Flaw::ForgetsHooks, saved),
        (Flaw::DeletesOthers, saved),
        (Flaw::KeepsOthers, unasked),
        (Flaw::LosesWishes, "what was forgotten is not paired"),
        (Flaw::UnmarksLater, "a trust goes in the very write that fulfils it"),
        (Flaw::BansHalf, "who is banned is not paired"),
    ];
    for (flaw, sentence) in symptoms {
        assert_eq!(symptom(flaw), Some(sentence), "{flaw:?}");
    }
    assert_eq!(symptom(Flaw::None), None);
}
