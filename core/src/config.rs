//! What an application may choose, and every limit with its default.

mod interfaces;
mod labels;
mod reach;
mod servers;

pub use interfaces::Interfaces;
pub use labels::Labels;
pub use reach::{Policy, Sources};
#[cfg(test)]
pub(crate) use servers::MAX_SERVER_ADDRESSES;
pub(crate) use servers::MAX_SERVERS;
pub use servers::{Announce, DiscoveryServer, Hearsay};

use crate::error::ConfigError;
use crate::id::{PeerIdKind, ServiceName};
use crate::metadata::Metadata;
use std::time::Duration;

/// How a node behaves. Everything has a default but the service's name.
///
/// | limit | default | field |
/// |---|---|---|
/// | connections not yet authenticated, in all | 64 | [`max_unauthenticated`](Self::max_unauthenticated) |
/// | the same, from one source address | 4 | [`max_unauthenticated_per_source`](Self::max_unauthenticated_per_source) |
/// | from so many on, addresses are validated by Retry | 16 | [`retry_from`](Self::retry_from) |
/// | connections in all, accepted and dialled each | 1,024 | [`max_connections`](Self::max_connections) |
/// | time until both `Hello`s passed | 10 s | [`handshake_timeout`](Self::handshake_timeout) |
/// | silence until a connection is given up | 45 s | [`idle_timeout`](Self::idle_timeout) |
/// | interval of keep-alives on a quiet connection | 20 s | [`keep_alive`](Self::keep_alive) |
/// | time without a stream until a connection is closed | none | [`idle_close`](Self::idle_close) |
/// | streams that a peer may have open, each direction | 100 | [`max_streams`](Self::max_streams) |
/// | bytes received and not read, one stream | 1 MiB | [`stream_window`](Self::stream_window) |
/// | bytes received and not read, one connection | 8 MiB | [`receive_window`](Self::receive_window) |
/// | bytes written and not acknowledged, one connection | 8 MiB | [`send_window`](Self::send_window) |
/// | bytes of datagrams that wait to be read, and to be sent, one connection | 256 KiB each | [`datagram_buffer`](Self::datagram_buffer) |
/// | bytes received and not read, all connections | 512 MiB | [`receive_budget`](Self::receive_budget) |
/// | bytes written and not acknowledged, all connections | 256 MiB | [`send_budget`](Self::send_budget) |
/// | labels of the streams that a peer may open | any | [`labels`](Self::labels) |
/// | a pairing window | 120 s | [`pairing_window`](Self::pairing_window) |
/// | records cached from the LAN, one interface and family | 4,096 | [`max_cached_records`](Self::max_cached_records) |
/// | peers remembered from discovery | 1,024 | [`max_discovered_peers`](Self::max_discovered_peers) |
///
/// What cannot be chosen, as far as an application may meet it; what goes beyond is refused, or the oldest goes:
///
/// | limit | value |
/// |---|---|
/// | pairings in all, and records of one peer, tentative ones included | 4,096 and 8 |
/// | pairing sessions at a time | 64 |
/// | codes that were typed and wait | 8 |
/// | entries against one host until it is left alone for 10 minutes | 3 |
/// | attempts at a code that is shown | 3 |
/// | pairing requests shown: at a time, and of one source a minute | 1 and 1 |
/// | keys trusted and not paired yet, and keys banned | 64 and 4,096 |
/// | time to answer: a person, a hook, [`Ask::Admit`](crate::Ask::Admit) | 120 s, 30 s, 5 s |
/// | addresses given of one peer, heeded of one interface, that one dial begins with | 16 each |
/// | names given of one peer, addresses of one name, and addresses remembered of one peer | 4, 8 and 8 |
/// | names that are looked up at a time, and time for one | 64 and 5 s |
/// | peers that are dialled at a time without being asked for | 32 |
/// | connections that one peer may keep beside the one that is shown | 1 |
/// | streams that this node may have open on one connection, whatever the peer allows | 65,536 |
/// | bytes of a stream's label | 255 |
/// | discovery servers, addresses of one, and what one may take to answer | 8, 4 and 10 s |
/// | peers that a discovery server tells of by itself, and that can read one announcement | 256 and 48 |
/// | addresses announced of this node, heeded of a peer, and of those that the peer did not sign | 16, 16 and 4 |
/// | network interfaces in use, and addresses of one | 128 and 256 |
/// | services published, subtypes of one, bytes of its TXT record | 31, 8 and 1,300 |
/// | searches for services, and kinds that they are for | 64 and 63 |
///
/// [`Node::tables`](crate::Node::tables) lists every table with its bound.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The application's name on the network.
    pub service: ServiceName,
    /// What paired peers are told of this node, and, as far as [`Config::advertise`] says, the LAN;
    /// [`Node::set_metadata`](crate::Node::set_metadata) changes it.
    pub metadata: Metadata,
    /// Which hash names this node.
    pub peer_id: PeerIdKind,
    /// The UDP port of QUIC, or 0 to let the operating system choose.
    pub port: u16,
    /// Which interfaces are used: discovery sends on no other, datagrams from no other are heard.
    pub interfaces: Interfaces,
    /// What is announced on the LAN.
    pub advertise: Advertise,
    /// Which sources of peers' addresses are heeded; [`Node::set_sources`](crate::Node::set_sources) changes it.
    pub sources: Sources,
    /// Whether paired peers are kept connected, as far as
    /// [`PeersMut::set_policy`](crate::PeersMut::set_policy) does not say otherwise.
    pub policy: Policy,
    /// Servers that tell peers where this node is, and this node where they are, beyond the LAN: at most 8. Without any
    /// nothing is sent beyond it but to addresses that are known of peers.
    pub servers: Vec<DiscoveryServer>,
    /// What those servers are told.
    pub announce: Announce,
    /// What becomes of addresses that they tell of a peer, and that it did not sign.
    pub hearsay: Hearsay,
    /// Silence after which a connection is given up. Above [`Config::keep_alive`].
    pub idle_timeout: Duration,
    /// Interval of keep-alives on a quiet connection. None are sent to strangers, nor where
    /// [`Config::idle_close`] ends a connection first.
    pub keep_alive: Duration,
    /// After what time without a stream of the application, or a datagram, a connection is closed with the code OK,
    /// unless its peer is [kept connected](Policy::Eager). Not 0; `None`: never.
    pub idle_close: Option<Duration>,
    /// How long a stranger may take to be authenticated.
    pub handshake_timeout: Duration,
    /// Connections that were accepted, and again so many that were dialled; those count as well that are
    /// over, as long as QUIC drains them or the application has not read their streams. Further ones are
    /// refused, or not dialled.
    pub max_connections: usize,
    /// Unauthenticated connections, in all.
    pub max_unauthenticated: usize,
    /// Unauthenticated connections from one source address.
    pub max_unauthenticated_per_source: usize,
    /// Unauthenticated connections from which on addresses are validated by Retry. RFC 9000 §8.1.2.
    pub retry_from: usize,
    /// Streams that a peer may have open at a time, each direction.
    pub max_streams: u32,
    /// Bytes of one stream that are received and not read. At most 4 MiB.
    pub stream_window: u32,
    /// Bytes of one connection that are received and not read; less where [`Config::receive_budget`] says so. A driver
    /// holds at most 4 MiB more for readers.
    ///
    /// Streams that nobody reads hold up the others of their connection once they fill this: never, where it is more
    /// than `stream_window` times the streams that a peer may have open, which are twice `max_streams`, by a quarter,
    /// since room is granted anew in steps. By default it is not, and some eight such streams fill it.
    pub receive_window: u32,
    /// Bytes of one connection that are written and not acknowledged; less where [`Config::send_budget`] says so.
    pub send_window: u32,
    /// Bytes of one connection's datagrams that were received and not read, and again so many that were sent and
    /// have not left, each counted with 32 bytes on top. Beyond that the oldest are dropped. 0: no datagrams, and
    /// peers are told so.
    pub datagram_buffer: u32,
    /// Bytes of all connections together that are received and not read: half of it for what QUIC holds, half for
    /// what a driver has taken and its streams were not read of. Each connection that may be there has 32 KiB of the
    /// first half; of what is left each gets a 16th, at most its window, so that the first eight or so get all of it
    /// by default, and in a crowd each gets less. At least 128 KiB for each of [`Config::max_connections`].
    pub receive_budget: u64,
    /// Bytes of all connections together that are written and not acknowledged, granted as
    /// [`Config::receive_budget`] is. At least 64 KiB for each of [`Config::max_connections`].
    pub send_budget: u64,
    /// Which stream labels a peer may open; [`PeersMut::set_labels`](crate::PeersMut::set_labels) sets it for one peer.
    pub labels: Labels,
    /// How long a pairing code is shown: 30 to 600 s.
    pub pairing_window: Duration,
    /// Whether the application is asked about each connection, before anything is said on it:
    /// [`Ask::Admit`](crate::Ask::Admit). Costs each connection the time that the answer takes.
    pub admission: Consent,
    /// Whether the application is asked before each pairing by a code, once both sides have proved it:
    /// [`Ask::Confirm`](crate::Ask::Confirm).
    pub confirmation: Consent,
    /// mDNS records cached per interface and family.
    pub max_cached_records: usize,
    /// Peers remembered from discovery; beyond that the unpaired peer seen longest ago goes first.
    pub max_discovered_peers: usize,
}

