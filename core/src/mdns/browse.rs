//! The questions that one link asks, and when. RFC 6762 §5.2, §5.4, §7.3.
//!
//! Holds a series for each question that somebody here waits for. Never knows the answers: the link says
//! when a question is answered.

use super::name::Name;
use super::records::{Question, Type, Want};
use crate::rng::Rng;
use crate::table::Table;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The first question of a series waits for so long, lest all ask at once. RFC 6762 §5.2.
const FIRST_DELAY_MIN: Duration = Duration::from_millis(20);
const FIRST_DELAY_MAX: Duration = Duration::from_millis(120);
/// The second question follows after this; each further gap is at least twice the last. RFC 6762 §5.2.
const GAP_MIN: Duration = Duration::from_secs(1);
const GAP_MAX: Duration = Duration::from_secs(60 * 60);
/// Each gap is longer by a chance part of itself, at most this one: of all those who heard the same question
/// and wait equally long from there, one comes first, and asks for all.
const GAP_SPREAD: u32 = 4;
/// Questions go out at most once in this time on the average, lest a stranger who names peers without end make
/// us multicast as often as he does: what comes due meanwhile goes out together.
const TURN_EVERY: Duration = Duration::from_millis(100);
/// So much may be asked ahead of that, so that a few questions of our own never wait.
const TURNS_AHEAD: Duration = Duration::from_millis(500);
/// So many questions that nobody wants any more are remembered for their second; then the oldest is forgotten.
const MAX_GIVEN_UP: usize = 64;
/// A unicast reply is believed for so long after we asked for one. RFC 6762 §6.
const UNICAST_WINDOW: Duration = Duration::from_secs(2);

/// What others ask counts as asked by us from so long after our last question on. Less than [`GAP_MIN`], since
/// those who began together repeat together: the first of them speaks for all.
const FOREIGN_AFTER: Duration = Duration::from_millis(500);

/// Doubtful records are asked for so often: twice at least. RFC 6762 §10.4.
const RECONFIRM: Patience = Patience::Tries(3);

/// How long a series goes on without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until it is answered or nobody wants it.
    Endless,
    /// So many questions.
    Tries(u8),
}

