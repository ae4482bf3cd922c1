//! Sources of addresses that are switched on and off while the node runs; mDNS above all, which leaves in order.
//!
//! ```text
//!   On ──off──> Leaving ──every goodbye was handed out──> Off
//!    ^────────────on──────────────────┴────────────────────┘
//! ```

use super::Node;
use crate::config::Sources;
use crate::io::Now;
use crate::mdns::{Service, ServiceId};
use std::sync::Arc;
use std::time::Instant;

/// Whether mDNS is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lan {
    On,
    /// Goodbyes are being said.
    Leaving,
    /// There is no socket of it.
    Off,
}

impl Lan {
    pub(super) fn new(sources: Sources) -> Self {
        if sources.mdns { Self::On } else { Self::Off }
    }
}

impl Node {
    /// Which sources of addresses are heeded from here on: what a source that is off knew is not dialled, and goes
    /// on to be kept. `Config::sources` is what a node begins with.
    ///
    /// Without mDNS this node is silent on the LAN once its goodbyes are said: it finds nobody there and is not
    /// found, and neither are the services that the application publishes. All of it comes back with mDNS.
    pub fn set_sources(&mut self, now: Now, sources: Sources) {
        let now = self.clamp(now).mono;
        Arc::make_mut(&mut self.config).sources = sources;
        self.peers.set_sources(now, sources);
        match (self.lan, sources.mdns) {
            (Lan::On, false) => {
                self.lan = Lan::Leaving;
                self.mdns.withdraw_all(now);
            }
            (Lan::Leaving | Lan::Off, true) => {
                self.lan = Lan::On;
                self.sockets.set_mdns(true);
                self.advertised = None;
                self.publish_again(now);
            }
            (Lan::On, true) | (Lan::Leaving | Lan::Off, false) => {}
        }
    }

    /// Which sources of addresses are heeded.
    pub fn sources(&self) -> Sources {
        self.config.sources
    }

    /// Publishes on the LAN, or once that is spoken to again.
    pub(super) fn publish(&mut self, now: Instant, id: ServiceId, service: Service) {
        if self.lan == Lan::On {
            self.mdns.publish(now, id, service);
        }
    }

    /// Closes the sockets of mDNS once its goodbyes were handed out. Whether it did.
    pub(super) fn leave_lan(&mut self, now: Instant) -> bool {
        if self.lan != Lan::Leaving || !self.mdns.is_drained() {
            return false;
        }
        self.lan = Lan::Off;
        for gone in self.sockets.set_mdns(false) {
            self.mdns.handle_link_down(now, gone);
        }
        self.stale = true;
        true
    }

    fn publish_again(&mut self, now: Instant) {
        if !self.shutting_down {
            for (id, service) in self.published_services() {
                self.mdns.publish(now, id, service);
            }
        }
    }
}
