//! Connections: which there are, what arrives on them, and what they have to send. RFC 9000.
//!
//! Knows keys and frames, and nothing of what they mean: who may connect and what is said is decided by
//! those whom [`Event`]s reach.

mod admission;
mod budget;
mod connection;
mod datagrams;
mod endpoint;
mod event;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod gate;
mod hush;
mod label;
mod main_stream;
mod network;
mod paths;
mod poll;
mod pulse;
#[cfg(feature = "qlog")]
mod qlog;
mod reach;
mod receive;
mod requests;
mod stats;
mod streams;
mod tables;
mod terms;
mod timers;
mod tls;
mod transmit;
mod work;

pub use datagrams::{DatagramsDropped, DatagramsMut};
pub(crate) use event::{Cause, Event};
pub use stats::{ConnStats, QuicStats, Traffic};
use streams::Owner;
pub use streams::{Direction, Read, StreamMut, Written};
pub(crate) use terms::Terms;
pub use tls::Crypto;
pub(crate) use tls::{Alpn, Expect, Role};

use crate::config::{Config, Policy};
use crate::error::{Gone, OpenError};
use crate::id::{ConnId, Fingerprint, StreamId};
use crate::identity::Identity;
use crate::rng::Rng;
use crate::wire::close::CloseCode;
use admission::Admission;
use budget::Budgets;
use bytes::Bytes;
use connection::{Conn, Context, Phase};
use endpoint::Factory;
use gate::Gate;
pub(crate) use paths::Locals;
use paths::Paths;
use quinn_proto::{ConnectionHandle, Endpoint};
use slab::Slab;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
pub(crate) use transmit::Round;
use transmit::Turn;
use work::{Outbox, Work};

/// The engine.
pub(crate) struct Quic {
    config: Arc<Config>,
    endpoint: Endpoint,
    factory: Factory,
    gate: Arc<Gate>,
    paths: Paths,
    lookout: network::Lookout,
    conns: Slab<Box<Conn>>,
    /// The slot of each of quinn-proto's handles, which are dense.
    slots: Vec<Option<usize>>,
    next_generation: u32,
    /// How many of the connections were accepted.
    accepted: usize,
    admission: Admission,
    hush: hush::Hush,
    budgets: Budgets,
    /// What those did that are forgotten.
    past: stats::Past,
    timers: timers::Timers,
    out: Outbox,
    work: Work,
    turn: Turn,
    responses: transmit::Responses,
    scratch: Vec<u8>,
}

impl Quic {
    /// A node's. Fails where the provider lacks what the protocol needs.
    pub(crate) fn new(
        config: Arc<Config>,
        identity: &Identity,
        crypto: Crypto,
        rng: Rng,
    ) -> Result<Self, rustls::Error> {
        Self::with_role(Role::Node, config, identity, crypto, rng)
    }

    /// That of whoever offers something. Fails as [`Quic::new`].
    pub(crate) fn with_role(
        role: Role,
        config: Arc<Config>,
        identity: &Identity,
        crypto: Crypto,
        rng: Rng,
    ) -> Result<Self, rustls::Error> {
        let tls = tls::Tls::new(crypto, identity, config.service.clone())?;
        let mut factory = Factory::new(&config, tls, role, rng);
        let endpoint = factory.endpoint(&config)?;
        let admission = match role {
            Role::Node => Admission::new(&config),
            Role::Directory => Admission::public(&config),
        };
        Ok(Self {
            admission,
            hush: hush::Hush::default(),
            budgets: Budgets::new(&config),
            past: stats::Past::default(),
            config,
            endpoint,
            gate: factory.gate(),
            factory,
            paths: Paths::default(),
            lookout: network::Lookout::default(),
            conns: Slab::new(),
            slots: Vec::new(),
            next_generation: 0,
            accepted: 0,
            timers: timers::Timers::default(),
            out: Outbox::default(),
            work: Work::default(),
            turn: Turn::default(),
            responses: transmit::Responses::default(),
            scratch: Vec::new(),
        })
    }

