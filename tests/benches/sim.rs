//! How fast simulated LANs run, idle, and how long it takes until everybody on them sees everybody.
//!
//! `cargo bench -p handfast-tests --bench sim`, or with sizes of your own: `-- 2 50`. Prints a table, and one line of
//! JSON at its end.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]

use handfast_core::store::PairRecord;
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

/// Within what time of the world everybody must see everybody.
const CONVERGED: Duration = Duration::from_secs(600);

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

/// What one size came to. Times are real where they are not said to be the world's.
struct Figures {
    /// Of the world.
    converged_after: Duration,
    converged_in: Duration,
    datagrams: u64,
    idle: Duration,
    idle_in: Duration,
    idle_datagrams: u64,
}

impl Figures {
    /// Seconds of an idle world in a real second.
    fn speed(&self) -> f64 {
        self.idle.as_secs_f64() / self.idle_in.as_secs_f64()
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

fn measure(nodes: usize) -> Figures {
    let seen = Rc::new(Cell::new(0));
    let mut world = World::seeded(1);
    for number in 0..nodes {
        let records: Vec<PairRecord> = vec![];
        world.add_with(config(nodes), identity(number), records, Counter(Rc::clone(&seen)));
    }
    let datagrams =
        |world: &World<Counter>| world.fabric.all_sent().map(|(.., sent)| sent.datagrams).sum::<u64>();
    let started = Instant::now();
    let all = nodes * (nodes - 1);
    assert!(world.run_until(CONVERGED, |_| seen.get() == all), "{} of {all} sightings", seen.get());
    let (converged_after, converged_in, sent) = (world.elapsed(), started.elapsed(), datagrams(&world));
    // Until what they have to say to begin with is said.
    world.run_for(Duration::from_secs(30));
    let (before, started, idle) = (datagrams(&world), Instant::now(), idle_time(nodes));
    world.run_for(idle);
    assert_eq!(seen.get(), all, "an idle LAN loses nobody");
    Figures {
        converged_after,
        converged_in,
        datagrams: sent,
        idle,
        idle_in: started.elapsed(),
        idle_datagrams: datagrams(&world) - before,
    }
}

fn main() -> io::Result<()> {
    // Cargo adds `--bench`.
    let sizes: Vec<usize> = env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "nodes | all see all after |   real time | datagrams |   idle | real time | times real time | datagrams"
    )?;
    let mut lines = Vec::new();
    for nodes in sizes {
        let figures = measure(nodes);
        let Figures { converged_after, converged_in, datagrams, idle, idle_in, idle_datagrams, .. } = figures;
        let (after, real) = (converged_after.as_secs_f64(), converged_in.as_secs_f64());
        let (idle, idle_real) = (idle.as_secs(), idle_in.as_secs_f64());
        let speed = figures.speed();
        writeln!(
            out,
            "{nodes:>5} | {after:>17.3} s | {real:>9.3} s | {datagrams:>9} | {idle:>4} s | {idle_real:>7.3} s | \
             {speed:>15.0} | {idle_datagrams:>9}",
        )?;
        out.flush()?;
        lines.push(format!(
            r#"{{"nodes":{nodes},"converged_after_s":{after:.3},"converged_in_s":{real:.3},"datagrams":{datagrams},"idle_s":{idle},"idle_in_s":{idle_real:.4},"times_real_time":{speed:.0},"idle_datagrams":{idle_datagrams}}}"#,
        ));
    }
    writeln!(out, r#"{{"v":1,"bench":"sim","sizes":[{}]}}"#, lines.join(","))
}
