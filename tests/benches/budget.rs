//! What a node costs its LAN: packets and bytes when all start together, when all wake together, and for a day idle.
//!
//! `cargo bench -p handfast-tests --bench budget`, or with sizes of your own: `-- 2 50`. `hours=3` idles for less than a
//! day: a thousand nodes take long to play. Counted at the simulated
//! wire, IPv4 alone; with IPv6 each of its links costs as much again. Prints a table, and one line of JSON at its end.
//!
//! Beside it stand what RFC 6762 would allow, and what a node that asks every five minutes and is answered by every
//! other one would send, as libp2p's mDNS does by default (`Config::query_interval`).

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]

mod lan;

use self::lan::{Counter, config, identity};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;
use std::cell::Cell;
use std::env;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many nodes, where nobody says otherwise.
const SIZES: [usize; 4] = [2, 10, 100, 1_000];

/// Who starts or wakes with all others says the most in this time.
const BURST: Duration = Duration::from_secs(5);

/// After so long everybody has said what there is to say to begin with.
const START: Duration = Duration::from_secs(60);

/// How long everybody sleeps: less than a record lives, so that all wake with what they knew.
const NAP: Duration = Duration::from_secs(600);

const HOUR: Duration = Duration::from_secs(3_600);

/// How long all are idle, where nobody says otherwise.
const HOURS: u32 = 24;

/// How often a node of libp2p's mDNS asks for all others. Each of them answers.
const LIBP2P_INTERVAL: Duration = Duration::from_secs(300);

/// The records of a node with one address: PTR and its enumeration, SRV, TXT and A.
const RECORDS: u64 = 5;

/// What crossed the wire, a node.
#[derive(Clone, Copy)]
struct Cost {
    packets: f64,
    bytes: f64,
}

/// A LAN of so many nodes, which all started at once.
struct Lan {
    world: World<Counter>,
    hosts: Vec<Host>,
    seen: Rc<Cell<usize>>,
}

impl Lan {
    fn new(nodes: usize) -> Self {
        let mut lan = Self { world: World::seeded(1), hosts: Vec::new(), seen: Rc::default() };
        for number in 0..nodes {
            let counter = Counter(Rc::clone(&lan.seen));
            let host = lan.world.add_with(config(nodes), identity(number), vec![], counter);
            lan.hosts.push(host);
        }
        lan
    }

    fn total(&self) -> (u64, u64) {
        let sent = self.world.fabric.all_sent().map(|(.., sent)| sent);
        sent.fold((0, 0), |(packets, bytes), sent| (packets + sent.datagrams, bytes + sent.bytes))
    }

    /// Lets time pass, and says what it cost a node.
    fn cost_of(&mut self, time: Duration) -> Cost {
        let before = self.total();
        self.world.run_for(time);
        let after = self.total();
        let a_node = |total: u64| total as f64 / self.hosts.len() as f64;
        Cost { packets: a_node(after.0 - before.0), bytes: a_node(after.1 - before.1) }
    }

    fn nap(&mut self) {
        for host in self.hosts.clone() {
            self.world.suspend(host);
        }
        self.world.run_for(NAP);
        for host in self.hosts.clone() {
            self.world.resume(host);
        }
    }

    fn check(&self) {
        assert_eq!(self.seen.get(), self.hosts.len() * (self.hosts.len() - 1), "everybody sees everybody");
    }
}

/// What RFC 6762 lets a node send in an hour: each of its records once a second (§6), and for each record of another
/// one that it knows four questions in 80 to 95 % of its 75 minutes (§5.2).
fn allowed_an_hour(nodes: usize) -> f64 {
    let others = nodes as f64 - 1.0;
    (RECORDS * 3_600) as f64 + others * 4.0 * 60.0 / 75.0
}

/// A question every interval, and an answer to each of everybody else's.
fn libp2p_an_hour(nodes: usize) -> f64 {
    3_600.0 / LIBP2P_INTERVAL.as_secs_f64() * nodes as f64
}

fn main() -> io::Result<()> {
    // Cargo adds `--bench`.
    let hours = env::args().find_map(|arg| arg.strip_prefix("hours=")?.parse().ok()).unwrap_or(HOURS).max(1);
    let sizes: Vec<usize> = env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "      |   a node, when all start    |  all wake |      a node, an hour idle      | played in"
    )?;
    writeln!(out, "nodes | in 5 s |  in 60 s |     bytes |    in 5 s | packets |  bytes | RFC | libp2p |")?;
    let mut lines = Vec::new();
    for nodes in sizes {
        let started = Instant::now();
        let mut lan = Lan::new(nodes);
        let burst = lan.cost_of(BURST);
        let rest = lan.cost_of(START - BURST);
        lan.check();
        let (first, bytes) = (burst.packets + rest.packets, burst.bytes + rest.bytes);
        lan.nap();
        let wake = lan.cost_of(BURST);
        lan.world.run_for(START);
        lan.check();
        let idle = lan.cost_of(HOUR * hours);
        lan.check();
        let (packets, idle_bytes) = (idle.packets / f64::from(hours), idle.bytes / f64::from(hours));
        let (allowed, libp2p) = (allowed_an_hour(nodes), libp2p_an_hour(nodes));
        writeln!(
            out,
            "{nodes:>5} | {:>6.2} | {first:>8.2} | {bytes:>9.0} | {:>9.2} | {packets:>7.2} | {idle_bytes:>6.0} | {allowed:>5.0} | {libp2p:>6.0} | {:>7.1} s",
            burst.packets,
            wake.packets,
            started.elapsed().as_secs_f64(),
        )?;
        lines.push(format!(
            r#"{{"nodes":{nodes},"start_5s_packets":{:.2},"start_packets":{first:.2},"start_bytes":{bytes:.0},"wake_5s_packets":{:.2},"idle_hour_packets":{packets:.3},"idle_hour_bytes":{idle_bytes:.0},"rfc_hour_packets":{allowed:.0},"libp2p_hour_packets":{libp2p:.0}}}"#,
            burst.packets, wake.packets,
        ));
    }
    writeln!(out, r#"{{"v":1,"bench":"budget","idle_hours":{hours},"sizes":[{}]}}"#, lines.join(","))
}
