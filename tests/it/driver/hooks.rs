//! A manager's hooks: called in order, without a lock, and with no power to hurt the node.

use super::lab::{self, TestRuntime};
use handfast_driver::{ConnectedPeer, Connection, DisconnectReason, Incoming, P2PManager, PeerId, Runtime};
use smol::channel::{Receiver, Sender, unbounded};
use std::sync::Mutex;

super::on_every_runtime!(
    a_manager_hears_of_connections_and_takes_streams,
    a_hook_may_use_its_own_node,
    a_hook_that_panics_loses_its_connection_and_nothing_else,
    a_stream_that_the_manager_returns_can_be_accepted,
);

/// What a hook was told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Connected(PeerId),
    Disconnected(PeerId),
    Stream(String),
}

/// Tells what it is told; keeps streams called "keep", panics at those called "panic".
struct Recorder<R: Runtime> {
    told: Sender<Told>,
    kept: Mutex<Vec<Incoming<R>>>,
}

fn recorder<R: Runtime>() -> (Recorder<R>, Receiver<Told>) {
    let (told, hear) = unbounded();
    (Recorder { told, kept: Mutex::default() }, hear)
}

impl<R: Runtime> P2PManager<R> for Recorder<R> {
    fn peer_connected(&self, connection: Connection<R>, peer: ConnectedPeer) {
        assert_eq!(connection.peer(), &peer);
        self.told.try_send(Told::Connected(peer.id)).unwrap();
    }

    fn peer_disconnected(&self, peer: PeerId, _: DisconnectReason) {
        self.told.try_send(Told::Disconnected(peer)).unwrap();
    }

    fn accept_stream(&self, stream: Incoming<R>) -> Option<Incoming<R>> {
        self.told.try_send(Told::Stream(stream.label().to_owned())).unwrap();
        match stream.label() {
            "panic" => panic!("a hook that panics, on purpose"),
            "keep" => {
                self.kept.lock().unwrap().push(stream);
                None
            }
            _ => Some(stream),
        }
    }
}

fn a_manager_hears_of_connections_and_takes_streams<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (manager, hear) = recorder();
        let (a, b) = (a.start().await.unwrap(), b.with_manager(manager).start().await.unwrap());
        let connection = lab::connect(&a, &b).await;
        let mut send = connection.open_uni("keep").await.unwrap();
        send.write_all(b"x").await.unwrap();
        assert_eq!(hear.recv().await.unwrap(), Told::Connected(a.id()));
        assert_eq!(hear.recv().await.unwrap(), Told::Stream("keep".into()));
        connection.close();
        assert_eq!(hear.recv().await.unwrap(), Told::Disconnected(a.id()));
    });
}

/// Opens a stream, because a hook says so.
struct Greeter;

impl<R: TestRuntime> P2PManager<R> for Greeter {
    fn peer_connected(&self, connection: Connection<R>, _: ConnectedPeer) {
        R::default().spawn(async move {
            let mut send = connection.open_uni("greeting").await.unwrap();
            send.write_all(b"hello").await.unwrap();
            send.finish().unwrap();
            send.delivered().await.unwrap();
        });
    }
}

fn a_hook_may_use_its_own_node<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (a, b) = (a.start().await.unwrap(), b.with_manager(Greeter).start().await.unwrap());
        lab::connect(&a, &b).await;
        let (_, mut recv) = a.accept().await.unwrap().accept();
        assert_eq!(recv.read_to_end(100).await.unwrap().unwrap(), b"hello");
    });
}

fn a_hook_that_panics_loses_its_connection_and_nothing_else<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (manager, hear) = recorder();
        let (a, b) = (a.start().await.unwrap(), b.with_manager(manager).start().await.unwrap());
        let first = lab::connect(&a, &b).await;
        let mut send = first.open_uni("panic").await.unwrap();
        send.write_all(b"x").await.unwrap();
        assert_eq!(hear.recv().await.unwrap(), Told::Connected(a.id()));
        assert_eq!(hear.recv().await.unwrap(), Told::Stream("panic".into()));
        assert_eq!(hear.recv().await.unwrap(), Told::Disconnected(a.id()));

        while !a.connections().is_empty() {
            lab::sleep::<A>(std::time::Duration::from_millis(5)).await;
        }
        let second = lab::connect(&a, &b).await;
        assert_ne!(second.id(), first.id());
        assert_eq!(hear.recv().await.unwrap(), Told::Connected(a.id()));
    });
}

fn a_stream_that_the_manager_returns_can_be_accepted<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = lab::builders::<A, B>();
        let (manager, _hear) = recorder();
        let (a, b) = (a.start().await.unwrap(), b.with_manager(manager).start().await.unwrap());
        let connection = lab::connect(&a, &b).await;
        let mut send = connection.open_uni("other").await.unwrap();
        send.write_all(b"for you").await.unwrap();
        send.finish().unwrap();
        let incoming = b.accept().await.unwrap();
        assert_eq!(incoming.label(), "other");
        let (_, mut recv) = incoming.accept();
        assert_eq!(recv.read_to_end(100).await.unwrap().unwrap(), b"for you");
    });
}
