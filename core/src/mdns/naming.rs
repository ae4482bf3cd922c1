//! Which names our services and their hosts have, and what becomes of them in a conflict. RFC 6762 §9.
//!
//! The same for all links: a conflict on one renames everywhere, RFC 6762 §14. Never sends, and never judges what
//! is a conflict.

use self::claim::{Claim, Style};
use self::contention::Contention;
use super::name::{Label, Name};
use super::scope::Scope;
use super::service::{Event, MAX_SERVICES, Naming, Service, ServiceId, host_name};
use crate::table::Table;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

mod claim;
mod contention;

/// Who has no name for so long says so, and tries less often. RFC 6762 §9.
const NAMELESS: Duration = Duration::from_secs(60);
/// A name that somebody else has, or cannot be had, is tried again after so long.
const RETRY: Duration = Duration::from_secs(60);
/// Who loses to a simultaneous probe waits for so long. RFC 6762 §8.2.
const DEFEAT: Duration = Duration::from_secs(1);
/// One conflict of a service is reported in this time: anyone on the LAN can forge them.
const CONFLICT_GAP: Duration = Duration::from_secs(60);

/// Whether a service has its name.
///
/// ```text
///            every link has it, announced            somebody else claims it
///   Seeking ─────────────────────────────► Named ──────────────────────────► Seeking
///    ▲ │ ▲ │ lost, and Chosen: another name
///    │ │ └─┘
///    │ │ lost, and Hashed; lost, and told that no name is to be had
///    │ └─────────────► Resting
///    │      60 s          │
///    └────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Named,
    Resting(Resting),
    Seeking(Seeking),
}

/// It is being probed for or announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seeking {
    /// Since when a name is tried for in vain.
    since: Option<Instant>,
    /// Whether that was told.
    told: bool,
}

/// Nothing is said of it: somebody else has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resting {
    until: Instant,
    /// What it goes back to.
    seeking: Seeking,
}

impl Seeking {
    fn on_vain(self, now: Instant) -> Self {
        Self { since: self.since.or(Some(now)), ..self }
    }

    fn on_lost(self, now: Instant) -> Resting {
        Resting { until: now + RETRY, seeking: self.on_vain(now) }
    }

    /// When it is to be told that no name is to be had.
    fn tell_at(self) -> Option<Instant> {
        self.since.filter(|_| !self.told).map(|since| since + NAMELESS)
    }
}

/// What is still to be told of a service, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Conflict,
    Renamed,
    Published,
    Unnamed,
}

#[derive(Debug)]
struct Holder {
    /// As the application wants it.
    service: Service,
    claim: Claim,
    standing: Standing,
    /// What waits to be told. One of each: what was not heard in time is told as it is by then.
    tell: BTreeSet<Told>,
    /// When a conflict was last told.
    conflict_told: Option<Instant>,
}

impl Holder {
    fn new(service: Service) -> Self {
        let (claim, standing) = match service.naming {
            Naming::Chosen => {
                (Claim::probed(&service.instance, Style::Instance), Standing::Seeking(Seeking::default()))
            }
            Naming::Hashed => (Claim::known(&service.instance, Style::Instance), Standing::Named),
        };
        Self { service, claim, standing, tell: BTreeSet::new(), conflict_told: None }
    }

    fn instance_name(&self) -> Name {
        self.service.kind.instance(&self.claim.label())
    }

    /// Whether another service takes its place and may keep its name.
    fn is_same(&self, other: &Service) -> bool {
        let own = &self.service;
        let labels = (own.instance.as_octets(), other.instance.as_octets());
        labels.0 == labels.1 && (&own.kind, own.naming) == (&other.kind, other.naming)
    }

    fn seeking(&self) -> Seeking {
        match self.standing {
            Standing::Named => Seeking::default(),
            Standing::Resting(Resting { seeking, .. }) | Standing::Seeking(seeking) => seeking,
        }
    }

    fn next_at(&self) -> Option<Instant> {
        match self.standing {
            Standing::Named => None,
            Standing::Resting(Resting { until, seeking }) => {
                Some(seeking.tell_at().map_or(until, |at| at.min(until)))
            }
            Standing::Seeking(seeking) => seeking.tell_at(),
        }
    }

