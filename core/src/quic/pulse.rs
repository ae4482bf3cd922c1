//! Whether a peer still hears what is sent to it, and when to ask.
//!
//! QUIC asks as well, after ever longer times (RFC 9002 §6.2): after an outage of half a minute it would wait for
//! another half. Here whoever waits for an acknowledgement asks once a second, with one small datagram, for as
//! long as the idle timeout lets a connection live.
//!
//! Knows times only: what is sent, closed or moved is decided in `connection/network.rs`.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Whoever has waited so long for an acknowledgement asks, and asks again as often.
const SILENCE: Duration = Duration::from_secs(1);

/// A peer that has acknowledged nothing for so long, though it was asked, has fallen silent.
const SILENT: Duration = Duration::from_secs(2);

/// A peer that is heard while it leaves something unacknowledged is asked no more often than this.
const ASK_GAP: Duration = Duration::from_millis(250);

/// How often a peer is asked of whom it is doubtful that it is there.
const DOUBT_GAP: Duration = Duration::from_millis(200);

/// The same where another connection is about to take the place of this one: of so many questions one comes
/// through, and its answer, though every third packet be lost.
const OUTLIVED_GAP: Duration = Duration::from_millis(50);

/// Why it is doubtful that a peer still hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// What is sent leaves from another address than before.
    Moved,
    /// Our address is gone, and the connection cannot move.
    Stranded,
    /// There was no network for a while, or this machine slept for longer than a connection lasts.
    Away,
    /// It fell silent, and another connection to the same peer was answered.
    Outlived,
}

/// The connection is given up at `until` unless the peer acknowledges something first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubt {
    why: Why,
    until: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// The peer has left something unacknowledged for a while, if anything was sent that wants to be.
    Ask,
    /// Ask whether it is there at all.
    AskAgain,
    /// It is not there.
    GiveUp,
}

/// What is known of one peer.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Our address that its datagrams come to.
    pub(super) local: Option<IpAddr>,
    /// Since when something may wait to be acknowledged.
    waits_since: Option<Instant>,
    asked_at: Option<Instant>,
    doubt: Option<Doubt>,
    /// No interface leads to it.
    pub(super) is_cut_off: bool,
    /// Frames that had been sent when last nothing was in flight.
    pub(super) settled: u64,
    /// It was told that the peer fell silent, and not yet that it is heard again.
    pub(super) told_silent: bool,
    /// In this silence the path was taken for another one.
    pub(super) renewed: bool,
    /// When a silence ended after which nothing is known yet of how long the way takes.
    pub(super) back_since: Option<Instant>,
    /// The next datagram is to leave whatever the congestion window says.
    pub(super) urgent: bool,
}

impl Pulse {
    /// Something was sent.
    pub(super) fn handle_sent(&mut self, now: Instant) {
        self.waits_since.get_or_insert(now);
    }

    /// Something new was acknowledged; whether all is.
    pub(super) fn handle_acknowledged(&mut self, now: Instant, all: bool) {
        self.waits_since = if all { None } else { Some(now) };
        self.doubt = None;
        if std::mem::take(&mut self.renewed) {
            self.back_since = Some(now);
        }
    }

    /// Whether a round trip, measured just now, began before the silence ended: part of it was the silence.
    pub(super) fn is_stale(&mut self, now: Instant, round_trip: Duration) -> bool {
        let is_stale = self.back_since.is_some_and(|since| since + round_trip > now);
        if !is_stale {
            self.back_since = None;
        }
        is_stale
    }

    /// Nothing waits after all.
    pub(super) fn handle_settled(&mut self) {
        self.waits_since = None;
    }

    /// The peer was asked.
    pub(super) fn handle_asked(&mut self, now: Instant) {
        self.asked_at = Some(now);
        self.urgent = true;
    }

    /// Doubts that the peer hears. An older doubt for the same reason stands.
    pub(super) fn doubt(&mut self, why: Why, until: Instant) {
        if self.doubt.is_none_or(|doubt| doubt.why != why) {
            self.doubt = Some(Doubt { why, until });
        }
    }

    /// Takes a doubt back.
    pub(super) fn trust(&mut self) {
        self.doubt = None;
    }

    /// Why there is doubt.
    pub(super) fn doubts(&self) -> Option<Why> {
        self.doubt.map(|doubt| doubt.why)
    }

    /// What is due.
    pub(super) fn due(&self, now: Instant) -> Due {
        if let Some(doubt) = self.doubt {
            return if doubt.until <= now {
                Due::GiveUp
            } else if self.ask_again_at().is_some_and(|at| at <= now) {
                Due::AskAgain
            } else {
                Due::Nothing
            };
        }
        if self.ask_at().is_some_and(|at| at <= now) { Due::Ask } else { Due::Nothing }
    }

