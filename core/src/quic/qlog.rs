//! What QUIC does, written down for tools that draw it: qlog, as JSON text sequences (RFC 7464).
//!
//! Never opens a file: it writes where it is told, in the call that makes something happen.

use super::Quic;
use quinn_proto::QlogConfig;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

impl Quic {
    /// Writes down every connection that begins from here on. Times are told since `now`.
    pub(crate) fn write_qlog(&mut self, now: Instant, sink: Box<dyn Write + std::marker::Send + Sync>) {
        let mut qlog = QlogConfig::default();
        qlog.start_time(now).writer(sink).title(Some("handfast".to_owned()));
        let stream = qlog.into_stream();
        if let Some(server) = self.factory.set_qlog(&self.config, stream) {
            self.endpoint.set_server_config(Some(Arc::new(server)));
        }
    }
}
