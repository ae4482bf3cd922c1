//! Handfast beside quinn on smol: `cargo bench -p handfast-smol --bench versus [-- --json]`.
//!
//! How many threads smol's global executor has is read once, from the environment: each row is a process.

#![expect(clippy::print_stdout, reason = "a bench is there to print")]

use handfast_smol::Runtime;
use handfast_tests::versus::ours::Ours;
use handfast_tests::versus::theirs::Theirs;
use handfast_tests::versus::{Bed, Row, json, measure, table};
use std::future::Future;
use std::process::Command;
use std::sync::Arc;

/// Where smol reads how many threads to run.
const THREADS: &str = "SMOL_THREADS";
/// Set for the process that measures a row.
const CHILD: &str = "HANDFAST_VERSUS_ROW";

/// The global executor.
struct Global;

impl Bed for Global {
    fn server<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        smol::block_on(smol::spawn(future))
    }

    fn client<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        smol::block_on(smol::spawn(future))
    }
}

fn main() {
    if std::env::var_os(CHILD).is_some() {
        row();
        // The executor's threads hold sockets of both sides: end with the process, not in an order.
        std::process::exit(0);
    }
    let rows: Vec<Row> = ["1", "2"].into_iter().map(measured_by_a_child).collect();
    let as_json = std::env::args().any(|word| word == "--json");
    print!("{}", if as_json { json(&rows) + "\n" } else { table(&rows) });
}

fn row() {
    let (theirs, ours) =
        (Theirs::new(&Global, Runtime, Arc::new(quinn::SmolRuntime)), Ours::new(&Global, Runtime));
    for row in measure(&[("", [&theirs, &ours])]) {
        println!("{} {} {} {}", row.bulk[0], row.bulk[1], row.requests[0], row.requests[1]);
    }
}

fn measured_by_a_child(threads: &str) -> Row {
    let exe = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(exe).env(CHILD, "1").env(THREADS, threads).output().expect("it runs once more");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [bulk_theirs, bulk_ours, requests_theirs, requests_ours] = numbers[..] else {
        panic!("a row failed: {}", String::from_utf8_lossy(&output.stderr));
    };
    let layout = format!("smol, threads: {threads}");
    Row { layout, bulk: [bulk_theirs, bulk_ours], requests: [requests_theirs, requests_ours] }
}
