//! A server, clients that speak its protocol, and time: for its fuzz target and its tests.

use crate::ask::{Answer, Ask, DirectoryToken};
use crate::config::Config;
use crate::directory::{DirectoryReply, DirectoryRequest};
use crate::global::seal;
use crate::id::{ConnId, Fingerprint, PeerId, PeerIdKind, ServiceName, SocketId, StreamId};
use crate::identity::Identity;
use crate::io::{Now, Opened, Output, Received, UnixTime};
use crate::quic::fuzz::crypto;
use crate::quic::{Alpn, Cause, Event, Expect, Quic, Round};
use crate::rng::{Rng, Seed};
use crate::server::{Server, ServerConfig};
use crate::store::PairSecret;
use crate::wire::discovery::{Announcement, Numbered, Request, Wanted};
use crate::wire::record::{Body, Payload, Plain};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the calendar says when a test begins, in seconds.
pub(in crate::server) const EPOCH_S: u64 = 1_700_000_000;

pub(in crate::server) struct World {
    start: Instant,
    pub(in crate::server) now: Instant,
    pub(in crate::server) server: Server,
    pub(in crate::server) clients: Vec<Client>,
    /// What the server asked of its store.
    pub(in crate::server) asks: VecDeque<(DirectoryToken, DirectoryRequest)>,
    rng: Rng,
    /// The silence after which a client gives its connection up, as the server does.
    idle_timeout: Duration,
}

pub(in crate::server) struct Client {
    #[cfg_attr(not(test), expect(dead_code, reason = "tests alone ask who it is"))]
    pub(in crate::server) identity: Identity,
    quic: Quic,
    conn: ConnId,
    pub(in crate::server) heard: BTreeMap<StreamId, (Vec<u8>, bool)>,
    /// Whether it reads what arrives.
    pub(in crate::server) listens: bool,
    pub(in crate::server) causes: Vec<Cause>,
}

pub(in crate::server) fn identity(n: usize) -> Identity {
    Identity::from_entropy([n as u8 + 1; 32])
}

pub(in crate::server) fn id(n: usize) -> PeerId {
    identity(n).peer_id(PeerIdKind::Sha1)
}

pub(in crate::server) fn long_id(n: usize) -> PeerId {
    identity(n).peer_id(PeerIdKind::Sha256)
}

pub(in crate::server) fn owner(n: usize) -> Fingerprint {
    identity(n).public_key().fingerprint()
}

/// The secret of the pairing of two clients.
pub(in crate::server) fn secret(a: usize, b: usize) -> PairSecret {
    PairSecret::from_bytes([(a.min(b) * 16 + a.max(b)) as u8; 32])
}

fn client_address(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, n as u8, 1], 4000))
}

fn server_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4433))
}

fn rx(source: SocketAddr, bytes: &[u8]) -> Received {
    Received {
        socket: SocketId(0),
        interface: None,
        source,
        destination: None,
        ecn: None,
        stride: bytes.len(),
        payload: BytesMut::from(bytes),
    }
}

impl World {
    pub(in crate::server) fn begin(start: Instant, config: ServerConfig) -> Self {
        crypto::rewind();
        let wall = UnixTime::from_micros(EPOCH_S * 1_000_000);
        let now = Now { mono: start, wall };
        let idle_timeout = config.idle_timeout;
        let server = Server::new(config, &identity(200), crypto::repeatable(), &Seed::new([9; 32]), now)
            .expect("ring has all that is needed");
        let (clients, asks) = (Vec::new(), VecDeque::new());
        let rng = Rng::child(&Seed::new([8; 32]), "world");
        let mut world = Self { start, now: start, server, clients, asks, rng, idle_timeout };
        world.run();
        world
    }

    /// A server that begins anew, from what another wrote.
    pub(in crate::server) fn restart(&mut self, config: ServerConfig) {
        let seed = Seed::new([10; 32]);
        self.server = Server::new(config, &identity(200), crypto::repeatable(), &seed, self.clock())
            .expect("ring has all that is needed");
        self.clients.clear();
        self.run();
    }

    pub(in crate::server) fn clock(&self) -> Now {
        let wall = EPOCH_S * 1_000_000 + (self.now - self.start).as_micros() as u64;
        Now { mono: self.now, wall: UnixTime::from_micros(wall) }
    }

