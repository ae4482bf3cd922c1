//! What a response means for a link: which records matter, what is seen by them, what is still to be asked.
//! RFC 6762 §6, §9, §10.
//!
//! Never sends: it changes what is due.

use super::{Clash, LinkState, address, is_protected, target};
use crate::mdns::browse::{Cached, Purpose};
use crate::mdns::cache::{Kept, Upkeep};
use crate::mdns::name::Name;
use crate::mdns::presence::{Sight, View};
use crate::mdns::records::{Data, Record, Share, Ttl, Type};
use crate::mdns::scope::{Scope, Turn};
use crate::mdns::service::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// What a response brought.
#[derive(Debug, Default)]
struct Heard<'a> {
    /// Instances of which something is new.
    fresh: BTreeSet<Name>,
    /// What says that the older of its name and type is wrong.
    unique: Vec<&'a Record>,
    /// What was said of an instance that is needed, and is now said not to be so.
    denied: BTreeSet<(Name, Type)>,
}

impl LinkState {
    /// Takes a response of `source`; returns our names that somebody else uses.
    pub(in crate::mdns) fn handle_response(
        &mut self,
        turn: &mut Turn<'_>,
        (own, source): (bool, IpAddr),
        records: &[Record],
    ) -> BTreeMap<Name, Clash> {
        let clashes = self.handle_own_names(turn, own, records);
        let is_of_host = |record: &&Record| record.data.kind().is_about_host();
        // Addresses last: which hosts matter is said by SRV, which may come after them.
        let others = records.iter().filter(|record| !is_of_host(record));
        let mut heard = Heard { unique: Vec::with_capacity(records.len()), ..Heard::default() };
        for record in others.chain(records.iter().filter(is_of_host)) {
            if self.matters(turn.scope, record) {
                self.keep(turn, (record, source), &mut heard);
            }
        }
        // Only what was not said again in the same breath is superseded. RFC 6762 §10.2.
        let mut unique = std::mem::take(&mut heard.unique);
        unique.dedup_by(|b, a| a.name == b.name && a.data.kind() == b.data.kind());
        for record in unique {
            if self.cache.flush(turn.now, &record.name, record.data.kind()) {
                self.deny(turn.scope, record, &mut heard);
            }
        }
        for instance in heard.fresh {
            self.follow_up(turn, &instance, source);
            self.changed.insert(instance);
        }
        for (name, kind) in heard.denied {
            self.ask_anew(turn, &name, kind);
        }
        clashes
    }

    /// Asks for whatever is missing of an instance that somebody needs, and keeps the rest.
    pub(in crate::mdns) fn pursue(&mut self, turn: &mut Turn<'_>, instance: &Name) {
        let hosts: Vec<Name> = self.cache.get(instance, Type::SRV).filter_map(target).cloned().collect();
        for kind in [Type::SRV, Type::TXT] {
            self.cache.keep_fresh(turn.now, instance, kind, turn.rng);
        }
        for host in hosts {
            for kind in [Type::A, Type::AAAA] {
                self.cache.keep_fresh(turn.now, &host, kind, turn.rng);
            }
        }
        self.ask_for_missing(turn, instance, Purpose::Wanted);
    }

    /// Asks for the rest of an instance that was announced in part.
    fn follow_up(&mut self, turn: &mut Turn<'_>, instance: &Name, source: IpAddr) {
        let cached = if self.cache.is_full() { Cached::Full } else { Cached::Loosely };
        if turn.scope.resolving.contains_key(instance) {
            self.pursue(turn, instance);
        } else if self.queries.may_follow_up(source, cached) {
            self.ask_for_missing(turn, instance, Purpose::FollowUp(source));
        }
    }

    fn ask_for_missing(&mut self, turn: &mut Turn<'_>, instance: &Name, purpose: Purpose) {
        for kind in [Type::SRV, Type::TXT] {
            let is_known = self.cache.get(instance, kind).next().is_some();
            let is_denied = self.denies(instance, kind);
            self.settle_series(turn, (instance, kind), purpose, is_known || is_denied);
        }
        if let Some(host) = self.host_of(instance) {
            let kinds = [Type::A, Type::AAAA];
            let is_known = kinds.iter().any(|kind| self.cache.get(&host, *kind).next().is_some());
            for kind in kinds {
                let is_denied = self.denies(&host, kind);
                self.settle_series(turn, (&host, kind), purpose, is_known || is_denied);
            }
        }
    }

