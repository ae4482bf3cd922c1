//! What a node can do about pairing and about peers, each as a view of its own.

use super::Node;
use crate::code::Code;
use crate::config::Policy;
use crate::error::{HostError, JoinError, MarkError};
use crate::event::{ConnectedPeer, DiscoveredPeer, PairedPeer, PairingId, PeerState, TrustedKey};
use crate::host::HostName;
use crate::id::{Fingerprint, PeerId};
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

    /// Pairs with this key without a code, as soon as the two meet and its owner entered this node's fingerprint too.
    /// That is stored, and goes on after a restart, until they are paired or it is [cancelled](Self::distrust): the key
    /// is dialled wherever discovery sees it, and where `target` says; with growing pauses, 300 s at most.
    ///
    /// Again for the same key it is the same trust, with the new addresses if there are any. For a key that is paired
    /// it is a pairing anew, which the other side must want too. A fingerprint is all that counts: compare all of it, by
    /// a way on which nobody can exchange it.
    ///
    /// # Errors
    /// [`MarkError`], and nothing changes.
    pub fn trust(&mut self, now: Now, key: Fingerprint, target: &Target) -> Result<PairingId, MarkError> {
        let now = self.node.clamp(now).mono;
        let addresses = match target {
            Target::Any => Vec::new(),
            Target::Peer(id) => self.node.peers.addresses_of(id),
            Target::At(addresses) => addresses.clone(),
        };
        self.node.pairing.trust(now, key, addresses)
    }

    /// Trusts a key no longer; a pairing that stands is not touched. `false` where it was not trusted, or is paired
    /// already. Too late for a session that this side is bound to by what it said.
    pub fn distrust(&mut self, now: Now, key: &Fingerprint) -> bool {
        let now = self.node.clamp(now).mono;
        self.node.pairing.distrust(now, key)
    }

    /// The keys that are trusted and not paired yet.
    pub fn trusting(&self) -> Vec<TrustedKey> {
        self.node.pairing.trusting()
    }

    /// Never talks to a key again: TLS refuses it, before anything is said, and every pairing with it ends. Holds at
    /// once; [`Event::PeerBanned`](crate::Event::PeerBanned) tells when it is stored.
    ///
    /// # Errors
    /// [`MarkError`], and nothing changes.
    pub fn ban(&mut self, now: Now, key: Fingerprint) -> Result<(), MarkError> {
        let now = self.node.clamp(now).mono;
        self.node.pairing.ban(now, key)
    }

    /// Lifts a ban: the key is a stranger's, and may pair anew. `false` where there was none, or before the store has
    /// loaded.
    pub fn unban(&mut self, now: Now, key: &Fingerprint) -> bool {
        let now = self.node.clamp(now).mono;
        self.node.pairing.unban(now, key)
    }

    /// The keys that are banned.
    pub fn banned(&self) -> Vec<Fingerprint> {
        self.node.pairing.banned().into_iter().collect()
    }

    /// Whether the store holds what was decided about a key: if not, one of [`Event::PeerTrusted`], `PeerBanned` and
    /// `PeerUnmarked` is yet to come.
    ///
    /// [`Event::PeerTrusted`]: crate::Event::PeerTrusted
    pub fn is_mark_stored(&self, key: &Fingerprint) -> bool {
        self.node.pairing.is_mark_stored(key)
    }

    /// Ends a window or an entry, or trusts a key no longer. Nothing happens where it has ended.
    pub fn cancel(&mut self, now: Now, id: PairingId) {
        let now = self.node.clamp(now).mono;
        self.node.peers.cancel_pairing(id);
        self.node.pairing.cancel(now, id);
    }

    /// Ends the pairing with a peer, connected or not: it is told now, or when it next connects. Trust in its key goes
    /// with it. `false` where there was no pairing.
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

    /// How it stands with a paired peer; [`Event::PeerState`](crate::Event::PeerState) tells of changes. `None`
    /// where it is not paired.
    pub fn state(&self, peer: PeerId) -> Option<PeerState> {
        self.node.peers.state(&self.node.known_key(&peer)?)
    }

    /// Whether a paired peer is kept connected, as long as the node lives; `None` for what
    /// [`Config::policy`](crate::Config::policy) says. `false` where it is not paired.
    pub fn set_policy(&mut self, now: Now, peer: PeerId, policy: Option<Policy>) -> bool {
        let now = self.node.clamp(now).mono;
        let key = self.node.known_key(&peer);
        key.is_some_and(|key| self.node.peers.set_policy(now, &key, policy))
    }

    /// Adds a name of a peer's host, as the DNS has it. It is looked up when the peer is dialled
    /// ([`Ask::Resolve`](crate::Ask::Resolve)), unless that was done within a minute. At most 4 a peer; the store
    /// keeps those of paired peers.
    ///
    /// ```
    /// # fn run(node: &mut handfast_core::Node, now: handfast_core::Now, peer: handfast_core::PeerId)
    /// #     -> Result<(), handfast_core::error::HostNameError> {
    /// node.peers().add_name(now, peer, "laptop.example:5223".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_name(&mut self, now: Now, peer: PeerId, name: HostName) {
        let now = self.node.clamp(now).mono;
        self.node.peers.add_name(now, peer, name);
    }

    /// Adds an address of a peer that the application knows. At most 16 a peer; the store keeps those of paired
    /// peers.
    pub fn add_address(&mut self, now: Now, peer: PeerId, address: SocketAddr) {
        let now = self.node.clamp(now).mono;
        self.node.peers.add_address(now, peer, address);
    }
}
