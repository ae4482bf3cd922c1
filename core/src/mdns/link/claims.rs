//! The names that are ours, or shall be, on one link: what others say of them. RFC 6762 §6.6, §8, §9, §14.
//!
//! Never decides which name comes next: that is the same for all links.

use super::{LinkState, write};
use crate::mdns::announce::MULTICAST_GAP;
use crate::mdns::guard::Proposal;
use crate::mdns::name::Name;
use crate::mdns::parse::Query;
use crate::mdns::records::{Data, Question, Record, Share, Ttl, Type};
use crate::mdns::scope::{Scope, Turn};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Somebody says that our record ends soon: we say otherwise. RFC 6762 §6.6.
const CORRECTION_MIN: Duration = Duration::from_millis(20);
const CORRECTION_MAX: Duration = Duration::from_millis(120);

/// Somebody else uses a name of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::mdns) enum Clash {
    /// One that we have, with other data: who may keep it is to be found out. RFC 6762 §9.
    Contested,
    /// One that we probe for: it is his. RFC 6762 §8.1.
    Lost,
}

/// What a record says of a name that we have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Nothing that matters.
    Nothing,
    /// Other data where ours alone should be.
    Other,
}

impl LinkState {
    /// The services changed, or their names, or the addresses.
    pub(in crate::mdns) fn publish(&mut self, turn: &mut Turn<'_>) {
        let scope = turn.scope;
        self.probes.retain(|name| scope.probed.contains_key(name));
        for (name, earliest) in &scope.probed {
            if !self.owned.holds(name) && !self.probes.contains(name) {
                self.probes.begin(turn.now, name, *earliest, turn.rng);
            }
        }
        let (probes, addresses) = (&self.probes, &self.link.addresses);
        self.owned.publish(turn.now, scope.published(), addresses, |name| probes.contains(name));
    }

    /// Probes for a name that we had.
    pub(in crate::mdns) fn verify(&mut self, turn: &mut Turn<'_>, name: &Name) {
        if self.owned.holds(name) {
            self.owned.hold_back(name);
            let earliest = turn.scope.probed.get(name).copied().flatten();
            self.probes.begin(turn.now, name, earliest, turn.rng);
        }
    }

    /// Probes for all names that somebody else may have: after a sleep, in which he may have come. RFC 6762 §8.
    pub(super) fn verify_all(&mut self, turn: &mut Turn<'_>) {
        for name in turn.scope.probed.keys() {
            self.verify(turn, name);
        }
    }

    /// Somebody else has a name: what we said of it is no longer ours to take back.
    pub(in crate::mdns) fn disown(&mut self, name: &Name) {
        self.owned.disown(name);
    }

    /// Whether an own name was announced here.
    pub(in crate::mdns) fn has_announced(&self, name: &Name) -> bool {
        self.owned.has_announced(name)
    }

    /// The probes that are due. RFC 6762 §8.1.
    pub(super) fn take_probes(&mut self, now: Instant) -> Option<Vec<Vec<u8>>> {
        let names = self.probes.take_due(now);
        let want = self.probes.want();
        let claim = |name: Name| {
            let proposed = self.owned.proposed(&name).collect();
            (Question { name, kind: Type::ANY, want }, proposed)
        };
        let claims: Vec<(Question, Vec<Record>)> = names.into_iter().map(claim).collect();
        (!claims.is_empty()).then(|| write::probe(self.link.family, &claims))
    }

    /// The names for which another query probes as well as we do, and goes first. RFC 6762 §8.2, §8.2.1.
    pub(in crate::mdns) fn probed_as_well(
        &self,
        scope: &Scope,
        query: &Query,
        proposals: impl Fn(&Name) -> Vec<Proposal>,
    ) -> Vec<Name> {
        let is_ours = |proposal: &Proposal| proposal.address().is_some_and(|ip| scope.own_ips.contains(&ip));
        let names = query.questions.iter().map(|question| &question.name);
        // Each name once, however often it is asked for.
        let live: BTreeSet<&Name> = names.filter(|name| self.probes.is_live(name)).collect();
        let goes_first = |name: &&Name| {
            let theirs = proposals(name);
            let mut ours: Vec<Proposal> =
                self.owned.proposed(name).map(|record| Proposal::of(&record)).collect();
            ours.sort();
            // A bridge carries what another interface of ours probes for. RFC 6762 §14.
            theirs > ours && !theirs.iter().all(is_ours)
        };
        live.into_iter().filter(goes_first).cloned().collect()
    }

