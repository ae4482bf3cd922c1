//! Finds services on the LAN and announces our own. RFC 6762, RFC 6763.
//!
//! Generic DNS-SD; peers are its first user. Routes what comes in to the link it concerns and turns away what
//! nobody may believe. Never knows what a peer is, nor a connection.

use self::browse::Purpose;
use self::link::LinkState;
use self::naming::Names;
use self::presence::Presence;
use self::records::Type;
use self::scope::{Scope, Turn};
use self::ups::Ups;
use crate::id::SocketId;
use crate::io::{Deadline, InterfaceAddr, Reason, Received, Transmit};
use crate::rng::Rng;
use crate::table::Table;
use std::collections::BTreeMap;
use std::time::Instant;
use tracing::trace;

pub(crate) use self::link::Link;
pub(crate) use self::name::Label;
pub(crate) use self::presence::INSTANCES_SEEN;
pub(crate) use self::service::{
    Bounds, Dropped, Event, Instance, Kind, Limits, MAX_BROWSES, MAX_SERVICES, MAX_SUBTYPES, Naming, Service,
    ServiceId, ServiceType, TooManyBrowses,
};
pub use self::stats::{MdnsDropped, MdnsStats};

mod announce;
mod browse;
mod cache;
mod direct;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod guard;
mod link;
mod name;
mod naming;
mod others;
mod parse;
mod presence;
mod probe;
mod publish;
mod recall;
mod receive;
mod records;
mod respond;
mod scope;
mod service;
mod stats;
mod suppress;
mod ups;
mod write;

/// Names of ours: the instance and the host of each service.
const MAX_NAMES: usize = 2 * MAX_SERVICES;
/// Names where a service is listed: its kind, its subtypes, and the list of kinds.
const MAX_LISTED: usize = MAX_SERVICES * (1 + MAX_SUBTYPES) + 1;

