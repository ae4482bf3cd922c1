//! Streams at the desk: from the core to their slots and to who takes them.

use super::{Arrival, Call, Desk, MAX_UNACCEPTED_STREAMS};
use crate::shared::{Life, Locked};
use crate::slot::{Drain, Slot};
use crate::stream::{DROPPED, REFUSED};
use crate::waiters::Place;
use bytes::Bytes;
use handfast_core::error::{Gone, OpenError};
use handfast_core::{ConnId, Direction, DisconnectReason, Node, Now, Readiness, StreamId, StreamMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

impl Desk {
    fn give_up(&mut self, key: u64, slot: &Arc<Slot>) {
        let at = index(key);
        if self.slots.get(at).is_some_and(|other| Arc::ptr_eq(other, slot)) {
            self.slots.remove(at);
        }
    }

    fn find(&self, key: u64, conn: ConnId, stream: StreamId) -> Option<&Arc<Slot>> {
        let slot = self.slots.get(index(key))?;
        (slot.conn == conn && slot.stream == stream).then_some(slot)
    }

    /// A stream that a peer opened gets its slot, and goes to the manager or to who accepts.
    fn arrive(&mut self, node: &mut Node, conn: ConnId, id: StreamId, wakers: &mut Vec<Waker>) {
        let waiting = self.hooks.as_ref().map_or(self.arrivals.len(), |hooks| hooks.len());
        let (Some(peer), Ok(mut stream)) =
            (self.conns.get(conn).map(|conn| conn.peer), node.stream(conn, id))
        else {
            return;
        };
        if waiting >= MAX_UNACCEPTED_STREAMS {
            stream.stop(REFUSED);
            stream.reset(REFUSED);
            return;
        }
        let direction = stream.direction();
        let halves = match direction {
            Direction::Bi => 2,
            Direction::Uni => 1,
        };
        let slot = Arc::new(Slot::new(conn, id, halves, self.conns.pool(conn), self.room.clone()));
        let key = self.slots.insert(Arc::clone(&slot)) as u64 + 1;
        stream.set_key(key);
        let label = stream.label().to_owned();
        slot.drain(Ok(stream), Drain::Modest);
        let arrival = Arrival { slot, key, peer, label, direction };
        match &self.hooks {
            Some(hooks) => wakers.extend(hooks.push(Call::Stream(arrival))),
            None => self.offer(arrival, wakers),
        }
    }

    /// Leaves a stream to who accepts.
    pub(crate) fn offer(&mut self, arrival: Arrival, wakers: &mut Vec<Waker>) {
        self.arrivals.push_back(arrival);
        self.accepters.wake(wakers);
    }

    /// Whether one more stream may wait for who accepts.
    pub(crate) fn may_offer(&self) -> bool {
        self.arrivals.len() < MAX_UNACCEPTED_STREAMS
    }

    pub(super) fn moved(
        &mut self,
        node: &mut Node,
        conn: ConnId,
        id: StreamId,
        key: u64,
        now: Readiness,
        wakers: &mut Vec<Waker>,
    ) {
        if now.opened {
            self.arrive(node, conn, id, wakers);
            return;
        }
        let Some(slot) = self.find(key, conn, id) else { return };
        if now.readable {
            wakers.extend(slot.drain(node.stream(conn, id), Drain::Modest));
        }
        if now.writable || now.finished || now.stopped.is_some() {
            let mut state = slot.lock();
            state.finished |= now.finished;
            state.stopped = state.stopped.or(now.stopped);
            wakers.extend(state.writer.take());
        }
    }

    /// What the core still holds of a connection that ended goes to its readers; then they see the error.
    pub(super) fn disconnected(
        &mut self,
        node: &mut Node,
        conn: ConnId,
        reason: DisconnectReason,
        wakers: &mut Vec<Waker>,
    ) {
        self.conns.end(conn, reason, wakers);
        for (_, slot) in self.slots.iter().filter(|(_, slot)| slot.conn == conn) {
            wakers.extend(slot.drain(node.stream(conn, slot.stream), Drain::Modest));
            let mut state = slot.lock();
            state.gone = true;
            wakers.extend(state.writer.take());
        }
    }
}

impl Locked<Node, Desk> {
    /// A stream of the node, while somebody carries its bytes.
    pub(crate) fn stream(&mut self, slot: &Slot) -> Result<StreamMut<'_>, Gone> {
        match self.life {
            Life::Running | Life::Stopping => self.machine.stream(slot.conn, slot.stream),
            Life::Stopped => Err(Gone),
        }
    }

    /// Opens a stream; where the peer allows none for now, the task is woken once it may.
    pub(crate) fn open(
        &mut self,
        now: Now,
        conn: ConnId,
        direction: Direction,
        label: &str,
        (cx, place): (&Context<'_>, &mut Place),
    ) -> Result<(Arc<Slot>, u64), OpenError> {
        let at = self.desk.slots.vacant_key();
        let key = at as u64 + 1;
        match self.machine.open(now, conn, direction, label, key) {
            Ok(stream) => {
                let halves = match direction {
                    Direction::Bi => 2,
                    Direction::Uni => 1,
                };
                let slot = Arc::new(Slot::new(
                    conn,
                    stream,
                    halves,
                    self.desk.conns.pool(conn),
                    self.desk.room.clone(),
                ));
                self.desk.slots.insert(Arc::clone(&slot));
                Ok((slot, key))
            }
            Err(OpenError::Exhausted) => match self.desk.conns.get_mut(conn) {
                Some(conn) => {
                    conn.openers.wait(place, cx.waker());
                    Err(OpenError::Exhausted)
                }
                None => Err(OpenError::Gone),
            },
            Err(error) => Err(error),
        }
    }

    /// The next datagram of a connection; `None` once it has ended.
    pub(crate) fn poll_datagram(
        &mut self,
        conn: ConnId,
        cx: &Context<'_>,
        place: &mut Place,
    ) -> Poll<Option<Bytes>> {
        if self.life == Life::Stopped {
            return Poll::Ready(None);
        }
        if let Some(datagram) = self.machine.datagrams(conn).ok().and_then(|mut datagrams| datagrams.read()) {
            return Poll::Ready(Some(datagram));
        }
        let Some(conn) = self.desk.conns.get_mut(conn) else { return Poll::Ready(None) };
        conn.readers.wait(place, cx.waker());
        Poll::Pending
    }

    /// Lets go of one half of a stream; with the last one the core is told that nobody listens.
    pub(crate) fn release(&mut self, key: u64, slot: &Arc<Slot>) {
        let mut state = slot.lock();
        state.halves -= 1;
        let (last, gone) = (state.halves == 0, state.gone);
        drop(state);
        if !last {
            return;
        }
        self.desk.give_up(key, slot);
        if let Ok(mut stream) = self.stream(slot) {
            if gone {
                // What was finished cannot be delivered any longer.
                stream.reset(DROPPED);
                stream.stop(DROPPED);
            } else {
                stream.set_key(0);
            }
        }
    }

    /// Gives up a stream that nobody took.
    pub(crate) fn abandon(&mut self, arrival: &Arrival, code: u64) {
        if let Ok(mut stream) = self.stream(&arrival.slot) {
            stream.stop(code);
            match arrival.direction {
                Direction::Bi => stream.reset(code),
                Direction::Uni => {}
            }
        }
        self.desk.give_up(arrival.key, &arrival.slot);
    }
}

/// Where a key's slot lies. The key 0 lies nowhere.
fn index(key: u64) -> usize {
    usize::try_from(key.wrapping_sub(1)).unwrap_or(usize::MAX)
}
