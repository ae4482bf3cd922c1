//! The cache against a naive one: a list that is searched from end to end.
//!
//! Random records of a few sources come in, with times from nothing to for ever, goodbyes and flushes, doubt,
//! questions of others and forgetting; time passes to the cache's own deadline, short of it or beyond. After
//! every step both hold the same and answer alike. Where the cache draws lots, for when to refresh, the model knows from when until when;
//! where several records end at the same time, it lets the cache choose which one makes way.

use super::*;
use crate::mdns::cache::{Cache, Due, Kept, Upkeep};
use crate::mdns::records::{Data, Record, Share, Srv, Ttl, Type};

/// Random sequences that are tried.
const SEQUENCES: u64 = 200;
/// Steps of each.
const STEPS: usize = 150;
const KINDS: [Type; 3] = [Type::A, Type::PTR, Type::SRV];

/// A record in the list.
struct Held {
    name: Name,
    data: Data,
    ttl: Duration,
    received: Instant,
    ends: Instant,
    /// From when until when it is asked for again next.
    refresh: Option<(Instant, Instant)>,
    /// When somebody asked for it last, and it was not said since.
    asked: Option<Instant>,
    /// Who said it first, and who last.
    source: IpAddr,
    said_by: IpAddr,
    /// Its number and its time, while it is new.
    arrival: Option<(u64, Instant)>,
}

impl Held {
    /// What follows once it was received, or asked for again.
    fn plan(&mut self, last: Instant) {
        let window = |percent: u32| {
            (self.received + self.ttl * percent / 100, self.received + self.ttl * (percent + 2) / 100)
        };
        let points = [80, 85, 90, 95].map(window);
        let open = points.iter().find(|(from, to)| *from <= last && last < *to);
        let next = points.iter().find(|(from, _)| *from > last).copied();
        // It was asked for at the very point that was to come next.
        let on_time = open.is_some() && self.refresh == open.copied();
        self.refresh = match next {
            _ if self.ttl < secs(10) => None,
            // Late, and within a later window: whether that one's moment is over only the cache knows.
            next if !on_time && open.is_some() => Some((last, next.map_or(self.ends, |(_, to)| to))),
            next => next,
        };
    }

    fn end_by(&mut self, at: Instant) {
        if at < self.ends {
            (self.ends, self.refresh) = (at, None);
        }
    }
}

struct Model {
    held: Vec<Held>,
    arrivals: u64,
    evicted: Option<(Name, Data)>,
    max: usize,
}

fn name(labels: &str) -> Name {
    Name::from_labels(labels.split('.').map(str::as_bytes)).unwrap()
}

/// Backs a peer that this node cares for: `a`, and where its SRV record says that it is.
fn is_dear(of: &Name, instances: &[Name]) -> bool {
    *of == name("a._x._udp.local") || instances.contains(&name("a._x._udp.local"))
}

impl Model {
    fn instances_at(&self, host: &Name) -> Vec<Name> {
        let at = |held: &&Held| matches!(&held.data, Data::Srv(srv) if srv.target == *host);
        self.held.iter().filter(at).map(|held| held.name.clone()).collect()
    }

    fn of<'a>(&'a self, name: &'a Name, kind: Type) -> impl Iterator<Item = &'a Held> {
        self.held.iter().filter(move |held| held.name == *name && held.data.kind() == kind)
    }

