//! What discovery servers say of where a peer is.

use super::room::Evict;
use super::{Book, Change, Entry, Hints};
use crate::id::{Fingerprint, PeerId};
use crate::io::{Now, UnixTime};
use std::net::SocketAddr;

/// What they say of one.
pub(super) struct Found {
    /// Whose key it is.
    pub(super) print: Fingerprint,
    addresses: Vec<SocketAddr>,
    /// When they said so.
    pub(super) at: UnixTime,
}

impl Found {
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().copied()
    }
}

impl Entry {
    /// Whether it is announced anywhere: what the application knows, or remembers, says nothing of that.
    pub(super) fn is_present(&self) -> bool {
        !self.sightings.is_empty() || self.found.is_some()
    }

    /// What it says of itself; of who is found by a server alone, only the key is known.
    pub(super) fn hints(&self) -> Hints {
        match self.sightings.values().next() {
            Some(seen) => seen.sighting.hints.clone(),
            None => {
                let fingerprint = self.found.as_ref().map(|found| found.print);
                Hints { fingerprint, ..Hints::default() }
            }
        }
    }
}

impl Book {
    /// Servers say that a peer is here, and nowhere else. Also returns the peer that made way, if it was present.
    pub(in crate::peers) fn set_found(
        &mut self,
        now: Now,
        id: PeerId,
        print: Fingerprint,
        addresses: &[SocketAddr],
    ) -> (Change, Option<PeerId>) {
        let Some(first) = addresses.first() else { return (self.set_lost(&id), None) };
        let (entry, evicted) = self.entry(now.mono, (id, first.ip()), Evict::Unasked);
        let Some(entry) = entry else { return (Change::Nothing, evicted) };
        let was_present = entry.is_present();
        let found = Found { print, addresses: addresses.to_vec(), at: now.wall };
        let old = entry.found.replace(found);
        let change = match old {
            _ if !was_present => Change::Discovered,
            Some(old) if old.addresses == addresses => Change::Nothing,
            Some(_) | None => Change::Updated,
        };
        (change, evicted)
    }

    /// No server says any more where a peer is.
    fn set_lost(&mut self, id: &PeerId) -> Change {
        let Some(entry) = self.entries.get_mut(id) else { return Change::Nothing };
        if entry.found.take().is_none() {
            return Change::Nothing;
        }
        self.seen_less(id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sighting;
    use super::*;
    use crate::config::Sources;
    use crate::event::Source;
    use crate::identity::Identity;
    use crate::testing::base;

    fn at(n: u8) -> SocketAddr {
        ([192, 0, 2, n], 7000).into()
    }

    #[test]
    fn what_servers_say_is_one_source_among_others_and_the_last_to_be_dialled() {
        let print = Identity::from_entropy([1; 32]).fingerprint();
        let (mut book, id) = (Book::new(8, Sources::all()), PeerId::Sha1([1; 20]));
        let now = Now { mono: base(), wall: UnixTime::from_micros(7) };
        assert_eq!(book.set_found(now, id, print, &[at(1)]), (Change::Discovered, None));
        assert_eq!(book.set_found(now, id, print, &[at(1)]), (Change::Nothing, None));
        assert_eq!(book.set_found(now, id, print, &[at(2), at(3)]), (Change::Updated, None));
        assert_eq!(book.describe(&id).unwrap().fingerprint, Some(print));
        let sighting = Sighting { addresses: vec![at(3), at(4)], hints: Hints::default() };
        assert_eq!(book.sight(now, id, (2, at(4).ip()), sighting).0, Change::Updated);
        assert_eq!(book.addresses_of(&[id]), [at(3), at(4), at(2)]);
        let addresses = book.describe(&id).unwrap().addresses;
        let of_servers = addresses.iter().filter(|known| known.source == Source::Global);
        assert_eq!(of_servers.map(|known| known.address).collect::<Vec<_>>(), [at(2), at(3)]);
        assert_eq!(book.addresses_of_print(&print), [at(3), at(4), at(2)]);
        assert_eq!(book.unsight(&id, 2), Change::Updated, "one source's loss is no expiry");
        assert_eq!(book.set_found(now, id, print, &[]), (Change::Expired, None));
        assert_eq!(book.set_found(now, id, print, &[]), (Change::Nothing, None));
        assert_eq!((book.addresses_of(&[id]), book.sizes().peers), (Vec::new(), 0));
    }
}
