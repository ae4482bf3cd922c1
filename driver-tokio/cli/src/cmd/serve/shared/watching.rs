//! Whom the shared store shall tell of, and whom it does: subscribes until that is one.
//!
//! Reads no message. What a lost connection forgot is subscribed to anew, and then whoever subscribed here is told that
//! changes may be missing.

use super::Link;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use handfast_core::PeerId;
use handfast_tokio::Changes;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Commands to the store at a time.
const MAX_AT_ONCE: usize = 256;
/// How long what failed waits to be tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// Of what failed, so much is tried again at a time: what does not fail has its turn.
const MAX_AGAIN: usize = MAX_AT_ONCE / 4;

/// See the module.
#[derive(Default)]
pub(super) struct Watching {
    state: Mutex<State>,
    /// There is something to do.
    work: Notify,
    /// Something was done.
    done: Notify,
}

/// As many ids as the server has subscriptions, and as many that it ended lately.
#[derive(Debug, Default)]
struct State {
    wanted: BTreeSet<PeerId>,
    held: BTreeSet<PeerId>,
    /// Where those two differ, and nothing is done about it yet.
    todo: BTreeSet<PeerId>,
    /// About which the store is asked.
    busy: BTreeSet<PeerId>,
    /// Where that failed.
    failed: BTreeSet<PeerId>,
    /// Those of whom changes may be missing.
    lost: BTreeSet<PeerId>,
    /// Whether some of those are held again, and nobody was told.
    missed: bool,
    /// How often a connection was lost: what was asked before is worth nothing after it.
    losses: u64,
}

/// What the store is asked about one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    id: PeerId,
    subscribes: bool,
    losses: u64,
}

impl State {
    fn want(&mut self, ids: &[PeerId]) {
        for id in ids {
            self.wanted.insert(*id);
            self.failed.remove(id);
            self.settle(*id);
        }
    }

    fn leave(&mut self, ids: &[PeerId]) {
        for id in ids {
            self.wanted.remove(id);
            self.lost.remove(id);
            self.failed.remove(id);
            self.settle(*id);
        }
    }

    fn lose(&mut self) {
        self.losses += 1;
        let held = std::mem::take(&mut self.held);
        for id in held {
            if self.wanted.contains(&id) {
                self.lost.insert(id);
            }
            self.settle(id);
        }
    }

    fn left(&mut self, id: PeerId) {
        // What is asked for at the moment is no loss.
        if self.wanted.contains(&id) && !self.busy.contains(&id) && self.held.remove(&id) {
            self.lost.insert(id);
            self.settle(id);
        }
    }

    /// Notes whether there is something to do about an id.
    fn settle(&mut self, id: PeerId) {
        if self.wanted.contains(&id) == self.held.contains(&id) || self.busy.contains(&id) {
            self.todo.remove(&id);
        } else {
            self.todo.insert(id);
        }
    }

    fn next(&mut self) -> Option<Step> {
        let id = self.todo.pop_first()?;
        self.busy.insert(id);
        Some(Step { id, subscribes: self.wanted.contains(&id), losses: self.losses })
    }

    fn finish(&mut self, step: Step, succeeded: bool) {
        let Step { id, subscribes, losses } = step;
        self.busy.remove(&id);
        if succeeded && losses == self.losses {
            if subscribes {
                self.held.insert(id);
                self.missed |= self.lost.remove(&id);
            } else {
                self.held.remove(&id);
            }
        }
        if !succeeded && self.wanted.contains(&id) != self.held.contains(&id) {
            self.failed.insert(id);
        } else {
            self.settle(id);
        }
    }

    fn retry(&mut self) {
        for _ in 0..MAX_AGAIN {
            let Some(id) = self.failed.pop_first() else { return };
            self.settle(id);
        }
    }

    /// Whether to tell that changes may be missing: once for all that are held again.
    fn take_missed(&mut self) -> bool {
        self.todo.is_empty() && self.busy.is_empty() && std::mem::take(&mut self.missed)
    }
}

impl Watching {
    /// From here on these are to be told of.
    pub(super) fn want(&self, ids: &[PeerId]) {
        self.state().want(ids);
        self.work.notify_one();
    }

    /// From here on these are not to be told of.
    pub(super) fn leave(&self, ids: &[PeerId]) {
        self.state().leave(ids);
        self.work.notify_one();
    }

    /// A connection was lost, and with it what was subscribed to by it.
    pub(super) fn lose(&self) {
        self.state().lose();
        self.work.notify_one();
    }

