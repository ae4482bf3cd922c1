//! Which servers are asked where peers are, beyond the LAN, and what they are told.

use crate::id::Fingerprint;
use std::net::SocketAddr;

/// Servers that one node may use.
pub(crate) const MAX_SERVERS: usize = 8;
/// Addresses of one server.
pub(crate) const MAX_SERVER_ADDRESSES: usize = 4;

/// A discovery server. There is none built in: who runs it is the application's, or its user's, to choose.
///
/// ```
/// use handfast_core::{Config, DiscoveryServer, Identity, ServiceName};
///
/// let key = Identity::from_entropy([7; 32]).fingerprint(); // as whoever runs the server tells it
/// let server = DiscoveryServer::new("192.0.2.7:5224".parse()?, key);
/// let config = Config::new(ServiceName::new("chat")?).with_server(server);
/// config.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveryServer {
    /// Where it may be reached, 1 to 4 addresses, tried in turn.
    pub addresses: Vec<SocketAddr>,
    /// The hash of its key: whoever else answers there is hung up on.
    pub key: Fingerprint,
}

impl DiscoveryServer {
    /// A server at an address.
    pub fn new(address: SocketAddr, key: Fingerprint) -> Self {
        Self { addresses: vec![address], key }
    }

    /// The same, with one more address.
    #[must_use]
    pub fn or_at(mut self, address: SocketAddr) -> Self {
        self.addresses.push(address);
        self
    }

    pub(super) fn is_sound(&self) -> bool {
        let is_place = |a: &SocketAddr| a.port() != 0 && !a.ip().is_unspecified() && !a.ip().is_multicast();
        (1..=MAX_SERVER_ADDRESSES).contains(&self.addresses.len()) && self.addresses.iter().all(is_place)
    }
}

/// What a node tells discovery servers of where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Announce {
    /// What its paired peers alone can read, and ask for. To the server, and to everybody else, it says how many
    /// peers there are at most, and no address.
    #[default]
    Sealed,
    /// What everybody can read who may ask the server: strangers too.
    Plain,
    /// Nothing: it asks where others are, and is not found.
    Nothing,
}

/// What becomes of addresses that a server tells of a peer, and that the peer did not sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hearsay {
    /// They are not heeded.
    #[default]
    Ignored,
    /// They are dialled after all others: at most 4 of a peer, public ones alone. Whoever answers there must prove the
    /// peer's key as anywhere.
    Tried,
}