    pub(in crate::server) fn now_s(&self) -> u64 {
        self.clock().wall.as_secs()
    }

    /// A client connects, with the key of this number. Its own number: clients have 0, 1, 2 and so on.
    pub(in crate::server) fn join_as(&mut self, key: usize) -> usize {
        let n = self.clients.len();
        let identity = identity(key);
        let mut config = Config::new(ServiceName::new("test").expect("a sound name"));
        (config.idle_timeout, config.keep_alive) = (self.idle_timeout, self.idle_timeout * 4 / 9);
        let config = Arc::new(config);
        let rng = Rng::child(&Seed::new([n as u8; 32]), "quic");
        let mut quic =
            Quic::new(config, &identity, crypto::repeatable(), rng).expect("ring has all that is needed");
        let opened = Opened { address: client_address(n), gso_segments: 1, shares_port: false };
        quic.handle_socket_open(SocketId(0), opened);
        let expect = Expect::Key(self.server.public_key());
        let conn = quic.dial(self.now, server_address(), Alpn::Disco, expect).expect("there is a socket");
        let heard = BTreeMap::new();
        self.clients.push(Client { identity, quic, conn, heard, listens: true, causes: Vec::new() });
        self.run();
        n
    }

    /// Carries datagrams until nothing moves.
    pub(in crate::server) fn run(&mut self) {
        while self.run_server() | self.run_clients() {}
        for table in self.server.tables() {
            assert!(table.len <= table.bound, "{table:?}");
        }
    }

    fn run_server(&mut self) -> bool {
        let (mut moved, mut buf) = (false, Vec::new());
        loop {
            let now = self.clock();
            match self.server.poll_output(now, &mut buf) {
                Output::Open(id, _) => {
                    let opened = Opened { address: server_address(), gso_segments: 1, shares_port: false };
                    let result =
                        if id == SocketId(0) { Ok(opened) } else { Err(std::io::ErrorKind::Unsupported) };
                    self.server.handle_socket(now, id, result);
                }
                Output::Transmit(transmit) => {
                    moved = true;
                    let to = usize::from(match transmit.destination {
                        SocketAddr::V4(v4) => v4.ip().octets()[2],
                        SocketAddr::V6(_) => unreachable!("clients have IPv4"),
                    });
                    if let Some(client) = self.clients.get_mut(to) {
                        client.quic.handle_datagram(now, rx(server_address(), &buf));
                    }
                }
                Output::Ask(Ask::Directory(token, request)) => self.asks.push_back((token, request)),
                Output::Ask(ask) => panic!("a server asks of nothing else: {ask:?}"),
                Output::Event(_) | Output::Yield => {}
                Output::Close(_) | Output::Ready(_) => panic!("a server does no such thing"),
                Output::Wait(_) => return moved,
            }
        }
    }

    fn run_clients(&mut self) -> bool {
        let (mut moved, now) = (false, self.clock());
        for (n, client) in self.clients.iter_mut().enumerate() {
            client.hear(now.mono);
            let mut buf = Vec::new();
            while let Round::Transmit(_) = client.quic.poll_transmit(now.mono, &mut buf) {
                moved = true;
                self.server.handle_datagram(now, rx(client_address(n), &buf));
            }
        }
        moved
    }

