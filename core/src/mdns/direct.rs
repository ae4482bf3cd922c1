//! Whether replies by unicast are asked for, and for how long they are believed. RFC 6762 §5.4, §6, §15.1.
//!
//! Knows no names: questions and probes hold one each.

use super::records::Want;
use std::time::{Duration, Instant};

/// A unicast reply is believed for so long after we asked for one. RFC 6762 §6.
const UNICAST_WINDOW: Duration = Duration::from_secs(2);

/// Whether replies by unicast reach this socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direct {
    Reach,
    /// Several share the port at one address, and the kernel picks one. RFC 6762 §15.1.
    MayMiss,
}

/// The replies by unicast that were asked for.
#[derive(Debug)]
pub(super) struct DirectReplies {
    direct: Direct,
    asked: Option<Instant>,
}

impl DirectReplies {
    pub(super) fn new(direct: Direct) -> Self {
        Self { direct, asked: None }
    }

    /// How to ask where a reply by unicast would do.
    pub(super) fn want(&self) -> Want {
        match self.direct {
            Direct::Reach => Want::Unicast,
            Direct::MayMiss => Want::Multicast,
        }
    }

    /// Something was asked as [`DirectReplies::want`] says.
    pub(super) fn on_asked(&mut self, now: Instant) {
        if self.want() == Want::Unicast {
            self.asked = Some(now);
        }
    }

    /// Whether a unicast reply may be believed. RFC 6762 §6.
    pub(super) fn expects(&self, now: Instant) -> bool {
        self.asked.is_some_and(|at| now <= at + UNICAST_WINDOW)
    }
}
