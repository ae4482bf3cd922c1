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
    /// Under the names that they have now.
    pub(super) services: BTreeMap<ServiceId, Service>,
    /// Those of which nothing is said, since somebody else has their name.
    pub(super) resting: BTreeSet<ServiceId>,
    /// The names to probe for before anything is said of them, and from when on.
    pub(super) probed: BTreeMap<Name, Option<Instant>>,
    /// By the name whose PTR records are asked for.
    pub(super) browsing: BTreeMap<Name, Kind>,
    pub(super) resolving: BTreeMap<Name, (ServiceType, Label)>,
    /// The names of `services`: instances and hosts.
    pub(super) own_names: BTreeSet<Name>,
    /// The hosts among them.
    pub(super) hosts: BTreeSet<Name>,
    /// The names of kinds and subtypes where `services` are listed, which others have as well.
    pub(super) listed: BTreeSet<Name>,
    pub(super) own_ips: BTreeSet<IpAddr>,
}

impl Scope {
    /// Takes what is published, under the names that it has.
    pub(super) fn set_services(&mut self, services: BTreeMap<ServiceId, Service>) {
        let all = || services.values();
        self.hosts = all().map(Service::host_name).collect();
        self.own_names = all().map(Service::instance_name).chain(self.hosts.iter().cloned()).collect();
        self.listed = all().flat_map(Service::subtype_names).collect();
        self.listed.extend(all().map(|service| service.kind.name().clone()));
        if !services.is_empty() {
            self.listed.insert(Service::enumeration());
        }
        self.services = services;
    }

    /// The services of which something is said.
    pub(super) fn published(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|(id, _)| !self.resting.contains(id)).map(|(_, service)| service)
    }

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
        let bases = self.browsing.values().map(Kind::base);
        let kinds = bases.chain(self.services.values().map(|service| &service.kind));
        let resolved = self.resolving.values().map(|(kind, _)| kind);
        kinds.chain(resolved).any(|kind| wire_is_child_of(wire, kind.name()))
            || self.browsing.keys().any(is)
            || self.own_names.iter().chain(&self.listed).any(is)
    }
}

/// What a link gets for the length of one call.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) scope: &'a Scope,
    pub(super) rng: &'a mut Rng,
    pub(super) stats: &'a mut MdnsStats,
}
