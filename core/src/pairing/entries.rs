//! The codes that this node's user typed, and the hosts at which too many were tried.
//!
//! One entry is used against one host once: it is never tried on a second.

use crate::code::Code;
use crate::event::PairingId;
use crate::id::{ConnId, PeerId, PublicKey};
use crate::table::Table;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Entries that may wait or be in use at a time.
pub(crate) const MAX_ENTRIES: usize = 8;
/// Entries against one host after which it is left alone.
const ENTRIES_PER_HOST: u8 = 3;
/// How long it is left alone, and how long an entry counts.
const LOCKOUT: Duration = Duration::from_secs(10 * 60);
/// Hosts whose entries are counted. Beyond that the one tried longest ago is forgotten.
const MAX_HOSTS: usize = 64;

/// A code that was typed.
pub(super) struct Entry {
    pub(super) code: Code,
    /// The peer that it is meant for; `None` for whoever it is connected to.
    pub(super) expect: Option<PeerId>,
    pub(super) until: Instant,
    /// The session that it is used in.
    pub(super) conn: Option<ConnId>,
}

impl Entry {
    pub(super) fn is_for(&self, peer: &PublicKey) -> bool {
        self.expect.is_none_or(|id| peer.is_named(&id))
    }
}

struct Tries {
    count: u8,
    last: Instant,
}

#[derive(Default)]
pub(super) struct Entries {
    entries: BTreeMap<PairingId, Entry>,
    tries: BTreeMap<PublicKey, Tries>,
}

impl Entries {
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_ENTRIES
    }

    pub(super) fn add(&mut self, id: PairingId, entry: Entry) {
        assert!(!self.is_full(), "whoever adds an entry looked for room");
        self.entries.insert(id, entry);
    }

    pub(super) fn get(&self, id: &PairingId) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &PairingId) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    pub(super) fn remove(&mut self, id: &PairingId) -> Option<Entry> {
        self.entries.remove(id)
    }

    pub(super) fn ids(&self) -> Vec<PairingId> {
        self.entries.keys().copied().collect()
    }

    /// An entry that waits for this peer to show up.
    pub(super) fn waiting_for(&self, peer: &PublicKey) -> Option<PairingId> {
        let mut waiting = self.entries.iter().filter(|(_, entry)| entry.conn.is_none() && entry.is_for(peer));
        waiting.next().map(|(id, _)| *id)
    }

    /// Entries that wait for a session and whose time is up.
    pub(super) fn expired(&self, now: Instant) -> Option<PairingId> {
        let mut late = self.entries.iter().filter(|(_, entry)| entry.conn.is_none() && entry.until <= now);
        late.next().map(|(id, _)| *id)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.entries.values().filter(|entry| entry.conn.is_none()).map(|entry| entry.until).min()
    }

    /// Counts an entry that is about to be used against this host.
    pub(super) fn count(&mut self, now: Instant, host: PublicKey) {
        self.tries.retain(|_, tries| now.saturating_duration_since(tries.last) < LOCKOUT);
        if self.tries.len() == MAX_HOSTS && !self.tries.contains_key(&host) {
            let oldest = self.tries.iter().min_by_key(|(_, tries)| tries.last).map(|(key, _)| *key);
            oldest.and_then(|key| self.tries.remove(&key));
        }
        let tries = self.tries.entry(host).or_insert(Tries { count: 0, last: now });
        tries.count = tries.count.saturating_add(1);
        tries.last = now;
    }

    /// The host proved that it knows the code.
    pub(super) fn forgive(&mut self, host: &PublicKey) {
        self.tries.remove(host);
    }

    pub(super) fn is_locked(&self, now: Instant, host: &PublicKey) -> bool {
        self.tries.get(host).is_some_and(|tries| tries.is_locked(now))
    }

    /// How full its tables are.
    pub(super) fn tables(&self) -> [Table; 2] {
        [
            Table::new("pairing: codes entered", self.entries.len(), MAX_ENTRIES),
            Table::new("pairing: hosts whose entries are counted", self.tries.len(), MAX_HOSTS),
        ]
    }

    pub(super) fn is_locked_by_name(&self, now: Instant, host: &PeerId) -> bool {
        self.tries.iter().any(|(key, tries)| key.is_named(host) && tries.is_locked(now))
    }
}

impl Tries {
    fn is_locked(&self, now: Instant) -> bool {
        self.count >= ENTRIES_PER_HOST && now.saturating_duration_since(self.last) < LOCKOUT
    }
}
