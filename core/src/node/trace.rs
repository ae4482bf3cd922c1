//! What a log says of a node's life: a span a peer, a connection and a pairing, and one line a turn of fate.
//!
//! At INFO, and never an address, a key or anything that was said. Strangers cause no line.

use super::Node;
use crate::event::{Event, PairingId};
use crate::id::{ConnId, PeerId, PublicKey};
use std::collections::BTreeMap;
use tracing::{Span, info, info_span};

/// The spans of what goes on: of peers that are paired, of connections that are shown, and of pairings that got
/// somewhere.
#[derive(Default)]
pub(super) struct Spans {
    peers: BTreeMap<PublicKey, Span>,
    conns: BTreeMap<ConnId, Span>,
    pairings: BTreeMap<PairingId, Span>,
}

impl Spans {
    /// How many peers, connections and pairings there are.
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.peers.len(), self.conns.len(), self.pairings.len()]
    }

    /// The peer is not paired any longer.
    pub(super) fn forget(&mut self, peer: &PublicKey) {
        self.peers.remove(peer);
    }
}

impl Node {
    /// Says what the application is told, where it is a turn of fate.
    pub(super) fn trace(&mut self, event: &Event) {
        match event {
            Event::PeerConnected(peer) => {
                let of = self.peer_span(Some(peer.key), &peer.id);
                let span = info_span!(parent: &of, "connection", conn = peer.conn.0);
                span.in_scope(|| info!(dialled = peer.dialled, "connected"));
                self.spans.conns.insert(peer.conn, span);
            }
            Event::PeerDisconnected(conn, peer, reason) => {
                let span = self.spans.conns.remove(conn).unwrap_or_else(Span::none);
                span.in_scope(|| info!(%peer, %reason, "disconnected"));
            }
            Event::ConnectFailed(peer, why) => {
                let span = self.peer_span(self.known_key(peer), peer);
                span.in_scope(|| info!(%why, "could not be reached"));
            }
            Event::PairingProgress(pairing, step) => {
                let span = info_span!(parent: None, "pairing", pairing = pairing.0);
                let span = self.spans.pairings.entry(*pairing).or_insert(span);
                span.in_scope(|| info!(?step, "pairing goes on"));
            }
            Event::PairingEnded(pairing, result) => {
                let span = self.spans.pairings.remove(pairing).unwrap_or_else(Span::none);
                span.in_scope(|| match result {
                    Ok(peer) => info!(peer = %peer.id, "paired"),
                    Err(why) => info!(%why, "pairing failed"),
                });
            }
            // What strangers cause, and what has a line of its own.
            _ => {}
        }
    }

    /// The span of a peer: kept while they are paired, and made for the moment for anybody else.
    fn peer_span(&mut self, key: Option<PublicKey>, peer: &PeerId) -> Span {
        let new = || info_span!(parent: None, "peer", %peer);
        match key.filter(|key| self.pairing.standing(key).0) {
            Some(key) => self.spans.peers.entry(key).or_insert_with(new).clone(),
            None => new(),
        }
    }

    /// Writes down what every connection does that begins from here on, as qlog: which packets go and come, and how
    /// fast, with addresses of nobody and none of what is said. `sink` is written to in the calls that make it happen.
    #[cfg(feature = "qlog")]
    pub fn write_qlog(&mut self, now: crate::Now, sink: Box<dyn std::io::Write + Send + Sync>) {
        self.quic.write_qlog(now.mono, sink);
    }
}
