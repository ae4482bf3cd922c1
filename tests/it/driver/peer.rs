//! A peer as a handle: connected or not, "give me a stream".

use super::lab::{self, TestRuntime};
use futures_lite::future::{poll_once, zip};
use handfast_driver::error::ConnectError;
use handfast_driver::{
    Builder, ConnectFailure, Consent, DialError, DisconnectReason, Node, P2PManager, ReachError,
    RequestError, Runtime,
};
use handfast_tests::faulty::Faulty;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

super::on_every_runtime!(
    a_handle_dials_when_it_is_asked_for_a_stream,
    a_handle_waits_for_an_address_and_goes_on_by_itself,
    a_handle_opens_its_stream_in_the_next_connection_where_the_last_one_ends,
    a_handle_gives_up_in_time_and_says_how_the_last_try_failed,
    a_handle_of_a_peer_that_is_not_paired_or_refuses_fails_at_once,
    a_request_through_a_handle_is_never_sent_twice,
    an_end_of_a_connection_is_told_to_who_waits_and_to_who_asks_later,
    handles_are_used_in_tasks_of_their_own,
);

/// Reads the next stream to its end, and lets its writer see that.
async fn take<R: Runtime>(node: &Node<R>) -> (String, Vec<u8>) {
    let incoming = node.accept().await.unwrap();
    let label = incoming.label().to_owned();
    let (_, mut recv) = incoming.accept();
    (label, recv.read_to_end(100).await.unwrap().unwrap())
}

async fn started<A: TestRuntime, B: TestRuntime>() -> (Node<A>, Node<B>) {
    let (a, b) = lab::builders::<A, B>();
    (a.start().await.unwrap(), b.start().await.unwrap())
}

fn a_handle_dials_when_it_is_asked_for_a_stream<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = started::<A, B>().await;
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        let peer = a.peer(b.id());
        assert!(peer.connection().is_none());
        let mut send = peer.open_uni("note").await.unwrap();
        send.write_all(b"hello").await.unwrap();
        send.finish().unwrap();
        assert_eq!(take(&b).await, ("note".to_owned(), b"hello".to_vec()));
        let connection = peer.connection().unwrap();
        assert_eq!(peer.connect().await.unwrap().id(), connection.id());
        peer.send_datagram("quick").await.unwrap();
        assert_eq!(lab::seen(&b).await.read_datagram().await.unwrap(), "quick");
        peer.close();
        assert_eq!(connection.closed().await, DisconnectReason::ClosedHere);
    });
}

fn a_handle_waits_for_an_address_and_goes_on_by_itself<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = started::<A, B>().await;
        let peer = a.peer(b.id());
        let mut open = pin!(peer.open_bi("later"));
        assert!(poll_once(open.as_mut()).await.is_none(), "nobody knows where it is");
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        open.await.unwrap();
    });
}

fn a_handle_opens_its_stream_in_the_next_connection_where_the_last_one_ends<
    A: TestRuntime,
    B: TestRuntime,
>() {
    lab::run::<A>(async {
        let (a, b, first) = lab::connected::<A, B>().await;
        let peer = a.peer(b.id());
        for n in 0..10_u8 {
            let before = peer.connect().await.unwrap();
            // About to end, and still the one that stands.
            before.close();
            let mut send = peer.open_uni("next").await.unwrap();
            assert_ne!(send.conn(), before.id());
            send.write_all(&[n]).await.unwrap();
            send.finish().unwrap();
            assert_eq!(take(&b).await.1, [n]);
        }
        assert_eq!(first.closed().await, DisconnectReason::ClosedHere);
    });
}

fn a_handle_gives_up_in_time_and_says_how_the_last_try_failed<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = started::<A, B>().await;
        let peer = a.peer(b.id()).with_timeout(Duration::from_millis(50));
        let nowhere = DialError::Begin(ConnectError::NoAddress);
        assert_eq!(peer.connect().await.unwrap_err(), nowhere);
        assert_eq!(peer.open_uni("x").await.unwrap_err(), ReachError::Unreachable(nowhere));
        assert_eq!(peer.request("x", "").await.unwrap_err(), RequestError::Unreachable(nowhere));
        a.shutdown().await;
        assert_eq!(peer.open_bi("x").await.unwrap_err(), ReachError::Unreachable(DialError::Stopped));
    });
}

