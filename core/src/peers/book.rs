//! Who was seen where: the results of all sources, merged per peer.
//!
//! All of it is hearsay. Never dials, and decides nothing about trust.

mod entry;
mod found;
mod room;

pub(crate) use self::entry::MAX_RESOLVED;
pub(super) use self::entry::{MAX_GOOD, MAX_MANUAL, MAX_NAMES};

use self::entry::{Entry, Seen};
use self::found::Found;
use self::room::Evict;
use crate::config::Sources;
use crate::event::DiscoveredPeer;
use crate::host::HostName;
use crate::id::{Fingerprint, PeerId, PeerIdKind, PublicKey};
use crate::io::Now;
use crate::shares::Shares;
use crate::store::Whereabouts;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Addresses that one interface may bring for one peer.
const MAX_SIGHTED: usize = 16;

/// What a peer says of itself on the LAN, unauthenticated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) name: String,
    pub(crate) os: String,
    pub(crate) version: String,
    pub(crate) pairing: bool,
    pub(crate) extra: Vec<(String, Vec<u8>)>,
}

/// How a peer appears on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) hints: Hints,
}

/// What changed for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Discovered,
    Updated,
    Expired,
    Nothing,
}

/// What is new of an address at which a connection stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remembered {
    /// It was the last one before.
    Nothing,
    /// It was not the last one.
    Order,
    /// It was not known.
    Address,
}

/// How full a book is: peers, who announced them, and the most of everything that one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) peers: usize,
    pub(super) sources: usize,
    pub(super) given: usize,
    pub(super) names: usize,
    pub(super) good: usize,
    pub(super) seen_by: usize,
}

/// The address book.
pub(super) struct Book {
    entries: BTreeMap<PeerId, Entry>,
    shares: Shares<PeerId>,
    /// Every paired key, by both of its names.
    paired: BTreeMap<PeerId, PublicKey>,
    max: usize,
    /// A peer that is announced is missing, for want of room.
    crowded: bool,
    sources: Sources,
    /// The interfaces that are up, once they are known: where a link-local address may be.
    up: Option<BTreeSet<u32>>,
}

impl Book {
    pub(super) fn new(max: usize, sources: Sources) -> Self {
        let (entries, paired) = (BTreeMap::new(), BTreeMap::new());
        Self { entries, shares: Shares::new(max), paired, max, crowded: false, sources, up: None }
    }

    /// Which sources are heeded when addresses are asked for.
    pub(super) fn set_sources(&mut self, sources: Sources) {
        self.sources = sources;
    }

    /// The interfaces that are up.
    pub(super) fn set_up(&mut self, up: BTreeSet<u32>) {
        self.up = Some(up);
    }

    /// The keys that are paired: they are never evicted.
    pub(super) fn set_paired(&mut self, keys: &BTreeSet<PublicKey>) {
        self.paired = keys.iter().flat_map(|key| names(key).map(|name| (name, *key))).collect();
    }

    /// The paired key of this name.
    pub(super) fn key_named(&self, id: &PeerId) -> Option<PublicKey> {
        self.paired.get(id).copied()
    }

    /// A peer is announced on an interface, first by `source`. Where nobody can make way, nothing is kept of it.
    /// Also returns the peer that made way, if it was present.
    pub(super) fn sight(
        &mut self,
        now: Now,
        id: PeerId,
        (interface, source): (u32, IpAddr),
        mut sighting: Sighting,
    ) -> (Change, Option<PeerId>) {
        sighting.addresses.truncate(MAX_SIGHTED);
        let (entry, evicted) = self.entry(now.mono, (id, source), Evict::Unasked);
        let Some(entry) = entry else {
            self.crowded = true;
            return (Change::Nothing, evicted);
        };
        entry.seen_at = now.mono;
        let is_first = !entry.is_present();
        let old = entry.sightings.insert(interface, Seen { sighting, at: now.wall });
        let is_same = old.is_some_and(|old| old.sighting == entry.sightings[&interface].sighting);
        let change = match (is_first, is_same) {
            (true, _) => Change::Discovered,
            (false, true) => Change::Nothing,
            (false, false) => Change::Updated,
        };
        (change, evicted)
    }

    /// A peer is no longer announced on an interface: one link's loss is no expiry.
    pub(super) fn unsight(&mut self, id: &PeerId, interface: u32) -> Change {
        let Some(entry) = self.entries.get_mut(id) else { return Change::Nothing };
        if entry.sightings.remove(&interface).is_none() {
            return Change::Nothing;
        }
        self.seen_less(id)
    }

    /// What it comes to that one of those who saw a peer sees it no longer.
    fn seen_less(&mut self, id: &PeerId) -> Change {
        let Some(entry) = self.entries.get(id) else { return Change::Nothing };
        if entry.is_present() {
            return Change::Updated;
        }
        if !entry.is_asked_for() && entry.good.is_empty() {
            self.remove(id);
        }
        Change::Expired
    }

