//! What a log says of a node's life: a span a connection and a pairing, and one line a turn of fate.
//!
//! At INFO, and never an address, a key or anything that was said. Strangers cause no line.

use super::Node;
use crate::event::{Event, PairingId};
use crate::id::ConnId;
use std::collections::BTreeMap;
use tracing::{Span, info, info_span};

/// The spans of what goes on: of connections that are shown, and of pairings that got somewhere.
#[derive(Default)]
pub(super) struct Spans {
    conns: BTreeMap<ConnId, Span>,
    pairings: BTreeMap<PairingId, Span>,
}

impl Spans {
    /// How many connections and pairings there are.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [self.conns.len(), self.pairings.len()]
    }
}

impl Node {
    /// Says what the application is told, where it is a turn of fate.
    pub(super) fn trace(&mut self, event: &Event) {
        let spans = &mut self.spans;
        match event {
            Event::PeerConnected(peer) => {
                let span = info_span!(parent: None, "connection", peer = %peer.id, conn = peer.conn.0);
                span.in_scope(|| info!(dialled = peer.dialled, "connected"));
                spans.conns.insert(peer.conn, span);
            }
            Event::PeerDisconnected(conn, peer, reason) => {
                let span = spans.conns.remove(conn).unwrap_or_else(Span::none);
                span.in_scope(|| info!(%peer, %reason, "disconnected"));
            }
            Event::ConnectFailed(peer, why) => {
                info_span!(parent: None, "peer", %peer).in_scope(|| info!(%why, "could not be reached"));
            }
            Event::PairingProgress(pairing, step) => {
                let span = info_span!(parent: None, "pairing", pairing = pairing.0);
                spans.pairings.entry(*pairing).or_insert(span).in_scope(|| info!(?step, "pairing goes on"));
            }
            Event::PairingEnded(pairing, result) => {
                let span = spans.pairings.remove(pairing).unwrap_or_else(Span::none);
                span.in_scope(|| match result {
                    Ok(peer) => info!(peer = %peer.id, "paired"),
                    Err(why) => info!(%why, "pairing failed"),
                });
            }
            // What strangers cause, and what has a line of its own.
            _ => {}
        }
    }

    /// Writes down what every connection does that begins from here on, as qlog: which packets go and come, and how
    /// fast, with addresses of nobody and none of what is said. `sink` is written to in the calls that make it happen.
    #[cfg(feature = "qlog")]
    pub fn write_qlog(&mut self, now: crate::Now, sink: Box<dyn std::io::Write + Send + Sync>) {
        self.quic.write_qlog(now.mono, sink);
    }
}