    /// What a response says of names of ours.
    pub(super) fn handle_own_names(
        &mut self,
        turn: &mut Turn<'_>,
        own: bool,
        records: &[Record],
    ) -> BTreeMap<Name, Clash> {
        let scope = turn.scope;
        let says_ours =
            |record: &&Record| scope.hosts.contains(&record.name) && is_own_address(scope, &record.data);
        let ours: BTreeSet<&Name> = records.iter().filter(says_ours).map(|record| &record.name).collect();
        let mut clashes = BTreeMap::new();
        for record in records.iter().filter(|record| is_about_us(scope, record)) {
            let name = &record.name;
            if self.probes.contains(name) {
                // Another interface of ours has other addresses, and other types. Another program on this machine
                // has other hosts.
                let is_ours = scope.hosts.contains(name) && (own || ours.contains(name));
                if self.is_taken_by(record) && !is_ours {
                    clashes.insert(name.clone(), Clash::Lost);
                }
            } else if self.hear(turn, record) == Heard::Other && !own {
                clashes.insert(name.clone(), Clash::Contested);
            }
        }
        clashes
    }

    /// Whether a record shows that a name that we probe for is somebody else's, whatever its type. Who says the
    /// same is ourselves, or somebody who helps us. RFC 6762 §8.1, §9.
    fn is_taken_by(&self, record: &Record) -> bool {
        self.probes.is_live(&record.name) && record.ttl != Ttl::GOODBYE && !self.owned.proposes(record)
    }

    /// Somebody speaks of what we speak of.
    fn hear(&mut self, turn: &mut Turn<'_>, record: &Record) -> Heard {
        let kind = record.data.kind();
        let mut heard = Heard::Nothing;
        for set in self.owned.sets.iter_mut().filter(|set| set.name == record.name && set.kind() == kind) {
            if set.data.contains(&record.data) {
                if record.ttl >= set.ttl() {
                    turn.stats.answers_suppressed += u64::from(set.drop_answer(turn.now));
                } else if record.ttl.0 < set.ttl().0 / 2 {
                    let delay = turn.rng.between(CORRECTION_MIN, CORRECTION_MAX);
                    set.answer_in(turn.now, delay, MULTICAST_GAP);
                }
                return Heard::Nothing;
            }
            if record.ttl == Ttl::GOODBYE || set.share == Share::Shared {
                continue;
            }
            if is_own_address(turn.scope, &record.data) {
                // A bridge carries what another interface of ours says, and what we say here is forgotten in a
                // second unless it was said just now. RFC 6762 §14.
                if record.share == Share::Unique && set.may_multicast(turn.now) {
                    set.answer_in(turn.now, Duration::ZERO, MULTICAST_GAP);
                }
                continue;
            }
            // Another interface may have other types.
            if kind != Type::NSEC {
                heard = Heard::Other;
            }
        }
        heard
    }
}

/// Whether a record may be one of ours, or speaks of a name of ours. Most are neither.
fn is_about_us(scope: &Scope, record: &Record) -> bool {
    match &record.data {
        Data::Ptr(target) if scope.listed.contains(&record.name) => {
            scope.own_names.contains(target) || scope.listed.contains(target)
        }
        Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Ptr(_) | Data::Srv(_) | Data::Txt(_) => {
            scope.own_names.contains(&record.name)
        }
    }
}

fn is_own_address(scope: &Scope, data: &Data) -> bool {
    match data {
        Data::A(ip) => scope.own_ips.contains(&IpAddr::V4(*ip)),
        Data::Aaaa(ip) => scope.own_ips.contains(&IpAddr::V6(*ip)),
        Data::Nsec(_) | Data::Ptr(_) | Data::Srv(_) | Data::Txt(_) => false,
    }
}
