//! Two engines, and a script that carries, damages, invents and loses what they say. For fuzz targets and the
//! replay of their seeds.
//!
//! What a peer invents is held against what nobody may bring about: a pairing without the code, a question
//! asked twice, an engine that never rests. Where nothing was invented, both end up paired or neither.

mod world;

use super::PairingId;
use crate::id::PairId;
use crate::script::Script;
use crate::store::{PairRecord, PairSecret, PairState, Role};
use std::time::{Duration, Instant};
use world::{Answer, World};

/// Steps that are heeded: what follows costs time and finds nothing.
const MAX_STEPS: usize = 300;

/// Records that a side may begin with: more than two keys may have together.
const MAX_RECORDS: usize = 100;

const SLEEPS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_secs(5),
    Duration::from_secs(31),
    Duration::from_secs(121),
    Duration::from_secs(700),
];

/// How far a script came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Both sides hold a pairing at the end.
    pub(crate) paired: bool,
    /// A side told that a pairing ended for the lack of a right code.
    pub(crate) refused: bool,
    /// A side was told to undo what it had saved.
    pub(crate) undone: bool,
    /// A side told that a pairing was forgotten.
    pub(crate) unpaired: bool,
    /// A side was paired without a code, since both trusted each other.
    pub(crate) trusted: bool,
    /// A side told that the other, or somebody else, is banned.
    pub(crate) banned: bool,
    /// A user was asked whether to pair, and agreed.
    pub(crate) agreed: bool,
}

/// Strangers that pair, or try to.
pub(crate) fn session(start: Instant, script: &[u8]) -> Reached {
    let mut world = World::new(start);
    play(&mut world, &mut Script::new(script));
    world.end();
    world.reached()
}

/// Sides that begin with records, each its own, and tell each other.
pub(crate) fn lists(start: Instant, script: &[u8]) -> Reached {
    let mut script = Script::new(script);
    let mut world = World::new(start);
    for side in [0, 1] {
        let count = usize::from(script.octet()) % MAX_RECORDS;
        let records: Vec<PairRecord> = (0..count).map(|_| record(&world, side, &mut script)).collect();
        world.begin_with(side, records);
    }
    world.connect(0);
    play(&mut world, &mut script);
    world.end();
    world.reached()
}

/// Ids are few, so that both sides often have the same.
fn record(world: &World, side: usize, script: &mut Script<'_>) -> PairRecord {
    let (id, form) = (script.octet(), script.octet());
    let role = if form & 1 == 0 { Role::Host } else { Role::Joiner };
    let states = [PairState::Hook, PairState::Prepared, PairState::Committed, PairState::Paired];
    let state = states[usize::from(form >> 1 & 3)];
    let peer = world.key(if form & 0x80 == 0 { 1 - side } else { 2 });
    // One of an earlier key of this node.
    let own = world.key(if form & 0x40 == 0 { side } else { 3 });
    let (pair_id, secret) = (PairId::from_bytes([id; 32]), PairSecret::from_bytes([7; 32]));
    let mut record = PairRecord::new(pair_id, role, peer, own, secret, state);
    if form & 0x20 != 0 {
        record.replaces.push(PairId::from_bytes([id ^ 1; 32]));
    }
    record
}

fn play(world: &mut World, script: &mut Script<'_>) {
    for _ in 0..MAX_STEPS {
        let Some(step) = script.step() else { return };
        act(world, script, step);
        world.settle();
    }
}

fn act(world: &mut World, script: &mut Script<'_>, step: u8) {
    match step % 25 {
        // Honest, one frame or all there is.
        0 => world.carry(script.octet(), script.flag()),
        1 => world.run(),
        2 => world.host(usize::from(script.flag()), script.flag()),
        3 => world.join(usize::from(script.flag()), script.flag(), script.flag()),
        4 => world.connect(usize::from(script.flag())),
        5 => world.sleep(script.pick(&SLEEPS)),
        6 => {
            let answer = script.pick(&[Answer::Yes, Answer::No, Answer::Lost, Answer::Later]);
            world.answer(usize::from(script.flag()), script.octet(), answer);
        }
        7 => {
            // As every answer from here on.
            let answer = script.pick(&[Answer::Yes, Answer::No, Answer::Lost, Answer::Later]);
            world.manner(usize::from(script.flag()), answer);
        }
        8 => world.cut(script.octet()),
        9 => world.restart(usize::from(script.flag())),
        10 => world.cancel(usize::from(script.flag()), PairingId(u64::from(script.octet() % 8))),
        11 => world.forget(usize::from(script.flag())),
        12 => world.finish(script.octet(), script.flag()),
        13 => world.unreachable(usize::from(script.flag()), PairingId(u64::from(script.octet() % 8))),
        // Lost, late, twice.
        14 => drop(world.take(script.octet(), script.flag())),
        15 => world.repeat(script.octet(), script.flag()),
        16 => world.delay(script.octet(), script.flag()),
        // Damaged, or made up.
        17 | 18 => {
            let (wire, end) = (script.octet(), script.flag());
            if let Some((frame, last)) = world.take(wire, end) {
                let mut frame = frame.to_vec();
                script.damage(&mut frame);
                world.invent(wire, end, &frame, last);
            }
        }
        20 => world.trust(usize::from(script.flag()), script.flag()),
        21 => world.distrust(usize::from(script.flag())),
        22 => world.ban(usize::from(script.flag()), script.flag()),
        23 => world.unban(usize::from(script.flag())),
        24 => world.confirm(usize::from(script.flag()), script.flag()),
        _ => {
            let (wire, end) = (script.octet(), script.flag());
            world.invent(wire, end, script.octets(), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{base, replay};

    fn all(target: &str, play: fn(Instant, &[u8]) -> Reached) -> Reached {
        let mut all = Reached::default();
        replay(target, |_, seed| {
            let reached = play(base(), seed);
            all.paired |= reached.paired;
            all.refused |= reached.refused;
            all.undone |= reached.undone;
            all.unpaired |= reached.unpaired;
            all.trusted |= reached.trusted;
            all.banned |= reached.banned;
            all.agreed |= reached.agreed;
        });
        all
    }

    #[test]
    fn the_seeds_of_sessions_are_survived_and_come_far() {
        let far = Reached {
            paired: true,
            refused: true,
            undone: true,
            unpaired: true,
            trusted: true,
            banned: true,
            agreed: true,
        };
        assert_eq!(all("pairing_session", session), far);
    }

    /// Two pair, a store begins to refuse, and its side bans the other.
    #[test]
    fn a_ban_that_a_store_refused_leaves_nobody_paired_alone_once_it_is_lifted() {
        let reached = session(base(), &[2, 0, 1, 1, 107, 1, 1, 147, 1, 1]);
        assert!(reached.paired || reached.unpaired, "the two were paired");
    }

    #[test]
    fn the_seeds_of_lists_are_survived_and_come_far() {
        let far = Reached { paired: true, undone: true, unpaired: true, banned: true, ..Reached::default() };
        assert_eq!(all("lists", lists), far);
    }
}
