//! Does what the steps of a plan say, and undoes what is to last for a while only.

use super::super::agenda::Item;
use super::super::offer::{Deed, Offer};
use super::super::plan::{Step, Way};
use super::super::user::HookOdds;
use super::Director;
use crate::fabric::{BridgeState, Host, Link};
use crate::store::StoreOdds;
use handfast_core::{Code, Family, Sources, Target};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// A node that shuts down has said all within this time.
const FAREWELL: Duration = Duration::from_secs(4);

impl Director {
    pub(super) fn step(&mut self, step: Step) {
        self.world.narrate(None, format_args!("{step:?}"));
        if let Some(time) = self.begin(&step) {
            self.agenda.add(self.world.elapsed() + time, Item::Undo(step));
        }
    }

    /// Does a step. What is to last for a while only says for how long.
    fn begin(&mut self, step: &Step) -> Option<Duration> {
        match *step {
            Step::Link(segment, link, time) => {
                self.places.set_link(&mut self.world.fabric, segment, Some(link));
                return Some(time);
            }
            Step::Cable(number, port, link, time) => {
                self.cable(number, port, Some(link));
                return Some(time);
            }
            Step::Part(segment, ref away, time) => {
                self.part(segment, away);
                return Some(time);
            }
            Step::Unbridge(joint, time) => {
                self.places.set_bridge(&mut self.world.fabric, joint, BridgeState::Down);
                return Some(time);
            }
            Step::Store(number, odds, time) => {
                self.set_store(number, odds);
                return Some(time);
            }
            Step::Hooks(number, odds, time) => {
                self.set_hooks(number, odds);
                return Some(time);
            }
            Step::Flap(number, port, time, _) => {
                self.world.take_down(self.hosts[number]?, port as u32 + 1);
                return Some(time);
            }
            Step::Sleep(number, time) => {
                let host = self.up(number)?;
                // Goodbyes that were not said yet are said when it wakes.
                self.silence.borrow_mut().end(host);
                self.world.suspend(host);
                return Some(time);
            }
            Step::Leave(number, time) => {
                let host = self.up(number)?;
                self.shut_down(host);
                return Some(time + FAREWELL);
            }
            Step::Sources(number, sources, time) => {
                self.set_sources(number, sources);
                return Some(time);
            }
            Step::Mute(number, time) => {
                self.mute(number);
                return Some(time);
            }
            Step::Name(a, b) => self.name(a, b),
            Step::Datagrams(a, b, count) => self.datagrams(a, b, count),
            Step::Tell(number, total) => self.tell_all(number, total),
            Step::Ask(a, b, len) => self.ask(a, b, len),
            Step::Renumber(number, port) => self.renumber(number, port),
            Step::Jump(number, seconds) => self.world.jump_clock(self.hosts[number]?, seconds),
            Step::Crash(number, time) => self.world.crash_for(self.hosts[number]?, time),
            Step::Rebind(segment) => self.places.rebind(&mut self.world.fabric, segment),
            Step::Villain(segment, who, time) => {
                let left = self.plan.length.saturating_sub(self.world.elapsed());
                self.places.invite(&mut self.world, segment, who, time.min(left));
            }
            Step::Pair { host, joiner, way, after, typos } => self.pair(host, joiner, way, after, typos),
            Step::Cancel(number) => self.cancel(number),
            Step::Forget(a, b) => self.forget(a, b),
            Step::Trust(a, b) => self.trust(a, b),
            Step::Distrust(a, b) => self.distrust(a, b),
            Step::Ban(a, b, time) => {
                self.ban(a, b);
                return Some(time);
            }
            Step::Connect(a, b) => self.connect(a, b),
            Step::Close(a, b) => self.close(a, b),
            Step::Wish(number, ref deed) => self.wish(number, deed),
            Step::Send(a, b, total, ending) => {
                let (host, peer) = (self.up(a)?, self.key(b));
                self.world.with_app(host, |user, cx| user.send(cx, peer, total, ending));
                self.world.settle(host);
            }
        }
        None
    }

    /// Ends a node in good order.
    pub(in crate::swarm) fn shut_down(&mut self, host: Host) {
        self.world.shut_down(host);
        self.world.with_app(host, |user, _| user.shop.stopped());
    }

    /// A user offers something, or looks for something.
    fn wish(&mut self, number: usize, deed: &Deed) {
        let contested = matches!(deed, Deed::Publish(_, offer) if self.is_contested((number, offer)));
        self.grant(number, deed, contested);
    }

    /// The same. `contested` says whether anybody else may want the name of what he publishes.
    pub(in crate::swarm) fn grant(&mut self, number: usize, deed: &Deed, contested: bool) {
        let Some(host) = self.up(number) else { return };
        self.world.with_app(host, |user, cx| user.shop.act(cx, deed, contested));
        self.world.settle(host);
    }