/// Whether the application is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// It is taken to agree.
    #[default]
    Given,
    /// It is asked, and no answer is no.
    Asked,
}

/// What a node says of itself on the LAN. Everyone there can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advertise {
    /// Whether it is found at all. If not, it still finds others, and services that the application publishes
    /// are found all the same.
    pub enabled: bool,
    /// Whether to tell the metadata's name.
    pub name: bool,
    /// Whether to tell the metadata's operating system.
    pub os: bool,
    /// Whether to tell the metadata's version.
    pub version: bool,
    /// Whether to tell the key's full fingerprint.
    pub fingerprint: bool,
    /// The application's own TXT keys and values, after ours.
    pub extra: Vec<(String, Vec<u8>)>,
}

impl Default for Advertise {
    fn default() -> Self {
        Self { enabled: true, name: true, os: true, version: true, fingerprint: true, extra: Vec::new() }
    }
}

/// What every connection that may be there has of either budget, in bytes. Above a stranger's window.
pub(crate) const BUDGET_EACH: u64 = 32 << 10;

/// A receive window larger than this can be made to die of gaps: reassembly gives up at 1,024.
const MAX_STREAM_WINDOW: u32 = 4 << 20;

impl Config {
    /// The defaults, for a service.
    pub fn new(service: ServiceName) -> Self {
        Self {
            service,
            metadata: Metadata::default(),
            peer_id: PeerIdKind::default(),
            port: 0,
            interfaces: Interfaces::default(),
            advertise: Advertise::default(),
            sources: Sources::all(),
            policy: Policy::default(),
            servers: Vec::new(),
            announce: Announce::default(),
            hearsay: Hearsay::default(),
            idle_timeout: Duration::from_secs(45),
            keep_alive: Duration::from_secs(20),
            idle_close: None,
            handshake_timeout: Duration::from_secs(10),
            max_connections: 1024,
            max_unauthenticated: 64,
            max_unauthenticated_per_source: 4,
            retry_from: 16,
            max_streams: 100,
            stream_window: 1 << 20,
            receive_window: 8 << 20,
            send_window: 8 << 20,
            datagram_buffer: 256 << 10,
            receive_budget: 512 << 20,
            send_budget: 256 << 20,
            labels: Labels::any(),
            pairing_window: Duration::from_secs(120),
            admission: Consent::Given,
            confirmation: Consent::Given,
            max_cached_records: 4096,
            max_discovered_peers: 1024,
        }
    }

