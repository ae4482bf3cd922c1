//! Who is dialled again, and when: peers that are kept connected, with pauses that grow while there is no hope.
//!
//! Full jitter: each pause is drawn between zero and its step. Never dials while a connection to the peer stands,
//! or is under way: two sides that keep each other connected would replace each other's for ever.

use super::notes::News;
use super::{Event, Peers, Purpose};
use crate::config::Policy;
use crate::event::{ConnectFailure, DisconnectReason, Event as Tell, IdleReason, PeerState};
use crate::id::PublicKey;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The longest pause before each dial since there was last reason to hope, in seconds; later ones as the last.
const STEPS: [u64; 11] = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300];

/// A connection that stood for so long was a good one: what comes after it begins anew.
const STOOD: Duration = Duration::from_secs(30);

/// No two dials of one peer begin within this time, unless the application asks: anybody on the LAN can announce
/// anything, and give reason to hope.
const DIAL_GAP: Duration = Duration::from_secs(1);

/// Peers that are dialled at a time without being asked for.
const MAX_AT_ONCE: usize = 32;

/// What is known of a paired key, beside its addresses.
#[derive(Debug)]
pub(super) struct Known {
    /// Connections to it that stood and ended since the start.
    pub(super) lost: u32,
    /// What the application wants for this peer, if it is not what it wants for all.
    policy: Option<Policy>,
    /// Dials since there was last reason to hope.
    tries: usize,
    /// When it was last dialled.
    tried_at: Option<Instant>,
    /// When it is dialled next, and the whole pause.
    next: Option<(Instant, Duration)>,
    /// The application closed its connection.
    closed: bool,
    why: IdleReason,
    told: PeerState,
}

impl Known {
    fn new() -> Self {
        let why = IdleReason::Unasked;
        Self {
            lost: 0,
            policy: None,
            tries: 0,
            tried_at: None,
            next: None,
            closed: false,
            why,
            told: PeerState::Idle(why),
        }
    }
}

impl Peers {
    /// The keys that are paired, whenever they change.
    pub(crate) fn set_paired(&mut self, now: Instant, paired: &BTreeSet<PublicKey>) {
        self.book.set_paired(paired);
        let gone: Vec<PublicKey> = self.known.keys().filter(|key| !paired.contains(key)).copied().collect();
        for key in gone {
            self.unschedule(&key);
            self.restless.remove(&key);
            self.known.remove(&key);
            self.unnote(now, &key);
        }
        for key in paired {
            if !self.known.contains_key(key) {
                self.known.insert(*key, Known::new());
                if !self.book.whereabouts(key).is_empty() {
                    self.note(now, key, News::Content);
                }
                self.hope(now, key);
            }
        }
    }

    /// Whether a peer is kept connected; `None`: as all are. `false` where it is not paired.
    pub(crate) fn set_policy(&mut self, now: Instant, key: &PublicKey, policy: Option<Policy>) -> bool {
        let Some(known) = self.known.get_mut(key) else { return false };
        known.policy = policy;
        known.closed = false;
        let policy = self.policy(key);
        for conn in self.links_to(key) {
            self.events.push_back(Event::Keep { conn, policy });
        }
        self.hope(now, key);
        true
    }

    /// Whether a peer is kept connected.
    pub(crate) fn policy(&self, key: &PublicKey) -> Policy {
        self.known.get(key).and_then(|known| known.policy).unwrap_or(self.policy)
    }

    /// The interfaces that are up, whenever they or their addresses changed.
    pub(crate) fn handle_interfaces(&mut self, now: Instant, up: BTreeSet<u32>) {
        self.book.set_up(up);
        self.handle_network_changed(now);
    }

    /// The network is another, or the machine slept: what was in vain may not be any more. Dials that run begin
    /// anew, and no pause lasts.
    pub(crate) fn handle_network_changed(&mut self, now: Instant) {
        for race in self.dials.values_mut() {
            race.handle_network_changed(now);
        }
        for key in self.known.keys().copied().collect::<Vec<_>>() {
            self.hope(now, &key);
        }
    }

