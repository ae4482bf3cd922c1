//! The names that one link probes for. RFC 6762 §8.1, §8.2.
//!
//! Says when a probe is due and when a name is ours. Never reads the cache, and never judges an answer: the link
//! says what somebody else claims.

use super::MAX_NAMES;
use super::direct::{Direct, DirectReplies};
use super::name::Name;
use super::records::Want;
use crate::rng::Rng;
use crate::table::Table;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The first probe waits for so long at most, lest all that were switched on together probe together. RFC 6762
/// §8.1.
const FIRST_DELAY_MAX: Duration = Duration::from_millis(250);
/// Between two probes, and from the last one to the verdict. RFC 6762 §8.1.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// Probes for a name. RFC 6762 §8.1.
const PROBES: u8 = 3;

/// Where the claim to a name stands on a link. A name that is in no table is either ours or not wanted.
///
/// ```text
///          the delay is over: 1st probe               250 ms: 2nd, 3rd probe
///   begin ──► Waiting ─────────────────────► Probing ──────────────────────┐
///                ▲                            │ │ │  ▲                     │
///                │ simultaneous probe is      │ │ │  └─────────────────────┘
///                │ later than ours: 1 s       │ │ │
///                └────────────────────────────┘ │ └──► won: 250 ms after the 3rd probe
///                                               └────► lost: a response has the name
/// ```
///
/// What anybody says while it is `Waiting` counts for nothing: it may be a stale packet. RFC 6762 §8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Waiting(Waiting),
    Probing(Probing),
}

/// Nothing was asked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    first_at: Instant,
}

/// One probe at least went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probing {
    sent: u8,
    /// When the next probe is due; after the last one, the verdict.
    next_at: Instant,
}

impl Waiting {
    fn on_sent(self, now: Instant) -> Probing {
        Probing { sent: 1, next_at: now + PROBE_INTERVAL }
    }
}

impl Probing {
    fn on_sent(self, now: Instant) -> Self {
        Self { sent: self.sent + 1, next_at: now + PROBE_INTERVAL }
    }

    fn on_defeat(self, until: Instant) -> Waiting {
        Waiting { first_at: until }
    }

    fn is_over(self) -> bool {
        self.sent >= PROBES
    }
}

impl Probe {
    fn next_at(&self) -> Instant {
        match self {
            Self::Waiting(Waiting { first_at: at }) | Self::Probing(Probing { next_at: at, .. }) => *at,
        }
    }

    /// Whether a probe is due.
    fn is_due(&self, now: Instant) -> bool {
        let is_verdict = matches!(self, Self::Probing(probing) if probing.is_over());
        self.next_at() <= now && !is_verdict
    }

    fn is_won(&self, now: Instant) -> bool {
        matches!(self, Self::Probing(probing) if probing.is_over() && probing.next_at <= now)
    }

    fn on_sent(self, now: Instant) -> Self {
        Self::Probing(match self {
            Self::Waiting(waiting) => waiting.on_sent(now),
            Self::Probing(probing) => probing.on_sent(now),
        })
    }
}

/// The names that are being probed for.
#[derive(Debug)]
pub(super) struct Probes {
    probes: BTreeMap<Name, Probe>,
    direct: DirectReplies,
}

impl Probes {
    pub(super) fn new(direct: Direct) -> Self {
        Self { probes: BTreeMap::new(), direct: DirectReplies::new(direct) }
    }

    /// Begins anew with a name, not before `earliest`. Names that begin at about the same time go out together.
    pub(super) fn begin(&mut self, now: Instant, name: &Name, earliest: Option<Instant>, rng: &mut Rng) {
        let from = earliest.map_or(now, |earliest| earliest.max(now));
        let waiting = self.probes.values().find_map(|probe| match probe {
            Probe::Waiting(Waiting { first_at }) => {
                Some(*first_at).filter(|at| (from..=from + FIRST_DELAY_MAX).contains(at))
            }
            Probe::Probing(_) => None,
        });
        let first_at = waiting.unwrap_or_else(|| from + rng.between(Duration::ZERO, FIRST_DELAY_MAX));
        self.probes.insert(name.clone(), Probe::Waiting(Waiting { first_at }));
    }

    /// Gives up the names that nobody wants any more.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(&Name) -> bool) {
        self.probes.retain(|name, _| is_wanted(name));
    }

    /// Whether a name is being probed for, or is going to be.
    pub(super) fn contains(&self, name: &Name) -> bool {
        self.probes.contains_key(name)
    }

    /// Whether a probe for a name went out, so that what others say of it counts.
    pub(super) fn is_live(&self, name: &Name) -> bool {
        matches!(self.probes.get(name), Some(Probe::Probing(_)))
    }

    /// Somebody who probes at the same time goes first. RFC 6762 §8.2.
    pub(super) fn on_defeat(&mut self, name: &Name, until: Instant) {
        if let Some(probe) = self.probes.get_mut(name)
            && let Probe::Probing(probing) = *probe
        {
            *probe = Probe::Waiting(probing.on_defeat(until));
        }
    }

    /// The names that nobody else has.
    pub(super) fn take_won(&mut self, now: Instant) -> Vec<Name> {
        self.probes.extract_if(.., |_, probe| probe.is_won(now)).map(|(name, _)| name).collect()
    }

    /// The names for which a probe goes out at this moment.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Name> {
        let due = self.probes.iter_mut().filter(|(_, probe)| probe.is_due(now));
        let names: Vec<Name> = due
            .map(|(name, probe)| {
                *probe = probe.on_sent(now);
                name.clone()
            })
            .collect();
        if !names.is_empty() {
            self.direct.on_asked(now);
        }
        names
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.probes.values().map(Probe::next_at).min()
    }

    /// Where those who defend their names shall answer. RFC 6762 §8.1, §15.1.
    pub(super) fn want(&self) -> Want {
        self.direct.want()
    }

    /// Whether a unicast reply may be believed. RFC 6762 §6.
    pub(super) fn expects_direct(&self, now: Instant) -> bool {
        self.direct.expects(now)
    }

    /// How full it is.
    pub(super) fn table(&self) -> Table {
        Table::new("mdns: names probed for", self.probes.len(), MAX_NAMES)
    }
}
