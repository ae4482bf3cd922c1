//! The connections of the world: what is queued on them, what is delivered, and how they end.

use super::World;
use crate::id::{ConnId, PublicKey};
use crate::wire::close::CloseCode;
use crate::wire::control::{Control, Entry, State};
use crate::wire::frame::{Deframer, Frame};
use bytes::Bytes;
use std::collections::VecDeque;

/// A connection: client and server, and what each end sends.
pub(in crate::pairing::tests) struct Wire {
    pub(in crate::pairing::tests) ends: [usize; 2],
    pub(in crate::pairing::tests) alive: bool,
    pub(in crate::pairing::tests) data: bool,
    /// Nothing is delivered after so many frames, and nobody is told.
    silent_after: usize,
    queues: [VecDeque<(Bytes, bool)>; 2],
    /// Every frame that was delivered: who sent it, and its name.
    pub(in crate::pairing::tests) delivered: Vec<(usize, Bytes)>,
    pub(in crate::pairing::tests) closed: Option<(usize, CloseCode)>,
}

impl World {
    pub(super) fn wire(&mut self, client: usize, server: usize, data: bool) -> usize {
        let ends = [client, server];
        self.wires.push(Wire {
            ends,
            alive: true,
            data,
            silent_after: usize::MAX,
            queues: Default::default(),
            delivered: Vec::new(),
            closed: None,
        });
        self.wires.len() - 1
    }

    pub(super) fn send_list(&mut self, wire: usize, end: usize, list: Vec<Entry>) {
        let frame = Control::State(State { state: list }).encode().into_bytes();
        self.wires[wire].queues[end].push_back((frame, false));
    }

    /// Puts bytes on a wire as if this end had sent them.
    pub(in crate::pairing::tests) fn inject(&mut self, wire: usize, end: usize, frame: Bytes) {
        self.wires[wire].queues[end].push_back((frame, false));
    }

    /// After so many frames neither end hears anything of the other, but for the closing.
    pub(in crate::pairing::tests) fn silence_after(&mut self, wire: usize, frames: usize) {
        self.wires[wire].silent_after = frames;
    }

    /// Delivers a frame at once, in front of everything that is queued.
    pub(in crate::pairing::tests) fn jump_in(&mut self, wire: usize, end: usize, frame: Bytes) {
        if self.wires[wire].alive {
            let to = self.wires[wire].ends[1 - end];
            self.nodes[to].engine.handle_frame(self.now, ConnId(wire as u64), &whole(frame));
        }
    }

    /// The connection is gone; both ends learn of it.
    pub(in crate::pairing::tests) fn cut(&mut self, wire: usize) {
        let Wire { ends, data, .. } = self.wires[wire];
        if std::mem::replace(&mut self.wires[wire].alive, false) {
            self.wires[wire].queues = Default::default();
            for n in ends {
                self.lose(n, wire, data);
            }
        }
    }

    fn lose(&mut self, n: usize, wire: usize, data: bool) {
        let conn = ConnId(wire as u64);
        if data {
            self.nodes[n].engine.handle_data_lost(conn);
        } else {
            self.nodes[n].engine.handle_lost(self.now, conn);
        }
    }

    pub(super) fn end_of(&self, n: usize, conn: ConnId) -> usize {
        let ends = self.wires[conn.0 as usize].ends;
        ends.iter().position(|end| *end == n).unwrap()
    }

    pub(super) fn write(&mut self, n: usize, conn: ConnId, frame: Bytes, last: bool) {
        let end = self.end_of(n, conn);
        let wire = &mut self.wires[conn.0 as usize];
        if wire.alive {
            wire.queues[end].push_back((frame, last));
        }
    }

    /// Closing drops what is queued, as QUIC does.
    pub(super) fn close(&mut self, n: usize, conn: ConnId, code: CloseCode) {
        let end = self.end_of(n, conn);
        let wire = &mut self.wires[conn.0 as usize];
        if std::mem::replace(&mut wire.alive, false) {
            wire.closed = Some((n, code));
            wire.queues = Default::default();
            let (other, data) = (wire.ends[1 - end], wire.data);
            self.lose(other, conn.0 as usize, data);
        }
    }

    pub(super) fn deliver(&mut self) -> bool {
        (0..self.wires.len()).any(|wire| [0, 1].into_iter().any(|end| self.deliver_from(wire, end)))
    }

    /// Delivers the next frame that this end of a wire sent. Whether there was one.
    pub(in crate::pairing::tests) fn deliver_from(&mut self, wire: usize, end: usize) -> bool {
        if self.wires[wire].delivered.len() >= self.wires[wire].silent_after {
            return false;
        }
        let Some((frame, last)) = self.wires[wire].queues[end].pop_front() else { return false };
        let to = self.wires[wire].ends[1 - end];
        let from = self.wires[wire].ends[end];
        let conn = ConnId(wire as u64);
        self.wires[wire].delivered.push((from, frame.clone()));
        if self.wires[wire].data {
            self.deliver_list(to, conn, self.nodes[from].key, frame);
            return true;
        }
        self.nodes[to].engine.handle_frame(self.now, conn, &whole(frame));
        if last {
            self.nodes[to].engine.handle_finished(self.now, conn);
        }
        if self.cut_after == Some(self.wires[wire].delivered.len()) {
            self.cut(wire);
        }
        true
    }

    fn deliver_list(&mut self, to: usize, conn: ConnId, peer: PublicKey, frame: Bytes) {
        let Ok(Some(Control::State(State { state }))) = Control::decode(&whole(frame)) else {
            panic!("a list")
        };
        self.nodes[to].engine.handle_list(self.now, conn, peer, state);
    }

    /// Names of the frames that were delivered, in order.
    pub(in crate::pairing::tests) fn names(&self, wire: usize) -> Vec<(usize, String)> {
        let name = |frame: &Bytes| {
            let len = usize::from(frame[3] & 0x1f);
            String::from_utf8(frame[4..4 + len].to_vec()).unwrap()
        };
        self.wires[wire].delivered.iter().map(|(from, frame)| (*from, name(frame))).collect()
    }
}

/// The bytes of one frame, as the connection cuts them out of its stream.
pub(super) fn whole(mut bytes: Bytes) -> Frame {
    Deframer::default().next(&mut bytes).unwrap().unwrap()
}
