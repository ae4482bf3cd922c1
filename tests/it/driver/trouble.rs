//! An operating system that fails, applications that lose interest, hooks that block.

use super::lab::{self, TestRuntime, noise};
use futures_lite::future::{poll_once, zip};
use handfast_driver::core::SocketSpec;
use handfast_driver::{Builder, Event, P2PManager, Runtime, Target};
use handfast_tests::faulty::Faulty;
use smol::channel::{Sender, unbounded};
use std::io::ErrorKind;
use std::sync::mpsc;

super::on_every_runtime!(
    a_port_of_mdns_that_is_held_is_told_and_the_rest_goes_on,
    errors_that_pass_are_retried_and_never_fatal,
    a_system_without_any_socket_left_is_told_and_ends_in_order,
    a_future_that_is_dropped_at_its_first_poll_leaves_its_node_whole,
);

/// Tells which sockets could not be opened.
struct Listens(Sender<(SocketSpec, ErrorKind)>);

impl<R: Runtime> P2PManager<R> for Listens {
    fn event(&self, event: Event) {
        if let Event::SocketFailed(spec, kind) = event {
            self.0.try_send((spec, kind)).unwrap();
        }
    }
}

fn a_port_of_mdns_that_is_held_is_told_and_the_rest_goes_on<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let held = Faulty::refusing(A::default(), |spec| matches!(spec, SocketSpec::Mdns { .. }));
        let (tell, told) = unbounded();
        let a = Builder::new(lab::config(), a, held).with_store(store_a).with_manager(Listens(tell));
        let b = Builder::new(lab::config(), b, B::default()).with_store(store_b);
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        lab::connect(&a, &b).await;
        let (spec, kind) = told.recv().await.unwrap();
        assert!(matches!(spec, SocketSpec::Mdns { .. }));
        assert_eq!(kind, ErrorKind::AddrNotAvailable);
    });
}

/// EINTR, ENOBUFS, ENETUNREACH, EHOSTUNREACH, EPERM and EMFILE of Linux, and twice ECONNREFUSED and ECONNRESET:
/// with these a Windows tells that a datagram of ours found nobody.
const PASSING: [i32; 10] = [4, 105, 101, 113, 1, 24, 111, 104, 111, 104];

fn errors_that_pass_are_retried_and_never_fatal<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let a = Builder::new(lab::config(), a, Faulty::with_hiccups(A::default(), &PASSING));
        let b = Builder::new(lab::config(), b, Faulty::with_hiccups(B::default(), &PASSING));
        let a = a.with_store(store_a).start().await.unwrap();
        let b = b.with_store(store_b).start().await.unwrap();
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        // What is lost is sent again; a dial that has no luck may be repeated.
        let connection = loop {
            if let Ok(connection) = a.connect(b.id()).await {
                break connection;
            }
        };
        let data = noise(5, 300_000);
        let mut send = connection.open_uni("through").await.unwrap();
        let near = async {
            send.write_all(&data).await.unwrap();
            send.finish().unwrap();
            send.delivered().await.unwrap();
        };
        let far = async {
            let (_, mut recv) = b.accept().await.unwrap().accept();
            recv.read_to_end(1 << 20).await.unwrap().unwrap()
        };
        assert!(zip(near, far).await.1 == data);
    });
}

fn a_system_without_any_socket_left_is_told_and_ends_in_order<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), _) = lab::sides();
        let a = Builder::new(lab::config(), a, Faulty::refusing(B::default(), |_| true));
        let a = a.with_store(store_a).start().await.unwrap();
        assert_eq!(a.local_addresses(), []);
        let nobody = handfast_tests::paired::identity(2).peer_id(handfast_driver::core::PeerIdKind::Sha1);
        a.add_address(nobody, "127.0.0.1:9".parse().unwrap());
        a.connect(nobody).await.unwrap_err();
        a.shutdown().await;
    });
}

fn a_future_that_is_dropped_at_its_first_poll_leaves_its_node_whole<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let start = poll_once(Box::pin(lab::builders::<A, B>().0.start())).await;
        drop(start);
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        drop(poll_once(a.connect(b.id())).await);
        let connection = a.connect(b.id()).await.unwrap();
        let mut events = a.events();
        drop(poll_once(events.next()).await);
        drop(poll_once(a.accept()).await);
        drop(poll_once(connection.open_uni("dropped")).await);
        let hosting = a.pair_host(Target::Any).unwrap();
        let code = hosting.code().to_string().parse().unwrap();
        drop(poll_once(hosting.outcome()).await);
        let at = Target::At(vec![lab::address(&a, "127.0.0.1")]);
        drop(poll_once(b.pair_join(code, at)).await);

        let (mut send, mut recv) = connection.open_bi("kept").await.unwrap();
        drop(poll_once(recv.read_chunk()).await);
        // Nobody reads yet: at some point a write waits. What was taken of it is told by `write` alone.
        let mut sent = Vec::new();
        while let Some(taken) = poll_once(send.write(&[7; 10_000])).await {
            sent.resize(sent.len() + taken.unwrap(), 7);
        }
        let _ = poll_once(send.delivered()).await;
        let mut far = b.accept().await.unwrap();
        while far.label() != "kept" {
            far = b.accept().await.unwrap();
        }
        let (_, mut recv) = far.accept();
        let _ = poll_once(recv.read_chunk()).await;
        send.finish().unwrap();
        while recv.read_chunk().await.unwrap().is_some() {}
        send.delivered().await.unwrap();
        let _ = poll_once(a.shutdown()).await;
        a.shutdown().await;
    });
}

/// Where the runtime has more threads than one: a hook that blocks the only one blocks all of it.
#[test]
fn a_hook_that_blocks_its_thread_holds_up_no_stream() {
    use handfast_tokio::Runtime as Tokio;
    lab::run::<Tokio>(async {
        let (let_go, blocked) = mpsc::channel();
        let (a, b) = lab::builders::<Tokio, Tokio>();
        let (a, b) =
            (a.start().await.unwrap(), b.with_manager(lab::Blocks(blocked.into())).start().await.unwrap());
        let connection = lab::connect(&a, &b).await;
        let send = async {
            let mut send = connection.open_uni("meanwhile").await.unwrap();
            send.write_all(b"x").await.unwrap();
            send.finish().unwrap();
            // Acknowledged by the node whose hook blocks.
            send.delivered().await.unwrap();
        };
        send.await;
        let_go.send(()).unwrap();
    });
}