    /// Whether somebody else may have the name of what a guest offers: another user who wants it, or a stranger
    /// who says again what was said of it before it changed.
    fn is_contested(&self, (number, offer): (usize, &Offer)) -> bool {
        self.plan.steps.iter().flatten().any(|(_, step)| match step {
            Step::Wish(other, Deed::Publish(_, theirs)) => {
                (*other, theirs) != (number, offer) && offer.contests(theirs)
            }
            Step::Villain(_, who, _) => who.speaks_for_others(),
            _ => false,
        })
    }

    fn part(&mut self, segment: usize, away: &BTreeSet<usize>) {
        let host = |n: &usize| self.hosts.get(*n).copied().flatten();
        let away: Vec<Host> = away.iter().filter_map(host).collect();
        let here = self.hosts.iter().flatten().copied().filter(|host| !away.contains(host)).collect();
        self.places.part(&mut self.world.fabric, segment, vec![here, away]);
    }

    fn cancel(&mut self, number: usize) {
        let Some(host) = self.up(number) else { return };
        if let Some(begun) = self.begun.get(&host).copied() {
            self.world.tell(host, |node, now| node.pairing().cancel(now, begun));
        }
    }

    /// At the addresses that people would tell each other.
    fn trust(&mut self, a: usize, b: usize) {
        let (Some(host), key) = (self.up(a), self.key(b)) else { return };
        let target = Target::At(self.addresses(b));
        self.truth.borrow_mut().trust(self.key(a), key);
        // Refused where it is banned, or the store is not loaded.
        let _ = self.world.tell(host, |node, now| node.pairing().trust(now, key.fingerprint(), &target));
    }

    fn distrust(&mut self, a: usize, b: usize) {
        let (Some(host), key) = (self.up(a), self.key(b).fingerprint()) else { return };
        self.world.tell(host, |node, now| node.pairing().distrust(now, &key));
    }

    fn ban(&mut self, a: usize, b: usize) {
        let (Some(host), key) = (self.up(a), self.key(b).fingerprint()) else { return };
        self.truth.borrow_mut().forget(self.key(a), self.key(b));
        // Refused before the store is loaded.
        let _ = self.world.tell(host, |node, now| node.pairing().ban(now, key));
    }

    /// Lifts every ban of whoever is there.
    pub(in crate::swarm) fn lift_bans(&mut self) {
        for number in 0..self.hosts.len() {
            let Some(host) = self.up(number) else { continue };
            self.world.tell(host, |node, now| {
                for key in node.pairing().banned() {
                    node.pairing().unban(now, &key);
                }
            });
        }
    }

    fn forget(&mut self, a: usize, b: usize) {
        let (Some(host), peer) = (self.up(a), self.id(b)) else { return };
        self.truth.borrow_mut().forget(self.key(a), self.key(b));
        self.world.tell(host, |node, now| node.pairing().forget(now, peer));
    }

    fn close(&mut self, a: usize, b: usize) {
        self.closed.extend([[a, b], [b, a]]);
        let Some(host) = self.up(a) else { return };
        if let Some(conn) = self.world[host].app.connection_to(&self.key(b)) {
            self.world.tell(host, |node, now| node.close(now, conn));
        }
    }

    pub(super) fn undo(&mut self, step: Step) {
        match step {
            Step::Link(segment, ..) => self.places.set_link(&mut self.world.fabric, segment, None),
            Step::Cable(number, port, ..) => self.cable(number, port, None),
            Step::Part(segment, ..) => self.places.heal(&mut self.world.fabric, segment),
            Step::Unbridge(joint, _) => {
                self.places.set_bridge(&mut self.world.fabric, joint, BridgeState::Up)
            }
            Step::Flap(number, port, time, times) => {
                let (Some(host), Some(guest)) = (self.hosts[number], self.plan.guests[number].clone()) else {
                    return;
                };
                let back = self.places.ports(number, &guest)[port].clone();
                self.world.bring_up(host, back);
                if times > 1 {
                    let again = Step::Flap(number, port, time, times - 1);
                    self.agenda.add(self.world.elapsed() + time, Item::Step(again));
                }
            }
            Step::Sleep(number, _) => {
                if let Some(host) = self.hosts[number] {
                    self.world.resume(host);
                }
            }
            Step::Store(number, ..) => self.set_store(number, StoreOdds::default()),
            Step::Hooks(number, ..) => self.set_hooks(number, HookOdds::default()),
            Step::Leave(number, _) => {
                if let Some(host) = self.hosts[number] {
                    self.world.crash(host);
                    self.world.restart(host);
                }
            }
            Step::Ban(a, b, _) => {
                let (Some(host), key) = (self.up(a), self.key(b).fingerprint()) else { return };
                self.world.tell(host, |node, now| node.pairing().unban(now, &key));
            }
            Step::Sources(number, ..) => self.set_sources(number, Sources::all()),
            Step::Mute(number, _) => self.unmute(number),
            Step::Renumber(..)
            | Step::Name(..)
            | Step::Datagrams(..)
            | Step::Tell(..)
            | Step::Ask(..)
            | Step::Trust(..)
            | Step::Distrust(..)
            | Step::Jump(..)
            | Step::Crash(..)
            | Step::Rebind(_)
            | Step::Villain(..)
            | Step::Pair { .. }
            | Step::Cancel(_)
            | Step::Forget(..)
            | Step::Connect(..)
            | Step::Close(..)
            | Step::Send(..)
            | Step::Wish(..) => {}
        }
    }

