//! What a connection does when the network changes, or when its peer falls silent. RFC 9000 §9, RFC 9002 §6.2.
//!
//! The dialler alone may move to another address of its own; whoever accepted cannot. A connection that cannot go
//! on is closed here, so that another takes its place and its streams end with an error.

use super::{Conn, Context};
use crate::quic::paths::{Paths, Standing};
use crate::quic::pulse::{Due, Why};
use crate::quic::{Cause, Event};
use crate::wire::close::CloseCode;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A connection that moved shows within this time that the peer heard of it, or three probe timeouts where they are
/// longer.
const PROOF: Duration = Duration::from_secs(1);

/// The same where there was no network before: it takes a while until a new one carries anything.
const RETURN: Duration = Duration::from_secs(2);

/// An address that is gone may come back in so short a time, as of an interface that flaps.
const GRACE: Duration = Duration::from_millis(250);

/// A connection that fell silent is heard within this time once another to the same peer was answered, or within
/// three of the other's round trips where they are longer; or not at all.
const LAST_CALL: Duration = Duration::from_millis(400);

/// The longest of it.
const MAX_LAST_CALL: Duration = Duration::from_secs(2);

/// What a peer may take to acknowledge something, beside the way there and back. RFC 9000 §18.2.
const ACK_DELAY: Duration = Duration::from_millis(25);

impl Conn {
    /// A datagram came from an address, for this connection by its id. A dialler's peer stays where it is.
    pub(in crate::quic) fn handle_arrived(&mut self, remote: SocketAddr, bytes: usize) {
        if !self.dialled() {
            self.reach.handle_heard(remote, bytes, self.quic.remote_address());
        }
    }

    /// A datagram of the peer's was heard; `in_flight` is left unacknowledged where it acknowledged something new.
    pub(in crate::quic) fn handle_heard(&mut self, cx: &mut Context<'_>, in_flight: Option<u64>) {
        if !self.can_ask() {
            return;
        }
        if let Some(in_flight) = in_flight {
            let all = in_flight == 0;
            if all {
                self.pulse.settled = self.frames_sent();
            }
            self.pulse.handle_acknowledged(cx.now, all);
            // What waited somewhere while the way was cut has been under way for as long, and would have everything
            // sent as slowly for a while.
            if self.pulse.is_stale(cx.now, self.quic.rtt()) {
                self.quic.path_changed(cx.now);
            }
            if std::mem::take(&mut self.pulse.told_silent) {
                cx.out.events.push_back(Event::Heard { conn: self.id });
            }
        } else if self.pulse.is_heard_late(cx.now) {
            self.ask_if_due(cx);
        }
    }

    /// The machine slept: the peer is asked whether it still knows of us. One that does not says so at once.
    pub(in crate::quic) fn handle_wake(&mut self, cx: &mut Context<'_>, outlasted: bool) {
        if self.can_ask() {
            self.ask(cx);
            if outlasted {
                self.pulse.doubt(Why::Away, cx.now + self.proof(RETURN));
            }
        }
    }

    /// The machine's addresses changed.
    pub(in crate::quic) fn handle_network(&mut self, cx: &mut Context<'_>, paths: &Paths) {
        if !self.can_ask() {
            return;
        }
        let was_cut_off = std::mem::take(&mut self.pulse.is_cut_off);
        match paths.standing(self.pulse.local, self.quic.remote_address()) {
            Standing::Here => {
                if self.pulse.doubts() != Some(Why::Away) {
                    self.pulse.trust();
                }
                // There may be a better way than before: what is sent finds it.
                self.ask(cx);
                if was_cut_off {
                    self.pulse.doubt(Why::Away, cx.now + self.proof(RETURN));
                }
            }
            // Whatever is sent gets nowhere. The same network may come back.
            Standing::CutOff => {
                self.pulse.is_cut_off = true;
                self.pulse.trust();
            }
            Standing::Elsewhere if self.dialled() => self.migrate(cx),
            Standing::Elsewhere | Standing::Nowhere => {
                self.pulse.doubt(Why::Stranded, cx.now + GRACE);
            }
        }
    }

