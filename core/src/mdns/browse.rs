//! The questions that one link asks, and when. RFC 6762 §5.2, §5.4, §7.3.
//!
//! Holds a series for each question that somebody here waits for. Never knows the answers: the link says
//! when a question is answered.

mod series;

pub(super) use self::series::Purpose;

use self::series::{GAP_MIN, Next, Patience, Series};
use super::direct::{Direct, DirectReplies};
use super::name::Name;
use super::records::{Question, Type, Want};
use crate::rng::Rng;
use crate::table::Table;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The first question of a series waits for so long, lest all ask at once. RFC 6762 §5.2.
const FIRST_DELAY_MIN: Duration = Duration::from_millis(20);
const FIRST_DELAY_MAX: Duration = Duration::from_millis(120);
/// Questions go out at most once in this time on the average, lest a stranger who names peers without end make
/// us multicast as often as he does: what comes due meanwhile goes out together.
const TURN_EVERY: Duration = Duration::from_millis(100);
/// So much may be asked ahead of that, so that a few questions of our own never wait.
const TURNS_AHEAD: Duration = Duration::from_millis(500);
/// So many questions that nobody wants any more are remembered for their second; then the oldest is forgotten.
const MAX_GIVEN_UP: usize = 64;

/// What others ask counts as asked by us from so long after our last question on. Less than [`GAP_MIN`], since
/// those who began together repeat together: the first of them speaks for all.
const FOREIGN_AFTER: Duration = Duration::from_millis(500);

/// So long after a link came up, or the machine woke, a question is one of the first there. RFC 6762 §5.4.
const FIRST_BATCH: Duration = Duration::from_secs(2);

/// Questions in series at a time for instances that nobody asked for by name. Further ones stay in part
/// until they are announced again.
pub(super) const MAX_FOLLOW_UPS: usize = 256;
/// The same where the cache is full: then the rest may be missing since it had to make way.
const MAX_FOLLOW_UPS_WHEN_FULL: usize = 32;
/// Of those, this part on the word of one source, as a divisor. One instance that is announced in part brings
/// four at most.
const SHARE_OF_A_SOURCE: usize = 4;

/// Whether what is asked for would have to push something else out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cached {
    Full,
    Loosely,
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
    direct: DirectReplies,
    /// Until when a question that begins is one of the first on the link.
    first_batch: Instant,
    /// Series that end, in all and by whose word they began.
    passing: usize,
    sources: BTreeMap<IpAddr, usize>,
    /// Until when the turns that were taken last, at [`TURN_EVERY`].
    spent: Option<Instant>,
}

impl Queries {
    /// The questions of a link that comes up now.
    pub(super) fn new(now: Instant, direct: Direct) -> Self {
        Self {
            series: BTreeMap::new(),
            given_up: VecDeque::new(),
            direct: DirectReplies::new(direct),
            first_batch: now + FIRST_BATCH,
            passing: 0,
            sources: BTreeMap::new(),
            spent: None,
        }
    }

    /// Whether there is room for a series about what is in doubt.
    pub(super) fn may_doubt(&self) -> bool {
        self.passing < MAX_FOLLOW_UPS
    }

    /// Whether there is room for a series about what `source` announced in part.
    pub(super) fn may_follow_up(&self, source: IpAddr, cached: Cached) -> bool {
        let max = match cached {
            Cached::Full => MAX_FOLLOW_UPS_WHEN_FULL,
            Cached::Loosely => MAX_FOLLOW_UPS,
        };
        let of_source = self.sources.get(&source).copied().unwrap_or(0);
        self.passing < max && of_source < max / SHARE_OF_A_SOURCE
    }

    /// Asks until answered; goes on as before if it is asked already.
    pub(super) fn want(&mut self, now: Instant, name: &Name, kind: Type, purpose: Purpose, rng: &mut Rng) {
        let first = now + rng.between(FIRST_DELAY_MIN, FIRST_DELAY_MAX);
        let key = (name.clone(), kind);
        let Some(series) = self.series.get_mut(&key) else {
            let given_up = self.given_up.iter().rev().find(|(_, n, k)| (n, *k) == (name, kind));
            let asked = given_up.map(|(asked, ..)| *asked);
            let (next, patience) = (Next::Answered, purpose.patience());
            let mut series = Series { next, purpose, patience, asked, refresh: None };
            series.begin(first);
            self.series.insert(key, series);
            self.count(purpose);
            return;
        };
        if series.next == Next::Answered {
            series.begin(first);
        }
        if purpose == Purpose::Wanted {
            let before = std::mem::replace(&mut series.purpose, purpose);
            series.patience = Patience::Endless;
            self.discount(before);
        }
    }

    fn count(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Doubt => self.passing += 1,
            Purpose::FollowUp(source) => {
                self.passing += 1;
                *self.sources.entry(source).or_default() += 1;
            }
            Purpose::Wanted => {}
        }
    }

    fn discount(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Doubt => self.passing -= 1,
            Purpose::FollowUp(source) => {
                self.passing -= 1;
                if let Some(asked) = self.sources.get_mut(&source) {
                    *asked -= 1;
                    if *asked == 0 {
                        self.sources.remove(&source);
                    }
                }
            }
            Purpose::Wanted => {}
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
        let Some(series) = self.series.remove(&(name.clone(), kind)) else { return };
        self.discount(series.purpose);
        if let Some(asked) = series.asked {
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
            purpose: Purpose::Wanted,
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
        self.want(now, name, kind, Purpose::Doubt, rng);
        if let Some(series) = self.series.get_mut(&(name.clone(), kind))
            && !matches!(series.next, Next::First { .. })
        {
            series.begin(now + rng.between(FIRST_DELAY_MIN, FIRST_DELAY_MAX));
        }
    }

    /// Starts every series anew: after a wake, or on a link that came back.
    pub(super) fn restart(&mut self, now: Instant, rng: &mut Rng) {
        self.first_batch = now + FIRST_BATCH;
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

    /// The questions that are due.
    ///
    /// Those that begin a series when the link came up ask for replies by unicast. RFC 6762 §5.4. So do those for
    /// the rest of what was announced in part, though the RFC would not have it: a responder that said it to all
    /// within the last second is silent to a question that wants it said to all.
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
            let is_direct = match series.purpose {
                Purpose::FollowUp(_) => is_first,
                Purpose::Doubt | Purpose::Wanted => is_first && now <= self.first_batch,
            };
            let want = if is_direct { self.direct.want() } else { Want::Multicast };
            if is_direct {
                self.direct.on_asked(now);
            }
            series.on_asked(now, rng);
            questions.push(Question { name: name.clone(), kind: *kind, want });
        }
        let over = |_: &_, series: &mut Series| series.patience == Patience::Tries(0);
        for ((name, kind), series) in self.series.extract_if(.., over).collect::<Vec<_>>() {
            self.discount(series.purpose);
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
        self.direct.expects(now)
    }
}
