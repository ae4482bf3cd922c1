//! What others said on one link, for as long as it holds. RFC 6762 §5.2, §10.
//!
//! Bounded: when full, what is new makes way first, of the source that says too much before all others, and never
//! what the caller protects. Never asks: it says what ought to be asked again.

use super::name::Name;
use super::records::{Data, Record, Ttl, Type};
use crate::rng::Rng;
use crate::table::Table;
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

mod doubt;
mod room;
mod shares;

use shares::{Shares, Stake};

/// A withdrawn or superseded record is kept for another second. RFC 6762 §10.1, §10.2.
const GRACE: Duration = Duration::from_secs(1);
/// At these percentages of its time a record is asked for again. RFC 6762 §5.2.
const REFRESH_AT: [u32; 4] = [80, 85, 90, 95];
/// Plus up to so many percent, lest all ask at once. RFC 6762 §5.2.
const REFRESH_JITTER: u64 = 2;
/// Records of a shorter time are never asked for again: they could make us ask without end.
const MIN_REFRESHED: Ttl = Ttl(10);
/// Records of one name and type that are kept, PTR aside. Further ones are ignored.
pub(super) const MAX_SET: usize = 16;

/// What an entry waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The refresh point with this index.
    Refresh(usize),
    /// Its end.
    End,
}

#[derive(Debug)]
struct Entry {
    name: Name,
    data: Data,
    ttl: Ttl,
    received: Instant,
    ends: Instant,
    stage: Stage,
    wakes: Instant,
    /// When somebody asked for it last, and it was not said since. RFC 6762 §10.5.
    asked: Option<Instant>,
    /// Who said it last.
    said_by: IpAddr,
    stake: Stake,
}

impl Entry {
    /// What is left of its time, where that is at least half of it. RFC 6762 §7.1.
    fn half_left(&self, now: Instant) -> Option<Duration> {
        let left = self.ends.saturating_duration_since(now);
        (left * 2 >= self.ttl.duration() && !left.is_zero()).then_some(left)
    }
}

/// Something that time brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is gone.
    Expired(Name, Data),
    /// Whoever needs it asks again.
    Refresh(Name, Data),
}

/// What became of a record that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// There was none like it.
    New,
    /// It was known, and holds for longer or shorter.
    Known,
    /// It is not kept: a goodbye of what nobody knew, or no room.
    No,
}

#[derive(Debug)]
pub(super) struct Cache {
    entries: Slab<Entry>,
    sets: BTreeMap<(Name, Type), BTreeSet<usize>>,
    /// PTR records by name and target: there may be thousands of one name.
    pointers: BTreeMap<(Name, Name), usize>,
    /// When each entry next wants something.
    wakes: BTreeSet<(Instant, usize)>,
    /// When each entry ends: the order in which what is known makes way.
    ends: BTreeSet<(Instant, usize)>,
    /// Which instances name a host in their SRV record.
    hosts: BTreeMap<Name, Vec<Name>>,
    shares: Shares,
    max: usize,
    /// What the last record that came in made go, and is not yet told.
    evicted: Option<(Name, Data)>,
}

