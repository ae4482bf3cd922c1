//! Finds services on the LAN and announces our own. RFC 6762, RFC 6763.
//!
//! Generic DNS-SD; peers are its first user. Routes what comes in to the link it concerns and turns away what
//! nobody may believe. Never knows what a peer is, nor a connection.

use self::guard::{Concern, Way};
use self::link::{GROUP_V4, GROUP_V6, LinkState, PORT};
use self::parse::Message;
use self::presence::Presence;
use self::records::Type;
use self::respond::Asker;
use self::scope::{Scope, Turn};
use self::ups::Ups;
use crate::id::SocketId;
use crate::io::{Deadline, Family, InterfaceAddr, Received, Transmit};
use crate::rng::Rng;
use crate::table::Table;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tracing::trace;

pub(crate) use self::link::Link;
pub(crate) use self::name::{Label, Name};
pub(crate) use self::service::{Bounds, Dropped, Event, Instance, Limits, Service, ServiceType};

mod announce;
mod browse;
mod cache;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod guard;
mod link;
mod name;
mod parse;
mod presence;
mod records;
mod respond;
mod scope;
mod service;
mod suppress;
mod ups;
mod write;

/// One conflict of a name is reported in this time: anyone on the LAN can forge them.
const CONFLICT_GAP: Duration = Duration::from_secs(60);

/// A node publishes itself, and browses for its like: one service, of one kind.
const MAX_SERVICES: usize = 1;
/// The names of a service: its instance and its host.
const NAMES_A_SERVICE: usize = 2;

/// The engine.
pub(crate) struct Mdns {
    limits: Limits,
    rng: Rng,
    scope: Scope,
    links: BTreeMap<SocketId, LinkState>,
    ups: Ups,
    presence: Presence,
    /// When a conflict of each name of ours was last reported.
    conflicts: BTreeMap<Name, Instant>,
    conflict_events: BTreeSet<Name>,
    dropped: BTreeMap<Dropped, u64>,
    /// The copy of a datagram that the parser sees.
    safe: Vec<u8>,
    /// The latest time that was told; one before it counts as this.
    latest: Option<Instant>,
    next: Next,
}

/// When there is something to do next. A node asks with each of its datagrams, most of which are QUIC's: it
/// is worked out once after each input, and not with each question.
#[derive(Clone, Copy)]
enum Next {
    Known(Option<Deadline>),
    /// Something came in since.
    Unknown,
}

impl Mdns {
    /// An engine without links, which publishes nothing and looks for nothing.
    pub(crate) fn new(limits: Limits, rng: Rng) -> Self {
        Self {
            limits,
            rng,
            scope: Scope::default(),
            links: BTreeMap::new(),
            ups: Ups::default(),
            presence: Presence::default(),
            conflicts: BTreeMap::new(),
            conflict_events: BTreeSet::new(),
            dropped: BTreeMap::new(),
            safe: Vec::new(),
            latest: None,
            next: Next::Unknown,
        }
    }

    /// A socket is open: announces and asks there at once, unless one did so there a moment ago.
    pub(crate) fn handle_link_up(&mut self, now: Instant, link: Link) {
        let now = self.clamp(now);
        let socket = link.socket;
        self.handle_link_down(now, socket);
        let speaks_at = self.ups.on_up(now, link.interface, link.family);
        let mut turn = Turn { now: speaks_at, scope: &self.scope, rng: &mut self.rng };
        self.links.insert(socket, LinkState::new(&mut turn, link, self.limits.cached_records));
        self.collect_own_ips();
    }

    /// The addresses of a link's interface changed: they are announced anew.
    pub(crate) fn handle_link_addresses(
        &mut self,
        now: Instant,
        socket: SocketId,
        addresses: Vec<InterfaceAddr>,
    ) {
        let now = self.clamp(now);
        if let Some(link) = self.links.get_mut(&socket) {
            let mut turn = Turn { now, scope: &self.scope, rng: &mut self.rng };
            link.handle_addresses(&mut turn, addresses);
        }
        self.collect_own_ips();
    }

    /// A socket is closed: what was known through it alone is lost.
    pub(crate) fn handle_link_down(&mut self, now: Instant, socket: SocketId) {
        self.clamp(now);
        self.links.remove(&socket);
        self.presence.remove_link(socket);
        self.collect_own_ips();
    }

    /// The machine slept: announces and asks as if it had just started.
    pub(crate) fn handle_wake(&mut self, now: Instant) {
        self.each_link(now, |link, turn| link.handle_wake(turn));
    }

    /// An instance was found not to be where it says: unless it says so again within 10 s, it is lost.
    pub(crate) fn reconfirm(&mut self, now: Instant, kind: &ServiceType, instance: &Label) {
        let name = kind.instance(instance);
        self.each_link(now, |link, turn| link.reconfirm(turn, kind.name(), &name));
    }

