//! The discovery server: a machine of its own, which nodes that are not on one LAN find each other by.
//!
//! Holds what nodes announce and answers who asks. Never sends to an address that was announced, never invents
//! anything (what it holds is signed by whom it is about), and learns no more than it must: see `wire/record.rs`.

mod config;
mod exchange;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod gate;
mod index;
mod registry;
mod requests;
mod route;
mod slots;
mod snapshot;
mod sockets;
mod stats;
mod store;
mod subscriptions;
mod tables;
mod wheel;

pub use config::{Keeping, ServerConfig};
pub use stats::ServerStats;

use crate::ask::{Answer, DirectoryToken};
use crate::buckets::{Buckets, Rate};
use crate::directory::{DirectoryChange, DirectoryReply};
use crate::error::ServerError;
use crate::event::Event;
use crate::id::{ConnId, Fingerprint, PublicKey, SocketId, StreamId};
use crate::identity::Identity;
use crate::io::{Deadline, Interface, Now, Opened, Output, Reason, Received};
use crate::quic::{self, Crypto, Quic, Role};
use crate::rng::{Rng, Seed};
use crate::wire::close::CloseCode;
use crate::wire::record::{Body, MAX_ENTRIES, Payload, Sealed};
use bytes::Bytes;
use exchange::Exchange;
use registry::Registry;
use sockets::Sockets;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Asked, Purpose, Store};
use subscriptions::Subscriptions;

/// Outputs that wait for the driver before the engine is heard further.
const MAX_OUT: usize = 256;
/// Connections that one key may have.
const MAX_CONNECTIONS_OF_KEY: usize = 8;
/// Announcements, renewals and withdrawals of one key.
const ANNOUNCEMENTS: Rate = Rate { burst: 10, every: Duration::from_secs(30) };
/// Peers that one key asks about.
const QUESTIONS: Rate = Rate { burst: 256, every: Duration::from_millis(125) };
/// Keys whose use of these is counted at a time.
const MAX_KEYS: usize = 1 << 20;
/// What expires is taken out in pieces, so that others have their turn.
const EXPIRED_AT_ONCE: usize = 4096;

/// A discovery server, as a state machine: the verbs of a [`Node`](crate::Node) that a driver needs.
///
/// ```
/// use handfast_core::{Crypto, Identity, Now, Output, Seed, Server, ServerConfig, UnixTime};
/// # fn now() -> Now {
/// #     Now { mono: std::time::Instant::now(), wall: UnixTime::from_micros(1_700_000_000_000_000) }
/// # }
/// // Entropy comes from whoever drives it.
/// let identity = Identity::from_entropy([7; 32]);
/// let crypto = Crypto::new(rustls::crypto::ring::default_provider());
/// let config = ServerConfig::new().with_port(4433);
/// let mut server = Server::new(config, &identity, crypto, &Seed::new([8; 32]), now())?;
/// println!("clients pin the key {}", server.public_key().fingerprint());
/// let mut buf = Vec::new();
/// assert!(matches!(server.poll_output(now(), &mut buf), Output::Open(..)));
/// # Ok::<(), handfast_core::error::ServerError>(())
/// ```
pub struct Server {
    config: ServerConfig,
    key: PublicKey,
    /// The latest time that was told: what arrives late is clamped to it.
    latest: Instant,
    quic: Quic,
    sockets: Sockets,
    store: Store,
    /// Looked at where somebody is unknown.
    stand_in: Bytes,
    clients: BTreeMap<ConnId, Client>,
    connections_of: BTreeMap<Fingerprint, usize>,
    exchanges: BTreeMap<(ConnId, StreamId), Exchange>,
    deadlines: BTreeSet<(Instant, Due)>,
    subscriptions: Subscriptions,
    announcements: Buckets<Fingerprint>,
    questions: Buckets<Fingerprint>,
    stats: ServerStats,
    out: VecDeque<Output>,
    /// Something was told since the engine was last heard.
    stale: bool,
    shutting_down: bool,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy)]
struct Client {
    key: PublicKey,
    owner: Fingerprint,
}