    /// Sets what peers are told of this node.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Sets the UDP port of QUIC.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets which interfaces are used.
    #[must_use]
    pub fn with_interfaces(mut self, interfaces: Interfaces) -> Self {
        self.interfaces = interfaces;
        self
    }

    /// Sets what is announced on the LAN.
    #[must_use]
    pub fn with_advertise(mut self, advertise: Advertise) -> Self {
        self.advertise = advertise;
        self
    }

    /// Adds a server that tells peers where this node is, and this node where they are.
    #[must_use]
    pub fn with_server(mut self, server: DiscoveryServer) -> Self {
        self.servers.push(server);
        self
    }

    /// Sets what discovery servers are told.
    #[must_use]
    pub fn with_announce(mut self, announce: Announce) -> Self {
        self.announce = announce;
        self
    }

    /// Sets which hash names this node.
    #[must_use]
    pub fn with_peer_id(mut self, kind: PeerIdKind) -> Self {
        self.peer_id = kind;
        self
    }

    /// Sets which sources of peers' addresses are heeded.
    #[must_use]
    pub fn with_sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Sets whether paired peers are kept connected.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets whether the application is asked about each connection.
    #[must_use]
    pub fn with_admission(mut self, consent: Consent) -> Self {
        self.admission = consent;
        self
    }

