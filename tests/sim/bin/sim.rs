//! Plays many random worlds, and tells of each in which something broke how to see it again.

use clap::Parser;
use handfast_tests::fault::{Fault, Tally};
use handfast_tests::swarm::{self, Feats, Outcome, Plan, Violation};
use handfast_tests::trace::Detail;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Every kind of fault is in so many worlds.
const ENOUGH: u64 = 1000;

/// Plays random worlds of simulated devices, each from a seed, and checks what must hold in all of them.
#[derive(Parser)]
struct Args {
    /// How many worlds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many at a time; one a core by default.
    #[arg(long)]
    jobs: Option<usize>,
    /// Begins no world after so many minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// Begins no world after the first violation.
    #[arg(long)]
    first: bool,
    /// Prints one line of JSON at the end, and all else to standard error.
    #[arg(long)]
    json: bool,
    /// Plays one world.
    #[arg(long)]
    seed: Option<u64>,
    /// Takes these items out of the world of `--seed`, as a shrunk violation names them.
    #[arg(long, value_delimiter = ',')]
    without: Vec<usize>,
    /// Tells the story of `--seed`.
    #[arg(long)]
    trace: bool,
    /// Tells the story of `--seed` with every datagram.
    #[arg(long)]
    wire: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    swarm::silence_panics();
    let result = match args.seed {
        Some(seed) => replay(seed, &args),
        None => play_all(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        // A reader that has gone away is no failure of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

fn replay(seed: u64, args: &Args) -> io::Result<bool> {
    let gone: BTreeSet<usize> = args.without.iter().copied().collect();
    let detail = match (args.wire, args.trace) {
        (true, _) => Detail::Datagrams,
        (false, true) => Detail::Story,
        (false, false) => Detail::Digest,
    };
    let outcome = swarm::play(&Plan::draw(seed).without(&gone), detail);
    let mut out = io::stdout().lock();
    for line in outcome.story {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "seed {seed}: {:?} simulated, trace {}", outcome.simulated, outcome.digest)?;
    match outcome.violation {
        None => {
            writeln!(out, "nothing broke")?;
            Ok(true)
        }
        Some(violation) => {
            writeln!(out, "{violation}")?;
            Ok(false)
        }
    }
}

fn play_all(args: &Args) -> io::Result<bool> {
    let started = Instant::now();
    let end = args.from.saturating_add(args.seeds);
    let stop_at = args.minutes.map(|minutes| started + Duration::from_secs(60 * minutes));
    let bar = ProgressBar::new(args.seeds).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} worlds, {per_sec}, {eta} left {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let (next, report) = (AtomicU64::new(args.from), Mutex::new(Report::default()));
    let play_on = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end || stop_at.is_some_and(|stop| Instant::now() >= stop) {
            return;
        }
        let outcome = swarm::play(&Plan::draw(seed), Detail::Digest);
        if outcome.violation.is_some() && args.first {
            next.store(end, Ordering::Relaxed);
        }
        report.lock().expect("nobody panics with the report in hand").note(seed, outcome, &bar);
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..args.jobs.unwrap_or(cores).max(1) {
            scope.spawn(play_on);
        }
    });
    bar.finish_and_clear();
    let mut report = report.into_inner().expect("nobody panics with the report in hand");
    report.seconds = started.elapsed().as_secs_f64();
    let shrunk = report.shrink();
    let words: &mut dyn Write = if args.json { &mut io::stderr() } else { &mut io::stdout() };
    report.tell(words, &shrunk)?;
    if args.json {
        writeln!(io::stdout(), "{}", report.json(&shrunk))?;
    }
    Ok(report.is_clean())
}

/// What became of all worlds.
#[derive(Default)]
struct Report {
    played: u64,
    tally: Tally,
    feats: Feats,
    simulated: Duration,
    seconds: f64,
    /// The seeds in which something broke, with what.
    broken: Vec<(u64, Violation)>,
}

impl Report {
    fn note(&mut self, seed: u64, outcome: Outcome, bar: &ProgressBar) {
        self.played += 1;
        self.tally += &outcome.tally;
        self.feats += outcome.feats;
        self.simulated += outcome.simulated;
        if let Some(violation) = outcome.violation {
            bar.println(format!("seed {seed}: {}", violation.sentence));
            self.broken.push((seed, violation));
            bar.set_message(format!("- {} broken", self.broken.len()));
        }
        bar.inc(1);
    }

