//! What one link publishes, and when that is announced. RFC 6762 §8.3, §8.4, §10.1.
//!
//! Holds the records of this node's services as the link's interface has them. Never reads the cache, and
//! never answers: who asks is told by `respond`.

use super::Service;
use super::name::Name;
use super::records::{Data, Record, Share, Ttl, Type};
use super::service::{MAX_SERVICES, MAX_SUBTYPES};
use crate::io::InterfaceAddr;
use crate::table::Table;
use std::time::{Duration, Instant};

mod wanted;

use wanted::{MAX_ADDRESSES, wanted_sets};

/// How often a new or changed record is announced: twice at least, eight times at most. RFC 6762 §8.3.
const ANNOUNCEMENTS: u8 = 3;
/// The same after a sleep, when most of those who listen have the records still.
const ANNOUNCEMENTS_WOKEN: u8 = 2;
/// The first two announcements are so far apart; each further gap is twice the last. RFC 6762 §8.3.
const ANNOUNCE_GAP: Duration = Duration::from_secs(1);
/// A record is multicast at most once in this time. RFC 6762 §6.
pub(super) const MULTICAST_GAP: Duration = Duration::from_secs(1);
/// So many changes of a record's data a minute are announced at once; the next one waits. RFC 6762 §8.4.
const UPDATES_PER_MINUTE: usize = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// Sets of records of one service: PTR, one for each subtype, and the enumeration; SRV, TXT, A, AAAA, and NSEC of
/// both names.
const SETS_A_SERVICE: usize = 8 + MAX_SUBTYPES;
/// Records of an own name or of its pointers, at most, on one link.
pub(super) const MAX_OWN_RECORDS: usize = MAX_SERVICES * (SETS_A_SERVICE + 2 * MAX_ADDRESSES);
/// Withdrawn records that wait to be said. Further ones are left to expire.
const MAX_GOODBYES: usize = MAX_OWN_RECORDS;

/// Withdrawn records that are remembered for their second. Further ones may be said again too soon.
const MAX_PARTED: usize = MAX_OWN_RECORDS;

/// Where a set stands.
///
/// ```text
///   new, changed, link up, woken                 sent as often as it shall be
///   ───────────────────────► Announcing ──────────────────────────────────► Established
///                               ▲  │ sent: next in 1 s, 2 s, …                   │
///                               └──┘                                             │
///                               ▲─────────── changed, link up, woken ────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announce {
    Announcing { sent: u8, of: u8, next_at: Instant },
    Established,
}

impl Announce {
    fn on_sent(self, now: Instant) -> Self {
        match self {
            Self::Announcing { sent, of, .. } if sent + 1 < of => {
                Self::Announcing { sent: sent + 1, of, next_at: now + ANNOUNCE_GAP * (1 << sent) }
            }
            Self::Announcing { .. } | Self::Established => Self::Established,
        }
    }
}

/// All our records of one name and type; of shared ones, each is a set of its own.
#[derive(Debug)]
pub(super) struct OwnSet {
    pub(super) name: Name,
    pub(super) share: Share,
    ttl: Ttl,
    /// Of one type, and not empty.
    pub(super) data: Vec<Data>,
    /// When it was last multicast on this link.
    last: Option<Instant>,
    /// When a multicast answer is due.
    answer: Option<Instant>,
    announce: Announce,
    /// When its data changed lately.
    updates: Vec<Instant>,
}

impl OwnSet {
    fn new(name: Name, share: Share, ttl: Ttl, data: Vec<Data>, now: Instant) -> Self {
        let announce = Announce::Announcing { sent: 0, of: ANNOUNCEMENTS, next_at: now };
        Self { name, share, ttl, data, last: None, answer: None, announce, updates: Vec::new() }
    }

    pub(super) fn kind(&self) -> Type {
        self.data[0].kind()
    }

    /// The name without which it means nothing: its own, or the one that it points to.
    fn claim(&self) -> &Name {
        match &self.data[0] {
            Data::Ptr(instance) => instance,
            Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Srv(_) | Data::Txt(_) => &self.name,
        }
    }

