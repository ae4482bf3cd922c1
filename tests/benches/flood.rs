//! What floods of forged mDNS do to a node: its memory, who it still sees, and how soon it finds who comes meanwhile.
//!
//! `cargo bench -p handfast-tests --bench flood`, or with another number of records: `-- 1000000`. A node that is
//! connected to a paired peer and sees another one is flooded for ten seconds of simulated time; in the middle a third
//! one starts. Prints a table, and one line of JSON at its end. Memory is what the process has resident, the simulator
//! included, where `/proc` says it.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]

use handfast_core::{Config, Event, PeerId, PeerIdKind, ServiceName};
use handfast_tests::app::{App, Context};
use handfast_tests::fabric::{Host, Outgoing, Port};
use handfast_tests::fault::Fault;
use handfast_tests::forge::dns;
use handfast_tests::machine::address;
use handfast_tests::paired::{identity, records};
use handfast_tests::stranger::{Misdeed, Puppet};
use handfast_tests::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Forged records, where nobody says otherwise.
const RECORDS: u64 = 100_000;

/// Of each peer that is announced and not there: PTR, SRV and A.
const RECORDS_OF_A_PEER: u64 = 3;

/// How long a flood takes.
const FLOOD: Duration = Duration::from_secs(10);

/// Everybody knows everybody by then.
const SETTLED: Duration = Duration::from_secs(30);

/// Who comes in the middle of a flood is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the tables are looked at.
const LOOKS: u64 = 100;

/// Goes on for longer than the flood does: nothing makes way by its age.
const TTL: u32 = 4_500;

/// Which of those who are really there a node found, and when first; whom it sees, and whom it ever lost or was cut
/// off from.
struct Watch {
    real: [PeerId; 4],
    found: BTreeMap<PeerId, Instant>,
    seen: BTreeSet<PeerId>,
    lost: BTreeSet<PeerId>,
    connected: u64,
    disconnected: u64,
}

impl Watch {
    fn new() -> Self {
        let (found, seen, lost) = Default::default();
        Self { real: [1, 2, 3, 4].map(name), found, seen, lost, connected: 0, disconnected: 0 }
    }
}

impl App for Watch {
    fn event(&mut self, cx: &mut Context<'_>, event: Event) {
        match event {
            Event::PeerDiscovered(peer) if self.real.contains(&peer.id) => {
                self.found.entry(peer.id).or_insert(cx.now.mono);
                self.seen.insert(peer.id);
            }
            Event::PeerExpired(peer) if self.real.contains(&peer) => {
                self.seen.remove(&peer);
                self.lost.insert(peer);
            }
            Event::PeerConnected(_) => self.connected += 1,
            Event::PeerDisconnected(..) => self.disconnected += 1,
            _ => {}
        }
    }
}

/// What is sent without end.
#[derive(Clone, Copy)]
enum Flood {
    /// Peers that are not there, all of one source.
    OneSource,
    /// Peers that are not there, each of a source of its own.
    EverySource,
    /// Twelve octets that claim 65,535 records in each section.
    Claims,
}

impl Flood {
    fn name(self) -> &'static str {
        match self {
            Self::OneSource => "peers that are not there, one source",
            Self::EverySource => "peers that are not there, a source each",
            Self::Claims => "12 octets that claim 65,535 records",
        }
    }

    fn datagrams(self, records: u64) -> u64 {
        match self {
            Self::OneSource | Self::EverySource => records.div_ceil(RECORDS_OF_A_PEER),
            Self::Claims => records,
        }
    }

    fn source(self, number: u64) -> Ipv4Addr {
        match self {
            Self::OneSource => Ipv4Addr::new(10, 0, 200, 1),
            // Of the LAN's own /16, lest it be turned away as coming from elsewhere.
            Self::EverySource | Self::Claims => {
                Ipv4Addr::new(10, 0, 100 + (number / 200 % 100) as u8, (number % 200) as u8 + 1)
            }
        }
    }

    fn payload(self, number: u64) -> Vec<u8> {
        match self {
            Self::OneSource | Self::EverySource => {
                let peer = format!("{number:040x}");
                dns::announcement("bench", &peer, self.source(number), TTL)
            }
            Self::Claims => [&[0, 0, 0x84, 0][..], &[0xff; 8]].concat(),
        }
    }
}

/// A LAN on which one node is flooded.
struct Lan {
    world: World<Watch>,
    victim: Host,
    mallory: Host,
}

impl Lan {
    fn new() -> Self {
        let mut world = World::seeded(1);
        let (of_victim, of_paired) = records(identity(1).public_key(), identity(2).public_key());
        let victim = world.add_with(config(), identity(1).into(), vec![of_victim], Watch::new());
        world.add_with(config(), identity(2).into(), vec![of_paired], Watch::new());
        world.add_with(config(), identity(3).into(), vec![], Watch::new());
        let lan = world.lan();
        let port = Port { interface: 1, segment: lan, addresses: vec![address("10.0.9.9/16")] };
        let mallory = world.invite(&[port], Box::new(Puppet));
        let mut lan = Self { world, victim, mallory };
        lan.world.run_for(SETTLED);
        let paired = name(2);
        lan.world.tell(victim, |node, now| node.connect(now, paired)).unwrap();
        lan.world.run_for(SETTLED);
        lan
    }

