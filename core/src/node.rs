//! The node: everything that the world and the application may say to it, and what it says to them.
//!
//! Decides little itself: [`route`] carries what one engine says to the engine that it concerns.

mod admission;
mod advertise;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod limits;
mod output;
mod route;
mod servers;
mod services;
mod silence;
mod sockets;
mod sources;
mod stats;
mod streams;
mod tables;
mod trace;
mod views;

pub use servers::GlobalMut;
pub use services::ServicesMut;
pub use stats::{PeerStats, Stats};
pub use views::{Hosting, PairingMut, PeersMut, Target};

use crate::ask::Answer;
use crate::config::Config;
use crate::error::{ConnectError, NodeError};
use crate::event::Event;
use crate::global::{Global, Switched};
use crate::id::{ConnId, PeerId, PublicKey, SocketId};
use crate::identity::Identity;
use crate::io::{Interface, Now, Opened, Output, Received, SocketSpec, UnixTime};
use crate::mdns::Mdns;
use crate::pairing::Pairing;
use crate::peers::{Dial, Peers};
use crate::quic::{Crypto, Locals, Quic};
use crate::rng::{Rng, Seed};
use crate::wire::close::CloseCode;
use admission::Admission;
use limits::Limits;
use servers::Requests;
use services::Services;
use sockets::Sockets;
use sources::Lan;
use stats::Counts;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One peer of the network, as a state machine: it is told what happens, and says what to do.
///
/// Every verb takes the time and returns at once. After any of them call [`Node::poll_output`] until it says
/// [`Output::Wait`]. See the [crate's documentation](crate) for a whole loop.
pub struct Node {
    config: Arc<Config>,
    own: PublicKey,
    /// The latest time that was told: what arrives late is clamped to it.
    latest: Instant,
    /// What the calendar said then.
    wall: UnixTime,
    sockets: Sockets,
    mdns: Mdns,
    quic: Quic,
    pairing: Pairing,
    peers: Peers,
    global: Global,
    requests: Requests,
    services: Services,
    admission: Admission,
    limits: Limits,
    counts: Counts,
    spans: trace::Spans,
    /// The connections that pairing sessions run over.
    sessions: BTreeSet<ConnId>,
    /// Keys that were dialled to pair with: the dialler connects once they are paired.
    met: BTreeSet<PublicKey>,
    /// Whether TLS was told of keys that are banned.
    bans: bool,
    out: VecDeque<Output>,
    /// Something was told since the engines were last heard.
    stale: bool,
    /// The port and the pairing window that the LAN was last told of.
    advertised: Option<(u16, bool)>,
    lan: Lan,
    shutting_down: bool,
}

impl Node {
    /// A node that has not done anything yet. Its first outputs ask for its store's content and its sockets.
    ///
    /// # Errors
    /// [`NodeError::Config`] for a configuration that breaks a rule, [`NodeError::Crypto`] where the
    /// provider lacks Ed25519 or AES-128-GCM.
    pub fn new(
        config: Config,
        identity: &Identity,
        crypto: Crypto,
        seed: &Seed,
        now: Now,
    ) -> Result<Self, NodeError> {
        config.check()?;
        let config = Arc::new(config);
        let own = identity.public_key();
        let quic = Quic::new(config.clone(), identity, crypto, Rng::child(seed, "quic"))
            .map_err(|_| NodeError::Crypto)?;
        let peers = Peers::new(own, &config, Rng::child(seed, "peers"));
        let mut node = Self {
            own,
            latest: now.mono,
            wall: now.wall,
            sockets: Sockets::new(config.interfaces.clone(), config.port, config.sources.mdns),
            mdns: advertise::engine(&config, Rng::child(seed, "mdns")),
            quic,
            pairing: route::pairing_engine(&config, own, Rng::child(seed, "pairing")),
            peers,
            global: servers::client(&config, identity, Rng::child(seed, "global"), now),
            requests: Requests::default(),
            services: Services::default(),
            admission: Admission::default(),
            limits: Limits::default(),
            counts: Counts::default(),
            spans: trace::Spans::default(),
            sessions: BTreeSet::new(),
            met: BTreeSet::new(),
            bans: false,
            out: VecDeque::new(),
            stale: true,
            advertised: None,
            lan: Lan::new(config.sources),
            shutting_down: false,
            config,
        };
        let browsed = node.mdns.browse(now.mono, advertise::kind(&node.config));
        browsed.expect("the first of many");
        Ok(node)
    }