    /// Time passed. Whether its name is to be tried again.
    fn handle_timeout(&mut self, now: Instant) -> bool {
        let is_late = |seeking: Seeking| seeking.tell_at().is_some_and(|at| at <= now);
        if let Standing::Resting(Resting { seeking, .. }) | Standing::Seeking(seeking) = &mut self.standing
            && is_late(*seeking)
        {
            seeking.told = true;
            if self.service.naming == Naming::Chosen {
                self.tell.insert(Told::Unnamed);
            }
        }
        match self.standing {
            Standing::Resting(Resting { until, seeking }) if until <= now => {
                self.standing = Standing::Seeking(seeking);
                true
            }
            Standing::Named | Standing::Resting(_) | Standing::Seeking(_) => false,
        }
    }
}

/// The names of all services and hosts.
#[derive(Debug, Default)]
pub(super) struct Names {
    holders: BTreeMap<ServiceId, Holder>,
    /// By the label that the application wants.
    hosts: BTreeMap<Label, Claim>,
    contention: Contention,
}

impl Names {
    /// Takes a service, or what changed of one.
    pub(super) fn publish(&mut self, id: ServiceId, service: Service) {
        self.hosts.entry(service.host.clone()).or_insert_with(|| Claim::known(&service.host, Style::Host));
        match self.holders.get_mut(&id).filter(|holder| holder.is_same(&service)) {
            Some(holder) => holder.service = service,
            None => {
                self.holders.insert(id, Holder::new(service));
                self.part(id);
            }
        }
        self.drop_hosts();
    }

    pub(super) fn withdraw(&mut self, id: ServiceId) {
        self.holders.remove(&id);
        self.drop_hosts();
    }

    pub(super) fn withdraw_all(&mut self) {
        self.holders.clear();
        self.drop_hosts();
    }

    /// Fills in what follows for all links.
    pub(super) fn apply(&self, scope: &mut Scope) {
        let mut services = BTreeMap::new();
        scope.probed.clear();
        scope.resting.clear();
        for (id, holder) in &self.holders {
            let host = &self.hosts[&holder.service.host];
            let named =
                Service { instance: holder.claim.label(), host: host.label(), ..holder.service.clone() };
            if matches!(holder.standing, Standing::Resting(_)) {
                scope.resting.insert(*id);
            } else {
                for (claim, name) in [(&holder.claim, named.instance_name()), (host, named.host_name())] {
                    scope.probed.extend(claim.is_probed().then(|| (name, claim.earliest())));
                }
            }
            services.insert(*id, named);
        }
        scope.set_services(services);
    }

    /// Somebody else claims a name that we have: it is to be probed for. RFC 6762 §9.
    pub(super) fn on_contested(&mut self, now: Instant, name: &Name) {
        let earliest = self.contention.on_conflict(now);
        let hosts = self.hosts.values_mut().filter(|claim| host_name(&claim.label()) == *name);
        hosts.for_each(|claim| claim.contest(earliest));
        for holder in self.holders.values_mut() {
            if holder.instance_name() == *name {
                holder.claim.contest(earliest);
                holder.standing = Standing::Seeking(holder.seeking().on_vain(now));
            }
        }
        self.tell_conflict(now, name);
    }

    /// A name that is being probed for is somebody else's. RFC 6762 §9.
    pub(super) fn on_lost(&mut self, now: Instant, name: &Name) {
        let earliest = self.contention.on_conflict(now);
        let hosts = self.hosts.values_mut().filter(|claim| host_name(&claim.label()) == *name);
        hosts.for_each(|claim| claim.rename(earliest));
        self.tell_conflict(now, name);
        let is_of_name = |(_, holder): &(&ServiceId, &Holder)| holder.instance_name() == *name;
        let losers: Vec<ServiceId> = self.holders.iter().filter(is_of_name).map(|(id, _)| *id).collect();
        for id in losers {
            let Some(holder) = self.holders.get_mut(&id) else { continue };
            let seeking = holder.seeking();
            let is_rest_due = holder.service.naming == Naming::Hashed || seeking.told;
            holder.standing = if is_rest_due {
                Standing::Resting(seeking.on_lost(now))
            } else {
                Standing::Seeking(seeking.on_vain(now))
            };
            match holder.service.naming {
                Naming::Hashed => holder.claim.contest(earliest),
                Naming::Chosen => self.rename(id, earliest),
            }
        }
    }

    /// Somebody else probes for the same name and goes first: when to try again. RFC 6762 §8.2.
    pub(super) fn on_defeat(&mut self, now: Instant, name: &Name) -> Instant {
        let holder = self.holders.values_mut().find(|holder| holder.instance_name() == *name);
        let is_told = holder.is_some_and(|holder| {
            let seeking = holder.seeking().on_vain(now);
            holder.standing = Standing::Seeking(seeking);
            seeking.told
        });
        now + if is_told { RETRY } else { DEFEAT }
    }