    pub(super) fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// As they are multicast.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        self.data.iter().map(|data| Record {
            name: self.name.clone(),
            ttl: self.ttl,
            share: self.share,
            data: data.clone(),
        })
    }

    /// Whether it was multicast within the last quarter of its TTL. RFC 6762 §5.4.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now < last + self.ttl.duration() / 4)
    }

    /// Answers by multicast after `delay`, though never twice within `gap`.
    pub(super) fn answer_in(&mut self, now: Instant, delay: Duration, gap: Duration) {
        let due = self.last.map_or(now + delay, |last| (now + delay).max(last + gap));
        self.answer = Some(self.answer.map_or(due, |earlier| earlier.min(due)));
    }

    /// Somebody else just said the same: we need not. Whether we were about to. RFC 6762 §7.4.
    pub(super) fn drop_answer(&mut self, now: Instant) -> bool {
        let was_due = self.answer.take().is_some();
        if was_due {
            self.last = Some(now);
        }
        was_due
    }

    pub(super) fn may_multicast(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now >= last + MULTICAST_GAP)
    }

    fn announce_at(&self) -> Option<Instant> {
        match self.announce {
            Announce::Announcing { next_at, .. } => {
                Some(self.last.map_or(next_at, |last| next_at.max(last + MULTICAST_GAP)))
            }
            Announce::Established => None,
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.answer.is_some_and(|at| at <= now) || self.announce_at().is_some_and(|at| at <= now)
    }

    fn on_multicast(&mut self, now: Instant) {
        self.answer = None;
        if self.announce_at().is_some_and(|at| at <= now) {
            self.announce = self.announce.on_sent(now);
        }
        self.last = Some(now);
    }

    fn restart(&mut self, now: Instant, of: u8) {
        let limit = self.updates.first().filter(|_| self.updates.len() >= UPDATES_PER_MINUTE);
        let next_at = limit.map_or(now, |first| now.max(*first + MINUTE));
        self.announce = Announce::Announcing { sent: 0, of, next_at };
    }

    fn replace_data(&mut self, now: Instant, data: Vec<Data>) {
        self.data = data;
        self.updates.retain(|at| now < *at + MINUTE);
        self.restart(now, ANNOUNCEMENTS);
        if self.updates.len() == UPDATES_PER_MINUTE {
            self.updates.remove(0);
        }
        self.updates.push(now);
    }
}

/// What is to be multicast in one message.
#[derive(Debug, Default)]
pub(super) struct Multicast {
    pub(super) answers: Vec<Record>,
    pub(super) additional: Vec<Record>,
    /// Sets that are thereby announced.
    pub(super) announced: u64,
}

/// Everything that one link publishes.
#[derive(Debug, Default)]
pub(super) struct Owned {
    pub(super) sets: Vec<OwnSet>,
    /// Of names that are being probed for: neither announced nor answered for. RFC 6762 §8.
    tentative: Vec<OwnSet>,
    /// Withdrawn, not yet said. RFC 6762 §10.1.
    goodbyes: Vec<Record>,
    /// Withdrawn, and when it was last multicast: published again within [`MULTICAST_GAP`] of that, it waits.
    parted: Vec<(Name, Data, Instant)>,
}

impl Owned {
    /// Whether a record is one of ours, whatever its time.
    pub(super) fn says(&self, record: &Record) -> bool {
        self.sets.iter().any(|set| set.name == record.name && set.data.contains(&record.data))
    }

    /// Whether a name is ours alone, and may be said to be.
    pub(super) fn holds(&self, name: &Name) -> bool {
        self.sets.iter().any(|set| set.share == Share::Unique && set.name == *name)
    }

    /// Whether a name that we hold was announced.
    pub(super) fn has_announced(&self, name: &Name) -> bool {
        let is_unsaid = |set: &OwnSet| matches!(set.announce, Announce::Announcing { sent: 0, .. });
        self.holds(name) && !self.sets.iter().any(|set| set.claim() == name && is_unsaid(set))
    }

