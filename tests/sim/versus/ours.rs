//! Handfast's side.

use super::{BULK, Bed, CHUNK, CONNECTIONS, Contender, Gate, IN_FLIGHT, MESSAGE, REQUESTS};
use crate::faulty::Faulty;
use crate::paired;
use bytes::Bytes;
use handfast_core::SocketSpec;
use handfast_driver::{
    Advertise, Builder, Config, Connection, Identity, Incoming, Interfaces, MemoryStore, Node, Runtime,
    ServiceName,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// A node and its connection to the server.
type Client<R> = (Node<Faulty<R>>, Connection<Faulty<R>>);

/// A server and its clients: a node has one connection to a peer, so there are as many nodes. None of them
/// speaks mDNS, which a hundred nodes on one machine would all hear from each other.
pub struct Ours<'a, B, R: Runtime> {
    bed: &'a B,
    runtime: R,
    clients: Vec<Client<R>>,
    _server: Node<Faulty<R>>,
}

fn config() -> Config {
    let mut quiet = Advertise::default();
    quiet.enabled = false;
    Config::new(ServiceName::new("versus").expect("a sound name"))
        .with_interfaces(Interfaces::only(["lo"]))
        .with_advertise(quiet)
}

/// Not the identities of tests, of which there are fewer.
fn client(number: usize) -> Identity {
    let mut entropy = [7; 32];
    entropy[..8].copy_from_slice(&(number as u64).to_le_bytes());
    Identity::from_entropy(entropy)
}

impl<'a, B: Bed, R: Runtime> Ours<'a, B, R> {
    /// Starts and connects everything.
    pub fn new(bed: &'a B, runtime: R) -> Self {
        let quiet = Faulty::refusing(runtime.clone(), |spec| matches!(spec, SocketSpec::Mdns { .. }));
        let identity = paired::identity(1);
        let key = identity.public_key();
        let records =
            (0..CONNECTIONS).map(|number| paired::records(client(number).public_key(), key).1).collect();
        let on = quiet.clone();
        let server = bed.server(async move {
            let node = Builder::new(config(), identity, on.clone()).with_store(MemoryStore::with(records));
            let node = node.start().await.expect("the server starts");
            on.spawn(serve(on.clone(), node.clone()));
            node
        });
        let port = server.local_addresses().first().expect("the server listens").port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (on, id) = (quiet, server.id());
        let clients = bed.client(async move {
            let mut clients = Vec::new();
            for number in 0..CONNECTIONS {
                let identity = client(number);
                let record = paired::records(identity.public_key(), key).0;
                let node =
                    Builder::new(config(), identity, on.clone()).with_store(MemoryStore::with(vec![record]));
                let node = node.start().await.expect("a client starts");
                node.add_address(id, address);
                let connection = node.connect(id).await.expect("a client connects");
                clients.push((node, connection));
            }
            clients
        });
        Self { bed, runtime, clients, _server: server }
    }
}

impl<B: Bed, R: Runtime> Contender for Ours<'_, B, R> {
    fn bulk(&self) -> Duration {
        let connection = self.clients[0].1.clone();
        self.bed.client(async move {
            let begun = Instant::now();
            let (mut send, mut recv) = connection.open_bi("bulk").await.expect("a stream");
            let chunk = Bytes::from(vec![5; CHUNK]);
            for _ in 0..BULK / CHUNK {
                send.write_chunk(chunk.clone()).await.expect("the peer reads");
            }
            send.finish().expect("the peer reads");
            recv.read_to_end(8).await.expect("the peer answers");
            begun.elapsed()
        })
    }

    fn requests(&self) -> Duration {
        let runtime = self.runtime.clone();
        let connections: Vec<_> = self.clients.iter().map(|client| client.1.clone()).collect();
        self.bed.client(async move {
            let gate = Gate::new(CONNECTIONS * IN_FLIGHT);
            let begun = Instant::now();
            for connection in connections {
                for _ in 0..IN_FLIGHT {
                    runtime.spawn(ask(connection.clone(), gate.clone()));
                }
            }
            gate.wait().await;
            begun.elapsed()
        })
    }
}

async fn ask<R: Runtime>(connection: Connection<R>, gate: Gate) {
    let message = Bytes::from(vec![9; MESSAGE]);
    for _ in 0..REQUESTS {
        let (mut send, mut recv) = connection.open_bi("").await.expect("a stream");
        send.write_chunk(message.clone()).await.expect("the peer reads");
        send.finish().expect("the peer reads");
        let mut got = 0;
        while let Some(chunk) = recv.read_chunk().await.expect("the peer answers") {
            got += chunk.len();
        }
        assert_eq!(got, MESSAGE);
    }
    gate.pass();
}

async fn serve<R: Runtime>(runtime: R, node: Node<R>) {
    while let Some(incoming) = node.accept().await {
        runtime.spawn(answer(incoming));
    }
}

async fn answer<R: Runtime>(incoming: Incoming<R>) {
    let small = incoming.label().is_empty();
    let (send, mut recv) = incoming.accept();
    let mut send = send.expect("both kinds go both ways");
    let mut got = 0;
    while let Some(chunk) = recv.read_chunk().await.expect("the peer writes") {
        got += chunk.len();
    }
    let response = if small { vec![3; MESSAGE] } else { got.to_le_bytes().to_vec() };
    send.write_chunk(response.into()).await.expect("the peer reads");
    send.finish().expect("the peer reads");
}