    /// Whether there is room again for peers that are announced and missing. Said once; not before a quarter
    /// is free, lest each that goes makes all others be told anew.
    pub(super) fn take_room(&mut self) -> bool {
        let has_room = self.crowded && self.entries.len() <= self.max - self.max.div_ceil(4);
        self.crowded &= !has_room;
        has_room
    }

    /// The application knows an address. Whether it is new, and the peer that made way, if it was present.
    pub(super) fn add_manual(&mut self, now: Now, id: PeerId, address: SocketAddr) -> (bool, Option<PeerId>) {
        let (entry, evicted) = self.entry(now.mono, (id, address.ip()), Evict::Unpaired);
        (entry.is_some_and(|entry| entry.give(address, now.wall)), evicted)
    }

    /// The application knows a name. As [`Book::add_manual`].
    pub(super) fn add_name(&mut self, now: Now, id: PeerId, name: HostName) -> (bool, Option<PeerId>) {
        // Nobody but the application names anybody: its names share the room of one source.
        let source = IpAddr::from([0, 0, 0, 0]);
        let (entry, evicted) = self.entry(now.mono, (id, source), Evict::Unpaired);
        (entry.is_some_and(|entry| entry.give_name(name)), evicted)
    }

    /// A connection to a peer stood at this address. What is new of that, and the peer that made way, if it was
    /// present.
    pub(super) fn remember(
        &mut self,
        now: Now,
        id: PeerId,
        address: SocketAddr,
    ) -> (Remembered, Option<PeerId>) {
        let (entry, evicted) = self.entry(now.mono, (id, address.ip()), Evict::Unasked);
        (entry.map_or(Remembered::Nothing, |entry| entry.remember(address, now.wall)), evicted)
    }

    /// What a store remembers of a paired key. Goes behind what is known already.
    pub(super) fn load(&mut self, now: Now, key: &PublicKey, id: PeerId, stored: Whereabouts) {
        let source = IpAddr::from([0, 0, 0, 0]);
        if self.paired.contains_key(&names(key)[0])
            && let (Some(entry), _) = self.entry(now.mono, (id, source), Evict::Unasked)
        {
            entry.load(stored, now.wall);
        }
    }

    /// What a store is to remember of a paired key.
    pub(super) fn whereabouts(&self, key: &PublicKey) -> Whereabouts {
        let mut out = Whereabouts::new(key.fingerprint());
        for entry in names(key).iter().filter_map(|id| self.entries.get(id)) {
            entry.store(&mut out);
        }
        out
    }

