//! What the tests of this folder share: a server, clients that speak its protocol, and time.

use crate::ask::{Answer, Ask, DirectoryToken};
use crate::config::Config;
use crate::directory::{DirectoryReply, DirectoryRequest};
use crate::global::seal;
use crate::id::{ConnId, Fingerprint, PeerId, PeerIdKind, ServiceName, SocketId, StreamId};
use crate::identity::Identity;
use crate::io::{Now, Opened, Output, Received, UnixTime};
use crate::quic::{Alpn, Cause, Crypto, Event, Expect, Quic, Round};
use crate::rng::{Rng, Seed};
use crate::server::{Server, ServerConfig};
use crate::store::PairSecret;
use crate::testing::base;
use crate::wire::discovery::{Announcement, Numbered, RefusalCode, Reply, Request, Wanted};
use crate::wire::record::{Body, Payload, Plain};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the calendar says when a test begins, in seconds.
pub(super) const EPOCH_S: u64 = 1_700_000_000;

pub(super) struct World {
    start: Instant,
    pub(super) now: Instant,
    pub(super) server: Server,
    clients: Vec<Client>,
    /// What the server asked of its store.
    pub(super) asks: VecDeque<(DirectoryToken, DirectoryRequest)>,
    rng: Rng,
}

struct Client {
    identity: Identity,
    quic: Quic,
    conn: ConnId,
    heard: BTreeMap<StreamId, (Vec<u8>, bool)>,
    /// Whether it reads what arrives.
    listens: bool,
    causes: Vec<Cause>,
}

pub(super) fn identity(n: usize) -> Identity {
    Identity::from_entropy([n as u8 + 1; 32])
}

pub(super) fn id(n: usize) -> PeerId {
    identity(n).peer_id(PeerIdKind::Sha1)
}

pub(super) fn long_id(n: usize) -> PeerId {
    identity(n).peer_id(PeerIdKind::Sha256)
}

pub(super) fn owner(n: usize) -> Fingerprint {
    identity(n).public_key().fingerprint()
}

/// The secret of the pairing of two clients.
pub(super) fn secret(a: usize, b: usize) -> PairSecret {
    PairSecret::from_bytes([(a.min(b) * 16 + a.max(b)) as u8; 32])
}

fn client_address(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, n as u8, 1], 4000))
}

fn server_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4433))
}

