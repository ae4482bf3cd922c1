//! A NAT's table: which inside address has which outside port, and who may answer. RFC 4787.
//!
//! Never sees a payload, and never sends.

use crate::fault::{Fault, Tally};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// What a NAT's mapping (RFC 4787 §4.1) or its filter (§5) looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depends {
    /// At nothing of the other side: endpoint-independent.
    Independent,
    /// At the other side's address.
    Address,
    /// At the other side's address and port.
    AddressAndPort,
}

impl Depends {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Independent, Self::Address, Self::AddressAndPort];

    /// What is left of a remote address when only this is looked at.
    fn view(self, remote: SocketAddr) -> Option<SocketAddr> {
        match self {
            Self::Independent => None,
            Self::Address => Some(SocketAddr::new(remote.ip(), 0)),
            Self::AddressAndPort => Some(remote),
        }
    }
}

/// How a NAT behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nat {
    /// For which destinations an inside address keeps its outside port.
    pub mapping: Depends,
    /// Who may send to an outside port.
    pub filtering: Depends,
    /// A mapping is forgotten when nothing went out by it for so long. RFC 4787 §4.3 asks for 2 minutes.
    pub idle: Duration,
    /// Its address on the Internet.
    pub public: Ipv4Addr,
    /// Whether inside hosts reach each other by their outside addresses. RFC 4787 §6.
    pub hairpin: bool,
}

impl Nat {
    /// A kind NAT: endpoint-independent mapping, a filter that looks at address and port, 2 minutes, no
    /// hairpin.
    pub fn new(public: Ipv4Addr) -> Self {
        Self {
            mapping: Depends::Independent,
            filtering: Depends::AddressAndPort,
            idle: Duration::from_secs(120),
            public,
            hairpin: false,
        }
    }

    /// The same NAT with this mapping.
    pub fn with_mapping(self, mapping: Depends) -> Self {
        Self { mapping, ..self }
    }

    /// The same NAT with this filter.
    pub fn with_filtering(self, filtering: Depends) -> Self {
        Self { filtering, ..self }
    }

    /// The same NAT that forgets after so long.
    pub fn with_idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// The same NAT with a hairpin.
    pub fn with_hairpin(self) -> Self {
        Self { hairpin: true, ..self }
    }
}

/// Mappings that a NAT holds. The one that was used the longest ago makes room.
const MAX_MAPPINGS: usize = 16_384;

/// Remotes that a mapping remembers. The one that was spoken to the longest ago makes room.
const MAX_SPOKEN: usize = 1024;

/// The first port that a NAT gives out: those below are for servers.
const FIRST_PORT: u16 = 1024;

/// Whom a mapping is for: the inside address and, if the mapping depends on it, the remote one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    inside: SocketAddr,
    remote: Option<SocketAddr>,
}

#[derive(Clone, Debug)]
struct Mapping {
    port: u16,
    used_at: Instant,
    /// Who was spoken to, and when last.
    spoken: BTreeMap<SocketAddr, Instant>,
}

/// The state of one NAT.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) nat: Nat,
    mappings: BTreeMap<Key, Mapping>,
    by_port: BTreeMap<u16, Key>,
    /// Mappings lost by a rebinding that were not made again yet, and when they were used last.
    lost: BTreeMap<Key, Instant>,
    next_port: u16,
}

impl Table {
    /// An empty table. `start` shifts the first port.
    pub(super) fn new(nat: Nat, start: u16) -> Self {
        let next_port = FIRST_PORT + start % (u16::MAX - FIRST_PORT);
        Self { nat, mappings: BTreeMap::new(), by_port: BTreeMap::new(), lost: BTreeMap::new(), next_port }
    }