/// Lets nobody in.
struct Closed;

impl<R: Runtime> P2PManager<R> for Closed {
    fn peer_admitted(&self, _: &handfast_driver::Candidate) -> bool {
        false
    }
}

fn a_handle_of_a_peer_that_is_not_paired_or_refuses_fails_at_once<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let config = lab::config().with_admission(Consent::Asked);
        let a = Builder::new(lab::config(), a, A::default()).with_store(store_a).start().await.unwrap();
        let b = Builder::new(config, b, B::default()).with_store(store_b).with_manager(Closed);
        let b = b.start().await.unwrap();
        let stranger = handfast_tests::paired::identity(9).peer_id(handfast_driver::PeerIdKind::Sha1);
        let error = a.peer(stranger).connect().await.unwrap_err();
        assert_eq!(error, DialError::Begin(ConnectError::NotPaired));
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        let error = a.peer(b.id()).connect().await.unwrap_err();
        assert_eq!(error, DialError::Failed(ConnectFailure::Refused));
        assert_eq!(
            a.peer(b.id()).open_uni(&"x".repeat(256)).await.unwrap_err(),
            ReachError::Unreachable(error)
        );
    });
}

fn a_request_through_a_handle_is_never_sent_twice<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = started::<A, B>().await;
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        let peer = a.peer(b.id());
        let far = async {
            let incoming = b.accept().await.unwrap();
            let (_send, mut recv) = incoming.accept();
            assert_eq!(recv.read_to_end(100).await.unwrap().unwrap(), b"pay");
            // It was heard, and then the connection goes: whether it was done nobody knows.
            let connection = lab::seen(&b).await;
            connection.close();
            connection.closed().await;
        };
        let (answer, ()) = zip(peer.request("pay", "pay"), far).await;
        assert!(matches!(answer, Err(RequestError::Gone | RequestError::Refused(0x10))), "{answer:?}");
        assert!(poll_once(b.accept()).await.is_none(), "it was sent once");
        // The next one goes through the next connection.
        let far = async {
            let (send, _) = b.accept().await.unwrap().accept();
            send.unwrap().finish().unwrap();
        };
        let (answer, ()) = zip(peer.request("again", ""), far).await;
        assert_eq!(answer.unwrap(), "");
    });
}

fn an_end_of_a_connection_is_told_to_who_waits_and_to_who_asks_later<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let (faulty, cut) = Faulty::with_cable(B::default());
        let impatient = lab::config().with_idle(Duration::from_secs(2), Duration::from_millis(500));
        let a = Builder::new(impatient, a, A::default()).with_store(store_a).start().await.unwrap();
        let b = Builder::new(lab::config(), b, faulty).with_store(store_b).start().await.unwrap();
        let first = lab::connect(&a, &b).await;
        let close = async { first.clone().close() };
        let (near, ()) = zip(first.closed(), close).await;
        assert_eq!(near, DisconnectReason::ClosedHere);
        let second = a.connect(b.id()).await.unwrap();
        cut.store(true, Ordering::SeqCst);
        assert_eq!(second.closed().await, DisconnectReason::TimedOut);
        assert_eq!(first.closed().await, DisconnectReason::ClosedHere);
        assert_eq!(second.clone().closed().await, DisconnectReason::TimedOut);
    });
}

fn handles_are_used_in_tasks_of_their_own<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = started::<A, B>().await;
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        let peer = a.peer(b.id());
        let (done, finished) = smol::channel::unbounded();
        for n in 0..20_u8 {
            let (peer, done) = (peer.clone(), done.clone());
            A::default().spawn(async move {
                let answer = peer.request("double", vec![n]).await.unwrap();
                done.send((n, answer[0])).await.unwrap();
            });
        }
        for _ in 0..20 {
            let (send, mut recv) = b.accept().await.unwrap().accept();
            let asked = recv.read_to_end(1).await.unwrap().unwrap();
            let mut send = send.unwrap();
            send.write_all(&[asked[0] * 2]).await.unwrap();
            send.finish().unwrap();
        }
        for _ in 0..20 {
            let (n, doubled) = finished.recv().await.unwrap();
            assert_eq!(doubled, 2 * n);
        }
        assert_eq!((a.connections().len(), b.connections().len()), (1, 1));
    });
}
