//! How long a connection lives that nobody uses. RFC 9000 §10.1.
//!
//! One that is wanted is kept alive; one on which no stream of the application was open for a while may be closed;
//! a stranger's gets neither.

use super::{Conn, Context, Phase};
use crate::config::{Config, Policy};
use crate::quic::streams::Owner;
use crate::wire::close::CloseCode;
use std::time::{Duration, Instant};

/// When a connection was used, and what for.
#[derive(Debug)]
pub(in crate::quic) struct Rest {
    keep_alive: Duration,
    idle_timeout: Duration,
    idle_close: Option<Duration>,
    /// Whether it is kept, used or not.
    policy: Policy,
    /// When the peer was last heard, or asked to be.
    heard_at: Instant,
    /// Since when no stream of the application is open.
    idle_since: Option<Instant>,
    /// Datagrams of the application so far: each is a use.
    datagrams: u64,
    /// It is being closed because nobody uses it.
    pub(in crate::quic) is_over: bool,
}

impl Rest {
    pub(in crate::quic) fn new(now: Instant, config: &Config) -> Self {
        Self {
            keep_alive: config.keep_alive,
            idle_timeout: config.idle_timeout,
            idle_close: config.idle_close,
            policy: Policy::Lazy,
            heard_at: now,
            idle_since: None,
            datagrams: 0,
            is_over: false,
        }
    }

    /// Something of the peer's was heard.
    pub(in crate::quic) fn handle_heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    fn close_at(&self) -> Option<Instant> {
        let after = self.idle_close.filter(|_| self.policy == Policy::Lazy)?;
        Some(self.idle_since? + after)
    }

    /// When the peer is to be asked: not where the connection is closed before its silence ends it.
    fn ping_at(&self) -> Option<Instant> {
        let ends_before = self.close_at().is_some_and(|at| at < self.heard_at + self.idle_timeout);
        (!ends_before).then_some(self.heard_at + self.keep_alive)
    }
}

impl Conn {
    /// Whether it is kept though nobody uses it.
    pub(in crate::quic) fn set_policy(&mut self, policy: Policy) {
        self.rest.policy = policy;
    }

    /// Looks whether it is in use. Called whenever anything happened on it.
    pub(in crate::quic) fn look_at_use(&mut self, now: Instant) {
        if self.rest.idle_close.is_none() || self.owner == Owner::Engine || self.phase != Phase::Open {
            return;
        }
        if !self.streams.is_empty() {
            self.rest.idle_since = None;
            return;
        }
        let stats = self.quic.stats();
        let datagrams = stats.frame_tx.datagram + stats.frame_rx.datagram;
        if std::mem::replace(&mut self.rest.datagrams, datagrams) != datagrams {
            self.rest.idle_since = None;
        }
        self.rest.idle_since.get_or_insert(now);
    }

    /// When it is to be kept alive, or closed.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        let is_application = self.owner == Owner::Application;
        match self.phase {
            Phase::Pairing => Some(self.rest.heard_at + self.rest.keep_alive),
            Phase::Open if is_application => {
                self.rest.close_at().into_iter().chain(self.rest.ping_at()).min()
            }
            // Who asks a server wants to stay; the server does not mind.
            Phase::Open => self.dialled().then_some(self.rest.heard_at + self.rest.keep_alive),
            Phase::Stranger { .. } | Phase::Closing { .. } | Phase::Over => None,
        }
    }

    /// Keeps it alive, or closes it, where that is due.
    pub(super) fn handle_rest(&mut self, cx: &mut Context<'_>) {
        if self.rests_until().is_none_or(|at| at > cx.now) {
            return;
        }
        if self.phase == Phase::Open && self.rest.close_at().is_some_and(|at| at <= cx.now) {
            tracing::debug!("a connection that nobody uses is closed");
            self.rest.is_over = true;
            return self.close_gracefully(cx, CloseCode::Ok);
        }
        self.rest.heard_at = cx.now;
        self.quic.ping();
        cx.work.send(self);
    }
}
