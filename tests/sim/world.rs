//! A world: hosts, what lies between them, and time.
//!
//! Nothing here reads a clock. Time moves to the next thing that is due, and everything follows from one
//! seed: the same seed and the same calls give the same datagrams.
//!
//! At one moment, datagrams arrive first, in the order in which they were sent; then stores, hooks and applications'
//! timers have their turn; then the nodes' timers. A node that is told one and the same moment again and again, or
//! that wants more and more done at once, ends the simulation with a panic: no node busy-loops.

mod asks;
mod drive;
mod faults;
mod wire;

pub use wire::Seen;

use crate::app::{App, Recorder};
use crate::clock::Clock;
use crate::crypto::Pool;
use crate::fabric::{Fabric, Host, Link, Port, Segment};
use crate::fault::Tally;
use crate::machine::{Machine, Setup, address};
use crate::stranger::Stranger;
use crate::trace::Trace;
use handfast_core::ask::Answer;
use handfast_core::store::PairRecord;
use handfast_core::{Config, Family, HostName, Identity, Node, Now, Server};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Hosts, what lies between them, and time.
pub struct World<A = Recorder> {
    /// What carries datagrams.
    pub fabric: Fabric,
    /// What happened.
    pub trace: Trace,
    seed: u64,
    start: Instant,
    now: Instant,
    places: Vec<Place<A>>,
    lan: Option<Segment>,
    /// Whose node wants to be told the time, and when.
    wakes: BTreeSet<(Instant, Host)>,
    due: BTreeMap<(Instant, u64), Due>,
    sequence: u64,
    /// What names come to; others are never answered about.
    pub dns: BTreeMap<HostName, Vec<SocketAddr>>,
    /// A node that crashed begins again after this time.
    pub restart_after: Option<Duration>,
    rng: ChaCha12Rng,
    crypto: Pool,
    tally: Tally,
    watch: Option<wire::Watch>,
    cut: Option<wire::Cut>,
    /// Whether any stranger sees what nodes send.
    taps: bool,
    buf: Vec<u8>,
}

/// Who is at one place of the fabric.
enum Place<A> {
    Machine(Box<Machine<A>>),
    Stranger(Box<dyn Stranger>),
}

impl<A> Place<A> {
    fn name(&self) -> &str {
        match self {
            Self::Machine(machine) => &machine.name,
            Self::Stranger(_) => "stranger",
        }
    }
}

/// Something that is due at a moment.
pub(crate) enum Due {
    /// The store has served its first request.
    Store { host: Host, boots: u64 },
    /// A hook has an answer.
    Hook { host: Host, boots: u64, ticket: u64 },
    /// A node is answered.
    Answer { host: Host, boots: u64, answer: Answer },
    /// A timer of an application.
    Timer { host: Host, boots: u64, key: u64 },
    /// A stranger acts.
    Act { host: Host },
    /// A node begins again.
    Restart { host: Host },
}

impl Due {
    /// The host whose system it is a part of: while it sleeps, it waits.
    fn host(&self) -> Option<Host> {
        match self {
            Self::Store { host, .. }
            | Self::Hook { host, .. }
            | Self::Answer { host, .. }
            | Self::Timer { host, .. } => Some(*host),
            Self::Act { .. } | Self::Restart { .. } => None,
        }
    }
}

impl<A: App> World<A> {
    /// An empty world.
    pub fn seeded(seed: u64) -> Self {
        // Any moment will do: only what passes since then matters. An hour is left for those who look back.
        let start = Instant::now() + Duration::from_secs(3600);
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(1);
        Self {
            fabric: Fabric::new(seed),
            trace: Trace::default(),
            seed,
            start,
            now: start,
            places: Vec::new(),
            lan: None,
            wakes: BTreeSet::new(),
            due: BTreeMap::new(),
            sequence: 0,
            dns: BTreeMap::new(),
            restart_after: None,
            rng,
            crypto: Pool::default(),
            tally: Tally::default(),
            watch: None,
            cut: None,
            taps: false,
            buf: Vec::new(),
        }
    }

    /// Plugs a host in and starts its node.
    pub fn boot(&mut self, setup: Setup, app: A) -> Host {
        let host = Host(self.places.len());
        let mut clock = Clock::new(self.start);
        if setup.skew_s != 0 {
            clock.skew(setup.skew_s, &mut self.tally);
        }
        let ports = setup.ports.clone();
        self.places.push(Place::Machine(Box::new(Machine::new(setup, app, clock))));
        for port in ports {
            self.fabric.plug(host, port.clone());
            self[host].ports.insert(port.interface, port);
        }
        self.start_node(host);
        host
    }

    /// The segment on which [`World::add`] puts hosts.
    pub fn lan(&mut self) -> Segment {
        let lan = self.lan.unwrap_or_else(|| self.fabric.segment(Link::default()));
        self.lan = Some(lan);
        lan
    }

