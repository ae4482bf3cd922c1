//! Draws what users offer on the LAN and what they look for, and when they think better of it.

use super::super::dice::Dice;
use super::super::offer::{Deed, Facts, KINDS, NAMES, Offer, SOUGHT};
use super::Step;
use std::time::Duration;

/// Offers of one device at a time.
const OFFERS: u64 = 2;

/// Offers at a time in a world whose nodes hold little: all must fit beside the devices themselves.
const OFFERS_WHEN_SMALL: usize = 3;

/// Searches of one device at a time.
const SEARCHES: u64 = 2;

/// Within this time all ask for one name who want it at once.
const AT_ONCE: Duration = Duration::from_millis(400);

/// What names users give to what they offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Those that others want as well, too.
    Any,
    /// Nobody else's: where a reflector stands between two, the answer to who asks for a name goes to the
    /// reflector alone, and is lost. RFC 6762 §8.1.
    Own,
}

/// What users wish in a world, and when. Every other world has none of it: they are played sooner.
pub(super) fn draw(
    seed: u64,
    (hosts, length): (usize, Duration),
    small: bool,
    names: Names,
) -> Vec<(Duration, Step)> {
    let mut dice = Dice::of_wishes(seed);
    if matches!(dice.below(6), 0 | 1 | 3) {
        return Vec::new();
    }
    let left = if small { OFFERS_WHEN_SMALL } else { usize::MAX };
    let mut draw = Wishes { dice, length, names, versions: 0, left };
    let mut steps = Vec::new();
    // Several want one thing at one moment.
    let is_rush = names == Names::Any && draw.dice.one_in(3);
    let rush = is_rush.then(|| (draw.moment(Duration::ZERO), draw.offer(None)));
    for host in 0..hosts {
        let mut wish = |at, deed| steps.push((at, Step::Wish(host, deed)));
        for number in 0..draw.dice.below(OFFERS + 1) as usize {
            draw.career(host, number, &mut wish);
        }
        for number in 0..draw.dice.below(SEARCHES + 1) as usize {
            draw.search(number, &mut wish);
        }
        if let Some((at, offer)) = rush.as_ref().filter(|_| !draw.dice.one_in(4))
            && draw.has_room()
        {
            let facts = draw.facts();
            let offer = Offer { facts, ..offer.clone() };
            wish(*at + draw.dice.duration(Duration::ZERO, AT_ONCE), Deed::Publish(OFFERS as usize, offer));
        }
        if draw.dice.one_in(4) {
            for version in 0..draw.dice.between(1, 3) {
                wish(draw.moment(Duration::ZERO), Deed::Describe(format!("device {host}, {version}")));
            }
        }
    }
    steps
}

struct Wishes {
    dice: Dice,
    length: Duration,
    names: Names,
    versions: u32,
    /// How many more may be offered.
    left: usize,
}

impl Wishes {
    fn moment(&mut self, from: Duration) -> Duration {
        self.dice.duration(from.min(self.length), self.length)
    }

    /// Soon after the beginning, or at any time.
    fn beginning(&mut self) -> Duration {
        if self.dice.one_in(2) {
            self.dice.duration(Duration::ZERO, Duration::from_secs(5).min(self.length))
        } else {
            self.moment(Duration::ZERO)
        }
    }

    fn has_room(&mut self) -> bool {
        let has_room = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_room
    }

    fn facts(&mut self) -> Facts {
        self.versions += 1;
        // Which of two is greater is not to follow from which was drawn first.
        let version = (self.dice.below(1_000_000) as u32) * 1000 + self.versions;
        let port = self.dice.between(1, 65_535) as u16;
        Facts { version, port, subtypes: [self.dice.one_in(2), self.dice.one_in(3)] }
    }

    /// Something that is offered, under a name that is the host's alone or under one of the few.
    fn offer(&mut self, own: Option<String>) -> Offer {
        let kind = *self.dice.pick(&KINDS);
        let name = own.unwrap_or_else(|| (*self.dice.pick(&NAMES)).to_owned());
        Offer { kind, name, facts: self.facts() }
    }

    /// What becomes of one offer: it changes, it is taken back, it comes again.
    fn career(&mut self, host: usize, number: usize, wish: &mut impl FnMut(Duration, Deed)) {
        if !self.has_room() {
            return;
        }
        let is_own = self.dice.one_in(2) || self.names == Names::Own;
        let own = is_own.then(|| format!("Page {number} of host-{host}"));
        let offer = self.offer(own);
        let mut at = self.beginning();
        wish(at, Deed::Publish(number, offer.clone()));
        for _ in 0..self.dice.below(5) {
            // At times sooner than what was said before is heard.
            at += match self.dice.below(3) {
                0 => self.dice.duration(Duration::ZERO, Duration::from_millis(2_500)),
                _ => self.dice.duration(Duration::from_secs(1), self.length / 4),
            };
            let facts = self.facts();
            let deed = match self.dice.below(5) {
                0 => Deed::Withdraw(number),
                1 => Deed::Publish(number, Offer { facts, ..offer.clone() }),
                _ => Deed::Change(number, facts),
            };
            wish(at, deed);
        }
    }

    fn search(&mut self, number: usize, wish: &mut impl FnMut(Duration, Deed)) {
        let kind = *self.dice.pick(&SOUGHT);
        let at = self.beginning();
        wish(at, Deed::Seek(number, kind));
        if self.dice.one_in(4) {
            let end = self.moment(at);
            wish(end, Deed::Rest(number));
            if self.dice.one_in(2) {
                let again = end + self.dice.duration(Duration::ZERO, Duration::from_secs(3));
                let other = *self.dice.pick(&SOUGHT);
                wish(again, Deed::Seek(number, other));
            }
        }
    }
}
