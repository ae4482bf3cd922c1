//! Draws a plan from a seed: the world, what its users do, and what befalls them.

use super::super::dice::Dice;
use super::super::truth::Ending;
use super::super::user::HookOdds;
use super::keys;
use super::reach;
use super::wishes::{self, Names};
use super::{Guest, Joint, Plan, Stack, Step, Uplink, Villain, Way};
use crate::fabric::{Depends, Link, PerMille};
use crate::store::StoreOdds;
use std::time::Duration;

/// Where the server is, of two homes and an office.
const OFFICE: usize = 2;

impl Plan {
    /// Draws a world.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (segments, joints) = topology(&mut dice);
        let has_homes = segments.iter().any(|(_, uplink, _)| *uplink != Uplink::None);
        let hosts = dice.between(if has_homes { 3 } else { 2 }, 6) as usize;
        let guests: Vec<Guest> = (0..hosts).map(|n| guest(&mut dice, n, segments.len(), has_homes)).collect();
        let length = Duration::from_secs(dice.between(60, 1200));
        let small = dice.one_in(3);
        let place =
            Draw { hosts, segments: segments.len(), joints: &joints, length, guests: &guests, has_homes };
        let mut steps = place.story(&mut dice);
        for _ in 0..dice.between(0, 10) {
            steps.push((dice.duration(Duration::ZERO, length), place.trouble(&mut dice)));
        }
        if has_homes && dice.one_in(2) {
            // Somebody at the office who knows the way back into the homes.
            let time = dice.duration(Duration::from_secs(1), length);
            steps.push((
                dice.duration(Duration::ZERO, length),
                Step::Villain(OFFICE, Villain::Replayer, time),
            ));
        }
        let reflected = joints.iter().any(|joint| matches!(joint, Joint::Reflector(..)));
        let names = if reflected { Names::Own } else { Names::Any };
        steps.extend(wishes::draw(seed, (hosts, length), small, names));
        steps.extend(keys::draw(seed, hosts, length));
        steps.extend(reach::draw(seed, hosts, length));
        let (care, eager) = (keys::care(seed), reach::eager(seed));
        steps.sort_by_key(|(at, _)| *at);
        let steps = steps.into_iter().map(Some).collect();
        Self {
            seed,
            length,
            small,
            care,
            eager,
            segments,
            joints,
            guests: guests.into_iter().map(Some).collect(),
            steps,
        }
    }
}

fn topology(dice: &mut Dice) -> (Vec<(Stack, Uplink, Link)>, Vec<Joint>) {
    let stack = *dice.pick(&[Stack::V4, Stack::V4, Stack::Dual, Stack::Dual, Stack::V6]);
    let lan = |dice: &mut Dice, stack| (stack, Uplink::None, link(dice));
    match dice.below(10) {
        0..4 => (vec![lan(dice, stack)], vec![]),
        4 => (vec![lan(dice, stack), lan(dice, stack)], vec![Joint::Bridge(0, 1)]),
        5 => (vec![lan(dice, stack), lan(dice, stack)], vec![Joint::Reflector(0, 1)]),
        6 => {
            let all = vec![lan(dice, stack), lan(dice, Stack::Dual), lan(dice, stack)];
            (all, vec![Joint::Reflector(0, 1), Joint::Bridge(1, 2)])
        }
        // Two homes and an office: addresses are told by hand.
        _ => {
            let home = |dice: &mut Dice| (Stack::Dual, nat(dice), link(dice));
            let office = (Stack::V4, Uplink::Routed, link(dice));
            (vec![home(dice), home(dice), office], vec![])
        }
    }
}

fn nat(dice: &mut Dice) -> Uplink {
    let mapping = *dice.pick(&Depends::ALL);
    Uplink::Nat(mapping, *dice.pick(&Depends::ALL))
}

