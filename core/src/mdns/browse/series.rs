//! One question that is asked until it is answered, and what it waits for. RFC 6762 §5.2.

use crate::rng::Rng;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The second question follows after this; each further gap is at least twice the last. RFC 6762 §5.2.
pub(super) const GAP_MIN: Duration = Duration::from_secs(1);
const GAP_MAX: Duration = Duration::from_secs(60 * 60);
/// Each gap is longer by a chance part of itself, at most this one: of all those who heard the same question
/// and wait equally long from there, one comes first, and asks for all.
const GAP_SPREAD: u32 = 4;
/// So often is asked what nobody here waits for. Doubtful records want two questions at least. RFC 6762 §10.4.
const TRIES: u8 = 3;

/// Why something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mdns) enum Purpose {
    /// What is known is in doubt.
    Doubt,
    /// Somebody at this address announced in part what may be of use.
    FollowUp(IpAddr),
    /// Somebody here waits for the answer.
    Wanted,
}

/// How long a series goes on without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until it is answered or nobody wants it.
    Endless,
    /// So many questions.
    Tries(u8),
}

impl Purpose {
    pub(super) fn patience(self) -> Patience {
        match self {
            Self::Doubt | Self::FollowUp(_) => Patience::Tries(TRIES),
            Self::Wanted => Patience::Endless,
        }
    }
}

/// ```text
///   wanted              first asked                    asked: gap doubles
///   ──────► First ─────────────────────► Repeat ─────────────────────────► Repeat …
///             │                            │ answered                (Tries: dropped)
///             └──────────► Answered ◄──────┘
///                            ▲  │ 80 % of the answer's time: asked once
///                            └──┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    First { at: Instant },
    Repeat { at: Instant, gap: Duration },
    Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) next: Next,
    pub(super) purpose: Purpose,
    pub(super) patience: Patience,
    pub(super) asked: Option<Instant>,
    /// A known answer wants refreshing at this time.
    pub(super) refresh: Option<Instant>,
}

impl Series {
    pub(super) fn due(&self) -> Option<Instant> {
        let next = match self.next {
            Next::First { at } | Next::Repeat { at, .. } => Some(at),
            Next::Answered => None,
        };
        match (next, self.refresh) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Begins anew, as long as RFC 6762 §5.2 wants after the last question.
    pub(super) fn begin(&mut self, at: Instant) {
        let at = self.asked.map_or(at, |asked| at.max(asked + GAP_MIN));
        self.next = Next::First { at };
    }

    /// Asked, by us or on our behalf.
    pub(super) fn on_asked(&mut self, now: Instant, rng: &mut Rng) {
        self.asked = Some(now);
        self.refresh = None;
        if let Patience::Tries(left) = &mut self.patience {
            *left = left.saturating_sub(1);
        }
        let gap = match self.next {
            Next::First { .. } => GAP_MIN,
            Next::Repeat { gap, at } if at <= now + GAP_MIN.max(gap / 2) => (gap * 2).min(GAP_MAX),
            // Too early to be the repetition: a refresh, or the question of somebody who just came.
            Next::Repeat { .. } | Next::Answered => return,
        };
        let gap = gap + rng.between(Duration::ZERO, gap / GAP_SPREAD);
        self.next = Next::Repeat { at: now + gap, gap };
    }
}
