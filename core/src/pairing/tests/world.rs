//! Two engines, what they ask of their applications and stores, and the connections between them.

mod node;
mod wires;

pub(super) use node::{Node, StoreFault};

use super::super::{Event, NewSession};
use crate::ask::{Ask, PairingReply};
use crate::code::Code;
use crate::event::{Event as Told, PairedPeer, PairingFailure, PairingId};
use crate::id::{ConnId, PairId};
use crate::wire::pairing::Pairing as Message;
use node::engine;
use std::time::{Duration, Instant};
use wires::{Wire, whole};

/// The one that shows the code, in most stories.
pub(super) const HOST: usize = 0;
/// The one that types it.
pub(super) const JOINER: usize = 1;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Node>,
    pub(super) wires: Vec<Wire>,
    /// Lose a pairing connection after so many frames were delivered on it.
    pub(super) cut_after: Option<usize>,
    /// The exporter of either end: a man in the middle has two.
    pub(super) exporters: [[u8; 32]; 2],
}

impl World {
    pub(super) fn new() -> Self {
        Self::of(2)
    }

    pub(super) fn of(count: u8) -> Self {
        let mut world = Self {
            now: crate::testing::base(),
            nodes: (0..count).map(Node::new).collect(),
            wires: Vec::new(),
            cut_after: None,
            exporters: [[7; 32]; 2],
        };
        world.run();
        world
    }

    pub(super) fn host(&mut self, n: usize) -> (PairingId, Code) {
        let (id, code, _) = self.nodes[n].engine.host(self.now).unwrap();
        (id, code)
    }

    pub(super) fn join(&mut self, n: usize, code: Code) -> PairingId {
        self.nodes[n].engine.join(self.now, code, None).unwrap()
    }

    /// A connection on the pairing ALPN, dialled for `pairing` by `client`.
    pub(super) fn dial(&mut self, client: usize, server: usize, pairing: PairingId) -> usize {
        let wire = self.wire(client, server, false);
        let conn = ConnId(wire as u64);
        for (end, dialled) in [(1, None), (0, Some(pairing))] {
            let ends = [client, server];
            let new = NewSession {
                conn,
                exporter: self.exporters[end],
                peer: self.nodes[ends[1 - end]].key,
                remote: format!("192.0.2.{}:5000", ends[1 - end]).parse().unwrap(),
                dialled,
            };
            self.nodes[ends[end]].engine.handle_session(self.now, new);
        }
        wire
    }

    /// Whether TLS would refuse one to the other.
    pub(super) fn are_barred(&self, a: usize, b: usize) -> bool {
        let bars = |n: usize, m: usize| self.nodes[n].engine.is_banned(&self.nodes[m].key.fingerprint());
        bars(a, b) || bars(b, a)
    }

    /// The user of one trusts the other without a code.
    pub(super) fn trust(&mut self, n: usize, other: usize) -> PairingId {
        let key = self.nodes[other].key.fingerprint();
        let id = self.nodes[n].engine.trust(self.now, key, Vec::new()).unwrap();
        self.run();
        id
    }

    /// Dials for every trust for which one of two nodes wanted to, where nobody is banned. Whether there was any.
    pub(super) fn meet(&mut self) -> bool {
        let wanted = [0, 1].map(|n| std::mem::take(&mut self.nodes[n].meets));
        let dials: Vec<_> = (0..2).flat_map(|n| wanted[n].iter().map(move |id| (n, *id))).collect();
        for (n, id) in &dials {
            if self.are_barred(0, 1) {
                self.nodes[*n].engine.handle_dial_failed(self.now, *id, PairingFailure::Unreachable);
            } else {
                self.dial(*n, 1 - n, *id);
            }
        }
        self.run();
        !dials.is_empty()
    }