fn guest(dice: &mut Dice, number: usize, segments: usize, has_homes: bool) -> Guest {
    let mut on = match number {
        // The first hosts are spread, so that every segment has one.
        _ if number < segments => vec![number],
        // Who lives behind a NAT is to have more than one place to go to.
        _ if has_homes && !dice.one_in(3) => vec![OFFICE],
        _ => vec![dice.below(segments as u64) as usize],
    };
    if dice.one_in(4) {
        on.push(dice.below(segments as u64) as usize);
    }
    Guest {
        segments: on,
        skew_s: if dice.one_in(5) { dice.seconds(365 * 86_400) } else { 0 },
        ipv6: !dice.one_in(8),
        slow: dice.one_in(4),
        from: if dice.one_in(3) { Duration::from_millis(dice.below(30_000)) } else { Duration::ZERO },
    }
}

fn link(dice: &mut Dice) -> Link {
    let latency = Duration::from_micros(dice.between(100, 20_000));
    Link::default().with_latency(latency)
}

/// A link with something wrong.
fn bad_link(dice: &mut Dice) -> Link {
    let mut bad = link(dice);
    for _ in 0..dice.between(1, 3) {
        bad = match dice.below(6) {
            0 => bad.with_loss(PerMille(dice.per_mille(500) as u16)),
            1 => bad.with_jitter(Duration::from_millis(dice.between(1, 200))),
            2 => bad.with_duplicate(PerMille(dice.per_mille(300) as u16)),
            3 => {
                let hold = Duration::from_millis(dice.between(1, 300));
                bad.with_reorder(PerMille(dice.per_mille(300) as u16), hold)
            }
            4 => {
                let queue = Duration::from_millis(dice.between(1, 300));
                bad.with_bandwidth(dice.between(4_000, 200_000), queue)
            }
            _ => bad.with_mtu(dice.between(1_280, 1_400) as usize),
        };
    }
    bad
}

/// What steps are drawn from.
struct Draw<'a> {
    hosts: usize,
    segments: usize,
    joints: &'a [Joint],
    length: Duration,
    guests: &'a [Guest],
    /// Whether there are homes behind NATs, and an office.
    has_homes: bool,
}

