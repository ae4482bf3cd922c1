//! What the fuzz targets call. Not part of the interface.
//!
//! | target | reads |
//! |---|---|
//! | `mdns_datagram` | one datagram, in every way in which it can come to an mDNS engine |
//! | `mdns_session` | a script: datagrams, links and time, between two mDNS engines |
//! | `quic_datagram` | a script: datagrams to a listener, between those of an honest client |
//! | `discovery` | a script: what clients ask a discovery server, and what its store and its host do |
//! | `certificate` | the certificate of a peer |
//! | `frames` | a stream of frames, as each protocol of frames reads it |
//! | `pairing_session` | a script: what a host and a joiner hear, and what their stores and users answer |
//! | `lists` | a script: records that both sides begin with, and the lists that they hear |
//! | `peer` | a script: frames, streams and labels of somebody who holds a key |
//! | `node_calls` | a script: every verb of two whole nodes, and every answer |
//! | `txt` | a TXT record, and what it announces |
//! | `record` | a stored record of a pairing, or of where a peer was |
//! | `value` | values of an application on a stream |
//! | `identity` | a stored key |
//! | `text` | peer ids, fingerprints, service names, kinds of services and codes, as people give them |
//!
//! Each panics where an invariant breaks. Scripts are read from the front, an octet a step; `fuzz/seeds` has
//! some of each target, which the tests of the core replay.

use crate::{id, identity, mdns, node, pairing, quic, server, store, value, wire};
use std::time::Instant;

/// Reads a certificate as TLS does.
pub fn certificate(der: &[u8]) {
    quic::fuzz::certificate(der);
}

/// Plays a script of clients of a discovery server, and reads it as messages of theirs.
pub fn discovery(now: Instant, script: &[u8]) {
    server::fuzz::messages(script);
    server::fuzz::session(now, script);
}

/// Reads a stream of frames.
pub fn frames(stream: &[u8]) {
    wire::fuzz::frames(stream);
}

/// Imports a key.
pub fn identity(pkcs8: &[u8]) {
    identity::fuzz::identity(pkcs8);
}

/// Plays a script of lists.
pub fn lists(now: Instant, script: &[u8]) {
    pairing::fuzz::lists(now, script);
}

/// Feeds one datagram to an mDNS engine, and lets it act on it.
pub fn mdns_datagram(now: Instant, datagram: &[u8]) {
    mdns::fuzz::datagram(now, datagram);
}

/// Plays a script of a link.
pub fn mdns_session(now: Instant, script: &[u8]) {
    mdns::fuzz::session::session(now, script);
}

/// Plays a script of whole nodes.
pub fn node_calls(now: Instant, script: &[u8]) {
    node::fuzz::calls::calls(now, script);
}

/// Plays a script of a pairing.
pub fn pairing_session(now: Instant, script: &[u8]) {
    pairing::fuzz::session(now, script);
}

/// Plays a script of an adversary.
pub fn peer(now: Instant, script: &[u8]) {
    node::fuzz::adversary::peer(now, script);
}

/// Plays a script of datagrams to a listener.
pub fn quic_datagram(now: Instant, script: &[u8]) {
    quic::fuzz::datagrams(now, script);
}

/// Reads a stored record of either kind.
pub fn record(octets: &[u8]) {
    store::fuzz::record(octets);
    store::fuzz::whereabouts(octets);
}

/// Reads text of people.
pub fn text(octets: &[u8]) {
    id::fuzz::text(octets);
}

/// Reads a TXT record.
pub fn txt(rdata: &[u8]) {
    node::fuzz::txt(rdata);
}

/// Reads values of an application.
pub fn value(stream: &[u8]) {
    value::fuzz::value(stream);
}
