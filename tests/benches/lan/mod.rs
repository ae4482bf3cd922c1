//! The nodes of a large LAN: what they are, and how much of each other they see.

use handfast_core::{Config, Event, Identity, ServiceName};
use handfast_tests::app::{App, Context};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// Counts what is discovered and not expired, in the whole world.
pub(crate) struct Counter(pub(crate) Rc<Cell<usize>>);

impl App for Counter {
    fn event(&mut self, _: &mut Context<'_>, event: Event) {
        match event {
            Event::PeerDiscovered(_) => self.0.set(self.0.get() + 1),
            Event::PeerExpired(_) => self.0.set(self.0.get() - 1),
            _ => {}
        }
    }
}

/// With room for all of them.
pub(crate) fn config(nodes: usize) -> Config {
    let mut config = Config::new(ServiceName::new("bench").unwrap());
    config.max_discovered_peers += nodes;
    // A peer has less than eight records.
    config.max_cached_records += nodes * 8;
    config
}

/// Of the node with that number.
pub(crate) fn identity(number: usize) -> Arc<Identity> {
    let mut entropy = [0; 32];
    entropy[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    Arc::new(Identity::from_entropy(entropy))
}