    /// Nobody is dialled from here on.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        self.due.clear();
        self.hang_up_all(|_| true);
    }

    /// How it stands with a paired key.
    pub(crate) fn state(&self, key: &PublicKey) -> Option<PeerState> {
        let known = self.known.get(key)?;
        let race = self.dials.values().find(|race| race.purpose == Purpose::Data(*key));
        Some(if self.shown(key).is_some() {
            PeerState::Connected
        } else if let Some(race) = race {
            PeerState::Dialling { addresses: race.taken_in() }
        } else if self.is_greeting(key) && known.told != PeerState::Connected {
            // What comes of it is told, not that it comes.
            known.told
        } else if let Some((_, pause)) = known.next {
            PeerState::Waiting { pause, why: known.why }
        } else {
            PeerState::Idle(known.why)
        })
    }

    /// A state that is another than the one that was told last.
    pub(super) fn poll_state(&mut self) -> Option<Tell> {
        while let Some(key) = self.restless.pop_first() {
            let Some(state) = self.state(&key) else { continue };
            let greets = self.is_greeting(&key);
            let Some(known) = self.known.get_mut(&key) else { continue };
            if !greets && std::mem::replace(&mut known.told, state) != state {
                return Some(Tell::PeerState(key.peer_id(self.kind), state));
            }
        }
        None
    }

    /// Something may have changed how it stands with a key.
    pub(super) fn stir(&mut self, key: &PublicKey) {
        if self.known.contains_key(key) {
            self.restless.insert(*key);
        }
    }

    /// Something gives reason to hope: a peer that is kept connected is dialled at once.
    pub(super) fn hope(&mut self, now: Instant, key: &PublicKey) {
        let Some(known) = self.known.get_mut(key) else { return };
        known.tries = 0;
        self.schedule(now, key, Duration::ZERO);
    }

    /// The application asks for a peer.
    pub(super) fn ask_for(&mut self, key: &PublicKey) {
        if let Some(known) = self.known.get_mut(key) {
            known.tries = 0;
            known.closed = false;
        }
    }

    /// A peer is being dialled.
    pub(super) fn on_dial(&mut self, now: Instant, key: &PublicKey) {
        self.unschedule(key);
        if let Some(known) = self.known.get_mut(key) {
            known.tries += 1;
            known.tried_at = Some(now);
        }
        self.stir(key);
    }

    /// A dial came to nothing.
    pub(super) fn on_failed(&mut self, now: Instant, key: &PublicKey, failure: ConnectFailure) {
        if let Some(known) = self.known.get_mut(key) {
            known.why = IdleReason::Failed(failure);
            self.pause(now, key);
        }
    }

    /// A connection that was shown ended; it stood since `up_since`.
    pub(super) fn on_ended(
        &mut self,
        now: Instant,
        key: &PublicKey,
        reason: DisconnectReason,
        up_since: Instant,
    ) {
        let Some(known) = self.known.get_mut(key) else { return };
        known.why = IdleReason::Ended(reason);
        match reason {
            DisconnectReason::ClosedHere => known.closed = true,
            // Whoever closes it, and is dialled at once, closes it again.
            DisconnectReason::ClosedByPeer => {}
            _ if now.saturating_duration_since(up_since) >= STOOD => known.tries = 0,
            _ => {}
        }
        self.pause(now, key);
    }

    /// Whether the application awaits a peer that may be dialled once more.
    pub(super) fn is_worth_another_try(&self, key: &PublicKey) -> bool {
        self.wanted.contains_key(key) && self.known.get(key).is_some_and(|known| known.tries < 2)
    }

    /// Dials whoever is due.
    pub(super) fn dial_due(&mut self, now: Instant) {
        while self.dials.len() < MAX_AT_ONCE
            && let Some((at, key)) = self.due.first().copied()
            && at <= now
        {
            self.unschedule(&key);
            if self.is_dialled(&key) || !self.links_to(&key).is_empty() {
                continue;
            }
            if self.book.is_reachable(&key) {
                self.dial_peer(now, key);
                continue;
            }
            // An address that becomes known gives reason to hope.
            if let Some(known) = self.known.get_mut(&key) {
                known.why = IdleReason::Failed(ConnectFailure::NoAddress);
            }
            self.stir(&key);
        }
    }

    /// When the next is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let (at, _) = self.due.first()?;
        (self.dials.len() < MAX_AT_ONCE).then_some(*at)
    }

    /// Dials again after a pause, where the peer is kept connected.
    fn pause(&mut self, now: Instant, key: &PublicKey) {
        let Some(known) = self.known.get(key) else { return };
        let step = STEPS[known.tries.min(STEPS.len() - 1)];
        let pause = if step == 0 || self.policy(key) == Policy::Lazy {
            Duration::ZERO
        } else {
            self.rng.between(Duration::ZERO, Duration::from_secs(step))
        };
        self.schedule(now, key, pause);
    }

    fn schedule(&mut self, now: Instant, key: &PublicKey, pause: Duration) {
        self.unschedule(key);
        self.stir(key);
        let is_eager = self.policy(key) == Policy::Eager;
        let Some(known) = self.known.get_mut(key) else { return };
        if is_eager && !known.closed && !self.stopped {
            let earliest = known.tried_at.map_or(now, |tried_at| tried_at + DIAL_GAP);
            let at = earliest.max(now + pause);
            known.next = Some((at, at - now));
            self.due.insert((at, *key));
        }
    }

    pub(super) fn unschedule(&mut self, key: &PublicKey) {
        if let Some((at, _)) = self.known.get_mut(key).and_then(|known| known.next.take()) {
            self.due.remove(&(at, *key));
        }
    }
}

#[cfg(test)]
mod tests;
