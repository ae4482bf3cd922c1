//! Who said what is kept, and what makes way where there is no room.
//!
//! What comes in a flood pushes out what came in the same flood. What was there before it is known, and makes way
//! for nothing that is new; a source that says more than its share makes room for itself; what is new always
//! has some room. Never looks at what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// One source may hold this part of a full table, as a divisor: beyond it, its own entries make way. Far more
/// than one machine says of itself; and what a reflector says of a whole LAN is kept while there is room.
const SHARE: usize = 4;
/// This part of the table, as a divisor, is for what is new: a flood must leave a way in.
const NEW: usize = 4;
/// What is held for longer is known. What is honest is known before a flood that begins later can push it out.
const PROBATION: Duration = Duration::from_secs(1);

/// What is known of an entry here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stake {
    source: IpAddr,
    /// Where it stands among the new. `None`: it is known.
    arrival: Option<Arrival>,
}

impl Stake {
    /// Who said it first.
    pub(crate) fn source(&self) -> IpAddr {
        self.source
    }
}

/// In the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival {
    serial: u64,
    at: Instant,
}

#[derive(Debug)]
struct Holding<K> {
    held: usize,
    new: BTreeMap<Arrival, K>,
}

/// What every source holds, by a key of the table's. Has no source that holds nothing: no more of them than entries.
#[derive(Debug)]
pub(crate) struct Shares<K> {
    max: usize,
    held: usize,
    serial: u64,
    new: BTreeMap<Arrival, K>,
    sources: BTreeMap<IpAddr, Holding<K>>,
    /// The sources by how much they hold.
    sizes: BTreeSet<(usize, IpAddr)>,
}

impl<K: Copy> Shares<K> {
    pub(crate) fn new(max: usize) -> Self {
        let (new, sources, sizes) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { max, held: 0, serial: 0, new, sources, sizes }
    }

    /// How many sources hold something.
    pub(crate) fn sources(&self) -> usize {
        self.sources.len()
    }

    pub(crate) fn add(&mut self, now: Instant, source: IpAddr, id: K) -> Stake {
        self.serial += 1;
        let arrival = Arrival { serial: self.serial, at: now };
        self.held += 1;
        self.new.insert(arrival, id);
        let holding = self.sources.entry(source).or_insert_with(|| Holding { held: 0, new: BTreeMap::new() });
        self.sizes.remove(&(holding.held, source));
        holding.held += 1;
        holding.new.insert(arrival, id);
        self.sizes.insert((holding.held, source));
        Stake { source, arrival: Some(arrival) }
    }

    pub(crate) fn remove(&mut self, stake: &Stake) {
        self.held -= 1;
        let Some(holding) = self.sources.get_mut(&stake.source) else { return };
        if let Some(arrival) = stake.arrival {
            self.new.remove(&arrival);
            holding.new.remove(&arrival);
        }
        self.sizes.remove(&(holding.held, stake.source));
        holding.held -= 1;
        if holding.held == 0 {
            self.sources.remove(&stake.source);
        } else {
            self.sizes.insert((holding.held, stake.source));
        }
    }

    /// It is known from now on.
    pub(crate) fn promote(&mut self, stake: &mut Stake) {
        if let Some(arrival) = stake.arrival.take() {
            self.new.remove(&arrival);
            if let Some(holding) = self.sources.get_mut(&stake.source) {
                holding.new.remove(&arrival);
            }
        }
    }

    /// One that is new no longer, as far as there is room for the known.
    pub(crate) fn ripe(&self, now: Instant) -> Option<K> {
        let (arrival, id) = self.new.first_key_value()?;
        let has_room = self.held - self.new.len() < self.max - self.max.div_ceil(NEW);
        (has_room && now >= arrival.at + PROBATION).then_some(*id)
    }

    /// Whether a source holds all that it may hold of a full table.
    pub(crate) fn is_used_up(&self, source: IpAddr) -> bool {
        self.sources.get(&source).is_some_and(|holding| holding.held >= self.share())
    }

    /// The source that holds most, where that is too much.
    pub(crate) fn greediest(&self) -> Option<IpAddr> {
        self.sizes.last().filter(|(held, _)| *held > self.share()).map(|(_, source)| *source)
    }

    /// What came first of what is new: of one source, or of all.
    pub(crate) fn oldest(&self, of: Option<IpAddr>) -> Option<K> {
        let new = match of {
            Some(source) => &self.sources.get(&source)?.new,
            None => &self.new,
        };
        new.first_key_value().map(|(_, id)| *id)
    }

    fn share(&self) -> usize {
        self.max.div_ceil(SHARE)
    }
}
