//! How long two strangers take to pair on one machine: `cargo bench -p handfast-tokio --bench pairing [-- --json]`.
//!
//! Neither has a hook or a prompt, and the code is typed as soon as it is shown. Counted at the one that types, from its
//! call to the event that a connection to the paired peer is up; each round has two fresh nodes. With the store in
//! memory, and with the one on disk.

#![expect(clippy::print_stdout, reason = "a bench is there to print")]

use handfast_tokio::{
    Advertise, Config, Event, Identity, Interfaces, MemoryStore, Node, PairingStep, RedbStore, ServiceName,
    Target,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Pairings of which the median is told.
const ROUNDS: usize = 50;

/// What a pairing is to stay under.
const TARGET: Duration = Duration::from_millis(100);

/// A machine may be busy; a pairing that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the time goes.
const PARTS: [&str; 4] = ["dial and TLS", "code exchange", "commit", "data connection"];

/// The four parts, and their sum.
type Round = [Duration; PARTS.len() + 1];

#[derive(Clone, Copy)]
enum Kept {
    InMemory,
    OnDisk,
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Self::InMemory => "in memory",
            Self::OnDisk => "redb",
        }
    }
}

/// Announces nothing: the other one's address is given.
async fn start(kept: Kept, folder: &TempDir, name: &str) -> Node {
    let mut quiet = Advertise::default();
    quiet.enabled = false;
    let config = Config::new(ServiceName::new("bench").expect("a sound name"))
        .with_interfaces(Interfaces::only(["lo"]))
        .with_advertise(quiet);
    // Where nothing is kept on disk a round may have the keys of the round before it.
    let entropy = [name.len() as u8; 32];
    let builder = match kept {
        Kept::InMemory => {
            Node::builder(config, Identity::from_entropy(entropy)).with_store(MemoryStore::default())
        }
        Kept::OnDisk => {
            let store = RedbStore::open(&folder.path().join(name)).expect("a store");
            Node::builder(config, store.identity()).with_store(store)
        }
    };
    builder.start().await.expect("a node starts")
}

/// One pairing of two nodes that never met.
async fn round(kept: Kept) -> Round {
    let folder = tempfile::tempdir().expect("a folder");
    let (host, joiner) = (start(kept, &folder, "host").await, start(kept, &folder, "joiner").await);
    let port = host.local_addresses().first().expect("a node listens").port();
    let to = Target::At(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
    let mut events = joiner.events();
    let hosting = host.pair_host(Target::Any).expect("a code is shown");
    let code = hosting.code().clone();
    let begun = Instant::now();
    let typing = joiner.clone();
    let joining = tokio::spawn(async move { typing.pair_join(code, to).await });
    let mut marks = Vec::from([begun]);
    while marks.len() <= PARTS.len() {
        match events.next().await.expect("the node runs") {
            Event::PairingProgress(_, step) => marks.extend(is_mark(step).then(Instant::now)),
            Event::PeerPaired(_) | Event::PeerConnected(_) => marks.push(Instant::now()),
            _ => {}
        }
    }
    joining.await.expect("no panic").expect("the code is right");
    hosting.outcome().await.expect("the code is right");
    host.shutdown().await;
    joiner.shutdown().await;
    let total = marks[PARTS.len()] - begun;
    std::array::from_fn(|n| if n < PARTS.len() { marks[n + 1] - marks[n] } else { total })
}

/// Whether a part ends there: `Saving` is in the middle of the commit.
fn is_mark(step: PairingStep) -> bool {
    matches!(step, PairingStep::Connected | PairingStep::Confirmed)
}

/// The median of each part. Their sum is not the median of the whole.
fn medians(rounds: &[Round]) -> Round {
    std::array::from_fn(|n| {
        let mut times: Vec<_> = rounds.iter().map(|round| round[n]).collect();
        times.sort();
        times[times.len() / 2]
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn table(rows: &[(Kept, Round)]) -> String {
    let mut text = format!("{:<12}", "ms, median");
    for part in PARTS.iter().chain([&"pairing"]) {
        text += &format!("{part:>17}");
    }
    for (kept, medians) in rows {
        text += &format!("\n{:<12}", kept.name());
        text.extend(medians.iter().map(|time| format!("{:>17.1}", millis(*time))));
    }
    let is_met = rows.iter().all(|(_, medians)| medians[PARTS.len()] < TARGET);
    let verdict = if is_met { "met" } else { "missed" };
    text + &format!("\nunder {} ms: {verdict}; medians of {ROUNDS}\n", TARGET.as_millis())
}

fn json(rows: &[(Kept, Round)]) -> String {
    let row = |(kept, medians): &(Kept, Round)| {
        let parts = PARTS.iter().zip(medians).map(|(part, time)| format!("\"{part}\":{:.2}", millis(*time)));
        let parts: Vec<_> = parts.collect();
        let total = millis(medians[PARTS.len()]);
        format!(
            "{{\"store\":\"{}\",\"rounds\":{ROUNDS},\"parts_ms\":{{{}}},\"pairing_ms\":{total:.2}}}",
            kept.name(),
            parts.join(",")
        )
    };
    format!("[{}]\n", rows.iter().map(row).collect::<Vec<_>>().join(","))
}

async fn measure(kept: Kept) -> (Kept, Round) {
    // The first warms up.
    let mut rounds = Vec::new();
    for n in 0..=ROUNDS {
        let round = tokio::time::timeout(PATIENCE, round(kept)).await.expect("a pairing in time");
        rounds.extend((n > 0).then_some(round));
    }
    (kept, medians(&rounds))
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rows = [Kept::InMemory, Kept::OnDisk].map(|kept| runtime.block_on(measure(kept)));
    let as_json = std::env::args().any(|word| word == "--json");
    print!("{}", if as_json { json(&rows) } else { table(&rows) });
}
