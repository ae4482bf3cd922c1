//! What this node publishes and looks for, and which names that makes interesting.
//!
//! The same for all links; what a link sees is never kept here.

use super::name::{Label, Name, wire_is_child_of};
use super::service::{Kind, Service, ServiceId, ServiceType};
use super::stats::MdnsStats;
use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

/// What this node publishes and looks for, on all links alike.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) services: BTreeMap<ServiceId, Service>,
    /// By the name whose PTR records are asked for.
    pub(super) browsing: BTreeMap<Name, Kind>,
    pub(super) resolving: BTreeMap<Name, (ServiceType, Label)>,
    /// The names of `services`: instances and hosts.
    pub(super) own_names: BTreeSet<Name>,
    pub(super) own_ips: BTreeSet<IpAddr>,
}

impl Scope {
    pub(super) fn is_own_name(&self, name: &Name) -> bool {
        self.own_names.contains(name)
    }

    pub(super) fn browses(&self, name: &Name) -> bool {
        self.browsing.contains_key(name)
    }

    /// Whether somebody here may look for that instance through PTR records of `name`.
    pub(super) fn seeks(&self, name: &Name, instance: &Name) -> bool {
        self.browsing.get(name).is_some_and(|kind| instance.is_child_of(kind.base().name()))
    }

    pub(super) fn is_wanted_instance(&self, name: &Name) -> bool {
        self.kinds_of(name).next().is_some() || self.resolving.contains_key(name)
    }

    /// The kinds that are browsed and of which that may be an instance.
    pub(super) fn kinds_of<'a>(&'a self, instance: &'a Name) -> impl Iterator<Item = &'a Kind> {
        self.browsing.values().filter(|kind| instance.is_child_of(kind.base().name()))
    }

    /// Whether a name that lies in a datagram, uncompressed, is one of ours or of those we look for.
    pub(super) fn concerns(&self, wire: &[u8]) -> bool {
        let is = |name: &Name| wire.eq_ignore_ascii_case(name.as_wire());
        let published = self.services.values().map(|service| service.kind.name());
        let bases = self.browsing.values().map(|kind| kind.base().name());
        let resolved = self.resolving.values().map(|(kind, _)| kind.name());
        let mut kinds = bases.chain(published.clone());
        self.browsing.keys().chain(published).any(is)
            || kinds.any(|kind| wire_is_child_of(wire, kind))
            || resolved.into_iter().any(|kind| wire_is_child_of(wire, kind))
            || self.own_names.iter().any(is)
            || (!self.services.is_empty() && wire.eq_ignore_ascii_case(Service::ENUMERATION))
    }
}

/// What a link gets for the length of one call.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) scope: &'a Scope,
    pub(super) rng: &'a mut Rng,
    pub(super) stats: &'a mut MdnsStats,
}
