//! What this node publishes and looks for, and which names that makes interesting.
//!
//! The same for all links; what a link sees is never kept here.

use super::name::{Label, Name, Named, WireName};
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
    interest: Interest,
}

/// What all of that makes interesting, in few places: most of what a link hears is compared with it, and with
/// nothing else.
#[derive(Debug, Default)]
struct Interest {
    /// Whose children matter.
    parents: Names,
    /// Those that matter themselves.
    names: Names,
}

/// A few names among very many others.
#[derive(Debug, Default)]
struct Names {
    /// Each once.
    sorted: Vec<Name>,
    /// The [marks](WireName::mark) of all: who has none of them is not among them.
    marks: u64,
}

impl Names {
    fn contains(&self, name: &WireName<'_>) -> bool {
        self.marks & name.mark() != 0
            && self.sorted.binary_search_by(|known| name.cmp_name(known).reverse()).is_ok()
    }
}

impl<'a> FromIterator<&'a Name> for Names {
    fn from_iter<I: IntoIterator<Item = &'a Name>>(names: I) -> Self {
        let names: BTreeSet<&Name> = names.into_iter().collect();
        let marks = names.iter().fold(0, |marks, name| marks | name.wire_name().mark());
        Self { sorted: names.into_iter().cloned().collect(), marks }
    }
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
        self.index();
    }

    /// Looks for instances of a kind from here on.
    pub(super) fn browse(&mut self, kind: Kind) {
        self.browsing.insert(kind.name().clone(), kind);
        self.index();
    }

    /// Whether a kind was looked for up to now.
    pub(super) fn stop_browse(&mut self, kind: &Kind) -> bool {
        let was_browsed = self.browsing.remove(kind.name()).is_some();
        self.index();
        was_browsed
    }

    /// Looks for one instance from here on.
    pub(super) fn resolve(&mut self, kind: &ServiceType, instance: &Label) {
        self.resolving.insert(kind.instance(instance), (kind.clone(), instance.clone()));
        // Most are of a kind that is there.
        if !self.interest.parents.contains(&kind.name().wire_name()) {
            self.index();
        }
    }

    /// Looks for it no more.
    pub(super) fn stop_resolve(&mut self, instance: &Name) {
        self.resolving.remove(instance);
        self.index();
    }

    fn index(&mut self) {
        let bases = self.browsing.values().map(Kind::base);
        let kinds = bases.chain(self.services.values().map(|service| &service.kind));
        let kinds = kinds.chain(self.resolving.values().map(|(kind, _)| kind));
        let names = self.browsing.keys().chain(&self.own_names).chain(&self.listed);
        self.interest = Interest { parents: kinds.map(ServiceType::name).collect(), names: names.collect() };
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

    /// Whether a name that lies in a datagram is one of ours or of those we look for.
    pub(super) fn concerns(&self, name: &WireName<'_>) -> bool {
        let Interest { parents, names } = &self.interest;
        names.contains(name) || name.parent().is_some_and(|parent| parents.contains(&parent))
    }
}

/// What a link gets for the length of one call.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) scope: &'a Scope,
    pub(super) rng: &'a mut Rng,
    pub(super) stats: &'a mut MdnsStats,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(labels: &[&str]) -> Name {
        Name::from_labels(labels.iter().map(|label| label.as_bytes())).unwrap()
    }

    fn concerns(scope: &Scope, labels: &[&str]) -> bool {
        scope.concerns(&WireName::new(name(labels).as_wire()))
    }

    fn kind(service: &str) -> ServiceType {
        ServiceType::new(&Label::new(service).unwrap(), &Label::new("_udp").unwrap())
    }

    #[test]
    fn a_kind_and_its_instances_concern_who_browses_it_and_nobody_else() {
        let mut scope = Scope::default();
        assert!(!concerns(&scope, &["_x", "_udp", "local"]));
        scope.browse(kind("_x").into());
        assert!(concerns(&scope, &["_X", "_udp", "local"]));
        assert!(concerns(&scope, &["i", "_x", "_UDP", "local"]));
        for other in
            [&["_y", "_udp", "local"][..], &["_udp", "local"], &["a", "i", "_x", "_udp", "local"], &[]]
        {
            assert!(!concerns(&scope, other), "{other:?}");
        }
        assert!(scope.stop_browse(&kind("_x").into()));
        assert!(!concerns(&scope, &["i", "_x", "_udp", "local"]));
    }

    #[test]
    fn the_instances_of_a_kind_concern_who_looks_for_one_of_them() {
        let mut scope = Scope::default();
        let (one, two) = (Label::new("one").unwrap(), Label::new("two").unwrap());
        scope.resolve(&kind("_x"), &one);
        scope.resolve(&kind("_x"), &two);
        scope.stop_resolve(&kind("_x").instance(&one));
        assert!(concerns(&scope, &["two", "_x", "_udp", "local"]));
        assert!(!concerns(&scope, &["_x", "_udp", "local"]));
        scope.stop_resolve(&kind("_x").instance(&two));
        assert!(!concerns(&scope, &["two", "_x", "_udp", "local"]));
    }

    #[test]
    fn our_own_names_and_where_they_are_listed_concern_us() {
        let mut scope = Scope::default();
        let label = |text| Label::new(text).unwrap();
        let service = Service {
            kind: kind("_x"),
            subtypes: vec![label("_sub")],
            instance: label("me"),
            naming: crate::mdns::Naming::Chosen,
            host: label("here"),
            port: 1,
            txt: crate::wire::txt::Txt::default(),
        };
        scope.set_services(BTreeMap::from([(ServiceId(0), service)]));
        let ours: [&[&str]; 5] = [
            &["ME", "_x", "_udp", "local"],
            &["here", "local"],
            &["_x", "_udp", "local"],
            &["_sub", "_sub", "_x", "_udp", "local"],
            &["_services", "_dns-sd", "_udp", "local"],
        ];
        for ours in ours {
            assert!(concerns(&scope, ours), "{ours:?}");
        }
        assert!(!concerns(&scope, &["there", "local"]));
    }
}
