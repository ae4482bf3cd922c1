//! What need not be said: what the asker knows, what we said ourselves, and what may yet be known.
//! RFC 6762 §7.
//!
//! Never decides what is true; it only saves datagrams.

use super::announce::OwnSet;
use super::parse::Query;
use super::records::{Data, Record};
use super::respond::Asker;
use crate::rng::Rng;
use crate::table::Table;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// After a truncated query its further known answers are awaited for so long. RFC 6762 §7.2.
const HOLD_MIN: Duration = Duration::from_millis(400);
const HOLD_MAX: Duration = Duration::from_millis(500);
/// Askers whose truncated queries are held at a time. A further one is answered at once.
const MAX_HELD: usize = 16;
/// Known answers that are heeded of one asker. Further ones are answered though known.
const MAX_KNOWN: usize = 2048;
/// Datagrams of ours whose echo is awaited. The oldest are forgotten first.
const MAX_ECHOES: usize = 64;
/// The kernel loops a multicast back at once. What comes later is somebody else's.
const ECHO_TIME: Duration = Duration::from_secs(1);

/// Whether the asker knows all of a set, for at least half of its time. RFC 6762 §7.1.
pub(super) fn is_known(set: &OwnSet, known: &[Record]) -> bool {
    let knows = |data: &Data| {
        known.iter().any(|k| k.name == set.name && k.data == *data && k.ttl.0 >= set.ttl().0.div_ceil(2))
    };
    set.data.iter().all(knows)
}

/// Truncated queries whose known answers are not yet complete.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<Holding>);

#[derive(Debug)]
struct Holding {
    from: SocketAddr,
    asker: Asker,
    query: Query,
    /// Counted from the first datagram, so that no stream of fragments holds it for ever.
    until: Instant,
}

impl Held {
    /// Takes a query, and returns one that is complete.
    pub(super) fn on_query(
        &mut self,
        now: Instant,
        from: SocketAddr,
        asker: Asker,
        mut query: Query,
        rng: &mut Rng,
    ) -> Option<Query> {
        if let Some(at) = self.0.iter().position(|held| held.from == from) {
            if query.questions.is_empty() {
                let held = &mut self.0[at];
                let room = MAX_KNOWN.saturating_sub(held.query.known.len());
                held.query.known.extend(query.known.into_iter().take(room));
                return (!query.truncated).then(|| self.0.swap_remove(at).query);
            }
            // It asks again: one answer serves both, and is not held again, lest it be held for ever.
            let mut held = self.0.swap_remove(at).query;
            query.questions.append(&mut held.questions);
            query.known.append(&mut held.known);
            return Some(query);
        }
        if !query.truncated || self.0.len() >= MAX_HELD {
            return Some(query);
        }
        query.known.truncate(MAX_KNOWN);
        self.0.push(Holding { from, asker, query, until: now + rng.between(HOLD_MIN, HOLD_MAX) });
        None
    }

    /// A query whose time is over, complete or not.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(SocketAddr, Asker, Query)> {
        let at = self.0.iter().position(|held| held.until <= now)?;
        let held = self.0.swap_remove(at);
        Some((held.from, held.asker, held.query))
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.0.iter().map(|held| held.until).min()
    }

    /// How full its tables are.
    pub(super) fn tables(&self) -> [Table; 2] {
        let known = self.0.iter().map(|held| held.query.known.len());
        [
            Table::new("mdns: truncated queries held", self.0.len(), MAX_HELD),
            Table::fullest("mdns: known answers of a held query", known, MAX_KNOWN),
        ]
    }
}

/// Our own multicasts, which come back to us.
///
/// On loopback another node has our address too: only the same octets, once for each time that they were
/// sent, are an echo.
#[derive(Debug, Default)]
pub(super) struct Echoes(VecDeque<(Instant, u64)>);

impl Echoes {
    pub(super) fn on_sent(&mut self, now: Instant, datagram: &[u8]) {
        if self.0.len() == MAX_ECHOES {
            self.0.pop_front();
        }
        self.0.push_back((now, digest(datagram)));
    }

    /// Whether a datagram from an own address is an echo.
    pub(super) fn take(&mut self, now: Instant, datagram: &[u8]) -> bool {
        while self.0.front().is_some_and(|(sent, _)| now > *sent + ECHO_TIME) {
            self.0.pop_front();
        }
        let digest = digest(datagram);
        let at = self.0.iter().position(|(_, sent)| *sent == digest);
        at.is_some_and(|at| self.0.remove(at).is_some())
    }

    /// How full it is.
    pub(super) fn table(&self) -> Table {
        Table::new("mdns: echoes awaited", self.0.len(), MAX_ECHOES)
    }
}

fn digest(datagram: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    datagram.hash(&mut hasher);
    hasher.finish()
}
