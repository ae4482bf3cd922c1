//! Discovery servers: between their client, the streams to them, the store, and whom this node is paired with.
//!
//! Carries alone: what is asked and believed is decided by `global`.

use super::Node;
use crate::ask::{Ask, StoreToken};
use crate::config::{Config, MAX_SERVERS};
use crate::error::ReadError;
use crate::event::{Event, LookedUp, ServerFailure, ServerStatus};
use crate::global::{self, End, Global, MAX_ASKED, MAX_PUSH, Settings, Switched};
use crate::id::{ConnId, Fingerprint, PeerId, PublicKey, StreamId};
use crate::identity::Identity;
use crate::io::Now;
use crate::quic::{Alpn, Cause, Expect};
use crate::rng::Rng;
use crate::store::{PairSecret, PairState, StoreChange, StoreReply, StoreRequest};
use crate::table::Table;
use crate::wire::close::{CloseCode, StreamCode};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The numbers of questions to the store begin here: those of pairing are far below.
const FIRST_TOKEN: u64 = 1 << 63;

/// A request whose stream is open.
struct Request {
    /// As the client calls it.
    number: u64,
    /// What is not written yet.
    rest: Bytes,
}

/// What is under way with servers.
#[derive(Default)]
pub(super) struct Requests {
    open: BTreeMap<(ConnId, StreamId), Request>,
    /// Questions that were put to the store.
    asked: u64,
    /// Whom this node wants to find may have changed.
    stale: bool,
}

impl Requests {
    /// Whom this node is paired with, or trusts, may have changed.
    pub(super) fn stir(&mut self) {
        self.stale = true;
    }

    pub(super) fn table(&self) -> Table {
        Table::new("node: requests to discovery servers", self.open.len(), MAX_SERVERS * MAX_ASKED)
    }

    fn forget(&mut self, conn: ConnId) {
        self.open.retain(|(of, _), _| *of != conn);
    }
}

/// The client as a node's configuration wants it.
pub(super) fn client(config: &Config, identity: &Identity, rng: Rng, now: Now) -> Global {
    let settings = Settings {
        own: identity.public_key(),
        name: identity.peer_id(config.peer_id),
        signer: identity.signer(),
        servers: config.servers.clone(),
        announce: config.announce,
        hearsay: config.hearsay,
    };
    Global::new(now.mono, settings, rng)
}

impl Node {
    pub(super) fn route_global(&mut self, now: Now, event: global::Event) {
        match event {
            global::Event::Dial { server, to, key } => {
                let conn = self.quic.dial(now.mono, to, Alpn::Disco, Expect::Print(key));
                self.global.handle_tried(now, server, conn);
            }
            global::Event::Request { conn, request, bytes } => self.send_request(now, conn, request, bytes),
            global::Event::Forget { conn, request } => {
                let is_it =
                    |((of, _), open): &(&(ConnId, StreamId), &Request)| *of == conn && open.number == request;
                if let Some((key, _)) = self.requests.open.iter().find(is_it) {
                    let key = *key;
                    self.requests.open.remove(&key);
                    self.abandon(key);
                }
            }
            global::Event::Close { conn } => {
                self.requests.forget(conn);
                self.quic.close(now.mono, conn, CloseCode::Ok);
            }
            global::Event::Persist { seq } => {
                self.requests.asked += 1;
                let change = StoreChange { announced: Some(seq), ..StoreChange::default() };
                let token = StoreToken(FIRST_TOKEN + self.requests.asked);
                self.ask(Ask::Store(token, StoreRequest::Write(change)));
            }
            global::Event::Found { peer, addresses } => self.found(now, &peer, &addresses),
            global::Event::LookedUp { peer, server, outcome } => {
                let peer = peer.peer_id(self.config.peer_id);
                self.tell(Event::LookedUp(LookedUp { peer, server, outcome }));
            }
            global::Event::Tell(event) => self.tell(event),
        }
    }

    /// A server says where a peer is.
    fn found(&mut self, now: Now, peer: &PublicKey, addresses: &[SocketAddr]) {
        self.peers.handle_found(now.mono, peer, addresses);
        if !addresses.is_empty() {
            self.pairing.handle_sighted(now.mono, &peer.fingerprint());
        }
    }

    /// The store answered a question of the client's. Returns the answer where it was not the client's.
    pub(super) fn announced_stored(
        &mut self,
        now: Now,
        token: StoreToken,
        reply: StoreReply,
    ) -> Option<(StoreToken, StoreReply)> {
        if token.0 < FIRST_TOKEN {
            if let StoreReply::Loaded(stored) = &reply {
                self.global.handle_loaded(now, stored.announced);
            }
            return Some((token, reply));
        }
        if token.0 == FIRST_TOKEN + self.requests.asked {
            match reply {
                StoreReply::Written => self.global.handle_stored(now),
                StoreReply::Loaded(_) | StoreReply::Failed => self.global.handle_store_failed(now),
            }
        }
        None
    }

    /// Tells the client whom this node is paired with, however tentatively, and whom it trusts, where that changed.
    /// Whether it did.
    pub(super) fn seek(&mut self, now: Now) -> bool {
        if !std::mem::take(&mut self.requests.stale) || !self.global.is_used() || !self.pairing.is_loaded() {
            return false;
        }
        let mut paired: BTreeMap<PublicKey, Vec<PairSecret>> = BTreeMap::new();
        for record in self.pairing.records().filter(|record| record.state != PairState::Hook) {
            paired.entry(record.peer).or_default().push(record.secret.clone());
        }
        let trusted = self.pairing.trusting().into_iter().filter(|trusted| trusted.stored);
        let trusted: BTreeSet<Fingerprint> = trusted.map(|trusted| trusted.fingerprint).collect();
        let known: BTreeSet<Fingerprint> = paired.keys().map(PublicKey::fingerprint).collect();
        self.global.set_sought(now, paired, &trusted.difference(&known).copied().collect());
        true
    }

