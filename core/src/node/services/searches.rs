//! What the application looks for, and what of it was told to which search.
//!
//! Never asks the LAN: `mdns` does, once for all searches of a kind.

use crate::event::Event;
use crate::mdns::Kind;
use crate::service::{BrowseId, ServiceInstance, ServiceKey, ServiceType};
use crate::table::Table;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Searches at a time, whatever their kinds. A further one is refused.
pub(in crate::node) const MAX_BROWSES: usize = 64;

/// One search.
struct Search {
    kind: ServiceType,
    /// The same, as the engine has it.
    wanted: Kind,
    told: Told,
}

/// How much of what is found a search was told of: one that begins late catches up, in the order of the keys.
enum Told {
    /// Nothing after this, and what changes after it is not told either.
    UpTo(Option<ServiceKey>),
    All,
}

impl Told {
    fn has(&self, key: &ServiceKey) -> bool {
        match self {
            Self::UpTo(last) => last.as_ref().is_some_and(|last| key <= last),
            Self::All => true,
        }
    }
}

/// All searches, and what they found.
#[derive(Default)]
pub(super) struct Searches {
    searches: BTreeMap<BrowseId, Search>,
    /// What is there of the kinds that are looked for. Each was reported by the engine, which bounds it.
    found: BTreeMap<ServiceKey, ServiceInstance>,
}

impl Searches {
    pub(super) fn len(&self) -> usize {
        self.searches.len()
    }

    /// What the engine browses a kind as, if any search is for it.
    pub(super) fn wanted(&self, kind: &ServiceType) -> Option<&Kind> {
        self.searches.values().find(|search| search.kind == *kind).map(|search| &search.wanted)
    }

    /// The kind that the engine browses so, if any search is for it.
    pub(super) fn kind_of(&self, wanted: &Kind) -> Option<&ServiceType> {
        self.searches.values().find(|search| search.wanted == *wanted).map(|search| &search.kind)
    }

    /// Begins a search, which is told from the start what others of its kind found.
    pub(super) fn insert(&mut self, id: BrowseId, kind: ServiceType, wanted: Kind) {
        self.searches.insert(id, Search { kind, wanted, told: Told::UpTo(None) });
    }

    /// Ends a search. Returns what the engine need no longer browse.
    pub(super) fn remove(&mut self, id: BrowseId) -> Option<Kind> {
        let gone = self.searches.remove(&id)?;
        if self.wanted(&gone.kind).is_some() {
            return None;
        }
        self.found.retain(|key, _| key.kind != gone.kind);
        Some(gone.wanted)
    }

    /// Ends all of them. Returns what the engine need no longer browse.
    pub(super) fn clear(&mut self) -> Vec<Kind> {
        let ids: Vec<BrowseId> = self.searches.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    pub(super) fn contains(&self, id: BrowseId) -> bool {
        self.searches.contains_key(&id)
    }

    /// What is there of what a search is for.
    pub(super) fn found(&self, id: BrowseId) -> impl Iterator<Item = &ServiceInstance> {
        let kind = self.searches.get(&id).map(|search| &search.kind);
        kind.into_iter().flat_map(|kind| self.after(kind, None)).map(|(_, instance)| instance)
    }

    /// A service is there, or changed.
    pub(super) fn handle_seen(&mut self, instance: ServiceInstance, mut tell: impl FnMut(Event)) {
        let key = instance.key();
        let event = match self.found.insert(key.clone(), instance.clone()) {
            Some(old) if old == instance => return,
            Some(_) => Event::ServiceUpdated,
            None => Event::ServiceFound,
        };
        self.hearers(&key).for_each(|id| tell(event(id, instance.clone())));
    }

    /// A service is no longer there.
    pub(super) fn handle_lost(&mut self, key: &ServiceKey, mut tell: impl FnMut(Event)) {
        if self.found.remove(key).is_some() {
            self.hearers(key).for_each(|id| tell(Event::ServiceLost(id, key.clone())));
        }
    }

    /// The next thing that a search which began late is told.
    pub(super) fn catch_up(&mut self) -> Option<Event> {
        let found = &self.found;
        for (id, search) in &mut self.searches {
            let Told::UpTo(last) = &search.told else { continue };
            let Some((key, instance)) = after(found, &search.kind, last.as_ref()).next() else {
                search.told = Told::All;
                continue;
            };
            search.told = Told::UpTo(Some(key.clone()));
            return Some(Event::ServiceFound(*id, instance.clone()));
        }
        None
    }

    /// How full its tables are, where the engine reports at most `reported` services.
    pub(super) fn tables(&self, reported: usize) -> [Table; 2] {
        [
            Table::new("node: services found", self.found.len(), reported),
            Table::new("node: services looked for", self.searches.len(), MAX_BROWSES),
        ]
    }

    fn hearers<'a>(&'a self, key: &'a ServiceKey) -> impl Iterator<Item = BrowseId> + 'a {
        let hears = move |search: &Search| search.kind == key.kind && search.told.has(key);
        self.searches.iter().filter(move |(_, search)| hears(search)).map(|(id, _)| *id)
    }

    fn after<'a>(
        &'a self,
        kind: &'a ServiceType,
        last: Option<&ServiceKey>,
    ) -> impl Iterator<Item = (&'a ServiceKey, &'a ServiceInstance)> + use<'a> {
        after(&self.found, kind, last)
    }
}

/// What is there of a kind, behind `last`.
fn after<'a>(
    found: &'a BTreeMap<ServiceKey, ServiceInstance>,
    kind: &'a ServiceType,
    last: Option<&ServiceKey>,
) -> impl Iterator<Item = (&'a ServiceKey, &'a ServiceInstance)> + use<'a> {
    let from = match last {
        Some(last) => Bound::Excluded(last.clone()),
        None => Bound::Included(ServiceKey { kind: kind.clone(), name: String::new(), interface: 0 }),
    };
    found.range((from, Bound::Unbounded)).take_while(move |(key, _)| key.kind == *kind)
}
