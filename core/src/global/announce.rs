//! What this node says of itself: when there is something new, under which number, and for whom.
//!
//! A number is stored before it is used, so that none is ever used for two records. Never sends anything: see
//! `global/contact.rs`.

use super::allowance::Allowance;
use super::clock;
use super::seal;
use crate::config::Announce;
use crate::id::{Fingerprint, PublicKey};
use crate::identity::Signer;
use crate::io::UnixTime;
use crate::rng::Rng;
use crate::store::PairSecret;
use crate::wire::record::{Body, Payload, Plain};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What changes is announced after so long, together with what changes meanwhile.
pub(super) const DEBOUNCE: Duration = Duration::from_secs(2);
/// Until when a record is meant, from when it was made.
pub(super) const VALID: Duration = Duration::from_secs(24 * 3600);
/// A record is made anew when it is so old, though nothing changed.
pub(super) const RENEW: Duration = Duration::from_secs(12 * 3600);
/// How long after the store failed it is asked again.
const RETRY: Duration = Duration::from_secs(10);
/// New records: so many in a burst, and one each so often. Below what a server takes of one node.
pub(super) const BURST: u32 = 8;
pub(super) const EACH: Duration = Duration::from_secs(30);
/// A server may hold a number of ours that we forgot, but none above this: half of all numbers are left.
const MAX_HELD: u64 = u64::MAX / 2;

/// What a record is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) addresses: Vec<SocketAddr>,
    /// Of those who may read it, where not everybody may.
    pub(super) secrets: Vec<PairSecret>,
}

/// The record that is announced.
pub(super) struct Record {
    pub(super) seq: u64,
    pub(super) bytes: Bytes,
    pub(super) content: Content,
    made_at: Instant,
    /// By how much the clock that dated it was ahead of this device's.
    ahead_s: i64,
}

enum Phase {
    /// The last number that was used is not known yet.
    Unknown,
    Idle,
    /// The number is on its way into the store.
    Storing(u64),
    /// The store failed.
    Failed {
        retry_at: Instant,
    },
}

/// What is announced, and what will be.
pub(super) struct Announcer {
    signer: Signer,
    own: PublicKey,
    own_print: Fingerprint,
    announce: Announce,
    /// The highest number that was ever used, or that a server holds.
    last: u64,
    phase: Phase,
    /// What is to be told. `None`: nothing.
    content: Option<Content>,
    /// When a record is made of it, where it is not told yet.
    due: Option<Instant>,
    record: Option<Record>,
    allowance: Allowance,
}

impl Announcer {
    pub(super) fn new(now: Instant, own: PublicKey, signer: Signer, announce: Announce) -> Self {
        Self {
            signer,
            own,
            own_print: own.fingerprint(),
            announce,
            last: 0,
            phase: Phase::Unknown,
            content: None,
            due: None,
            record: None,
            allowance: Allowance::new(now, BURST, EACH),
        }
    }

    /// What is announced, if anything.
    pub(super) fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Whether nothing is to be announced.
    pub(super) fn is_silent(&self) -> bool {
        self.content.is_none()
    }

    /// The store has loaded: this is the last number that was stored, or 0.
    pub(super) fn handle_loaded(&mut self, last: u64) {
        self.last = self.last.max(last);
        if matches!(self.phase, Phase::Unknown) {
            self.phase = Phase::Idle;
        }
    }

    pub(super) fn handle_store_failed(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Storing(_)) {
            self.phase = Phase::Failed { retry_at: now + RETRY };
        }
    }

    /// The number is stored: it may be used. `false` where nothing is to be told any more.
    pub(super) fn handle_stored(
        &mut self,
        now: Instant,
        wall: UnixTime,
        ahead_s: i64,
        rng: &mut Rng,
    ) -> bool {
        let Phase::Storing(seq) = self.phase else { return false };
        self.phase = Phase::Idle;
        let Some(content) = self.content.clone() else { return false };
        let (entries, payload) = match self.announce {
            Announce::Plain => (Vec::new(), Payload::Plain(Plain { addresses: content.addresses.clone() })),
            Announce::Sealed | Announce::Nothing => {
                let (entries, sealed) =
                    seal::seal(&content.addresses, &content.secrets, &self.own_print, rng);
                (entries, Payload::Sealed(sealed))
            }
        };
        let issued_s = clock::shifted(wall, ahead_s).as_secs();
        let not_after_s = issued_s.saturating_add(VALID.as_secs());
        let body = Body { owner: self.own, seq, issued_s, not_after_s, entries, payload };
        let bytes = body.sign(&self.signer);
        self.record = Some(Record { seq, bytes, content, made_at: now, ahead_s });
        self.due = None;
        true
    }

    /// A server holds a record of ours with this number. Returns whether another can be made above it.
    pub(super) fn handle_held(&mut self, held: u64) -> bool {
        if held > MAX_HELD {
            return false;
        }
        self.last = self.last.max(held);
        // What is told must be told anew, under a higher number.
        if self.record.as_ref().is_some_and(|record| record.seq <= held) {
            self.record = None;
        }
        true
    }

    /// What is to be told from now on. Who shall no longer read it is kept out at once; addresses have a moment to
    /// settle.
    pub(super) fn tell(&mut self, now: Instant, content: Option<Content>) {
        let content = content.filter(|_| self.announce != Announce::Nothing);
        let Some(new) = &content else {
            (self.content, self.record, self.due) = (None, None, None);
            return;
        };
        if self.content.as_ref() != Some(new) {
            let readers = |old: &Content| old.secrets == new.secrets;
            let settles = self.content.as_ref().is_some_and(readers);
            let at = if settles { now + DEBOUNCE } else { now };
            self.due = Some(self.due.map_or(at, |due| due.min(at)));
            self.content = content;
        }
    }

    /// The number to store next, if one is due. `ahead_s` is by how much the clock that dates records is ahead of
    /// `wall`.
    pub(super) fn poll(&mut self, now: Instant, wall: UnixTime, ahead_s: i64) -> Option<u64> {
        if let Phase::Failed { retry_at } = self.phase
            && retry_at <= now
        {
            self.phase = Phase::Idle;
        }
        let content = self.content.as_ref()?;
        if !matches!(self.phase, Phase::Idle) {
            return None;
        }
        match &self.record {
            Some(record) if record.content == *content && !record.is_outworn(now, ahead_s) => {
                // What changed has changed back.
                self.due = None;
                return None;
            }
            Some(_) | None => {}
        }
        let due = *self.due.get_or_insert(now);
        if due > now {
            return None;
        }
        if let Err(next) = self.allowance.take(now) {
            self.due = Some(next);
            return None;
        }
        let seq = clock::shifted(wall, ahead_s).as_micros().max(self.last.saturating_add(1));
        self.last = seq;
        self.phase = Phase::Storing(seq);
        Some(seq)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Unknown | Phase::Storing(_) => None,
            Phase::Failed { retry_at } => Some(retry_at),
            Phase::Idle => {
                let renewed = self.record.as_ref().map(|record| record.made_at + RENEW);
                self.due.into_iter().chain(renewed).min()
            }
        }
    }
}

impl Record {
    fn is_outworn(&self, now: Instant, ahead_s: i64) -> bool {
        now >= self.made_at + RENEW || clock::differ(self.ahead_s, ahead_s)
    }
}