    /// All that a probe for a name proposes. RFC 6762 §8.2.
    pub(super) fn proposed(&self, name: &Name) -> impl Iterator<Item = Record> {
        let proposes = move |set: &&OwnSet| set.name == *name && set.kind() != Type::NSEC;
        // No record in a query has the cache-flush bit. RFC 6762 §10.2.
        let records = self.tentative.iter().filter(proposes).flat_map(OwnSet::records);
        records.map(|record| Record { share: Share::Shared, ..record })
    }

    /// Whether a record is among what we would say of a name that is being probed for.
    pub(super) fn proposes(&self, record: &Record) -> bool {
        self.tentative.iter().any(|set| set.name == record.name && set.data.contains(&record.data))
    }

    /// A name is to be probed for: nothing is said of it meanwhile.
    pub(super) fn hold_back(&mut self, name: &Name) {
        self.tentative.extend(self.sets.extract_if(.., |set| set.claim() == name));
        self.tentative.iter_mut().filter(|set| set.claim() == name).for_each(|set| set.answer = None);
    }

    /// A name was probed for and is ours: it is announced.
    pub(super) fn release(&mut self, now: Instant, name: &Name) {
        for mut set in self.tentative.extract_if(.., |set| set.claim() == name) {
            if set.kind() != Type::NSEC {
                set.restart(now, ANNOUNCEMENTS);
            }
            self.sets.push(set);
        }
    }

    /// A name is somebody else's: what was said of it is now for him to say, and gets no goodbye of ours.
    pub(super) fn disown(&mut self, name: &Name) {
        let all = self.sets.iter_mut().chain(&mut self.tentative);
        all.filter(|set| set.claim() == name).for_each(|set| set.last = None);
    }