    /// The local addresses of the open sockets.
    pub(crate) fn local_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.paths.sockets().map(|socket| socket.local)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(slot) = self.timers.pop_due(now) {
            let Some(conn) = self.conns.get_mut(slot) else { continue };
            conn.armed = None;
            let mut cx =
                Context { now, service: &self.config.service, out: &mut self.out, work: &mut self.work };
            conn.handle_timeout(&mut cx);
            self.work.poll(conn);
        }
        self.handle_lookout(now);
    }

    /// Refuses these keys, within TLS, in every handshake that begins from here on.
    pub(crate) fn ban(&mut self, banned: BTreeSet<Fingerprint>) {
        let server = self.factory.ban(banned).expect("what was configured once is configured again");
        self.endpoint.set_server_config(Some(Arc::new(server)));
    }

    /// Begins a connection. `None` where no socket reaches that address, it is none to dial, or there are as
    /// many dialled ones as there may be.
    pub(crate) fn dial(
        &mut self,
        now: Instant,
        to: SocketAddr,
        alpn: Alpn,
        expect: Expect,
    ) -> Option<ConnId> {
        let to = Paths::canonical(to);
        self.paths.to(to)?;
        if self.conns.len() - self.accepted >= self.config.max_connections {
            tracing::debug!("too many connections to dial another");
            return None;
        }
        let config = self.factory.dial(alpn, expect).ok()?;
        // No name is sent (SNI is off); rustls wants one that is well formed.
        let (handle, quic) = self.endpoint.connect(now, config, to, "peer.invalid").ok()?;
        Some(self.insert(now, handle, quic).id)
    }

    /// Says a frame on the main stream. Nothing happens where the connection is over.
    pub(crate) fn send_frame(&mut self, now: Instant, conn: ConnId, frame: Bytes) {
        self.with(now, conn, |conn, cx| conn.send_frame(cx, frame));
    }

    /// Ends the main stream and closes with `code` once the peer has it all, or after 3 s.
    pub(crate) fn finish(&mut self, now: Instant, conn: ConnId, code: CloseCode) {
        self.with(now, conn, |conn, cx| conn.finish(cx, code));
    }

    /// Closes at once; what is queued is dropped.
    pub(crate) fn close(&mut self, now: Instant, conn: ConnId, code: CloseCode) {
        self.with(now, conn, |conn, cx| conn.close(cx, code));
    }

    /// Closes once what was finished is acknowledged, or after 3 s.
    pub(crate) fn close_gracefully(&mut self, now: Instant, conn: ConnId, code: CloseCode) {
        self.with(now, conn, |conn, cx| conn.close_gracefully(cx, code));
    }

    /// Closes all, gracefully.
    pub(crate) fn close_all(&mut self, now: Instant, code: CloseCode) {
        self.close_all_but(now, &[], code);
    }

    /// Closes all others than these, gracefully.
    pub(crate) fn close_all_but(&mut self, now: Instant, kept: &[ConnId], code: CloseCode) {
        let all: Vec<ConnId> = self.conns.iter().map(|(_, conn)| conn.id).collect();
        for conn in all.into_iter().filter(|conn| !kept.contains(conn)) {
            self.close_gracefully(now, conn, code);
        }
    }

    /// Allows streams, those of the application or requests, and as much on them as it is configured.
    pub(crate) fn admit(&mut self, now: Instant, conn: ConnId) {
        self.forgive(conn);
        // Who dialled a discovery server has streams from the start.
        let is_due = |conn: &Conn| {
            matches!(conn.phase, Phase::Stranger { .. })
                || (conn.phase == Phase::Open && conn.owner == Owner::Engine)
        };
        if let Some(conn) = find(&mut self.conns, conn)
            && is_due(conn)
        {
            let windows = self.budgets.raise(conn.windows);
            conn.admit(windows);
            conn.datagrams.set_bound(self.config.datagram_buffer as usize);
            self.work.send(conn);
        }
        self.with(now, conn, |conn, cx| conn.show(cx));
    }

    /// Whether a connection is kept though nobody uses it.
    pub(crate) fn set_policy(&mut self, now: Instant, conn: ConnId, policy: Policy) {
        self.with(now, conn, |conn, _| conn.set_policy(policy));
    }

    /// The application takes a connection for gone: its streams end, and it hears of no other until
    /// [`Quic::admit`].
    pub(crate) fn hide(&mut self, now: Instant, conn: ConnId) {
        self.with(now, conn, |conn, cx| conn.hide(cx));
    }

    /// Lifts the stranger's deadline: whoever asks has deadlines of its own.
    pub(crate) fn release(&mut self, conn: ConnId) {
        self.forgive(conn);
        if let Some(conn) = self.conn(conn)
            && matches!(conn.phase, Phase::Stranger { .. })
        {
            conn.phase = Phase::Pairing;
        }
    }

    pub(crate) fn open(
        &mut self,
        conn: ConnId,
        direction: Direction,
        label: &str,
        key: u64,
    ) -> Result<StreamId, OpenError> {
        let conn = find(&mut self.conns, conn).ok_or(OpenError::Gone)?;
        conn.open(&mut self.work, direction, label, key)
    }

    pub(crate) fn stream(&mut self, conn: ConnId, id: StreamId) -> Result<StreamMut<'_>, Gone> {
        let conn = find(&mut self.conns, conn).ok_or(Gone)?;
        if !conn.streams.contains_key(&id) {
            return Err(Gone);
        }
        Ok(StreamMut { conn, work: &mut self.work, id })
    }

    /// Datagrams that were dropped so far, on all connections.
    pub(crate) fn datagrams_dropped(&self) -> DatagramsDropped {
        self.out.dropped
    }

    /// The datagrams of a connection that the application sees.
    pub(crate) fn datagrams(&mut self, conn: ConnId) -> Result<DatagramsMut<'_>, Gone> {
        let conn = find(&mut self.conns, conn).filter(|conn| conn.is_shown()).ok_or(Gone)?;
        Ok(DatagramsMut { conn, work: &mut self.work, out: &mut self.out })
    }

    fn insert(&mut self, now: Instant, handle: ConnectionHandle, quic: quinn_proto::Connection) -> &mut Conn {
        let entry = self.conns.vacant_entry();
        let slot = entry.key();
        // The generation makes the id unique for as long as a node lives.
        let id = ConnId(u64::from(self.next_generation) << 32 | slot as u64);
        self.next_generation = self.next_generation.wrapping_add(1);
        if self.slots.len() <= handle.0 {
            self.slots.resize(handle.0 + 1, None);
        }
        self.slots[handle.0] = Some(slot);
        let until = now + self.config.handshake_timeout;
        let rest = connection::Rest::new(now, &self.config);
        let (terms, windows) = (Terms::new(&self.config), self.budgets.each());
        let conn = entry.insert(Box::new(Conn::new(id, slot, handle, quic, (until, rest), terms, windows)));
        self.work.poll(conn);
        conn
    }

    fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
        find(&mut self.conns, id)
    }

    fn with(&mut self, now: Instant, id: ConnId, act: impl FnOnce(&mut Conn, &mut Context<'_>)) {
        if let Some(conn) = find(&mut self.conns, id) {
            let mut cx =
                Context { now, service: &self.config.service, out: &mut self.out, work: &mut self.work };
            act(conn, &mut cx);
            self.work.poll(conn);
        }
    }

    /// No longer counts a connection as a stranger's.
    fn forgive(&mut self, id: ConnId) {
        if let Some(conn) = find(&mut self.conns, id)
            && let Some(ip) = conn.counted.take()
        {
            self.admission.discount(ip);
        }
    }
}

fn find(conns: &mut Slab<Box<Conn>>, id: ConnId) -> Option<&mut Conn> {
    let slot = (id.0 & u64::from(u32::MAX)) as usize;
    conns.get_mut(slot).filter(|conn| conn.id == id).map(|conn| &mut **conn)
}

#[cfg(test)]
mod tests;