    fn insert(&mut self, now: Instant, record: &Record, source: IpAddr, cache: &Cache) -> Kept {
        let ttl = Duration::from_secs(u64::from(record.ttl.0.min(75 * 60)));
        let same = |held: &&mut Held| held.name == record.name && held.data == record.data;
        if let Some(held) = self.held.iter_mut().find(same) {
            if ttl.is_zero() {
                held.end_by(now + secs(1));
            } else {
                (held.ttl, held.received, held.ends, held.refresh) = (ttl, now, now + ttl, None);
                (held.asked, held.said_by) = (None, source);
                held.plan(now);
            }
            return Kept::Known;
        }
        let kind = record.data.kind();
        if ttl.is_zero() || kind != Type::PTR && self.of(&record.name, kind).count() >= 16 {
            return Kept::No;
        }
        if self.held.len() == self.max && !self.make_room(now, record, source, cache) {
            return Kept::No;
        }
        self.arrivals += 1;
        let mut held = Held {
            name: record.name.clone(),
            data: record.data.clone(),
            ttl,
            received: now,
            ends: now + ttl,
            refresh: None,
            asked: None,
            source,
            said_by: source,
            arrival: Some((self.arrivals, now)),
        };
        held.plan(now);
        self.held.push(held);
        Kept::New
    }

    /// Something makes way, but nothing dear; `cache` did it already.
    fn make_room(&mut self, now: Instant, record: &Record, source: IpAddr, cache: &Cache) -> bool {
        let quarter = self.max.div_ceil(4);
        while let Some(at) = self.oldest(None) {
            let known = self.held.iter().filter(|held| held.arrival.is_none()).count();
            let is_ripe = self.held[at].arrival.is_some_and(|(_, since)| now - since >= secs(1));
            if known >= self.max - quarter || !is_ripe {
                break;
            }
            self.held[at].arrival = None;
        }
        let of = |source: IpAddr| self.held.iter().filter(|held| held.source == source).count();
        let dear = is_dear(&record.name, &self.instances_at(&record.name));
        let at = if !dear && of(source) >= quarter {
            self.oldest_free(Some(source))
        } else {
            let most = self.held.iter().map(|held| (of(held.source), held.source)).max();
            let greediest = most.filter(|(held, _)| *held > quarter).map(|(_, source)| source);
            let of_greediest = greediest.and_then(|source| self.oldest_free(Some(source)));
            of_greediest.or_else(|| self.oldest_free(None)).or_else(|| self.soonest(cache))
        };
        let Some(at) = at else { return false };
        let held = self.held.remove(at);
        self.evicted = Some((held.name, held.data));
        true
    }

    /// What came first of what is new, of one source or of all.
    fn oldest(&self, of: Option<IpAddr>) -> Option<usize> {
        let new = self.held.iter().enumerate().filter(|(_, held)| of.is_none_or(|of| held.source == of));
        new.filter_map(|(at, held)| Some((held.arrival?, at))).min().map(|(_, at)| at)
    }

    /// The same, but nothing dear: that is known from then on.
    fn oldest_free(&mut self, of: Option<IpAddr>) -> Option<usize> {
        while let Some(at) = self.oldest(of) {
            if !is_dear(&self.held[at].name, &self.instances_at(&self.held[at].name)) {
                return Some(at);
            }
            self.held[at].arrival = None;
        }
        None
    }

    /// What ends soonest.
    fn soonest(&self, cache: &Cache) -> Option<usize> {
        let free = |held: &&Held| !is_dear(&held.name, &self.instances_at(&held.name));
        let soonest = self.held.iter().filter(free).map(|held| held.ends).min()?;
        let has = |held: &Held| cache.get(&held.name, held.data.kind()).any(|data| *data == held.data);
        let chosen = |held: &Held| held.ends == soonest && free(&held) && !has(held);
        Some(self.held.iter().position(chosen).expect("one of those that end soonest made way"))
    }

    /// Somebody asks, and does not know what is not `known`. What is dear and was asked for in vain is named.
    fn on_foreign(
        &mut self,
        now: Instant,
        asker: IpAddr,
        (name, kind): (&Name, Type),
        known: &[Record],
    ) -> Vec<Data> {
        let mut disputed = Vec::new();
        for at in 0..self.held.len() {
            let dear = is_dear(name, &self.instances_at(name));
            let held = &mut self.held[at];
            let is_known = known.iter().any(|known| known.name == held.name && known.data == held.data);
            let is_known = is_known || held.source == asker || held.said_by == asker;
            let is_asked = held.name == *name && held.data.kind() == kind && !is_known;
            if !is_asked || now - held.asked.unwrap_or(held.received) < secs(1) {
                continue;
            }
            match held.asked.replace(now) {
                None => {}
                Some(_) if dear => {
                    disputed.push(held.data.clone());
                    held.asked = None;
                }
                Some(_) => held.end_by(now + secs(10)),
            }
        }
        disputed
    }

