//! Who was seen where: the results of all sources, merged per peer.
//!
//! All of it is hearsay. Never dials, and decides nothing about trust.

use crate::event::{DiscoveredPeer, KnownAddress, Source};
use crate::id::{Fingerprint, PeerId, PeerIdKind, PublicKey};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
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
    seen_at: Instant,
}

/// Who may go from a full book: never a paired peer, and of others the one seen longest ago.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Evict {
    /// Nobody that the application gave an address for.
    Unasked,
    /// Those as well, after all others.
    Unpaired,
}

/// The address book.
pub(super) struct Book {
    entries: BTreeMap<PeerId, Entry>,
    max: usize,
    /// A peer that is announced is missing, for want of room.
    crowded: bool,
}

impl Book {
    pub(super) fn new(max: usize) -> Self {
        Self { entries: BTreeMap::new(), max, crowded: false }
    }

    /// A peer is announced on an interface. `keep` names those that are never evicted. Where nobody can make
    /// way, nothing is kept of it. Also returns the peer that made way, if it was present.
    pub(super) fn sight(
        &mut self,
        now: Instant,
        id: PeerId,
        interface: u32,
        mut sighting: Sighting,
        keep: &BTreeSet<PublicKey>,
    ) -> (Change, Option<PeerId>) {
        sighting.addresses.truncate(MAX_SIGHTED);
        let (entry, evicted) = self.entry(now, id, keep, Evict::Unasked);
        let Some(entry) = entry else {
            self.crowded = true;
            return (Change::Nothing, evicted);
        };
        entry.seen_at = now;
        let before = entry.sightings.len();
        let old = entry.sightings.insert(interface, sighting);
        let change = if before == 0 {
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
        if !entry.sightings.is_empty() {
            return Change::Updated;
        }
        if entry.manual.is_empty() && entry.remembered.is_none() {
            self.entries.remove(id);
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
    pub(super) fn add_manual(
        &mut self,
        now: Instant,
        id: PeerId,
        address: SocketAddr,
        keep: &BTreeSet<PublicKey>,
    ) -> Option<PeerId> {
        let (entry, evicted) = self.entry(now, id, keep, Evict::Unpaired);
        if let Some(entry) = entry.filter(|entry| !entry.manual.contains(&address)) {
            if entry.manual.len() >= MAX_MANUAL {
                entry.manual.remove(0);
            }
            entry.manual.push(address);
        }
        evicted
    }

    /// A connection to a peer stood at this address. Returns the peer that made way, if it was present.
    pub(super) fn remember(
        &mut self,
        now: Instant,
        id: PeerId,
        address: SocketAddr,
        keep: &BTreeSet<PublicKey>,
    ) -> Option<PeerId> {
        let (entry, evicted) = self.entry(now, id, keep, Evict::Unasked);
        if let Some(entry) = entry {
            entry.remembered = Some(address);
        }
        evicted
    }

    /// Where a key may be reached, the likeliest first: last good, given, announced.
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
        for address in remembered.chain(manual).chain(sighted) {
            if !out.contains(&address) {
                out.push(address);
            }
        }
        out
    }

    /// Where a key may be reached of which the hash alone is known, as far as its owner tells it on the LAN.
    pub(super) fn addresses_of_print(&self, print: &Fingerprint) -> Vec<SocketAddr> {
        let says = |sighting: &Sighting| sighting.hints.fingerprint.as_ref() == Some(print);
        let is_it = |(id, entry): &(&PeerId, &Entry)| {
            **id == PeerId::Sha256(*print.as_bytes()) || entry.sightings.values().any(says)
        };
        let names: Vec<PeerId> = self.entries.iter().filter(is_it).map(|(id, _)| *id).collect();
        self.addresses_of(&names)
    }

    /// A present peer as the application sees it.
    pub(super) fn describe(&self, id: &PeerId, paired: &BTreeSet<PublicKey>) -> Option<DiscoveredPeer> {
        let entry = self.entries.get(id)?;
        let hints = &entry.sightings.values().next()?.hints;
        let sighted = entry.sightings.iter().flat_map(|(interface, sighting)| {
            let source = Source::Mdns { interface: *interface };
            sighting.addresses.iter().map(move |address| KnownAddress { address: *address, source })
        });
        let known = |source| move |address: &SocketAddr| KnownAddress { address: *address, source };
        let manual = entry.manual.iter().map(known(Source::Manual));
        let remembered = entry.remembered.iter().map(known(Source::Remembered));
        Some(DiscoveredPeer {
            id: *id,
            fingerprint: hints.fingerprint,
            name: hints.name.clone(),
            os: hints.os.clone(),
            version: hints.version.clone(),
            pairing: hints.pairing,
            extra: hints.extra.clone(),
            addresses: sighted.chain(manual).chain(remembered).collect(),
            paired: paired.iter().any(|key| key.is_named(id)),
        })
    }

    /// The names of the peers that are present.
    pub(super) fn present(&self) -> impl Iterator<Item = &PeerId> {
        self.entries.iter().filter(|(_, entry)| !entry.sightings.is_empty()).map(|(id, _)| id)
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// How many peers there are, the most addresses given for one, and the most interfaces that see one.
    pub(super) fn sizes(&self) -> [usize; 3] {
        let most = |of: fn(&Entry) -> usize| self.entries.values().map(of).max().unwrap_or(0);
        [self.entries.len(), most(|entry| entry.manual.len()), most(|entry| entry.sightings.len())]
    }

    /// The entry of a peer, made where there is room for it, or where it is to be kept; and who made way, if
    /// it was present.
    fn entry(
        &mut self,
        now: Instant,
        id: PeerId,
        keep: &BTreeSet<PublicKey>,
        evict: Evict,
    ) -> (Option<&mut Entry>, Option<PeerId>) {
        let mut evicted = None;
        if self.entries.len() >= self.max && !self.entries.contains_key(&id) {
            // Each name is a hash: to ask each key for each entry would cost a stranger nothing, and us much.
            let kept: BTreeSet<PeerId> = keep.iter().flat_map(names).collect();
            let is_kept = |id: &PeerId| kept.contains(id);
            let may_go = |(id, entry): &(&PeerId, &Entry)| {
                !is_kept(id) && (evict == Evict::Unpaired || entry.manual.is_empty())
            };
            let going = self.entries.iter().filter(may_go);
            let oldest = going.min_by_key(|(_, entry)| (!entry.manual.is_empty(), entry.seen_at));
            match oldest.map(|(id, entry)| (*id, !entry.sightings.is_empty())) {
                Some((oldest, was_present)) => {
                    self.entries.remove(&oldest);
                    self.crowded |= was_present;
                    evicted = was_present.then_some(oldest);
                }
                None if is_kept(&id) => {}
                None => return (None, None),
            }
        }
        let entry = self.entries.entry(id).or_insert_with(|| Entry {
            sightings: BTreeMap::new(),
            manual: Vec::new(),
            remembered: None,
            seen_at: now,
        });
        (Some(entry), evicted)
    }
}

/// Both names of a key.
fn names(key: &PublicKey) -> [PeerId; 2] {
    [PeerIdKind::Sha1, PeerIdKind::Sha256].map(|kind| key.peer_id(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use crate::testing::base;
    use std::time::Duration;

    fn id(n: u8) -> PeerId {
        PeerId::Sha1([n; 20])
    }

    fn sighting(address: &str) -> Sighting {
        Sighting { addresses: vec![address.parse().unwrap()], hints: Hints::default() }
    }

    #[test]
    fn who_was_not_kept_is_asked_for_once_a_quarter_is_free() {
        let (mut book, nobody, now) = (Book::new(4), BTreeSet::new(), base());
        for n in 0..6 {
            book.sight(now + Duration::from_secs(u64::from(n)), id(n), 2, sighting("192.0.2.1:1"), &nobody);
        }
        assert!(!book.take_room(), "it is full");
        book.unsight(&id(5), 2);
        assert!(book.take_room());
        assert!(!book.take_room(), "it is said once");
    }

    #[test]
    fn one_links_loss_is_no_expiry() {
        let (mut book, nobody, now) = (Book::new(8), BTreeSet::new(), base());
        let change = book.sight(now, id(1), 2, sighting("192.0.2.1:1"), &nobody);
        assert_eq!(change, (Change::Discovered, None));
        assert_eq!(book.sight(now, id(1), 3, sighting("192.0.2.1:1"), &nobody).0, Change::Updated);
        assert_eq!(book.sight(now, id(1), 3, sighting("192.0.2.1:1"), &nobody).0, Change::Nothing);
        assert_eq!(book.unsight(&id(1), 2), Change::Updated);
        assert_eq!(book.unsight(&id(1), 3), Change::Expired);
        assert_eq!(book.unsight(&id(1), 3), Change::Nothing);
    }

    #[test]
    fn a_full_book_evicts_the_unpaired_peer_seen_longest_ago() {
        let (mut book, now) = (Book::new(2), base());
        let friend = Identity::from_entropy([1; 32]).public_key();
        let keep = BTreeSet::from([friend]);
        let paired = friend.peer_id(PeerIdKind::Sha1);
        book.sight(now, paired, 2, sighting("192.0.2.1:1"), &keep);
        book.sight(now, id(8), 2, sighting("192.0.2.2:1"), &keep);
        let (_, evicted) = book.sight(now, id(9), 2, sighting("192.0.2.3:1"), &keep);
        assert_eq!(evicted, Some(id(8)));
        assert!(book.describe(&paired, &keep).unwrap().paired);
    }

    #[test]
    fn a_full_book_takes_what_the_application_gives_for_what_it_gave_first() {
        let (mut book, nobody, now) = (Book::new(2), BTreeSet::new(), base());
        let address = "192.0.2.1:1".parse().unwrap();
        for n in 1..100 {
            book.add_manual(now + std::time::Duration::from_secs(n.into()), id(n), address, &nobody);
            assert!(book.sizes()[0] <= 2);
            assert_eq!(book.addresses_of(&[id(n)]), [address]);
        }
        let late = now + std::time::Duration::from_secs(200);
        assert_eq!(book.sight(late, id(200), 2, sighting("192.0.2.2:1"), &nobody), (Change::Nothing, None));
        assert_eq!(book.sizes()[0], 2, "nobody that the application named makes way for a stranger");
    }

    #[test]
    fn the_last_good_address_comes_first_and_none_twice() {
        let (mut book, nobody, now) = (Book::new(8), BTreeSet::new(), base());
        let key = Identity::from_entropy([1; 32]).public_key();
        let id = key.peer_id(PeerIdKind::Sha256);
        book.sight(now, id, 2, sighting("192.0.2.1:1"), &nobody);
        book.add_manual(now, id, "192.0.2.2:1".parse().unwrap(), &nobody);
        book.remember(now, id, "192.0.2.1:1".parse().unwrap(), &nobody);
        let order: Vec<String> = book.addresses(&key).iter().map(ToString::to_string).collect();
        assert_eq!(order, ["192.0.2.1:1", "192.0.2.2:1"]);
    }
}
