//! One socket, that is one interface and family, with all its state. RFC 6762 §14.
//!
//! Joins the parts: what came in goes to the responder, the cache and the series of questions; what is due
//! becomes datagrams. Never judges whether a datagram may be believed: `mdns` does that first.

use super::announce::Owned;
use super::browse::{Purpose, Queries};
use super::cache::{Cache, Due};
use super::direct::Direct;
use super::name::Name;
use super::others::Others;
use super::parse::Query;
use super::probe::Probes;
use super::records::{Data, Question, Record, Share, Ttl, Type, Want};
use super::respond::{Asker, Replies, Waited};
use super::scope::{Scope, Turn};
use super::service::{Kind, ServiceType};
use super::suppress::{Echoes, Held};
use super::write;
use crate::id::SocketId;
use crate::io::{Deadline, Family, InterfaceAddr, Reason, Transmit};
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Instant;

mod claims;
mod listen;
mod tables;

pub(super) use claims::Clash;

pub(super) use tables::TABLES;

/// Where mDNS listens, and whence it speaks. RFC 6762 §3, §5.2.
pub(super) const PORT: u16 = 5353;
pub(super) const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
pub(super) const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// Known answers in one query. Further ones are answered needlessly.
const MAX_KNOWN_ANSWERS: usize = 1024;
/// A socket for mDNS that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The socket: port 5353, one interface, one family.
    pub(crate) socket: SocketId,
    /// Its family.
    pub(crate) family: Family,
    /// The interface's index.
    pub(crate) interface: u32,
    /// All addresses of the interface, of both families: they are announced together. RFC 6762 §6.2.
    pub(crate) addresses: Vec<InterfaceAddr>,
    /// Whether somebody else had the port first, so that unicasts may go to him. RFC 6762 §15.1.
    pub(crate) shares_port: bool,
}

impl Link {
    fn is_loopback(&self) -> bool {
        self.addresses.iter().any(|address| address.ip.is_loopback())
    }

    /// The source of its multicasts: of IPv6, a link-local one is best.
    fn source(&self) -> Option<IpAddr> {
        let own =
            || self.addresses.iter().map(|address| address.ip).filter(|ip| Family::of(*ip) == self.family);
        let link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        own().find(link_local).or_else(|| own().next())
    }

    fn group(&self) -> SocketAddr {
        match self.family {
            Family::V4 => SocketAddr::new(GROUP_V4.into(), PORT),
            Family::V6 => SocketAddrV6::new(GROUP_V6, PORT, 0, self.interface).into(),
        }
    }

    /// Whether a sender is on this link. RFC 6762 §11.
    pub(super) fn reaches(&self, ip: IpAddr) -> bool {
        let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        link_local || self.addresses.iter().any(|address| address.contains(ip))
    }
}

/// A link and what is going on there.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) link: Link,
    owned: Owned,
    pub(super) probes: Probes,
    replies: Replies,
    held: Held,
    pub(super) echoes: Echoes,
    pub(super) cache: Cache,
    pub(super) queries: Queries,
    others: Others,
    outbox: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Instances of which something changed.
    changed: BTreeSet<Name>,
}

impl LinkState {
    pub(super) fn new(turn: &mut Turn<'_>, link: Link, max_records: usize) -> Self {
        let direct = if link.is_loopback() || link.shares_port { Direct::MayMiss } else { Direct::Reach };
        let mut state = Self {
            link,
            owned: Owned::default(),
            probes: Probes::new(direct),
            replies: Replies::default(),
            held: Held::default(),
            echoes: Echoes::default(),
            cache: Cache::new(max_records),
            queries: Queries::new(turn.now, direct),
            others: Others::default(),
            outbox: VecDeque::new(),
            changed: BTreeSet::new(),
        };
        state.publish(turn);
        let scope = turn.scope;
        for name in scope.browsing.keys() {
            state.queries.want(turn.now, name, Type::PTR, Purpose::Wanted, turn.rng);
        }
        for instance in scope.resolving.keys() {
            state.pursue(turn, instance);
        }
        state
    }

