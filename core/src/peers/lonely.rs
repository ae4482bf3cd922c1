//! An engine with its time and its dials, for tests.

use super::{DialId, Event, Peers, test_peers};
use crate::ask::Ask;
use crate::config::Policy;
use crate::event::{Event as Tell, PeerState};
use crate::id::{ConnId, PairId, PeerId, PublicKey};
use crate::identity::Identity;
use crate::testing::base;
use crate::wire::control::{Control, Entry, Hello, Listed};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// An engine, and a network on which nobody answers.
pub(super) struct Lonely {
    pub(super) peers: Peers,
    pub(super) now: Instant,
    pub(super) conns: u64,
    /// When which address was dialled.
    pub(super) dials: Vec<(Instant, SocketAddr)>,
    pub(super) told: Vec<PeerState>,
    pub(super) asks: Vec<Ask>,
}

pub(super) fn key(n: u8) -> PublicKey {
    Identity::from_entropy([n; 32]).public_key()
}

pub(super) fn address(n: u8) -> SocketAddr {
    ([192, 0, 2, n], 1).into()
}

/// A connection of a key stands, and both say hello on it and hold the same pairing.
pub(super) fn agree(peers: &mut Peers, conn: ConnId, key: PublicKey, remote: SocketAddr, dialled: bool) {
    let list = vec![Entry { pair_id: PairId::from_bytes([1; 32]), state: Listed::Paired }];
    let hello =
        Hello { instance: [7; 16], lost: 0, features: Vec::new(), metadata: None, state: list.clone() };
    peers.handle_connected(conn, key, remote, dialled, list.clone());
    peers.handle_frame(conn, &Control::Hello(hello).encode());
    peers.handle_settled(base(), conn, true, &[list[0].pair_id]);
}

impl Lonely {
    /// Paired with the keys of these numbers, each at an address of its own.
    pub(super) fn with(policy: Policy, paired: impl IntoIterator<Item = u8>) -> Self {
        let mut peers = test_peers(key(0));
        peers.policy = policy;
        let paired: Vec<u8> = paired.into_iter().collect();
        peers.set_paired(base(), &paired.iter().map(|n| key(*n)).collect());
        for n in paired {
            peers.add_address(base(), key(n).peer_id(peers.kind), address(n));
        }
        let mut lonely =
            Self { peers, now: base(), conns: 0, dials: Vec::new(), told: Vec::new(), asks: Vec::new() };
        lonely.hear();
        lonely
    }

    /// Hears what the engine says.
    pub(super) fn hear(&mut self) {
        while let Some(event) = self.peers.poll_event() {
            match event {
                Event::Dial { dial, to, .. } => {
                    self.dials.push((self.now, to));
                    self.dialled(dial);
                }
                Event::Tell(Tell::PeerState(_, state)) => self.told.push(state),
                Event::Ask(ask) => self.asks.push(ask),
                _ => {}
            }
        }
    }

    pub(super) fn dialled(&mut self, dial: DialId) {
        self.conns += 1;
        self.peers.handle_tried(self.now, dial, Some(ConnId(self.conns)));
    }

    /// Lets time pass, one deadline after the other.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.peers.poll_timeout().filter(|deadline| deadline.at <= until) {
            self.now = self.now.max(deadline.at);
            self.peers.handle_timeout(self.now);
            self.hear();
        }
        self.now = until;
    }

    pub(super) fn state(&self, n: u8) -> PeerState {
        self.peers.state(&key(n)).unwrap()
    }
}

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn id(n: u8) -> PeerId {
    PeerId::Sha256(*key(n).fingerprint().as_bytes())
}
