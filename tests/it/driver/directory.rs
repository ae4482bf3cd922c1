//! The store that several discovery servers share: asked, slow, broken, and heard.

use super::lab::{TestRuntime, config, run, sides, sleep};
use super::on_every_runtime;
use handfast_core::directory::{DirectoryChange, DirectoryEntry, DirectoryReply, DirectoryRequest};
use handfast_driver::{
    Builder, Changes, Directory, DirectoryFuture, DiscoveryServer, Fingerprint, Identity, Interfaces,
    Keeping, MemoryStore, Node, Server, ServerBuilder, ServerConfig, ServerStartError,
};
use handfast_tests::paired::identity;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn builder<R: TestRuntime>() -> ServerBuilder<R> {
    let config = ServerConfig::new().with_interfaces(Interfaces::only(["lo"]));
    ServerBuilder::new(config, identity(9), R::default())
}

/// What a shared store does when it is asked.
#[derive(Clone, Copy)]
enum Mood {
    Answers,
    Panics,
    PanicsLater,
    NeverAnswers,
}

fn owner(number: u8) -> Fingerprint {
    identity(number).public_key().fingerprint()
}

/// A shared store that holds nothing and does what it is told.
#[derive(Clone)]
struct Double {
    mood: Mood,
    asked: Arc<Mutex<Vec<DirectoryRequest>>>,
    changes: Arc<Mutex<Option<Changes>>>,
    /// Answers that nobody waits for any longer.
    dropped: Arc<AtomicU32>,
}

impl Double {
    fn new(mood: Mood) -> Self {
        Self { mood, asked: Arc::default(), changes: Arc::default(), dropped: Arc::default() }
    }

    fn changes(&self) -> Changes {
        self.changes.lock().unwrap().clone().expect("the server has begun")
    }

    /// How often it was asked for such a thing.
    fn count(&self, is_one: impl Fn(&DirectoryRequest) -> bool) -> usize {
        self.asked.lock().unwrap().iter().filter(|request| is_one(request)).count()
    }

    /// What a node announced first.
    fn put(&self, number: u8) -> Option<DirectoryEntry> {
        let asked = self.asked.lock().unwrap();
        let put = asked.iter().filter_map(|request| match request {
            DirectoryRequest::Put(entry) => Some(entry),
            _ => None,
        });
        put.into_iter().find(|entry| entry.owner == owner(number)).cloned()
    }
}

impl Directory for Double {
    fn begin(&self, changes: Changes) {
        let before = self.changes.lock().unwrap().replace(changes);
        assert!(before.is_none(), "it begins once");
    }

    fn ask(&self, request: DirectoryRequest) -> DirectoryFuture {
        let reply = match &request {
            DirectoryRequest::Get(ids) | DirectoryRequest::Watch(ids) => {
                DirectoryReply::Found(vec![None; ids.len()])
            }
            DirectoryRequest::Put(_)
            | DirectoryRequest::Refresh { .. }
            | DirectoryRequest::Unwatch(_)
            | DirectoryRequest::Withdraw { .. } => DirectoryReply::Done,
        };
        self.asked.lock().unwrap().push(request);
        let alive = Alive(Arc::clone(&self.dropped));
        match self.mood {
            Mood::Answers => Box::pin(std::future::ready(reply)),
            Mood::Panics => panic!("a store may panic"),
            Mood::PanicsLater => Box::pin(async { panic!("a store may panic later") }),
            Mood::NeverAnswers => Box::pin(async move {
                let _alive = alive;
                std::future::pending().await
            }),
        }
    }
}

