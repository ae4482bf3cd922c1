//! What this node publishes, on all links: begun, changed, taken back, and renamed. RFC 6762 §8, §9, §14.
//!
//! Carries what one link found out about a name to all the others.

use super::Mdns;
use super::link::{Clash, LinkState};
use super::name::Name;
use super::service::{Service, ServiceId};
use crate::id::SocketId;
use std::collections::BTreeMap;
use std::time::Instant;

impl Mdns {
    /// Publishes a service on every link: a chosen name is probed for before it is announced. One of the same
    /// id is replaced: what differs is announced anew, and the name that it has by now stays.
    ///
    /// Never more than [`MAX_SERVICES`](super::MAX_SERVICES) at a time.
    pub(crate) fn publish(&mut self, now: Instant, id: ServiceId, service: Service) {
        self.names.publish(id, service);
        self.on_names(now);
    }

    /// Takes a service back; see [`Mdns::is_drained`].
    pub(crate) fn withdraw(&mut self, now: Instant, id: ServiceId) {
        self.names.withdraw(id);
        self.on_names(now);
    }

    /// Takes all services back; see [`Mdns::is_drained`].
    pub(crate) fn withdraw_all(&mut self, now: Instant) {
        self.names.withdraw_all();
        self.on_names(now);
    }

    /// Somebody on one link uses names of ours.
    pub(super) fn handle_clashes(&mut self, now: Instant, socket: SocketId, clashes: BTreeMap<Name, Clash>) {
        for (name, clash) in clashes {
            match clash {
                Clash::Contested => {
                    self.names.on_contested(now, &name);
                    self.names.apply(&mut self.scope);
                    self.each_link(now, |link, turn| link.verify(turn, &name));
                }
                Clash::Lost => {
                    self.names.on_lost(now, &name);
                    if let Some(link) = self.links.get_mut(&socket) {
                        link.disown(&name);
                    }
                    self.on_names(now);
                }
            }
        }
    }

    /// Time passed: names that were somebody else's are tried again.
    pub(super) fn handle_names_timeout(&mut self, now: Instant) {
        if self.names.handle_timeout(now) {
            self.on_names(now);
        }
    }

    /// Tells of the names that every link has announced.
    pub(super) fn settle_names(&mut self) {
        if !self.names.is_seeking() {
            return;
        }
        let able = || self.links.values().filter(|link| link.can_send());
        let is_announced = |name: &Name| able().count() > 0 && able().all(|link| link.has_announced(name));
        self.names.settle(is_announced);
    }

    fn on_names(&mut self, now: Instant) {
        self.names.apply(&mut self.scope);
        self.each_link(now, LinkState::publish);
    }
}
