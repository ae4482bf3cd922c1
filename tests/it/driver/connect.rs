//! Connections come up over either IP version, and both sides see the same one.

use super::lab::{self, TestRuntime};
use handfast_driver::error::ConnectError;
use handfast_driver::{Builder, DialError, Event};

super::on_every_runtime!(
    two_paired_nodes_connect_over_ipv4,
    two_paired_nodes_connect_over_ipv6,
    a_second_dial_gives_the_connection_that_stands,
    nobody_dials_a_peer_that_is_not_paired,
    both_sides_see_one_connection_when_both_dial,
    a_dial_whose_future_is_dropped_hurts_nobody,
);

fn two_paired_nodes_connect_over_ipv4<A: TestRuntime, B: TestRuntime>() {
    over::<A, B>("127.0.0.1");
}

fn two_paired_nodes_connect_over_ipv6<A: TestRuntime, B: TestRuntime>() {
    over::<A, B>("::1");
}

fn over<A: TestRuntime, B: TestRuntime>(ip: &str) {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        let mut events = b.events();
        let there = lab::address(&b, ip);
        a.add_address(b.id(), there);
        let connection = a.connect(b.id()).await.unwrap();
        assert_eq!(connection.peer().key, b.public_key());
        assert_eq!(connection.remote(), there);
        assert!(connection.peer().dialled);
        let seen = loop {
            if let Event::PeerConnected(peer) = events.next().await.unwrap() {
                break peer;
            }
        };
        assert_eq!(seen.key, a.public_key());
        assert!(!seen.dialled);
        assert_eq!(b.connections().len(), 1);
        let peers = a.peers();
        assert!(peers.len() == 1 && peers[0].paired.is_some() && peers[0].connected.is_some());
    });
}

fn a_second_dial_gives_the_connection_that_stands<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b, connection) = lab::connected::<A, B>().await;
        assert_eq!(a.connect(b.id()).await.unwrap().id(), connection.id());
    });
}

fn nobody_dials_a_peer_that_is_not_paired<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let a = Builder::new(lab::config(), handfast_tests::paired::identity(1), A::default());
        let b = Builder::new(lab::config(), handfast_tests::paired::identity(2), B::default());
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        let error = a.connect(b.id()).await.unwrap_err();
        assert_eq!(error, DialError::Begin(ConnectError::NotPaired));
    });
}

fn both_sides_see_one_connection_when_both_dial<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        b.add_address(a.id(), lab::address(&a, "127.0.0.1"));
        let (there, back) = futures_lite::future::zip(a.connect(b.id()), b.connect(a.id())).await;
        there.unwrap();
        back.unwrap();
        // Each may show its own at first; then both come to the same one, which one of them dialled.
        loop {
            let of_a = a.connections().first().map(|connection| connection.peer().dialled);
            let of_b = b.connections().first().map(|connection| connection.peer().dialled);
            if of_a.is_some() && of_b.is_some() && of_a != of_b {
                break;
            }
            lab::sleep::<A>(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!((a.connections().len(), b.connections().len()), (1, 1));
    });
}

fn a_dial_whose_future_is_dropped_hurts_nobody<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        let dropped = futures_lite::future::poll_once(a.connect(b.id())).await;
        assert!(dropped.is_none(), "a dial takes longer than one poll");
        a.connect(b.id()).await.unwrap();
    });
}