    /// The kinds of fault that never fired, where there were worlds enough for each.
    fn silent(&self) -> Vec<Fault> {
        if self.played < ENOUGH { Vec::new() } else { self.tally.silent().collect() }
    }

    /// Whether nothing broke, and everything was tried.
    fn is_clean(&self) -> bool {
        self.broken.is_empty() && self.silent().is_empty()
    }

    fn hours(&self) -> f64 {
        self.simulated.as_secs_f64() / 3600.0
    }

    fn rate(&self) -> f64 {
        self.played as f64 / self.seconds.max(1e-9)
    }

    fn tell(&self, out: &mut dyn Write, shrunk: &[Shrunk]) -> io::Result<()> {
        for fault in Fault::ALL {
            writeln!(out, "{:>12}  {fault}", self.tally.of(fault))?;
        }
        for fault in self.silent() {
            writeln!(out, "NEVER FIRED: {fault}")?;
        }
        for one in shrunk {
            one.tell(out)?;
        }
        let Feats {
            paired,
            trusted,
            connected,
            streams,
            bytes,
            published,
            renamed,
            found,
            datagrams,
            answers,
            ..
        } = self.feats;
        writeln!(
            out,
            "{paired} times paired, {trusted} of them without a code, {connected} connected; {streams} streams whole, {} MiB",
            bytes >> 20
        )?;
        writeln!(out, "{datagrams} datagrams, {answers} questions answered")?;
        writeln!(out, "{published} services published, {renamed} renamed; {found} found")?;
        let (broken, silent) = (self.broken.len(), self.silent().len());
        writeln!(
            out,
            "{} worlds in {:.0} s, {:.1} a second, {:.0} hours simulated",
            self.played,
            self.seconds,
            self.rate(),
            self.hours()
        )?;
        writeln!(out, "{broken} broken, {silent} kinds of fault never fired")
    }

    fn json(&self, shrunk: &[Shrunk]) -> Value {
        let faults = Fault::ALL.map(|fault| (fault.to_string(), self.tally.of(fault).into()));
        let Feats {
            paired,
            trusted,
            connected,
            streams,
            bytes,
            published,
            renamed,
            found,
            datagrams,
            answers,
            ..
        } = self.feats;
        let one =
            |one: &Shrunk| json!({ "seed": one.seed, "left": one.left, "broken": one.smaller.sentence });
        json!({
            "v": 1,
            "seeds": self.played,
            "violations": self.broken.len(),
            "broken_seeds": self.broken.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(),
            "shrunk": shrunk.iter().map(one).collect::<Vec<_>>(),
            "never_fired": self.silent().iter().map(Fault::to_string).collect::<Vec<_>>(),
            "paired": paired,
            "trusted": trusted,
            "connected": connected,
            "streams": streams,
            "bytes": bytes,
            "published": published,
            "renamed": renamed,
            "found": found,
            "datagrams": datagrams,
            "answers": answers,
            "seconds": tenth(self.seconds),
            "seeds_per_s": tenth(self.rate()),
            "simulated_hours": tenth(self.hours()),
            "faults": Value::Object(faults.into_iter().collect()),
        })
    }

    /// One world of each kind of violation, made smaller: what breaks often breaks for one reason.
    fn shrink(&self) -> Vec<Shrunk> {
        let mut kinds = BTreeSet::new();
        let firsts = self.broken.iter().filter(|(_, violation)| kinds.insert(violation.kind()));
        firsts.map(|(seed, violation)| Shrunk::new(*seed, violation)).collect()
    }
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A world in which something broke, and what can be left out of it.
struct Shrunk {
    seed: u64,
    violation: Violation,
    gone: BTreeSet<usize>,
    left: usize,
    smaller: Violation,
}

impl Shrunk {
    fn new(seed: u64, violation: &Violation) -> Self {
        let plan = Plan::draw(seed);
        let (gone, smaller) = swarm::shrink(&plan, violation);
        Self { seed, violation: violation.clone(), left: plan.items() - gone.len(), gone, smaller }
    }

    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        const COMMAND: &str = "cargo run --release -p handfast-tests --bin sim --";
        writeln!(out, "{}", self.violation)?;
        writeln!(out, "    {COMMAND} --seed {} --trace", self.seed)?;
        if self.gone.is_empty() {
            return Ok(());
        }
        let gone: Vec<String> = self.gone.iter().map(usize::to_string).collect();
        writeln!(out, "  shrunk to {} items, {}", self.left, self.smaller)?;
        writeln!(out, "    {COMMAND} --seed {} --without {} --trace", self.seed, gone.join(","))
    }
}
