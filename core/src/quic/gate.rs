//! Lets one datagram past the congestion window, and tells what an acknowledgement leaves in flight. RFC 9002.
//!
//! Decides nothing about congestion: that is left to the controller that it wraps. A probe may leave though the
//! window is full (§7.5), which quinn-proto allows to those alone that its own timer sends, after ever longer
//! times.

use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Nothing was acknowledged.
const NOTHING: u64 = u64::MAX;

/// A window that is never full; pacing heeds none that is so large.
const NO_WINDOW: u64 = u64::MAX / 2;

/// Shared by all connections of a node, of which one at a time hears or sends.
#[derive(Debug)]
pub(super) struct Gate {
    open: AtomicBool,
    /// Bytes in flight after the last acknowledgement of something new, or [`NOTHING`].
    in_flight: AtomicU64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: AtomicBool::new(false), in_flight: AtomicU64::new(NOTHING) }
    }
}

impl Gate {
    /// Opens it for what is sent next, until [`Gate::shut`].
    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    pub(super) fn shut(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// What was in flight after something new was acknowledged, if anything was since the last call.
    pub(super) fn take_in_flight(&self) -> Option<u64> {
        let in_flight = self.in_flight.swap(NOTHING, Ordering::Relaxed);
        (in_flight != NOTHING).then_some(in_flight)
    }
}

/// Makes a gated controller for each path.
pub(super) struct Gated {
    pub(super) gate: Arc<Gate>,
    pub(super) inner: Arc<CubicConfig>,
}

impl ControllerFactory for Gated {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = self.inner.clone().build(now, current_mtu);
        Box::new(Gatekeeper { gate: self.gate.clone(), inner })
    }
}

/// A controller whose window counts unless the gate is open.
struct Gatekeeper {
    gate: Arc<Gate>,
    inner: Box<dyn Controller>,
}

impl Controller for Gatekeeper {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
        self.gate.in_flight.store(in_flight, Ordering::Relaxed);
        self.inner.on_end_acks(now, in_flight, app_limited, largest);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent: bool, lost_bytes: u64) {
        self.inner.on_congestion_event(now, sent, is_persistent, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if self.gate.open.load(Ordering::Relaxed) { NO_WINDOW } else { self.inner.window() }
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self { gate: self.gate.clone(), inner: self.inner.clone_box() })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
