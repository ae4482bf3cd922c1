//! Plays a plan: builds its world, does what it says when it says so, ends all faults, and lets the world come
//! to rest.

use super::agenda::{Agenda, Item};
use super::budget::Budget;
use super::calm::{self, Hushed};
use super::geography::Geography;
use super::plan::{Guest, Plan, Step, Villain, Way};
use super::truth::Truth;
use super::user::{HookOdds, User};
use super::verdict;
use crate::fabric::{BridgeState, Host, Link};
use crate::machine::Setup;
use crate::store::StoreOdds;
use crate::trace::Detail;
use crate::world::World;
use handfast_core::{
    Code, Config, Family, Identity, PairingId, PeerId, PeerIdKind, PublicKey, ServiceName, Target,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How often invariants that cost something are checked.
const CHECK_EVERY: Duration = Duration::from_secs(10);

/// A node that crashed begins again after this time, unless the plan says otherwise.
const RESTART_AFTER: Duration = Duration::from_secs(3);

/// Plays a plan.
pub(super) struct Director {
    pub(super) plan: Plan,
    pub(super) world: World<User>,
    pub(super) truth: Rc<RefCell<Truth>>,
    pub(super) places: Geography,
    /// The hosts of the plan's guests: `None` where one was shrunk away, or is not there yet.
    pub(super) hosts: Vec<Option<Host>>,
    /// Whether anybody is told what he knows.
    pub(super) hushed: Rc<RefCell<Hushed>>,
    agenda: Agenda,
    /// What each user began last.
    begun: BTreeMap<Host, PairingId>,
    checked: Duration,
}

impl Director {
    pub(super) fn new(plan: Plan, detail: Detail) -> Self {
        let mut world = World::seeded(plan.seed);
        world.trace.keep(detail);
        world.restart_after = Some(RESTART_AFTER);
        let flood = |step: &Step| matches!(step, Step::Villain(_, Villain::RecordFlood, _));
        let flooded = plan.steps.iter().flatten().any(|(_, step)| flood(step));
        let budget = Rc::new(RefCell::new(Budget::new(flooded)));
        let hushed = Rc::new(RefCell::new(Hushed::default()));
        let listener = Rc::clone(&hushed);
        world.watch(Box::new(move |seen| {
            budget.borrow_mut().sent(seen);
            listener.borrow_mut().sent(seen);
        }));
        let places = Geography::build(&plan, &mut world.fabric);
        let mut agenda = Agenda::default();
        for (number, guest) in plan.guests.iter().enumerate() {
            if let Some(guest) = guest {
                agenda.add(guest.from, Item::Arrive(number));
            }
        }
        for (at, step) in plan.steps.iter().flatten() {
            agenda.add(*at, Item::Step(step.clone()));
        }
        let hosts = vec![None; plan.guests.len()];
        Self {
            plan,
            world,
            truth: Rc::default(),
            places,
            hosts,
            hushed,
            agenda,
            begun: BTreeMap::new(),
            checked: Duration::ZERO,
        }
    }

    /// Plays all of it. Panics where an invariant breaks.
    pub(super) fn play(&mut self) {
        let end = self.plan.length;
        while let Some((at, item)) = self.agenda.next_before(end) {
            self.pass_until(at);
            self.take(item);
        }
        self.pass_until(end);
        self.heal();
        verdict::await_rest(self);
        calm::check(self);
    }

    /// Lets time pass until a moment after the beginning.
    pub(super) fn pass_until(&mut self, at: Duration) {
        loop {
            let pause = at.min(self.checked + CHECK_EVERY);
            let left = pause.saturating_sub(self.world.elapsed());
            let until = self.world.now() + left;
            while self.world.step(until) {}
            if self.world.elapsed() >= self.checked + CHECK_EVERY {
                self.checked = self.world.elapsed();
                verdict::check_tables(self);
            }
            if self.world.elapsed() >= at {
                return;
            }
        }
    }

    /// Ends every fault, and starts who is away.
    fn heal(&mut self) {
        self.world.narrate(None, format_args!("ALL FAULTS END"));
        while let Some((_, item)) = self.agenda.next_before(Duration::MAX) {
            match item {
                Item::Step(_) | Item::Type { .. } => {}
                Item::Arrive(_) | Item::Undo(_) => self.take(item),
            }
        }
        for host in self.hosts.clone().into_iter().flatten() {
            self.world.resume(host);
            self.world.restart(host);
            self.world[host].app.slow = false;
        }
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Arrive(number) => self.arrive(number),
            Item::Step(step) => self.step(step),
            Item::Type { host, joiner, way, code } => self.type_code(host, joiner, way, code),
            Item::Undo(step) => self.undo(step),
        }
    }

    fn arrive(&mut self, number: usize) {
        let Some(guest) = self.plan.guests[number].clone() else { return };
        let Guest { skew_s, ipv6, slow, .. } = guest;
        let identity = Arc::new(identity(self.plan.seed, number));
        let config = config(&self.plan);
        let mut setup = Setup::new(format!("host-{number}"), config, Arc::clone(&identity));
        (setup.skew_s, setup.ipv6) = (skew_s, ipv6);
        setup.ports = self.places.ports(number, &guest);
        let mut user = User::new(identity.public_key(), Rc::clone(&self.truth));
        user.slow = slow;
        let homes = self.places.homes(&guest);
        let host = self.world.boot(setup, user);
        for (interface, segment) in homes {
            self.hushed.borrow_mut().at_home(host, interface, segment);
        }
        self.hosts[number] = Some(host);
    }

    /// The host of a guest, if it is there and its node runs.
    fn up(&self, number: usize) -> Option<Host> {
        let host = self.hosts[number]?;
        let machine = &self.world[host];
        (machine.is_up() && !machine.is_asleep()).then_some(host)
    }

    fn step(&mut self, step: Step) {
        self.world.narrate(None, format_args!("{step:?}"));
        let now = self.world.elapsed();
        let undo = |agenda: &mut Agenda, after: Duration, step: &Step| {
            agenda.add(now + after, Item::Undo(step.clone()));
        };
        match &step {
            Step::Link(segment, link, time) => {
                self.places.set_link(&mut self.world.fabric, *segment, Some(*link));
                undo(&mut self.agenda, *time, &step);
            }
            Step::Cable(number, port, link, time) => {
                self.cable(*number, *port, Some(*link));
                undo(&mut self.agenda, *time, &step);
            }
            Step::Part(segment, away, time) => {
                let apart = |n: &usize| self.hosts.get(*n).copied().flatten();
                let away: Vec<Host> = away.iter().filter_map(apart).collect();
                let here = self.hosts.iter().flatten().copied().filter(|host| !away.contains(host)).collect();
                self.places.part(&mut self.world.fabric, *segment, vec![here, away]);
                undo(&mut self.agenda, *time, &step);
            }
            Step::Unbridge(joint, time) => {
                self.places.set_bridge(&mut self.world.fabric, *joint, BridgeState::Down);
                undo(&mut self.agenda, *time, &step);
            }
            Step::Flap(number, port, time, _) => {
                if let Some(host) = self.hosts[*number] {
                    self.world.take_down(host, *port as u32 + 1);
                    undo(&mut self.agenda, *time, &step);
                }
            }
            Step::Renumber(number, port) => self.renumber(*number, *port),
            Step::Sleep(number, time) => {
                if let Some(host) = self.up(*number) {
                    self.world.suspend(host);
                    undo(&mut self.agenda, *time, &step);
                }
            }
            Step::Jump(number, seconds) => {
                if let Some(host) = self.hosts[*number] {
                    self.world.jump_clock(host, *seconds);
                }
            }
            Step::Crash(number, time) => {
                if let Some(host) = self.hosts[*number] {
                    self.world.crash_for(host, *time);
                }
            }
            Step::Store(number, odds, time) => {
                self.shake(*number, |user, store| {
                    let _ = user;
                    *store = *odds;
                });
                undo(&mut self.agenda, *time, &step);
            }
            Step::Hooks(number, odds, time) => {
                self.shake(*number, |user, _| user.hooks = *odds);
                undo(&mut self.agenda, *time, &step);
            }
            Step::Rebind(segment) => self.places.rebind(&mut self.world.fabric, *segment),
            Step::Villain(segment, who, time) => {
                self.places.invite(&mut self.world, *segment, *who, *time);
            }
            Step::Pair { host, joiner, way, after, typos } => {
                self.pair(*host, *joiner, *way, *after, *typos);
            }
            Step::Cancel(number) => {
                if let Some(host) = self.up(*number)
                    && let Some(begun) = self.begun.get(&host).copied()
                {
                    self.world.tell(host, |node, now| node.pairing().cancel(now, begun));
                }
            }
            Step::Forget(a, b) => {
                if let Some(host) = self.up(*a) {
                    let peer = self.id(*b);
                    self.truth.borrow_mut().forget(self.key(*a), self.key(*b));
                    self.world.tell(host, |node, now| node.pairing().forget(now, peer));
                }
            }
            Step::Connect(a, b) => self.connect(*a, *b),
            Step::Close(a, b) => {
                if let Some(host) = self.up(*a)
                    && let Some(conn) = self.world[host].app.connection_to(&self.key(*b))
                {
                    self.world.tell(host, |node, now| node.close(now, conn));
                }
            }
            Step::Send(a, b, total, ending) => {
                let peer = self.key(*b);
                if let Some(host) = self.up(*a) {
                    self.world.with_app(host, |user, cx| user.send(cx, peer, *total, *ending));
                    self.world.settle(host);
                }
            }
            Step::Leave(number, time) => {
                if let Some(host) = self.up(*number) {
                    self.world.shut_down(host);
                    undo(&mut self.agenda, *time + Duration::from_secs(4), &step);
                }
            }
        }
    }

    fn undo(&mut self, step: Step) {
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
            Step::Store(number, ..) => self.shake(number, |_, store| *store = StoreOdds::default()),
            Step::Hooks(number, ..) => self.shake(number, |user, _| user.hooks = HookOdds::default()),
            Step::Leave(number, _) => {
                if let Some(host) = self.hosts[number] {
                    self.world.crash(host);
                    self.world.restart(host);
                }
            }
            Step::Renumber(..)
            | Step::Jump(..)
            | Step::Crash(..)
            | Step::Rebind(_)
            | Step::Villain(..)
            | Step::Pair { .. }
            | Step::Cancel(_)
            | Step::Forget(..)
            | Step::Connect(..)
            | Step::Close(..)
            | Step::Send(..) => {}
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

    fn shake(&mut self, number: usize, change: impl FnOnce(&mut User, &mut StoreOdds)) {
        if let Some(host) = self.hosts[number] {
            let machine = &mut self.world[host];
            change(&mut machine.app, &mut machine.store.odds);
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

    fn type_code(&mut self, host: usize, joiner: usize, way: Way, code: Code) {
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
    pub(super) fn connect(&mut self, from: usize, to: usize) {
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

    fn addresses(&self, number: usize) -> Vec<SocketAddr> {
        let told = self.hosts[number].and_then(|host| self.world[host].address(Family::V4));
        // Where it has no address of IPv4 the user misspells one.
        vec![told.unwrap_or_else(|| SocketAddr::from(([192, 0, 2, 1], 9)))]
    }

    pub(super) fn key(&self, number: usize) -> PublicKey {
        match self.hosts[number] {
            Some(host) => self.world[host].app.key,
            None => identity(self.plan.seed, number).public_key(),
        }
    }

    pub(super) fn id(&self, number: usize) -> PeerId {
        self.key(number).peer_id(PeerIdKind::Sha1)
    }
}

fn config(plan: &Plan) -> Config {
    let mut config = Config::new(ServiceName::new("swarm").expect("a sound name"));
    if plan.small {
        // Bounds that a flood reaches.
        (config.max_cached_records, config.max_discovered_peers) = (64, 16);
        (config.max_unauthenticated, config.max_unauthenticated_per_source, config.retry_from) = (8, 2, 4);
    }
    config
}

fn identity(seed: u64, number: usize) -> Identity {
    let mut entropy = [0; 32];
    entropy[..8].copy_from_slice(&seed.to_be_bytes());
    entropy[8..16].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    Identity::from_entropy(entropy)
}

/// Another code that is well formed: what comes of a mistake that the check digit does not catch.
fn misread(code: &Code, which: u32) -> Code {
    let spelled = code.to_string();
    let digits: u64 = spelled.chars().filter_map(|c| c.to_digit(10)).fold(0, |n, d| n * 10 + u64::from(d));
    let others = (1..).map(|step| (digits + 10 * (u64::from(which) + 1) + step) % 10_000_000);
    let mut sound = others.filter_map(|number| format!("{number:07}").parse::<Code>().ok());
    sound.find(|other| *other.to_string() != spelled).expect("one of ten numbers has the right check digit")
}
