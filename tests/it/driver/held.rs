//! What is held while something does not come: a socket has no room, or nobody waits any longer.

use super::lab::{self, TestRuntime};
use futures_lite::future::zip;
use handfast_driver::{Builder, DisconnectReason, Node, Runtime};
use handfast_tests::faulty::Faulty;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

super::on_every_runtime!(
    a_socket_without_room_holds_up_no_stream_no_event_and_no_time_limit,
    who_waits_no_longer_leaves_nothing_behind,
);

fn a_socket_without_room_holds_up_no_stream_no_event_and_no_time_limit<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let (faulty, full) = Faulty::with_full_sockets(B::default());
        let impatient = lab::config().with_idle(Duration::from_secs(3), Duration::from_millis(500));
        let a = Builder::new(lab::config(), a, A::default()).with_store(store_a).start().await.unwrap();
        let b = Builder::new(impatient, b, faulty).with_store(store_b).start().await.unwrap();
        let connection = lab::connect(&a, &b).await;
        let there = loop {
            if let Some(there) = b.connections().pop() {
                break there;
            }
            lab::sleep::<A>(Duration::from_millis(1)).await;
        };
        full.store(true, Ordering::SeqCst);
        // Nothing that `b` sends leaves from here on, and all that comes is told.
        for n in 0..5_u8 {
            let mut send = connection.open_uni("on").await.unwrap();
            send.write_all(&[n]).await.unwrap();
            send.finish().unwrap();
            let (_, mut recv) = b.accept().await.unwrap().accept();
            assert_eq!(recv.read_to_end(10).await.unwrap().unwrap(), [n]);
        }
        assert_eq!(there.closed().await, DisconnectReason::TimedOut);
        full.store(false, Ordering::SeqCst);
        // Once there is room, the next connection stands.
        b.add_address(a.id(), lab::address(&a, "127.0.0.1"));
        b.peer(a.id()).connect().await.unwrap();
    });
}

/// Somebody who waits, unlike any other.
struct Somebody;

impl Wake for Somebody {
    fn wake(self: Arc<Self>) {}
}

/// Polls a future once, as a task of its own.
fn poll_alone<T>(future: impl Future<Output = T>, meanwhile: impl FnOnce()) {
    let waker = Waker::from(Arc::new(Somebody));
    let mut future = pin!(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    meanwhile();
}

/// How many wait for a stream, and for something of a connection.
fn waiting<R: Runtime>(node: &Node<R>) -> [usize; 2] {
    let tables = node.tables();
    ["driver: callers that wait for a stream", "driver: callers that wait for a connection"]
        .map(|name| tables.iter().find(|table| table.name == name).unwrap().len)
}

fn who_waits_no_longer_leaves_nothing_behind<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        lab::seen(&b).await;
        b.set_max_streams(a.id(), Some(1)).unwrap();
        // The only one that there may be, once that has come to `a`.
        let mut streams = Vec::new();
        while let Some(Ok(stream)) = futures_lite::future::poll_once(connection.open_uni("all")).await {
            streams.push(stream);
        }
        for _ in 0..5 {
            poll_alone(a.accept(), || assert_eq!(waiting(&a), [1, 0]));
            poll_alone(connection.closed(), || assert_eq!(waiting(&a), [0, 1]));
            poll_alone(connection.read_datagram(), || assert_eq!(waiting(&a), [0, 1]));
            poll_alone(connection.open_uni("more"), || assert_eq!(waiting(&a), [0, 1]));
            assert_eq!(waiting(&a), [0, 0]);
        }
        // Who does wait is woken.
        let (closed, ()) = zip(connection.closed(), async { connection.close() }).await;
        assert_eq!(closed, DisconnectReason::ClosedHere);
    });
}