/// Whether replies by unicast reach this socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direct {
    Reach,
    /// Several share the port at one address, and the kernel picks one. RFC 6762 §15.1.
    MayMiss,
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
enum Next {
    First { at: Instant },
    Repeat { at: Instant, gap: Duration },
    Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Series {
    next: Next,
    patience: Patience,
    asked: Option<Instant>,
    /// A known answer wants refreshing at this time.
    refresh: Option<Instant>,
}

impl Series {
    fn due(&self) -> Option<Instant> {
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
    fn begin(&mut self, at: Instant) {
        let at = self.asked.map_or(at, |asked| at.max(asked + GAP_MIN));
        self.next = Next::First { at };
    }

    /// Asked, by us or on our behalf.
    fn on_asked(&mut self, now: Instant, rng: &mut Rng) {
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

/// A series as it was before somebody else asked in our place.
#[derive(Debug)]
pub(super) struct Spared {
    pub(super) name: Name,
    pub(super) kind: Type,
    before: Series,
    after: Series,
}

/// The questions of one link.
#[derive(Debug)]
pub(super) struct Queries {
    series: BTreeMap<(Name, Type), Series>,
    /// Questions that nobody wants any more, and when each was asked: one that is wanted again waits its
    /// second.
    given_up: VecDeque<(Instant, Name, Type)>,
    direct: Direct,
    asked_direct: Option<Instant>,
    /// Until when the turns that were taken last, at [`TURN_EVERY`].
    spent: Option<Instant>,
}

impl Queries {
    pub(super) fn new(direct: Direct) -> Self {
        let (series, given_up) = (BTreeMap::new(), VecDeque::new());
        Self { series, given_up, direct, asked_direct: None, spent: None }
    }

    /// Asks until answered; goes on as before if it is asked already.
    pub(super) fn want(&mut self, now: Instant, name: &Name, kind: Type, patience: Patience, rng: &mut Rng) {
        let first = now + rng.between(FIRST_DELAY_MIN, FIRST_DELAY_MAX);
        let given_up = &self.given_up;
        let series = self.series.entry((name.clone(), kind)).or_insert_with(|| {
            let given_up = given_up.iter().rev().find(|(_, n, k)| (n, *k) == (name, kind));
            let asked = given_up.map(|(asked, ..)| *asked);
            Series { next: Next::Answered, patience, asked, refresh: None }
        });
        if series.next == Next::Answered {
            series.begin(first);
        }
        if patience == Patience::Endless {
            series.patience = patience;
        }
    }

    /// Somebody wants the answer, and it is here: only to be asked when it wants refreshing. RFC 6762 §5.2.
    pub(super) fn on_answered(&mut self, name: &Name, kind: Type) {
        if let Some(series) = self.series.get_mut(&(name.clone(), kind)) {
            series.next = Next::Answered;
        }
    }

    /// What only one may answer was answered again: the series is over. RFC 6762 §5.2.
    pub(super) fn on_confirmed(&mut self, name: &Name, kind: Type) {
        match self.series.get(&(name.clone(), kind)).map(|series| series.patience) {
            Some(Patience::Endless) => self.on_answered(name, kind),
            Some(Patience::Tries(_)) => self.drop(name, kind),
            None => {}
        }
    }

    /// Nobody wants the answer any more.
    pub(super) fn drop(&mut self, name: &Name, kind: Type) {
        let given_up = self.series.remove(&(name.clone(), kind)).and_then(|series| series.asked);
        if let Some(asked) = given_up {
            self.remember((asked, name.clone(), kind));
        }
    }

    fn remember(&mut self, given_up: (Instant, Name, Type)) {
        if self.given_up.len() == MAX_GIVEN_UP {
            self.given_up.pop_front();
        }
        self.given_up.push_back(given_up);
    }

    /// How many questions are remembered that nobody wants any more.
    pub(super) fn given_up(&self) -> Table {
        Table::new("mdns: questions given up", self.given_up.len(), MAX_GIVEN_UP)
    }

    /// Whether the question is in a series that was not given up.
    pub(super) fn is_asking(&self, name: &Name, kind: Type) -> bool {
        self.series.contains_key(&(name.clone(), kind))
    }

    /// So many series are there.
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// A known answer wants refreshing: at once, unless it was asked for within the last second. That question
    /// did not list it as known, for it is past half of its time: its answer is on its way. RFC 6762 §5.2.
    pub(super) fn refresh(&mut self, now: Instant, name: &Name, kind: Type) {
        let series = self.series.entry((name.clone(), kind)).or_insert(Series {
            next: Next::Answered,
            patience: Patience::Endless,
            asked: None,
            refresh: None,
        });
        if series.asked.is_none_or(|asked| now >= asked + GAP_MIN) {
            series.refresh = Some(now);
        }
    }

    /// Starts a series anew, or one that ends after a few questions if there is none.
    pub(super) fn ask_anew(&mut self, now: Instant, name: &Name, kind: Type, rng: &mut Rng) {
        self.want(now, name, kind, RECONFIRM, rng);
        if let Some(series) = self.series.get_mut(&(name.clone(), kind))
            && !matches!(series.next, Next::First { .. })
        {
            series.begin(now + rng.between(FIRST_DELAY_MIN, FIRST_DELAY_MAX));
        }
    }

    /// Starts every series anew: after a wake, or on a link that came back.
    pub(super) fn restart(&mut self, now: Instant, rng: &mut Rng) {
        for series in self.series.values_mut() {
            series.begin(now + rng.between(FIRST_DELAY_MIN, FIRST_DELAY_MAX));
        }
    }

    /// Somebody else multicast the same question, and knows nothing that we don't: the answers come to us as
    /// well. RFC 6762 §7.3. Where it counts as asked by us, returns what [takes that back](Self::take_back).
    ///
    /// Our first question of a series is always asked: whoever asks does not answer himself.
    pub(super) fn on_foreign(
        &mut self,
        now: Instant,
        name: &Name,
        kind: Type,
        rng: &mut Rng,
    ) -> Option<Spared> {
        let series = self.series.get_mut(&(name.clone(), kind))?;
        let is_first = matches!(series.next, Next::First { .. });
        if is_first || series.asked.is_some_and(|asked| now < asked + FOREIGN_AFTER) {
            return None;
        }
        let before = *series;
        series.on_asked(now, rng);
        Some(Spared { name: name.clone(), kind, before, after: *series })
    }

    /// He knows something that we don't, as it turns out: we ask for ourselves.
    pub(super) fn take_back(&mut self, now: Instant, spared: Spared, rng: &mut Rng) {
        let Some(series) = self.series.get_mut(&(spared.name, spared.kind)) else { return };
        // What happened to it since then counts.
        if *series == spared.after {
            *series = spared.before;
            if let Next::Repeat { at, gap } = series.next {
                // All who heard him may be late by now.
                let soon = now + rng.between(FIRST_DELAY_MIN, FIRST_DELAY_MAX);
                series.next = Next::Repeat { at: at.max(soon), gap };
            }
        }
    }

    /// The questions that are due. The first of a series ask for replies by unicast. RFC 6762 §5.4.
    pub(super) fn take_due(&mut self, now: Instant, rng: &mut Rng) -> Vec<Question> {
        let mut questions = Vec::new();
        if self.spent.is_some_and(|spent| now + TURNS_AHEAD < spent) {
            return questions;
        }
        for ((name, kind), series) in &mut self.series {
            if series.due().is_none_or(|at| at > now) {
                continue;
            }
            let is_first = matches!(series.next, Next::First { .. });
            let want = match self.direct {
                Direct::Reach if is_first => Want::Unicast,
                Direct::Reach | Direct::MayMiss => Want::Multicast,
            };
            if want == Want::Unicast {
                self.asked_direct = Some(now);
            }
            series.on_asked(now, rng);
            questions.push(Question { name: name.clone(), kind: *kind, want });
        }
        let over = |_: &_, series: &mut Series| series.patience == Patience::Tries(0);
        for (name, kind) in self.series.extract_if(.., over).map(|(key, _)| key).collect::<Vec<_>>() {
            self.remember((now, name, kind));
        }
        if !questions.is_empty() {
            self.spent = Some(self.spent.map_or(now, |spent| spent.max(now)) + TURN_EVERY);
        }
        questions
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        let due = self.series.values().filter_map(Series::due).min()?;
        let free = self.spent.and_then(|spent| spent.checked_sub(TURNS_AHEAD));
        Some(free.map_or(due, |free| due.max(free)))
    }

    /// Whether a unicast reply may be believed. RFC 6762 §6.
    pub(super) fn expects_direct(&self, now: Instant) -> bool {
        self.asked_direct.is_some_and(|at| now <= at + UNICAST_WINDOW)
    }
}