/// Counts when it is dropped.
struct Alive(Arc<AtomicU32>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A server before a store, and a node that has a peer and uses the server.
async fn before<A: TestRuntime, B: TestRuntime>(double: &Double) -> (Server<A>, Node<B>) {
    let server = builder::<A>().with_directory(double.clone()).start().await.unwrap();
    let node = client(&server, sides().0).await;
    (server, node)
}

/// A node that uses a server.
async fn client<A: TestRuntime, B: TestRuntime>(
    server: &Server<A>,
    (identity, store): (Identity, MemoryStore),
) -> Node<B> {
    let at = ([127, 0, 0, 1], server.local_addresses()[0].port()).into();
    let config = config().with_server(DiscoveryServer::new(at, server.public_key().fingerprint()));
    Builder::new(config, identity, B::default()).with_store(store).start().await.unwrap()
}

/// Waits until something holds.
async fn until<R: TestRuntime>(mut holds: impl FnMut() -> bool) {
    while !holds() {
        sleep::<R>(Duration::from_millis(2)).await;
    }
}

fn what_is_announced_goes_to_the_store_that_is_shared_and_its_changes_to_who_subscribed<
    A: TestRuntime,
    B: TestRuntime,
>() {
    run::<A>(async {
        let double = Double::new(Mood::Answers);
        let (server, a) = before::<A, B>(&double).await;
        let b: Node<A> = client(&server, sides().1).await;
        let watches = |request: &DirectoryRequest| matches!(request, DirectoryRequest::Watch(_));
        until::<A>(|| double.put(2).is_some() && double.count(watches) == 2).await;
        until::<A>(|| server.stats().subscriptions == 2).await;
        assert_eq!(server.stats().pushed, 0, "the store tells of nobody");
        let change = DirectoryChange { owner: owner(2), sha1: [0; 20], entry: double.put(2) };
        double.changes().tell(&change);
        assert_eq!(server.stats().pushed, 1, "whoever may know it is told");
        double.changes().lost();
        until::<A>(|| double.count(watches) == 4).await;
        b.shutdown().await;
        assert_eq!(double.count(|request| matches!(request, DirectoryRequest::Withdraw { .. })), 1);
        until::<A>(|| double.count(|request| matches!(request, DirectoryRequest::Unwatch(_))) > 0).await;
        assert!(!double.changes().is_closed());
        a.shutdown().await;
        server.shutdown().await;
        assert!(double.changes().is_closed());
        double.changes().tell(&change);
    });
}

fn a_store_that_panics_is_a_server_that_is_overloaded<A: TestRuntime, B: TestRuntime>() {
    run::<A>(async {
        for mood in [Mood::Panics, Mood::PanicsLater] {
            let double = Double::new(mood);
            let (server, node) = before::<A, B>(&double).await;
            until::<A>(|| server.stats().refused >= 2).await;
            assert_eq!(server.stats().announcements, 0);
            node.shutdown().await;
            server.shutdown().await;
        }
    });
}

fn a_store_that_never_answers_is_waited_for_no_longer_than_its_time<A: TestRuntime, B: TestRuntime>() {
    run::<A>(async {
        let double = Double::new(Mood::NeverAnswers);
        let (server, node) = before::<A, B>(&double).await;
        until::<A>(|| double.dropped.load(Ordering::Relaxed) >= 2).await;
        until::<A>(|| server.stats().refused >= 2).await;
        assert_eq!(server.stats().announcements, 0);
        node.shutdown().await;
        server.shutdown().await;
    });
}

fn a_server_that_asks_a_store_starts_with_one_alone_and_writes_no_snapshot<A: TestRuntime, B: TestRuntime>() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("directory");
    run::<A>(async {
        let config = ServerConfig::new().with_interfaces(Interfaces::only(["lo"]));
        let without = ServerBuilder::new(config.with_keeping(Keeping::Asked), identity(9), A::default());
        let refused = without.start().await;
        assert!(matches!(refused, Err(ServerStartError::NoStore)), "{refused:?}");
        let with = builder::<B>().with_snapshot(&file).with_directory(Double::new(Mood::Answers));
        with.start().await.unwrap().shutdown().await;
        assert!(!file.exists());
    });
}

on_every_runtime!(
    what_is_announced_goes_to_the_store_that_is_shared_and_its_changes_to_who_subscribed,
    a_store_that_panics_is_a_server_that_is_overloaded,
    a_store_that_never_answers_is_waited_for_no_longer_than_its_time,
    a_server_that_asks_a_store_starts_with_one_alone_and_writes_no_snapshot,
);