pub(super) fn crypto() -> Crypto {
    Crypto::new(rustls::crypto::ring::default_provider())
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
    pub(super) fn new() -> Self {
        Self::of(ServerConfig::new().with_port(4433))
    }

    pub(super) fn of(config: ServerConfig) -> Self {
        let start = base();
        let wall = UnixTime::from_micros(EPOCH_S * 1_000_000);
        let now = Now { mono: start, wall };
        let server = Server::new(config, &identity(200), crypto(), &Seed::new([9; 32]), now).unwrap();
        let (clients, asks) = (Vec::new(), VecDeque::new());
        let mut world =
            Self { start, now: start, server, clients, asks, rng: Rng::child(&Seed::new([8; 32]), "world") };
        world.run();
        world
    }

    /// A server that begins anew, from what another wrote.
    pub(super) fn restart(&mut self, config: ServerConfig) {
        let seed = Seed::new([10; 32]);
        self.server = Server::new(config, &identity(200), crypto(), &seed, self.clock()).unwrap();
        self.clients.clear();
        self.run();
    }

    pub(super) fn clock(&self) -> Now {
        let wall = EPOCH_S * 1_000_000 + (self.now - self.start).as_micros() as u64;
        Now { mono: self.now, wall: UnixTime::from_micros(wall) }
    }

    pub(super) fn now_s(&self) -> u64 {
        self.clock().wall.as_secs()
    }

    /// Client `n` connects: clients have the numbers 0, 1, 2 and so on.
    pub(super) fn join(&mut self) -> usize {
        let n = self.clients.len();
        self.join_as(n)
    }

    /// A client with the key of another connects. Its number among the clients.
    pub(super) fn join_as(&mut self, key: usize) -> usize {
        let n = self.clients.len();
        let identity = identity(key);
        let config = Arc::new(Config::new(ServiceName::new("test").unwrap()));
        let rng = Rng::child(&Seed::new([n as u8; 32]), "quic");
        let mut quic = Quic::new(config, &identity, crypto(), rng).unwrap();
        let opened = Opened { address: client_address(n), gso_segments: 1, shares_port: false };
        quic.handle_socket_open(SocketId(0), opened);
        let expect = Expect::Key(self.server.public_key());
        let conn = quic.dial(self.now, server_address(), Alpn::Disco, expect).unwrap();
        let heard = BTreeMap::new();
        self.clients.push(Client { identity, quic, conn, heard, listens: true, causes: Vec::new() });
        self.run();
        n
    }

    /// Carries datagrams until nothing moves.
    pub(super) fn run(&mut self) {
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
    pub(super) fn pass(&mut self, time: Duration) {
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

    /// Whether a client is connected.
    pub(super) fn is_connected(&self, n: usize) -> bool {
        self.clients[n].causes.is_empty()
    }

    /// A client goes.
    pub(super) fn leave(&mut self, n: usize) {
        let (now, client) = (self.now, &mut self.clients[n]);
        client.quic.close(now, client.conn, crate::wire::close::CloseCode::Ok);
        self.run();
    }

    /// A client reads nothing more, or goes on to.
    pub(super) fn set_listens(&mut self, n: usize, listens: bool) {
        self.clients[n].listens = listens;
    }

    /// Says octets on a stream of their own.
    pub(super) fn say(&mut self, n: usize, octets: &[u8], end: bool) -> StreamId {
        let client = &mut self.clients[n];
        let id = client.quic.open_request(client.conn).unwrap();
        let mut stream = client.quic.stream(client.conn, id).unwrap();
        let _ = stream.write(octets);
        if end {
            stream.finish().unwrap();
        }
        drop(stream);
        self.run();
        id
    }

    /// Gives up a request, or a subscription.
    pub(super) fn give_up(&mut self, n: usize, id: StreamId) {
        let client = &mut self.clients[n];
        if let Ok(mut stream) = client.quic.stream(client.conn, id) {
            stream.stop(0x12);
            stream.reset(0x12);
        }
        self.run();
    }

    /// What came on a stream so far, and whether that is all.
    pub(super) fn heard(&self, n: usize, id: StreamId) -> Option<&(Vec<u8>, bool)> {
        self.clients[n].heard.get(&id)
    }

    pub(super) fn ask(&mut self, n: usize, request: &Request) -> StreamId {
        self.say(n, &request.encode(), true)
    }

    /// The whole reply to a request.
    pub(super) fn reply(&self, n: usize, id: StreamId) -> Reply {
        let (bytes, fin) = self.heard(n, id).expect("there is a reply");
        assert!(*fin, "the reply is whole");
        Reply::decode(bytes).unwrap().unwrap()
    }

    /// Asks and hears.
    pub(super) fn request(&mut self, n: usize, request: &Request) -> Reply {
        let id = self.ask(n, request);
        self.reply(n, id)
    }

    /// What a subscriber was told since this was last asked.
    pub(super) fn told(&mut self, n: usize, id: StreamId) -> Vec<Reply> {
        self.run();
        let Some((bytes, _)) = self.clients[n].heard.get_mut(&id) else { return Vec::new() };
        let (mut rest, mut replies) = (&bytes[..], Vec::new());
        while let Some((len, after)) = rest.split_first_chunk() {
            let (body, after) = after.split_at(u32::from_be_bytes(*len) as usize);
            replies.push(Reply::decode(body).unwrap().unwrap());
            rest = after;
        }
        bytes.clear();
        replies
    }

    /// Answers what the server asked of its store first.
    pub(super) fn answer(&mut self, reply: DirectoryReply) -> DirectoryRequest {
        let (token, request) = self.asks.pop_front().expect("the store was asked");
        self.server.answer(self.clock(), Answer::Directory(token, reply));
        self.run();
        request
    }

    /// A record of client `n`, sealed for some others.
    pub(super) fn sealed(&mut self, n: usize, seq: u64, peers: &[usize]) -> Bytes {
        let secrets: Vec<PairSecret> = peers.iter().map(|peer| secret(n, *peer)).collect();
        let addresses = ["203.0.113.7:4433".parse().unwrap()];
        let (entries, sealed) = seal::seal(&addresses, &secrets, &owner(n), &mut self.rng);
        self.signed(n, seq, entries, Payload::Sealed(sealed))
    }

    /// A record of client `n` for everybody.
    pub(super) fn plain(&self, n: usize, seq: u64) -> Bytes {
        let addresses = vec!["203.0.113.7:4433".parse().unwrap()];
        self.signed(n, seq, Vec::new(), Payload::Plain(Plain { addresses }))
    }

    pub(super) fn signed(&self, n: usize, seq: u64, entries: Vec<[u8; 32]>, payload: Payload) -> Bytes {
        let identity = identity(n);
        let (owner, issued_s) = (identity.public_key(), self.now_s());
        let body = Body { owner, seq, issued_s, not_after_s: issued_s + 24 * 3600, entries, payload };
        body.sign(&identity.signer())
    }

    /// Announces a record.
    pub(super) fn announce(&mut self, n: usize, record: Bytes) -> Reply {
        let peer_id = self.clients[n].identity.peer_id(PeerIdKind::Sha1);
        self.request(n, &announcement(peer_id, record))
    }

    /// Announces a record that is taken.
    pub(super) fn announced(&mut self, n: usize, record: Bytes) {
        let reply = self.announce(n, record);
        assert!(matches!(reply, Reply::ClientAnnouncementOk(_)), "{reply:?}");
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

pub(super) fn announcement(peer_id: PeerId, record: Bytes) -> Request {
    let addresses = Vec::new();
    Request::ClientAnnouncement(Announcement { peer_id, addresses, record, lease_s: 3600 })
}

pub(super) fn withdraw(seq: u64) -> Request {
    Request::Withdraw(Numbered { seq })
}

pub(super) fn refresh(seq: u64) -> Request {
    Request::Refresh(Numbered { seq })
}

/// What client `n` shows to be told where `of` is.
pub(super) fn wanted(n: usize, of: usize) -> Wanted {
    Wanted { peer_id: id(of), token: seal::token(&secret(n, of), &owner(of)) }
}

/// The code of a refusal, and the number and the time in it.
pub(super) fn refusal(reply: &Reply) -> (RefusalCode, u64, u32) {
    match reply {
        Reply::Error(refusal) => (refusal.code, refusal.seq, refusal.retry_after_s),
        other => panic!("it was not refused: {other:?}"),
    }
}

/// The records that a reply has, by whose they are, and how many are missing.
pub(super) fn found(reply: &Reply) -> (Vec<(PeerId, Bytes)>, usize) {
    match reply {
        Reply::QueryClientAnnouncementResponse(response) => {
            let one = |answer: &crate::wire::discovery::Answer| {
                (answer.peer_id, answer.record.clone().expect("nodes always sign"))
            };
            (response.found.iter().map(one).collect(), response.missing.len())
        }
        other => panic!("no response: {other:?}"),
    }
}
