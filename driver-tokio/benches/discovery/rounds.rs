//! The rounds, and the table of what they took.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]

use super::avahi;
use super::lab::{self, Place, on};
use handfast_tokio::{
    Config, Event, Events, Identity, Interfaces, MemoryStore, Node, PeerId, PeerIdKind, ServiceName, Target,
    new_identity,
};
use std::env;
use std::io::{self, Write};
use std::time::{Duration, Instant};

const ROUNDS: usize = 100;

/// A record is multicast once a second (RFC 6762 §6), and a probe or an answer of the last round must not delay the next.
const APART: Duration = Duration::from_millis(1_100);

/// A node that nobody sees in this time is a fault.
const LATEST: Duration = Duration::from_secs(30);

/// What one kind of round came to.
struct Row {
    what: &'static str,
    /// The most that it may take.
    goal: Duration,
    times: Vec<Duration>,
}

impl Row {
    fn of(what: &'static str, goal: u64, mut times: Vec<Duration>) -> Self {
        times.sort();
        Self { what, goal: Duration::from_millis(goal), times }
    }

    fn at(&self, percent: usize) -> f64 {
        let at = (self.times.len() - 1) * percent / 100;
        self.times[at].as_secs_f64() * 1e3
    }
}

fn config() -> Config {
    let interfaces = Interfaces::only(["eth0"]);
    Config::new(ServiceName::new(lab::SERVICE).unwrap()).with_interfaces(interfaces)
}

async fn start(identity: Identity, store: MemoryStore) -> Node {
    Node::builder(config(), identity).with_store(store).start().await.unwrap()
}

/// Waits until a peer is told of, and says when that was.
async fn seen(events: &mut Events, peer: PeerId) -> Instant {
    let told = async {
        while let Some(event) = events.next().await {
            if matches!(&event, Event::PeerDiscovered(found) if found.id == peer) {
                return Instant::now();
            }
        }
        panic!("the node was stopped")
    };
    tokio::time::timeout(LATEST, told).await.unwrap()
}

/// A node starts while another one browses: until the other one sees it.
fn starting(rounds: usize) -> Vec<Duration> {
    let browser = on(Place::A, async { start(new_identity().unwrap(), MemoryStore::default()).await });
    let mut events = browser.events();
    let round = |_| {
        let identity = new_identity().unwrap();
        let began = Instant::now();
        let node = on(Place::B, start(identity, MemoryStore::default()));
        let id = node.id();
        let at = on(Place::A, async { seen(&mut events, id).await });
        on(Place::B, async { node.shutdown().await });
        at - began
    };
    let times = (0..rounds).map(round).collect();
    on(Place::A, async { browser.shutdown().await });
    times
}

/// A node starts while another one is there: until it sees the other one. `identity` and `store` are its own, or
/// made anew for each round.
fn arriving(
    rounds: usize,
    target: PeerId,
    mut who: impl FnMut() -> (Identity, MemoryStore),
) -> Vec<Duration> {
    let round = |_| {
        std::thread::sleep(APART);
        let (identity, store) = who();
        let began = Instant::now();
        let (node, at) = on(Place::A, async {
            let node = start(identity, store).await;
            let at = seen(&mut node.events(), target).await;
            (node, at)
        });
        on(Place::A, async { node.shutdown().await });
        at - began
    };
    (0..rounds).map(round).collect()
}

/// Pairs two nodes for good: the key and the store of the one in `a`.
fn pair(other: &Node) -> ([u8; 32], MemoryStore) {
    let (entropy, store) = ([7; 32], MemoryStore::default());
    let hosting = on(Place::B, async { other.pair_host(Target::Any).unwrap() });
    let code = hosting.code().clone();
    on(Place::A, async {
        let node = start(Identity::from_entropy(entropy), store.clone()).await;
        seen(&mut node.events(), other.id()).await;
        node.pair_join(code, Target::Peer(other.id())).await.unwrap();
        node.shutdown().await;
    });
    (entropy, store)
}

pub(crate) fn run() -> io::Result<()> {
    let rounds = env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(ROUNDS);
    if let Some(code) = lab::enter()? {
        std::process::exit(code);
    }
    let fresh = || (new_identity().unwrap(), MemoryStore::default());
    let mut rows = vec![Row::of("a peer starts while we browse", 20, starting(rounds))];

    let other = on(Place::B, async { start(new_identity().unwrap(), MemoryStore::default()).await });
    rows.push(Row::of("we start, a stranger is there", 165, arriving(rounds, other.id(), fresh)));
    let (entropy, store) = pair(&other);
    let known = || (Identity::from_entropy(entropy), store.clone());
    rows.push(Row::of("we start, a paired peer is there", 100, arriving(rounds, other.id(), known)));
    on(Place::B, async { other.shutdown().await });

    let target = new_identity().unwrap().peer_id(PeerIdKind::default());
    match avahi::avahi(target) {
        Ok(daemon) => {
            rows.push(Row::of("we start, Avahi is there", 300, arriving(rounds, target, fresh)));
            drop(daemon);
        }
        Err(error) => writeln!(io::stderr(), "NOT MEASURED, for want of avahi-daemon: {error}")?,
    }
    print(&rows, rounds)
}

fn print(rows: &[Row], rounds: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "until it is seen, {rounds} rounds | median ms |  goal | 5 % ms | 95 % ms")?;
    let mut lines = Vec::new();
    for row in rows {
        let (median, low, high, goal) = (row.at(50), row.at(5), row.at(95), row.goal.as_millis());
        writeln!(out, "{:<36} | {median:>9.1} | {goal:>5} | {low:>6.1} | {high:>7.1}", row.what)?;
        lines.push(format!(
            r#"{{"what":"{}","median_ms":{median:.1},"goal_ms":{goal},"p5_ms":{low:.1},"p95_ms":{high:.1}}}"#,
            row.what
        ));
    }
    writeln!(out, r#"{{"v":1,"bench":"discovery","rounds":{rounds},"rows":[{}]}}"#, lines.join(","))
}
