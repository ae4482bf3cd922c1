//! Who wants to be told of whom, and what waits to be told to him.
//!
//! Writes to no stream. A subscriber who takes nothing loses what waits for him, and is told to ask anew.

use super::gate::{Gate, admits};
use crate::directory::{DirectoryChange, DirectoryEntry};
use crate::id::{ConnId, PeerId, StreamId};
use crate::wire::discovery::{Answer, Empty, Gone, Reply};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};

/// Bytes that wait for one subscriber.
pub(super) const MAX_WAITING: usize = 64 << 10;

/// One subscription: its stream.
pub(super) type Subscriber = (ConnId, StreamId);

/// Somebody who is looked for, and what shows that he may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sought {
    pub(super) id: PeerId,
    /// Of the token; without one only what everybody may know is told.
    pub(super) gate: Option<Gate>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Subscriptions {
    by_stream: BTreeMap<Subscriber, Subscription>,
    /// By whom is looked for, each with the place in its subscription.
    by_id: BTreeMap<(PeerId, Subscriber, u16), Watched>,
}

struct Subscription {
    ids: Vec<PeerId>,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    /// What waits is to be told before anything is added: it is to ask anew.
    resync: bool,
    /// Whether it is known what there is at its beginning. Nothing is told before.
    begun: bool,
}

struct Watched {
    gate: Option<Gate>,
    /// Whether the subscriber was told that he is there.
    shown: bool,
    /// Whether a change came: what there was at the beginning may be older.
    changed: bool,
}

impl Subscriptions {
    /// Takes note of one: from here on it misses no change, and is told nothing until [`Subscriptions::begin`].
    pub(super) fn prepare(&mut self, subscriber: Subscriber, sought: &[Sought]) {
        let ids = sought.iter().map(|sought| sought.id).collect();
        let (waiting, waiting_bytes) = (VecDeque::new(), 0);
        let subscription = Subscription { ids, waiting, waiting_bytes, resync: false, begun: false };
        self.by_stream.insert(subscriber, subscription);
        for (n, sought) in sought.iter().enumerate() {
            let watched = Watched { gate: sought.gate, shown: false, changed: false };
            self.by_id.insert((sought.id, subscriber, n as u16), watched);
        }
    }

    /// Begins one, with what there was of those of whom no change has come since. How many replies wait for it.
    pub(super) fn begin(
        &mut self,
        now_s: u64,
        subscriber: Subscriber,
        sought: &[Sought],
        found: &[Option<DirectoryEntry>],
    ) -> usize {
        for (n, (sought, found)) in sought.iter().zip(found).enumerate() {
            let key = (sought.id, subscriber, n as u16);
            if let Some(entry) = found
                && self.by_id.get(&key).is_some_and(|watched| !watched.changed)
            {
                self.tell(now_s, key, Some(entry));
            }
        }
        let Some(subscription) = self.by_stream.get_mut(&subscriber) else { return 0 };
        subscription.begun = true;
        subscription.waiting.len()
    }

