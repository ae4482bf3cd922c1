//! What a node says, and in which order: sockets, then what happened, then datagrams.
//!
//! Decides nothing: each engine has said what it wants.

use super::{Node, sockets};
use crate::event::Event;
use crate::io::{Deadline, Now, Output, Ready};
use crate::quic::Round;

impl Node {
    /// What to do next. Call until it says [`Output::Wait`]; `buf` is filled for [`Output::Transmit`] alone
    /// and may be reused.
    pub fn poll_output(&mut self, now: Now, buf: &mut Vec<u8>) -> Output {
        let now = self.clamp_time(now);
        if let Some(output) = self.poll_word(now) {
            return output;
        }
        buf.clear();
        if let Some(transmit) = self.mdns.poll_transmit(now.mono, buf) {
            return Output::Transmit(transmit);
        }
        match self.quic.poll_transmit(now.mono, buf) {
            Round::Transmit(transmit) => Output::Transmit(transmit),
            Round::Over => Output::Yield,
            Round::Idle if self.leave_lan(now.mono) => self.poll_output(now, buf),
            Round::Idle => Output::Wait(self.deadline()),
        }
    }

    /// As [`Node::poll_output`], but for what goes to the network: what there is to do here, then [`Output::Wait`]. For a driver
    /// whose socket has no room for the last datagram: its application hears on.
    ///
    /// A deadline may have passed: that of a datagram which is not asked for. A driver that calls this again and
    /// again lets a moment go by in between.
    pub fn poll_local(&mut self, now: Now) -> Output {
        let now = self.clamp_time(now);
        self.poll_word(now).unwrap_or_else(|| Output::Wait(self.deadline()))
    }

    /// Whatever is no datagram.
    fn poll_word(&mut self, now: Now) -> Option<Output> {
        if std::mem::take(&mut self.stale) {
            self.route(now);
        }
        if let Some(request) = self.sockets.poll_request() {
            return Some(match request {
                sockets::Request::Open(id, spec) => Output::Open(id, spec),
                sockets::Request::Close(id) => Output::Close(id),
            });
        }
        // What arrived before the end of a connection is told before it.
        if let Some(Output::Event(Event::PeerDisconnected(..))) = self.out.front()
            && let Some(ready) = self.poll_ready()
        {
            return Some(Output::Ready(ready));
        }
        self.out.pop_front().or_else(|| self.poll_ready().map(Output::Ready))
    }

    fn deadline(&self) -> Option<Deadline> {
        [
            self.quic.poll_timeout(),
            self.mdns.poll_timeout(),
            self.pairing.poll_timeout(),
            self.peers.poll_timeout(),
            self.global.poll_timeout(),
            self.admission.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn poll_ready(&mut self) -> Option<Ready> {
        if let Some((conn, stream, key, now)) = self.quic.poll_ready() {
            return Some(Ready::Stream { conn, stream, key, now });
        }
        if let Some(conn) = self.quic.poll_datagrams() {
            return Some(Ready::Datagrams { conn });
        }
        self.quic.poll_available().map(|conn| Ready::Streams { conn })
    }
}
