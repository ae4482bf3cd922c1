//! What who runs a discovery server may choose, and every limit with its default.

use crate::config::{Config, Interfaces};
use crate::error::ServerConfigError;
use crate::id::ServiceName;
use std::time::Duration;

/// Where a server keeps what it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeping {
    /// In its own memory.
    #[default]
    Embedded,
    /// In a store that it asks: [`Ask::Directory`](crate::Ask::Directory). For servers that are several.
    Asked,
}

/// How a discovery server behaves. Everything has a default.
///
/// | limit | default | field |
/// |---|---|---|
/// | announcements that hold at a time | 2,000,000 | [`max_records`](Self::max_records) |
/// | numbers kept of announcements that are gone, for 7 days | 2,000,000 | [`max_tombstones`](Self::max_tombstones) |
/// | how long an announcement holds | 3,600 s | [`lease`](Self::lease) |
/// | connections | 16,384 | [`max_connections`](Self::max_connections) |
/// | those not yet authenticated | 1,024 | [`max_unauthenticated`](Self::max_unauthenticated) |
/// | the same, from one source address | 64 | [`max_unauthenticated_per_source`](Self::max_unauthenticated_per_source) |
/// | from so many on, addresses are validated by Retry | 256 | [`retry_from`](Self::retry_from) |
/// | silence until a connection is given up | 45 s | [`idle_timeout`](Self::idle_timeout) |
/// | peers that are subscribed to, in all | 1,048,576 | [`max_subscriptions`](Self::max_subscriptions) |
///
/// What cannot be chosen; what goes beyond is refused:
///
/// | limit | value |
/// |---|---|
/// | bytes of a request, of a reply, of a record | 16 KiB, 64 KiB, 4 KiB |
/// | addresses beside a record | 16 |
/// | peers asked about at once, subscribed to on one connection | 64 and 256 |
/// | requests at a time on one connection, time for each | 8 and 10 s |
/// | time until a connection is authenticated | 10 s |
/// | connections of one key | 8 |
/// | announcements, renewals and withdrawals of one key | 10 at once, then one each 30 s |
/// | peers that one key asks about | 256 at once, then 8 a second |
/// | new connections from one /24 of IPv4, or /56 of IPv6 | 50 at once, then 50 a second |
/// | keys whose use of these is counted at a time | 1,048,576 |
/// | networks whose connections are counted at a time | 65,536 |
/// | bytes that wait for one slow subscriber, until he is told to ask anew | 64 KiB |
/// | questions to a store at a time; what would need more is answered `overloaded` | 4,096 |
/// | time for a store to answer | 5 s |
///
/// [`Server::tables`](crate::Server::tables) lists every table with its bound.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The UDP port, or 0 to let the operating system choose.
    pub port: u16,
    /// Which interfaces are heard. A server sends on no interface by itself.
    pub interfaces: Interfaces,
    /// Where it keeps what it is told.
    pub keeping: Keeping,
    /// How long an announcement holds, at most: 60 to 3,600 s.
    pub lease: Duration,
    /// Announcements that hold at a time; beyond that nobody new is taken.
    pub max_records: usize,
    /// Numbers kept of announcements that are gone; beyond that they are forgotten at once.
    pub max_tombstones: usize,
    /// Connections; those count as well that are over, as long as QUIC drains them.
    pub max_connections: usize,
    /// Unauthenticated connections, in all.
    pub max_unauthenticated: usize,
    /// Unauthenticated connections from one source address.
    pub max_unauthenticated_per_source: usize,
    /// Unauthenticated connections from which on addresses are validated by Retry. RFC 9000 §8.1.2.
    pub retry_from: usize,
    /// Silence after which a connection is given up.
    pub idle_timeout: Duration,
    /// Peers that are subscribed to, each as often as it is.
    pub max_subscriptions: usize,
}

/// Requests that a connection may have open at a time.
pub(super) const MAX_STREAMS: u32 = 8;

/// How long a client may take to prove its key.
const HANDSHAKE: Duration = Duration::from_secs(10);

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            port: 0,
            interfaces: Interfaces::default(),
            keeping: Keeping::default(),
            lease: Duration::from_secs(3600),
            max_records: 2_000_000,
            max_tombstones: 2_000_000,
            max_connections: 16_384,
            max_unauthenticated: 1024,
            max_unauthenticated_per_source: 64,
            retry_from: 256,
            idle_timeout: Duration::from_secs(45),
            max_subscriptions: 1 << 20,
        }
    }
}

impl ServerConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the UDP port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets which interfaces are heard.
    #[must_use]
    pub fn with_interfaces(mut self, interfaces: Interfaces) -> Self {
        self.interfaces = interfaces;
        self
    }

    /// Sets where it keeps what it is told.
    #[must_use]
    pub fn with_keeping(mut self, keeping: Keeping) -> Self {
        self.keeping = keeping;
        self
    }

    /// Checks everything that the types do not.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), ServerConfigError> {
        if !(60..=3600).contains(&self.lease.as_secs()) {
            return Err(ServerConfigError::Lease);
        }
        if self.max_records.saturating_add(self.max_tombstones) > 4_000_000_000 {
            return Err(ServerConfigError::Records);
        }
        Ok(())
    }

    /// The same as connections have it.
    pub(super) fn quic(&self) -> Config {
        // The protocol of discovery servers has no application in its name.
        let mut config = Config::new(ServiceName::new("disco").expect("a sound name"));
        config.max_connections = self.max_connections;
        config.max_unauthenticated = self.max_unauthenticated;
        config.max_unauthenticated_per_source = self.max_unauthenticated_per_source;
        config.retry_from = self.retry_from;
        config.idle_timeout = self.idle_timeout;
        config.handshake_timeout = HANDSHAKE;
        config.max_streams = MAX_STREAMS;
        config.datagram_buffer = 0;
        // A request, and what shows that it is too large.
        config.stream_window = 32 << 10;
        config.receive_window = 128 << 10;
        config.send_window = 512 << 10;
        // What each may is little enough.
        (config.receive_budget, config.send_budget) = (u64::MAX, u64::MAX);
        config
    }
}
