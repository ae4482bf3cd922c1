//! An application that saves peers when it is asked to, and does as its hooks' documentation says.

use super::super::world::Node;
use crate::error::HookFailed;
use crate::event::Event as Told;
use crate::id::PairId;
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct App {
    /// Peers that it saved, or is just saving.
    pub(super) saved: BTreeSet<PairId>,
    /// Ids whose hook is running, as the node's tokens are kept.
    saving: Vec<PairId>,
    undoing: Vec<PairId>,
    /// Ids that were paired at some time, and what they replaced.
    settled: BTreeSet<PairId>,
    heard: usize,
    asked: (usize, usize),
}

impl App {
    /// Takes note of what the node asked and told since.
    pub(super) fn notice(&mut self, node: &mut Node) {
        for peer in &node.saved[self.asked.0..] {
            assert!(!self.saved.contains(&peer.pair_id), "a hook is asked once in an id's life");
            self.saved.insert(peer.pair_id);
            self.saving.push(peer.pair_id);
        }
        for id in &node.rolled_back[self.asked.1..] {
            // Its future is dropped before its rollback runs.
            if let Some(at) = self.saving.iter().position(|saving| saving == id) {
                self.saving.remove(at);
                node.waiting_hooks.remove(at);
            }
            assert!(!self.undoing.contains(id), "one rollback of an id runs at a time");
            self.undoing.push(*id);
        }
        self.asked = (node.saved.len(), node.rolled_back.len());
        for told in &node.told[self.heard..] {
            match told {
                Told::PeerPaired(peer) => peer.replaces.iter().for_each(|id| {
                    self.saved.remove(id);
                }),
                Told::PeerUnpaired(_, id) => {
                    self.saved.remove(id);
                }
                _ => {}
            }
        }
        self.heard = node.told.len();
        for record in node.store.values().filter(|record| record.state == crate::store::PairState::Paired) {
            self.settled.insert(record.pair_id);
            self.settled.extend(&record.replaces);
        }
    }

    /// Which waiting hook answers, and what became of it.
    pub(super) fn saved(&mut self, at: usize, answer: Result<(), HookFailed>) {
        let id = self.saving.remove(at);
        if answer.is_err() {
            self.saved.remove(&id);
        }
    }

    pub(super) fn undone(&mut self, at: usize, answer: Result<(), HookFailed>) {
        let id = self.undoing.remove(at);
        if answer.is_ok() {
            self.saved.remove(&id);
        }
    }

    /// The process died: what ran is lost.
    pub(super) fn crash(&mut self) {
        self.saving.clear();
        self.undoing.clear();
    }

    /// Drops what was paired once and is no more: the event may have been lost in a crash. What never was
    /// paired must have been rolled back.
    pub(super) fn compare(&mut self, node: &Node) {
        let paired = node.paired();
        self.saved.retain(|id| paired.contains(id) || !self.settled.contains(id));
    }
}