    /// The outside port by which `inside` speaks to `remote`.
    pub(super) fn outbound(
        &mut self,
        now: Instant,
        inside: SocketAddr,
        remote: SocketAddr,
        tally: &mut Tally,
    ) -> u16 {
        let key = Key { inside, remote: self.nat.mapping.view(remote) };
        if self.mappings.get(&key).is_some_and(|mapping| now - mapping.used_at >= self.nat.idle) {
            self.forget(key);
        }
        if !self.mappings.contains_key(&key) {
            self.map(now, key, tally);
        }
        let mapping = self.mappings.get_mut(&key).expect("a mapping was found or made");
        mapping.used_at = now;
        if mapping.spoken.len() >= MAX_SPOKEN {
            let oldest = mapping.spoken.iter().min_by_key(|(_, at)| **at).map(|(remote, _)| *remote);
            mapping.spoken.remove(&oldest.expect("a full table is not empty"));
        }
        let new_to_it = mapping.spoken.insert(remote, now).is_none();
        if self.nat.mapping == Depends::Independent && new_to_it && mapping.spoken.len() > 1 {
            tally.fired(Fault::NatIndependent);
        }
        mapping.port
    }

    /// Which inside address a datagram from `remote` to an outside port is for. `None` if it is kept out.
    pub(super) fn inbound(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        port: u16,
        tally: &mut Tally,
    ) -> Option<SocketAddr> {
        let key = *self.by_port.get(&port)?;
        let (idle, filtering) = (self.nat.idle, self.nat.filtering);
        let mapping = self.mappings.get_mut(&key).expect("every port is some mapping's");
        if now - mapping.used_at >= idle {
            self.forget(key);
            return None;
        }
        mapping.spoken.retain(|_, at| now - *at < idle);
        let known =
            |view: Depends| mapping.spoken.keys().any(|spoken| view.view(*spoken) == view.view(remote));
        let (passes, fault) = match filtering {
            Depends::Independent => (true, Fault::NatOpen),
            Depends::Address => (known(Depends::Address), Fault::NatFilteredAddress),
            Depends::AddressAndPort => (known(Depends::AddressAndPort), Fault::NatFilteredPort),
        };
        if !passes || (filtering == Depends::Independent && !known(Depends::AddressAndPort)) {
            tally.fired(fault);
        }
        passes.then_some(key.inside)
    }

    /// The outside port by which `inside` spoke to `remote`.
    pub(super) fn mapped(&self, inside: SocketAddr, remote: SocketAddr) -> Option<u16> {
        let key = Key { inside, remote: self.nat.mapping.view(remote) };
        self.mappings.get(&key).map(|mapping| mapping.port)
    }

    /// Forgets all mappings. What is used again gets another port.
    pub(super) fn rebind(&mut self) {
        self.by_port.clear();
        let gone = std::mem::take(&mut self.mappings);
        self.lost.extend(gone.into_iter().map(|(key, mapping)| (key, mapping.used_at)));
        while self.lost.len() > MAX_MAPPINGS {
            self.lost.pop_first();
        }
    }

    fn map(&mut self, now: Instant, key: Key, tally: &mut Tally) {
        if self.lost.remove(&key).is_some_and(|used_at| now - used_at < self.nat.idle) {
            tally.fired(Fault::NatRebound);
        }
        let from = Key { inside: key.inside, remote: None };
        let another = self.mappings.range(from..).next().is_some_and(|(other, _)| other.inside == key.inside);
        if another {
            tally.fired(Fault::NatDependent);
        }
        if self.mappings.len() >= MAX_MAPPINGS {
            let oldest = self.mappings.iter().min_by_key(|(_, mapping)| mapping.used_at);
            let oldest = *oldest.expect("a full table is not empty").0;
            self.forget(oldest);
        }
        let port = self.free_port();
        self.by_port.insert(port, key);
        self.mappings.insert(key, Mapping { port, used_at: now, spoken: BTreeMap::new() });
    }

    fn free_port(&mut self) -> u16 {
        loop {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            if !self.by_port.contains_key(&port) {
                return port;
            }
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(mapping) = self.mappings.remove(&key) {
            self.by_port.remove(&mapping.port);
        }
    }
}