    /// Lets time pass second by second, and whoever is trusted be met.
    pub(super) fn pass_and_meet(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.pass(Duration::from_secs(1));
            self.meet();
        }
    }

    /// A connection on the pairing ALPN whose other end is no engine: [`World::inject`] speaks for it.
    pub(super) fn dial_by_hand(&mut self, victim: usize, peer: usize, dialled: Option<PairingId>) -> usize {
        let wire = self.wire(victim, peer, false);
        let new = NewSession {
            conn: ConnId(wire as u64),
            exporter: self.exporters[0],
            peer: self.nodes[peer].key,
            remote: "192.0.2.66:5000".parse().unwrap(),
            dialled,
        };
        self.nodes[victim].engine.handle_session(self.now, new);
        wire
    }

    /// Says something from the hand-driven end of a wire.
    pub(super) fn say(&mut self, wire: usize, message: &Message) {
        self.inject(wire, 1, message.encode().into_bytes());
        self.run();
    }

    /// What was delivered last, read.
    pub(super) fn heard(&self, wire: usize) -> Message {
        let frame = self.wires[wire].delivered.last().unwrap().1.clone();
        Message::decode(&whole(frame)).unwrap()
    }

    /// A data connection: both say `Hello`.
    pub(super) fn connect(&mut self, client: usize, server: usize) -> usize {
        let wire = self.wire(client, server, true);
        for end in [0, 1] {
            let ends = [client, server];
            let peer = self.nodes[ends[1 - end]].key;
            let list = self.nodes[ends[end]].engine.open_list(ConnId(wire as u64), peer);
            self.send_list(wire, end, list);
        }
        wire
    }

    /// Until nothing moves, without time passing.
    pub(super) fn run(&mut self) {
        for _ in 0..10_000 {
            if !(0..self.nodes.len()).any(|n| self.turn(n)) && !self.deliver() {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    /// Lets time pass, and everything that it brings happen.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        self.run();
        while let Some(at) =
            self.nodes.iter().filter_map(|node| node.engine.poll_timeout()).map(|d| d.at).min()
        {
            if at > until {
                break;
            }
            self.now = self.now.max(at);
            for node in &mut self.nodes {
                node.engine.handle_timeout(self.now);
            }
            self.run();
        }
        self.now = until;
        self.run();
    }

    /// The process dies and comes back with what its store held.
    pub(super) fn restart(&mut self, n: usize) {
        for wire in
            (0..self.wires.len()).filter(|wire| self.wires[*wire].ends.contains(&n)).collect::<Vec<_>>()
        {
            self.cut(wire);
        }
        let node = &mut self.nodes[n];
        node.waiting_hooks.clear();
        node.waiting_rollbacks.clear();
        node.waiting_store.clear();
        node.meets.clear();
        node.confirmations.clear();
        let confirmation = node.engine.settings.confirmation;
        node.engine = engine(n as u8, 1, node.key);
        node.engine.settings.confirmation = confirmation;
    }

    pub(super) fn turn(&mut self, n: usize) -> bool {
        let Some(event) = self.nodes[n].engine.poll_event() else { return false };
        let now = self.now;
        match event {
            Event::Send { conn, frame } => self.write(n, conn, frame, false),
            Event::SendLast { conn, frame } => self.write(n, conn, frame, true),
            Event::Close { conn, code } => self.close(n, conn, code),
            Event::SendState { conn, list } => {
                let end = self.end_of(n, conn);
                self.send_list(conn.0 as usize, end, list);
            }
            Event::Tell(told) => self.nodes[n].told.push(told),
            Event::Settle(_) => self.nodes[n].settles += 1,
            Event::Meet { pairing, .. } => self.nodes[n].meets.push(pairing),
            Event::Seek { .. } => self.nodes[n].seeks += 1,
            Event::PairedNow(_) | Event::Unpaired(_) | Event::BansChanged | Event::CutOff(_) => {}
            Event::Ask(Ask::PairingRequest(token, _)) => self.nodes[n].prompts.push(token),
            Event::Ask(Ask::Confirm(token, confirmation)) => {
                self.nodes[n].confirmations.push((token, confirmation));
            }
            Event::Ask(Ask::Admit(..) | Ask::Resolve(..)) => panic!("the engine knows no connections"),
            Event::Ask(Ask::Directory(..)) => panic!("discovery servers alone ask it"),
            Event::Ask(Ask::Paired(token, peer)) => {
                let node = &mut self.nodes[n];
                node.saved.push(peer);
                match node.hook {
                    Some(answer) => node.engine.answer_paired(now, token, answer),
                    None => node.waiting_hooks.push(token),
                }
            }
            Event::Ask(Ask::Rollback(token, id)) => {
                let node = &mut self.nodes[n];
                node.rolled_back.push(id);
                match node.rollback {
                    Some(answer) => node.engine.answer_rollback(now, token, answer),
                    None => node.waiting_rollbacks.push(token),
                }
            }
            Event::Ask(Ask::Store(token, request)) => {
                self.nodes[n].waiting_store.push_back((token, request));
                if !self.nodes[n].slow {
                    self.answer_store(n);
                }
            }
        }
        true
    }

    /// Whether the store owes an answer.
    pub(super) fn awaits_store(&self, n: usize) -> bool {
        !self.nodes[n].waiting_store.is_empty()
    }

    /// The store answers what it was asked.
    pub(super) fn answer_store(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let (token, request) = node.waiting_store.pop_front().expect("the store was asked");
        let reply = node.store(request);
        node.engine.answer_store(self.now, token, reply);
    }

    /// Pairs the two; either may dial.
    pub(super) fn pair(&mut self, client: usize) -> usize {
        let (window, code) = self.host(HOST);
        let wire = if client == HOST {
            let wire = self.dial(HOST, JOINER, window);
            self.run();
            let token = self.nodes[JOINER].prompts.pop().expect("the joiner's user is asked");
            self.nodes[JOINER].engine.answer_pairing_request(self.now, token, PairingReply::Join(code));
            wire
        } else {
            let entry = self.join(JOINER, code);
            self.dial(JOINER, HOST, entry)
        };
        self.run();
        wire
    }

    pub(super) fn assert_paired_alike(&self) {
        self.assert_both_or_neither("paired");
        assert_eq!(self.nodes[HOST].paired().len(), 1);
    }

    /// Both hold the same pairing, or neither holds any; nothing is undecided.
    pub(super) fn assert_both_or_neither(&self, story: &str) {
        let [host, joiner] = &self.nodes[..2] else { panic!("two nodes") };
        assert_eq!(host.paired(), joiner.paired(), "{story}: one side alone is paired");
        assert_eq!((host.tentative(), joiner.tentative()), (0, 0), "{story}: undecided");
        for node in [host, joiner] {
            // What the application saved last, and did not roll back, is what is paired.
            let was_paired =
                |told: &&Told, id: &PairId| matches!(told, Told::PeerPaired(peer) if peer.pair_id == *id);
            let became = |peer: &&PairedPeer| node.told.iter().any(|told| was_paired(&told, &peer.pair_id));
            let replaced: Vec<_> =
                node.saved.iter().filter(became).flat_map(|peer| peer.replaces.clone()).collect();
            let kept = node.saved.iter().map(|peer| peer.pair_id);
            let unpaired = |id: &PairId| {
                node.told.iter().any(|told| matches!(told, Told::PeerUnpaired(_, gone) if gone == id))
            };
            let kept =
                kept.filter(|id| !node.rolled_back.contains(id) && !replaced.contains(id) && !unpaired(id));
            assert_eq!(kept.collect::<Vec<_>>(), node.paired(), "{story}: the application knows otherwise");
        }
    }
}
