//! One message to all that are connected.

use super::lab::{self, TestRuntime, noise};
use futures_lite::future::{poll_once, zip};
use handfast_driver::core::store::PairRecord;
use handfast_driver::{BroadcastError, Builder, Connection, MemoryStore, Node, PeerId};
use handfast_tests::paired;
use std::pin::pin;
use std::time::Duration;

super::on_every_runtime!(
    a_broadcast_reaches_all_that_are_connected_and_says_who_did_not_take_it,
    a_broadcast_to_nobody_is_done_at_once,
    a_slow_peer_holds_up_nobody_else,
);

/// A hub that is connected to three others.
async fn star<A: TestRuntime, B: TestRuntime>() -> (Node<A>, Vec<Node<B>>) {
    let hub = paired::identity(1);
    let (mut own, mut others) = (Vec::<PairRecord>::new(), Vec::new());
    for n in 2..5 {
        let other = paired::identity(n);
        let (mine, theirs) = paired::records(hub.public_key(), other.public_key());
        own.push(with_id(mine, n));
        let store = MemoryStore::with(vec![with_id(theirs, n)]);
        let node = Builder::new(lab::config(), other, B::default()).with_store(store);
        others.push(node.start().await.unwrap());
    }
    let hub = Builder::new(lab::config(), hub, A::default()).with_store(MemoryStore::with(own));
    let hub = hub.start().await.unwrap();
    for other in &others {
        lab::connect(&hub, other).await;
        lab::seen(other).await;
    }
    (hub, others)
}

/// Each pairing has a name of its own.
fn with_id(record: PairRecord, n: u8) -> PairRecord {
    let id = handfast_driver::PairId::from_bytes([n; 32]);
    let secret = handfast_driver::core::store::PairSecret::from_bytes([n; 32]);
    PairRecord::new(id, record.role, record.peer, record.own, secret, record.state)
}

fn result_of<E: Copy>(results: &[(PeerId, Result<(), E>)], peer: PeerId) -> Result<(), E> {
    results.iter().find(|(id, _)| *id == peer).expect("everybody has a result").1
}

fn a_broadcast_reaches_all_that_are_connected_and_says_who_did_not_take_it<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (hub, others) = star::<A, B>().await;
        let news = noise(1, 300_000);
        let far = async {
            for other in &others[..2] {
                let incoming = other.accept().await.unwrap();
                assert_eq!(incoming.label(), "news");
                assert!(incoming.accept().1.read_to_end(1 << 20).await.unwrap().unwrap() == news);
            }
            others[2].accept().await.unwrap().refuse();
        };
        // More than fits in a window, so that who refuses cannot have taken it.
        let (results, ()) = zip(hub.broadcast("news", news.clone()), far).await;
        assert_eq!(results.len(), 3);
        assert_eq!(result_of(&results, others[0].id()), Ok(()));
        assert_eq!(result_of(&results, others[1].id()), Ok(()));
        let refused = result_of(&results, others[2].id());
        assert!(matches!(refused, Ok(()) | Err(BroadcastError::Stopped(0x11))), "{refused:?}");
        let results = hub.broadcast(&"x".repeat(256), "").await;
        assert!(
            results.len() == 3 && results.iter().all(|(_, result)| *result == Err(BroadcastError::Label))
        );
    });
}

fn a_broadcast_to_nobody_is_done_at_once<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, _) = lab::builders::<A, B>();
        let a = a.start().await.unwrap();
        assert!(poll_once(a.broadcast("news", "none")).await.unwrap().is_empty());
        a.shutdown().await;
        assert!(a.broadcast("news", "none").await.is_empty());
    });
}

fn a_slow_peer_holds_up_nobody_else<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (hub, mut others) = star::<A, B>().await;
        // Whoever comes first in the list is the slow one.
        let slow = hub.connections()[0].peer().id;
        others.sort_by_key(|other| other.id() == slow);
        // More than the windows: who does not read does not get it.
        let news = noise(2, 4 << 20);
        let mut broadcast = pin!(hub.broadcast_within("news", news.clone(), Duration::from_secs(3)));
        let quick = async {
            for other in &others[..2] {
                let (_, mut recv) = other.accept().await.unwrap().accept();
                assert!(recv.read_to_end(5 << 20).await.unwrap().unwrap() == news);
            }
        };
        let (results, ()) = zip(broadcast.as_mut(), quick).await;
        assert_eq!(result_of(&results, others[0].id()), Ok(()));
        assert_eq!(result_of(&results, others[1].id()), Ok(()));
        assert_eq!(result_of(&results, others[2].id()), Err(BroadcastError::TimedOut));
        let (_, mut recv) = others[2].accept().await.unwrap().accept();
        let end = loop {
            match recv.read_chunk().await {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        assert!(end.is_err(), "half of it never seems whole");
        let still: Vec<Connection<A>> = hub.connections();
        assert_eq!(still.len(), 3);
    });
}
