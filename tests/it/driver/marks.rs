//! Trust without a code, and bans, through the handles.

use super::lab::{self, TestRuntime};
use futures_lite::future::{poll_once, zip};
use handfast_driver::error::{ConnectError, MarkError};
use handfast_driver::{
    Builder, DialError, Event, MarkingError, MemoryStore, Node, PairingFailure, Runtime, Target,
    TrustingError,
};
use handfast_tests::paired::identity;

super::on_every_runtime!(
    two_that_trust_each_other_pair,
    a_trust_is_kept_by_the_store_and_goes_on_in_the_next_run,
    a_trust_that_is_cancelled_ends_its_callers_wait,
    a_banned_peer_is_unpaired_and_cannot_connect,
    a_node_that_was_stopped_decides_nothing,
);

async fn node<R: TestRuntime>(n: u8, store: &MemoryStore) -> Node<R> {
    let builder = Builder::new(lab::config(), identity(n), R::default()).with_store(store.clone());
    builder.start().await.unwrap()
}

fn at<R: Runtime>(node: &Node<R>) -> Target {
    Target::At(vec![lab::address(node, "127.0.0.1")])
}

fn two_that_trust_each_other_pair<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let stores = [MemoryStore::default(), MemoryStore::default()];
        let (a, b) = (node::<A>(1, &stores[0]).await, node::<B>(2, &stores[1]).await);
        let (to_a, to_b) = (at(&a), at(&b));
        let both = zip(a.trust(b.public_key(), to_b), b.trust(a.public_key(), to_a)).await;
        let (by_a, by_b) = (both.0.unwrap(), both.1.unwrap());
        assert_eq!((by_a.key, by_b.key), (b.public_key(), a.public_key()));
        assert_eq!(by_a.pair_id, by_b.pair_id);
        for store in stores {
            assert_eq!((store.records().len(), store.marks().len()), (1, 0));
        }
        assert!(a.trusting().is_empty() && b.trusting().is_empty());
    });
}

fn a_trust_is_kept_by_the_store_and_goes_on_in_the_next_run<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let stores = [MemoryStore::default(), MemoryStore::default()];
        let (a, b) = (node::<A>(1, &stores[0]).await, node::<B>(2, &stores[1]).await);
        let mut events = a.events();
        // Dropping the future ends nothing.
        assert!(poll_once(a.trust(b.public_key(), at(&b))).await.is_none());
        while !matches!(events.next().await.unwrap(), Event::PeerTrusted(_, key) if key == b.public_key().fingerprint())
        {
        }
        assert_eq!(stores[0].marks().len(), 1);
        a.shutdown().await;
        let a = node::<A>(1, &stores[0]).await;
        let listed = a.trusting();
        assert!(listed.len() == 1 && listed[0].stored);
        let to_a = at(&a);
        let peer = b.trust(a.public_key(), to_a).await.unwrap();
        assert_eq!(peer.key, a.public_key());
    });
}

fn a_trust_that_is_cancelled_ends_its_callers_wait<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let store = MemoryStore::default();
        let (a, b) = (node::<A>(1, &store).await, node::<B>(2, &MemoryStore::default()).await);
        let key = b.public_key();
        let cancel = async {
            assert!(a.distrust(key).await.unwrap());
            assert!(!a.distrust(key).await.unwrap(), "it is over");
        };
        let ((first, second), ()) =
            zip(zip(a.trust(key, Target::Any), a.trust(key, Target::Any)), cancel).await;
        for outcome in [first, second] {
            assert_eq!(outcome.unwrap_err(), TrustingError::Failed(PairingFailure::Cancelled));
        }
        assert!(store.marks().is_empty());
    });
}

fn a_banned_peer_is_unpaired_and_cannot_connect<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let mut events = b.events();
        a.ban(b.public_key()).await.unwrap();
        a.ban(b.public_key()).await.unwrap();
        assert_eq!(a.banned(), [b.public_key().fingerprint()]);
        while !matches!(events.next().await.unwrap(), Event::PeerUnpaired(..)) {}
        assert!(connection.open_bi("late").await.is_err());
        assert_eq!(a.connect(b.id()).await.unwrap_err(), DialError::Begin(ConnectError::NotPaired));
        let refused = a.trust(b.public_key(), Target::Any).await;
        assert_eq!(refused.unwrap_err(), TrustingError::Begin(MarkError::Banned));
        assert_eq!(a.ban(a.public_key()).await.unwrap_err(), MarkingError::Begin(MarkError::Own));
        assert!(a.unban(b.public_key()).await.unwrap());
        assert!(a.banned().is_empty());
    });
}

fn a_node_that_was_stopped_decides_nothing<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) =
            (node::<A>(1, &MemoryStore::default()).await, node::<B>(2, &MemoryStore::default()).await);
        a.shutdown().await;
        assert_eq!(a.ban(b.public_key()).await, Err(MarkingError::Stopped));
        assert_eq!(a.trust(b.public_key(), Target::Any).await.unwrap_err(), TrustingError::Stopped);
    });
}
