//! What is held of one name: one look-up finds all of it.
//!
//! Knows where records are, and nothing of their times.

use super::Cache;
use crate::mdns::name::{Name, Named, WireName};
use crate::mdns::records::{Data, Type};
use std::collections::{BTreeMap, BTreeSet};

/// What is held of one name, and of a host of that name.
#[derive(Debug, Default)]
pub(super) struct Holding {
    /// By type, PTR aside, and in this order: a few.
    pub(super) sets: Vec<(Type, usize)>,
    /// PTR records by target, and in the order of all others: there may be thousands of one name.
    pub(super) pointers: BTreeMap<Name, usize>,
    pub(super) pointing: BTreeSet<usize>,
    /// Which instances name it as their host in their SRV record.
    pub(super) instances: Vec<Name>,
}

impl Holding {
    pub(super) fn insert(&mut self, data: &Data, id: usize) {
        if let Data::Ptr(target) = data {
            self.pointers.insert(target.clone(), id);
            self.pointing.insert(id);
        } else {
            let entry = (data.kind(), id);
            self.sets.insert(self.sets.partition_point(|other| *other < entry), entry);
        }
    }

    pub(super) fn remove(&mut self, data: &Data, id: usize) {
        if let Data::Ptr(target) = data {
            self.pointers.remove(target);
            self.pointing.remove(&id);
        } else {
            self.sets.retain(|(_, other)| *other != id);
        }
    }

    /// The entries of one type.
    pub(super) fn set(&self, kind: Type) -> impl Iterator<Item = usize> {
        let pointing = (kind == Type::PTR).then_some(&self.pointing);
        let others = self.sets.iter().filter(move |(other, _)| *other == kind);
        pointing.into_iter().flatten().copied().chain(others.map(|(_, id)| *id))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.pointers.is_empty() && self.instances.is_empty()
    }
}

/// What is held of one name, to be looked at.
#[derive(Clone, Copy)]
pub(in crate::mdns) struct Held<'a> {
    pub(super) cache: &'a Cache,
    pub(super) holding: &'a Holding,
}

impl<'a> Held<'a> {
    /// A record of one type, PTR aside, of which `is_it` is true.
    pub(in crate::mdns) fn find(
        self,
        kind: Type,
        is_it: impl Fn(&Data) -> bool,
    ) -> Option<(&'a Name, &'a Data)> {
        let mut entries = self.holding.set(kind).map(|id| &self.cache.entries[id]);
        entries.find(|entry| is_it(&entry.data)).map(|entry| (&entry.name, &entry.data))
    }

    /// The PTR record to a target.
    pub(in crate::mdns) fn pointer(self, target: &WireName<'_>) -> Option<(&'a Name, &'a Data)> {
        let entry = &self.cache.entries[*self.holding.pointers.get(target as &dyn Named)?];
        Some((&entry.name, &entry.data))
    }
}
