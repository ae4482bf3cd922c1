//! What really happened, as nobody in the world knows it whole: which codes were shown and typed, and what
//! was put into which stream.

use handfast_core::{Code, PublicKey};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its writer finishes it.
    Finish,
    /// Its writer gives up.
    Reset,
    /// Its reader gives up.
    Stop,
}

/// What a stream is to carry.
#[derive(Clone, Debug)]
pub(super) struct Story {
    /// Who writes.
    pub(super) from: PublicKey,
    /// Who reads.
    pub(super) to: PublicKey,
    /// How many bytes.
    pub(super) total: u64,
    /// How it ends.
    pub(super) ending: Ending,
    /// Whether its writer said that nothing follows.
    pub(super) finished: bool,
    /// How often a reader was told that it was opened.
    pub(super) opened: u32,
    /// Its writer knows that all was acknowledged, or that it was not.
    pub(super) writer_done: bool,
    /// Its reader came to its end, or had an error.
    pub(super) reader_done: bool,
}

/// What was achieved, so that a world in which nothing ever works does not pass for one in which nothing
/// breaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feats {
    /// Sides of pairings that were told that they are paired.
    pub paired: u64,
    /// Of these, those that trusted each other's fingerprints.
    pub trusted: u64,
    /// Sides of connections.
    pub connected: u64,
    /// Streams that were read to their end.
    pub streams: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Services that were announced.
    pub published: u64,
    /// Services that had to be called something else.
    pub renamed: u64,
    /// Services that a search found.
    pub found: u64,
    /// Datagrams that came.
    pub datagrams: u64,
    /// Questions that were answered.
    pub answers: u64,
}

impl AddAssign for Feats {
    fn add_assign(&mut self, other: Self) {
        self.paired += other.paired;
        self.trusted += other.trusted;
        self.connected += other.connected;
        self.streams += other.streams;
        self.bytes += other.bytes;
        self.published += other.published;
        self.renamed += other.renamed;
        self.found += other.found;
        self.datagrams += other.datagrams;
        self.answers += other.answers;
    }
}

/// What really happened.
#[derive(Default)]
pub(super) struct Truth {
    shown: BTreeSet<(String, PublicKey)>,
    typed: BTreeSet<(String, PublicKey)>,
    /// Who trusted whom at any time.
    trusted: BTreeSet<[PublicKey; 2]>,
    /// Pairs of which one wanted to forget the other.
    forgotten: BTreeSet<[PublicKey; 2]>,
    /// What was achieved.
    pub(super) feats: Feats,
    /// Every stream, by its number.
    pub(super) streams: BTreeMap<u64, Story>,
    /// Every datagram and every question, by its number.
    talk: BTreeMap<u64, Said>,
    next: u64,
}

/// A datagram, or a question.
struct Said {
    pair: [PublicKey; 2],
    len: usize,
    is_heard: bool,
}

impl Truth {
    /// A user's device shows a code.
    pub(super) fn show(&mut self, code: &Code, who: PublicKey) {
        self.shown.insert((code.to_string(), who));
    }

    /// A user types a code.
    pub(super) fn type_in(&mut self, code: &Code, who: PublicKey) {
        self.typed.insert((code.to_string(), who));
    }

    /// A user trusts a peer without a code.
    pub(super) fn trust(&mut self, a: PublicKey, b: PublicKey) {
        self.trusted.insert([a, b]);
    }

    /// Whether each trusted the other.
    pub(super) fn trusted(&self, a: PublicKey, b: PublicKey) -> bool {
        self.trusted.contains(&[a, b]) && self.trusted.contains(&[b, a])
    }

    /// A user wants to forget a peer.
    pub(super) fn forget(&mut self, a: PublicKey, b: PublicKey) {
        self.forgotten.extend([[a, b], [b, a]]);
    }

    /// Whether either wanted to forget the other.
    pub(super) fn may_part(&self, a: PublicKey, b: PublicKey) -> bool {
        self.forgotten.contains(&[a, b])
    }

    /// Whether the one showed a code that the other typed.
    pub(super) fn confirmed(&self, a: PublicKey, b: PublicKey) -> bool {
        let one_way = |host: PublicKey, joiner: PublicKey| {
            let of_host = self.shown.iter().filter(|(_, who)| *who == host);
            of_host.clone().any(|(code, _)| self.typed.contains(&(code.clone(), joiner)))
        };
        one_way(a, b) || one_way(b, a)
    }

    /// A stream of which somebody waits for ever to hear how it ended.
    pub(super) fn untold(&self) -> Option<u64> {
        let untold = |story: &Story| !story.writer_done || (story.opened > 0 && !story.reader_done);
        self.streams.iter().find(|(_, story)| untold(story)).map(|(number, _)| *number)
    }

    /// Somebody says something to somebody; its number.
    pub(super) fn say(&mut self, pair: [PublicKey; 2], len: usize) -> u64 {
        self.next += 1;
        self.talk.insert(self.next, Said { pair, len, is_heard: false });
        self.next
    }

    /// How long it was what the one said to the other.
    pub(super) fn said(&self, number: u64, pair: [PublicKey; 2]) -> usize {
        let said = self.talk.get(&number).expect("what comes was said: nobody said this");
        assert!(said.pair == pair, "what comes was said to who hears it: {number} came to another");
        said.len
    }

    /// A datagram came: how long it was.
    pub(super) fn hear(&mut self, number: u64, pair: [PublicKey; 2]) -> usize {
        let len = self.said(number, pair);
        let was_heard =
            self.talk.get_mut(&number).is_some_and(|said| std::mem::replace(&mut said.is_heard, true));
        assert!(!was_heard, "a datagram comes once: {number} came again");
        self.feats.datagrams += 1;
        len
    }

    /// Begins a stream; its number, which its label carries.
    pub(super) fn begin(&mut self, from: PublicKey, to: PublicKey, total: u64, ending: Ending) -> u64 {
        self.next += 1;
        let story = Story {
            from,
            to,
            total,
            ending,
            finished: false,
            opened: 0,
            writer_done: false,
            reader_done: false,
        };
        self.streams.insert(self.next, story);
        self.next
    }
}

/// The bytes that a stream carries at an offset.
pub(super) fn content(stream: u64, offset: u64, len: usize) -> Vec<u8> {
    let octet = |at: u64| (at.wrapping_mul(31) ^ (at >> 8) ^ stream.wrapping_mul(131)) as u8;
    (offset..offset + len as u64).map(octet).collect()
}
