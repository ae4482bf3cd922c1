//! What the driver tests stand on: two paired nodes on loopback, and a clock against hanging.

use handfast_driver::core::store::PairRecord;
use handfast_driver::{
    Advertise, Builder, Config, ConnectedPeer, Connection, Identity, Interfaces, MemoryStore, Node,
    P2PManager, Runtime, ServiceName, Timer,
};
use handfast_tests::paired;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// No test takes longer than this, unless something hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// A runtime on which a test's own future can run.
pub(super) trait TestRuntime: Runtime + Default {
    fn block_on<F: Future>(future: F) -> F::Output;
}

impl TestRuntime for handfast_tokio::Runtime {
    fn block_on<F: Future>(future: F) -> F::Output {
        let runtime = tokio();
        let output = runtime.block_on(future);
        runtime.shutdown_background();
        output
    }
}

impl TestRuntime for handfast_smol::Runtime {
    fn block_on<F: Future>(future: F) -> F::Output {
        smol::block_on(future)
    }
}

/// A tokio runtime.
pub(super) fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a test, and fails it rather than let it hang.
pub(super) fn run<R: TestRuntime>(test: impl Future<Output = ()>) {
    R::block_on(async {
        // In this order: a test whose task is woken by the limit alone hangs.
        let done = futures_lite::future::or(
            async {
                sleep::<R>(LIMIT).await;
                false
            },
            async {
                test.await;
                true
            },
        );
        assert!(done.await, "the test hangs");
    });
}

/// Tells a figure to whoever runs the tests with `--nocapture`.
#[expect(clippy::print_stdout, reason = "for whoever asks for it")]
pub(super) fn say(what: &str) {
    println!("{what}");
}

/// Blocks its thread when somebody connects, until it is let go.
pub(super) struct Blocks(pub(super) std::sync::Mutex<mpsc::Receiver<()>>);

impl<R: Runtime> P2PManager<R> for Blocks {
    fn peer_connected(&self, _: Connection<R>, _: ConnectedPeer) {
        let _ = self.0.lock().unwrap().recv_timeout(Duration::from_secs(20));
    }
}

/// Waits.
pub(super) async fn sleep<R: Runtime + Default>(time: Duration) {
    let mut timer = R::default().timer();
    timer.arm(Instant::now() + time);
    poll_fn(|cx| timer.poll(cx)).await;
}

/// A node of the lab: on loopback alone, on a port of the operating system's choice, unseen by others.
pub(super) fn config() -> Config {
    let mut quiet = Advertise::default();
    quiet.enabled = false;
    Config::new(ServiceName::new("driver-test").unwrap())
        .with_interfaces(Interfaces::only(["lo"]))
        .with_advertise(quiet)
}

/// The first side of a pair, then the second.
pub(super) fn sides() -> ((Identity, MemoryStore), (Identity, MemoryStore)) {
    let (a, b) = (paired::identity(1), paired::identity(2));
    let (record_a, record_b) = paired::records(a.public_key(), b.public_key());
    let store = |record: PairRecord| MemoryStore::with(vec![record]);
    ((a, store(record_a)), (b, store(record_b)))
}

/// A builder for each of two nodes that are paired.
pub(super) fn builders<A: TestRuntime, B: TestRuntime>() -> (Builder<A>, Builder<B>) {
    let ((a, store_a), (b, store_b)) = sides();
    let a = Builder::new(config(), a, A::default()).with_store(store_a);
    (a, Builder::new(config(), b, B::default()).with_store(store_b))
}

/// Where a node is reached.
pub(super) fn address<R: Runtime>(node: &Node<R>, ip: &str) -> SocketAddr {
    let port = node.local_addresses().first().expect("a socket is open").port();
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// Connects `a` to `b`: the connection as `a` has it.
pub(super) async fn connect<A: Runtime, B: Runtime>(a: &Node<A>, b: &Node<B>) -> Connection<A> {
    a.add_address(b.id(), address(b, "127.0.0.1"));
    a.connect(b.id()).await.unwrap()
}

/// Two nodes that are paired and connected, and the connection as the first has it.
pub(super) async fn connected<A: TestRuntime, B: TestRuntime>() -> (Node<A>, Node<B>, Connection<A>) {
    let (a, b) = builders::<A, B>();
    let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
    let connection = connect(&a, &b).await;
    (a, b, connection)
}

/// The connection of a node that has one, or is about to: it hears of it a moment after who dialled.
pub(super) async fn seen<R: TestRuntime>(node: &Node<R>) -> Connection<R> {
    loop {
        if let Some(connection) = node.connections().pop() {
            return connection;
        }
        sleep::<R>(Duration::from_millis(1)).await;
    }
}

/// A number that no other call in this process, or in another, has.
pub(super) fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    u64::from(std::process::id()) << 12 | NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Bytes that are the same for the same seed, and nowhere repeat soon.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(len).collect()
}