    /// Adds a host with an address of IPv4, and no IPv6, to the [`World::lan`].
    pub fn add_with(
        &mut self,
        config: Config,
        identity: Arc<Identity>,
        records: Vec<PairRecord>,
        app: A,
    ) -> Host {
        let number = self.places.len() + 1;
        let ip = address(&format!("10.0.{}.{}/16", number / 250, number % 250 + 1));
        let port = Port { interface: 1, segment: self.lan(), addresses: vec![ip] };
        let setup = Setup::new(format!("host-{number}"), config, identity);
        let mut setup = setup.with_port(port).with_records(records);
        setup.ipv6 = false;
        self.boot(setup, app)
    }

    /// Adds somebody who has no node and plays by no rules. He is first heard at once.
    pub fn invite(&mut self, ports: &[Port], stranger: Box<dyn Stranger>) -> Host {
        let host = Host(self.places.len());
        self.taps |= stranger.taps();
        self.places.push(Place::Stranger(stranger));
        for port in ports {
            self.fabric.plug(host, port.clone());
            for family in [Family::V4, Family::V6] {
                self.fabric.join(host, port.interface, family).expect("the port was just plugged");
            }
        }
        self.schedule(self.now, Due::Act { host });
        host
    }

    /// Every host that has a node, or had one.
    pub fn machines(&self) -> impl Iterator<Item = (Host, &Machine<A>)> {
        self.places.iter().enumerate().filter_map(|(n, place)| match place {
            Place::Machine(machine) => Some((Host(n), &**machine)),
            Place::Stranger(_) => None,
        })
    }

    /// What time it is, for the world.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How much time passed since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// What a host takes for the time.
    pub fn host_now(&self, host: Host) -> Now {
        self[host].clock.read(self.now)
    }

    /// How often each kind of fault fired.
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        tally += self.fabric.tally();
        tally
    }

    /// Where a host's QUIC socket is reached by IPv4.
    ///
    /// # Panics
    /// Where it has no address of IPv4.
    pub fn address(&self, host: Host) -> SocketAddr {
        self[host].address(Family::V4).expect("the host has an address of IPv4")
    }

    /// Tells a node something and lets it act on it.
    ///
    /// # Panics
    /// Where it crashed.
    pub fn tell<T>(&mut self, host: Host, say: impl FnOnce(&mut Node, Now) -> T) -> T {
        let now = self.host_now(host);
        let node = self[host].node().expect("the node runs");
        let result = say(node, now);
        self.settle(host);
        result
    }

    /// Tells a discovery server something and lets it act on it.
    ///
    /// # Panics
    /// Where it crashed, or is none.
    pub fn tell_server<T>(&mut self, host: Host, say: impl FnOnce(&mut Server, Now) -> T) -> T {
        let now = self.host_now(host);
        let server = self[host].server().expect("the server runs");
        let result = say(server, now);
        self.settle(host);
        result
    }

    /// Adds a line to the story.
    pub fn narrate(&mut self, host: Option<Host>, what: fmt::Arguments<'_>) {
        let at = self.elapsed();
        let who = host.map_or("world", |host| self.places[host.0].name());
        self.trace.tell(at, who, what);
    }

    /// Lets time pass until `done`, at most for `limit`. Whether it came to be.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let until = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(until) {
                return done(self);
            }
        }
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Moves time to the next thing that is due, and does it; to `until` where that comes first. Whether
    /// there was such a thing.
    pub fn step(&mut self, until: Instant) -> bool {
        let due = self.due.first_key_value().map(|((at, _), _)| *at);
        let wake = self.wakes.first().map(|(at, _)| *at);
        let Some(next) = [self.fabric.next_at(), due, wake].into_iter().flatten().min() else {
            self.now = until.max(self.now);
            return false;
        };
        if next > until {
            self.now = until.max(self.now);
            return false;
        }
        self.now = self.now.max(next);
        self.act();
        true
    }

    fn schedule(&mut self, at: Instant, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }
}

impl World {
    /// Adds a host with an address of IPv4, and no IPv6, to the [`World::lan`], whose application remembers
    /// everything.
    pub fn add(&mut self, config: Config, identity: &Identity, records: Vec<PairRecord>) -> Host {
        let identity = Identity::from_pkcs8(&identity.to_pkcs8()).expect("an identity reads what it wrote");
        self.add_with(config, Arc::new(identity), records, Recorder::default())
    }
}

impl<A> Index<Host> for World<A> {
    type Output = Machine<A>;

    fn index(&self, host: Host) -> &Machine<A> {
        match &self.places[host.0] {
            Place::Machine(machine) => machine,
            Place::Stranger(_) => panic!("a stranger has no node"),
        }
    }
}

impl<A> IndexMut<Host> for World<A> {
    fn index_mut(&mut self, host: Host) -> &mut Machine<A> {
        match &mut self.places[host.0] {
            Place::Machine(machine) => machine,
            Place::Stranger(_) => panic!("a stranger has no node"),
        }
    }
}
