//! A service of somebody else's, as one interface shows it.

use super::{ServiceType, TxtRecord};
use std::net::SocketAddr;

/// A service that was found on the LAN. All of it is hearsay: anyone there can forge it.
///
/// One that is seen on two interfaces is told twice, each with what that interface shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceInstance {
    /// The index of the interface that it was seen on.
    pub interface: u32,
    /// What was looked for: of who looks for a subtype, the subtype.
    pub kind: ServiceType,
    /// Its name, for people.
    pub name: String,
    /// The name of its host, such as `printer.local`.
    pub host: String,
    /// Where its host listens for it.
    pub port: u16,
    /// Where it may be reached, sorted; each with its port. Link-local IPv6 carries its scope.
    pub addresses: Vec<SocketAddr>,
    /// What else it says of itself; empty as long as nothing is known.
    pub txt: TxtRecord,
}

impl ServiceInstance {
    /// What stays the same while the rest changes.
    pub fn key(&self) -> ServiceKey {
        ServiceKey { kind: self.kind.clone(), name: self.name.clone(), interface: self.interface }
    }
}

/// Which service, as one interface sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// What was looked for.
    pub kind: ServiceType,
    /// Its name.
    pub name: String,
    /// The interface's index.
    pub interface: u32,
}
