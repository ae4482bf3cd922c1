//! What others said on one link, for as long as it holds. RFC 6762 §5.2, §10.
//!
//! Bounded: when full, what is new makes way first, of the source that says too much before all others, and never
//! what the caller protects. Never asks: it says what ought to be asked again.

use self::entry::{Entry, Stage};
use self::holding::Holding;
use super::name::{Name, Named, WireName};
use super::records::{Data, Record, Ttl, Type};
use crate::rng::Rng;
use crate::shares::Shares;
use crate::table::Table;
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

mod doubt;
mod entry;
mod holding;
mod room;

pub(super) use holding::Held;

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

/// Something that time brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is gone.
    Expired(Name, Data),
    /// Whoever needs it asks again.
    Refresh(Name, Data),
}

/// Whether a record is asked for before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upkeep {
    /// Somebody needs it: see [`Due::Refresh`].
    Fresh,
    /// Nobody does. Most of what a large LAN says is such, and of none of it is anything due before its end.
    Lapse,
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
    names: BTreeMap<Name, Holding>,
    /// When those that are needed are next asked for.
    refreshes: BTreeSet<(Instant, usize)>,
    /// When each entry ends: the order in which what is known makes way.
    ends: BTreeSet<(Instant, usize)>,
    shares: Shares<usize>,
    max: usize,
    /// What the last record that came in made go, and is not yet told.
    evicted: Option<(Name, Data)>,
}

impl Cache {
    pub(super) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self {
            entries: Slab::new(),
            names: BTreeMap::new(),
            refreshes: BTreeSet::new(),
            ends: BTreeSet::new(),
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
        let sum = |len: fn(&Holding) -> usize| self.names.values().map(len).sum();
        let (sets, pointers) =
            (sum(|held| held.sets.len() + held.pointing.len()), sum(|held| held.pointers.len()));
        let ways = [sets, pointers, self.refreshes.len(), self.ends.len()];
        let hosts = sum(|held| held.instances.len());
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
        self.newest_id(name, kind).map(|id| &self.entries[id].data)
    }

    /// Who first said [that](Self::newest).
    pub(super) fn source(&self, name: &Name, kind: Type) -> Option<IpAddr> {
        self.newest_id(name, kind).map(|id| self.entries[id].stake.source())
    }

    fn newest_id(&self, name: &Name, kind: Type) -> Option<usize> {
        self.set(name, kind).max_by_key(|id| self.entries[*id].received)
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

    /// Whether he who is at an address said of himself, or of another, that it is one of a name's pointers.
    pub(super) fn is_pointed_by(&self, name: &Name, from: IpAddr) -> bool {
        let held = self.names.get(name);
        held.is_some_and(|held| held.pointers.values().any(|id| self.entries[*id].said_by == from))
    }

    /// The instances whose SRV record names `host`.
    pub(super) fn instances_at(&self, host: &Name) -> &[Name] {
        self.names.get(host).map_or(&[], |held| &held.instances)
    }

    /// What is held of a name, if anything.
    pub(super) fn held(&self, name: &WireName<'_>) -> Option<Held<'_>> {
        self.names.get(name as &dyn Named).map(|holding| Held { cache: self, holding })
    }

    /// Whether any SRV record names that host.
    pub(super) fn is_host(&self, name: &WireName<'_>) -> bool {
        self.names.get(name as &dyn Named).is_some_and(|held| !held.instances.is_empty())
    }

    /// Whether `name` has a PTR record to `target`.
    pub(super) fn points(&self, name: &Name, target: &Name) -> bool {
        self.names.get(name).is_some_and(|held| held.pointers.contains_key(target))
    }

    /// Takes a record of `source`. When there is no room, something that `is_protected` denies makes way: see
    /// [`Cache::take_evicted`]. It is told name, data, and the instances at a host of that name.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        (record, upkeep, source): (&Record, Upkeep, IpAddr),
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
                self.renew(id, now, (ttl, upkeep), rng);
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
            self.names.entry(srv.target.clone()).or_default().instances.push(name.clone());
        }
        let id = self.entries.vacant_key();
        self.names.entry(name.clone()).or_default().insert(&data, id);
        let stake = self.shares.add(now, source, id);
        self.entries.insert(Entry {
            name,
            data,
            ttl,
            said_by: source,
            received: now,
            ends: now,
            stage: Stage::End,
            asked: None,
            stake,
        });
        self.ends.insert((now, id));
        self.renew(id, now, (ttl, upkeep), rng);
        Kept::New
    }

    /// What made way for the record that came in last. Asked after each: what nobody hears of would be
    /// believed to be there for ever.
    pub(super) fn take_evicted(&mut self) -> Option<(Name, Data)> {
        self.evicted.take()
    }