    fn watch(&self) -> &Watch {
        &self.world[self.victim].app
    }

    fn say(&mut self, flood: Flood, number: u64) {
        let group = SocketAddr::from(([224, 0, 0, 251], 5353));
        let out = Outgoing { interface: Some(1), ..Outgoing::new(5353, group, flood.payload(number)) };
        let as_if_from = Some(SocketAddr::from((flood.source(number), 5353)));
        self.world.misbehave(self.mallory, Misdeed { fault: Fault::Flooded, as_if_from, out });
    }
}

/// What one flood did.
struct Outcome {
    flood: Flood,
    datagrams: u64,
    /// Bytes.
    before: u64,
    most: u64,
    /// How full, and the bound.
    cached: (usize, usize),
    peers: (usize, usize),
    kept: bool,
    connected: bool,
    found_after: Option<Duration>,
    /// A minute after the flood.
    stayed: bool,
}

fn play(flood: Flood, forged: u64) -> Outcome {
    let mut lan = Lan::new();
    assert!(lan.watch().connected == 1 && lan.watch().seen.len() == 2, "a LAN as it should be");
    let datagrams = flood.datagrams(forged);
    let before = resident();
    let (mut most, mut cached, mut peers) = (before, (0, 0), (0, 0));
    let mut came = lan.world.now();
    for look in 0..LOOKS {
        let so_far = |look| datagrams * look / LOOKS;
        for number in so_far(look)..so_far(look + 1) {
            lan.say(flood, number);
        }
        if look == LOOKS / 2 {
            lan.world.add_with(config(), identity(4).into(), vec![], Watch::new());
            came = lan.world.now();
        }
        lan.world.run_for(FLOOD / LOOKS as u32);
        most = most.max(resident());
        let tables = lan.world.tell(lan.victim, |node, _| node.tables());
        assert!(tables.iter().all(|table| table.len <= table.bound), "no table is over its bound");
        let of = |name| tables.iter().find(|table| table.name == name).map(|table| (table.len, table.bound));
        cached = cached.max(of("mdns: records cached").unwrap());
        peers = peers.max(of("peers: known").unwrap());
    }
    lan.world.run_for(PATIENCE);
    let watch = lan.watch();
    let is_kept = |peer| !watch.lost.contains(&peer) && watch.seen.contains(&peer);
    Outcome {
        flood,
        datagrams,
        before,
        most,
        cached,
        peers,
        kept: is_kept(name(2)) && is_kept(name(3)),
        connected: watch.disconnected == 0,
        found_after: watch.found.get(&name(4)).map(|found| *found - came),
        stayed: watch.seen.contains(&name(4)),
    }
}

fn config() -> Config {
    Config::new(ServiceName::new("bench").unwrap())
}

fn name(number: u8) -> PeerId {
    identity(number).public_key().peer_id(PeerIdKind::Sha1)
}

/// Bytes of this process that are in memory; 0 where nobody says.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "NO" }
}

fn main() -> io::Result<()> {
    // Cargo adds `--bench`.
    let forged = env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(RECORDS);
    let mut out = io::stdout().lock();
    writeln!(out, "{forged} forged records, or claims of them, in {} s", FLOOD.as_secs())?;
    writeln!(
        out,
        "{:<38} | datagrams | resident before, at most | records cached | peers known | known kept | still connected | newcomer found after | and there a minute later",
        "flood"
    )?;
    let mut lines = Vec::new();
    for flood in [Flood::OneSource, Flood::EverySource, Flood::Claims] {
        let outcome = play(flood, forged);
        lines.push(outcome.json());
        writeln!(out, "{outcome}")?;
    }
    writeln!(out, r#"{{"v":1,"bench":"flood","records":{forged},"floods":[{}]}}"#, lines.join(","))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let found =
            self.found_after.map_or("NEVER".into(), |after| format!("{:.0} ms", after.as_secs_f64() * 1e3));
        write!(
            f,
            "{:<38} | {:>9} | {:>7.1} MiB, {:>6.1} MiB | {:>5} of {:>5} | {:>4} of {:>4} | {:>10} | {:>15} | {found:>20} | {:>22}",
            self.flood.name(),
            self.datagrams,
            mib(self.before),
            mib(self.most),
            self.cached.0,
            self.cached.1,
            self.peers.0,
            self.peers.1,
            yes(self.kept),
            yes(self.connected),
            yes(self.stayed),
        )
    }
}

impl Outcome {
    fn json(&self) -> String {
        let found =
            self.found_after.map_or("null".into(), |after| format!("{:.1}", after.as_secs_f64() * 1e3));
        format!(
            r#"{{"flood":"{}","datagrams":{},"resident_before":{},"resident_most":{},"cached_most":{},"cached_bound":{},"known_kept":{},"connected":{},"found_ms":{found},"there_at_the_end":{}}}"#,
            self.flood.name(),
            self.datagrams,
            self.before,
            self.most,
            self.cached.0,
            self.cached.1,
            self.kept,
            self.connected,
            self.stayed,
        )
    }
}