    /// Whether some service has no name yet.
    pub(super) fn is_seeking(&self) -> bool {
        self.holders.values().any(|holder| matches!(holder.standing, Standing::Seeking(_)))
    }

    /// Whether every link that was up has announced the name of a service.
    #[cfg(any(fuzzing, test))]
    pub(super) fn has_name(&self, id: ServiceId) -> bool {
        self.holders.get(&id).is_some_and(|holder| holder.standing == Standing::Named)
    }

    /// Every link has what `is_announced`.
    pub(super) fn settle(&mut self, is_announced: impl Fn(&Name) -> bool) {
        for holder in self.holders.values_mut() {
            if matches!(holder.standing, Standing::Seeking(_)) && is_announced(&holder.instance_name()) {
                holder.standing = Standing::Named;
                holder.tell.remove(&Told::Unnamed);
                if holder.service.naming == Naming::Chosen && holder.claim.tell() {
                    holder.tell.insert(Told::Published);
                }
            }
        }
    }

    /// Time passed. Whether a name is to be tried again.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let mut again = false;
        for holder in self.holders.values_mut() {
            if holder.handle_timeout(now) {
                holder.claim.contest(self.contention.on_retry(now));
                again = true;
            }
        }
        again
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        let (id, holder) = self.holders.iter_mut().find(|(_, holder)| !holder.tell.is_empty())?;
        let (service, instance) = (*id, holder.claim.label());
        Some(match holder.tell.pop_first()? {
            Told::Conflict => Event::Conflict(service),
            Told::Renamed => Event::Renamed { service, instance },
            Told::Published => Event::Published { service, instance },
            Told::Unnamed => Event::Unnamed { service },
        })
    }

    pub(super) fn has_event(&self) -> bool {
        self.holders.values().any(|holder| !holder.tell.is_empty())
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.holders.values().filter_map(Holder::next_at).min()
    }

    /// How full its tables are.
    pub(super) fn tables(&self) -> [Table; 3] {
        [
            Table::new("mdns: services", self.holders.len(), MAX_SERVICES),
            Table::new("mdns: own hosts", self.hosts.len(), MAX_SERVICES),
            self.contention.table(),
        ]
    }

    /// Of two services of ours with one name, the one that came later takes another; a hash stays.
    fn part(&mut self, id: ServiceId) {
        let name = self.holders[&id].instance_name();
        let others =
            self.holders.iter().filter(|(other, holder)| **other != id && holder.instance_name() == name);
        let others: Vec<ServiceId> = others.map(|(id, _)| *id).collect();
        let losers = match self.holders[&id].service.naming {
            Naming::Chosen if others.is_empty() => Vec::new(),
            Naming::Chosen => vec![id],
            Naming::Hashed => others,
        };
        for loser in losers {
            if self.holders[&loser].service.naming == Naming::Chosen {
                self.rename(loser, None);
            }
        }
    }

    /// Takes the next name that no other service of ours has.
    fn rename(&mut self, id: ServiceId, earliest: Option<Instant>) {
        let others = self.holders.iter().filter(|(other, _)| **other != id);
        let taken: BTreeSet<Name> = others.map(|(_, holder)| holder.instance_name()).collect();
        let Some(holder) = self.holders.get_mut(&id) else { return };
        holder.claim.rename(earliest);
        while taken.contains(&holder.instance_name()) {
            holder.claim.rename(earliest);
        }
        holder.tell.remove(&Told::Published);
        holder.tell.insert(Told::Renamed);
    }

    fn tell_conflict(&mut self, now: Instant, name: &Name) {
        for holder in self.holders.values_mut() {
            let is_host =
                self.hosts.get(&holder.service.host).is_some_and(|c| host_name(&c.label()) == *name);
            let is_old = holder.conflict_told.is_none_or(|last| now >= last + CONFLICT_GAP);
            if holder.service.naming == Naming::Hashed
                && is_old
                && (is_host || holder.instance_name() == *name)
            {
                holder.conflict_told = Some(now);
                holder.tell.insert(Told::Conflict);
            }
        }
    }

    fn drop_hosts(&mut self) {
        let holders = &self.holders;
        self.hosts.retain(|label, _| holders.values().any(|holder| holder.service.host == *label));
    }
}