    /// Ends one. The ids that nobody watches any longer.
    pub(super) fn end(&mut self, subscriber: Subscriber) -> Vec<PeerId> {
        let Some(subscription) = self.by_stream.remove(&subscriber) else { return Vec::new() };
        let mut ids = subscription.ids;
        for (n, id) in ids.iter().enumerate() {
            self.by_id.remove(&(*id, subscriber, n as u16));
        }
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| !self.is_watched(id));
        ids
    }

    /// Tells everybody who may know. Those who have something to hear.
    pub(super) fn change(&mut self, now_s: u64, change: &DirectoryChange) -> Vec<Subscriber> {
        let mut told = Vec::new();
        for id in change.names() {
            let keys: Vec<_> = self.of(&id).collect();
            for key in keys {
                if let Some(watched) = self.by_id.get_mut(&key) {
                    watched.changed = true;
                }
                if self.tell(now_s, key, change.entry.as_ref()) {
                    told.push(key.1);
                }
            }
        }
        told
    }

    /// Tells everybody that changes were lost. All subscribers.
    pub(super) fn resync(&mut self) -> Vec<Subscriber> {
        for subscription in self.by_stream.values_mut() {
            subscription.lose();
        }
        self.by_stream.keys().copied().collect()
    }

    /// Those of a connection.
    pub(super) fn of_conn(&self, conn: ConnId) -> Vec<Subscriber> {
        let of_conn = self.by_stream.range((conn, StreamId(0))..=(conn, StreamId(u64::MAX)));
        of_conn.map(|(subscriber, _)| *subscriber).collect()
    }

    /// How many peers a connection is subscribed to.
    pub(super) fn count_of(&self, conn: ConnId) -> usize {
        let of_conn = self.by_stream.range((conn, StreamId(0))..=(conn, StreamId(u64::MAX)));
        of_conn.map(|(_, subscription)| subscription.ids.len()).sum()
    }

    /// Whether it has begun.
    pub(super) fn is(&self, subscriber: Subscriber) -> bool {
        self.by_stream.get(&subscriber).is_some_and(|subscription| subscription.begun)
    }

    /// What waits for a subscriber: taken from the front as it is written.
    pub(super) fn waiting(&mut self, subscriber: Subscriber) -> Option<&mut Bytes> {
        self.by_stream.get_mut(&subscriber).filter(|subscription| subscription.begun)?.waiting.front_mut()
    }

    /// So many bytes of what waits in front were written.
    pub(super) fn wrote(&mut self, subscriber: Subscriber, bytes: usize) {
        let Some(subscription) = self.by_stream.get_mut(&subscriber) else { return };
        subscription.waiting_bytes -= bytes;
        if subscription.waiting.front().is_some_and(Bytes::is_empty) {
            subscription.waiting.pop_front();
        }
        if subscription.waiting.is_empty() {
            subscription.resync = false;
        }
    }

    /// How many peers are subscribed to, each as often as it is.
    pub(super) fn watched(&self) -> usize {
        self.by_id.len()
    }

    /// The most bytes that wait for one subscriber.
    pub(super) fn most_waiting(&self) -> usize {
        self.by_stream.values().map(|subscription| subscription.waiting_bytes).max().unwrap_or(0)
    }

    fn of(&self, id: &PeerId) -> impl Iterator<Item = (PeerId, Subscriber, u16)> {
        let (first, last) = ((ConnId(0), StreamId(0)), (ConnId(u64::MAX), StreamId(u64::MAX)));
        self.by_id.range((*id, first, 0)..=(*id, last, u16::MAX)).map(|(key, _)| *key)
    }

    fn is_watched(&self, id: &PeerId) -> bool {
        self.of(id).next().is_some()
    }

    /// Tells one subscriber what became of one peer, as far as he may know. Whether there is anything to hear.
    fn tell(&mut self, now_s: u64, key: (PeerId, Subscriber, u16), entry: Option<&DirectoryEntry>) -> bool {
        let Some(watched) = self.by_id.get_mut(&key) else { return false };
        let entry = entry.filter(|entry| admits(&entry.record, watched.gate.as_ref()));
        let reply = match entry {
            Some(entry) => Reply::Announced(answer(now_s, key.0, entry)),
            None if watched.shown => Reply::Gone(Gone { peer_id: key.0 }),
            None => return false,
        };
        watched.shown = entry.is_some();
        self.by_stream.get_mut(&key.1).is_some_and(|subscription| subscription.push(&reply))
    }
}

impl Subscription {
    fn push(&mut self, reply: &Reply) -> bool {
        if self.resync {
            // He asks anew once he hears that, and is told this then.
            return false;
        }
        let frame = framed(reply);
        if self.waiting_bytes + frame.len() > MAX_WAITING {
            self.lose();
        } else {
            self.waiting_bytes += frame.len();
            self.waiting.push_back(frame);
        }
        true
    }

    /// Drops what waits, but for what was begun to be written.
    fn lose(&mut self) {
        if !self.resync {
            self.waiting.truncate(1);
            self.waiting.push_back(framed(&Reply::Resync(Empty {})));
            self.waiting_bytes = self.waiting.iter().map(Bytes::len).sum();
            self.resync = true;
        }
    }
}

/// What a subscriber or who asks is told of somebody.
pub(super) fn answer(now_s: u64, id: PeerId, entry: &DirectoryEntry) -> Answer {
    let age = now_s.saturating_sub(entry.announced_s);
    Answer {
        peer_id: id,
        record: Some(entry.record.clone()),
        addresses: entry.addresses.clone(),
        age_s: u32::try_from(age).unwrap_or(u32::MAX),
    }
}

/// A reply behind its length, as it stands on a subscription.
pub(super) fn framed(reply: &Reply) -> Bytes {
    let body = reply.encode();
    let mut frame = BytesMut::with_capacity(4 + body.len());
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.extend_from_slice(&body);
    frame.freeze()
}
