//! Names that the application gave for a peer, looked up when a dial needs them.
//!
//! Never asks the DNS itself: what is to be looked up goes out as a question, and a dial goes on meanwhile.

use super::book::MAX_RESOLVED;
use super::{Event, Peers};
use crate::ask::{Ask, ResolveToken};
use crate::host::HostName;
use crate::id::PublicKey;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a name came to is good for so long.
const FRESH: Duration = Duration::from_secs(60);

/// A name that is not answered within this time has no address.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Names that are looked up at a time; further ones have no address.
pub(super) const MAX_LOOKUPS: usize = 64;

/// One question that is not answered yet.
#[derive(Debug)]
pub(super) struct Lookup {
    peer: PublicKey,
    name: HostName,
    until: Instant,
}

impl Peers {
    /// A name was looked up. An answer that comes too late is dropped.
    pub(crate) fn handle_resolved(&mut self, now: Instant, token: &ResolveToken, addresses: &[SocketAddr]) {
        if let Some(lookup) = self.lookups.remove(&token.0) {
            self.resolved(now, &lookup, addresses);
        }
    }

    /// Looks up the names of a peer that is about to be dialled. How many are.
    pub(super) fn look_up(&mut self, now: Instant, peer: &PublicKey) -> usize {
        for name in self.book.stale_names(peer, now, FRESH) {
            let is_asked = |lookup: &Lookup| lookup.peer == *peer && lookup.name == name;
            if self.lookups.len() < MAX_LOOKUPS && !self.lookups.values().any(is_asked) {
                self.next_lookup += 1;
                let ask = Ask::Resolve(ResolveToken(self.next_lookup), name.clone());
                self.events.push_back(Event::Ask(ask));
                let lookup = Lookup { peer: *peer, name, until: now + LOOKUP_TIMEOUT };
                self.lookups.insert(self.next_lookup, lookup);
            }
        }
        self.lookups.values().filter(|lookup| lookup.peer == *peer).count()
    }

    /// Gives up what nobody answered.
    pub(super) fn end_lookups(&mut self, now: Instant) {
        let late: Vec<u64> =
            self.lookups.iter().filter(|(_, lookup)| lookup.until <= now).map(|(id, _)| *id).collect();
        for id in late {
            if let Some(lookup) = self.lookups.remove(&id) {
                self.resolved(now, &lookup, &[]);
            }
        }
    }

    pub(super) fn next_lookup_end(&self) -> Option<Instant> {
        self.lookups.values().map(|lookup| lookup.until).min()
    }

    fn resolved(&mut self, now: Instant, lookup: &Lookup, addresses: &[SocketAddr]) {
        let sound = |address: &&SocketAddr| address.port() != 0 && !address.ip().is_unspecified();
        let sound: Vec<SocketAddr> = addresses.iter().filter(sound).take(MAX_RESOLVED).copied().collect();
        let new = self.book.set_resolved(self.at(now), &lookup.peer, &lookup.name, &sound);
        self.looked_up(now, &lookup.peer, &sound);
        if !new.is_empty() && !self.is_dialled(&lookup.peer) {
            self.hope(now, &lookup.peer);
        }
    }
}

#[cfg(test)]
mod tests;
