//! How fast simulated LANs run, idle, and how long it takes until everybody on them sees everybody.
//!
//! `cargo bench -p handfast-tests --bench sim`, or with sizes of your own: `-- 2 50`. Prints a table, and one line of
//! JSON at its end.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]

use handfast_core::{Config, Event, Identity, ServiceName};
use handfast_tests::app::{App, Context};
use handfast_tests::world::World;
use std::cell::Cell;
use std::env;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many nodes, where nobody says otherwise.
const SIZES: [usize; 4] = [2, 10, 100, 1_000];

/// One node after the other comes to the LAN.
const ARRIVES_AFTER: Duration = Duration::from_millis(10);

/// Within what time of the world everybody must see everybody.
const CONVERGED: Duration = Duration::from_secs(600);

/// After so long everybody has said what there is to say to begin with.
const SETTLED: Duration = Duration::from_secs(30);

/// Idle time to play for each size: an hour for ten nodes, and less the more there are.
fn idle_time(nodes: usize) -> Duration {
    match nodes {
        ..=10 => Duration::from_secs(3_600),
        11..=100 => Duration::from_secs(900),
        _ => Duration::from_secs(60),
    }
}

/// Counts what is discovered and not expired, in the whole world.
struct Counter(Rc<Cell<usize>>);

impl App for Counter {
    fn event(&mut self, _: &mut Context<'_>, event: Event) {
        match event {
            Event::PeerDiscovered(_) => self.0.set(self.0.get() + 1),
            Event::PeerExpired(_) => self.0.set(self.0.get() - 1),
            _ => {}
        }
    }
}

/// What one part of a measurement came to.
struct Figures {
    /// How much time passed in the world.
    simulated: Duration,
    /// How much passed outside.
    real: Duration,
    datagrams: u64,
}

/// A world of so many nodes.
struct Lan {
    world: World<Counter>,
    seen: Rc<Cell<usize>>,
    nodes: usize,
}

impl Lan {
    fn new(nodes: usize) -> Self {
        Self { world: World::seeded(1), seen: Rc::default(), nodes }
    }

    fn all(&self) -> usize {
        self.nodes * (self.nodes - 1)
    }

    fn measure(&mut self, play: impl FnOnce(&mut Self)) -> Figures {
        let sent = |lan: &Self| lan.world.fabric.all_sent().map(|(.., sent)| sent.datagrams).sum::<u64>();
        let (before, began, started) = (sent(self), self.world.elapsed(), Instant::now());
        play(self);
        let (real, simulated) = (started.elapsed(), self.world.elapsed() - began);
        Figures { simulated, real, datagrams: sent(self) - before }
    }

    fn converge(&mut self) {
        for number in 0..self.nodes {
            let counter = Counter(Rc::clone(&self.seen));
            self.world.add_with(config(self.nodes), identity(number), vec![], counter);
            self.world.run_for(ARRIVES_AFTER);
        }
        let (seen, all) = (Rc::clone(&self.seen), self.all());
        assert!(self.world.run_until(CONVERGED, |_| seen.get() == all), "{} of {all} sightings", seen.get());
    }

    fn idle(&mut self, time: Duration) {
        self.world.run_for(time);
        assert_eq!(self.seen.get(), self.all(), "an idle LAN loses nobody");
    }
}

fn config(nodes: usize) -> Config {
    let mut config = Config::new(ServiceName::new("bench").unwrap());
    config.max_discovered_peers += nodes;
    // A peer has less than eight records.
    config.max_cached_records += nodes * 8;
    config
}

fn identity(number: usize) -> Arc<Identity> {
    let mut entropy = [0; 32];
    entropy[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    Arc::new(Identity::from_entropy(entropy))
}

fn main() -> io::Result<()> {
    // Cargo adds `--bench`.
    let sizes: Vec<usize> = env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "nodes | all see all after |   real time | datagrams |   idle |  real time | times real | datagrams"
    )?;
    let mut lines = Vec::new();
    for nodes in sizes {
        let mut lan = Lan::new(nodes);
        let Figures { simulated, real, datagrams } = lan.measure(Lan::converge);
        let (after, real) = (simulated.as_secs_f64(), real.as_secs_f64());
        write!(out, "{nodes:>5} | {after:>17.3} s | {real:>9.3} s | {datagrams:>9} | ")?;
        out.flush()?;
        lan.idle(SETTLED);
        let idle = lan.measure(|lan| lan.idle(idle_time(nodes)));
        let (simulated, idle_real) = (idle.simulated.as_secs(), idle.real.as_secs_f64());
        let (speed, idle_datagrams) = (simulated as f64 / idle_real, idle.datagrams);
        writeln!(out, "{simulated:>4} s | {idle_real:>8.4} s | {speed:>10.0} | {idle_datagrams:>9}")?;
        lines.push(format!(
            r#"{{"nodes":{nodes},"converged_after_s":{after:.3},"converged_in_s":{real:.3},"datagrams":{datagrams},"idle_s":{simulated},"idle_in_s":{idle_real:.4},"times_real_time":{speed:.0},"idle_datagrams":{idle_datagrams}}}"#,
        ));
    }
    writeln!(out, r#"{{"v":1,"bench":"sim","sizes":[{}]}}"#, lines.join(","))
}
