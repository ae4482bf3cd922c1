//! Plays a plan: builds its world, has done what it says when it says so, ends all faults, and lets the world
//! come to rest.

mod reach;
mod steps;

use super::agenda::{Agenda, Item};
use super::budget::Budget;
use super::calm::{self, Hushed};
use super::geography::Geography;
use super::manners::Manners;
use super::plan::{Guest, Plan};
use super::rehearsal;
use super::silence::Silence;
use super::truth::Truth;
use super::user::User;
use super::verdict;
use crate::fabric::Host;
use crate::machine::Setup;
use crate::trace::Detail;
use crate::world::World;
use handfast_core::{
    Config, Consent, Identity, PairingId, PeerId, PeerIdKind, Policy, PublicKey, ServiceName, Sources,
};
use simple_dns::Packet;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Who is not to be heard on the LAN.
    pub(super) silence: Rc<RefCell<Silence>>,
    /// The hosts of which nothing arrives, and with `false` those of which that was so.
    muted: Rc<RefCell<BTreeMap<Host, bool>>>,
    /// Pairs of guests of which one closed the connection: they are not kept connected until one dials.
    pub(super) closed: BTreeSet<[usize; 2]>,
    /// The guest that left in good order when all was calm.
    pub(super) left: Option<usize>,
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
        let mut budget = Budget::new(&plan);
        let hushed = Rc::new(RefCell::new(Hushed::default()));
        let listener = Rc::clone(&hushed);
        let mut manners = Manners::default();
        let silence = Rc::new(RefCell::new(Silence::default()));
        let quiet = Rc::clone(&silence);
        let muted = Rc::new(RefCell::new(BTreeMap::new()));
        let (lost, unheard) = (Rc::clone(&muted), Rc::clone(&muted));
        world.lose(move |from, _| lost.borrow().get(&from) == Some(&true));
        world.watch(Box::new(move |seen| {
            if seen.interface.is_none() {
                return;
            }
            let packet = Packet::parse(seen.bytes).expect("what a node says on the LAN can be read");
            budget.sent(seen, &packet);
            listener.borrow_mut().sent(seen, &packet);
            // Of whom not all is seen it is not known how often he asked.
            if !unheard.borrow().contains_key(&seen.host) {
                manners.sent(seen, &packet);
            }
            quiet.borrow().sent(seen);
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
            silence,
            muted,
            closed: BTreeSet::new(),
            left: None,
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
        rehearsal::play(self);
        calm::check_switch(self);
        calm::check_goodbye(self);
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
                verdict::check_nodes(self);
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
        for number in 0..self.hosts.len() {
            self.set_sources(number, Sources::all());
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
        (user.slow, user.is_asked) = (slow, self.plan.care.confirms);
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
    let consent = |asked| if asked { Consent::Asked } else { Consent::Given };
    (config.confirmation, config.admission) = (consent(plan.care.confirms), consent(plan.care.admits));
    if plan.eager {
        config = config.with_policy(Policy::Eager);
    }
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