/// The engine.
pub(crate) struct Mdns {
    limits: Limits,
    rng: Rng,
    scope: Scope,
    links: BTreeMap<SocketId, LinkState>,
    ups: Ups,
    presence: Presence,
    names: Names,
    /// Without what is counted when asked for.
    stats: MdnsStats,
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
            names: Names::default(),
            stats: MdnsStats::default(),
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
        let mut turn =
            Turn { now: speaks_at, scope: &self.scope, rng: &mut self.rng, stats: &mut self.stats };
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
            let mut turn = Turn { now, scope: &self.scope, rng: &mut self.rng, stats: &mut self.stats };
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
        self.each_link(now, |link, turn| link.reconfirm(turn, kind, &name));
    }

    /// Takes what a socket received.
    pub(crate) fn handle_datagram(&mut self, now: Instant, rx: &Received) {
        let now = self.clamp(now);
        for datagram in rx.payload.chunks(rx.stride.max(1)) {
            self.stats.datagrams_received += 1;
            if let Err(dropped) = self.handle_message(now, rx, datagram) {
                trace!(?dropped, len = datagram.len(), "mdns datagram dropped");
                self.stats.dropped.count(dropped);
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
        self.handle_names_timeout(now);
        self.settle();
    }

    /// Looks for instances of a kind until told otherwise. Where it does so already, it tells of all that are
    /// there again.
    ///
    /// # Errors
    /// [`TooManyBrowses`] where [`MAX_BROWSES`] kinds are browsed already.
    pub(crate) fn browse(&mut self, now: Instant, kind: Kind) -> Result<(), TooManyBrowses> {
        if self.scope.browsing.contains_key(kind.name()) {
            self.tell_again(&kind);
            return Ok(());
        }
        if self.scope.browsing.len() >= MAX_BROWSES {
            return Err(TooManyBrowses);
        }
        let name = kind.name().clone();
        self.scope.browse(kind);
        self.each_link(now, |link, turn| {
            link.queries.want(turn.now, &name, Type::PTR, Purpose::Wanted, turn.rng);
        });
        Ok(())
    }

    /// Stops; what was found is forgotten without an event.
    pub(crate) fn stop_browse(&mut self, now: Instant, kind: &Kind) {
        if self.scope.stop_browse(kind) {
            self.each_link(now, |link, turn| link.stop_browse(turn.scope, kind));
            self.presence.forget(kind);
        }
    }

    /// Tells of every instance of a kind that is there as if it was found: somebody forgot some, or came later.
    pub(crate) fn tell_again(&mut self, kind: &Kind) {
        self.presence.report_again(kind);
    }

    /// Asks for one instance by its name, and keeps what is known of it fresh, until told otherwise.
    pub(crate) fn resolve(&mut self, now: Instant, kind: &ServiceType, instance: &Label) {
        let name = kind.instance(instance);
        self.scope.resolve(kind, instance);
        self.each_link(now, |link, turn| link.pursue(turn, &name));
    }

    /// Lets what is known of an instance expire again.
    pub(crate) fn stop_resolve(&mut self, now: Instant, kind: &ServiceType, instance: &Label) {
        let name = kind.instance(instance);
        self.scope.stop_resolve(&name);
        self.each_link(now, |link, _| link.stop_resolve(&name));
        self.settle();
        if !self.scope.browses(kind.name()) {
            self.presence.forget_instance(&kind.clone().into(), instance);
        }
    }

    /// Appends the next datagram that is due to `buf`. Call until `None`.
    pub(crate) fn poll_transmit(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit> {
        if let Next::Known(next) = self.next
            && next.is_none_or(|next| next.at > now)
        {
            return None;
        }
        let now = self.clamp(now);
        let mut turn = Turn { now, scope: &self.scope, rng: &mut self.rng, stats: &mut self.stats };
        let transmit = self.links.values_mut().find_map(|link| link.poll_transmit(&mut turn, buf));
        if transmit.is_none() {
            self.settle_names();
            self.next = Next::Known(self.earliest());
        }
        transmit
    }

    /// The next thing that was seen. Call until `None`.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        let of_name = self.names.poll_event();
        if of_name.is_some() {
            self.next = Next::Unknown;
        }
        of_name.or_else(|| self.presence.poll_event())
    }

    /// When to call [`Mdns::handle_timeout`], and [`Mdns::poll_transmit`] after it.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        match self.next {
            Next::Known(next) => next,
            Next::Unknown => self.earliest(),
        }
    }

    fn earliest(&self) -> Option<Deadline> {
        // What was handed out to be sent may have been the last that a name was waiting for.
        let told = self.names.has_event().then_some(self.latest).flatten();
        let names =
            told.or_else(|| self.names.next_at()).map(|at| Deadline { at, reason: Reason::MdnsProbe });
        self.links.values().filter_map(LinkState::poll_timeout).chain(names).min()
    }

    /// Whether every goodbye was handed out.
    pub(crate) fn is_drained(&self) -> bool {
        self.links.values().all(LinkState::is_drained)
    }

    /// How full its tables are. `bounds` says what others may make of it.
    pub(crate) fn tables(&self, bounds: Bounds) -> Vec<Table> {
        let mut tables = vec![
            Table::new("mdns: links", self.links.len(), bounds.links),
            Table::new("mdns: kinds browsed", self.scope.browsing.len(), MAX_BROWSES),
            Table::new("mdns: instances resolved", self.scope.resolving.len(), bounds.resolved),
            Table::new("mdns: own names", self.scope.own_names.len(), MAX_NAMES),
            Table::new("mdns: own names to probe for", self.scope.probed.len(), MAX_NAMES),
            Table::new("mdns: names where we are listed", self.scope.listed.len(), MAX_LISTED),
        ];
        tables.extend(self.names.tables());
        tables.push(self.ups.table());
        tables.extend(self.presence.tables(self.limits.cached_records.saturating_mul(bounds.links)));
        let links: Vec<_> = self.links.values().map(|link| link.tables(&self.scope)).collect();
        // Each link has the same tables, in the same order.
        let fullest = |at: usize| links.iter().map(|tables| tables[at]).max_by_key(|table| table.len);
        tables.extend((0..link::TABLES).filter_map(fullest));
        tables
    }

    /// What it did so far.
    pub(crate) fn stats(&self) -> MdnsStats {
        let records_cached = self.links.values().map(|link| link.cache.len() as u64).sum();
        MdnsStats { records_cached, instances: self.presence.len() as u64, ..self.stats }
    }

    /// How many datagrams were dropped for this.
    #[cfg(test)]
    pub(crate) fn dropped(&self, why: Dropped) -> u64 {
        self.stats.dropped.of(why)
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
        let mut turn = Turn { now, scope: &self.scope, rng: &mut self.rng, stats: &mut self.stats };
        for link in self.links.values_mut() {
            visit(link, &mut turn);
        }
    }

    fn collect_own_ips(&mut self) {
        let addresses = self.links.values().flat_map(|state| &state.link.addresses);
        self.scope.own_ips = addresses.map(|address| address.ip).collect();
    }

    /// Tells presence what changed on the links.
    fn settle(&mut self) {
        for (socket, state) in &mut self.links {
            for name in state.take_changed() {
                let Some(label) = name.first() else { continue };
                for (kind, sight) in state.sights(&self.scope, &name) {
                    self.presence.update(state.link.interface, *socket, (&kind, &label), sight);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