    fn settle_series(
        &mut self,
        turn: &mut Turn<'_>,
        (name, kind): (&Name, Type),
        purpose: Purpose,
        known: bool,
    ) {
        match (known, purpose) {
            (false, _) => self.queries.want(turn.now, name, kind, purpose, turn.rng),
            (true, Purpose::Wanted) => self.queries.on_answered(name, kind),
            (true, Purpose::Doubt | Purpose::FollowUp(_)) => self.queries.drop(name, kind),
        }
    }

    /// Whether the owner of a name says that it has no such record. RFC 6762 §6.1.
    fn denies(&self, name: &Name, kind: Type) -> bool {
        self.cache.get(name, Type::NSEC).any(|data| match data {
            Data::Nsec(types) => !types.contains(kind),
            Data::A(_) | Data::Aaaa(_) | Data::Ptr(_) | Data::Srv(_) | Data::Txt(_) => false,
        })
    }

    /// Whether somebody here may want a record.
    fn matters(&self, scope: &Scope, record: &Record) -> bool {
        let name = &record.name;
        if scope.is_own_name(name) {
            return false;
        }
        match &record.data {
            Data::Ptr(instance) => scope.seeks(name, instance) && !scope.is_own_name(instance),
            Data::Srv(srv) => {
                scope.is_wanted_instance(name) && srv.port != 0 && !scope.is_own_name(&srv.target)
            }
            Data::Txt(_) => scope.is_wanted_instance(name),
            Data::Nsec(_) => {
                let has = |kind| self.cache.get(name, kind).next().is_some();
                scope.is_wanted_instance(name) || self.is_host(name) || has(Type::A) || has(Type::AAAA)
            }
            // Of any host: which service is there may be said later, and the addresses not again.
            Data::A(ip) => self.is_usable(IpAddr::V4(*ip)),
            Data::Aaaa(ip) => self.is_usable(IpAddr::V6(*ip)),
        }
    }

    /// Whether an address may be dialled on this link.
    fn is_usable(&self, ip: IpAddr) -> bool {
        let is_broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
        let is_misplaced = ip.is_loopback() && !self.link.is_loopback();
        !(ip.is_unspecified() || ip.is_multicast() || is_broadcast || is_misplaced)
    }

    fn keep<'a>(
        &mut self,
        turn: &mut Turn<'_>,
        (record, source): (&'a Record, IpAddr),
        heard: &mut Heard<'a>,
    ) {
        let (name, kind) = (&record.name, record.data.kind());
        let protect = is_protected(turn.scope);
        let upkeep = match self.is_needed(turn.scope, name, &record.data) {
            true => Upkeep::Fresh,
            false => Upkeep::Lapse,
        };
        let kept = self.cache.insert(turn.now, (record, upkeep, source), turn.rng, protect);
        if let Some((name, data)) = self.cache.take_evicted() {
            turn.stats.records_evicted += 1;
            self.handle_expired(turn, &name, &data);
        }
        let is_goodbye = record.ttl == Ttl::GOODBYE;
        let is_unique = record.share == Share::Unique && !is_goodbye;
        if is_unique {
            heard.unique.push(record);
        }
        if is_goodbye && kept == Kept::Known {
            self.deny(turn.scope, record, heard);
        }
        match kept {
            Kept::New => heard.fresh.extend(self.instances_of(name, &record.data)),
            Kept::Known if is_unique => self.queries.on_confirmed(name, kind),
            Kept::Known | Kept::No => {}
        }
    }

    /// A record of an instance is said not to be so. Anybody can forge that, and it ends in a second: who is needed
    /// shall say where he is himself.
    fn deny(&self, scope: &Scope, record: &Record, heard: &mut Heard<'_>) {
        let (name, kind) = (&record.name, record.data.kind());
        if ![Type::TXT, Type::NSEC].contains(&kind)
            && self.instances_of(name, &record.data).iter().any(|i| scope.resolving.contains_key(i))
        {
            heard.denied.insert((name.clone(), kind));
        }
    }

