//! Drives two engines at random, one small step at a time.

use super::super::world::{StoreFault, World};
use super::app::App;
use super::records::Records;
use crate::ask::{PairingReply, Permission};
use crate::code::{Code, CodeLength};
use crate::config::Consent;
use crate::error::HookFailed;
use crate::event::{Event as Told, PairingFailure, PairingId};
use crate::rng::{Rng, Seed};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

/// Things that befall a world before it is left alone.
const EVENTS: u64 = 14;
/// How many small steps may come between two of them: some worlds are hectic, in some much is finished.
const CALM: [u64; 3] = [20, 50, 150];
/// More small steps than anything takes to come to rest.
const STEPS: usize = 20_000;

pub(super) struct Drive {
    rng: Rng,
    world: World,
    apps: [App; 2],
    records: Records,
    /// Pairings that were begun in this run of a node's process, and where its story begins.
    begun: [BTreeSet<PairingId>; 2],
    ran_from: [usize; 2],
    /// The code that was typed last, or will be.
    typed: Option<Code>,
    log: String,
}

impl Drive {
    pub(super) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut world = World::new();
        for (n, node) in world.nodes.iter_mut().enumerate() {
            (node.hook, node.rollback, node.slow) = (None, None, true);
            if seed >> n & 1 == 1 {
                node.engine.settings.confirmation = Consent::Asked;
            }
        }
        Self {
            rng: Rng::child(&Seed::new(bytes), "model"),
            world,
            apps: Default::default(),
            records: Records::default(),
            begun: Default::default(),
            ran_from: [0; 2],
            typed: None,
            log: String::new(),
        }
    }

    /// Whether the two are paired in the end.
    pub(super) fn story(&mut self) -> bool {
        let calm = CALM[self.pick(CALM.len())];
        for _ in 0..EVENTS {
            self.befall();
            for _ in 0..self.rng.below(calm) {
                self.step_at_random();
            }
        }
        self.leave_alone();
        self.check()
    }

    pub(super) fn log(&self) -> &str {
        &self.log
    }

    fn note(&mut self, what: &str) {
        write!(self.log, " {what};").unwrap();
    }

    fn pick(&mut self, of: usize) -> usize {
        self.rng.below(of as u64) as usize
    }

    /// Something that is not of the nodes' own doing.
    fn befall(&mut self) {
        let n = self.pick(2);
        match self.rng.below(18) {
            0..=3 => self.begin(n),
            4 => self.cut(),
            5 | 6 => self.connect(),
            7 => self.crash(n),
            8 => {
                let begun: Vec<_> = self.begun[n].iter().copied().collect();
                if !begun.is_empty() {
                    let id = begun[self.pick(begun.len())];
                    self.note(&format!("{n} cancels {id:?}"));
                    self.world.nodes[n].engine.cancel(self.world.now, id);
                }
            }
            9 if self.rng.below(3) == 0 => {
                self.note(&format!("{n} forgets"));
                let peer = self.world.nodes[1 - n].key;
                self.records.forget(n);
                self.world.nodes[n].engine.forget(self.world.now, &peer);
            }
            9 => self.connect(),
            10 => {
                let time = Duration::from_secs(1 + self.rng.below(45));
                self.note(&format!("{time:?} pass"));
                self.pass(time);
            }
            11 => {
                let faults = [StoreFault::Unwritten, StoreFault::Written, StoreFault::Dead];
                let (fault, at) = (faults[self.pick(3)], self.world.nodes[n].calls + 1 + self.pick(2));
                self.note(&format!("{n} has its write {at} {fault:?}"));
                self.world.nodes[n].fault = Some((at, fault));
            }
            14 | 15 => {
                self.trust(n);
                if self.rng.below(2) == 0 {
                    self.trust(1 - n);
                }
            }
            16 if self.rng.below(3) == 0 => self.ban(n),
            16 => self.connect(),
            _ => self.answer_prompt(n),
        }
        self.notice();
    }

    /// The user of one side trusts the other without a code, or no longer.
    fn trust(&mut self, n: usize) {
        let key = self.world.nodes[1 - n].key.fingerprint();
        let (now, engine) = (self.world.now, &mut self.world.nodes[n].engine);
        if self.rng.below(4) == 0 {
            engine.distrust(now, &key);
            return self.note(&format!("{n} distrusts"));
        }
        if let Ok(id) = engine.trust(now, key, Vec::new()) {
            self.begun[n].insert(id);
            self.note(&format!("{n} trusts as {id:?}"));
        }
    }

    /// The user of one side bans the other, or lifts the ban. TLS and the router keep who is banned from connecting.
    fn ban(&mut self, n: usize) {
        let key = self.world.nodes[1 - n].key.fingerprint();
        let now = self.world.now;
        if self.world.nodes[n].engine.unban(now, &key) {
            return self.note(&format!("{n} lifts its ban"));
        }
        self.records.forget(n);
        if self.world.nodes[n].engine.ban(now, key).is_ok() {
            self.note(&format!("{n} bans"));
        }
    }

    fn lift_bans(&mut self) {
        for n in 0..2 {
            let key = self.world.nodes[1 - n].key.fingerprint();
            self.world.nodes[n].engine.unban(self.world.now, &key);
        }
    }

    /// Nobody pairs with, or stays connected to, who is banned.
    fn cut_off(&mut self) {
        if self.world.are_barred(0, 1) {
            self.live(true).into_iter().for_each(|wire| self.world.cut(wire));
        }
    }

    /// Dials for those that are trusted.
    fn meet(&mut self) {
        for n in 0..2 {
            for id in std::mem::take(&mut self.world.nodes[n].meets) {
                if self.world.are_barred(0, 1) {
                    let engine = &mut self.world.nodes[n].engine;
                    engine.handle_dial_failed(self.world.now, id, PairingFailure::Unreachable);
                } else {
                    self.world.exporters = [self.rng.bytes(); 2];
                    self.world.dial(n, 1 - n, id);
                }
            }
        }
    }

    /// A code is shown, typed and dialled for.
    fn begin(&mut self, host: usize) {
        let now = self.world.now;
        let shown = self.world.nodes[host].engine.host(now).or_else(|_| {
            let engine = &mut self.world.nodes[host].engine;
            self.begun[host].iter().for_each(|id| engine.cancel(now, *id));
            engine.host(now)
        });
        let Ok((window, code, _)) = shown else { return };
        self.begun[host].insert(window);
        self.world.exporters = [self.rng.bytes(); 2];
        let wrong = self.rng.below(12) == 0;
        let typed = if wrong { Code::generate(&mut self.rng, CodeLength::Seven) } else { code };
        self.typed = Some(typed.clone());
        let dials = self.rng.below(2) == 0;
        self.note(&format!("{host} hosts, dials: {dials}, wrong: {wrong}"));
        let prompts = dials && self.rng.below(4) == 0;
        let entry =
            if prompts { None } else { self.world.nodes[1 - host].engine.join(now, typed, None).ok() };
        self.begun[1 - host].extend(entry);
        if self.world.are_barred(0, 1) {
            return;
        }
        match (dials, entry) {
            (true, _) => drop(self.world.dial(host, 1 - host, window)),
            (false, Some(entry)) => drop(self.world.dial(1 - host, host, entry)),
            (false, None) => {}
        }
    }

    fn answer_prompt(&mut self, n: usize) {
        let (Some(token), Some(code)) = (self.world.nodes[n].prompts.pop(), self.typed.clone()) else {
            return;
        };
        let reply = if self.rng.below(5) == 0 { PairingReply::Reject } else { PairingReply::Join(code) };
        self.note(&format!("{n} answers its prompt"));
        self.world.nodes[n].engine.answer_pairing_request(self.world.now, token, reply);
    }

    fn live(&self, data: bool) -> Vec<usize> {
        let wires = self.world.wires.iter().enumerate();
        wires.filter(|(_, wire)| wire.alive && wire.data == data).map(|(wire, _)| wire).collect()
    }

    fn cut(&mut self) {
        let live = [self.live(false), self.live(true)].concat();
        if !live.is_empty() {
            let wire = live[self.pick(live.len())];
            self.note(&format!("wire {wire} is cut"));
            self.world.cut(wire);
        }
    }

    /// A data connection, also beside another one.
    fn connect(&mut self) {
        let ready =
            self.world.nodes.iter().all(|node| node.engine.is_loaded()) && !self.world.are_barred(0, 1);
        if ready && self.live(true).len() < 2 {
            let wire = self.world.connect(0, 1);
            self.note(&format!("wire {wire} connects"));
        }
    }

    /// The write under way may have happened.
    fn crash(&mut self, n: usize) {
        let written = self.world.awaits_store(n) && self.rng.below(2) == 0;
        if written {
            self.world.answer_store(n);
            self.notice();
        }
        self.note(&format!("{n} crashes, its write done: {written}"));
        self.world.restart(n);
        self.apps[n].crash();
        self.begun[n].clear();
        self.ran_from[n] = self.world.nodes[n].told.len();
    }

    /// One of the things that are under way goes on.
    fn step_at_random(&mut self) {
        let first = self.pick(8);
        let fails = self.rng.below(8) == 0;
        let answer = if fails { Err(HookFailed) } else { Ok(()) };
        let live = [self.live(false), self.live(true)].concat();
        let wire = if live.is_empty() { None } else { Some(live[self.pick(live.len())]) };
        for way in first..first + 8 {
            let n = way % 2;
            let moved = match way / 2 % 4 {
                0 => self.world.turn(n),
                1 => wire.is_some_and(|wire| self.world.deliver_from(wire, n)),
                2 => self.answer_store(n),
                _ => self.answer_hook(n, answer),
            };
            if moved {
                break;
            }
        }
        self.notice();
    }

    fn answer_store(&mut self, n: usize) -> bool {
        let asked = self.world.awaits_store(n);
        if asked {
            self.world.answer_store(n);
        }
        asked
    }

    fn answer_hook(&mut self, n: usize, answer: Result<(), HookFailed>) -> bool {
        let (now, node) = (self.world.now, &mut self.world.nodes[n]);
        if let Some((token, _)) = node.confirmations.pop() {
            let permission = if answer.is_ok() { Permission::Granted } else { Permission::Refused };
            node.engine.answer_confirm(now, token, permission);
            write!(self.log, " {n} is asked to confirm {permission:?};").unwrap();
            return true;
        }
        if !node.waiting_hooks.is_empty() {
            let token = node.waiting_hooks.remove(0);
            self.apps[n].saved(0, answer);
            node.engine.answer_paired(now, token, answer);
        } else if !node.waiting_rollbacks.is_empty() {
            let token = node.waiting_rollbacks.remove(0);
            self.apps[n].undone(0, answer);
            node.engine.answer_rollback(now, token, answer);
        } else {
            return false;
        }
        write!(self.log, " {n} answers a hook {answer:?};").unwrap();
        true
    }

    fn notice(&mut self) {
        self.meet();
        self.cut_off();
        for n in 0..2 {
            self.apps[n].notice(&mut self.world.nodes[n]);
            self.records.notice(n, &self.world.nodes[n].store);
        }
    }

    /// Until nothing moves, without time passing.
    fn rest(&mut self) {
        for _ in 0..STEPS {
            let moved = (0..2)
                .any(|n| self.world.turn(n) || self.answer_store(n) || self.answer_hook(n, Ok(())))
                || (0..self.world.wires.len())
                    .any(|wire| (0..2).any(|end| self.world.deliver_from(wire, end)));
            self.notice();
            if !moved {
                return;
            }
        }
        panic!("two nodes that are left alone come to rest");
    }

    /// Time passes; only the nodes' own deadlines are met.
    fn pass(&mut self, time: Duration) {
        self.world.now += time;
        for n in 0..2 {
            self.world.nodes[n].engine.handle_timeout(self.world.now);
        }
    }

    /// All faults cease, and the two stay connected.
    fn leave_alone(&mut self) {
        self.note("all is well from here");
        self.world.nodes.iter_mut().for_each(|node| node.fault = None);
        self.rest();
        for _ in 0..3 {
            for _ in 0..25 {
                // A store that failed has loaded by one of these times.
                self.lift_bans();
                self.pass(Duration::from_secs(10));
                self.rest();
            }
            self.live(true).into_iter().for_each(|wire| self.world.cut(wire));
            self.connect();
            self.rest();
        }
    }

    fn check(&mut self) -> bool {
        let [a, b] = &self.world.nodes[..] else { panic!("two nodes") };
        assert_eq!((a.tentative(), b.tentative()), (0, 0), "nothing stays undecided");
        assert_eq!(a.paired(), b.paired(), "both are paired or neither is");
        let paired = a.paired();
        assert!(paired.len() <= 1, "two keys are paired once");
        for n in 0..2 {
            self.apps[n].compare(&self.world.nodes[n]);
            assert!(self.apps[n].saved.iter().eq(&paired), "the application of {n} has saved what is paired");
            let mut begun = self.begun[n].clone();
            // One that is trusted and does not trust goes on being tried.
            let engine = &self.world.nodes[n].engine;
            begun.retain(|id| !engine.trusting().iter().any(|trust| trust.pairing == *id));
            let mut ended = BTreeSet::new();
            for told in &self.world.nodes[n].told[self.ran_from[n]..] {
                if let Told::PairingEnded(id, _) = told {
                    assert!(ended.insert(*id), "a pairing ends once: {id:?} at {n}");
                    begun.remove(id);
                }
            }
            assert!(begun.is_empty(), "every pairing ends: {begun:?} at {n}");
        }
        !paired.is_empty()
    }
}
