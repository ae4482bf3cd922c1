//! What users say to each other beside bytes on streams: datagrams, and questions that want one answer.

use super::truth::{Truth, content};
use crate::app::Context;
use bytes::Bytes;
use handfast_core::{ConnId, Direction, PublicKey, StreamId};
use std::collections::BTreeMap;

/// Bytes of the number in front of a datagram.
const NUMBER: usize = 8;

/// A question, or its answer, as far as it came.
struct Hearing {
    number: u64,
    is_answer: bool,
    got: Vec<u8>,
}

/// What one user is in the middle of.
#[derive(Default)]
pub(super) struct Talk {
    hearing: BTreeMap<(ConnId, StreamId), Hearing>,
}

/// What a question says, and what is to be answered to it.
fn words(number: u64, len: usize, is_answer: bool) -> Vec<u8> {
    if is_answer { content(!number, 0, len + 1) } else { content(number, 0, len) }
}

impl Talk {
    /// Sends so many datagrams to a connected peer: what there is no room for is not said.
    pub(super) fn send(
        cx: &mut Context<'_>,
        truth: &mut Truth,
        (conn, [from, to]): (ConnId, [PublicKey; 2]),
        count: u32,
    ) {
        for n in 0..count {
            let Ok(mut datagrams) = cx.node.datagrams(conn) else { return };
            let Some(room) = datagrams.max_size().and_then(|max| max.checked_sub(NUMBER)) else { return };
            let len = [0, 1, 500, room][n as usize % 4].min(room);
            let number = truth.say([from, to], len);
            let datagram = [&number.to_be_bytes()[..], &content(number, 0, len)].concat();
            let _ = datagrams.send(Bytes::from(datagram));
        }
    }

    /// Datagrams came on a connection with a peer.
    pub(super) fn heard(cx: &mut Context<'_>, truth: &mut Truth, conn: ConnId, [from, to]: [PublicKey; 2]) {
        let Ok(mut datagrams) = cx.node.datagrams(conn) else { return };
        while let Some(datagram) = datagrams.read() {
            let (number, words) =
                datagram.split_first_chunk::<NUMBER>().expect("a datagram comes whole: cut");
            let number = u64::from_be_bytes(*number);
            let len = truth.hear(number, [from, to]);
            assert!(words == content(number, 0, len), "a datagram comes whole: {number} differs");
        }
    }

    /// Asks a connected peer something.
    pub(super) fn ask(
        &mut self,
        cx: &mut Context<'_>,
        truth: &mut Truth,
        (conn, pair): (ConnId, [PublicKey; 2]),
        len: usize,
    ) {
        let number = truth.say(pair, len);
        let label = format!("q{number}");
        let Ok(id) = cx.node.open(cx.now, conn, Direction::Bi, &label, 0) else { return };
        cx.tell(format_args!("asks {number}, in {len} bytes"));
        if say(cx, (conn, id), &words(number, len, false)) {
            self.hearing.insert((conn, id), Hearing { number, is_answer: true, got: Vec::new() });
        }
    }

    /// A peer began to ask something.
    pub(super) fn asked(&mut self, at: (ConnId, StreamId), number: u64) {
        self.hearing.insert(at, Hearing { number, is_answer: false, got: Vec::new() });
    }

    /// Whether a stream belongs to a question.
    pub(super) fn has(&self, at: (ConnId, StreamId)) -> bool {
        self.hearing.contains_key(&at)
    }

    /// The stream of a question moved, on a connection with a peer.
    pub(super) fn moved(
        &mut self,
        cx: &mut Context<'_>,
        truth: &mut Truth,
        at: (ConnId, StreamId),
        [own, peer]: [PublicKey; 2],
    ) {
        let Some(hearing) = self.hearing.get_mut(&at) else { return };
        let mut sink = Vec::new();
        let read = cx.node.stream(at.0, at.1).map(|mut stream| stream.read_chunks(usize::MAX, &mut sink));
        hearing.got.extend(sink.concat());
        let Hearing { number, is_answer, .. } = *hearing;
        match read {
            Ok(Ok(read)) if !read.fin => {}
            Ok(Ok(_)) => {
                let pair = if is_answer { [own, peer] } else { [peer, own] };
                let len = truth.said(number, pair);
                let what = if is_answer { "an answer" } else { "a question" };
                let is_whole = hearing.got == words(number, len, is_answer);
                assert!(is_whole, "{what} comes whole or not at all: {number}, in {len} bytes");
                self.hearing.remove(&at);
                if is_answer {
                    truth.feats.answers += 1;
                } else {
                    say(cx, at, &words(number, len, true));
                }
            }
            Ok(Err(_)) | Err(_) => drop(self.hearing.remove(&at)),
        }
    }

    /// A connection is gone, with all that was said on it.
    pub(super) fn gone(&mut self, conn: ConnId) {
        self.hearing.retain(|at, _| at.0 != conn);
    }
}

/// Says something on a stream and nothing after it, or gives the stream up. Whether it was said.
fn say(cx: &mut Context<'_>, (conn, id): (ConnId, StreamId), words: &[u8]) -> bool {
    let Ok(mut stream) = cx.node.stream(conn, id) else { return false };
    let is_said = words.is_empty() || stream.write(words) == Ok(words.len());
    if is_said && stream.finish().is_ok() {
        return true;
    }
    stream.reset(0x10);
    stream.stop(0x12);
    false
}
