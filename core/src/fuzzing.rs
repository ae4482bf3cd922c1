//! What the fuzz targets call. Not part of the interface.

use crate::{mdns, wire};
use std::time::Instant;

/// Feeds one datagram to an mDNS engine, and lets it act on it. Panics where an invariant breaks.
pub fn mdns_datagram(now: Instant, datagram: &[u8]) {
    mdns::fuzz::datagram(now, datagram);
}

/// Feeds a stream of frames to the codecs of the control and pairing streams. Panics where an invariant
/// breaks.
pub fn frames(stream: &[u8]) {
    wire::fuzz::frames(stream);
}