    /// There is a socket to send on, where there may have been none.
    pub(in crate::quic) fn handle_way(&mut self, cx: &mut Context<'_>) {
        if self.can_ask() {
            self.ask(cx);
        }
    }

    /// Another connection to the same peer was answered, which takes so long there and back: this one, if it fell
    /// silent, is asked once more, and given up unless it is heard. Whether it fell silent.
    pub(in crate::quic) fn challenge(&mut self, cx: &mut Context<'_>, round_trip: Duration) -> bool {
        let is_silent = self.can_ask() && self.pulse.is_silent(cx.now);
        if is_silent {
            self.ask(cx);
            let wait = LAST_CALL.max(round_trip * 3).min(MAX_LAST_CALL);
            self.pulse.doubt(Why::Outlived, cx.now + wait);
        }
        is_silent
    }

    /// Asks, or gives up, where that is due.
    pub(super) fn handle_silence(&mut self, cx: &mut Context<'_>) {
        if !self.can_ask() {
            return;
        }
        match self.pulse.due(cx.now) {
            Due::Nothing => {}
            Due::Ask => self.ask_if_due(cx),
            Due::AskAgain => self.ask(cx),
            Due::GiveUp => self.give_up(cx),
        }
    }

    /// When that is.
    pub(super) fn silent_until(&self) -> Option<Instant> {
        self.pulse.deadline().filter(|_| self.can_ask())
    }

    fn can_ask(&self) -> bool {
        !self.drained && !self.is_over() && !self.quic.is_handshaking()
    }

    fn ask_if_due(&mut self, cx: &mut Context<'_>) {
        if self.frames_sent() == self.pulse.settled {
            return self.pulse.handle_settled();
        }
        // Nothing of what is known of the path need be so any longer: how large a datagram may be above all.
        if !std::mem::replace(&mut self.pulse.renewed, true) {
            self.quic.path_changed(cx.now);
        }
        self.ask(cx);
        // Where no interface leads to the peer, no other address of it is reached either.
        if self.pulse.is_silent(cx.now) && !self.pulse.is_cut_off {
            self.pulse.told_silent = true;
            cx.out.events.push_back(Event::Silent { conn: self.id });
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>) {
        self.pulse.handle_asked(cx.now);
        self.quic.ping();
        cx.work.send(self);
    }

    /// Goes on from another address. The peer learns of it from the next datagram. RFC 9000 §9.2.
    fn migrate(&mut self, cx: &mut Context<'_>) {
        if self.pulse.doubts() == Some(Why::Moved) {
            return;
        }
        let proof = self.proof(PROOF);
        tracing::debug!("a connection moves to another address of this machine");
        self.quic.local_address_changed();
        self.quic.path_changed(cx.now);
        self.pulse.renewed = true;
        self.pulse.doubt(Why::Moved, cx.now + proof);
        self.ask(cx);
    }

    /// How long a peer that is there takes at most to show it.
    fn proof(&self, least: Duration) -> Duration {
        let probe_timeout = self.quic.rtt() * 3 + ACK_DELAY;
        least.max(probe_timeout * 3)
    }

    fn give_up(&mut self, cx: &mut Context<'_>) {
        tracing::debug!("a connection did not outlive a change of the network");
        self.quic.close(cx.now, CloseCode::Timeout.as_u32().into(), Bytes::new());
        self.lost(cx, Cause::NetworkChanged);
        cx.work.poll(self);
        cx.work.send(self);
    }

    /// Frames that were sent and want to be acknowledged. RFC 9000 §13.2.1.
    fn frames_sent(&self) -> u64 {
        let sent = self.quic.stats().frame_tx;
        [
            sent.crypto,
            sent.data_blocked,
            sent.datagram,
            u64::from(sent.handshake_done),
            sent.max_data,
            sent.max_stream_data,
            sent.max_streams_bidi,
            sent.max_streams_uni,
            sent.new_connection_id,
            sent.new_token,
            sent.path_challenge,
            sent.path_response,
            sent.ping,
            sent.reset_stream,
            sent.retire_connection_id,
            sent.stream_data_blocked,
            sent.streams_blocked_bidi,
            sent.streams_blocked_uni,
            sent.stop_sending,
            sent.stream,
        ]
        .iter()
        .sum()
    }
}
