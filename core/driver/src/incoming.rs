//! A stream that a peer opened, before somebody takes it.

use crate::desk::{Arrival, NodeHandle};
use crate::runtime::Runtime;
use crate::stream::{DROPPED, REFUSED, RawRecv, RawSend};
use handfast_core::{ConnId, Direction, PeerId};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A stream that a peer opened. Refused if it is dropped.
pub struct Incoming<R: Runtime> {
    handle: NodeHandle,
    /// There until the stream is taken.
    arrival: Option<Arrival>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> fmt::Debug for Incoming<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("peer", &self.peer())
            .field("label", &self.label())
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Incoming<R> {
    pub(crate) fn new(handle: NodeHandle, arrival: Arrival) -> Self {
        Self { handle, arrival: Some(arrival), runtime: PhantomData }
    }

    fn arrival(&self) -> &Arrival {
        self.arrival.as_ref().expect("an arrival leaves only with its owner")
    }

    /// The connection it is in: [`Node::connection`](crate::Node::connection) has more of it.
    pub fn conn(&self) -> ConnId {
        self.arrival().slot.conn
    }

    /// Who opened it.
    pub fn peer(&self) -> PeerId {
        self.arrival().peer
    }

    /// What the peer says it is for; empty where it says nothing.
    pub fn label(&self) -> &str {
        &self.arrival().label
    }

    /// Whether this side may write, too.
    pub fn direction(&self) -> Direction {
        self.arrival().direction
    }

    /// Takes the stream: what this side may write, unless it goes one way, and what the peer writes.
    pub fn accept(mut self) -> (Option<R::SendStream>, R::RecvStream) {
        let arrival = self.take();
        let send = match arrival.direction {
            Direction::Bi => {
                Some(RawSend::new(self.handle.clone(), Arc::clone(&arrival.slot), arrival.key).into())
            }
            Direction::Uni => None,
        };
        (send, RawRecv::new(self.handle.clone(), arrival.slot, arrival.key).into())
    }

    /// Refuses it: the peer sees the code 0x11 on both halves.
    pub fn refuse(mut self) {
        let arrival = self.take();
        self.handle.with(|locked, _| locked.abandon(&arrival, REFUSED));
    }

    pub(crate) fn take(&mut self) -> Arrival {
        self.arrival.take().expect("an arrival leaves only with its owner")
    }
}

impl<R: Runtime> Drop for Incoming<R> {
    fn drop(&mut self) {
        if let Some(arrival) = self.arrival.take() {
            self.handle.with(|locked, _| locked.abandon(&arrival, DROPPED));
        }
    }
}