    /// Sets whether the application is asked before each pairing by a code.
    #[must_use]
    pub fn with_confirmation(mut self, consent: Consent) -> Self {
        self.confirmation = consent;
        self
    }

    /// Sets which stream labels a peer may open.
    #[must_use]
    pub fn with_labels(mut self, labels: Labels) -> Self {
        self.labels = labels;
        self
    }

    /// Sets after what time without a stream a connection is closed.
    #[must_use]
    pub fn with_idle_close(mut self, after: Option<Duration>) -> Self {
        self.idle_close = after;
        self
    }

    /// Sets after what silence a connection is given up, and the keep-alive interval, which is below it.
    #[must_use]
    pub fn with_idle(mut self, timeout: Duration, keep_alive: Duration) -> Self {
        self.idle_timeout = timeout;
        self.keep_alive = keep_alive;
        self
    }

    /// Checks everything that the types do not.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.metadata.check()?;
        if !(30..=600).contains(&self.pairing_window.as_secs()) {
            return Err(ConfigError::PairingWindow);
        }
        if self.idle_timeout <= self.keep_alive {
            return Err(ConfigError::IdleTimeout);
        }
        if self.idle_close.is_some_and(|after| after.is_zero()) {
            return Err(ConfigError::IdleClose);
        }
        if self.servers.len() > MAX_SERVERS || !self.servers.iter().all(DiscoveryServer::is_sound) {
            return Err(ConfigError::Servers);
        }
        if !self.advertise.extra_is_sound() {
            return Err(ConfigError::Txt);
        }
        if self.stream_window > MAX_STREAM_WINDOW || self.stream_window > self.receive_window {
            return Err(ConfigError::StreamWindow);
        }
        let connections = (self.max_connections as u64).saturating_mul(2);
        if self.receive_budget / 2 / BUDGET_EACH < connections || self.send_budget / BUDGET_EACH < connections
        {
            return Err(ConfigError::Budget);
        }
        self.labels.check()?;
        Ok(())
    }
}

impl Advertise {
    /// RFC 6763 §6.2 and §6.4: printable keys without `=`, strings of at most 255 bytes, few of them.
    fn extra_is_sound(&self) -> bool {
        let string_len = |(key, value): &(String, Vec<u8>)| key.len() + 1 + value.len();
        let sound_key =
            |key: &str| !key.is_empty() && key.bytes().all(|b| (0x20..=0x7e).contains(&b) && b != b'=');
        self.extra.iter().all(|pair| sound_key(&pair.0) && string_len(pair) <= 255)
            && self.extra.iter().map(|pair| string_len(pair) + 1).sum::<usize>() <= 200
    }
}

/// Whether one of the patterns means this name: the very name, or its beginning and a star.
fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    })
}