    /// The store tells of somebody no longer, perhaps since another node of it does.
    pub(super) fn left(&self, id: PeerId) {
        self.state().left(id);
        self.work.notify_one();
    }

    /// Waits until all of these are told of, or wanted no longer.
    pub(super) async fn all(&self, ids: &[PeerId]) {
        loop {
            let mut done = std::pin::pin!(self.done.notified());
            done.as_mut().enable();
            {
                let state = self.state();
                if ids.iter().all(|id| state.held.contains(id) || !state.wanted.contains(id)) {
                    return;
                }
            }
            done.await;
        }
    }

    /// Subscribes to what is wanted, and to no more, for as long as it is polled.
    pub(super) async fn run(&self, link: Link, changes: Changes) {
        let mut running = FuturesUnordered::new();
        let mut again = Instant::now() + PAUSE;
        loop {
            while running.len() < MAX_AT_ONCE
                && let Some(step) = self.next()
            {
                let mut link = link.clone();
                running.push(async move { (step, link.subscribe(&step.id, step.subscribes).await) });
            }
            tokio::select! {
                Some((step, succeeded)) = running.next() => {
                    let missed = {
                        let mut state = self.state();
                        state.finish(step, succeeded);
                        state.take_missed()
                    };
                    self.done.notify_waiters();
                    if missed {
                        changes.lost();
                    }
                }
                () = self.work.notified() => {}
                () = sleep_until(again) => {
                    again = Instant::now() + PAUSE;
                    self.state().retry();
                }
            }
        }
    }

    fn next(&self) -> Option<Step> {
        self.state().next()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> PeerId {
        PeerId::Sha256([n; 32])
    }

    /// Does all there is to do, and says what that was.
    fn work(state: &mut State, succeeds: impl Fn(&Step) -> bool) -> Vec<(PeerId, bool)> {
        let steps: Vec<Step> = std::iter::from_fn(|| state.next()).collect();
        for step in &steps {
            state.finish(*step, succeeds(step));
        }
        steps.iter().map(|step| (step.id, step.subscribes)).collect()
    }

    #[test]
    fn whoever_is_wanted_is_subscribed_to_once_and_left_once() {
        let mut state = State::default();
        state.want(&[id(1), id(2), id(1)]);
        assert_eq!(work(&mut state, |_| true), [(id(1), true), (id(2), true)]);
        state.want(&[id(1)]);
        assert_eq!(work(&mut state, |_| true), []);
        state.leave(&[id(1)]);
        assert_eq!(work(&mut state, |_| true), [(id(1), false)]);
        assert_eq!(state.held, [id(2)].into());
        assert!(!state.missed);
    }

    #[test]
    fn who_is_wanted_again_while_he_is_left_is_subscribed_to_again() {
        let mut state = State::default();
        state.want(&[id(1)]);
        work(&mut state, |_| true);
        state.leave(&[id(1)]);
        let step = state.next().unwrap();
        state.want(&[id(1)]);
        assert_eq!(state.next(), None, "one thing at a time");
        state.finish(step, true);
        assert_eq!(work(&mut state, |_| true), [(id(1), true)]);
        assert!(state.held.contains(&id(1)));
    }

    #[test]
    fn what_a_lost_connection_forgot_is_subscribed_to_anew_and_told_once() {
        let mut state = State::default();
        state.want(&[id(1), id(2)]);
        let late = state.next().unwrap();
        work(&mut state, |_| true);
        state.lose();
        state.finish(late, true);
        assert!(!state.held.contains(&id(1)), "what was asked before is worth nothing");
        let step = state.next().unwrap();
        assert!(!state.take_missed(), "the others come first");
        state.finish(step, true);
        work(&mut state, |_| true);
        assert_eq!(state.held, [id(1), id(2)].into());
        assert!(state.take_missed() && !state.take_missed());
    }

    #[test]
    fn what_fails_waits_until_it_is_tried_again_and_holds_up_nobody() {
        let mut state = State::default();
        state.want(&[id(1), id(2)]);
        work(&mut state, |_| true);
        state.lose();
        work(&mut state, |step| step.id != id(1));
        assert!(state.take_missed(), "those who are held again are told");
        assert_eq!(work(&mut state, |_| true), [], "not at once");
        state.retry();
        assert_eq!(work(&mut state, |_| true), [(id(1), true)]);
        assert!(state.take_missed());
        state.lose();
        work(&mut state, |_| false);
        state.leave(&[id(1), id(2)]);
        state.retry();
        assert_eq!(work(&mut state, |_| true), [], "nobody wants them any longer");
        assert!(state.failed.is_empty() && state.lost.is_empty());
    }
}