    /// Where this node is, as the client hears it.
    pub(super) fn locate(&mut self, now: Now) {
        self.global.handle_interfaces(now, self.sockets.interfaces(), self.sockets.quic_port());
    }

    /// A connection to a server is over.
    pub(super) fn server_lost(&mut self, now: Now, conn: ConnId, cause: Cause) {
        self.requests.forget(conn);
        self.global.handle_lost(now, conn, failure_of(cause));
        if cause == Cause::NetworkChanged {
            self.global.handle_network_changed(now);
        }
    }

    /// Carries what moved on one stream to a server. `false` where nothing moved.
    pub(super) fn route_request(&mut self, now: Now) -> bool {
        let Some((conn, stream, moved)) = self.quic.poll_request() else { return false };
        let key = (conn, stream);
        if moved.writable {
            self.write_on(key);
        }
        if moved.readable {
            self.read_reply(now, key);
        }
        true
    }

    fn send_request(&mut self, now: Now, conn: ConnId, number: u64, bytes: Bytes) {
        match self.quic.open_request(conn) {
            Ok(stream) => {
                self.requests.open.insert((conn, stream), Request { number, rest: bytes });
                self.write_on((conn, stream));
            }
            Err(_) => self.global.handle_unsent(now, conn),
        }
    }

    /// Writes what there is room for. A stream that the server stopped is read all the same: it may say why.
    fn write_on(&mut self, key: (ConnId, StreamId)) {
        let Some(request) = self.requests.open.get_mut(&key).filter(|request| !request.rest.is_empty())
        else {
            return;
        };
        let Ok(mut stream) = self.quic.stream(key.0, key.1) else { return };
        while !request.rest.is_empty() {
            if stream.write_chunks(std::slice::from_mut(&mut request.rest)).is_err() {
                return;
            }
        }
        // A server that wants no more has its reply ready.
        let _ = stream.finish();
    }

    fn read_reply(&mut self, now: Now, key: (ConnId, StreamId)) {
        let (conn, stream) = key;
        loop {
            let Some(number) = self.requests.open.get(&key).map(|request| request.number) else { return };
            let mut sink = Vec::new();
            let read = match self.quic.stream(conn, stream) {
                Ok(mut stream) => stream.read_chunks(MAX_PUSH, &mut sink),
                Err(_) => Err(ReadError::Gone),
            };
            let (end, more) = match read {
                Ok(read) if read.fin => (End::Finished, false),
                Ok(read) => (End::Open, read.more),
                Err(_) => (End::Broken, false),
            };
            if end != End::Open {
                self.requests.open.remove(&key);
                self.abandon(key);
            }
            self.global.handle_reply(now, conn, number, &sink.concat(), end);
            // What follows from it goes first: the connection may be given up.
            while let Some(event) = self.global.poll_event() {
                self.route_global(now, event);
            }
            if !more {
                return;
            }
        }
    }

    /// Neither half of a stream is of use any more.
    fn abandon(&mut self, (conn, stream): (ConnId, StreamId)) {
        if let Ok(mut stream) = self.quic.stream(conn, stream) {
            stream.stop(StreamCode::Cancelled.code());
            stream.reset(StreamCode::Cancelled.code());
        }
    }
}

fn failure_of(cause: Cause) -> ServerFailure {
    match cause {
        Cause::WrongKey => ServerFailure::WrongKey,
        Cause::Refused => ServerFailure::Refused,
        Cause::Broken => ServerFailure::Misbehaved,
        Cause::TimedOut | Cause::Here(CloseCode::Timeout) => ServerFailure::TimedOut,
        Cause::NetworkChanged => ServerFailure::Unreachable,
        Cause::Here(_) | Cause::Unused | Cause::Peer(_) | Cause::Reset => ServerFailure::Closed,
    }
}

/// Discovery beyond the LAN, borrowed from a node. Without [`Config::servers`](crate::Config::servers) it does nothing.
pub struct GlobalMut<'a> {
    pub(super) node: &'a mut Node,
}

impl GlobalMut<'_> {
    /// How it stands with each server, in the configuration's order;
    /// [`Event::ServerState`](crate::Event::ServerState) tells of changes.
    pub fn servers(&self) -> Vec<ServerStatus> {
        self.node.global.servers()
    }

    /// Asks every server where a paired peer is, now. Each answer is told by
    /// [`Event::LookedUp`](crate::Event::LookedUp), and what is new of the peer by
    /// [`Event::PeerUpdated`](crate::Event::PeerUpdated).
    ///
    /// `false`, and nothing is asked, where the peer is not paired, where no server is used, and beyond 16 look-ups at
    /// once and then one in 2 s: servers tell by themselves of peers that move.
    pub fn look_up(&mut self, now: Now, peer: PeerId) -> bool {
        let now = self.node.clamp(now);
        let key = self.node.known_key(&peer).filter(|_| self.node.global.is_used());
        key.is_some_and(|key| self.node.global.look_up(now, key.fingerprint()))
    }

    /// Uses servers again, after [`GlobalMut::switch_off`].
    pub fn switch_on(&mut self, now: Now) {
        let now = self.node.clamp(now);
        self.node.global.switch(now, Switched::On);
    }

    /// Uses no server any more: what was announced is withdrawn, within 3 s, and after that nothing is sent to any. Where
    /// they said that peers are is known no longer.
    pub fn switch_off(&mut self, now: Now) {
        let now = self.node.clamp(now);
        self.node.global.switch(now, Switched::Off);
    }
}

#[cfg(test)]
mod tests;