    /// Takes what a socket received.
    pub(crate) fn handle_datagram(&mut self, now: Instant, rx: &Received) {
        let now = self.clamp(now);
        for datagram in rx.payload.chunks(rx.stride.max(1)) {
            if let Err(dropped) = self.handle_message(now, rx, datagram) {
                trace!(?dropped, len = datagram.len(), "mdns datagram dropped");
                *self.dropped.entry(dropped).or_default() += 1;
            }
            self.settle();
        }
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|next| next.at > now) {
            return;
        }
        self.each_link(now, |link, turn| link.handle_timeout(turn));
        self.settle();
    }

    /// Announces a service on every link. One of the same kind and instance is replaced: what differs is
    /// announced anew.
    pub(crate) fn publish(&mut self, now: Instant, service: Service) {
        self.scope.services.retain(|old| old.instance_name() != service.instance_name());
        self.scope.services.push(service);
        self.on_services(now);
    }

    /// Takes all services back; see [`Mdns::is_drained`].
    pub(crate) fn withdraw_all(&mut self, now: Instant) {
        self.scope.services.clear();
        self.on_services(now);
    }

    /// Looks for instances of a kind until told otherwise.
    pub(crate) fn browse(&mut self, now: Instant, kind: ServiceType) {
        if self.scope.browsing.insert(kind.clone()) {
            self.each_link(now, |link, turn| {
                let patience = browse::Patience::Endless;
                link.queries.want(turn.now, kind.name(), Type::PTR, patience, turn.rng);
            });
        }
    }

    /// Stops; what was found is forgotten without an event.
    pub(crate) fn stop_browse(&mut self, now: Instant, kind: &ServiceType) {
        self.scope.browsing.remove(kind);
        self.each_link(now, |link, turn| link.stop_browse(turn.scope, kind.name()));
        self.presence.forget(kind);
    }

    /// Tells of every instance that is there as if it was found: somebody forgot some.
    pub(crate) fn tell_again(&mut self) {
        self.presence.report_again();
    }

    /// Asks for one instance by its name, and keeps what is known of it fresh, until told otherwise.
    pub(crate) fn resolve(&mut self, now: Instant, kind: &ServiceType, instance: &Label) {
        let name = kind.instance(instance);
        self.scope.resolving.insert(name.clone(), (kind.clone(), instance.clone()));
        self.each_link(now, |link, turn| link.pursue(turn, &name));
    }

    /// Lets what is known of an instance expire again.
    pub(crate) fn stop_resolve(&mut self, now: Instant, kind: &ServiceType, instance: &Label) {
        let name = kind.instance(instance);
        self.scope.resolving.remove(&name);
        self.each_link(now, |link, _| link.stop_resolve(&name));
        self.settle();
    }

    /// Appends the next datagram that is due to `buf`. Call until `None`.
    pub(crate) fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit> {
        if let Next::Known(next) = self.next
            && next.is_none_or(|next| next.at > now)
        {
            return None;
        }
        let now = self.clamp(now);
        let transmit = self.links.values_mut().find_map(|link| link.poll_transmit(now, buf));
        if transmit.is_none() {
            self.next = Next::Known(self.earliest());
        }
        transmit
    }

    /// The next thing that was seen. Call until `None`.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        let conflict = self.conflict_events.pop_first().map(Event::Conflict);
        conflict.or_else(|| self.presence.poll_event())
    }

    /// When to call [`Mdns::handle_timeout`], and [`Mdns::poll_transmit`] after it.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        match self.next {
            Next::Known(next) => next,
            Next::Unknown => self.earliest(),
        }
    }

    fn earliest(&self) -> Option<Deadline> {
        self.links.values().filter_map(LinkState::poll_timeout).min()
    }

    /// Whether every goodbye was handed out.
    pub(crate) fn is_drained(&self) -> bool {
        self.links.values().all(LinkState::is_drained)
    }

    /// How full its tables are. `bounds` says what others may make of it.
    pub(crate) fn tables(&self, bounds: Bounds) -> Vec<Table> {
        let names = NAMES_A_SERVICE * MAX_SERVICES;
        let mut tables = vec![
            Table::new("mdns: links", self.links.len(), bounds.links),
            Table::new("mdns: services", self.scope.services.len(), MAX_SERVICES),
            Table::new("mdns: kinds browsed", self.scope.browsing.len(), MAX_SERVICES),
            Table::new("mdns: instances resolved", self.scope.resolving.len(), bounds.resolved),
            Table::new("mdns: own names", self.scope.own_names.len(), names),
            Table::new("mdns: conflicts of own names", self.conflicts.len(), names),
            Table::new("mdns: conflicts to tell", self.conflict_events.len(), names),
        ];
        tables.push(self.ups.table());
        tables.extend(self.presence.tables(self.limits.cached_records.saturating_mul(bounds.links)));
        let links: Vec<_> = self.links.values().map(|link| link.tables(&self.scope)).collect();
        // Each link has the same tables, in the same order.
        let fullest = |at: usize| links.iter().map(|tables| tables[at]).max_by_key(|table| table.len);
        tables.extend((0..link::TABLES).filter_map(fullest));
        tables
    }

    /// How many datagrams were dropped for this.
    #[cfg(test)]
    pub(crate) fn dropped(&self, why: Dropped) -> u64 {
        self.dropped.get(&why).copied().unwrap_or(0)
    }

    /// Every input begins here. Time may arrive late from another thread, and never goes back.
    fn clamp(&mut self, now: Instant) -> Instant {
        self.next = Next::Unknown;
        let latest = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(latest);
        latest
    }

    fn each_link(&mut self, now: Instant, mut visit: impl FnMut(&mut LinkState, &mut Turn<'_>)) {
        let now = self.clamp(now);
        let mut turn = Turn { now, scope: &self.scope, rng: &mut self.rng };
        for link in self.links.values_mut() {
            visit(link, &mut turn);
        }
    }

    fn on_services(&mut self, now: Instant) {
        let services = &self.scope.services;
        let names = services.iter().flat_map(|service| [service.instance_name(), service.host_name()]);
        self.scope.own_names = names.collect();
        let own_names = &self.scope.own_names;
        self.conflicts.retain(|name, _| own_names.contains(name));
        self.each_link(now, |link, turn| link.publish(turn));
    }

    fn collect_own_ips(&mut self) {
        let addresses = self.links.values().flat_map(|state| &state.link.addresses);
        self.scope.own_ips = addresses.map(|address| address.ip).collect();
    }

    /// Tells presence what changed on the links.
    fn settle(&mut self) {
        for (socket, state) in &mut self.links {
            for (name, sight) in state.take_changed(&self.scope) {
                let browsed = self.scope.browsing.iter().find(|kind| name.is_child_of(kind.name()));
                let resolved = self.scope.resolving.get(&name).map(|(kind, _)| kind);
                if let (Some(kind), Some(label)) = (browsed.or(resolved), name.first()) {
                    self.presence.update(state.link.interface, *socket, (kind, &label), sight);
                }
            }
        }
    }

    /// The link that a datagram came in on: a unicast to the shared port may reach any of our sockets.
    fn route(&self, rx: &Received) -> Option<SocketId> {
        let Some(interface) = rx.interface else {
            return self.links.contains_key(&rx.socket).then_some(rx.socket);
        };
        let family = Family::of(rx.source.ip());
        let is_there = |state: &&LinkState| state.link.interface == interface && state.link.family == family;
        self.links.values().find(is_there).map(|state| state.link.socket)
    }

    fn handle_message(&mut self, now: Instant, rx: &Received, datagram: &[u8]) -> Result<(), Dropped> {
        let head = guard::head(datagram).map_err(Dropped::Refused)?;
        let socket = self.route(rx).ok_or(Dropped::NoLink)?;
        let link = self.links.get_mut(&socket).ok_or(Dropped::NoLink)?;
        let from = rx.source;
        let is_own = self.scope.own_ips.contains(&from.ip());

        let is_multicast = rx.destination.is_some_and(|to| to == GROUP_V4 || to == GROUP_V6);
        if !is_multicast && !link.link.reaches(from.ip()) {
            return Err(Dropped::OffLink);
        }
        if head.way == Way::Response {
            if from.port() != PORT {
                return Err(Dropped::Port);
            }
            // Where the operating system doesn't tell the destination, it may have been the group.
            if !is_multicast && rx.destination.is_some() && !link.queries.expects_direct(now) {
                return Err(Dropped::Unasked);
            }
        }
        let scope = &self.scope;
        let cares = |name: &[u8], kind: Type| {
            scope.concerns(name) || (is_about_host(kind) && link.cache.has_hosts() && is_host(link, name))
        };
        let concern = guard::scan(datagram, &head, &mut self.safe, cares).map_err(Dropped::Refused)?;
        if concern == Concern::Unrelated {
            return Err(Dropped::Unrelated);
        }
        if is_own && link.echoes.take(now, datagram) {
            return Err(Dropped::Echo);
        }
        let message = parse::parse(&head, &self.safe).ok_or(Dropped::Unparsed)?;
        let mut turn = Turn { now, scope, rng: &mut self.rng };
        match message {
            Message::Query(query) => {
                let by = if is_multicast { records::Want::Multicast } else { records::Want::Unicast };
                let asker = match from.port() {
                    PORT if is_own => Asker::SameHost,
                    PORT => Asker::Querier(by),
                    _ => Asker::Resolver,
                };
                link.handle_query(&mut turn, from, asker, query);
            }
            Message::Response(records) => {
                for name in link.handle_response(&mut turn, is_own, &records) {
                    self.handle_conflict(now, name);
                }
            }
        }
        Ok(())
    }

    fn handle_conflict(&mut self, now: Instant, name: Name) {
        if self.conflicts.get(&name).is_none_or(|last| now >= *last + CONFLICT_GAP) {
            self.conflicts.insert(name.clone(), now);
            self.conflict_events.insert(name);
        }
    }
}

fn is_about_host(kind: Type) -> bool {
    [Type::A, Type::AAAA, Type::NSEC].contains(&kind)
}

fn is_host(link: &LinkState, wire: &[u8]) -> bool {
    name::Name::from_wire(wire).is_some_and(|name| link.is_host(&name))
}

#[cfg(test)]
mod tests;
