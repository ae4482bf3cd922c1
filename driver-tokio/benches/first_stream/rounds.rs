//! The rounds, and the table of what they took.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]

use super::lab::{self, Place, on};
use handfast_tokio::{
    Advertise, Config, Identity, Interfaces, MemoryStore, Node, PeerId, ServiceName, Sources, Target,
};
use std::env;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const ROUNDS: usize = 100;

/// The most that it may take.
const GOAL: Duration = Duration::from_millis(100);

/// Where the peer is, and stays.
const PORT: u16 = 4433;

/// Nobody is found by the LAN: what is measured is an address that is known.
fn config() -> Config {
    let mut quiet = Advertise::default();
    quiet.enabled = false;
    let interfaces = Interfaces::only(["eth0"]);
    let config = Config::new(ServiceName::new(lab::SERVICE).unwrap());
    config.with_interfaces(interfaces).with_advertise(quiet)
}

async fn start(entropy: u8, config: Config, store: MemoryStore) -> Node {
    let identity = Identity::from_entropy([entropy; 32]);
    Node::builder(config, identity).with_store(store).start().await.unwrap()
}

fn address(place: u8) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, place], PORT))
}

/// By what the node knows where its peer is.
#[derive(Clone, Copy)]
enum Known {
    /// It was connected there before: its store says so.
    Remembered,
    /// The application says so.
    Given,
}

impl Known {
    /// Whatever else could tell of an address is off.
    fn config(self) -> Config {
        let mut sources = Sources::none();
        match self {
            Self::Remembered => sources.remembered = true,
            Self::Given => sources.manual = true,
        }
        config().with_sources(sources)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Remembered => "a known peer, its address remembered",
            Self::Given => "a known peer, its address given",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Remembered => "remembered",
            Self::Given => "given",
        }
    }
}

/// Pairs the two for good, and connects them once: the store of the one in `a`.
fn pair(other: &Node) -> MemoryStore {
    let store = MemoryStore::default();
    let hosting = on(Place::B, async { other.pair_host(Target::Any).unwrap() });
    let code = hosting.code().clone();
    on(Place::A, async {
        let node = start(1, config(), store.clone()).await;
        let peer = node.pair_join(code, Target::At(vec![address(2)])).await.unwrap();
        node.add_address(peer.id, address(2));
        node.connect(peer.id).await.unwrap();
        node.shutdown().await;
    });
    store
}

/// Answers each stream with what it said.
async fn echo(node: Node) {
    while let Some(incoming) = node.accept().await {
        let (send, mut recv) = incoming.accept();
        let Some(mut send) = send else { continue };
        if let Ok(Some(said)) = recv.read_to_end(100).await
            && send.write_all(&said).await.is_ok()
        {
            let _ = send.finish();
            let _ = send.delivered().await;
        }
    }
}

async fn round(known: Known, peer: PeerId, store: MemoryStore) -> Duration {
    let began = Instant::now();
    let node = start(1, known.config(), store).await;
    match known {
        Known::Remembered => {}
        Known::Given => node.add_address(peer, address(2)),
    }
    let connection = node.connect(peer).await.unwrap();
    let (mut send, mut recv) = connection.open_bi("first").await.unwrap();
    send.write_all(b"hello").await.unwrap();
    send.finish().unwrap();
    let answer = recv.read_chunk().await.unwrap();
    let took = began.elapsed();
    assert_eq!(answer.as_deref(), Some(&b"hello"[..]));
    node.shutdown().await;
    took
}

pub(crate) fn run() -> io::Result<()> {
    let rounds = env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(ROUNDS);
    if let Some(code) = lab::enter()? {
        std::process::exit(code);
    }
    let other = on(Place::B, start(2, config().with_port(PORT), MemoryStore::default()));
    let store = pair(&other);
    let echo = echo(other.clone());
    let echoing = on(Place::B, async {
        let task = tokio::spawn(echo);
        task.abort_handle()
    });
    let mut tables = Vec::new();
    for known in [Known::Remembered, Known::Given] {
        let round = |_| on(Place::A, round(known, other.id(), store.clone()));
        let mut times: Vec<Duration> = (0..rounds).map(round).collect();
        times.sort();
        tables.push((known, times));
    }
    on(Place::B, async { other.shutdown().await });
    echoing.abort();
    print(rounds, &tables)
}

fn print(rounds: usize, tables: &[(Known, Vec<Duration>)]) -> io::Result<()> {
    let (goal, only_json) = (GOAL.as_millis(), env::args().any(|arg| arg == "--json"));
    let figures = |times: &[Duration]| {
        [50, 5, 95].map(|percent| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3)
    };
    let mut out = io::stdout().lock();
    if !only_json {
        writeln!(out, "start to first answer, {rounds} rounds | median ms |  goal | 5 % ms | 95 % ms")?;
        for (known, times) in tables {
            let ([median, low, high], title) = (figures(times), known.title());
            writeln!(out, "{title:<36} | {median:>9.1} | {goal:>5} | {low:>6.1} | {high:>7.1}")?;
        }
    }
    for (known, times) in tables {
        let ([median, low, high], name) = (figures(times), known.name());
        writeln!(
            out,
            r#"{{"v":1,"bench":"first_stream","address":"{name}","rounds":{rounds},"median_ms":{median:.1},"goal_ms":{goal},"p5_ms":{low:.1},"p95_ms":{high:.1}}}"#
        )?;
    }
    Ok(())
}
