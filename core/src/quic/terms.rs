//! What a peer may on its connection.

use super::Quic;
use crate::config::{Config, Labels};
use crate::id::ConnId;
use std::time::Instant;

/// What a peer may, once its connection is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The labels of the streams that it may open.
    pub(crate) labels: Labels,
    /// How many of them at a time, each direction.
    pub(crate) max_streams: u32,
}

impl Terms {
    /// As for everybody.
    pub(super) fn new(config: &Config) -> Self {
        Self { labels: config.labels.clone(), max_streams: config.max_streams }
    }
}

impl Quic {
    /// Sets what the peer may: before [`Quic::admit`], or while the connection stands.
    pub(crate) fn set_terms(&mut self, now: Instant, conn: ConnId, terms: Terms) {
        self.with(now, conn, |conn, cx| {
            conn.set_terms(terms);
            cx.work.send(conn);
        });
    }
}
