//! Whole messages over streams, for simulated applications that would rather not count bytes.
//!
//! Each message is a stream of its own, so that none waits for another that was lost. Never keeps a message that did
//! not get through: who sent it finds out by what the other one says, or does not.

use crate::app::Context;
use handfast_core::error::WriteError;
use handfast_core::{ConnId, Direction, Read, Ready, StreamId};
use std::collections::BTreeMap;

/// The messages that are on their way, both ways.
#[derive(Debug, Default)]
pub struct Mail {
    outgoing: BTreeMap<(ConnId, StreamId), Vec<u8>>,
    incoming: BTreeMap<(ConnId, StreamId), Vec<u8>>,
}

impl Mail {
    /// Sends a message. Whether the connection takes it: one that is gone does not, nor one whose peer allows no more
    /// streams at this moment.
    pub fn send(&mut self, cx: &mut Context<'_>, conn: ConnId, message: &[u8]) -> bool {
        let Ok(stream) = cx.node.open(cx.now, conn, Direction::Uni, "mail", 0) else { return false };
        self.outgoing.insert((conn, stream), message.to_vec());
        self.write_on(cx, (conn, stream));
        true
    }

    /// Goes on where a stream moved: call it from [`App::ready`](crate::app::App::ready) with all that comes. A message
    /// that arrived whole, and over which connection.
    pub fn ready(&mut self, cx: &mut Context<'_>, ready: &Ready) -> Option<(ConnId, Vec<u8>)> {
        let Ready::Stream { conn, stream, now, .. } = *ready else { return None };
        let at = (conn, stream);
        if now.writable {
            self.write_on(cx, at);
        }
        if now.stopped.is_some() {
            self.outgoing.remove(&at);
        }
        if now.opened {
            self.incoming.insert(at, Vec::new());
        }
        let is_whole = (now.opened || now.readable) && self.read_on(cx, at);
        is_whole.then(|| (conn, self.incoming.remove(&at).unwrap_or_default()))
    }

    /// Forgets what was on its way over a connection: call it when that is lost.
    pub fn gone(&mut self, conn: ConnId) {
        self.outgoing.retain(|(c, _), _| *c != conn);
        self.incoming.retain(|(c, _), _| *c != conn);
    }

    /// Forgets everything that was on its way: call it from [`App::crashed`](crate::app::App::crashed).
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn write_on(&mut self, cx: &mut Context<'_>, at: (ConnId, StreamId)) {
        let Some(rest) = self.outgoing.get_mut(&at) else { return };
        if let Ok(mut stream) = cx.node.stream(at.0, at.1) {
            while !rest.is_empty() {
                match stream.write(rest) {
                    Ok(taken) => drop(rest.drain(..taken)),
                    Err(WriteError::Blocked) => return,
                    Err(_) => break,
                }
            }
            // What was stopped or lost needs no end.
            let _ = stream.finish();
        }
        self.outgoing.remove(&at);
    }

    /// Whether the message is whole. One that is lost on its way is forgotten.
    fn read_on(&mut self, cx: &mut Context<'_>, at: (ConnId, StreamId)) -> bool {
        let Some(message) = self.incoming.get_mut(&at) else { return false };
        loop {
            let mut sink = Vec::new();
            let read =
                cx.node.stream(at.0, at.1).ok().and_then(|mut s| s.read_chunks(usize::MAX, &mut sink).ok());
            let Some(Read { fin, .. }) = read else {
                self.incoming.remove(&at);
                return false;
            };
            let is_empty = sink.iter().all(|chunk| chunk.is_empty());
            message.extend(sink.into_iter().flatten());
            if fin || is_empty {
                return fin;
            }
        }
    }
}