    fn cable(&mut self, number: usize, port: usize, link: Option<Link>) {
        if let Some(host) = self.hosts[number] {
            self.world.fabric.set_port_link(host, port as u32 + 1, link);
        }
    }

    fn renumber(&mut self, number: usize, port: usize) {
        let (Some(host), Some(guest)) = (self.hosts[number], self.plan.guests[number].clone()) else {
            return;
        };
        self.places.renumbered(number);
        let addresses = self.places.ports(number, &guest)[port].addresses.clone();
        self.world.renumber(host, port as u32 + 1, addresses);
    }

    fn set_store(&mut self, number: usize, odds: StoreOdds) {
        if let Some(host) = self.hosts[number] {
            self.world[host].store.odds = odds;
        }
    }

    fn set_hooks(&mut self, number: usize, odds: HookOdds) {
        if let Some(host) = self.hosts[number] {
            self.world[host].app.hooks = odds;
        }
    }

    fn pair(&mut self, host: usize, joiner: usize, way: Way, after: Duration, typos: u32) {
        let (Some(at), Some(_)) = (self.up(host), self.hosts[joiner]) else { return };
        let target = match way {
            Way::Asked => Target::At(self.addresses(joiner)),
            Way::Chosen | Way::At | Way::Any => Target::Any,
        };
        let hosting = self.world.tell(at, |node, now| node.pairing().host(now, &target));
        let Ok(hosting) = hosting else { return };
        self.world.narrate(Some(at), format_args!("shows {}", hosting.code));
        self.truth.borrow_mut().show(&hosting.code, self.key(host));
        self.begun.insert(at, hosting.id);
        let mut when = self.world.elapsed() + after;
        if way == Way::Asked {
            if let Some(asked) = self.hosts[joiner] {
                self.world[asked].app.note = Some(hosting.code);
            }
            return;
        }
        for typo in 0..typos {
            let code = misread(&hosting.code, typo);
            self.agenda.add(when, Item::Type { host, joiner, way, code });
            when += Duration::from_secs(4);
        }
        self.agenda.add(when, Item::Type { host, joiner, way, code: hosting.code });
    }

    pub(super) fn type_code(&mut self, host: usize, joiner: usize, way: Way, code: Code) {
        let Some(at) = self.up(joiner) else { return };
        let target = match way {
            Way::Chosen => Target::Peer(self.id(host)),
            Way::At | Way::Asked => Target::At(self.addresses(host)),
            Way::Any => Target::Any,
        };
        self.world.narrate(Some(at), format_args!("types {code}"));
        self.truth.borrow_mut().type_in(&code, self.key(joiner));
        if let Ok(id) = self.world.tell(at, |node, now| node.pairing().join(now, code, &target)) {
            self.begun.insert(at, id);
        }
    }

    /// Connects to a peer, at the addresses that people would tell each other.
    pub(in crate::swarm) fn connect(&mut self, from: usize, to: usize) {
        let Some(host) = self.up(from) else { return };
        let (peer, addresses) = (self.id(to), self.addresses(to));
        self.world.tell(host, |node, now| {
            for address in addresses {
                node.peers().add_address(now, peer, address);
            }
            // Refused where they are not paired, or connected.
            let _ = node.connect(now, peer);
        });
    }

    pub(super) fn addresses(&self, number: usize) -> Vec<SocketAddr> {
        let told = self.hosts[number].and_then(|host| self.world[host].address(Family::V4));
        // Where it has no address of IPv4 the user misspells one.
        vec![told.unwrap_or_else(|| SocketAddr::from(([192, 0, 2, 1], 9)))]
    }
}

/// Another code that is well formed: what comes of a mistake that the check digit does not catch.
fn misread(code: &Code, which: u32) -> Code {
    let spelled = code.to_string();
    let digits: u64 = spelled.chars().filter_map(|c| c.to_digit(10)).fold(0, |n, d| n * 10 + u64::from(d));
    let others = (1..).map(|step| (digits + 10 * (u64::from(which) + 1) + step) % 10_000_000);
    let mut sound = others.filter_map(|number| format!("{number:07}").parse::<Code>().ok());
    sound.find(|other| *other.to_string() != spelled).expect("one of ten numbers has the right check digit")
}
