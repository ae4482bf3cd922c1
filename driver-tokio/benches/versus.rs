//! Handfast beside quinn on tokio: `cargo bench -p handfast-tokio --bench versus [-- --json]`.

#![expect(clippy::print_stdout, reason = "a bench is there to print")]

use handfast_tests::versus::ours::Ours;
use handfast_tests::versus::theirs::Theirs;
use handfast_tests::versus::{Bed, json, measure, table};
use handfast_tokio::Runtime;
use std::future::{Future, pending};
use std::sync::Arc;
use tokio::runtime::{Builder, Handle};

/// Both sides on one runtime of as many threads as there are cores.
struct Shared(tokio::runtime::Runtime);

impl Bed for Shared {
    fn server<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.client(future)
    }

    fn client<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.0.block_on(self.0.spawn(future)).expect("nothing panics")
    }
}

/// A runtime of one thread for each side: the clients' is the caller's thread.
struct Apart {
    server: Handle,
    client: tokio::runtime::Runtime,
}

impl Apart {
    fn new() -> Self {
        let server = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let handle = server.handle().clone();
        std::thread::spawn(move || server.block_on(pending::<()>()));
        Self {
            server: handle,
            client: Builder::new_current_thread().enable_all().build().expect("a runtime"),
        }
    }
}

impl Bed for Apart {
    fn server<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.server.block_on(future)
    }

    fn client<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.client.block_on(future)
    }
}

fn main() {
    let shared = Shared(Builder::new_multi_thread().enable_all().build().expect("a runtime"));
    let apart = Apart::new();
    let quinn = || Arc::new(quinn::TokioRuntime);
    let (theirs, ours) = (Theirs::new(&shared, Runtime, quinn()), Ours::new(&shared, Runtime));
    let (theirs_apart, ours_apart) = (Theirs::new(&apart, Runtime, quinn()), Ours::new(&apart, Runtime));
    let rows = measure(&[
        ("multi_thread, shared", [&theirs, &ours]),
        ("current_thread, one a side", [&theirs_apart, &ours_apart]),
    ]);
    let as_json = std::env::args().any(|word| word == "--json");
    print!("{}", if as_json { json(&rows) + "\n" } else { table(&rows) });
    // The runtimes' threads hold sockets of both sides: end with the process, not in an order.
    std::process::exit(0);
}
