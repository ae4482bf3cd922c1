//! Clients, the same for every server: quinn, each with a key and a network of its own.

use super::wire::{Owner, Resident, is, tells};
use handfast_tests::versus::tls;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, EndpointConfig, TokioRuntime};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// Clients of a round. Each asks less than what a server grants one key, and comes from a network of its own.
pub(crate) const CLIENTS: usize = 200;
/// Requests of one client.
pub(crate) const REQUESTS: usize = 200;
/// Requests of one client at a time.
const IN_FLIGHT: usize = 8;
/// Announcements of one client on a connection.
pub(crate) const ANNOUNCEMENTS: usize = 10;
/// Sessions of a round.
pub(crate) const SESSIONS: usize = 2000;
/// Sessions at a time.
const SESSIONS_AT_ONCE: usize = 32;

/// Who makes the load: a runtime, and one socket in each of many networks.
pub(crate) struct Load {
    runtime: Runtime,
    endpoints: Vec<Endpoint>,
}

/// A client that is connected.
pub(crate) struct Client {
    connection: Connection,
    owner: Owner,
}

fn config(owner: &Owner) -> ClientConfig {
    let credentials = tls::Credentials::of(&owner.pkcs8);
    let tls = tls::client(tls::provider_of_one(), credentials, b"handfast-disco/1");
    ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("it has AES-128")))
}

async fn connect(endpoint: Endpoint, to: SocketAddr) -> Client {
    let owner = Owner::new();
    let connecting = endpoint.connect_with(config(&owner), to, "disco").expect("a sound name");
    Client { connection: connecting.await.expect("the server takes who comes"), owner }
}

/// Asks, and gives the whole reply.
async fn ask(connection: &Connection, request: &[u8]) -> Vec<u8> {
    let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
    send.write_all(request).await.expect("the server reads");
    send.finish().expect("the server reads");
    recv.read_to_end(64 << 10).await.expect("the server answers")
}

impl Load {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let within = runtime.enter();
        let endpoint = |n: usize| {
            let ip = Ipv4Addr::new(127, 77, n as u8, 1);
            let socket = UdpSocket::bind((ip, 0)).expect("all of 127/8 is this host");
            Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))
                .expect("an endpoint")
        };
        let endpoints = (0..CLIENTS).map(endpoint).collect();
        drop(within);
        Self { runtime, endpoints }
    }

    /// Clients with fresh keys.
    pub(crate) fn connect(&self, to: SocketAddr) -> Vec<Client> {
        self.runtime.block_on(async {
            let (mut joining, mut clients) = (JoinSet::new(), Vec::new());
            for endpoint in &self.endpoints {
                if joining.len() >= SESSIONS_AT_ONCE {
                    clients.extend(joining.join_next().await.map(|client| client.expect("no panic")));
                }
                joining.spawn(connect(endpoint.clone(), to));
            }
            clients.extend(joining.join_all().await);
            clients
        })
    }

    /// Everybody asks for somebody, again and again.
    pub(crate) fn look_up(&self, clients: &[Client], residents: &Arc<Vec<Resident>>) {
        self.runtime.block_on(async {
            let mut asking = JoinSet::new();
            for (n, client) in clients.iter().enumerate() {
                for lane in 0..IN_FLIGHT {
                    let (connection, residents) = (client.connection.clone(), Arc::clone(residents));
                    asking.spawn(async move {
                        for turn in 0..REQUESTS / IN_FLIGHT {
                            let at = (n * 7919 + lane * 104_729 + turn * 1_299_709) % residents.len();
                            let reply = ask(&connection, &residents[at].lookup()).await;
                            assert!(
                                tells(&reply),
                                "who has a token is told: {:?}",
                                reply.escape_ascii().to_string()
                            );
                        }
                    });
                }
            }
            asking.join_all().await;
        });
    }

    /// Everybody announces himself, ever anew.
    pub(crate) fn announce(&self, clients: Vec<Client>) -> Vec<Connection> {
        self.runtime.block_on(async {
            let mut asking = JoinSet::new();
            for client in clients {
                asking.spawn(async move {
                    for seq in 1..=ANNOUNCEMENTS as u64 {
                        let reply = ask(&client.connection, &client.owner.announcement(seq)).await;
                        assert!(is(&reply, "ClientAnnouncementOk"), "{:?}", reply.escape_ascii().to_string());
                    }
                    client.connection
                });
            }
            asking.join_all().await
        })
    }

    /// Many come, announce themselves and go, each with a fresh key.
    pub(crate) fn sessions(&self, to: SocketAddr) {
        self.runtime.block_on(async {
            let mut under_way = JoinSet::new();
            for n in 0..SESSIONS {
                if under_way.len() >= SESSIONS_AT_ONCE {
                    under_way.join_next().await;
                }
                let endpoint = self.endpoints[n % self.endpoints.len()].clone();
                under_way.spawn(async move {
                    let client = connect(endpoint, to).await;
                    let reply = ask(&client.connection, &client.owner.announcement(1)).await;
                    assert!(is(&reply, "ClientAnnouncementOk"), "{:?}", reply.escape_ascii().to_string());
                    client.connection.close(0u32.into(), b"");
                });
            }
            under_way.join_all().await;
            // The server hears of the last ones' ends.
            tokio::time::sleep(Duration::from_millis(50)).await;
        });
    }

    /// How long each of two requests takes, one after the other in turn, so many times.
    pub(crate) fn alternate(
        &self,
        client: &Client,
        requests: [&[u8]; 2],
        times: usize,
    ) -> [Vec<Duration>; 2] {
        self.runtime.block_on(async {
            let mut took = [Vec::new(), Vec::new()];
            for turn in 0..2 * times {
                // Which one goes first changes: what the first leaves behind slows neither down alone.
                let which = (turn + turn / 2) % 2;
                let begun = Instant::now();
                let reply = ask(&client.connection, requests[which]).await;
                took[which].push(begun.elapsed());
                assert!(!tells(&reply) && is(&reply, "QueryClientAnnouncementResponse"));
            }
            took
        })
    }
}
