//! A stateful firewall: who was spoken to from inside may answer. RFC 6092 §3.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Who gets in through a router that does not translate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firewall {
    /// Everybody.
    Open,
    /// Who was spoken to from inside, from the same address and port, within `idle`.
    Stateful {
        /// For how long. RFC 6092 §3.2.1 asks for 2 minutes.
        idle: Duration,
    },
}

/// Connections that a firewall knows. The one that was used the longest ago makes room.
const MAX_CONNECTIONS: usize = 16_384;

/// What went out lately: by whom, to whom, and when.
pub(super) struct Connections {
    firewall: Firewall,
    spoken: BTreeMap<(SocketAddr, SocketAddr), Instant>,
}

impl Connections {
    pub(super) fn new(firewall: Firewall) -> Self {
        Self { firewall, spoken: BTreeMap::new() }
    }

    pub(super) fn went_out(&mut self, now: Instant, inside: SocketAddr, remote: SocketAddr) {
        match self.firewall {
            Firewall::Open => {}
            Firewall::Stateful { .. } => {
                self.spoken.insert((inside, remote), now);
                if self.spoken.len() > MAX_CONNECTIONS {
                    let oldest = self.spoken.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key);
                    self.spoken.remove(&oldest.expect("a full table is not empty"));
                }
            }
        }
    }

    pub(super) fn lets_in(&self, now: Instant, remote: SocketAddr, inside: SocketAddr) -> bool {
        match self.firewall {
            Firewall::Open => true,
            Firewall::Stateful { idle } => {
                self.spoken.get(&(inside, remote)).is_some_and(|at| now - *at < idle)
            }
        }
    }
}
