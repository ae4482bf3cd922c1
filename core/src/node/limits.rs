//! What one peer may, where the application wants it otherwise than for all of them.
//!
//! Goes with the pairing: kept while the node runs and the peer is paired.

use super::{Node, PeersMut};
use crate::config::Labels;
use crate::error::LimitError;
use crate::id::{ConnId, PeerId, PublicKey};
use crate::io::Now;
use crate::quic::Terms;
use std::collections::BTreeMap;

/// The peers that have limits of their own. No more than there are pairings.
#[derive(Default)]
pub(super) struct Limits(BTreeMap<PublicKey, Own>);

/// `None`: as for everybody.
#[derive(Default)]
struct Own {
    labels: Option<Labels>,
    max_streams: Option<u32>,
}

/// Streams that a peer may be allowed at a time, each direction: quinn-proto makes room for them at once.
const MAX_STREAMS: u32 = 1 << 16;

impl Limits {
    /// How many peers have any.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The peer is not paired any longer.
    pub(super) fn forget(&mut self, peer: &PublicKey) {
        self.0.remove(peer);
    }
}

impl PeersMut<'_> {
    /// Sets which stream labels this paired peer may open; `None` is what [`Config::labels`](crate::Config::labels)
    /// says. Heeded for every stream whose label arrives after this, on the connections that stand as well; a
    /// refused stream is counted in [`Stats`](crate::Stats). Kept while the node runs and the two are paired.
    ///
    /// # Errors
    /// [`LimitError`], and nothing changes.
    pub fn set_labels(&mut self, now: Now, peer: PeerId, labels: Option<Labels>) -> Result<(), LimitError> {
        labels.as_ref().map_or(Ok(()), Labels::check)?;
        self.limit(now, peer, |own| own.labels = labels)
    }

    /// Sets how many streams this paired peer may have open at a time, each direction; `None` is what
    /// [`Config::max_streams`](crate::Config::max_streams) says. Fewer than before hold once so many of those that are
    /// open have ended. Kept while the node runs and the two are paired.
    ///
    /// # Errors
    /// [`LimitError`], and nothing changes.
    pub fn set_max_streams(
        &mut self,
        now: Now,
        peer: PeerId,
        streams: Option<u32>,
    ) -> Result<(), LimitError> {
        if streams.is_some_and(|streams| streams > MAX_STREAMS) {
            return Err(LimitError::Streams);
        }
        self.limit(now, peer, |own| own.max_streams = streams)
    }

    fn limit(&mut self, now: Now, peer: PeerId, set: impl FnOnce(&mut Own)) -> Result<(), LimitError> {
        let now = self.node.clamp(now).mono;
        if !self.node.pairing.is_loaded() {
            return Err(LimitError::NotReady);
        }
        let key = self.node.known_key(&peer).ok_or(LimitError::NotPaired)?;
        set(self.node.limits.0.entry(key).or_default());
        for conn in self.node.peers.links_to(&key) {
            self.node.quic.set_terms(now, conn, self.node.terms(&key));
        }
        Ok(())
    }
}

impl Node {
    /// What the peer at the other end of a connection may.
    pub(super) fn terms_of(&self, conn: ConnId) -> Option<Terms> {
        self.peers.links().find(|(id, _)| *id == conn).map(|(_, peer)| self.terms(&peer))
    }

    fn terms(&self, peer: &PublicKey) -> Terms {
        let own = self.limits.0.get(peer);
        Terms {
            labels: own.and_then(|own| own.labels.clone()).unwrap_or_else(|| self.config.labels.clone()),
            max_streams: own.and_then(|own| own.max_streams).unwrap_or(self.config.max_streams),
        }
    }
}
