//! How fast simulated LANs run, idle, and how long it takes until everybody on them sees everybody.
//!
//! `cargo bench -p handfast-tests --bench sim`, or with sizes of your own: `-- 2 50`. `idle=3600` sets how many
//! seconds to idle. Prints a table, and one line of JSON at its end.
//!
//! Datagrams are told apart as mDNS does: `ask` holds questions, `know` is the rest of a query whose known answers
//! are too many for one datagram, `tell` is a multicast response, `reply` a unicast one.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]

mod lan;

use self::lan::{Counter, config, identity};
use handfast_tests::world::{Seen, World};
use std::cell::Cell;
use std::env;
use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many nodes, where nobody says otherwise.
const SIZES: [usize; 4] = [2, 10, 100, 1_000];

/// The port of mDNS. RFC 6762 §3.
const MDNS_PORT: u16 = 5353;

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

/// Datagrams that nodes sent, by kind.
#[derive(Clone, Copy, Default)]
struct Said {
    ask: u64,
    know: u64,
    tell: u64,
    reply: u64,
}

impl Said {
    fn count(&mut self, sent: &Seen<'_>) {
        let [_, _, flags, _, 0, questions, ..] = *sent.bytes else { return };
        let is_response = flags & 0x80 != 0;
        let kind = match (is_response, questions, sent.destination.ip().is_multicast()) {
            (false, 0, _) => &mut self.know,
            (false, ..) => &mut self.ask,
            (true, _, true) => &mut self.tell,
            (true, _, false) => &mut self.reply,
        };
        *kind += 1;
    }

    fn since(self, before: Self) -> Self {
        Self {
            ask: self.ask - before.ask,
            know: self.know - before.know,
            tell: self.tell - before.tell,
            reply: self.reply - before.reply,
        }
    }

    fn all(self) -> u64 {
        self.ask + self.know + self.tell + self.reply
    }

    fn json(self) -> String {
        let Self { ask, know, tell, reply } = self;
        format!(r#"{{"ask":{ask},"know":{know},"tell":{tell},"reply":{reply}}}"#)
    }
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { ask, know, tell, reply } = self;
        write!(f, "{ask:>6} {know:>7} {tell:>7} {reply:>7}")
    }
}

/// What one part of a measurement came to.
struct Figures {
    /// How much time passed in the world.
    simulated: Duration,
    /// How much passed outside.
    real: Duration,
    said: Said,
}

/// A world of so many nodes.
struct Lan {
    world: World<Counter>,
    seen: Rc<Cell<usize>>,
    said: Rc<Cell<Said>>,
    nodes: usize,
}

impl Lan {
    fn new(nodes: usize) -> Self {
        let mut world = World::seeded(1);
        let said: Rc<Cell<Said>> = Rc::default();
        let count = Rc::clone(&said);
        world.watch(Box::new(move |sent| {
            if sent.destination.port() == MDNS_PORT {
                let mut said = count.get();
                said.count(sent);
                count.set(said);
            }
        }));
        Self { world, seen: Rc::default(), said, nodes }
    }

    fn all(&self) -> usize {
        self.nodes * (self.nodes - 1)
    }

    fn measure(&mut self, play: impl FnOnce(&mut Self)) -> Figures {
        let (before, began, started) = (self.said.get(), self.world.elapsed(), Instant::now());
        play(self);
        let (real, simulated) = (started.elapsed(), self.world.elapsed() - began);
        Figures { simulated, real, said: self.said.get().since(before) }
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

fn main() -> io::Result<()> {
    // Cargo adds `--bench`.
    let sizes: Vec<usize> = env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    let idles = |arg: String| arg.strip_prefix("idle=").and_then(|secs| secs.parse().ok());
    let idle = env::args().find_map(idles).map(Duration::from_secs);
    let mut out = io::stdout().lock();
    let kinds = "   ask    know    tell   reply";
    writeln!(
        out,
        "nodes | all see all after |   real time | {kinds} |   idle   |  real time | times real | {kinds}"
    )?;
    let mut lines = Vec::new();
    for nodes in sizes {
        let mut lan = Lan::new(nodes);
        let Figures { simulated, real, said } = lan.measure(Lan::converge);
        let (after, real, all) = (simulated.as_secs_f64(), real.as_secs_f64(), said.all());
        write!(out, "{nodes:>5} | {after:>17.3} s | {real:>9.3} s | {said} | ")?;
        out.flush()?;
        let start = lan.measure(|lan| lan.idle(SETTLED));
        let idle = lan.measure(|lan| lan.idle(idle.unwrap_or(idle_time(nodes))));
        let (simulated, idle_real) = (idle.simulated.as_secs(), idle.real.as_secs_f64());
        let speed = simulated as f64 / idle_real;
        writeln!(out, "{simulated:>6} s | {idle_real:>8.4} s | {speed:>10.0} | {}", idle.said)?;
        let (start_real, start_said) = (start.real.as_secs_f64(), start.said);
        writeln!(out, "      |   and in {SETTLED:>8.0?} s | {start_real:>9.3} s | {start_said} |")?;
        let (idle_all, said, idle_said) = (idle.said.all(), said.json(), idle.said.json());
        lines.push(format!(
            r#"{{"nodes":{nodes},"converged_after_s":{after:.3},"converged_in_s":{real:.3},"datagrams":{all},"said":{said},"idle_s":{simulated},"idle_in_s":{idle_real:.4},"times_real_time":{speed:.0},"idle_datagrams":{idle_all},"idle_said":{idle_said}}}"#,
        ));
    }
    writeln!(out, r#"{{"v":1,"bench":"sim","sizes":[{}]}}"#, lines.join(","))
}