/// What is due at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Exchange(ConnId, StreamId),
    Question(u64),
}

impl Server {
    /// A server that has not done anything yet. Its first output asks for a socket.
    ///
    /// # Errors
    /// [`ServerError::Config`] for a configuration that breaks a rule, [`ServerError::Crypto`] where the provider
    /// lacks Ed25519 or AES-128-GCM.
    pub fn new(
        config: ServerConfig,
        identity: &Identity,
        crypto: Crypto,
        seed: &Seed,
        now: Now,
    ) -> Result<Self, ServerError> {
        config.check()?;
        let mut rng = Rng::child(seed, "server");
        let quic_rng = Rng::child(seed, "quic");
        let quic = Quic::with_role(Role::Directory, Arc::new(config.quic()), identity, crypto, quic_rng)
            .map_err(|_| ServerError::Crypto)?;
        let store = match config.keeping {
            Keeping::Embedded => {
                let (records, tombstones) = (config.max_records, config.max_tombstones);
                Store::Embedded(Box::new(Registry::new(now.mono, &mut rng, records, tombstones)))
            }
            Keeping::Asked => Store::Asked(Asked::default()),
        };
        Ok(Self {
            key: identity.public_key(),
            latest: now.mono,
            quic,
            sockets: Sockets::new(config.interfaces.clone(), config.port),
            store,
            stand_in: stand_in(identity, &mut rng),
            clients: BTreeMap::new(),
            connections_of: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            subscriptions: Subscriptions::default(),
            announcements: Buckets::new(ANNOUNCEMENTS, MAX_KEYS),
            questions: Buckets::new(QUESTIONS, MAX_KEYS),
            stats: ServerStats::default(),
            out: VecDeque::new(),
            stale: true,
            shutting_down: false,
            config,
        })
    }