impl Cache {
    pub(super) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self {
            entries: Slab::new(),
            sets: BTreeMap::new(),
            pointers: BTreeMap::new(),
            wakes: BTreeSet::new(),
            ends: BTreeSet::new(),
            hosts: BTreeMap::new(),
            shares: Shares::new(max),
            max,
            evicted: None,
        }
    }

    /// Whether each new record makes an old one go.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= self.max
    }

    /// How many records there may be.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// How full its tables are.
    pub(super) fn tables(&self) -> [Table; 4] {
        let ways = [self.sets.len(), self.pointers.len(), self.wakes.len(), self.ends.len()];
        let hosts = self.hosts.values().map(Vec::len).sum();
        [
            Table::new("mdns: records cached", self.entries.len(), self.max),
            Table::fullest("mdns: ways to find a record", ways, self.max),
            Table::new("mdns: instances by host", hosts, self.max),
            Table::new("mdns: sources of records", self.shares.sources(), self.max),
        ]
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What is held of one name and type.
    pub(super) fn get(&self, name: &Name, kind: Type) -> impl Iterator<Item = &Data> {
        self.set(name, kind).map(|id| &self.entries[id].data)
    }

    /// What was said last of one name and type: of what only one may have, the older is superseded.
    pub(super) fn newest(&self, name: &Name, kind: Type) -> Option<&Data> {
        let id = self.set(name, kind).max_by_key(|id| self.entries[*id].received)?;
        Some(&self.entries[id].data)
    }

    /// What a question says that we know: what holds for at least half of its time, with what is left.
    /// RFC 6762 §7.1.
    pub(super) fn known(&self, now: Instant, name: &Name, kind: Type) -> impl Iterator<Item = (&Data, Ttl)> {
        self.set(name, kind).filter_map(move |id| {
            let entry = &self.entries[id];
            let left = entry.half_left(now)?;
            Some((&entry.data, Ttl(u32::try_from(left.as_secs()).unwrap_or(u32::MAX))))
        })
    }

    /// Whether a record is among what we [know](Self::known). Never walks the records of its name, of which there
    /// may be thousands.
    pub(super) fn knows(&self, now: Instant, record: &Record) -> bool {
        self.find(record).0.is_some_and(|id| self.entries[id].half_left(now).is_some())
    }

    /// The instances whose SRV record names `host`.
    pub(super) fn instances_at(&self, host: &Name) -> &[Name] {
        self.hosts.get(host).map_or(&[], Vec::as_slice)
    }

    /// Whether any SRV record names a host at all.
    pub(super) fn has_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Whether `name` has a PTR record to `target`.
    pub(super) fn points(&self, name: &Name, target: &Name) -> bool {
        self.pointers.contains_key(&(name.clone(), target.clone()))
    }

    /// Takes a record of `source`. When there is no room, something that `is_protected` denies makes way: see
    /// [`Cache::take_evicted`]. It is told name, data, and the instances at a host of that name.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        (record, source): (&Record, IpAddr),
        rng: &mut Rng,
        is_protected: impl Fn(&Name, &Data, &[Name]) -> bool,
    ) -> Kept {
        let ttl = record.ttl.clamped();
        let (known, is_full) = self.find(record);
        match known {
            Some(id) if ttl == Ttl::GOODBYE => {
                self.end_by(id, now + GRACE);
                return Kept::Known;
            }
            Some(id) => {
                self.entries[id].said_by = source;
                self.renew(id, now, ttl, rng);
                return Kept::Known;
            }
            None if ttl == Ttl::GOODBYE || is_full => return Kept::No,
            None => {}
        }
        if self.is_full() && !self.make_room(now, (record, source), is_protected) {
            return Kept::No;
        }
        let (name, data) = (record.name.clone(), record.data.clone());
        if let Data::Srv(srv) = &data {
            self.hosts.entry(srv.target.clone()).or_default().push(name.clone());
        }
        let pointer = match &data {
            Data::Ptr(target) => Some((name.clone(), target.clone())),
            Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Srv(_) | Data::Txt(_) => None,
        };
        let kind = data.kind();
        let id = self.entries.vacant_key();
        self.entries.insert(Entry {
            name: name.clone(),
            data,
            ttl,
            received: now,
            ends: now,
            stage: Stage::End,
            wakes: now,
            asked: None,
            said_by: source,
            stake: self.shares.add(now, source, id),
        });
        self.sets.entry((name, kind)).or_default().insert(id);
        self.pointers.extend(pointer.map(|key| (key, id)));
        self.ends.insert((now, id));
        self.wakes.insert((now, id));
        self.renew(id, now, ttl, rng);
        Kept::New
    }

    /// What made way for the record that came in last. Asked after each: what nobody hears of would be
    /// believed to be there for ever.
    pub(super) fn take_evicted(&mut self) -> Option<(Name, Data)> {
        self.evicted.take()
    }

    /// The next thing that time brought.
    pub(super) fn poll(&mut self, now: Instant, rng: &mut Rng) -> Option<Due> {
        let &(at, id) = self.wakes.first()?;
        if at > now {
            return None;
        }
        let entry = &self.entries[id];
        if entry.ends <= now {
            let entry = self.remove(id);
            return Some(Due::Expired(entry.name, entry.data));
        }
        let due = Due::Refresh(entry.name.clone(), entry.data.clone());
        // Whoever wakes late asks once, not for each point that passed.
        let mut stage = entry.stage;
        while self.wakes.contains(&(self.entries[id].wakes, id)) && self.entries[id].wakes <= now {
            stage = match stage {
                Stage::Refresh(point) if point + 1 < REFRESH_AT.len() => Stage::Refresh(point + 1),
                Stage::Refresh(_) | Stage::End => Stage::End,
            };
            self.wake_at(id, stage, rng);
        }
        Some(due)
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.wakes.first().map(|(at, _)| *at)
    }

    fn set(&self, name: &Name, kind: Type) -> impl Iterator<Item = usize> {
        self.sets.get(&(name.clone(), kind)).into_iter().flatten().copied()
    }

    /// The entry that says the same, and whether its set has room for no other.
    fn find(&self, record: &Record) -> (Option<usize>, bool) {
        if let Data::Ptr(target) = &record.data {
            return (self.pointers.get(&(record.name.clone(), target.clone())).copied(), false);
        }
        let kind = record.data.kind();
        let known = self.set(&record.name, kind).find(|id| self.entries[*id].data == record.data);
        (known, self.set(&record.name, kind).count() >= MAX_SET)
    }

    fn renew(&mut self, id: usize, now: Instant, ttl: Ttl, rng: &mut Rng) {
        let entry = &mut self.entries[id];
        self.ends.remove(&(entry.ends, id));
        (entry.ttl, entry.received, entry.ends, entry.asked) = (ttl, now, now + ttl.duration(), None);
        self.ends.insert((entry.ends, id));
        let stage = if ttl < MIN_REFRESHED { Stage::End } else { Stage::Refresh(0) };
        self.wake_at(id, stage, rng);
    }

    /// Whether it would have lived longer.
    fn end_by(&mut self, id: usize, at: Instant) -> bool {
        let entry = &mut self.entries[id];
        let is_sooner = at < entry.ends;
        if is_sooner {
            self.ends.remove(&(entry.ends, id));
            self.wakes.remove(&(entry.wakes, id));
            (entry.ends, entry.wakes, entry.stage) = (at, at, Stage::End);
            self.ends.insert((at, id));
            self.wakes.insert((at, id));
        }
        is_sooner
    }

    fn wake_at(&mut self, id: usize, stage: Stage, rng: &mut Rng) {
        let entry = &mut self.entries[id];
        self.wakes.remove(&(entry.wakes, id));
        entry.stage = stage;
        entry.wakes = match stage {
            Stage::Refresh(point) => {
                let whole = entry.ttl.duration();
                let jitter =
                    Duration::from_micros(rng.below(whole.as_micros() as u64 * REFRESH_JITTER / 100));
                entry.received + whole * REFRESH_AT[point] / 100 + jitter
            }
            Stage::End => entry.ends,
        };
        self.wakes.insert((entry.wakes, id));
    }

    fn remove(&mut self, id: usize) -> Entry {
        let entry = self.entries.remove(id);
        self.shares.remove(&entry.stake);
        self.ends.remove(&(entry.ends, id));
        self.wakes.remove(&(entry.wakes, id));
        let key = (entry.name.clone(), entry.data.kind());
        if let Some(set) = self.sets.get_mut(&key) {
            set.remove(&id);
            if set.is_empty() {
                self.sets.remove(&key);
            }
        }
        if let Data::Ptr(target) = &entry.data {
            self.pointers.remove(&(entry.name.clone(), target.clone()));
        }
        if let Data::Srv(srv) = &entry.data
            && let Some(instances) = self.hosts.get_mut(&srv.target)
        {
            if let Some(at) = instances.iter().position(|name| *name == entry.name) {
                instances.swap_remove(at);
            }
            if instances.is_empty() {
                self.hosts.remove(&srv.target);
            }
        }
        entry
    }
}
