//! Who said what is cached, and what makes way where there is no room.
//!
//! What comes in a flood pushes out what came in the same flood. What was there before it is known, and makes way
//! for nothing that is new; a source that says more than its share makes room for itself; what is new always
//! has some room. Never looks at what a record says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// One source may hold this part of a full cache, as a divisor: beyond it, its own records make way. Far more
/// than one machine says of itself; and what a reflector says of a whole LAN is kept while there is room.
const SHARE: usize = 4;
/// This part of the cache, as a divisor, is for what is new: a flood must leave a way in.
const NEW: usize = 4;
/// What is held for longer is known. An honest record is known before a flood that begins later can push it out.
const PROBATION: Duration = Duration::from_secs(1);

/// What is known of an entry here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stake {
    source: IpAddr,
    /// Where it stands among the new. `None`: it is known.
    arrival: Option<Arrival>,
}

impl Stake {
    /// Who said it first.
    pub(super) fn source(&self) -> IpAddr {
        self.source
    }
}

/// In the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrival {
    serial: u64,
    at: Instant,
}

#[derive(Debug, Default)]
struct Holding {
    held: usize,
    new: BTreeMap<Arrival, usize>,
}

/// What every source holds. Has no source that holds nothing: no more of them than records.
#[derive(Debug)]
pub(super) struct Shares {
    max: usize,
    held: usize,
    serial: u64,
    new: BTreeMap<Arrival, usize>,
    sources: BTreeMap<IpAddr, Holding>,
    /// The sources by how much they hold.
    sizes: BTreeSet<(usize, IpAddr)>,
}

impl Shares {
    pub(super) fn new(max: usize) -> Self {
        let (new, sources, sizes) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { max, held: 0, serial: 0, new, sources, sizes }
    }

    /// How many sources hold something.
    pub(super) fn sources(&self) -> usize {
        self.sources.len()
    }

    pub(super) fn add(&mut self, now: Instant, source: IpAddr, id: usize) -> Stake {
        self.serial += 1;
        let arrival = Arrival { serial: self.serial, at: now };
        self.held += 1;
        self.new.insert(arrival, id);
        let holding = self.sources.entry(source).or_default();
        self.sizes.remove(&(holding.held, source));
        holding.held += 1;
        holding.new.insert(arrival, id);
        self.sizes.insert((holding.held, source));
        Stake { source, arrival: Some(arrival) }
    }

    pub(super) fn remove(&mut self, stake: &Stake) {
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
    pub(super) fn promote(&mut self, stake: &mut Stake) {
        if let Some(arrival) = stake.arrival.take() {
            self.new.remove(&arrival);
            if let Some(holding) = self.sources.get_mut(&stake.source) {
                holding.new.remove(&arrival);
            }
        }
    }

    /// One that is new no longer, as far as there is room for the known.
    pub(super) fn ripe(&self, now: Instant) -> Option<usize> {
        let (arrival, id) = self.new.first_key_value()?;
        let has_room = self.held - self.new.len() < self.max - self.max.div_ceil(NEW);
        (has_room && now >= arrival.at + PROBATION).then_some(*id)
    }

    /// Whether a source holds all that it may hold of a full cache.
    pub(super) fn is_used_up(&self, source: IpAddr) -> bool {
        self.sources.get(&source).is_some_and(|holding| holding.held >= self.share())
    }

    /// The source that holds most, where that is too much.
    pub(super) fn greediest(&self) -> Option<IpAddr> {
        self.sizes.last().filter(|(held, _)| *held > self.share()).map(|(_, source)| *source)
    }

    /// What came first of what is new: of one source, or of all.
    pub(super) fn oldest(&self, of: Option<IpAddr>) -> Option<usize> {
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