    pub(super) fn handle_addresses(&mut self, turn: &mut Turn<'_>, addresses: Vec<InterfaceAddr>) {
        self.link.addresses = addresses;
        self.publish(turn);
    }

    /// Everybody may have forgotten us, and we may know what is no longer so: after a sleep.
    pub(super) fn handle_wake(&mut self, turn: &mut Turn<'_>) {
        self.owned.announce_all(turn.now);
        self.verify_all(turn);
        self.cache.doubt(turn.now, |_, _| true);
        self.queries.restart(turn.now, turn.rng);
    }

    /// Somebody found an instance not to be where it says: it must say so again, or is gone. RFC 6762 §10.4.
    pub(super) fn reconfirm(&mut self, turn: &mut Turn<'_>, base: &ServiceType, instance: &Name) {
        let host = self.host_of(instance);
        let is_doubtful = |name: &Name, data: &Data| match data {
            Data::Ptr(target) => target == instance,
            Data::Srv(_) | Data::Txt(_) => name == instance,
            Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) => host.as_ref() == Some(name),
        };
        if !self.cache.doubt(turn.now, is_doubtful) {
            return;
        }
        // Who answers for the pointer adds all the rest.
        let scope = turn.scope;
        let pointing = scope.kinds_of(instance).map(Kind::name).filter(|kind| *kind != base.name());
        let pointing: Vec<&Name> = pointing.filter(|kind| self.cache.points(kind, instance)).collect();
        let pointers = std::iter::once(base.name()).chain(pointing).map(|kind| (kind, Type::PTR));
        for (name, kind) in pointers.chain([(instance, Type::SRV)]) {
            self.ask_anew(turn, name, kind);
        }
    }

    fn ask_anew(&mut self, turn: &mut Turn<'_>, name: &Name, kind: Type) {
        if self.queries.is_asking(name, kind) || self.queries.may_doubt() {
            self.queries.ask_anew(turn.now, name, kind, turn.rng);
        }
    }

    pub(super) fn handle_query(
        &mut self,
        turn: &mut Turn<'_>,
        from: SocketAddr,
        asker: Asker,
        mut query: Query,
    ) {
        let (owned, cache) = (&self.owned, &self.cache);
        // Whoever knows us knows nothing that we need to ask for, unless we don't know him: he does not answer
        // himself.
        let knows = |known: &Record| match owned.says(known) {
            true => cache.is_pointed_by(&known.name, from.ip()),
            false => cache.knows(turn.now, known),
        };
        let spared = self.others.on_query(turn.now, (from, &query), &mut self.queries, knows, turn.rng);
        turn.stats.questions_suppressed += spared;
        for question in query.questions.iter().filter(|question| question.want == Want::Multicast) {
            // Of a truncated query the known answers are yet to come.
            if asker.hears_multicasts() && self.link.reaches(from.ip()) && !query.truncated {
                self.observe(turn, from.ip(), question, &query.known);
            }
        }
        // What he knows of others saves us no answer, and on a large LAN it is nearly all.
        query.known.retain(|known| self.owned.says(known));
        if let Some(query) = self.held.on_query(turn.now, from, asker, query, turn.rng) {
            let by = (from, asker, Waited::No);
            let known = self.replies.on_query(turn.now, &mut self.owned, &query, by, turn.rng);
            turn.stats.answers_suppressed += known;
        }
    }

    /// Somebody asked all: who knows better than we do answers now, or is gone. RFC 6762 §10.5.
    fn observe(&mut self, turn: &mut Turn<'_>, asker: IpAddr, question: &Question, known: &[Record]) {
        let protect = is_protected(turn.scope);
        let asked = (&question.name, question.kind);
        let disputed = self.cache.on_foreign(turn.now, asker, asked, known, protect);
        for (name, data) in disputed {
            for instance in self.instances_of(&name, &data) {
                // What backs a peer that is needed is asked for before it goes: anybody can forge a question.
                if let Some((base, _)) = turn.scope.resolving.get(&instance) {
                    self.reconfirm(turn, base, &instance);
                }
            }
        }
    }

    pub(super) fn handle_timeout(&mut self, turn: &mut Turn<'_>) {
        for name in self.probes.take_won(turn.now) {
            self.owned.release(turn.now, &name);
        }
        while let Some(due) = self.cache.poll(turn.now, turn.rng) {
            match due {
                Due::Expired(name, data) => self.handle_expired(turn, &name, &data),
                Due::Refresh(name, data) => {
                    if self.is_needed(turn.scope, &name, &data) {
                        self.queries.refresh(turn.now, &name, data.kind());
                    }
                }
            }
        }
        while let Some((from, asker, query)) = self.held.take_due(turn.now) {
            let by = (from, asker, Waited::Yes);
            let known = self.replies.on_query(turn.now, &mut self.owned, &query, by, turn.rng);
            turn.stats.answers_suppressed += known;
        }
    }

    pub(super) fn poll_transmit(&mut self, turn: &mut Turn<'_>, buf: &mut Vec<u8>) -> Option<Transmit> {
        let source = self.link.source()?;
        if self.outbox.is_empty() {
            self.fill_outbox(turn);
        }
        let (destination, datagram) = self.outbox.pop_front()?;
        if destination == self.link.group() {
            self.echoes.on_sent(turn.now, &datagram);
        }
        turn.stats.on_sent(&datagram);
        buf.extend_from_slice(&datagram);
        let socket = self.link.socket;
        Some(Transmit { socket, destination, source: Some(source), ecn: None, segment_size: None })
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let can_send = self.can_send();
        let sends = [
            (self.owned.announce_at(), Reason::MdnsAnnounce),
            (self.owned.answer_at(), Reason::MdnsRespond),
            (self.replies.next_at(), Reason::MdnsRespond),
            (self.probes.next_at(), Reason::MdnsProbe),
            (self.queries.next_at(), Reason::MdnsQuery),
        ];
        let waits = [(self.held.next_at(), Reason::MdnsRespond), (self.cache.next_at(), Reason::MdnsCache)];
        let sends = sends.into_iter().filter(|_| can_send);
        let deadline = |(at, reason): (Option<Instant>, Reason)| at.map(|at| Deadline { at, reason });
        sends.chain(waits).filter_map(deadline).min()
    }

    /// Whether it has an address to speak from.
    pub(super) fn can_send(&self) -> bool {
        self.link.source().is_some()
    }

    /// Whether nothing that was withdrawn waits to be said.
    pub(super) fn is_drained(&self) -> bool {
        !self.can_send() || (self.owned.is_drained() && self.outbox.is_empty())
    }

    /// The instances of which something changed.
    pub(super) fn take_changed(&mut self) -> BTreeSet<Name> {
        std::mem::take(&mut self.changed)
    }

    /// Whether a host's name is that of an instance here.
    pub(super) fn is_host(&self, name: &Name) -> bool {
        !self.cache.instances_at(name).is_empty()
    }

    /// Forgets a kind that nobody browses any more, and what is known of its instances unless some other kind
    /// that is browsed may have them.
    pub(super) fn stop_browse(&mut self, scope: &Scope, kind: &Kind) {
        self.queries.drop(kind.name(), Type::PTR);
        self.cache.forget(|name, _| {
            name == kind.name() || (name.is_child_of(kind.base().name()) && !scope.is_wanted_instance(name))
        });
    }

    /// Nobody needs the instance kept fresh any more.
    pub(super) fn stop_resolve(&mut self, instance: &Name) {
        for kind in [Type::SRV, Type::TXT] {
            self.queries.drop(instance, kind);
        }
        let hosts = self.cache.get(instance, Type::SRV).filter_map(target).cloned();
        for host in hosts.collect::<Vec<_>>() {
            self.drop_host(&host);
        }
        self.changed.insert(instance.clone());
    }

    fn host_of(&self, instance: &Name) -> Option<Name> {
        self.cache.newest(instance, Type::SRV).and_then(target).cloned()
    }

    /// Turns whatever is due next into datagrams: goodbyes, announcements and answers, replies, probes, questions.
    fn fill_outbox(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        let (family, group) = (self.link.family, self.link.group());
        if let Some(message) = self.owned.take_due(now) {
            turn.stats.announcements += message.announced;
            let goodbyes = message.answers.iter().filter(|record| record.ttl == Ttl::GOODBYE);
            turn.stats.goodbyes += goodbyes.count() as u64;
            let datagrams = write::response(family, &message.answers, &message.additional);
            self.outbox.extend(datagrams.into_iter().map(|datagram| (group, datagram)));
        } else if let Some(reply) = self.replies.take_due(now) {
            self.outbox.extend(reply.datagrams(family).into_iter().map(|datagram| (reply.to, datagram)));
        } else if let Some(datagrams) = self.take_probes(now) {
            self.outbox.extend(datagrams.into_iter().map(|datagram| (group, datagram)));
        } else {
            let questions = self.queries.take_due(now, turn.rng);
            if questions.is_empty() {
                return;
            }
            let known: Vec<Record> =
                questions.iter().flat_map(|q| self.known_answers(turn.scope, now, q)).collect();
            let known = &known[..known.len().min(MAX_KNOWN_ANSWERS)];
            let datagrams = write::query(family, &questions, known);
            self.outbox.extend(datagrams.into_iter().map(|datagram| (group, datagram)));
        }
    }

    /// Without the cache-flush bit. RFC 6762 §7.1, §10.2.
    ///
    /// What we said ourselves is among them where the machine has another interface, which may be on the same
    /// link: nobody there can tell who said it from who asks, and nobody answers his own question. RFC 6762 §10.5.
    fn known_answers<'a>(
        &'a self,
        scope: &Scope,
        now: Instant,
        question: &'a Question,
    ) -> impl Iterator<Item = Record> + 'a {
        let record = |(data, ttl): (&Data, Ttl)| Record {
            name: question.name.clone(),
            ttl,
            share: Share::Shared,
            data: data.clone(),
        };
        let is_ours = |ip: &IpAddr| self.link.addresses.iter().any(|address| address.ip == *ip);
        let has_others = scope.own_ips.iter().any(|ip| Family::of(*ip) == self.link.family && !is_ours(ip));
        let of_ours = self.owned.sets.iter().filter(move |set| {
            has_others && (&set.name, set.kind(), set.share) == (&question.name, question.kind, Share::Shared)
        });
        let own = of_ours.flat_map(|set| set.data.iter().map(|data| (data, set.ttl())));
        self.cache.known(now, &question.name, question.kind).chain(own).map(record)
    }
}

/// What a cache never gives up for what is new: what is said of instances that are needed.
fn is_protected(scope: &Scope) -> impl Fn(&Name, &Data, &[Name]) -> bool {
    let resolving = &scope.resolving;
    |name, data, at_host| match data {
        Data::Ptr(instance) => resolving.contains_key(instance),
        Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Srv(_) | Data::Txt(_) => {
            resolving.contains_key(name) || at_host.iter().any(|name| resolving.contains_key(name))
        }
    }
}

fn target(data: &Data) -> Option<&Name> {
    match data {
        Data::Srv(srv) => Some(&srv.target),
        Data::A(_) | Data::Aaaa(_) | Data::Nsec(_) | Data::Ptr(_) | Data::Txt(_) => None,
    }
}

fn address(data: &Data) -> Option<IpAddr> {
    match data {
        Data::A(ip) => Some(IpAddr::V4(*ip)),
        Data::Aaaa(ip) => Some(IpAddr::V6(*ip)),
        Data::Nsec(_) | Data::Ptr(_) | Data::Srv(_) | Data::Txt(_) => None,
    }
}
