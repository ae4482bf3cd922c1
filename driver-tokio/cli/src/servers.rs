//! Discovery servers, as the user names them: a host and a port, and the key that they show.
//!
//! Host names are looked up once, when the node starts. A server whose name has no address then is not used.

use crate::exit::{Failure, Kind};
use crate::work::Options;
use handfast_core::{DiscoveryServer, Fingerprint, HostName};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// A name that is not looked up by then has no address.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(5);

/// Addresses of one server that are used.
const MAX_ADDRESSES: usize = 4;

/// A server and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What the user calls it.
    pub(crate) name: String,
    pub(crate) key: Fingerprint,
    addresses: Vec<SocketAddr>,
}

impl Place {
    /// For a node's configuration, where it has an address.
    pub(crate) fn known(&self) -> Option<DiscoveryServer> {
        let (first, more) = self.addresses.split_first()?;
        Some(more.iter().fold(DiscoveryServer::new(*first, self.key), |server, more| server.or_at(*more)))
    }
}

/// Whether this is a host and a port.
pub(crate) fn check(text: &str) -> Result<(), String> {
    match text.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => text.parse::<HostName>().map(drop).map_err(|error| error.to_string()),
    }
}

/// Looks up all of them, at the same time.
pub(crate) async fn look_up(options: &Options) -> Result<Vec<Place>, Failure> {
    if options.server.len() != options.server_key.len() {
        return Err(Kind::Usage.because("each --server wants the --server-key that it shows"));
    }
    let mut under_way = Vec::new();
    for (name, key) in options.server.iter().zip(&options.server_key) {
        check(name).map_err(|error| Kind::Usage.because(format_args!("--server {name}: {error}")))?;
        let key: Fingerprint = key.parse().map_err(|error| Kind::Usage.because(error))?;
        under_way.push((name, key, tokio::spawn(addresses(name.clone()))));
    }
    let mut places = Vec::new();
    for (name, key, addresses) in under_way {
        let addresses = addresses.await.unwrap_or_default();
        places.push(Place { name: name.clone(), key, addresses });
    }
    Ok(places)
}

async fn addresses(name: String) -> Vec<SocketAddr> {
    match timeout(LOOKED_UP_WITHIN, lookup_host(&name)).await {
        Ok(Ok(found)) => found.take(MAX_ADDRESSES).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_or_an_address_with_a_port() {
        for good in ["192.0.2.1:5224", "[2001:db8::1]:5224", "discovery.example:5224"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["discovery.example", "192.0.2.1", "2001:db8::1:5224", ":5224", ""] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
