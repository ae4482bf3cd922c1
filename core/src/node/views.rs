//! What a node can do about pairing and about peers, each as a view of its own.

use super::Node;
use crate::code::Code;
use crate::error::{HostError, JoinError};
use crate::event::{ConnectedPeer, DiscoveredPeer, PairedPeer, PairingId};
use crate::id::PeerId;
use crate::io::Now;
use crate::quic::Expect;
use std::net::SocketAddr;
use std::time::Duration;

/// Whom to pair with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Hosting: whoever comes. Joining: the only peer that shows that it is pairing.
    Any,
    /// This peer, at the addresses that are known of it.
    Peer(PeerId),
    /// Whoever answers at one of these addresses.
    At(Vec<SocketAddr>),
}

/// An open pairing window.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hosting {
    /// What [`Event::PairingEnded`](crate::Event::PairingEnded) will name.
    pub id: PairingId,
    /// The code to show.
    pub code: Code,
    /// How long it is good for.
    pub window: Duration,
}

/// The verbs of pairing, borrowed from a node.
pub struct PairingMut<'a> {
    pub(super) node: &'a mut Node,
}

impl PairingMut<'_> {
    /// Shows a code: opens the pairing window. With [`Target::Peer`] or [`Target::At`] that peer is dialled
    /// and asked to join; otherwise whoever has the code comes by himself.
    ///
    /// # Errors
    /// [`HostError`], and no window is open.
    pub fn host(&mut self, now: Now, target: &Target) -> Result<Hosting, HostError> {
        let now = self.node.clamp(now).mono;
        let dial = match target {
            Target::Any => None,
            Target::Peer(id) => Some((Expect::Id(*id), self.node.peers.addresses_of(id))),
            Target::At(addresses) => Some((Expect::Anyone, addresses.clone())),
        };
        if dial.as_ref().is_some_and(|(_, addresses)| addresses.is_empty()) {
            return Err(HostError::NoAddress);
        }
        let (id, code, window) = self.node.pairing.host(now)?;
        if let Some((expect, addresses)) = dial {
            self.node.peers.dial_pairing(now, id, expect, addresses);
        }
        Ok(Hosting { id, code, window })
    }

    /// Types a code: dials who shows it. One entry goes to one host and is never tried on a second.
    ///
    /// # Errors
    /// [`JoinError`], and the code was not used.
    pub fn join(&mut self, now: Now, code: Code, target: &Target) -> Result<PairingId, JoinError> {
        let now = self.node.clamp(now).mono;
        let (expect, peer, addresses) = self.node.whom_to_join(target)?;
        let id = self.node.pairing.join(now, code, peer)?;
        // A peer that shows a code and asked before has the entry already.
        if self.node.pairing.needs_dial(id) {
            self.node.peers.dial_pairing(now, id, expect, addresses);
        }
        Ok(id)
    }

    /// Ends a window or an entry. Nothing happens where it has ended.
    pub fn cancel(&mut self, now: Now, id: PairingId) {
        let now = self.node.clamp(now).mono;
        self.node.peers.cancel_pairing(id);
        self.node.pairing.cancel(now, id);
    }

    /// Ends the pairing with a peer, connected or not: it is told now, or when it next connects. `false`
    /// where there was none.
    pub fn forget(&mut self, now: Now, peer: PeerId) -> bool {
        let now = self.node.clamp(now).mono;
        match self.node.known_key(&peer) {
            Some(key) => self.node.pairing.forget(now, &key),
            None => false,
        }
    }
}

/// What is known of peers, borrowed from a node.
pub struct PeersMut<'a> {
    pub(super) node: &'a mut Node,
}

impl PeersMut<'_> {
    /// The peers that discovery sees.
    pub fn discovered(&self) -> Vec<DiscoveredPeer> {
        self.node.peers.discovered()
    }

    /// The peers that this node is paired with.
    pub fn paired(&self) -> Vec<PairedPeer> {
        self.node.paired_peers()
    }

    /// The peers that are connected.
    pub fn connected(&self) -> Vec<ConnectedPeer> {
        self.node.peers.connected()
    }

    /// Adds an address of a peer that the application knows. Kept while the node lives, at most 16 a peer.
    pub fn add_address(&mut self, now: Now, peer: PeerId, address: SocketAddr) {
        let now = self.node.clamp(now).mono;
        self.node.peers.add_address(now, peer, address);
    }
}
