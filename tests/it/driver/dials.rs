//! Two that dial each other at the same time, over and over: a thousand times on all pairs of runtimes.

use super::lab::{self, TestRuntime, noise};
use futures_lite::future::zip;
use handfast_driver::{Builder, Config, Connection, Event, Events, Node, PeerId, Runtime};
use smol::channel::{Receiver, unbounded};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

super::on_every_runtime!(
    two_that_dial_each_other_at_once_have_one_connection_each_time_and_bytes_whole_or_an_error,
);

/// On each pair of runtimes.
const ROUNDS: u64 = 250;

/// Handshakes that the other side's dial made needless count as a stranger's until they are forgotten, and a
/// thousand times in a row these are more than a device has otherwise.
fn patient() -> Config {
    let mut config = lab::config();
    (config.max_unauthenticated, config.max_unauthenticated_per_source) = (1000, 1000);
    config.retry_from = 1000;
    config
}

/// What is said in a round.
fn words(n: u64) -> Vec<u8> {
    noise(n + 1, 5000)
}

/// Dials, and says something. True where all of it was delivered.
async fn meet<R: Runtime>(node: &Node<R>, peer: PeerId, n: u64) -> bool {
    let connection = node.connect(peer).await.unwrap();
    let said = async {
        let mut send = connection.open_uni(&n.to_string()).await.ok()?;
        send.write_all(&words(n)).await.ok()?;
        send.finish().ok()?;
        send.delivered().await.ok()
    };
    said.await.is_some()
}

/// The rounds whose words a node has read to their end, each of which it has whole.
fn heard<R: TestRuntime>(node: &Node<R>) -> Receiver<u64> {
    let ((tell, told), node) = (unbounded(), node.clone());
    R::default().spawn(async move {
        while let Some(incoming) = node.accept().await {
            let n = incoming.label().parse().unwrap();
            let (_, mut recv) = incoming.accept();
            if let Ok(Some(read)) = recv.read_to_end(10_000).await {
                assert!(read == words(n), "round {n} is not whole: {} bytes", read.len());
                tell.try_send(n).unwrap();
            }
        }
    });
    told
}

/// Waits until both have the same connection, and none beside it.
async fn one<A: TestRuntime, B: Runtime>(a: &Node<A>, b: &Node<B>) -> (Connection<A>, Connection<B>) {
    loop {
        let (mut on_a, mut on_b) = (a.connections(), b.connections());
        assert!(on_a.len() <= 1 && on_b.len() <= 1, "one connection is seen");
        if let (Some(on_a), Some(on_b)) = (on_a.pop(), on_b.pop())
            && on_a.peer().dialled != on_b.peer().dialled
        {
            return (on_a, on_b);
        }
        lab::sleep::<A>(Duration::from_millis(1)).await;
    }
}

/// How many connections come and go one after the other, by what is left of the events of a node that was stopped.
async fn came_and_went(mut events: Events) -> (u64, u64) {
    let (mut standing, mut whole) = (None, 0);
    while let Some(event) = events.next().await {
        match event {
            Event::PeerConnected(peer) => assert_eq!(standing.replace(peer.conn), None, "one at a time"),
            Event::PeerDisconnected(conn, ..) => {
                assert_eq!(standing.take(), Some(conn));
                whole += 1;
            }
            _ => {}
        }
    }
    assert_eq!(standing, None);
    (whole, events.lagged())
}

fn two_that_dial_each_other_at_once_have_one_connection_each_time_and_bytes_whole_or_an_error<
    A: TestRuntime,
    B: TestRuntime,
>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let a = Builder::new(patient(), a, A::default()).with_store(store_a).start().await.unwrap();
        let b = Builder::new(patient(), b, B::default()).with_store(store_b).start().await.unwrap();
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        b.add_address(a.id(), lab::address(&a, "127.0.0.1"));
        // Nobody reads them before the end.
        let (events_of_a, events_of_b) = (a.events(), b.events());
        let (heard_by_a, heard_by_b) = (heard(&a), heard(&b));
        let mut delivered: [BTreeSet<u64>; 2] = Default::default();
        let began = Instant::now();
        for n in 0..ROUNDS {
            let (by_a, by_b) = zip(meet(&a, b.id(), n), meet(&b, a.id(), n)).await;
            delivered[0].extend(by_a.then_some(n));
            delivered[1].extend(by_b.then_some(n));
            let (on_a, on_b) = one(&a, &b).await;
            if n % 2 == 0 {
                on_a.close()
            } else {
                on_b.close()
            }
            zip(on_a.closed(), on_b.closed()).await;
        }
        let took = began.elapsed();
        zip(a.shutdown(), b.shutdown()).await;
        let whole = delivered.iter().map(BTreeSet::len).sum::<usize>();
        for (delivered, heard) in delivered.iter().zip([heard_by_b, heard_by_a]) {
            let mut all = BTreeSet::new();
            while let Ok(n) = heard.recv().await {
                all.insert(n);
            }
            let lost: Vec<&u64> = delivered.difference(&all).collect();
            assert!(lost.is_empty(), "what was delivered was read: {lost:?}");
        }
        let (of_a, of_b) = (came_and_went(events_of_a).await, came_and_went(events_of_b).await);
        lab::say(&format!(
            "{ROUNDS} times both dial: {:.1} s, {whole} of {} words whole, an error for each of the rest; events left out \
             for who read none: {} and {}, connections told of: {} and {}",
            took.as_secs_f64(),
            2 * ROUNDS,
            of_a.1,
            of_b.1,
            of_a.0,
            of_b.0,
        ));
        assert!(of_a.1 > 0 && of_b.1 > 0, "the readers of events lagged");
    });
}
