//! What users do once nothing is wrong any more: what they offer changes, goes and comes again, and two want one
//! name at one moment. Each has to be seen at once by all who look.

use super::director::Director;
use super::market::{self, Prompt};
use super::offer::{Deed, Facts, KINDS, Offer};
use super::plan::{Joint, Step};
use std::time::Duration;

/// Conflicts that nobody noticed are over within this time of the last wake: renaming takes a few seconds, and who
/// found no name for a minute rests for another. RFC 6762 §8, §9.
const SETTLED_WITHIN: Duration = Duration::from_secs(150);

/// A change is announced at once, or a second after the last announcement. RFC 6762 §6, §8.4.
const CHANGED_WITHIN: Duration = Duration::from_secs(3);

/// A change is said three times within this time. RFC 6762 §8.3.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(5);

/// A goodbye takes effect a second after it was heard. RFC 6762 §10.1.
const GONE_WITHIN: Duration = Duration::from_secs(3);

/// A name is had within a second, or another a second after each that somebody else has. RFC 6762 §8.1, §9.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(15);

/// The number of an offer that no plan draws.
const EXTRA: usize = 9;

/// How often it is looked whether all is well.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Plays it, where users of the plan offer or look for anything.
pub(super) fn play(director: &mut Director) {
    if !director.plan.steps.iter().flatten().any(|(_, step)| matches!(step, Step::Wish(..))) {
        return;
    }
    settle(director, SETTLED_WITHIN, "no two have one name, and every search shows what is there");
    // One offer is enough: they are alike.
    let offers =
        |n: &usize| director.hosts[*n].is_some_and(|h| !director.world[h].app.shop.stalls.is_empty());
    if let Some(number) = (0..director.hosts.len()).find(offers) {
        play_one(director, number);
    }
    play_two(director);
}

/// What a guest offers changes, goes, and comes again.
fn play_one(director: &mut Director, number: usize) {
    let Some(host) = director.hosts[number] else { return };
    let Some((at, stall)) = director.world[host].app.shop.stalls.first_key_value() else { return };
    let (at, offer) = (*at, stall.offer.clone());
    let Facts { version, port, subtypes: [one, other] } = offer.facts;
    let facts = Facts { version: version + 1, port: port ^ 1, subtypes: [other, one] };
    director.grant(number, &Deed::Change(at, facts), true);
    settle(director, CHANGED_WITHIN, "a change is seen by all who look");
    if is_reflected(director) {
        // A reflector may say what was announced after what took it back.
        director.pass_until(director.world.elapsed() + ANNOUNCED_WITHIN);
    }
    director.grant(number, &Deed::Withdraw(at), true);
    settle(director, GONE_WITHIN, "what is taken back is gone");
    director.grant(number, &Deed::Publish(at, offer), true);
    settle(director, PUBLISHED_WITHIN, "what comes again is found");
}

/// Two guests that hear each other want one name at one moment: who proposes more gets it. RFC 6762 §8.2.
fn play_two(director: &mut Director) {
    // What a reflector says again comes at any time.
    if is_reflected(director) {
        return;
    }
    let Some((a, b)) = neighbours(director) else { return };
    let kind = KINDS[0];
    let first = u32::from(director.plan.seed.is_multiple_of(2));
    for (number, version) in [(a, first), (b, 1 - first)] {
        let facts = Facts { version, port: 1000 + number as u16, subtypes: [false; 2] };
        let offer = Offer { kind, name: "Duel".to_owned(), facts };
        director.grant(number, &Deed::Publish(EXTRA, offer), true);
    }
    settle(director, PUBLISHED_WITHIN, "both of two who want one name get one");
    let (winner, loser) = if first == 1 { (a, b) } else { (b, a) };
    for (number, name) in [(winner, "Duel"), (loser, "Duel (2)")] {
        let Some(host) = director.hosts[number] else { continue };
        let told = director.world[host].app.shop.stalls.get(&EXTRA).and_then(|stall| stall.told.clone());
        assert!(
            told.as_deref() == Some(name),
            "of two who want one name, he who proposes more gets it: host-{number} is {told:?}, not {name:?}"
        );
    }
}

fn is_reflected(director: &Director) -> bool {
    director.plan.joints.iter().any(|joint| matches!(joint, Joint::Reflector(..)))
}

/// Two guests that hear each other.
fn neighbours(director: &Director) -> Option<(usize, usize)> {
    let guests: Vec<_> = director.plan.guests.iter().enumerate().collect();
    for (a, one) in &guests {
        for (b, other) in &guests[a + 1..] {
            if let (Some(one), Some(other)) = (one, other)
                && director.places.sees((*a, one), (*b, other))
            {
                return Some((*a, *b));
            }
        }
    }
    None
}

/// Waits until all is well.
fn settle(director: &mut Director, limit: Duration, what: &str) {
    let end = director.world.elapsed() + limit;
    while let Some(sentence) = market::namesakes(director, Prompt::None).or_else(|| market::discord(director))
    {
        assert!(director.world.elapsed() < end, "{what}: {sentence}");
        director.pass_until(director.world.elapsed() + LOOK_EVERY);
    }
}