    /// A key is paired no longer: where it was reached is forgotten, and the names that were given for it.
    pub(super) fn part(&mut self, key: &PublicKey) {
        for id in names(key) {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.good.clear();
                entry.names.clear();
                if !entry.is_present() && !entry.is_asked_for() {
                    self.remove(&id);
                }
            }
        }
    }

    /// The names of a key that are to be looked up: those whose addresses are as old as `fresh`.
    pub(super) fn stale_names(&self, key: &PublicKey, now: Instant, fresh: Duration) -> Vec<HostName> {
        if !self.sources.manual {
            return Vec::new();
        }
        let entries = names(key);
        let entries = entries.iter().filter_map(|id| self.entries.get(id));
        entries.flat_map(|entry| entry.stale_names(now, fresh)).cloned().collect()
    }

    /// A name was looked up. The addresses that it did not have before.
    pub(super) fn set_resolved(
        &mut self,
        now: Now,
        key: &PublicKey,
        name: &HostName,
        addresses: &[SocketAddr],
    ) -> Vec<SocketAddr> {
        let mut new = Vec::new();
        for id in names(key) {
            if let Some(entry) = self.entries.get_mut(&id) {
                new.extend(entry.set_resolved(now, name, addresses));
            }
        }
        new
    }

    /// Where a key may be reached, the likeliest first: last good, given, announced, told by servers.
    pub(super) fn addresses(&self, key: &PublicKey) -> Vec<SocketAddr> {
        self.addresses_of(&names(key))
    }

    /// Whether there is anything to dial a key by: an address, or a name that may have one.
    pub(super) fn is_reachable(&self, key: &PublicKey) -> bool {
        let named = |id: &PeerId| self.entries.get(id).is_some_and(|entry| !entry.names.is_empty());
        !self.addresses(key).is_empty() || (self.sources.manual && names(key).iter().any(named))
    }

    /// Where a name may be reached.
    pub(super) fn addresses_of(&self, ids: &[PeerId]) -> Vec<SocketAddr> {
        let entries: Vec<&Entry> = ids.iter().filter_map(|id| self.entries.get(id)).collect();
        let Sources { mdns, manual, remembered } = self.sources;
        let good = entries.iter().filter(|_| remembered).flat_map(|entry| &entry.good);
        let given = entries.iter().filter(|_| manual).flat_map(|entry| entry.given_addresses());
        let sighted = entries.iter().filter(|_| mdns).flat_map(|entry| entry.sightings.values());
        let sighted = sighted.flat_map(|seen| seen.sighting.addresses.iter().copied());
        let mut out: Vec<SocketAddr> = Vec::new();
        let found = entries.iter().filter_map(|entry| entry.found.as_ref()).flat_map(Found::addresses);
        for address in good.map(|good| good.address).chain(given).chain(sighted).chain(found) {
            if self.is_on_a_link(&address) && !out.contains(&address) {
                out.push(address);
            }
        }
        out
    }

    /// Whether an address is none of a link that is not there: its scope is the interface's number, where it has one.
    fn is_on_a_link(&self, address: &SocketAddr) -> bool {
        match (address, &self.up) {
            (SocketAddr::V6(v6), Some(up)) if v6.ip().is_unicast_link_local() => {
                v6.scope_id() == 0 || up.contains(&v6.scope_id())
            }
            _ => true,
        }
    }

    /// Where a key may be reached of which the hash alone is known, as far as its owner tells it.
    pub(super) fn addresses_of_print(&self, print: &Fingerprint) -> Vec<SocketAddr> {
        let says = |seen: &Seen| seen.sighting.hints.fingerprint.as_ref() == Some(print);
        let is_it = |(id, entry): &(&PeerId, &Entry)| {
            let is_found = entry.found.as_ref().is_some_and(|found| found.print == *print);
            **id == PeerId::Sha256(*print.as_bytes()) || is_found || entry.sightings.values().any(says)
        };
        let names: Vec<PeerId> = self.entries.iter().filter(is_it).map(|(id, _)| *id).collect();
        self.addresses_of(&names)
    }

    /// A present peer as the application sees it.
    pub(super) fn describe(&self, id: &PeerId) -> Option<DiscoveredPeer> {
        let entry = self.entries.get(id)?;
        if !entry.is_present() {
            return None;
        }
        let hints = entry.hints();
        Some(DiscoveredPeer {
            id: *id,
            fingerprint: hints.fingerprint,
            name: hints.name,
            os: hints.os,
            version: hints.version,
            pairing: hints.pairing,
            extra: hints.extra,
            addresses: entry.known_addresses(),
            paired: self.paired.contains_key(id),
        })
    }

    /// The names of the peers that are present.
    pub(super) fn present(&self) -> impl Iterator<Item = &PeerId> {
        self.entries.iter().filter(|(_, entry)| entry.is_present()).map(|(id, _)| id)
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// How full it is.
    pub(super) fn sizes(&self) -> Sizes {
        let most = |of: fn(&Entry) -> usize| self.entries.values().map(of).max().unwrap_or(0);
        Sizes {
            peers: self.entries.len(),
            sources: self.shares.sources(),
            given: most(|entry| entry.manual.len()),
            names: most(|entry| entry.names.len()),
            good: most(|entry| entry.good.len()),
            seen_by: most(|entry| entry.sightings.len()),
        }
    }

    /// The entry of a peer, made where there is room for it, or where it is to be kept; and who made way, if
    /// it was present.
    fn entry(
        &mut self,
        now: Instant,
        (id, source): (PeerId, IpAddr),
        evict: Evict,
    ) -> (Option<&mut Entry>, Option<PeerId>) {
        let mut evicted = None;
        if self.entries.len() >= self.max && !self.entries.contains_key(&id) {
            match self.who_goes(now, (&id, source), evict) {
                Some(going) => {
                    let was_present = self.remove(&going).is_some_and(|entry| entry.is_present());
                    self.crowded |= was_present;
                    evicted = was_present.then_some(going);
                }
                None if self.paired.contains_key(&id) => {}
                None => return (None, None),
            }
        }
        let entry = self.entries.entry(id).or_insert_with(|| Entry {
            sightings: BTreeMap::new(),
            manual: Vec::new(),
            names: Vec::new(),
            good: Vec::new(),
            found: None,
            seen_at: now,
            stake: self.shares.add(now, source, id),
        });
        (Some(entry), evicted)
    }

    fn remove(&mut self, id: &PeerId) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        self.shares.remove(&entry.stake);
        Some(entry)
    }
}

/// Both names of a key.
fn names(key: &PublicKey) -> [PeerId; 2] {
    [PeerIdKind::Sha1, PeerIdKind::Sha256].map(|kind| key.peer_id(kind))
}

#[cfg(test)]
mod tests;
