//! How peers are reached, through the handles: by name, from the sources that are on, and what a manager hears of it.

use super::lab::{self, TestRuntime};
use handfast_driver::error::ConnectError;
use handfast_driver::{
    Builder, DialError, DisconnectReason, IdleReason, P2PManager, PeerId, PeerState, Runtime, Sources,
};
use handfast_tests::faulty::Faulty;
use smol::channel::{Sender, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

super::on_every_runtime!(
    a_peer_is_dialled_by_the_name_of_its_host_which_is_looked_up_once,
    a_source_that_is_switched_off_is_not_heeded_until_it_is_on_again,
    a_manager_hears_how_it_stands_with_a_peer,
);

fn a_peer_is_dialled_by_the_name_of_its_host_which_is_looked_up_once<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let ((a, store_a), (b, store_b)) = lab::sides();
        let b = Builder::new(lab::config(), b, B::default()).with_store(store_b).start().await.unwrap();
        let (there, asked) = (lab::address(&b, "127.0.0.1"), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        let named = Faulty::with_names(A::default(), move |name| {
            count.fetch_add(1, Ordering::SeqCst);
            assert_eq!((name.host(), name.port()), ("laptop.example", 5223));
            vec![there]
        });
        let a = Builder::new(lab::config(), a, named).with_store(store_a).start().await.unwrap();
        let error = a.connect(b.id()).await.unwrap_err();
        assert_eq!(error, DialError::Begin(ConnectError::NoAddress));
        a.add_name(b.id(), "laptop.example:5223".parse().unwrap());
        for _ in 0..2 {
            let connection = a.connect(b.id()).await.unwrap();
            assert_eq!(connection.remote(), there);
            connection.close();
            assert_eq!(connection.closed().await, DisconnectReason::ClosedHere);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    });
}

fn a_source_that_is_switched_off_is_not_heeded_until_it_is_on_again<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = (a.start().await.unwrap(), b.start().await.unwrap());
        a.add_address(b.id(), lab::address(&b, "127.0.0.1"));
        assert_eq!(a.sources(), Sources::all());
        a.set_sources(Sources::none());
        assert_eq!(a.sources(), Sources::none());
        let error = a.connect(b.id()).await.unwrap_err();
        assert_eq!(error, DialError::Begin(ConnectError::NoAddress));
        let mut manual = Sources::none();
        manual.manual = true;
        a.set_sources(manual);
        a.connect(b.id()).await.unwrap();
    });
}

/// Tells how it is said to stand.
struct Watches(Sender<(PeerId, PeerState)>);

impl<R: Runtime> P2PManager<R> for Watches {
    fn peer_state(&self, peer: PeerId, state: PeerState) {
        self.0.try_send((peer, state)).unwrap();
    }
}

fn a_manager_hears_how_it_stands_with_a_peer<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (tell, told) = unbounded();
        let (a, b) = (a.with_manager(Watches(tell)).start().await.unwrap(), b.start().await.unwrap());
        assert_eq!(a.peer_state(b.id()), Some(PeerState::Idle(IdleReason::Unasked)));
        let connection = lab::connect(&a, &b).await;
        assert_eq!(told.recv().await.unwrap(), (b.id(), PeerState::Dialling { addresses: 1 }));
        assert_eq!(told.recv().await.unwrap(), (b.id(), PeerState::Connected));
        assert_eq!(a.peer_state(b.id()), Some(PeerState::Connected));
        connection.close();
        let ended = PeerState::Idle(IdleReason::Ended(DisconnectReason::ClosedHere));
        assert_eq!(told.recv().await.unwrap(), (b.id(), ended));
        assert_eq!(a.peer_state(b.id()), Some(ended));
    });
}
