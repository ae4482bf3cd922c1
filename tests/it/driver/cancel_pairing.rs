//! Futures about pairing, keys and services that are dropped at every poll: both or neither, and nothing is lost.

use super::cancel::{at_every_poll, dropped_after};
use super::lab::{self, TestRuntime};
use futures_lite::future::zip;
use handfast_driver::{Builder, Node, PairId, Runtime, Service, ServiceEvent, ServiceType, Target};
use handfast_tests::paired::identity;
use std::time::Duration;

super::on_every_runtime!(
    a_code_whose_futures_are_dropped_at_any_poll_pairs_both_or_neither,
    a_trust_whose_futures_are_dropped_at_any_poll_goes_on,
    decisions_about_keys_hold_though_their_futures_are_dropped,
    a_search_whose_reader_is_dropped_at_any_poll_misses_nothing,
);

/// Two who have never met.
async fn strangers<A: TestRuntime, B: TestRuntime>() -> (Node<A>, Node<B>) {
    let a = Builder::new(lab::config(), identity(1), A::default());
    let b = Builder::new(lab::config(), identity(2), B::default());
    (a.start().await.unwrap(), b.start().await.unwrap())
}

fn at<R: Runtime>(node: &Node<R>) -> Target {
    Target::At(vec![lab::address(node, "127.0.0.1")])
}

fn pairings<R: Runtime>(node: &Node<R>) -> Vec<PairId> {
    node.peers().iter().filter_map(|peer| Some(peer.paired.as_ref()?.pair_id)).collect()
}

fn sessions<R: Runtime>(node: &Node<R>) -> usize {
    let tables = node.tables();
    let of = |name| tables.iter().find(|table| table.name == name).expect("the table is listed").len;
    of("pairing: sessions") + of("pairing: codes entered") + of("driver: callers that wait for a pairing")
}

/// Waits until nothing of a pairing is under way: then both have it, or neither.
async fn settled<A: TestRuntime, B: TestRuntime>(a: &Node<A>, b: &Node<B>) -> Vec<PairId> {
    while sessions(a) + sessions(b) > 0 || pairings(a) != pairings(b) {
        lab::sleep::<A>(Duration::from_millis(10)).await;
    }
    pairings(a)
}

fn a_code_whose_futures_are_dropped_at_any_poll_pairs_both_or_neither<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        for (host_stops, joiner_stops) in [(false, true), (true, false), (true, true)] {
            for times in 1.. {
                let (a, b) = strangers::<A, B>().await;
                let hosting = a.pair_host(Target::Any).unwrap();
                let code = hosting.code().clone();
                let polls = |stops: bool| if stops { times } else { usize::MAX };
                let join = dropped_after(polls(joiner_stops), b.pair_join(code, at(&a)));
                let (shown, typed) = if host_stops {
                    zip(dropped_after(times, hosting.outcome()), join).await
                } else {
                    // Whoever typed has gone, and so does the window.
                    let typed = join.await;
                    (dropped_after(1, hosting.outcome()).await, typed)
                };
                let paired = settled(&a, &b).await;
                if let Some(Ok(peer)) = &typed {
                    assert_eq!(paired, [peer.pair_id]);
                }
                zip(a.shutdown(), b.shutdown()).await;
                if typed.is_some_and(|typed| typed.is_ok()) && (!host_stops || shown.is_some()) {
                    break;
                }
            }
        }
    });
}

fn a_trust_whose_futures_are_dropped_at_any_poll_goes_on<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = strangers::<A, B>().await;
        let (to_a, to_b) = (at(&a), at(&b));
        let by_a = at_every_poll(async || a.trust(b.public_key(), to_b.clone()).await.unwrap());
        let by_b = at_every_poll(async || b.trust(a.public_key(), to_a.clone()).await);
        // Once they are paired, another call would be for another pairing: the one side waits to the end.
        let (by_a, _) = zip(by_a, dropped_after(1, by_b)).await;
        assert_eq!(settled(&a, &b).await, [by_a.pair_id]);
    });
}

fn decisions_about_keys_hold_though_their_futures_are_dropped<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, _) = strangers::<A, B>().await;
        let key = identity(7).public_key().fingerprint();
        at_every_poll(async || a.ban(key).await.unwrap()).await;
        assert_eq!(a.banned(), [key]);
        let _ = dropped_after(1, a.unban(key)).await;
        assert_eq!(a.banned(), []);
        assert!(!at_every_poll(async || a.unban(key).await.unwrap()).await, "it was lifted");
        let _ = dropped_after(1, a.trust(key, Target::Any)).await;
        assert_eq!(a.trusting().len(), 1);
        let _ = dropped_after(1, a.distrust(key)).await;
        assert!(!at_every_poll(async || a.distrust(key).await.unwrap()).await, "it was ended");
        assert!(a.trusting().is_empty());
        while sessions(&a) > 0 {
            lab::sleep::<A>(Duration::from_millis(10)).await;
        }
    });
}

fn a_search_whose_reader_is_dropped_at_any_poll_misses_nothing<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = strangers::<A, B>().await;
        // Tests that run at the same time share the loopback interface.
        let kind = ServiceType::tcp(&format!("c{:x}", lab::unique())).unwrap();
        let mut browser = b.browse(kind.clone()).unwrap();
        let publication = a.publish(Service::new(kind, "kept", 80).unwrap()).unwrap();
        let found = at_every_poll(async || browser.next().await.unwrap()).await;
        assert!(matches!(found, ServiceEvent::Found(there) if there.name == "kept"));
        drop(publication);
        loop {
            match at_every_poll(async || browser.next().await.unwrap()).await {
                ServiceEvent::Lost(_) => break,
                ServiceEvent::Updated(_) => {}
                found @ ServiceEvent::Found(_) => panic!("{found:?} was found twice"),
            }
        }
    });
}