    /// The server's key, which clients pin.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// The local addresses of the open sockets: unspecified addresses, and the port.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.quic.local_addresses().collect()
    }

    // ---- The world to the server. Bad input is counted or answered, never returned. ----

    /// A datagram, or several of one sender, came in.
    pub fn handle_datagram(&mut self, now: Now, rx: Received) {
        let now = self.clamp(now);
        if self.sockets.hears(rx.interface) {
            self.quic.handle_datagram(now, rx);
        }
    }

    /// The deadline of the last [`Output::Wait`] has come. Early or late calls do no harm.
    pub fn handle_timeout(&mut self, now: Now) {
        let now = self.clamp(now);
        self.quic.handle_timeout(now.mono);
        while let Some((at, due)) = self.deadlines.first().copied()
            && at <= now.mono
        {
            self.deadlines.pop_first();
            match due {
                Due::Exchange(conn, stream) => self.exchange_late(conn, stream),
                Due::Question(number) => self.store_answered(now, number, DirectoryReply::Failed),
            }
        }
        self.expire(now);
    }

    /// The interfaces that are there: the whole list, at the start and whenever it changed.
    pub fn handle_interfaces(&mut self, now: Now, list: &[Interface]) {
        self.clamp(now);
        self.sockets.handle_interfaces(list);
    }

    /// What became of [`Output::Open`]. Also called when an open socket fails for good.
    pub fn handle_socket(&mut self, now: Now, id: SocketId, result: Result<Opened, io::ErrorKind>) {
        self.clamp(now);
        let Some(spec) = self.sockets.handle_socket(id, result.as_ref().ok()) else { return };
        match result {
            Ok(opened) => {
                self.quic.handle_socket_open(id, opened);
                self.out.push_back(Output::Event(Event::Listening(opened.address)));
            }
            Err(kind) => {
                self.quic.handle_socket_gone(id);
                self.out.push_back(Output::Event(Event::SocketFailed(spec, kind)));
            }
        }
    }

    /// The machine slept for so long: leases went on, as its clock has it.
    pub fn handle_wake(&mut self, now: Now, slept: Duration) {
        let now = self.clamp(now);
        tracing::info!(?slept, "woken");
        self.quic.handle_wake(now.mono, slept);
    }

    /// The answer to an [`Ask::Directory`](crate::Ask::Directory); a server puts no other question.
    pub fn answer(&mut self, now: Now, answer: Answer) {
        let now = self.clamp(now);
        if let Answer::Directory(DirectoryToken(number), reply) = answer {
            self.store_answered(now, number, reply);
        }
    }

    /// A store that several servers share tells of a change, whichever server it came by.
    pub fn handle_change(&mut self, now: Now, change: &DirectoryChange) {
        let now = self.clamp(now);
        self.changed(now, change);
    }

    /// A store that several servers share may have told of changes that did not arrive: every subscriber is told to
    /// ask anew.
    pub fn handle_changes_lost(&mut self, now: Now) {
        self.clamp(now);
        for subscriber in self.subscriptions.resync() {
            self.write_subscription(subscriber);
        }
    }

    /// Takes no more, and closes every connection once what was answered is acknowledged, or after 3 s.
    /// [`Server::is_drained`] tells when that is done.
    pub fn shutdown(&mut self, now: Now) {
        let now = self.clamp(now);
        self.shutting_down = true;
        self.quic.close_all(now.mono, CloseCode::Shutdown);
    }

    /// Whether a server that was shut down has nothing more to send.
    pub fn is_drained(&self) -> bool {
        self.shutting_down && self.out.is_empty() && self.quic.is_drained()
    }

    // ---- The server to the world ----

    /// What to do next: as [`Node::poll_output`](crate::Node::poll_output).
    pub fn poll_output(&mut self, now: Now, buf: &mut Vec<u8>) -> Output {
        let now = self.clamp_time(now);
        if let Some(output) = self.poll_word(now) {
            return output;
        }
        buf.clear();
        match self.quic.poll_transmit(now.mono, buf) {
            quic::Round::Transmit(transmit) => Output::Transmit(transmit),
            quic::Round::Over => Output::Yield,
            quic::Round::Idle => Output::Wait(self.deadline()),
        }
    }

    /// As [`Server::poll_output`], but for what goes to the network; see [`Node::poll_local`](crate::Node::poll_local).
    pub fn poll_local(&mut self, now: Now) -> Output {
        let now = self.clamp_time(now);
        self.poll_word(now).unwrap_or_else(|| Output::Wait(self.deadline()))
    }

    /// Whatever is no datagram.
    fn poll_word(&mut self, now: Now) -> Option<Output> {
        if std::mem::take(&mut self.stale) {
            self.route(now);
        }
        let open = self.sockets.poll_request().map(|(id, spec)| Output::Open(id, spec));
        open.or_else(|| self.out.pop_front())
    }

    fn deadline(&self) -> Option<Deadline> {
        let own = self.deadlines.first().map(|(at, _)| *at);
        let expiry = match &self.store {
            Store::Embedded(registry) => registry.poll_timeout(),
            Store::Asked(_) => None,
        };
        let own = own.into_iter().chain(expiry).min();
        let own = own.map(|at| Deadline { at, reason: Reason::Directory });
        self.quic.poll_timeout().into_iter().chain(own).min()
    }

    /// Time may arrive late, from another thread: it never goes back here.
    fn clamp_time(&mut self, now: Now) -> Now {
        self.latest = self.latest.max(now.mono);
        Now { mono: self.latest, wall: now.wall }
    }

    /// For verbs that change something: the engine wants to be heard after it.
    fn clamp(&mut self, now: Now) -> Now {
        self.stale = true;
        self.clamp_time(now)
    }
}

/// A record like any other, for nobody.
fn stand_in(identity: &Identity, rng: &mut Rng) -> Bytes {
    let mut entries: Vec<[u8; 32]> = (0..MAX_ENTRIES / 12).map(|_| rng.bytes()).collect();
    entries.sort_unstable();
    let sealed = Sealed { nonce: rng.bytes(), ciphertext: Bytes::from_static(&[0; 272]) };
    let body = Body {
        owner: identity.public_key(),
        seq: 0,
        issued_s: 0,
        not_after_s: 0,
        entries,
        payload: Payload::Sealed(sealed),
    };
    body.sign(&identity.signer())
}

#[cfg(test)]
mod tests;
