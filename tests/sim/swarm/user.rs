//! The application of a swarm's hosts, and the person in front of it: pairs, connects, and sends bytes whose
//! every octet the reader can check.

mod app;

use super::shop::Shop;
use super::talk::Talk;
use super::truth::{Ending, Story, Truth, content};
use crate::app::Context;
use handfast_core::error::{ReadError, WriteError};
use handfast_core::store::PairState;
use handfast_core::{Code, ConnId, Direction, PairId, PublicKey, Read, Readiness, StreamId};
use rand_core::RngCore;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

/// How much is written at a time.
const PIECE: u64 = 16 << 10;

/// How often hooks misbehave, in calls of a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HookOdds {
    /// Those that fail.
    pub(super) fail: u32,
    /// Those that take up to 40 s, or for ever.
    pub(super) stall: u32,
    /// Those that panic.
    pub(super) panic: u32,
}

/// A stream that is being written.
struct Writing {
    conn: ConnId,
    stream: StreamId,
    number: u64,
    written: u64,
}

/// A stream that is being read.
struct Reading {
    number: u64,
    read: u64,
}

/// An application and its user.
pub(super) struct User {
    truth: Rc<RefCell<Truth>>,
    /// Its own key.
    pub(super) key: PublicKey,
    /// How its hooks behave.
    pub(super) hooks: HookOdds,
    /// Peers that it saved and did not undo, with the pairing that it saved them for.
    pub(super) saved: BTreeMap<PairId, PublicKey>,
    /// The connections that its node told of.
    pub(super) connections: BTreeMap<ConnId, PublicKey>,
    /// The code that the user has in front of him, for whoever asks.
    pub(super) note: Option<Code>,
    /// Whether its user is asked before each pairing by a code, and with whom he agreed to pair.
    pub(super) is_asked: bool,
    agreed: BTreeSet<PublicKey>,
    /// How often its node crashed.
    pub(super) crashes: u32,
    /// Whether it reads slowly.
    pub(super) slow: bool,
    /// What it offers on the LAN, and looks for.
    pub(super) shop: Shop,
    talk: Talk,
    writing: BTreeMap<u64, Writing>,
    reading: BTreeMap<(ConnId, StreamId), Reading>,
    late: BTreeMap<u64, (ConnId, StreamId)>,
    /// Streams whose writer is about to give up, by the timer.
    giving_up: BTreeMap<u64, u64>,
    next_timer: u64,
}

impl User {
    /// A user who shares what really happened with the others.
    pub(super) fn new(key: PublicKey, truth: Rc<RefCell<Truth>>) -> Self {
        Self {
            truth,
            key,
            hooks: HookOdds::default(),
            saved: BTreeMap::new(),
            connections: BTreeMap::new(),
            note: None,
            is_asked: false,
            agreed: BTreeSet::new(),
            crashes: 0,
            slow: false,
            shop: Shop::default(),
            talk: Talk::default(),
            writing: BTreeMap::new(),
            reading: BTreeMap::new(),
            late: BTreeMap::new(),
            giving_up: BTreeMap::new(),
            next_timer: 0,
        }
    }

    /// The connection to a peer, if there is one.
    pub(super) fn connection_to(&self, peer: &PublicKey) -> Option<ConnId> {
        self.connections.iter().rev().find(|(_, key)| *key == peer).map(|(conn, _)| *conn)
    }

