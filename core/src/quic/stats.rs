//! What connections did, counted.
//!
//! Reads alone.

use super::connection::{Conn, Phase};
use super::{Quic, find};
use crate::id::ConnId;
use std::net::{IpAddr, SocketAddr};
use std::ops::AddAssign;
use std::time::Duration;

/// Bytes and datagrams of QUIC: all of UDP's payload, whatever it was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Datagrams sent.
    pub sent_datagrams: u64,
    /// Bytes received that belong to a connection, but for the first datagram of one that was accepted.
    pub received_bytes: u64,
    /// Datagrams received that belong to a connection, but for that first one.
    pub received_datagrams: u64,
    /// Packets sent that were taken for lost, and sent again as far as they mattered. RFC 9002 §6.
    pub lost_packets: u64,
    /// The bytes of those.
    pub lost_bytes: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.sent_bytes += other.sent_bytes;
        self.sent_datagrams += other.sent_datagrams;
        self.received_bytes += other.received_bytes;
        self.received_datagrams += other.received_datagrams;
        self.lost_packets += other.lost_packets;
        self.lost_bytes += other.lost_bytes;
    }
}

/// What the connections of a node did since it began, those included that are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuicStats {
    /// Connections that were accepted, of whoever knocked.
    pub accepted: u64,
    /// Connections that were dialled, those included that nobody answered.
    pub dialled: u64,
    /// Connections on which the application may open streams now.
    pub open: usize,
    /// Streams that are open now, both ways.
    pub streams: usize,
    /// Streams that peers opened and that were refused for their labels.
    pub refused_labels: u64,
    /// What went over the wire.
    pub traffic: Traffic,
}

/// One connection as it is now, and what it did since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnStats {
    /// Where the peer is.
    pub remote: SocketAddr,
    /// The local address that it is reached from, where the system tells.
    pub local: Option<IpAddr>,
    /// How long an answer takes, smoothed. RFC 9002 §5.3.
    pub rtt: Duration,
    /// Bytes that may be on their way at a time. RFC 9002 §7.
    pub congestion_window: u64,
    /// How often the network was found congested.
    pub congestion_events: u64,
    /// How often the path was found to swallow large datagrams. RFC 8899 §4.3.
    pub black_holes: u64,
    /// Bytes of the largest datagram that the path carries.
    pub mtu: u16,
    /// Streams that this side opened and that are open.
    pub streams_here: usize,
    /// Streams that the peer opened and that are open.
    pub streams_there: usize,
    /// Streams that the peer opened and that were refused for their labels.
    pub refused_labels: u64,
    /// Bytes that it may have received and not read.
    pub receive_window: u64,
    /// Bytes that it may have written and that are not acknowledged.
    pub send_window: u64,
    /// What went over the wire.
    pub traffic: Traffic,
}

/// What the connections that are forgotten did.
#[derive(Default)]
pub(super) struct Past {
    accepted: u64,
    dialled: u64,
    refused_labels: u64,
    traffic: Traffic,
}

impl Past {
    /// A connection is forgotten.
    pub(super) fn add(&mut self, conn: &Conn) {
        let count = if conn.dialled() { &mut self.dialled } else { &mut self.accepted };
        *count += 1;
        self.refused_labels += conn.refused_labels;
        self.traffic += conn.traffic();
    }
}

impl Quic {
    pub(crate) fn stats(&self) -> QuicStats {
        let Past { accepted, dialled, refused_labels, traffic } = self.past;
        let mut stats = QuicStats { accepted, dialled, refused_labels, traffic, ..QuicStats::default() };
        for (_, conn) in &self.conns {
            let count = if conn.dialled() { &mut stats.dialled } else { &mut stats.accepted };
            *count += 1;
            stats.open += usize::from(conn.phase == Phase::Open);
            stats.streams += conn.streams.len();
            stats.refused_labels += conn.refused_labels;
            stats.traffic += conn.traffic();
        }
        stats
    }

    /// `None` where it is forgotten.
    pub(crate) fn conn_stats(&mut self, id: ConnId) -> Option<ConnStats> {
        find(&mut self.conns, id).map(|conn| conn.stats())
    }
}

impl Conn {
    fn traffic(&self) -> Traffic {
        let stats = self.quic.stats();
        Traffic {
            sent_bytes: stats.udp_tx.bytes,
            sent_datagrams: stats.udp_tx.datagrams,
            received_bytes: stats.udp_rx.bytes,
            received_datagrams: stats.udp_rx.datagrams,
            lost_packets: stats.path.lost_packets,
            lost_bytes: stats.path.lost_bytes,
        }
    }

    fn stats(&self) -> ConnStats {
        let path = self.quic.stats().path;
        ConnStats {
            remote: self.quic.remote_address(),
            local: self.quic.local_ip(),
            rtt: path.rtt,
            congestion_window: path.cwnd,
            congestion_events: path.congestion_events,
            black_holes: path.black_holes_detected,
            mtu: path.current_mtu,
            streams_here: self.opened,
            streams_there: self.streams.len() - self.opened,
            refused_labels: self.refused_labels,
            receive_window: self.windows.receive,
            send_window: self.windows.send,
            traffic: self.traffic(),
        }
    }
}
