//! The discovery server beside a plain one on quinn, and by itself:
//! `cargo bench -p handfast-cli --bench discovery_server [-- --json]`.
//!
//! Both servers do the same work for the same clients. What counts is the processor time of the server's thread, so that
//! what the clients take on the same machine is unfair to neither; rounds alternate, and the middle one counts.

#![expect(clippy::print_stdout, reason = "a bench is there to print")]

mod bed;
mod load;
mod plain;
mod registry;
mod report;
mod wire;

use bed::Bed;
use handfast_core::Identity;
use handfast_tokio::{Interfaces, Server, ServerConfig};
use load::{ANNOUNCEMENTS, CLIENTS, Load, REQUESTS, SESSIONS};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng as _;
use report::{Figures, Growth, Room};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wire::Resident;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Rounds. Odd, so that one is in the middle.
const ROUNDS: usize = 5;
/// Records while both servers are measured.
const RECORDS: usize = 10_000;
/// Pairs of requests by which it is seen whether a stranger learns anything.
const PAIRS: usize = 10_000;
/// Pairs of one client, who may not ask more.
const PAIRS_A_CLIENT: usize = 125;

fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn residents(rng: &mut ChaCha12Rng, count: usize) -> Arc<Vec<Resident>> {
    Arc::new((0..count).map(|_| Resident::new(rng)).collect())
}

/// Our server on a bed, with residents. It writes its file anew when it stops, and so no other one has the same.
fn ours(bed: &Bed, file: PathBuf, residents: &[Resident]) -> (Server, SocketAddr) {
    registry::snapshot_of(residents, &file).expect("a snapshot is written");
    let config = ServerConfig::new().with_interfaces(Interfaces::only(["lo"]));
    let builder = Server::builder(config, Identity::from_entropy([3; 32])).with_snapshot(file);
    let within = bed.handle.enter();
    let server = bed.handle.block_on(builder.start()).expect("the server starts");
    drop(within);
    let port = server.local_addresses().first().expect("a socket").port();
    (server, (Ipv4Addr::LOCALHOST, port).into())
}

/// Theirs.
fn theirs(bed: &Bed, residents: &[Resident]) -> SocketAddr {
    let records = residents.iter().map(|resident| (resident.owner, resident.entry().record)).collect();
    let within = bed.handle.enter();
    let address = plain::start(Arc::new(std::sync::Mutex::new(records)));
    drop(within);
    (Ipv4Addr::LOCALHOST, address.port()).into()
}

/// What a server's thread needs for one of so many, in microseconds.
fn each(bed: &Bed, count: usize, work: impl FnOnce()) -> f64 {
    let before = bed.cpu();
    work();
    (bed.cpu() - before).as_secs_f64() * 1e6 / count as f64
}

fn middle<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("times are numbers"));
    values[values.len() / 2]
}

/// Requests and sessions of both: microseconds of processor time for each.
fn beside(load: &Load, rng: &mut ChaCha12Rng, folder: &Path) -> [[f64; 2]; 2] {
    let residents = residents(rng, RECORDS);
    let beds = [Bed::new(), Bed::new()];
    let (_server, our_address) = ours(&beds[1], folder.join("beside"), &residents);
    let addresses = [theirs(&beds[0], &residents), our_address];
    let mut requests = [Vec::new(), Vec::new()];
    let mut sessions = requests.clone();
    for _ in 0..ROUNDS {
        for which in 0..2 {
            let clients = load.connect(addresses[which]);
            let work = || load.look_up(&clients, &residents);
            requests[which].push(each(&beds[which], CLIENTS * REQUESTS, work));
        }
        for which in 0..2 {
            let work = || load.sessions(addresses[which]);
            sessions[which].push(each(&beds[which], SESSIONS, work));
        }
    }
    [requests.map(middle), sessions.map(middle)]
}

/// What so many records cost without a client.
fn room(rng: &mut ChaCha12Rng, folder: &Path, count: usize) -> Room {
    let (machine, bytes) = registry::fill(rng, count, allocated);
    let written = registry::snapshot(&machine, &folder.join("written")).expect("a snapshot is written");
    Room { bytes, snapshot: written[0], locked: written[1] }
}

/// What requests cost as there are more records.
fn growth(load: &Load, rng: &mut ChaCha12Rng, folder: &Path, (count, room): (usize, Room)) -> Growth {
    let residents = residents(rng, count);
    let bed = Bed::new();
    let (_server, address) = ours(&bed, folder.join(format!("growth-{count}")), &residents);
    let (mut look_ups, mut announcements) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let clients = load.connect(address);
        look_ups.push(each(&bed, CLIENTS * REQUESTS, || load.look_up(&clients, &residents)));
        announcements.push(each(&bed, CLIENTS * ANNOUNCEMENTS, || drop(load.announce(clients))));
    }
    Growth { records: count, room, look_up_us: middle(look_ups), announcement_us: middle(announcements) }
}

/// How long a stranger waits to hear nothing of somebody who is there, and of somebody who is not.
fn gate(load: &Load, rng: &mut ChaCha12Rng, folder: &Path) -> [Duration; 2] {
    let residents = residents(rng, RECORDS);
    let bed = Bed::new();
    let (_server, address) = ours(&bed, folder.join("gate"), &residents);
    let (known, unknown) = (residents[0].query(), Resident::new(rng).query());
    let mut took = [Vec::new(), Vec::new()];
    let mut clients = Vec::new();
    while took[0].len() < PAIRS {
        if clients.is_empty() {
            clients = load.connect(address);
        }
        let client = clients.pop().expect("there are some");
        let more = load.alternate(&client, [&known, &unknown], PAIRS_A_CLIENT);
        for (took, more) in took.iter_mut().zip(more) {
            took.extend(more);
        }
    }
    took.map(middle)
}

fn main() {
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let folder = tempfile::tempdir().expect("a folder");
    // What is allocated is counted for the whole process: nothing else may run.
    let counts = [10_000, 100_000, 1_000_000];
    let rooms = counts.map(|count| (count, room(&mut rng, folder.path(), count)));
    let load = Load::new();
    let [requests, sessions] = beside(&load, &mut rng, folder.path());
    let gate = gate(&load, &mut rng, folder.path());
    let growth = rooms.map(|row| growth(&load, &mut rng, folder.path(), row));
    let figures = Figures { requests, sessions, gate, growth };
    let as_json = std::env::args().any(|word| word == "--json");
    print!("{}", if as_json { figures.json() } else { figures.table() });
    // Threads of runtimes hold sockets: end with the process, not in an order.
    drop(folder);
    std::process::exit(0);
}