    /// Holds what the cache says that time brought against the list.
    fn due(&mut self, now: Instant, due: &Due) {
        let of = |name: &Name, data: &Data, list: &[Held]| {
            list.iter().position(|held| held.name == *name && held.data == *data)
        };
        match due {
            Due::Expired(name, data) => {
                let at = of(name, data, &self.held).expect("what expires was held");
                assert!(self.held.remove(at).ends <= now, "nothing expires before its end");
            }
            Due::Refresh(name, data) => {
                let at = of(name, data, &self.held).expect("what is refreshed is held");
                let held = &mut self.held[at];
                let (from, _) = held.refresh.expect("it has something left to ask for");
                assert!(from <= now && now < held.ends, "nothing is asked for too early or too late");
                held.plan(now);
            }
        }
    }
}

struct Run {
    rng: Rng,
    now: Instant,
    cache: Cache,
    model: Model,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = Rng::child(&crate::rng::Seed::new(bytes), "model");
        let max = 1 + rng.below(24) as usize;
        let model = Model { held: Vec::new(), arrivals: 0, evicted: None, max };
        Self { rng, now: base(), cache: Cache::new(max), model }
    }

    fn record(&mut self) -> Record {
        let which = ["a", "b", "c"][self.rng.below(3) as usize];
        let host = name(&format!("host-{}.local", self.rng.below(3)));
        let instance = name(&format!("{which}._x._udp.local"));
        let (name, data) = match self.rng.below(4) {
            0 | 1 => (host, Data::A([10, 0, 0, self.rng.below(20) as u8].into())),
            2 => (name("_x._udp.local"), Data::Ptr(instance)),
            _ => (instance, Data::Srv(Srv { priority: 0, weight: 0, port: 1, target: host })),
        };
        let ttls = [0, 1, 2, 9, 10, 11, 100, 120, 4500, 4501, u32::MAX];
        let ttl = Ttl(ttls[self.rng.below(ttls.len() as u64) as usize]);
        Record { name, ttl, share: Share::Shared, data }
    }

    fn step(&mut self) {
        let (now, record) = (self.now, self.record());
        let source = IpAddr::from([10, 0, 0, self.rng.below(5) as u8]);
        let protect = |name: &Name, _: &Data, at: &[Name]| is_dear(name, at);
        match self.rng.below(22) {
            0..=9 => {
                let kept = self.cache.insert(now, (&record, Upkeep::Fresh, source), &mut self.rng, protect);
                assert_eq!(self.model.insert(now, &record, source, &self.cache), kept, "{record:?}");
                assert_eq!(self.cache.take_evicted(), self.model.evicted.take(), "what made way is told");
            }
            10 | 11 => {
                let kind = record.data.kind();
                let told = self.cache.flush(now, &record.name, kind);
                let old = |held: &&mut Held| {
                    held.name == record.name && held.data.kind() == kind && now - held.received > secs(1)
                };
                let sooner = |held: &mut Held| {
                    let before = held.ends;
                    held.end_by(now + secs(1));
                    held.ends < before
                };
                let ended = self.model.held.iter_mut().filter(old).map(sooner).filter(|sooner| *sooner);
                assert_eq!(told, ended.count() > 0);
            }
            12 => {
                let told = self.cache.doubt(now, |name, _| *name == record.name);
                let doubtful = |held: &&mut Held| held.name == record.name && held.ends > now + secs(10);
                let ended =
                    self.model.held.iter_mut().filter(doubtful).map(|held| held.end_by(now + secs(10)));
                assert_eq!(told, ended.count() > 0);
            }
            13 if self.rng.below(4) == 0 => {
                self.cache.forget(|name, _| *name == record.name);
                self.model.held.retain(|held| held.name != record.name);
            }
            20 | 21 => {
                let known: Vec<Record> = (0..self.rng.below(4)).map(|_| self.record()).collect();
                let (name, kind) = (&record.name, record.data.kind());
                let told = self.cache.on_foreign(now, source, (name, kind), &known, protect);
                let expected = self.model.on_foreign(now, source, (name, kind), &known);
                assert_eq!(told.len(), expected.len());
                assert!(told.iter().all(|(of, data)| of == name && expected.contains(data)));
            }
            14..=16 => self.now = self.cache.next_at().unwrap_or(now).max(now),
            17 => self.now += secs(self.rng.below(5000)),
            _ => self.now += millis(self.rng.below(3000)),
        }
    }

    fn time_passes(&mut self) {
        while let Some(due) = self.cache.poll(self.now, &mut self.rng) {
            self.model.due(self.now, &due);
        }
        let over = |held: &Held| held.ends <= self.now || held.refresh.is_some_and(|(_, to)| to <= self.now);
        assert!(!self.model.held.iter().any(over), "nothing that is due is left out");
    }

    fn compare(&self) {
        let (cache, model, now) = (&self.cache, &self.model, self.now);
        assert!(cache.len() <= model.max, "the cache keeps within its bound");
        assert_eq!((cache.len(), cache.is_full()), (model.held.len(), model.held.len() == model.max));
        let hosts = (0..3).map(|n| format!("host-{n}.local"));
        let instances = ["a", "b", "c"].map(|which| format!("{which}._x._udp.local"));
        let names = hosts.chain(instances).chain(["_x._udp.local".to_owned()]).map(|text| name(&text));
        for name in names {
            for kind in KINDS {
                let got: Vec<_> = cache.get(&name, kind).collect();
                assert_eq!(got.len(), model.of(&name, kind).count());
                assert!(model.of(&name, kind).all(|held| got.contains(&&held.data)));
                let newest = model.of(&name, kind).map(|held| held.received).max();
                let said = cache.newest(&name, kind).map(|data| {
                    model.of(&name, kind).find(|held| held.data == *data).expect("it is held").received
                });
                assert_eq!(said, newest);
                let known: Vec<_> = cache.known(now, &name, kind).collect();
                let half = |held: &&Held| (held.ends - now) * 2 >= held.ttl;
                assert_eq!(known.len(), model.of(&name, kind).filter(half).count());
                for held in model.of(&name, kind).filter(half) {
                    let left = Ttl((held.ends - now).as_secs() as u32);
                    assert!(known.contains(&(&held.data, left)), "known answers say what is left");
                }
            }
            let (mut at, mut expected) = (cache.instances_at(&name).to_vec(), model.instances_at(&name));
            at.sort_by(|a, b| a.as_wire().cmp(b.as_wire()));
            expected.sort_by(|a, b| a.as_wire().cmp(b.as_wire()));
            assert_eq!(at, expected);
        }
        let first = model.held.iter().map(|held| held.refresh.map_or(held.ends, |(from, _)| from)).min();
        let last =
            model.held.iter().map(|held| held.refresh.map_or(held.ends, |(_, to)| to.min(held.ends))).min();
        let next = cache.next_at();
        assert_eq!(next.is_some(), first.is_some());
        assert!(
            first <= next && next <= last,
            "the next deadline is the model's: {first:?} {next:?} {last:?}"
        );
    }
}

#[test]
fn the_cache_does_as_a_list_that_is_searched_from_end_to_end() {
    for seed in 0..SEQUENCES {
        let mut run = Run::new(seed);
        let steps = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                run.step();
                run.time_passes();
                run.compare();
            }
        }));
        assert!(steps.is_ok(), "seed {seed}");
    }
}