    /// Publishes exactly `services`, on an interface with these addresses: what is new or changed is
    /// announced, what is gone gets a goodbye. Of what is to be probed for, nothing is said.
    pub(super) fn publish<'a>(
        &mut self,
        now: Instant,
        services: impl Iterator<Item = &'a Service>,
        addresses: &[InterfaceAddr],
        is_probed: impl Fn(&Name) -> bool,
    ) {
        let mut old = std::mem::take(&mut self.sets);
        old.append(&mut self.tentative);
        for wanted in wanted_sets(now, services, addresses) {
            let place = if is_probed(wanted.claim()) { &mut self.tentative } else { &mut self.sets };
            let same = |set: &OwnSet| {
                set.name == wanted.name
                    && set.kind() == wanted.kind()
                    && (wanted.share == Share::Unique || set.data == wanted.data)
            };
            let Some(at) = old.iter().position(same) else {
                let last = said_lately(&self.parted, now, &wanted);
                place.push(OwnSet { last, ..wanted });
                continue;
            };
            let mut set = old.remove(at);
            if set.data != wanted.data {
                set.replace_data(now, wanted.data);
            }
            place.push(set);
        }
        self.parted.retain(|(.., last)| now < *last + MULTICAST_GAP);
        for set in old {
            let Some(last) = set.last else { continue };
            self.parted.extend(set.data.iter().map(|data| (set.name.clone(), data.clone(), last)));
            if !is_common(&set) {
                self.goodbyes.extend(set.records().map(|record| Record { ttl: Ttl::GOODBYE, ..record }));
            }
        }
        self.parted.truncate(MAX_PARTED);
        // Published again before the goodbye went out: the announcement says it all.
        let sets = &self.sets;
        self.goodbyes
            .retain(|bye| !sets.iter().any(|set| set.name == bye.name && set.data.contains(&bye.data)));
        self.goodbyes.truncate(MAX_GOODBYES);
    }

    /// Announces everything anew, since the machine slept: the link may have other listeners. RFC 6762 §8.3.
    pub(super) fn announce_all(&mut self, now: Instant) {
        for set in self.sets.iter_mut().filter(|set| set.kind() != Type::NSEC) {
            set.restart(now, ANNOUNCEMENTS_WOKEN);
        }
    }

    /// How full its tables are.
    pub(super) fn tables(&self) -> [Table; 5] {
        let all = || self.sets.iter().chain(&self.tentative);
        let records = all().map(|set| set.data.len());
        let updates = all().map(|set| set.updates.len());
        [
            Table::new("mdns: own sets of records", all().count(), SETS_A_SERVICE * MAX_SERVICES),
            Table::fullest("mdns: own records of a set", records, MAX_ADDRESSES),
            Table::new("mdns: goodbyes to say", self.goodbyes.len(), MAX_GOODBYES),
            Table::new("mdns: records withdrawn lately", self.parted.len(), MAX_PARTED),
            Table::fullest("mdns: late changes of a set", updates, UPDATES_PER_MINUTE),
        ]
    }

    /// Whether all goodbyes are said.
    pub(super) fn is_drained(&self) -> bool {
        self.goodbyes.is_empty()
    }

    /// When something is due: an announcement, or an answer.
    pub(super) fn announce_at(&self) -> Option<Instant> {
        self.sets.iter().filter_map(OwnSet::announce_at).min()
    }

    pub(super) fn answer_at(&self) -> Option<Instant> {
        self.sets.iter().filter_map(|set| set.answer).min()
    }

    /// Goodbyes first, then what is due; a set always as a whole. RFC 6762 §10.2.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Multicast> {
        if !self.goodbyes.is_empty() {
            let answers = std::mem::take(&mut self.goodbyes);
            return Some(Multicast { answers, ..Multicast::default() });
        }
        let due: Vec<usize> = (0..self.sets.len()).filter(|i| self.sets[*i].is_due(now)).collect();
        if due.is_empty() {
            return None;
        }
        let mut additional = self.additional_to(&due);
        additional.retain(|i| self.sets[*i].may_multicast(now));
        let mut message = Multicast::default();
        for (sets, records) in [(due, &mut message.answers), (additional, &mut message.additional)] {
            for i in sets {
                records.extend(self.sets[i].records());
                let is_announced = self.sets[i].announce_at().is_some_and(|at| at <= now);
                message.announced += u64::from(is_announced);
                self.sets[i].on_multicast(now);
            }
        }
        Some(message)
    }

    /// The sets that whoever gets `answers` asks for next. RFC 6763 §12, RFC 6762 §6.1, §6.2.
    pub(super) fn additional_to(&self, answers: &[usize]) -> Vec<usize> {
        let mut all = answers.to_vec();
        let mut next = 0;
        while let Some(&from) = all.get(next) {
            next += 1;
            for data in &self.sets[from].data {
                let (name, kinds): (&Name, &[Type]) = match data {
                    Data::Ptr(instance) => (instance, &[Type::SRV, Type::TXT]),
                    Data::Srv(srv) => (&srv.target, &[Type::A, Type::AAAA]),
                    Data::A(_) | Data::Aaaa(_) => (&self.sets[from].name, &[Type::A, Type::AAAA]),
                    Data::Nsec(_) | Data::Txt(_) => continue,
                };
                let wanted = |set: &OwnSet| set.name == *name && kinds.contains(&set.kind());
                let further = (0..self.sets.len()).filter(|i| wanted(&self.sets[*i]));
                let further: Vec<usize> = further.filter(|i| !all.contains(i)).collect();
                all.extend(further);
            }
        }
        all.split_off(answers.len())
    }
}

/// When any of what a set says was last multicast, and withdrawn since then.
fn said_lately(parted: &[(Name, Data, Instant)], now: Instant, set: &OwnSet) -> Option<Instant> {
    let said = |(name, data, last): &&(Name, Data, Instant)| {
        now < *last + MULTICAST_GAP && *name == set.name && set.data.contains(data)
    };
    parted.iter().filter(said).map(|(.., last)| *last).max()
}

/// Every node has this record: a goodbye would speak for all of them.
fn is_common(set: &OwnSet) -> bool {
    set.name == Service::enumeration()
}
