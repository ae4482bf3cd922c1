//! What the store is to remember of where paired peers are: written rarely, and as well as it goes.
//!
//! Holds nothing up, and never has to do with the records of pairing: what is lost here costs a search.

use super::{Event, Peers};
use crate::ask::{Ask, StoreToken};
use crate::id::{Fingerprint, PeerId, PublicKey};
use crate::store::{StoreChange, StoreReply, StoreRequest, Whereabouts};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// An entry of which nothing but the order or the times changed is written no more often than this. So is one
/// whose write failed.
const REWRITE: Duration = Duration::from_secs(600);

/// Marks the tokens of these questions among those of all others, which are counted from 1 and from 2⁶³.
const NOTES: u64 = 1 << 62;

/// What is to be written, and what is being written.
#[derive(Default)]
pub(super) struct Notes {
    /// Whether the store has said what it remembers.
    loaded: bool,
    /// Whose entry differs from what is stored, and from when on it may be written.
    dirty: BTreeMap<Fingerprint, Instant>,
    /// When each was written last.
    written: BTreeMap<Fingerprint, Instant>,
    /// The entries of the one write that is under way.
    writing: Option<Vec<Fingerprint>>,
    asked: u64,
}

/// What changed of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// An address or a name, or all of it.
    Content,
    /// The order, or when a connection stood.
    Order,
}

impl Notes {
    pub(super) fn next_at(&self) -> Option<Instant> {
        if self.writing.is_some() { None } else { self.dirty.values().min().copied() }
    }

    /// Entries that wait, and those of which it is known when they were written.
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.dirty.len(), self.written.len(), self.writing.as_ref().map_or(0, Vec::len)]
    }

    fn mark(&mut self, now: Instant, print: Fingerprint, news: News) {
        let at = match (news, self.written.get(&print)) {
            (News::Order, Some(written)) => now.max(*written + REWRITE),
            (News::Order, None) | (News::Content, _) => now,
        };
        let due = self.dirty.entry(print).or_insert(at);
        *due = at.min(*due);
    }
}

/// Whether a question to the store is about whereabouts.
pub(crate) fn is_note(token: &StoreToken) -> bool {
    token.0 & NOTES != 0
}

impl Peers {
    /// What the store remembers, once, after it told of the records of pairing. What it remembers of others than
    /// paired peers is deleted: their pairing ended just before a crash.
    pub(crate) fn load(&mut self, now: Instant, stored: Vec<Whereabouts>) {
        if std::mem::replace(&mut self.notes.loaded, true) {
            return;
        }
        for entry in stored.into_iter().take(super::MAX_NOTES) {
            self.notes.written.insert(entry.fingerprint, now);
            match self.book.key_named(&PeerId::Sha256(*entry.fingerprint.as_bytes())) {
                Some(key) => {
                    self.book.load(self.at(now), &key, key.peer_id(self.kind), entry);
                    self.hope(now, &key);
                }
                None => self.notes.mark(now, entry.fingerprint, News::Content),
            }
        }
        // What the application gave before is not stored yet.
        for key in self.known.keys().copied().collect::<Vec<_>>() {
            if !self.notes.written.contains_key(&key.fingerprint()) && !self.book.whereabouts(&key).is_empty()
            {
                self.note(now, &key, News::Content);
            }
        }
        self.write_notes(now);
    }

    /// The store has answered [`Event::Ask`].
    pub(crate) fn handle_noted(&mut self, now: Instant, token: &StoreToken, reply: &StoreReply) {
        if token.0 != NOTES | self.notes.asked {
            return;
        }
        let Some(writing) = self.notes.writing.take() else { return };
        for print in writing {
            self.notes.written.insert(print, now);
            if *reply != StoreReply::Written {
                tracing::debug!("where a peer is could not be stored");
                let due = self.notes.dirty.entry(print).or_insert(now + REWRITE);
                *due = (*due).max(now + REWRITE);
            } else if !self.is_print_paired(&print) && !self.notes.dirty.contains_key(&print) {
                self.notes.written.remove(&print);
            }
        }
        self.write_notes(now);
    }

    /// Something of a paired key's whereabouts changed.
    pub(super) fn note(&mut self, now: Instant, key: &PublicKey, news: News) {
        if self.notes.loaded && self.known.contains_key(key) {
            self.notes.mark(now, key.fingerprint(), news);
            self.write_notes(now);
        }
    }

    /// A key is paired no longer: nothing is remembered of it.
    pub(super) fn unnote(&mut self, now: Instant, key: &PublicKey) {
        self.book.part(key);
        let print = key.fingerprint();
        let is_stored = self.notes.written.contains_key(&print);
        if is_stored || self.notes.writing.iter().flatten().any(|writing| *writing == print) {
            self.notes.mark(now, print, News::Content);
        } else {
            self.notes.dirty.remove(&print);
        }
    }

    /// Writes what is due, in one write, unless one is under way.
    pub(super) fn write_notes(&mut self, now: Instant) {
        if self.notes.writing.is_some() || !self.notes.dirty.values().any(|due| *due <= now) {
            return;
        }
        let mut change = StoreChange::default();
        let dirty = std::mem::take(&mut self.notes.dirty);
        for print in dirty.keys() {
            let key = self.book.key_named(&PeerId::Sha256(*print.as_bytes()));
            match key.map(|key| self.book.whereabouts(&key)).filter(|entry| !entry.is_empty()) {
                Some(entry) => change.place.push(entry),
                None => change.unplace.push(*print),
            }
        }
        self.notes.writing = Some(dirty.into_keys().collect());
        self.notes.asked += 1;
        let token = StoreToken(NOTES | self.notes.asked);
        self.events.push_back(Event::Ask(Ask::Store(token, StoreRequest::Write(change))));
    }

    fn is_print_paired(&self, print: &Fingerprint) -> bool {
        self.book.key_named(&PeerId::Sha256(*print.as_bytes())).is_some()
    }
}

#[cfg(test)]
mod tests;