    /// Somebody needs what is held of one name and type from here on: it is asked for at the points that are yet
    /// to come.
    pub(super) fn keep_fresh(&mut self, now: Instant, name: &Name, kind: Type, rng: &mut Rng) {
        for id in self.set(name, kind).collect::<Vec<_>>() {
            let entry = &self.entries[id];
            let (whole, age) = (entry.ttl.duration(), now.saturating_duration_since(entry.received));
            // What ends before its time is withdrawn, superseded or in doubt.
            if entry.stage != Stage::End || entry.ttl < MIN_REFRESHED || entry.ends < entry.received + whole {
                continue;
            }
            if let Some(point) = REFRESH_AT.iter().position(|percent| age < whole * *percent / 100) {
                self.refresh_at(id, point, rng);
            }
        }
    }

    /// The next thing that time brought.
    pub(super) fn poll(&mut self, now: Instant, rng: &mut Rng) -> Option<Due> {
        let (at, id) = self.next()?;
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
        while let Stage::Refresh { point, at } = self.entries[id].stage
            && at <= now
        {
            self.refresh_at(id, point + 1, rng);
        }
        Some(due)
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.next().map(|(at, _)| at)
    }

    fn next(&self) -> Option<(Instant, usize)> {
        [self.refreshes.first(), self.ends.first()].into_iter().flatten().min().copied()
    }

    fn set(&self, name: &Name, kind: Type) -> impl Iterator<Item = usize> {
        self.names.get(name).into_iter().flat_map(move |held| held.set(kind))
    }

    /// The entry that says the same, and whether its set has room for no other.
    fn find(&self, record: &Record) -> (Option<usize>, bool) {
        let Some(held) = self.names.get(&record.name) else { return (None, false) };
        if let Data::Ptr(target) = &record.data {
            return (held.pointers.get(target).copied(), false);
        }
        let mut count = 0;
        for id in held.set(record.data.kind()) {
            if self.entries[id].data == record.data {
                return (Some(id), false);
            }
            count += 1;
        }
        (None, count >= MAX_SET)
    }

    fn renew(&mut self, id: usize, now: Instant, (ttl, upkeep): (Ttl, Upkeep), rng: &mut Rng) {
        let entry = &mut self.entries[id];
        self.ends.remove(&(entry.ends, id));
        (entry.ttl, entry.received, entry.ends, entry.asked) = (ttl, now, now + ttl.duration(), None);
        self.ends.insert((entry.ends, id));
        match upkeep {
            Upkeep::Fresh if ttl >= MIN_REFRESHED => self.refresh_at(id, 0, rng),
            Upkeep::Fresh | Upkeep::Lapse => self.refresh_never(id),
        }
    }

    /// Whether it would have lived longer.
    fn end_by(&mut self, id: usize, at: Instant) -> bool {
        let entry = &mut self.entries[id];
        let is_sooner = at < entry.ends;
        if is_sooner {
            self.ends.remove(&(entry.ends, id));
            entry.ends = at;
            self.ends.insert((at, id));
            self.refresh_never(id);
        }
        is_sooner
    }

    /// Sets the time of a refresh point; there is none behind the last one.
    fn refresh_at(&mut self, id: usize, point: usize, rng: &mut Rng) {
        self.refresh_never(id);
        let Some(percent) = REFRESH_AT.get(point) else { return };
        let entry = &mut self.entries[id];
        let whole = entry.ttl.duration();
        let jitter = Duration::from_micros(rng.below(whole.as_micros() as u64 * REFRESH_JITTER / 100));
        let at = entry.received + whole * *percent / 100 + jitter;
        entry.stage = Stage::Refresh { point, at };
        self.refreshes.insert((at, id));
    }

    fn refresh_never(&mut self, id: usize) {
        if let Stage::Refresh { at, .. } = std::mem::replace(&mut self.entries[id].stage, Stage::End) {
            self.refreshes.remove(&(at, id));
        }
    }

    fn remove(&mut self, id: usize) -> Entry {
        let entry = self.entries.remove(id);
        self.shares.remove(&entry.stake);
        self.ends.remove(&(entry.ends, id));
        if let Stage::Refresh { at, .. } = entry.stage {
            self.refreshes.remove(&(at, id));
        }
        self.change(&entry.name, |held| held.remove(&entry.data, id));
        if let Data::Srv(srv) = &entry.data {
            self.change(&srv.target, |held| {
                if let Some(at) = held.instances.iter().position(|name| *name == entry.name) {
                    held.instances.swap_remove(at);
                }
            });
        }
        entry
    }

    /// Takes something away from what is held of a name.
    fn change(&mut self, name: &Name, take: impl FnOnce(&mut Holding)) {
        if let Some(held) = self.names.get_mut(name) {
            take(held);
            if held.is_empty() {
                self.names.remove(name);
            }
        }
    }
}
