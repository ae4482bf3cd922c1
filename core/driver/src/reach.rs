//! How peers are reached: where they may be, who is kept connected, and how it stands.

use crate::handle::Node;
use crate::runtime::Runtime;
use handfast_core::{HostName, PeerId, PeerState, Policy, Sources};
use std::net::SocketAddr;

impl<R: Runtime> Node<R> {
    /// How it stands with a paired peer, and why; [`P2PManager::peer_state`](crate::P2PManager::peer_state) tells of
    /// changes. `None` where it is not paired.
    pub fn peer_state(&self, peer: PeerId) -> Option<PeerState> {
        self.handle.lock().machine.peers().state(peer)
    }

    /// Whether a paired peer is kept connected, as long as the node runs; `None` for what
    /// [`Config::policy`](crate::Config::policy) says. `false` where it is not paired.
    ///
    /// ```no_run
    /// # fn run<R: handfast_driver::Runtime>(node: &handfast_driver::Node<R>, peer: handfast_driver::PeerId) {
    /// use handfast_driver::Policy;
    ///
    /// node.set_policy(peer, Some(Policy::Eager));
    /// # }
    /// ```
    pub fn set_policy(&self, peer: PeerId, policy: Option<Policy>) -> bool {
        self.handle.with(|locked, now| locked.machine.peers().set_policy(now, peer, policy))
    }

    /// Tells of an address where a peer may be reached. At most 16 a peer; the store keeps those of paired peers.
    pub fn add_address(&self, peer: PeerId, address: SocketAddr) {
        self.handle.with(|locked, now| locked.machine.peers().add_address(now, peer, address));
    }

    /// Tells of a host, by its name in the DNS, where a peer may be reached. It is looked up when the peer is
    /// dialled, unless that was done within a minute. At most 4 a peer; the store keeps those of paired peers.
    ///
    /// ```no_run
    /// # fn run<R: handfast_driver::Runtime>(node: &handfast_driver::Node<R>, peer: handfast_driver::PeerId)
    /// #     -> Result<(), handfast_driver::error::HostNameError> {
    /// node.add_name(peer, "laptop.example:5223".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_name(&self, peer: PeerId, name: HostName) {
        self.handle.with(|locked, now| locked.machine.peers().add_name(now, peer, name));
    }

    /// Which sources of addresses are heeded from here on. Without mDNS this node is silent on the LAN once its
    /// goodbyes are said, and so are the services that it publishes; all of it comes back with mDNS.
    pub fn set_sources(&self, sources: Sources) {
        self.handle.with(|locked, now| locked.machine.set_sources(now, sources));
    }

    /// Which sources of addresses are heeded.
    pub fn sources(&self) -> Sources {
        self.handle.lock().machine.sources()
    }
}
