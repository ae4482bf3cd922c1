//! What one link does to datagrams: how long they take, which it loses, and what it is too small for.
//!
//! A line (see [`Line`]) sends one datagram after the other; a link decides about each on its own. Neither
//! knows who is at its ends.

use super::packet::Packet;
use crate::fault::{Fault, Tally};
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How often something happens, of a thousand times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerMille(pub u16);

impl PerMille {
    /// It never happens.
    pub const NEVER: Self = Self(0);
    /// It always happens.
    pub const ALWAYS: Self = Self(1000);

    /// Whether it happens this time. Draws nothing where it never does.
    fn strikes(self, rng: &mut ChaCha12Rng) -> bool {
        self != Self::NEVER && rng.next_u32() % 1000 < u32::from(self.0)
    }
}

/// How much fits through a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bytes a second, headers included. Not 0.
    pub bytes_per_second: u64,
    /// How long a datagram waits at most for those before it: one that would wait longer is dropped.
    pub queue: Duration,
}

/// The properties of a link: by default 1 ms, 1,500 bytes, and without a flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// How long every datagram is on its way.
    pub latency: Duration,
    /// How much longer it is at most: each draws its own, so that they may overtake one another.
    pub jitter: Duration,
    /// How many fragments are lost. A datagram that needs none is one fragment.
    pub loss: PerMille,
    /// How many datagrams arrive twice.
    pub duplicate: PerMille,
    /// How many datagrams are held back for `hold`, so that later ones overtake them.
    pub reorder: PerMille,
    /// How long a datagram is held back that is to be overtaken.
    pub hold: Duration,
    /// How much fits through, for each sender. `None` is without limit.
    pub bandwidth: Option<Bandwidth>,
    /// The largest IP packet, in bytes with its headers: UDP takes 28 of them in IPv4, 48 in IPv6.
    pub mtu: usize,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1),
            jitter: Duration::ZERO,
            loss: PerMille::NEVER,
            duplicate: PerMille::NEVER,
            reorder: PerMille::NEVER,
            hold: Duration::ZERO,
            bandwidth: None,
            mtu: 1500,
        }
    }
}

impl Link {
    /// The same link with this latency.
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// The same link with this jitter.
    pub fn with_jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// The same link that loses so many.
    pub fn with_loss(self, loss: PerMille) -> Self {
        Self { loss, ..self }
    }

    /// The same link that delivers so many twice.
    pub fn with_duplicate(self, duplicate: PerMille) -> Self {
        Self { duplicate, ..self }
    }

    /// The same link that holds so many back, for so long.
    pub fn with_reorder(self, reorder: PerMille, hold: Duration) -> Self {
        Self { reorder, hold, ..self }
    }

    /// The same link with this bandwidth, and a queue that holds what can be sent in `queue`.
    pub fn with_bandwidth(self, bytes_per_second: u64, queue: Duration) -> Self {
        Self { bandwidth: Some(Bandwidth { bytes_per_second, queue }), ..self }
    }

    /// The same link with this MTU, in bytes with IP and UDP headers.
    pub fn with_mtu(self, mtu: usize) -> Self {
        Self { mtu, ..self }
    }

    /// Whether datagrams may arrive in another order than they were sent.
    pub(super) fn shuffles(&self) -> bool {
        self.jitter > Duration::ZERO || self.reorder != PerMille::NEVER
    }

    /// How many fragments a packet needs here. `None` if it is too big and may not be fragmented.
    pub(super) fn fragments(&self, packet: &Packet) -> Option<usize> {
        let (header, fragment_header) = match packet.destination.ip() {
            IpAddr::V4(_) => (20, 20),
            // RFC 8200 §4.5: an IPv6 fragment has 8 bytes of header more.
            IpAddr::V6(_) => (40, 48),
        };
        let data = UDP_HEADER + packet.payload.len();
        if header + data <= self.mtu {
            return Some(1);
        }
        let each = (self.mtu.saturating_sub(fragment_header) & !7).max(8);
        packet.may_fragment.then(|| data.div_ceil(each))
    }

    /// When a packet, and perhaps a second copy of it, comes out at the other end.
    pub(super) fn cross(&self, fragments: usize, rng: &mut ChaCha12Rng, tally: &mut Tally) -> Crossing {
        if (0..fragments).any(|_| self.loss.strikes(rng)) {
            tally.fired(Fault::Lost);
            return Crossing::default();
        }
        let first = Some(self.delay(rng, tally));
        let copy = self.duplicate.strikes(rng).then(|| {
            tally.fired(Fault::Duplicated);
            self.delay(rng, tally)
        });
        Crossing { first, copy }
    }

    fn delay(&self, rng: &mut ChaCha12Rng, tally: &mut Tally) -> Duration {
        let mut late = Duration::ZERO;
        if self.jitter > Duration::ZERO {
            let most = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX - 1);
            late += Duration::from_nanos(rng.next_u64() % (most + 1));
        }
        if self.reorder.strikes(rng) {
            late += self.hold;
        }
        if late > Duration::ZERO {
            tally.fired(Fault::Delayed);
        }
        self.latency + late
    }
}

/// UDP's header. RFC 768.
const UDP_HEADER: usize = 8;

/// How long a packet and its copy take to cross a link.
#[derive(Default)]
pub(super) struct Crossing {
    /// The packet itself. `None` if it was lost.
    pub(super) first: Option<Duration>,
    /// Its copy, if there is one.
    pub(super) copy: Option<Duration>,
}

/// The end of a link where one sender puts its datagrams, one after the other.
#[derive(Default)]
pub(super) struct Line {
    busy_until: Option<Instant>,
}

impl Line {
    /// Puts a packet on the line: when its last byte is out, and in how many fragments. `None` if it is too
    /// big, or if too much waits before it.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        link: &Link,
        packet: &Packet,
        tally: &mut Tally,
    ) -> Option<(Instant, usize)> {
        let Some(fragments) = link.fragments(packet) else {
            tally.fired(Fault::TooBig);
            return None;
        };
        let Some(bandwidth) = link.bandwidth else { return Some((now, fragments)) };
        let start = self.busy_until.map_or(now, |busy| busy.max(now));
        if start - now > bandwidth.queue {
            tally.fired(Fault::Overflowed);
            return None;
        }
        if start > now {
            tally.fired(Fault::Queued);
        }
        let done = start + bandwidth.time_for(packet.wire_len(fragments));
        self.busy_until = Some(done);
        Some((done, fragments))
    }
}

impl Bandwidth {
    fn time_for(&self, bytes: usize) -> Duration {
        let nanos = (bytes as u128 * 1_000_000_000).div_ceil(u128::from(self.bytes_per_second.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
