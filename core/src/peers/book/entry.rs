//! What is known of one peer, source by source. Each list is bounded; what came first makes way.

use super::found::Found;
use super::{Remembered, Sighting};
use crate::event::{KnownAddress, Source};
use crate::host::HostName;
use crate::io::{Now, UnixTime};
use crate::shares::Stake;
use crate::store::Whereabouts;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Addresses that the application may give for one peer; a further one replaces the oldest.
pub(crate) const MAX_MANUAL: usize = 16;

/// Names that the application may give for one peer; a further one replaces the oldest.
pub(crate) const MAX_NAMES: usize = 4;

/// Addresses that one name may have.
pub(crate) const MAX_RESOLVED: usize = 8;

/// Addresses of one peer that are remembered.
pub(crate) const MAX_GOOD: usize = 8;

pub(super) struct Entry {
    pub(super) sightings: BTreeMap<u32, Seen>,
    pub(super) manual: Vec<At>,
    pub(super) names: Vec<Named>,
    /// Where a connection stood, the last first.
    pub(super) good: Vec<At>,
    /// What discovery servers say.
    pub(super) found: Option<Found>,
    pub(super) seen_at: Instant,
    pub(super) stake: Stake,
}

/// What one interface shows of a peer, and since when.
pub(super) struct Seen {
    pub(super) sighting: Sighting,
    pub(super) at: UnixTime,
}

/// An address, and when it was given or reached.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) address: SocketAddr,
    at: UnixTime,
}

/// A name that the application gave, and what it came to.
pub(super) struct Named {
    name: HostName,
    addresses: Vec<SocketAddr>,
    looked_up: Option<Now>,
}

impl Entry {
    /// Whether the application named this peer itself.
    pub(super) fn is_asked_for(&self) -> bool {
        !self.manual.is_empty() || !self.names.is_empty()
    }

    /// Takes an address of the application's. Whether it is new.
    pub(super) fn give(&mut self, address: SocketAddr, at: UnixTime) -> bool {
        if let Some(known) = self.manual.iter_mut().find(|known| known.address == address) {
            known.at = at;
            return false;
        }
        if self.manual.len() >= MAX_MANUAL {
            self.manual.remove(0);
        }
        self.manual.push(At { address, at });
        true
    }

    /// Takes a name of the application's. Whether it is new.
    pub(super) fn give_name(&mut self, name: HostName) -> bool {
        if self.names.iter().any(|known| known.name == name) {
            return false;
        }
        if self.names.len() >= MAX_NAMES {
            self.names.remove(0);
        }
        self.names.push(Named { name, addresses: Vec::new(), looked_up: None });
        true
    }

    /// A connection stood there.
    pub(super) fn remember(&mut self, address: SocketAddr, at: UnixTime) -> Remembered {
        let new = match self.good.iter().position(|good| good.address == address) {
            Some(0) => Remembered::Nothing,
            Some(_) => Remembered::Order,
            None => Remembered::Address,
        };
        self.good.retain(|good| good.address != address);
        self.good.insert(0, At { address, at });
        self.good.truncate(MAX_GOOD);
        new
    }

    /// Puts what was stored behind what is known.
    pub(super) fn load(&mut self, stored: Whereabouts, now: UnixTime) {
        for (address, at) in stored.good {
            if self.good.len() < MAX_GOOD && !self.good.iter().any(|good| good.address == address) {
                self.good.push(At { address, at });
            }
        }
        for address in stored.given {
            if self.manual.len() < MAX_MANUAL && !self.manual.iter().any(|at| at.address == address) {
                self.manual.push(At { address, at: now });
            }
        }
        for name in stored.names {
            if self.names.len() < MAX_NAMES {
                self.give_name(name);
            }
        }
    }

    /// Adds what is to be stored to `out`, within the bounds of one peer.
    pub(super) fn store(&self, out: &mut Whereabouts) {
        out.good.extend(self.good.iter().map(|good| (good.address, good.at)));
        out.good.truncate(MAX_GOOD);
        out.given.extend(self.manual.iter().map(|given| given.address));
        out.given.truncate(MAX_MANUAL);
        out.names.extend(self.names.iter().map(|named| named.name.clone()));
        out.names.truncate(MAX_NAMES);
    }

    /// Names that were looked up so long ago, or never.
    pub(super) fn stale_names(&self, now: Instant, fresh: Duration) -> impl Iterator<Item = &HostName> {
        let is_stale = move |named: &&Named| named.looked_up.is_none_or(|at| at.mono + fresh <= now);
        self.names.iter().filter(is_stale).map(|named| &named.name)
    }

    /// What a name came to. The addresses that it did not have before.
    pub(super) fn set_resolved(
        &mut self,
        now: Now,
        name: &HostName,
        addresses: &[SocketAddr],
    ) -> Vec<SocketAddr> {
        let Some(named) = self.names.iter_mut().find(|named| named.name == *name) else { return Vec::new() };
        named.looked_up = Some(now);
        let old = std::mem::replace(&mut named.addresses, addresses.to_vec());
        named.addresses.truncate(MAX_RESOLVED);
        named.addresses.iter().filter(|address| !old.contains(address)).copied().collect()
    }

    /// The addresses of the application, and those of its names.
    pub(super) fn given_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        let named = self.names.iter().flat_map(|named| named.addresses.iter().copied());
        self.manual.iter().map(|given| given.address).chain(named)
    }

    /// All that is known, with where it came from.
    pub(super) fn known_addresses(&self) -> Vec<KnownAddress> {
        let connected =
            |address: &SocketAddr| self.good.iter().find(|good| good.address == *address).map(|good| good.at);
        let known = |source, address: &SocketAddr, seen| KnownAddress {
            address: *address,
            source,
            seen,
            connected: connected(address),
        };
        let mut out = Vec::new();
        for (interface, seen) in &self.sightings {
            let source = Source::Mdns { interface: *interface };
            out.extend(seen.sighting.addresses.iter().map(|address| known(source, address, seen.at)));
        }
        out.extend(self.manual.iter().map(|given| known(Source::Manual, &given.address, given.at)));
        for named in &self.names {
            let seen = named.looked_up.map_or(UnixTime::default(), |at| at.wall);
            out.extend(named.addresses.iter().map(|address| known(Source::Manual, address, seen)));
        }
        out.extend(self.good.iter().map(|good| known(Source::Remembered, &good.address, good.at)));
        if let Some(found) = &self.found {
            out.extend(found.addresses().map(|address| known(Source::Global, &address, found.at)));
        }
        out
    }
}
