//! Who was seen where: the results of all sources, merged per peer.
//!
//! All of it is hearsay. Never dials, and decides nothing about trust.

mod found;
mod room;

use self::found::Found;
use self::room::Evict;
use crate::event::{DiscoveredPeer, KnownAddress, Source};
use crate::id::{Fingerprint, PeerId, PeerIdKind, PublicKey};
use crate::shares::{Shares, Stake};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Addresses that the application may give for one peer; a further one replaces the oldest.
pub(super) const MAX_MANUAL: usize = 16;

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

struct Entry {
    sightings: BTreeMap<u32, Sighting>,
    manual: Vec<SocketAddr>,
    remembered: Option<SocketAddr>,
    /// What discovery servers say.
    found: Option<Found>,
    seen_at: Instant,
    stake: Stake,
}

/// The address book.
pub(super) struct Book {
    entries: BTreeMap<PeerId, Entry>,
    shares: Shares<PeerId>,
    /// Both names of every paired key.
    paired: BTreeSet<PeerId>,
    max: usize,
    /// A peer that is announced is missing, for want of room.
    crowded: bool,
}

impl Book {
    pub(super) fn new(max: usize) -> Self {
        let (entries, paired) = (BTreeMap::new(), BTreeSet::new());
        Self { entries, shares: Shares::new(max), paired, max, crowded: false }
    }

    /// The keys that are paired: they are never evicted.
    pub(super) fn set_paired(&mut self, keys: &BTreeSet<PublicKey>) {
        self.paired = keys.iter().flat_map(names).collect();
    }

    /// A peer is announced on an interface, first by `source`. Where nobody can make way, nothing is kept of it.
    /// Also returns the peer that made way, if it was present.
    pub(super) fn sight(
        &mut self,
        now: Instant,
        id: PeerId,
        (interface, source): (u32, IpAddr),
        mut sighting: Sighting,
    ) -> (Change, Option<PeerId>) {
        sighting.addresses.truncate(MAX_SIGHTED);
        let (entry, evicted) = self.entry(now, (id, source), Evict::Unasked);
        let Some(entry) = entry else {
            self.crowded = true;
            return (Change::Nothing, evicted);
        };
        entry.seen_at = now;
        let was_present = entry.is_present();
        let old = entry.sightings.insert(interface, sighting);
        let change = if !was_present {
            Change::Discovered
        } else if old.as_ref() == entry.sightings.get(&interface) {
            Change::Nothing
        } else {
            Change::Updated
        };
        (change, evicted)
    }

    /// A peer is no longer announced on an interface: one link's loss is no expiry.
    pub(super) fn unsight(&mut self, id: &PeerId, interface: u32) -> Change {
        let Some(entry) = self.entries.get_mut(id) else { return Change::Nothing };
        if entry.sightings.remove(&interface).is_none() {
            return Change::Nothing;
        }
        if entry.is_present() {
            return Change::Updated;
        }
        if entry.manual.is_empty() && entry.remembered.is_none() {
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

    /// The application knows an address. Returns the peer that made way, if it was present.
    pub(super) fn add_manual(&mut self, now: Instant, id: PeerId, address: SocketAddr) -> Option<PeerId> {
        let (entry, evicted) = self.entry(now, (id, address.ip()), Evict::Unpaired);
        if let Some(entry) = entry.filter(|entry| !entry.manual.contains(&address)) {
            if entry.manual.len() >= MAX_MANUAL {
                entry.manual.remove(0);
            }
            entry.manual.push(address);
        }
        evicted
    }

    /// A connection to a peer stood at this address. Returns the peer that made way, if it was present.
    pub(super) fn remember(&mut self, now: Instant, id: PeerId, address: SocketAddr) -> Option<PeerId> {
        let (entry, evicted) = self.entry(now, (id, address.ip()), Evict::Unasked);
        if let Some(entry) = entry {
            entry.remembered = Some(address);
        }
        evicted
    }

    /// Where a key may be reached, the likeliest first: last good, given, announced, told by servers.
    pub(super) fn addresses(&self, key: &PublicKey) -> Vec<SocketAddr> {
        self.addresses_of(&names(key))
    }

    /// Where a name may be reached.
    pub(super) fn addresses_of(&self, ids: &[PeerId]) -> Vec<SocketAddr> {
        let entries: Vec<&Entry> = ids.iter().filter_map(|id| self.entries.get(id)).collect();
        let remembered = entries.iter().filter_map(|entry| entry.remembered);
        let manual = entries.iter().flat_map(|entry| entry.manual.iter().copied());
        let sighted = entries.iter().flat_map(|e| e.sightings.values()).flat_map(|s| s.addresses.clone());
        let mut out: Vec<SocketAddr> = Vec::new();
        let found = entries.iter().filter_map(|entry| entry.found.as_ref()).flat_map(Found::addresses);
        for address in remembered.chain(manual).chain(sighted).chain(found) {
            if !out.contains(&address) {
                out.push(address);
            }
        }
        out
    }

    /// Where a key may be reached of which the hash alone is known, as far as its owner tells it.
    pub(super) fn addresses_of_print(&self, print: &Fingerprint) -> Vec<SocketAddr> {
        let says = |sighting: &Sighting| sighting.hints.fingerprint.as_ref() == Some(print);
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
        let sighted = entry.sightings.iter().flat_map(|(interface, sighting)| {
            let source = Source::Mdns { interface: *interface };
            sighting.addresses.iter().map(move |address| KnownAddress { address: *address, source })
        });
        let known = |source| move |address: &SocketAddr| KnownAddress { address: *address, source };
        let manual = entry.manual.iter().map(known(Source::Manual));
        let remembered = entry.remembered.iter().map(known(Source::Remembered));
        let found = entry.found.iter().flat_map(Found::addresses);
        let found = found.map(|address| KnownAddress { address, source: Source::Global });
        Some(DiscoveredPeer {
            id: *id,
            fingerprint: hints.fingerprint,
            name: hints.name,
            os: hints.os,
            version: hints.version,
            pairing: hints.pairing,
            extra: hints.extra,
            addresses: sighted.chain(manual).chain(remembered).chain(found).collect(),
            paired: self.paired.contains(id),
        })
    }

    /// The names of the peers that are present.
    pub(super) fn present(&self) -> impl Iterator<Item = &PeerId> {
        self.entries.iter().filter(|(_, entry)| entry.is_present()).map(|(id, _)| id)
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// How many peers there are, the most addresses given for one, the most interfaces that see one, and how many
    /// announced them.
    pub(super) fn sizes(&self) -> [usize; 4] {
        let most = |of: fn(&Entry) -> usize| self.entries.values().map(of).max().unwrap_or(0);
        let [given, seen_by] = [most(|entry| entry.manual.len()), most(|entry| entry.sightings.len())];
        [self.entries.len(), given, seen_by, self.shares.sources()]
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
                None if self.paired.contains(&id) => {}
                None => return (None, None),
            }
        }
        let entry = self.entries.entry(id).or_insert_with(|| Entry {
            sightings: BTreeMap::new(),
            manual: Vec::new(),
            remembered: None,
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
