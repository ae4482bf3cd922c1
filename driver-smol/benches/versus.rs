//! Handfast beside quinn on smol: `cargo bench -p handfast-smol --bench versus [-- --json]`.
//!
//! All tasks of both sides run in one executor, of one thread and of two.

#![expect(clippy::print_stdout, reason = "a bench is there to print")]

use handfast_smol::Runtime;
use handfast_tests::versus::ours::Ours;
use handfast_tests::versus::theirs::Theirs;
use handfast_tests::versus::{Bed, json, measure, table};
use quinn::{AsyncTimer, AsyncUdpSocket, SmolRuntime};
use smol::Executor;
use std::future::{Future, pending};
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// An executor that so many threads run, for as long as the process does.
#[derive(Clone, Debug)]
struct Threads(Arc<Executor<'static>>);

impl Threads {
    fn new(threads: usize) -> Self {
        let executor = Arc::new(Executor::new());
        for _ in 0..threads {
            let executor = Arc::clone(&executor);
            std::thread::spawn(move || smol::block_on(executor.run(pending::<()>())));
        }
        Self(executor)
    }

    /// Handfast in it.
    fn runtime(&self) -> Runtime {
        Runtime::on(&self.0)
    }
}

impl Bed for Threads {
    fn server<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.client(future)
    }

    fn client<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        smol::block_on(self.0.spawn(future))
    }
}

/// quinn in it.
impl quinn::Runtime for Threads {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        SmolRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.spawn(task).detach();
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        SmolRuntime.wrap_udp_socket(socket)
    }
}

/// quinn and Handfast in the same executor.
fn both(bed: &Threads) -> (Theirs<'_, Threads, Runtime>, Ours<'_, Threads, Runtime>) {
    (Theirs::new(bed, bed.runtime(), Arc::new(bed.clone())), Ours::new(bed, bed.runtime()))
}

fn main() {
    let [one, two] = [1, 2].map(Threads::new);
    let ((theirs_1, ours_1), (theirs_2, ours_2)) = (both(&one), both(&two));
    let rows =
        measure(&[("smol, one thread", [&theirs_1, &ours_1]), ("smol, two threads", [&theirs_2, &ours_2])]);
    let as_json = std::env::args().any(|word| word == "--json");
    print!("{}", if as_json { json(&rows) + "\n" } else { table(&rows) });
    // The executors' threads hold sockets of both sides: end with the process, not in an order.
    std::process::exit(0);
}
