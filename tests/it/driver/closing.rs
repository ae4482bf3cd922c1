//! Nodes that are shut down in the middle of things: whatever was under way ends, as a whole or in an error.

use super::lab::{self, TestRuntime, noise};
use futures_lite::future::{or, poll_once, zip};
use handfast_driver::error::{DatagramError, OpenError, WriteError};
use handfast_driver::{
    Builder, ConnectFailure, ConnectedPeer, Connection, DialError, DisconnectReason, HookFuture,
    HostingError, JoiningError, Node, P2PManager, PairedPeer, ReachError, RequestError, Runtime, Target,
    TrustingError,
};
use handfast_tests::paired::identity;
use smol::channel::{Sender, unbounded};
use std::net::UdpSocket;
use std::sync::{Arc, OnceLock, mpsc};

super::on_every_runtime!(
    a_shutdown_amid_a_hundred_streams_delivers_what_was_finished_and_fails_the_rest,
    both_sides_may_shut_down_at_once,
    a_shutdown_ends_a_dial_that_runs,
    a_shutdown_ends_a_pairing_that_runs,
    a_shutdown_may_be_asked_for_twice_and_by_a_hook,
    handles_that_are_used_after_a_shutdown_say_so_at_once,
);

/// How a stream came to its end: what there is of it, and whether that is all.
async fn read_out<R: TestRuntime>(mut recv: R::RecvStream) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    loop {
        match recv.read_chunk().await {
            Ok(Some(chunk)) => out.extend_from_slice(&chunk),
            Ok(None) => return (out, true),
            Err(_) => return (out, false),
        }
    }
}

/// Reads each stream of a connection in a task of its own, until the connection has ended.
async fn read_all<R: TestRuntime>(
    node: Node<R>,
    connection: Connection<R>,
    done: Sender<(u64, Vec<u8>, bool)>,
) {
    let next = async || {
        let closed = async {
            connection.closed().await;
            None
        };
        // In this order: what came before the end is taken first.
        or(node.accept(), closed).await
    };
    while let Some(incoming) = next().await {
        let number = incoming.label().parse().unwrap();
        let (_, recv) = incoming.accept();
        let done = done.clone();
        R::default().spawn(async move {
            let (bytes, whole) = read_out::<R>(recv).await;
            done.send((number, bytes, whole)).await.unwrap();
        });
    }
}

/// Half of a hundred streams are finished when `end` is awaited, the other half is not. How many were read whole, and
/// of how many the writer knows that they arrived.
async fn half_written<A: TestRuntime, B: TestRuntime>(
    end: impl AsyncFnOnce(&Node<A>, &Node<B>),
) -> (usize, usize) {
    let (a, b, connection) = lab::connected::<A, B>().await;
    let (done, results) = unbounded();
    B::default().spawn(read_all(b.clone(), lab::seen(&b).await, done));
    let mut open = Vec::new();
    for number in 0..100_u64 {
        let mut send = connection.open_uni(&number.to_string()).await.unwrap();
        send.write_all(&noise(number, 30_000)).await.unwrap();
        if number % 2 == 0 {
            send.finish().unwrap();
        }
        open.push(send);
    }
    end(&a, &b).await;
    let mut whole = 0;
    while let Ok((number, bytes, is_whole)) = results.recv().await {
        assert!(noise(number, 30_000).starts_with(&bytes), "{number}: other bytes came");
        if is_whole {
            assert_eq!(number % 2, 0, "{number}: half a stream seems whole");
            assert_eq!(bytes.len(), 30_000, "{number}: a part of a stream seems whole");
            whole += 1;
        }
    }
    let mut delivered = 0;
    for mut send in open.into_iter().step_by(2) {
        // Nobody waits any longer: it is known of each whether it arrived.
        delivered += usize::from(now(send.delivered()).await.is_ok());
    }
    (whole, delivered)
}

fn a_shutdown_amid_a_hundred_streams_delivers_what_was_finished_and_fails_the_rest<
    A: TestRuntime,
    B: TestRuntime,
>() {
    lab::run::<A>(async {
        let (whole, delivered) = half_written::<A, B>(async |a, _| a.shutdown().await).await;
        assert_eq!((whole, delivered), (50, 50));
    });
}

fn both_sides_may_shut_down_at_once<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        // Whoever shuts down does not read on: what it has, and did not read, is an error to it alone.
        half_written::<A, B>(async |a, b| _ = zip(a.shutdown(), b.shutdown()).await).await;
    });
}

fn a_shutdown_ends_a_dial_that_runs<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        // Somebody who never answers.
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        a.add_address(b.id(), silent.local_addr().unwrap());
        let peer = a.peer(b.id());
        let ((dialled, handle), ()) = zip(zip(a.connect(b.id()), peer.open_uni("x")), a.shutdown()).await;
        // And not ten seconds later.
        let late = DialError::Failed(ConnectFailure::TimedOut);
        assert!(dialled.is_err_and(|error| error != late));
        assert!(handle.is_err_and(|error| error != ReachError::Unreachable(late)));
    });
}

/// Tells when it is asked to save a peer, and never comes to an end with it.
struct Hangs(Sender<()>);

impl<R: Runtime> P2PManager<R> for Hangs {
    fn peer_paired(&self, _: PairedPeer) -> HookFuture<'_> {
        self.0.try_send(()).unwrap();
        Box::pin(std::future::pending())
    }
}