    /// Sends so many bytes to a connected peer. Whether there is a connection that takes a stream.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, peer: PublicKey, total: u64, ending: Ending) -> bool {
        let Some(conn) = self.connection_to(&peer) else { return false };
        let number = self.truth.borrow_mut().begin(self.key, peer, total, ending);
        let label = format!("s{number}");
        let Ok(stream) = cx.node.open(cx.now, conn, Direction::Uni, &label, number) else {
            self.truth.borrow_mut().streams.remove(&number);
            return false;
        };
        cx.tell(format_args!("opens stream {number} of {total} bytes, to {ending:?}"));
        self.writing.insert(number, Writing { conn, stream, number, written: 0 });
        self.write_on(cx, number);
        true
    }

    /// A peer, and the connection to it; or another one that is connected.
    fn connected(&self, peer: PublicKey) -> Option<(ConnId, PublicKey)> {
        let to_it = self.connection_to(&peer).map(|conn| (conn, peer));
        to_it.or_else(|| self.connections.first_key_value().map(|(conn, key)| (*conn, *key)))
    }

    /// Sends datagrams to a peer, or to another one that is connected.
    pub(super) fn send_datagrams(&mut self, cx: &mut Context<'_>, peer: PublicKey, count: u32) {
        if let Some((conn, peer)) = self.connected(peer) {
            Talk::send(cx, &mut self.truth.borrow_mut(), (conn, [self.key, peer]), count);
        }
    }

    /// Asks a peer something, or another one that is connected.
    pub(super) fn ask(&mut self, cx: &mut Context<'_>, peer: PublicKey, len: usize) {
        if let Some((conn, peer)) = self.connected(peer) {
            self.talk.ask(cx, &mut self.truth.borrow_mut(), (conn, [self.key, peer]), len);
        }
    }

    fn writer_done(&self, number: u64) {
        if let Some(story) = self.truth.borrow_mut().streams.get_mut(&number) {
            story.writer_done = true;
        }
    }

    fn reader_done(&self, number: u64) {
        if let Some(story) = self.truth.borrow_mut().streams.get_mut(&number) {
            story.reader_done = true;
        }
    }

    fn write_on(&mut self, cx: &mut Context<'_>, number: u64) {
        let Some(writing) = self.writing.get_mut(&number) else { return };
        let Story { total, ending, finished, .. } = self.truth.borrow().streams[&number];
        // All is said; what is left is to hear that it arrived.
        if finished {
            return;
        }
        // Who gives up does so when half of it is on its way, a little later.
        let whole = if ending == Ending::Reset { total / 2 } else { total };
        loop {
            let Ok(mut stream) = cx.node.stream(writing.conn, writing.stream) else { break };
            let len = PIECE.min(whole - writing.written) as usize;
            if len == 0 && ending == Ending::Reset {
                drop(stream);
                self.next_timer += 1;
                self.giving_up.insert(self.next_timer, number);
                let after = Duration::from_millis(u64::from(cx.rng.next_u32() % 2_000));
                return cx.set_timer(after, self.next_timer);
            }
            if len == 0 {
                if stream.finish().is_err() {
                    break;
                }
                if let Some(story) = self.truth.borrow_mut().streams.get_mut(&number) {
                    story.finished = true;
                }
                return;
            }
            match stream.write(&content(writing.number, writing.written, len)) {
                Ok(taken) => writing.written += taken as u64,
                Err(WriteError::Blocked) => return,
                Err(_) => break,
            }
        }
        self.writing.remove(&number);
        self.writer_done(number);
    }

    fn give_up(&mut self, cx: &mut Context<'_>, number: u64) {
        let Some(writing) = self.writing.remove(&number) else { return };
        if let Ok(mut stream) = cx.node.stream(writing.conn, writing.stream) {
            stream.reset(0x10);
        }
        self.writer_done(number);
    }

    fn stream_moved(&mut self, cx: &mut Context<'_>, at: (ConnId, StreamId), key: u64, now: Readiness) {
        if now.opened {
            self.opened(cx, at);
        }
        if self.talk.has(at) {
            if let Some(peer) = self.connections.get(&at.0).copied() {
                self.talk.moved(cx, &mut self.truth.borrow_mut(), at, [self.key, peer]);
            }
            return;
        }
        if now.readable && self.reading.contains_key(&at) {
            if self.slow {
                self.next_timer += 1;
                self.late.insert(self.next_timer, at);
                let delay = Duration::from_millis(u64::from(cx.rng.next_u32() % 2_000));
                cx.set_timer(delay, self.next_timer);
            } else {
                self.read_on(cx, at);
            }
        }
        if now.stopped.is_some() || now.finished {
            self.writing.remove(&key);
            self.writer_done(key);
        } else if now.writable {
            self.write_on(cx, key);
        }
    }

    fn opened(&mut self, cx: &mut Context<'_>, (conn, id): (ConnId, StreamId)) {
        let peer = self.connections.get(&conn).copied();
        let peer = peer.expect("no application byte before `paired`: a stream opened on no connection");
        let Ok(stream) = cx.node.stream(conn, id) else { return };
        if let Some(number) = stream.label().strip_prefix('q').and_then(|text| text.parse().ok()) {
            return self.talk.asked((conn, id), number);
        }
        let number = stream.label().strip_prefix('s').and_then(|text| text.parse::<u64>().ok());
        let number = number.expect("bytes arrive whole: a label is what was sent");
        let mut truth = self.truth.borrow_mut();
        let story = truth.streams.get_mut(&number).expect("bytes arrive once: the stream was sent");
        assert!(
            (story.from, story.to) == (peer, self.key),
            "bytes arrive where they were sent: stream {number} came to another"
        );
        story.opened += 1;
        assert!(story.opened == 1, "bytes arrive once: stream {number} was opened again");
        self.reading.insert((conn, id), Reading { number, read: 0 });
    }

    fn read_on(&mut self, cx: &mut Context<'_>, at: (ConnId, StreamId)) {
        let Some(reading) = self.reading.get_mut(&at) else { return };
        let number = reading.number;
        let story = self.truth.borrow().streams[&number].clone();
        let ended = loop {
            let Ok(mut stream) = cx.node.stream(at.0, at.1) else { break true };
            if story.ending == Ending::Stop && reading.read > story.total / 2 {
                stream.stop(0x12);
                break true;
            }
            let mut sink = Vec::new();
            match stream.read_chunks(PIECE as usize, &mut sink) {
                Ok(Read { fin, .. }) => {
                    let got = sink.concat();
                    let sent = content(number, reading.read, got.len());
                    assert!(
                        got == sent,
                        "bytes arrive in order: stream {number} differs after {}",
                        reading.read
                    );
                    reading.read += got.len() as u64;
                    let feats = &mut self.truth.borrow_mut().feats;
                    feats.bytes += got.len() as u64;
                    if fin {
                        feats.streams += 1;
                        let whole = story.finished && reading.read == story.total;
                        assert!(whole, "bytes arrive whole: stream {number} ended after {}", reading.read);
                        break true;
                    }
                    if got.is_empty() {
                        break false;
                    }
                }
                Err(ReadError::Reset(_) | ReadError::Gone) => break true,
                Err(_) => break true,
            }
        };
        if ended {
            self.reading.remove(&at);
            self.reader_done(number);
        }
    }

    fn gone(&mut self, conn: ConnId) {
        self.connections.remove(&conn);
        self.talk.gone(conn);
        let unread = self.reading.extract_if(.., |(c, _), _| *c == conn).map(|(_, reading)| reading.number);
        for number in unread.collect::<Vec<_>>() {
            self.reader_done(number);
        }
        let unwritten = self.writing.extract_if(.., |_, writing| writing.conn == conn);
        for number in unwritten.map(|(number, _)| number).collect::<Vec<_>>() {
            self.writer_done(number);
        }
    }

    /// Whether the store holds a pairing with a key that both sides agreed to.
    fn is_paired(cx: &Context<'_>, key: &PublicKey) -> bool {
        cx.records.values().any(|record| record.peer == *key && record.state == PairState::Paired)
    }
}
