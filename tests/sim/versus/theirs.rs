//! quinn's side: the same keys, windows and shape.

use super::{
    BULK, Bed, CHUNK, CONNECTION_WINDOW, CONNECTIONS, Contender, Gate, IN_FLIGHT, MESSAGE, REQUESTS,
    STREAM_WINDOW, tls,
};
use bytes::Bytes;
use handfast_driver::Runtime;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, RecvStream, SendStream, ServerConfig, TransportConfig,
};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server and its clients, one endpoint a connection, as ours.
pub struct Theirs<'a, B, R> {
    bed: &'a B,
    runtime: R,
    clients: Vec<(Endpoint, Connection)>,
    _server: Endpoint,
}

impl<'a, B: Bed, R: Runtime> Theirs<'a, B, R> {
    /// Starts and connects everything.
    pub fn new(bed: &'a B, runtime: R, quinn_runtime: Arc<dyn quinn::Runtime>) -> Self {
        let (on, theirs) = (runtime.clone(), quinn_runtime.clone());
        let server = bed.server(async move {
            let endpoint = endpoint(Some(server_config()), theirs);
            on.spawn(serve(on.clone(), endpoint.clone()));
            endpoint
        });
        let port = server.local_addr().expect("the server listens").port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let clients = bed.client(async move {
            let mut clients = Vec::new();
            for _ in 0..CONNECTIONS {
                let endpoint = endpoint(None, quinn_runtime.clone());
                let connecting =
                    endpoint.connect_with(client_config(), address, "versus").expect("a sound name");
                let connection = connecting.await.expect("a client connects");
                clients.push((endpoint, connection));
            }
            clients
        });
        Self { bed, runtime, clients, _server: server }
    }
}

impl<B: Bed, R: Runtime> Contender for Theirs<'_, B, R> {
    fn bulk(&self) -> Duration {
        let connection = self.clients[0].1.clone();
        self.bed.client(async move {
            let begun = Instant::now();
            let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
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

async fn ask(connection: Connection, gate: Gate) {
    let message = Bytes::from(vec![9; MESSAGE]);
    for _ in 0..REQUESTS {
        let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
        send.write_chunk(message.clone()).await.expect("the peer reads");
        send.finish().expect("the peer reads");
        assert_eq!(drain(&mut recv).await, MESSAGE);
    }
    gate.pass();
}

async fn drain(recv: &mut RecvStream) -> usize {
    let mut got = 0;
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await.expect("the peer writes") {
        got += chunk.bytes.len();
    }
    got
}

async fn serve<R: Runtime>(runtime: R, endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        let on = runtime.clone();
        runtime.spawn(async move {
            let connection = incoming.await.expect("a client connects");
            while let Ok((send, recv)) = connection.accept_bi().await {
                on.spawn(answer(send, recv));
            }
        });
    }
}

async fn answer(mut send: SendStream, mut recv: RecvStream) {
    let got = drain(&mut recv).await;
    let response = if got == MESSAGE { vec![3; MESSAGE] } else { got.to_le_bytes().to_vec() };
    send.write_chunk(response.into()).await.expect("the peer reads");
    send.finish().expect("the peer reads");
}

fn endpoint(server: Option<ServerConfig>, runtime: Arc<dyn quinn::Runtime>) -> Endpoint {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    Endpoint::new(EndpointConfig::default(), server, super::roomy(socket), runtime).expect("an endpoint")
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .receive_window(CONNECTION_WINDOW.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .send_window(CONNECTION_WINDOW.into())
        .keep_alive_interval(Some(Duration::from_secs(20)));
    Arc::new(transport)
}

fn server_config() -> ServerConfig {
    let tls = tls::server(tls::provider(), tls::Credentials::fresh(), b"versus");
    let crypto = QuicServerConfig::try_from(tls).expect("it has AES-128");
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(transport());
    config
}

fn client_config() -> ClientConfig {
    let tls = tls::client(tls::provider(), tls::Credentials::fresh(), b"versus");
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("it has AES-128")));
    config.transport_config(transport());
    config
}