fn a_shutdown_ends_a_pairing_that_runs<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        for host_goes in [true, false] {
            let (tell, asked) = unbounded();
            let a = Builder::new(lab::config(), identity(1), A::default()).with_manager(Hangs(tell.clone()));
            let b = Builder::new(lab::config(), identity(2), B::default()).with_manager(Hangs(tell));
            let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
            let hosting = a.pair_host(Target::Any).unwrap();
            let code = hosting.code().clone();
            let at = Target::At(vec![lab::address(&a, "127.0.0.1")]);
            let go = async {
                asked.recv().await.unwrap();
                if host_goes { a.shutdown().await } else { b.shutdown().await }
            };
            let other = async {
                let ended = zip(hosting.outcome(), b.pair_join(code, at)).await;
                assert!(ended.0.is_err() && ended.1.is_err(), "{ended:?}");
            };
            // Whoever stays has a hook that hangs: its pairing ends with its own node.
            let stays = async {
                go.await;
                if host_goes { b.shutdown().await } else { a.shutdown().await }
            };
            zip(other, stays).await;
        }
    });
}

/// Shuts its own node down when somebody connects.
struct Quits<R: Runtime>(Arc<OnceLock<Node<R>>>);

impl<R: Runtime> P2PManager<R> for Quits<R> {
    fn peer_connected(&self, _: Connection<R>, _: ConnectedPeer) {
        let node = self.0.get().expect("it was told which node it belongs to");
        // A hook does not wait: to begin is enough.
        assert!(futures_lite::future::block_on(poll_once(node.shutdown())).is_none());
    }
}

fn a_shutdown_may_be_asked_for_twice_and_by_a_hook<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let own = Arc::new(OnceLock::new());
        let (a, b) = lab::builders::<A, B>();
        let (a, b) =
            (a.start().await.unwrap(), b.with_manager(Quits(Arc::clone(&own))).start().await.unwrap());
        own.set(b.clone()).unwrap();
        let connection = lab::connect(&a, &b).await;
        assert_eq!(connection.closed().await, DisconnectReason::ClosedByPeer);
        zip(b.shutdown(), b.shutdown()).await;
        b.shutdown().await;
        assert_eq!(b.local_addresses(), []);
        zip(a.shutdown(), a.clone().shutdown()).await;
    });
}

/// What a future comes to that does not wait.
async fn now<T>(future: impl Future<Output = T>) -> T {
    poll_once(future).await.expect("it does not wait")
}

fn handles_that_are_used_after_a_shutdown_say_so_at_once<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        let (mut send, mut recv) = connection.open_bi("x").await.unwrap();
        let (mut events, peer) = (a.events(), a.peer(b.id()));
        a.shutdown().await;
        assert_eq!(now(connection.open_bi("x")).await.unwrap_err(), OpenError::Gone);
        assert_eq!(now(connection.request("x", "")).await, Err(RequestError::Gone));
        assert_eq!(now(connection.read_datagram()).await, None);
        assert_eq!(connection.send_datagram(""), Err(DatagramError::Gone));
        assert_eq!(connection.max_datagram_size(), None);
        assert_eq!(now(connection.closed()).await, DisconnectReason::ClosedHere);
        connection.close();
        assert_eq!(now(send.write(b"x")).await, Err(WriteError::Gone));
        assert_eq!(send.finish(), Err(WriteError::Gone));
        assert_eq!(now(send.delivered()).await, Err(WriteError::Gone));
        assert_eq!(now(send.stopped()).await, None);
        assert!(now(recv.read_chunk()).await.is_err());
        assert_eq!(now(peer.connect()).await.unwrap_err(), DialError::Stopped);
        assert_eq!(now(peer.request("x", "")).await, Err(RequestError::Unreachable(DialError::Stopped)));
        assert!(now(peer.send_datagram("")).await.is_err());
        assert!(peer.connection().is_none() && a.connections().is_empty());
        assert!(now(a.broadcast("x", "")).await.is_empty());
        assert!(now(a.accept()).await.is_none());
        while now(events.next()).await.is_some() {}
        assert!(now(a.events().next()).await.is_none());
        assert_eq!(a.pair_host(Target::Any).unwrap_err(), HostingError::Stopped);
        let code = "482-1935".parse().unwrap();
        assert_eq!(now(a.pair_join(code, Target::Any)).await, Err(JoiningError::Stopped));
        assert_eq!(now(a.trust(b.public_key(), Target::Any)).await, Err(TrustingError::Stopped));
        now(a.shutdown()).await;
    });
}

/// Where the runtime has more threads than one: a hook that blocks the only one blocks all of it.
#[test]
fn a_shutdown_waits_for_no_hook_that_blocks() {
    use handfast_tokio::Runtime as Tokio;
    lab::run::<Tokio>(async {
        let (let_go, blocked) = mpsc::channel();
        let (a, b) = lab::builders::<Tokio, Tokio>();
        let (a, b) =
            (a.start().await.unwrap(), b.with_manager(lab::Blocks(blocked.into())).start().await.unwrap());
        let connection = lab::connect(&a, &b).await;
        b.shutdown().await;
        assert_eq!(connection.closed().await, DisconnectReason::ClosedByPeer);
        let_go.send(()).expect("the hook still waits");
    });
}