    /// Lets time pass.
    pub(in crate::server) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let server = match self.server.poll_output(self.clock(), &mut Vec::new()) {
                Output::Wait(deadline) => deadline.map(|deadline| deadline.at),
                output => panic!("the server was at rest: {output:?}"),
            };
            let clients = self.clients.iter().filter_map(|client| client.quic.poll_timeout());
            let Some(at) = clients.map(|deadline| deadline.at).chain(server).min().filter(|at| *at <= end)
            else {
                break;
            };
            self.now = self.now.max(at);
            let now = self.clock();
            for client in &mut self.clients {
                client.quic.handle_timeout(now.mono);
            }
            self.server.handle_timeout(now);
            self.run();
        }
        self.now = end;
    }

    /// A client goes.
    pub(in crate::server) fn leave(&mut self, n: usize) {
        let (now, client) = (self.now, &mut self.clients[n]);
        client.quic.close(now, client.conn, crate::wire::close::CloseCode::Ok);
        self.run();
    }

    /// Says octets on a stream of their own, if there may be another.
    pub(in crate::server) fn try_say(&mut self, n: usize, octets: &[u8], end: bool) -> Option<StreamId> {
        let client = &mut self.clients[n];
        let id = client.quic.open_request(client.conn).ok()?;
        let mut stream = client.quic.stream(client.conn, id).ok()?;
        // What there is no room for is not said.
        let _ = stream.write(octets);
        if end {
            // Nobody has stopped it yet.
            let _ = stream.finish();
        }
        drop(stream);
        self.run();
        Some(id)
    }

    /// Gives up a request, or a subscription.
    pub(in crate::server) fn give_up(&mut self, n: usize, id: StreamId) {
        let client = &mut self.clients[n];
        if let Ok(mut stream) = client.quic.stream(client.conn, id) {
            stream.stop(0x12);
            stream.reset(0x12);
        }
        self.run();
    }

    /// Answers what the server asked of its store first.
    pub(in crate::server) fn answer(&mut self, reply: DirectoryReply) -> DirectoryRequest {
        let (token, request) = self.asks.pop_front().expect("the store was asked");
        self.server.answer(self.clock(), Answer::Directory(token, reply));
        self.run();
        request
    }

    /// A record of client `n`, sealed for some others.
    pub(in crate::server) fn sealed(&mut self, n: usize, seq: u64, peers: &[usize]) -> Bytes {
        let secrets: Vec<PairSecret> = peers.iter().map(|peer| secret(n, *peer)).collect();
        let addresses = [SocketAddr::from(([203, 0, 113, 7], 4433))];
        let (entries, sealed) = seal::seal(&addresses, &secrets, &owner(n), &mut self.rng);
        self.signed(n, seq, entries, Payload::Sealed(sealed))
    }

    /// A record of client `n` for everybody.
    pub(in crate::server) fn plain(&self, n: usize, seq: u64) -> Bytes {
        let addresses = vec![SocketAddr::from(([203, 0, 113, 7], 4433))];
        self.signed(n, seq, Vec::new(), Payload::Plain(Plain { addresses }))
    }

    pub(in crate::server) fn signed(
        &self,
        n: usize,
        seq: u64,
        entries: Vec<[u8; 32]>,
        payload: Payload,
    ) -> Bytes {
        let identity = identity(n);
        let (owner, issued_s) = (identity.public_key(), self.now_s());
        let body = Body { owner, seq, issued_s, not_after_s: issued_s + 24 * 3600, entries, payload };
        body.sign(&identity.signer())
    }
}

impl Client {
    fn hear(&mut self, now: Instant) {
        loop {
            self.quic.poll_connections(now);
            if !self.listens {
                while let Some(event) = self.quic.poll_event() {
                    self.note(now, event);
                }
                return;
            }
            if let Some((conn, id, _)) = self.quic.poll_request() {
                self.read(conn, id);
            } else if let Some(event) = self.quic.poll_event() {
                self.note(now, event);
            } else {
                return;
            }
        }
    }

    fn note(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected { conn, .. } => self.quic.admit(now, conn),
            Event::Lost { cause, .. } => self.causes.push(cause),
            _ => {}
        }
    }

    fn read(&mut self, conn: ConnId, id: StreamId) {
        let mut sink: Vec<Bytes> = Vec::new();
        let Ok(mut stream) = self.quic.stream(conn, id) else { return };
        if let Ok(read) = stream.read_chunks(usize::MAX, &mut sink)
            && (read.bytes > 0 || read.fin)
        {
            let heard = self.heard.entry(id).or_default();
            heard.0.extend(sink.iter().flatten());
            heard.1 |= read.fin;
        }
    }
}

pub(in crate::server) fn announcement(peer_id: PeerId, record: Bytes) -> Request {
    let addresses = Vec::new();
    Request::ClientAnnouncement(Announcement { peer_id, addresses, record, lease_s: 3600 })
}

pub(in crate::server) fn withdraw(seq: u64) -> Request {
    Request::Withdraw(Numbered { seq })
}

pub(in crate::server) fn refresh(seq: u64) -> Request {
    Request::Refresh(Numbered { seq })
}

/// What client `n` shows to be told where `of` is.
pub(in crate::server) fn wanted(n: usize, of: usize) -> Wanted {
    Wanted { peer_id: id(of), token: seal::token(&secret(n, of), &owner(of)) }
}