    /// Whether the peer fell silent, of one that something was sent to that wants to be acknowledged.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.waits_since.is_some_and(|since| since + SILENT <= now)
    }

    /// Whether to ask at once a peer that was just heard.
    pub(super) fn is_heard_late(&self, now: Instant) -> bool {
        let has_waited = self.waits_since.is_some_and(|since| since + SILENCE <= now);
        has_waited && self.asked_at.is_none_or(|at| at + ASK_GAP <= now)
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.doubt {
            Some(doubt) => self.ask_again_at().into_iter().chain([doubt.until]).min(),
            None => self.ask_at(),
        }
    }

    fn ask_at(&self) -> Option<Instant> {
        Some(self.waits_since.max(self.asked_at.filter(|_| self.waits_since.is_some()))? + SILENCE)
    }

    fn ask_again_at(&self) -> Option<Instant> {
        let doubt = self.doubt.filter(|doubt| doubt.why != Why::Stranded)?;
        let gap = if doubt.why == Why::Outlived { OUTLIVED_GAP } else { DOUBT_GAP };
        Some(self.asked_at.map_or(doubt.until, |at| at + gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::base;

    fn clock() -> impl Fn(u64) -> Instant {
        let base = base();
        move |ms| base + Duration::from_millis(ms)
    }

    #[test]
    fn whoever_waits_asks_after_a_second_and_every_second() {
        let (ms, mut pulse) = (clock(), Pulse::default());
        assert_eq!(pulse.deadline(), None);
        pulse.handle_sent(ms(0));
        pulse.handle_sent(ms(900));
        assert_eq!((pulse.due(ms(999)), pulse.due(ms(1000))), (Due::Nothing, Due::Ask));
        pulse.handle_asked(ms(1000));
        assert_eq!((pulse.due(ms(1999)), pulse.due(ms(2000))), (Due::Nothing, Due::Ask));
        pulse.handle_acknowledged(ms(2000), false);
        assert_eq!(pulse.deadline(), Some(ms(3000)));
        pulse.handle_acknowledged(ms(2100), true);
        assert_eq!(pulse.deadline(), None);
    }

    #[test]
    fn a_peer_that_is_heard_after_a_silence_is_asked_at_once_and_four_times_a_second_at_most() {
        let (ms, mut pulse) = (clock(), Pulse::default());
        pulse.handle_sent(ms(0));
        assert!(!pulse.is_heard_late(ms(900)) && pulse.is_heard_late(ms(1100)));
        pulse.handle_asked(ms(1100));
        assert!(!pulse.is_heard_late(ms(1300)) && pulse.is_heard_late(ms(1350)));
    }

    #[test]
    fn whoever_acknowledges_nothing_for_two_seconds_has_fallen_silent() {
        let (ms, mut pulse) = (clock(), Pulse::default());
        assert!(!pulse.is_silent(ms(9000)));
        pulse.handle_sent(ms(0));
        assert!(!pulse.is_silent(ms(1999)) && pulse.is_silent(ms(2000)));
        pulse.handle_acknowledged(ms(2000), false);
        assert!(!pulse.is_silent(ms(3999)) && pulse.is_silent(ms(4000)));
        pulse.handle_settled();
        assert!(!pulse.is_silent(ms(9000)));
    }

    #[test]
    fn a_round_trip_that_began_in_a_silence_says_nothing_of_the_way() {
        let (ms, mut pulse) = (clock(), Pulse::default());
        let trip = Duration::from_millis;
        assert!(!pulse.is_stale(ms(0), trip(9000)));
        pulse.renewed = true;
        pulse.handle_acknowledged(ms(6000), false);
        assert!(pulse.is_stale(ms(6000), trip(5000)) && pulse.is_stale(ms(6040), trip(50)));
        assert!(!pulse.is_stale(ms(6040), trip(40)) && !pulse.is_stale(ms(6041), trip(5000)));
    }

    #[test]
    fn a_doubt_ends_with_an_acknowledgement_or_with_the_connection() {
        let (ms, mut pulse) = (clock(), Pulse::default());
        pulse.handle_asked(ms(0));
        pulse.doubt(Why::Moved, ms(1000));
        pulse.doubt(Why::Moved, ms(9000));
        assert_eq!((pulse.due(ms(199)), pulse.due(ms(200))), (Due::Nothing, Due::AskAgain));
        assert_eq!(pulse.due(ms(1000)), Due::GiveUp);
        pulse.handle_acknowledged(ms(900), true);
        assert_eq!(pulse.due(ms(1000)), Due::Nothing);
    }

    #[test]
    fn a_connection_that_is_stranded_is_given_up_without_being_asked() {
        let (ms, mut pulse) = (clock(), Pulse::default());
        pulse.handle_asked(ms(0));
        pulse.doubt(Why::Stranded, ms(400));
        assert_eq!(pulse.deadline(), Some(ms(400)));
        assert_eq!((pulse.due(ms(399)), pulse.due(ms(400))), (Due::Nothing, Due::GiveUp));
    }
}