    /// This node's name.
    pub fn id(&self) -> PeerId {
        self.own.peer_id(self.config.peer_id)
    }

    /// This node's key.
    pub fn public_key(&self) -> PublicKey {
        self.own
    }

    /// The local addresses of QUIC's open sockets: unspecified addresses, and the port.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.quic.local_addresses().collect()
    }

    // ---- The world to the node. Bad input is counted or traced, never returned. ----

    /// A datagram, or several of one sender, came in.
    pub fn handle_datagram(&mut self, now: Now, rx: Received) {
        let now = self.clamp(now);
        if !self.sockets.hears(rx.interface) {
            return;
        }
        match self.sockets.spec(rx.socket) {
            Some(SocketSpec::Quic { .. }) => self.quic.handle_datagram(now, rx),
            Some(SocketSpec::Mdns { .. }) => self.mdns.handle_datagram(now.mono, &rx),
            // In flight while its socket was closed.
            None => {}
        }
    }

    /// The deadline of the last [`Output::Wait`] has come. Early or late calls do no harm.
    pub fn handle_timeout(&mut self, now: Now) {
        let clocks = self.clamp(now);
        let now = clocks.mono;
        self.quic.handle_timeout(now);
        self.mdns.handle_timeout(now);
        self.pairing.handle_timeout(now);
        self.peers.handle_timeout(now);
        self.global.handle_timeout(clocks);
        self.refuse_late(now);
    }

    /// The interfaces that are there: the whole list, at the start and whenever it changed.
    pub fn handle_interfaces(&mut self, now: Now, list: &[Interface]) {
        let clocks = self.clamp(now);
        let now = clocks.mono;
        let before = self.sockets.interfaces().to_vec();
        for gone in self.sockets.handle_interfaces(list) {
            self.mdns.handle_link_down(now, gone);
        }
        self.quic.handle_network(now, Locals::new(list, |interface| self.config.interfaces.uses(interface)));
        if before != self.sockets.interfaces() {
            let up = self.sockets.interfaces().iter().map(|interface| interface.index).collect();
            self.peers.handle_interfaces(now, up);
            self.locate(clocks);
            self.global.handle_network_changed(clocks);
        }
        let links: Vec<(SocketId, u32)> = self.sockets.mdns().collect();
        for (socket, interface) in links {
            self.mdns.handle_link_addresses(now, socket, self.sockets.addresses(interface));
        }
    }

    /// What became of [`Output::Open`]. Also called when an open socket fails for good.
    pub fn handle_socket(&mut self, now: Now, id: SocketId, result: Result<Opened, io::ErrorKind>) {
        let clocks = self.clamp(now);
        let now = clocks.mono;
        let Some(spec) = self.sockets.handle_socket(id, result.as_ref().ok()) else { return };
        match (spec, result) {
            (SocketSpec::Quic { .. }, Ok(opened)) => {
                self.quic.handle_socket_open(id, opened);
                self.quic.handle_way(now);
                self.locate(clocks);
                self.tell(Event::Listening(opened.address));
            }
            (SocketSpec::Quic { .. }, Err(_)) => self.quic.handle_socket_gone(id),
            (SocketSpec::Mdns { family, interface, .. }, Ok(_)) => {
                let addresses = self.sockets.addresses(interface);
                let shares_port = self.sockets.shares_port();
                let link = crate::mdns::Link { socket: id, family, interface, addresses, shares_port };
                self.mdns.handle_link_up(now, link);
            }
            (SocketSpec::Mdns { .. }, Err(_)) => self.mdns.handle_link_down(now, id),
        }
        if let Err(kind) = result {
            self.tell(Event::SocketFailed(spec, kind));
        }
    }

    /// The machine slept for so long: what the LAN looks like is asked for anew, and whether connections
    /// still stand. RFC 6762 §10.3.
    pub fn handle_wake(&mut self, now: Now, slept: Duration) {
        let clocks = self.clamp(now);
        let now = clocks.mono;
        tracing::info!(?slept, "woken");
        self.mdns.handle_wake(now);
        self.quic.handle_wake(now, slept);
        self.peers.handle_network_changed(now);
        self.global.handle_network_changed(clocks);
    }

    /// The answer to an [`Ask`](crate::Ask).
    pub fn answer(&mut self, now: Now, answer: Answer) {
        let clocks = self.clamp(now);
        let now = clocks.mono;
        match answer {
            Answer::PairingRequest(token, reply) => self.pairing.answer_pairing_request(now, token, reply),
            Answer::Admit(token, answer) => self.answer_admit(now, &token, answer),
            Answer::Confirm(token, answer) => self.pairing.answer_confirm(now, token, answer),
            Answer::Paired(token, result) => self.pairing.answer_paired(now, token, result),
            Answer::Rollback(token, result) => self.pairing.answer_rollback(now, token, result),
            Answer::Store(token, reply) => self.store_answered(clocks, token, reply),
            // A node never asks it.
            Answer::Directory(..) => {}
            Answer::Resolve(token, addresses) => self.peers.handle_resolved(now, &token, &addresses),
        }
    }

    // ---- The application to the node ----

    /// Connects to a paired peer, at the addresses that are known of it, unless a connection stands.
    ///
    /// # Errors
    /// [`ConnectError::NotPaired`] and [`ConnectError::NoAddress`] at once; what fails later is an
    /// [`Event::ConnectFailed`].
    pub fn connect(&mut self, now: Now, peer: PeerId) -> Result<Dial, ConnectError> {
        let now = self.clamp(now).mono;
        if !self.pairing.is_loaded() {
            return Err(ConnectError::NotReady);
        }
        let key = self.known_key(&peer).ok_or(ConnectError::NotPaired)?;
        self.peers.connect(now, key)
    }

    /// Closes a connection once the peer has what was finished, or after 3 s.
    pub fn close(&mut self, now: Now, conn: ConnId) {
        let now = self.clamp(now).mono;
        self.quic.close_gracefully(now, conn, CloseCode::Ok);
    }

    /// The verbs of pairing.
    pub fn pairing(&mut self) -> PairingMut<'_> {
        PairingMut { node: self }
    }

    /// What is known of peers.
    pub fn peers(&mut self) -> PeersMut<'_> {
        PeersMut { node: self }
    }

    /// Discovery beyond the LAN, by servers.
    pub fn global(&mut self) -> GlobalMut<'_> {
        GlobalMut { node: self }
    }

    /// Any service of DNS-SD: what the application publishes, and what it looks for.
    pub fn services(&mut self) -> ServicesMut<'_> {
        ServicesMut { node: self }
    }

    /// Says goodbye on the LAN, for itself and for its services, withdraws what it announced to discovery
    /// servers, and closes every connection once what was
    /// finished is acknowledged, or after 3 s. [`Node::is_drained`] tells when all is said.
    pub fn shutdown(&mut self, now: Now) {
        let clocks = self.clamp(now);
        let now = clocks.mono;
        self.shutting_down = true;
        self.advertised = None;
        self.mdns.withdraw_all(now);
        self.end_services(now);
        self.mdns.stop_browse(now, &advertise::kind(&self.config));
        self.peers.stop();
        // Servers are hung up on once they have heard that this node goes.
        self.quic.close_all_but(now, &self.global.conns(), CloseCode::Shutdown);
        self.global.switch(clocks, Switched::Ended);
    }

    /// Whether a node that was shut down has nothing more to send.
    pub fn is_drained(&self) -> bool {
        let is_said = self.out.is_empty() && self.mdns.is_drained() && self.global.is_drained();
        self.shutting_down && is_said && self.quic.is_drained()
    }

    /// Time may arrive late, from another thread: it never goes back here.
    fn clamp_time(&mut self, now: Now) -> Now {
        self.latest = self.latest.max(now.mono);
        self.peers.set_wall(now.wall);
        self.wall = now.wall;
        Now { mono: self.latest, wall: now.wall }
    }

    /// For verbs that change something: the engines want to be heard after it.
    fn clamp(&mut self, now: Now) -> Now {
        self.stale = true;
        self.clamp_time(now)
    }

    /// The clocks as they were last told.
    fn now(&self) -> Now {
        Now { mono: self.latest, wall: self.wall }
    }

    fn tell(&mut self, event: Event) {
        self.trace(&event);
        self.out.push_back(Output::Event(event));
    }

    /// The key that has a record under this name.
    fn known_key(&self, peer: &PeerId) -> Option<PublicKey> {
        self.pairing.record_for_id(peer).map(|record| record.peer)
    }
}
