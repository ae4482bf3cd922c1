//! One discovery server: whether it is connected, what it was asked, and when it is asked next.
//!
//! ```text
//!            needed                    connected              not needed
//!   Idle ──────────────► Dialling ──────────────────► Up ─────────────────► Leaving ──► Idle
//!     ▲   ┌─────────────►   │                          │                  withdrawn, or 3 s
//!     │   │ pause over      │ lost                     │ lost, or it misbehaved
//!     └── Waiting ◄─────────┴──────────────────────────┘
//!  not needed
//! ```
//!
//! Knows nothing of what is said: see `global/replies.rs`.

use super::allowance::Allowance;
use super::inbox::{Inbox, Kind};
use crate::config::DiscoveryServer;
use crate::event::{ServerFailure, ServerState};
use crate::id::{ConnId, Fingerprint};
use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a server may take to answer.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server that is left is waited for.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest pause after tries that failed.
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(300);
/// A connection that stood so long was a good one: what ends it is no failure of the server's.
const SETTLED: Duration = Duration::from_secs(60);
/// The longest that a server can make a node wait.
const MAX_HOLD: Duration = Duration::from_secs(3600);
/// Requests that one server is asked at a time: to say where this node is, where others are, and to be told of them.
pub(crate) const MAX_ASKED: usize = 3;
/// Whoever is missing is asked for again after so long, and then after ever longer.
pub(super) const MISS_FIRST: Duration = Duration::from_secs(60);
/// But never longer.
pub(super) const MISS_MAX: Duration = Duration::from_secs(3600);
/// Whoever was found is asked for again after so long: his announcement is then renewed.
const FOUND_AGAIN: Duration = Duration::from_secs(1800);
/// What a subscription may bring: so much at once, and then one each so often.
pub(super) const NEWS_BURST: u32 = 1024;
const NEWS_EACH: Duration = Duration::from_secs(1);

/// One of the servers of the configuration, by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerId(pub(super) usize);

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not needed.
    Idle,
    /// The last try, or connection, came to nothing.
    Waiting { until: Instant, pause: Duration, why: ServerFailure },
    /// An address is tried.
    Dialling { conn: Option<ConnId> },
    /// It is connected.
    Up { conn: ConnId, since: Instant },
    /// It is told that this node goes, and hung up on.
    Leaving { conn: ConnId, until: Instant },
}

/// What was asked.
#[derive(Debug)]
pub(super) enum What {
    /// To hold this number, announced in full or by its number alone.
    Announce(u64),
    /// To forget this number and those below.
    Withdraw,
    /// Where these are.
    Where(BTreeSet<Fingerprint>),
    /// To be told of those in [`Watch::live`].
    Watch,
}

/// A request, and what came of the reply.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) what: What,
    pub(super) inbox: Inbox,
    /// By when it is to be answered; a subscription never is.
    pub(super) until: Option<Instant>,
}

/// When to ask for somebody again.
#[derive(Clone, Copy, Debug)]
struct Miss {
    /// How often he was missing in a row.
    times: u32,
    at: Instant,
}

/// What the server was told of this node.
#[derive(Debug, Default)]
pub(super) struct Lease {
    /// The number that it may hold.
    pub(super) told: Option<u64>,
    /// The number that it said it holds, on this connection.
    pub(super) held: Option<u64>,
    /// When that is to be renewed.
    pub(super) renew_at: Option<Instant>,
    /// How often in a row it said that it holds a higher one.
    pub(super) stale: u32,
}

/// Whom the server is asked to tell of.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Of these the news come; and the request.
    pub(super) live: Option<(u64, BTreeSet<Fingerprint>)>,
    /// [`Seek::version`](super::seek::Seek::version) when they were chosen.
    pub(super) version: u64,
    /// Not before.
    pub(super) after: Option<Instant>,
    /// How often it ended by itself in a row.
    ended: u32,
}

/// One server.
pub(super) struct Contact {
    pub(super) server: DiscoveryServer,
    pub(super) stage: Stage,
    /// Tries that failed in a row.
    failures: u32,
    /// Addresses that were tried since the last pause.
    tried: usize,
    /// The address to try next.
    next: usize,
    /// Until then nothing is asked, and why.
    hold: Option<(Instant, Duration, ServerFailure)>,
    pub(super) lease: Lease,
    /// Where it sees this node.
    pub(super) observed: Option<SocketAddr>,
    /// By how much its clock is ahead of this device's, in seconds, where that was judged.
    pub(super) ahead_s: Option<i64>,
    /// How far the application was told that the clocks are apart.
    pub(super) clock_told: i64,
    pub(super) asked: BTreeMap<u64, Asked>,
    misses: BTreeMap<Fingerprint, Miss>,
    /// Who is asked for out of turn.
    urgent: BTreeSet<Fingerprint>,
    /// Of whom the application wants to hear what the server says.
    pub(super) wanted: BTreeSet<Fingerprint>,
    pub(super) watch: Watch,
    pub(super) news: Allowance,
    /// What the application was told.
    pub(super) told: ServerState,
}