    pub(super) fn handle_expired(&mut self, turn: &mut Turn<'_>, name: &Name, data: &Data) {
        if let Some(host) = target(data)
            && self.cache.instances_at(host).is_empty()
        {
            self.drop_host(host);
        }
        for instance in self.instances_of(name, data) {
            if turn.scope.resolving.contains_key(&instance) {
                self.pursue(turn, &instance);
            }
            self.changed.insert(instance);
        }
    }

    pub(super) fn drop_host(&mut self, host: &Name) {
        for kind in [Type::A, Type::AAAA] {
            self.queries.drop(host, kind);
        }
    }

    /// The instances that a record is about.
    pub(super) fn instances_of(&self, name: &Name, data: &Data) -> Vec<Name> {
        match data {
            Data::Ptr(instance) => vec![instance.clone()],
            Data::Srv(_) | Data::Txt(_) => vec![name.clone()],
            Data::A(_) | Data::Aaaa(_) => self.cache.instances_at(name).to_vec(),
            // Of a host, or of an instance.
            Data::Nsec(_) => {
                let itself = self.cache.get(name, Type::SRV).next().map(|_| name);
                self.cache.instances_at(name).iter().chain(itself).cloned().collect()
            }
        }
    }

    /// Whether a record shall not be let expire: SRV and addresses only of who is needed, lest a thousand
    /// peers refresh each other for ever.
    pub(super) fn is_needed(&self, scope: &Scope, name: &Name, data: &Data) -> bool {
        match data {
            Data::Ptr(_) => scope.browses(name),
            Data::Srv(_) | Data::Txt(_) => scope.resolving.contains_key(name),
            Data::A(_) | Data::Aaaa(_) => {
                self.cache.instances_at(name).iter().any(|instance| scope.resolving.contains_key(instance))
            }
            Data::Nsec(_) => false,
        }
    }

    /// What is seen of an instance, as each kind that is browsed or resolved and may have it.
    pub(in crate::mdns) fn sights(&self, scope: &Scope, instance: &Name) -> Vec<(Kind, Sight)> {
        let resolved = scope.resolving.get(instance).map(|(base, _)| base);
        let unbrowsed = resolved.filter(|base| !scope.browses(base.name()));
        let kinds = scope.kinds_of(instance).cloned().chain(unbrowsed.cloned().map(Kind::from));
        let place = self.place_of(instance);
        let sight = |kind: &Kind| {
            let is_resolved = kind.is_whole() && resolved.is_some();
            match (&place, is_resolved, self.cache.points(kind.name(), instance)) {
                (_, false, false) | (Place::Nowhere, true, false) => Sight::Gone,
                (Place::Nowhere, _, true) | (Place::Unreachable, ..) => Sight::Partial,
                (Place::At(view), ..) => Sight::Whole(view.clone()),
            }
        };
        kinds.map(|kind| (kind.clone(), sight(&kind))).collect()
    }

    fn place_of(&self, instance: &Name) -> Place {
        let srv = self.cache.newest(instance, Type::SRV).and_then(|data| match data {
            Data::Srv(srv) => Some(srv),
            Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Ptr(_) | Data::Txt(_) => None,
        });
        let Some(srv) = srv else { return Place::Nowhere };
        let of = |kind| self.cache.get(&srv.target, kind);
        let addresses: Vec<IpAddr> = of(Type::A).chain(of(Type::AAAA)).filter_map(address).collect();
        if addresses.is_empty() {
            return Place::Unreachable;
        }
        let txt = self.cache.newest(instance, Type::TXT).and_then(|data| match data {
            Data::Txt(txt) => Some(txt.clone()),
            Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Ptr(_) | Data::Srv(_) => None,
        });
        let Some(source) = self.cache.source(instance, Type::SRV) else { return Place::Nowhere };
        Place::At(View { source, host: srv.target.clone(), port: srv.port, addresses, txt })
    }
}

/// Where the records of an instance say that it is.
#[derive(Debug)]
enum Place {
    /// None says on what host.
    Nowhere,
    /// On a host without a known address.
    Unreachable,
    At(View),
}
