//! How things end: orderly, suddenly, and by neglect. Nothing hangs.

use super::lab::{self, TestRuntime, noise};
use bytes::Bytes;
use futures_lite::future::zip;
use handfast_driver::error::{OpenError, ReadError, WriteError};
use handfast_driver::{Builder, DialError, DisconnectReason, Event, Events, Node, Runtime};
use handfast_tests::faulty::Faulty;
use std::net::UdpSocket;
use std::sync::atomic::Ordering;
use std::time::Duration;

super::on_every_runtime!(
    a_shutdown_delivers_what_was_finished,
    a_shutdown_ends_everything_that_waits,
    a_connection_that_is_closed_ends_streams_on_both_sides,
    a_peer_that_vanishes_is_missed_within_the_idle_timeout,
    a_node_that_is_dropped_says_goodbye_and_frees_its_port,
    a_stream_keeps_its_node_alive,
);

async fn disconnected(events: &mut Events) -> DisconnectReason {
    loop {
        if let Event::PeerDisconnected(_, _, reason) = events.next().await.unwrap() {
            return reason;
        }
    }
}

fn a_shutdown_delivers_what_was_finished<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let data = Bytes::from(noise(4, 3 << 20));
        let mut send = connection.open_uni("last").await.unwrap();
        let near = async {
            send.write_chunk(data.clone()).await.unwrap();
            send.finish().unwrap();
            a.shutdown().await;
        };
        let far = async {
            let (_, mut recv) = b.accept().await.unwrap().accept();
            recv.read_to_end(4 << 20).await.unwrap().unwrap()
        };
        assert!(zip(near, far).await.1 == data);
    });
}

fn a_shutdown_ends_everything_that_waits<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, _b, connection) = lab::connected::<A, B>().await;
        let (mut send, mut recv) = connection.open_bi("open").await.unwrap();
        let mut events = a.events();
        let waiting =
            zip(recv.read_chunk(), zip(a.accept(), async { while events.next().await.is_some() {} }));
        let (_, (read, (accepted, ()))) = zip(a.shutdown(), waiting).await;
        assert_eq!(read.unwrap_err(), ReadError::Gone);
        assert!(accepted.is_none());
        assert_eq!(send.write(b"x").await.unwrap_err(), WriteError::Gone);
        assert_eq!(connection.open_uni("x").await.unwrap_err(), OpenError::Gone);
        assert_eq!(a.connect(connection.peer().id).await.unwrap_err(), DialError::Stopped);
        assert_eq!(a.local_addresses(), []);
        a.shutdown().await;
    });
}

fn a_connection_that_is_closed_ends_streams_on_both_sides<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let (mut here, mut there) = (a.events(), b.events());
        let (mut send, mut recv) = connection.open_bi("cut").await.unwrap();
        send.write_all(b"x").await.unwrap();
        let (_far_send, mut far_recv) = b.accept().await.unwrap().accept();
        far_recv.read_chunk().await.unwrap();
        connection.close();
        assert_eq!(disconnected(&mut here).await, DisconnectReason::ClosedHere);
        assert_eq!(disconnected(&mut there).await, DisconnectReason::ClosedByPeer);
        assert_eq!(recv.read_chunk().await.unwrap_err(), ReadError::Gone);
        assert_eq!(far_recv.read_chunk().await.unwrap_err(), ReadError::Gone);
        assert_eq!(send.write(b"x").await.unwrap_err(), WriteError::Gone);
        assert_eq!((a.connections().len(), b.connections().len()), (0, 0));
    });
}

fn a_peer_that_vanishes_is_missed_within_the_idle_timeout<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let impatient = lab::config().with_idle(Duration::from_secs(2), Duration::from_millis(500));
        let a = Builder::new(impatient, a, A::default()).with_store(store_a).start().await.unwrap();
        let (faulty, cut) = Faulty::with_cable(B::default());
        let b = Builder::new(lab::config(), b, faulty).with_store(store_b).start().await.unwrap();
        let connection = lab::connect(&a, &b).await;
        let mut events = a.events();
        let (_send, mut recv) = connection.open_bi("silence").await.unwrap();
        cut.store(true, Ordering::SeqCst);
        let (reason, read) = zip(disconnected(&mut events), recv.read_chunk()).await;
        assert_eq!(reason, DisconnectReason::TimedOut);
        assert_eq!(read.unwrap_err(), ReadError::Gone);
    });
}

fn a_node_that_is_dropped_says_goodbye_and_frees_its_port<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let mut events = b.events();
        let port = lab::address(&a, "127.0.0.1").port();
        drop((a, connection));
        assert_eq!(disconnected(&mut events).await, DisconnectReason::ClosedByPeer);
        while UdpSocket::bind(("0.0.0.0", port)).is_err() {
            lab::sleep::<A>(Duration::from_millis(10)).await;
        }
    });
}

fn a_stream_keeps_its_node_alive<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let mut send = connection.open_uni("alone").await.unwrap();
        drop((a, connection));
        send.write_all(b"still here").await.unwrap();
        send.finish().unwrap();
        send.delivered().await.unwrap();
        let (_, mut recv) = b.accept().await.unwrap().accept();
        assert_eq!(recv.read_to_end(100).await.unwrap().unwrap(), b"still here");
    });
}

/// Runs on a runtime that is gone when the handles are used.
#[test]
fn a_runtime_that_is_dropped_leaves_no_handle_hanging() {
    use handfast_tokio::Runtime as Tokio;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (a, _b, connection) = runtime.block_on(lab::connected::<Tokio, Tokio>());
    let (mut send, mut recv) = runtime.block_on(connection.open_bi("orphan")).unwrap();
    let port = lab::address(&a, "127.0.0.1").port();
    drop(runtime);
    UdpSocket::bind(("0.0.0.0", port)).expect("its sockets are closed");
    lab::run::<handfast_smol::Runtime>(async {
        assert_eq!(recv.read_chunk().await.unwrap_err(), ReadError::Gone);
        assert!(send.write(b"x").await.is_err());
        assert!(a.accept().await.is_none());
        assert_eq!(a.connect(connection.peer().id).await.unwrap_err(), DialError::Stopped);
        shut_down(&a).await;
    });
}

async fn shut_down<R: Runtime>(node: &Node<R>) {
    node.shutdown().await;
}