impl Draw<'_> {
    fn host(&self, dice: &mut Dice) -> usize {
        dice.below(self.hosts as u64) as usize
    }

    /// A host that others can dial, where segments have uplinks; else any.
    fn server(&self, dice: &mut Dice) -> usize {
        let public = |n: &usize| self.guests[*n].segments.contains(&OFFICE);
        let all: Vec<usize> = (0..self.hosts).filter(public).collect();
        if self.has_homes && !all.is_empty() && !dice.one_in(4) { *dice.pick(&all) } else { self.host(dice) }
    }

    fn two(&self, dice: &mut Dice) -> (usize, usize) {
        let a = self.server(dice);
        let b = (a + dice.between(1, self.hosts as u64 - 1) as usize) % self.hosts;
        (a, b)
    }

    fn at(&self, dice: &mut Dice, from: Duration) -> Duration {
        dice.duration(from.min(self.length), self.length)
    }

    /// What users do: a few pairings, and what follows from them.
    fn story(&self, dice: &mut Dice) -> Vec<(Duration, Step)> {
        let mut steps = Vec::new();
        let (mut host, mut joiner) = self.two(dice);
        for _ in 0..dice.between(1, 3) {
            // The same two pair again, or others do.
            match dice.below(3) {
                0 if self.has_homes => host = self.server(dice),
                0 => std::mem::swap(&mut host, &mut joiner),
                1 => (host, joiner) = self.two(dice),
                _ => {}
            }
            if host == joiner {
                joiner = (host + 1) % self.hosts;
            }
            let ways = [Way::At, Way::At, Way::Chosen, Way::Any, Way::Asked];
            let way = *dice.pick(if self.has_homes { &ways[..1] } else { &ways });
            let after = Duration::from_millis(dice.between(1, 60_000));
            let typos = if dice.one_in(4) { dice.between(1, 4) as u32 } else { 0 };
            let begin = dice.duration(Duration::ZERO, self.length / 2);
            steps.push((begin, Step::Pair { host, joiner, way, after, typos }));
            if dice.one_in(2) {
                // What goes wrong just then is worth most.
                let whose = *dice.pick(&[host, joiner]);
                let setback = self.setback(dice, whose);
                // A crash is to come in the middle of it.
                let late = if matches!(setback, Step::Crash(..)) { dice.below(150) } else { 0 };
                steps.push((begin + after + Duration::from_millis(late), setback));
            }
            if dice.one_in(4) {
                // Somebody who closes what the two open, as long as he can.
                let segment = self.guests[joiner].segments[0];
                let time = Duration::from_millis(dice.between(10_000, 300_000));
                steps.push((begin + after, Step::Villain(segment, Villain::Forger, time)));
            }
            if dice.one_in(6) {
                steps.push((begin + after, Step::Cancel(*dice.pick(&[host, joiner]))));
            }
            if dice.one_in(3) {
                steps.push((self.at(dice, begin), Step::Forget(host, joiner)));
            }
            for _ in 0..dice.below(6) {
                let (from, to) = if dice.one_in(2) { (host, joiner) } else { (joiner, host) };
                let what = match dice.below(5) {
                    0 => Step::Connect(from, to),
                    1 => Step::Close(from, to),
                    _ => Step::Send(from, to, dice.size(), ending(dice)),
                };
                steps.push((self.at(dice, begin + after), what));
            }
        }
        steps
    }

    /// What may befall a host while it pairs.
    fn setback(&self, dice: &mut Dice, host: usize) -> Step {
        let while_ = Duration::from_millis(dice.between(1_000, 60_000));
        match dice.below(4) {
            0 | 1 => Step::Store(host, store_odds(dice), while_),
            2 => Step::Hooks(host, hook_odds(dice), while_),
            _ => Step::Crash(host, while_ / 10),
        }
    }

    fn trouble(&self, dice: &mut Dice) -> Step {
        let host = self.host(dice);
        let port = dice.below(self.guests[host].segments.len() as u64) as usize;
        let segment = dice.below(self.segments as u64) as usize;
        let while_ = Duration::from_millis(dice.between(50, 120_000));
        match dice.below(16) {
            0 | 1 => Step::Link(segment, bad_link(dice), while_ * 2),
            2 => Step::Cable(host, port, bad_link(dice), while_),
            3 => {
                let away = (0..self.hosts).filter(|_| dice.one_in(2)).collect();
                Step::Part(segment, away, while_)
            }
            4 => match self.joints.iter().position(|joint| matches!(joint, Joint::Bridge(..))) {
                Some(joint) => Step::Unbridge(joint, while_),
                None => Step::Rebind(segment % OFFICE),
            },
            5 => Step::Flap(host, port, while_ / 10, dice.between(1, 20) as u32),
            6 => Step::Renumber(host, port),
            7 => Step::Sleep(host, while_ * dice.between(1, 240) as u32),
            8 => Step::Jump(host, dice.seconds(365 * 86_400)),
            9 | 10 => Step::Crash(host, while_ / 4),
            11 => Step::Store(host, store_odds(dice), while_ * 4),
            12 => Step::Hooks(host, hook_odds(dice), while_ * 4),
            13 => Step::Leave(host, while_ / 4),
            _ => {
                use Villain::*;
                let who = *dice.pick(&[RecordFlood, InitialFlood, Replayer, Forger, Liar]);
                Step::Villain(if self.has_homes { OFFICE } else { segment }, who, while_ / 4)
            }
        }
    }
}

pub(super) fn store_odds(dice: &mut Dice) -> StoreOdds {
    StoreOdds { fail: dice.per_mille(300), stall: dice.per_mille(300), crash: dice.per_mille(300) }
}

fn hook_odds(dice: &mut Dice) -> HookOdds {
    HookOdds { fail: dice.per_mille(300), stall: dice.per_mille(300), panic: dice.per_mille(200) }
}

fn ending(dice: &mut Dice) -> Ending {
    *dice.pick(&[Ending::Finish, Ending::Finish, Ending::Finish, Ending::Reset, Ending::Stop])
}
