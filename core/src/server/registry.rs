//! The registry that a server keeps by itself: what every node announced last, until it expires.
//!
//! One node has one entry, which is found by either of its names. What is gone leaves its number behind for a while,
//! so that nobody can bring it back by saying it again.

use super::index::Index;
use super::slots::{Slots, State};
use super::wheel::Wheel;
use crate::directory::{DirectoryChange, DirectoryEntry, DirectoryReply, DirectoryRequest};
use crate::id::{Fingerprint, PeerId};
use crate::io::Now;
use crate::rng::Rng;
use bytes::Bytes;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long the number of what is gone is remembered, in seconds: seven days.
const GRAVE_S: u32 = 7 * 24 * 3600;
/// The second with which a registry begins: what a snapshot brings was announced before it.
const FIRST_S: u32 = 1 << 20;
/// Leases end by the second.
const LEASE_STRETCH_S: u32 = 1;
/// Numbers are forgotten within so many seconds.
const GRAVE_STRETCH_S: u32 = 256;

/// The registry.
pub(super) struct Registry {
    begun: Instant,
    pub(super) slots: Slots,
    by_owner: Index,
    by_sha1: Index,
    leases: Wheel,
    graves: Wheel,
    max_live: usize,
    max_graves: usize,
}

impl Registry {
    pub(super) fn new(now: Instant, rng: &mut Rng, max_live: usize, max_graves: usize) -> Self {
        let mut seed = || std::array::from_fn(|_| u64::from_le_bytes(rng.bytes()));
        Self {
            begun: now,
            slots: Slots::new(),
            by_owner: Index::new(seed()),
            by_sha1: Index::new(seed()),
            leases: Wheel::new(LEASE_STRETCH_S),
            graves: Wheel::new(GRAVE_STRETCH_S),
            max_live,
            max_graves,
        }
    }

    /// Announcements that hold.
    pub(super) fn live(&self) -> usize {
        self.leases.len()
    }

    /// Numbers of what is gone.
    pub(super) fn graves(&self) -> usize {
        self.graves.len()
    }

    /// Does what a store is asked for, and says whose announcement is another now.
    pub(super) fn serve(
        &mut self,
        now: Now,
        request: &DirectoryRequest,
    ) -> (DirectoryReply, Option<DirectoryChange>) {
        match request {
            DirectoryRequest::Put(entry) => self.put(now, entry),
            DirectoryRequest::Refresh { owner, seq, expires_s, sha1: _ } => {
                (self.refresh(now, owner, *seq, *expires_s), None)
            }
            DirectoryRequest::Withdraw { owner, sha1, seq } => self.withdraw(now, owner, *sha1, *seq),
            DirectoryRequest::Get(ids) | DirectoryRequest::Watch(ids) => {
                (DirectoryReply::Found(ids.iter().map(|id| self.get(now, id)).collect()), None)
            }
            DirectoryRequest::Unwatch(_) => (DirectoryReply::Done, None),
        }
    }

