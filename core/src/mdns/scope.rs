//! What this node publishes and looks for, and which names that makes interesting.
//!
//! The same for all links; what a link sees is never kept here.

use super::name::{Label, Name, wire_is_child_of};
use super::service::{Service, ServiceId, ServiceType};
use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

/// What this node publishes and looks for, on all links alike.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) services: BTreeMap<ServiceId, Service>,
    pub(super) browsing: BTreeSet<ServiceType>,
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
        self.browsing.iter().any(|kind| kind.name() == name)
    }

    pub(super) fn is_wanted_instance(&self, name: &Name) -> bool {
        self.browsing.iter().any(|kind| name.is_child_of(kind.name())) || self.resolving.contains_key(name)
    }

    /// Whether a name that lies in a datagram, uncompressed, is one of ours or of those we look for.
    pub(super) fn concerns(&self, wire: &[u8]) -> bool {
        let is = |name: &Name| wire.eq_ignore_ascii_case(name.as_wire());
        let published = self.services.values().map(|service| &service.kind);
        let kinds = || self.browsing.iter().chain(published.clone()).map(ServiceType::name);
        let resolved = self.resolving.values().map(|(kind, _)| kind.name());
        kinds().any(|kind| is(kind) || wire_is_child_of(wire, kind))
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
}