impl Contact {
    pub(super) fn new(now: Instant, server: DiscoveryServer) -> Self {
        Self {
            server,
            stage: Stage::Idle,
            failures: 0,
            tried: 0,
            next: 0,
            hold: None,
            lease: Lease::default(),
            observed: None,
            ahead_s: None,
            clock_told: 0,
            asked: BTreeMap::new(),
            misses: BTreeMap::new(),
            urgent: BTreeSet::new(),
            wanted: BTreeSet::new(),
            watch: Watch::default(),
            news: Allowance::new(now, NEWS_BURST, NEWS_EACH),
            told: ServerState::Idle,
        }
    }

    /// The connection, whatever its stage.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match self.stage {
            Stage::Idle | Stage::Waiting { .. } => None,
            Stage::Dialling { conn } => conn,
            Stage::Up { conn, .. } | Stage::Leaving { conn, .. } => Some(conn),
        }
    }

    /// The next address to try; each once before a pause.
    pub(super) fn next_address(&mut self) -> Option<SocketAddr> {
        if self.tried >= self.server.addresses.len() {
            return None;
        }
        let address = self.server.addresses[self.next % self.server.addresses.len()];
        (self.tried, self.next) = (self.tried + 1, (self.next + 1) % self.server.addresses.len());
        Some(address)
    }

    pub(super) fn handle_up(&mut self, now: Instant, conn: ConnId) {
        self.stage = Stage::Up { conn, since: now };
        // The address that answered is tried first the next time.
        self.next = (self.next + self.server.addresses.len() - 1) % self.server.addresses.len();
        self.tried = 0;
    }

    /// Makes a pause, which grows with each failure in a row; half of it is by chance.
    pub(super) fn fail(&mut self, now: Instant, why: ServerFailure, rng: &mut Rng) {
        if let Stage::Up { since, .. } = self.stage
            && now >= since + SETTLED
        {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let most = Duration::from_secs(1 << self.failures.min(9)).min(MAX_PAUSE);
        let pause = rng.between(most / 2, most);
        self.reset();
        self.stage = Stage::Waiting { until: now + pause, pause, why };
    }

    /// Whatever was on the connection is over.
    pub(super) fn reset(&mut self) {
        self.stage = Stage::Idle;
        self.tried = 0;
        self.asked.clear();
        self.lease.held = None;
        self.watch = Watch::default();
    }

    /// There is reason to hope: the pause is over, and whoever is missing may be there.
    pub(super) fn hope(&mut self, now: Instant) {
        self.failures = 0;
        if let Stage::Waiting { until, .. } = &mut self.stage {
            *until = now;
        }
    }

    /// The server wants to be left alone for so long.
    pub(super) fn hold(&mut self, now: Instant, pause: Duration, why: ServerFailure, rng: &mut Rng) {
        let pause = pause.clamp(Duration::from_secs(1), MAX_HOLD);
        // All whom it said the same do not come back at once.
        let pause = rng.between(pause, pause + pause / 4);
        self.hold = Some((now + pause, pause, why));
    }

    /// Whether the server may be asked something.
    pub(super) fn may_ask(&mut self, now: Instant) -> bool {
        if self.hold.is_some_and(|(until, ..)| until <= now) {
            self.hold = None;
        }
        self.hold.is_none()
    }

    /// Whether a request of that kind is under way.
    pub(super) fn is_asked(&self, is_it: impl Fn(&What) -> bool) -> bool {
        self.asked.values().any(|asked| is_it(&asked.what))
    }

    /// Notes a request.
    pub(super) fn ask(&mut self, now: Instant, request: u64, what: What) {
        let (kind, until) = match what {
            What::Watch => (Kind::Each, None),
            What::Announce(_) | What::Withdraw | What::Where(_) => (Kind::Once, Some(now + REQUEST_TIMEOUT)),
        };
        self.asked.insert(request, Asked { what, inbox: Inbox::new(kind), until });
    }

    /// Whether somebody is to be asked for.
    pub(super) fn is_due(&self, now: Instant, print: &Fingerprint) -> bool {
        let is_time = || self.misses.get(print).is_none_or(|miss| miss.at <= now);
        self.urgent.contains(print) || (!self.watches(print) && is_time())
    }

    /// Somebody was missing: he is asked for again after a pause that grows, and not before the server says so.
    pub(super) fn missed(&mut self, now: Instant, print: Fingerprint, least: Duration, rng: &mut Rng) {
        let times = self.misses.get(&print).map_or(0, |miss| miss.times);
        // 60 s × 1.5 for each time.
        let most = MISS_FIRST.as_secs() * 3u64.pow(times.min(12)) / 2u64.pow(times.min(12));
        let pause = Duration::from_secs(most).min(MISS_MAX).max(least.min(MISS_MAX));
        let at = now + rng.between(pause - pause / 10, pause + pause / 10);
        self.misses.insert(print, Miss { times: times + 1, at });
        self.urgent.remove(&print);
    }

    /// Somebody was found.
    pub(super) fn met(&mut self, now: Instant, print: Fingerprint, rng: &mut Rng) {
        let at = now + rng.between(FOUND_AGAIN - FOUND_AGAIN / 10, FOUND_AGAIN + FOUND_AGAIN / 10);
        self.misses.insert(print, Miss { times: 0, at });
        self.urgent.remove(&print);
    }

    /// Somebody is asked for as soon as may be, though the server would tell of him by itself.
    pub(super) fn seek_now(&mut self, print: Fingerprint) {
        self.urgent.insert(print);
    }

    /// The same for the application, which waits for what the server says.
    pub(super) fn look_up(&mut self, now: Instant, print: Fingerprint) {
        self.seek_now(print);
        self.wanted.insert(print);
        self.hope(now);
    }

    /// Forgets those that are sought no longer.
    pub(super) fn retain(&mut self, is_sought: impl Fn(&Fingerprint) -> bool) {
        self.misses.retain(|print, _| is_sought(print));
        self.urgent.retain(&is_sought);
        self.wanted.retain(is_sought);
    }

    /// A subscription ended by itself, or was turned down: not again at once.
    pub(super) fn unwatched(&mut self, now: Instant, rng: &mut Rng) {
        self.watch.ended = self.watch.ended.saturating_add(1);
        let most = Duration::from_secs(15 << self.watch.ended.min(8)).min(MISS_MAX);
        self.watch.live = None;
        self.watch.after = Some(now + rng.between(most / 2, most));
    }

    /// Whether the server tells of somebody by itself.
    pub(super) fn watches(&self, print: &Fingerprint) -> bool {
        self.watch.live.as_ref().is_some_and(|(_, watched)| watched.contains(print))
    }

    /// Whether it did not answer in time.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.asked.values().any(|asked| asked.until.is_some_and(|until| until <= now))
    }

    /// When something is due that none of its connections brings.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let up = match self.stage {
            Stage::Idle | Stage::Dialling { .. } => return None,
            Stage::Waiting { until, .. } | Stage::Leaving { until, .. } => return Some(until),
            Stage::Up { .. } => self.asked.values().filter_map(|asked| asked.until).min(),
        };
        if let Some((until, ..)) = self.hold {
            return up.into_iter().chain([until]).min();
        }
        let unwatched = self.misses.iter().filter(|(print, _)| !self.watches(print));
        // Who is due and cannot be asked for yet is so once a reply has come.
        let missed = unwatched.map(|(_, miss)| miss.at).filter(|at| *at > now).min();
        let due = [self.lease.renew_at, self.watch.after, missed];
        up.into_iter().chain(due.into_iter().flatten().filter(|at| *at > now)).min()
    }

    /// How it stands, for the application.
    pub(super) fn state(&self) -> ServerState {
        match (self.stage, self.hold) {
            (Stage::Idle | Stage::Leaving { .. }, _) => ServerState::Idle,
            (Stage::Waiting { pause, why, .. }, _) => ServerState::Waiting { pause, why },
            (Stage::Dialling { .. }, _) => ServerState::Connecting,
            (Stage::Up { .. }, Some((_, pause, why))) => ServerState::Waiting { pause, why },
            (Stage::Up { .. }, None) if self.lease.held.is_some() => ServerState::Announced,
            (Stage::Up { .. }, None) => ServerState::Connected,
        }
    }

    /// How many are missing, how many are watched, the most bytes of an unfinished reply, and how many look-ups the
    /// application waits for.
    pub(super) fn sizes(&self) -> [usize; 4] {
        let watched = self.watch.live.as_ref().map_or(0, |(_, watched)| watched.len());
        let bytes = self.asked.values().map(|asked| asked.inbox.len()).max().unwrap_or(0);
        [self.misses.len(), watched, bytes, self.wanted.len()]
    }
}