    /// Takes out what is due, a few at a time. True where more is.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        mut budget: usize,
        changes: &mut Vec<DirectoryChange>,
    ) -> bool {
        let now_s = self.second(now);
        while let Some(n) = self.graves.pop_due(&mut self.slots, now_s) {
            self.forget(n);
            budget = budget.saturating_sub(1);
            if budget == 0 {
                return true;
            }
        }
        while let Some(n) = self.leases.pop_due(&mut self.slots, now_s) {
            changes.push(self.gone(n));
            self.bury(now_s, n);
            budget = budget.saturating_sub(1);
            if budget == 0 {
                return true;
            }
        }
        false
    }

    /// When something is due next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let next = self.leases.next_s().into_iter().chain(self.graves.next_s()).min()?;
        Some(self.begun + Duration::from_secs(next.saturating_sub(FIRST_S).into()))
    }

    /// What is in a slot, as it is told and stored.
    pub(super) fn entry(&self, now: Now, n: u32) -> DirectoryEntry {
        let slot = &self.slots[n];
        let (now_s, wall) = (self.second(now.mono), now.wall.as_secs());
        DirectoryEntry {
            owner: Fingerprint::from_bytes(slot.owner),
            sha1: slot.sha1,
            seq: slot.seq,
            record: Bytes::copy_from_slice(slot.record()),
            addresses: slot.addresses(),
            announced_s: wall.saturating_sub(now_s.saturating_sub(slot.announced_s).into()),
            expires_s: wall + u64::from(slot.expires_s.saturating_sub(now_s)),
        }
    }

    /// Takes back what a snapshot holds, unless there is something newer. `record` is empty for what was gone.
    pub(super) fn restore(&mut self, now: Now, entry: &DirectoryEntry) {
        let now_s = self.second(now.mono);
        let known = self.find_owner(&entry.owner);
        if known.is_some_and(|n| self.slots[n].seq >= entry.seq) {
            return;
        }
        let wall = now.wall.as_secs();
        let lasts = !entry.record.is_empty() && entry.expires_s > wall;
        if lasts {
            if let (DirectoryReply::Done, Some(n)) = (self.put(now, entry).0, self.find_owner(&entry.owner)) {
                let age = u32::try_from(wall.saturating_sub(entry.announced_s)).unwrap_or(u32::MAX);
                self.slots[n].announced_s = now_s.saturating_sub(age);
            }
        } else if entry.expires_s + u64::from(GRAVE_S) > wall && self.graves() < self.max_graves {
            let n = known.unwrap_or_else(|| self.begin(&entry.owner, entry.sha1));
            if self.slots[n].state != State::Free {
                self.unlink(n);
            }
            self.slots[n].seq = entry.seq;
            self.bury(now_s, n);
        }
    }

    fn put(&mut self, now: Now, entry: &DirectoryEntry) -> (DirectoryReply, Option<DirectoryChange>) {
        let (now_s, known) = (self.second(now.mono), self.find_owner(&entry.owner));
        let mut is_same = false;
        if let Some(n) = known {
            let slot = &self.slots[n];
            is_same = slot.state == State::Live && slot.seq == entry.seq && slot.record() == entry.record;
            if entry.seq < slot.seq || (entry.seq == slot.seq && !is_same) {
                return (DirectoryReply::Stale { seq: slot.seq }, None);
            }
        }
        let is_live = known.is_some_and(|n| self.slots[n].state == State::Live);
        if !is_live && self.live() >= self.max_live {
            return (DirectoryReply::Full, None);
        }
        let n = match known {
            Some(n) => {
                self.unlink(n);
                n
            }
            None => self.begin(&entry.owner, entry.sha1),
        };
        let expires_s = self.until(now, entry.expires_s);
        let slot = &mut self.slots[n];
        slot.fill(&entry.record, &entry.addresses);
        (slot.seq, slot.announced_s, slot.expires_s) = (entry.seq, now_s, expires_s);
        slot.state = State::Live;
        self.leases.put(&mut self.slots, n, now_s);
        let change = DirectoryChange { owner: entry.owner, sha1: entry.sha1, entry: Some(entry.clone()) };
        (DirectoryReply::Done, (!is_same).then_some(change))
    }

    fn refresh(&mut self, now: Now, owner: &Fingerprint, seq: u64, expires_s: u64) -> DirectoryReply {
        let Some(n) = self.find_owner(owner) else { return DirectoryReply::Stale { seq: 0 } };
        let slot = &self.slots[n];
        if slot.state != State::Live || slot.seq != seq {
            return DirectoryReply::Stale { seq: slot.seq };
        }
        let (now_s, expires_s) = (self.second(now.mono), self.until(now, expires_s));
        self.leases.take(&mut self.slots, n);
        (self.slots[n].announced_s, self.slots[n].expires_s) = (now_s, expires_s);
        self.leases.put(&mut self.slots, n, now_s);
        DirectoryReply::Done
    }

    fn withdraw(
        &mut self,
        now: Now,
        owner: &Fingerprint,
        sha1: [u8; 20],
        seq: u64,
    ) -> (DirectoryReply, Option<DirectoryChange>) {
        let now_s = self.second(now.mono);
        let (n, change) = match self.find_owner(owner) {
            Some(n) if self.slots[n].seq > seq => {
                return (DirectoryReply::Stale { seq: self.slots[n].seq }, None);
            }
            Some(n) => {
                let change = (self.slots[n].state == State::Live).then(|| self.gone(n));
                self.unlink(n);
                (n, change)
            }
            None if self.graves() >= self.max_graves => return (DirectoryReply::Done, None),
            None => (self.begin(owner, sha1), None),
        };
        self.slots[n].seq = seq;
        self.bury(now_s, n);
        (DirectoryReply::Done, change)
    }

    /// What there is of a name. Who is unknown costs as much as who is known: his place is taken by somebody.
    fn get(&self, now: Now, id: &PeerId) -> Option<DirectoryEntry> {
        let (found, key) = match id {
            PeerId::Sha1(sha1) => (self.by_sha1.find(sha1, |n| &self.slots[n].sha1), &sha1[..]),
            PeerId::Sha256(owner) => (self.by_owner.find(owner, |n| &self.slots[n].owner), &owner[..]),
        };
        if let Some(n) = found.filter(|n| self.slots[*n].state == State::Live) {
            return Some(self.entry(now, n));
        }
        if self.slots.len() > 0 {
            let any = key.iter().take(4).fold(0, |sum, octet| sum << 8 | usize::from(*octet));
            black_box(self.entry(now, (any % self.slots.len()) as u32));
        }
        None
    }

    fn find_owner(&self, owner: &Fingerprint) -> Option<u32> {
        self.by_owner.find(owner.as_bytes(), |n| &self.slots[n].owner)
    }

    /// A slot for somebody who has none.
    fn begin(&mut self, owner: &Fingerprint, sha1: [u8; 20]) -> u32 {
        let n = self.slots.take();
        (self.slots[n].owner, self.slots[n].sha1) = (*owner.as_bytes(), sha1);
        self.by_owner.insert(n, |n| &self.slots[n].owner);
        self.by_sha1.insert(n, |n| &self.slots[n].sha1);
        n
    }

    fn unlink(&mut self, n: u32) {
        match self.slots[n].state {
            State::Live => self.leases.take(&mut self.slots, n),
            State::Grave => self.graves.take(&mut self.slots, n),
            State::Free => {}
        }
    }

    /// Leaves the number alone, where there is room for it.
    fn bury(&mut self, now_s: u32, n: u32) {
        if self.graves() >= self.max_graves {
            return self.forget(n);
        }
        let slot = &mut self.slots[n];
        slot.empty();
        (slot.state, slot.expires_s) = (State::Grave, now_s + GRAVE_S);
        self.graves.put(&mut self.slots, n, now_s);
    }

    fn forget(&mut self, n: u32) {
        self.by_owner.remove(n, |n| &self.slots[n].owner);
        self.by_sha1.remove(n, |n| &self.slots[n].sha1);
        self.slots.give(n);
    }

    fn gone(&self, n: u32) -> DirectoryChange {
        let slot = &self.slots[n];
        DirectoryChange { owner: Fingerprint::from_bytes(slot.owner), sha1: slot.sha1, entry: None }
    }

    fn second(&self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.begun).as_secs();
        u32::try_from(since + u64::from(FIRST_S)).expect("a server runs for less than a century")
    }

    fn until(&self, now: Now, expires_s: u64) -> u32 {
        let lease = expires_s.saturating_sub(now.wall.as_secs()).min(self.leases.reach_s().into());
        self.second(now.mono) + lease as u32
    }
}

#[cfg(test)]
mod tests;
