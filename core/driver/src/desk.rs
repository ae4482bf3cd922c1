//! The node's attendant: brings events to queues, streams to their slots, outcomes to who awaits them.
//!
//! Lives behind the node's lock. It holds no handle, so that what nobody took keeps no node alive.

mod browsers;
mod conns;
mod streams;
mod tables;

pub(crate) use conns::{End, Standing};

use crate::alarm::Alarms;
use crate::desk::browsers::Browsers;
use crate::desk::conns::Conns;
use crate::events::{self, MAX_QUEUED_EVENTS};
use crate::machine::Attendant;
use crate::pairing::Outcome;
use crate::promise::Promise;
use crate::queue::{Coalesce, Queue, Word};
use crate::room::Room;
use crate::shared::{Handle, Shared};
use crate::slot::Slot;
use crate::store::StoreError;
use crate::waiters::{Place, Waiters};
use crate::{DialError, StartError};
use handfast_core::ask::{
    AdmitToken, Candidate, ConfirmToken, Confirmation, PairedToken, PairingRequest, PairingRequestToken,
    Permission, ResolveToken, RollbackToken, StoreToken,
};
use handfast_core::error::HookFailed;
use handfast_core::store::StoreRequest;
use handfast_core::{
    Answer, Ask, ConnectedPeer, Direction, Event, Fingerprint, HostName, Node, Now, PairId, PairedPeer,
    PairingId, PeerId, Ready,
};
use slab::Slab;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// How many streams wait for [`Node::accept`](crate::Node::accept), or for a manager's hook. Further ones
/// are refused with the code 0x11.
pub const MAX_UNACCEPTED_STREAMS: usize = 4096;

/// The lock of a node.
pub(crate) type NodeShared = Shared<Node, Desk>;
/// A handle of a node.
pub(crate) type NodeHandle = Handle<Node, Desk>;

/// What a manager's task is told, in order.
pub(crate) enum Call {
    Event(Event),
    PairingRequest(PairingRequestToken, PairingRequest),
    Admit(AdmitToken, Candidate),
    Confirm(ConfirmToken, Confirmation),
    Paired(PairedToken, PairedPeer),
    Rollback(RollbackToken, PairId),
    Stream(Arrival),
}

/// What came of a dial.
pub(crate) type Dialled = Result<Standing, DialError>;

impl Coalesce for Call {
    fn word(&self) -> Word<'_> {
        match self {
            Self::Event(event) => event.word(),
            Self::PairingRequest(..)
            | Self::Admit(..)
            | Self::Confirm(..)
            | Self::Paired(..)
            | Self::Rollback(..)
            | Self::Stream(_) => Word::Kept,
        }
    }

    fn into_update(self) -> Self {
        if let Self::Event(event) = self { Self::Event(event.into_update()) } else { self }
    }

    fn into_find(self) -> Self {
        if let Self::Event(event) = self { Self::Event(event.into_find()) } else { self }
    }
}

/// What the store's task is asked.
pub(crate) type StoreCall = (StoreToken, StoreRequest);

/// What the resolver's task is asked.
pub(crate) type ResolveCall = (ResolveToken, HostName);

/// A stream that a peer opened and that nobody has taken.
pub(crate) struct Arrival {
    pub(crate) slot: Arc<Slot>,
    pub(crate) key: u64,
    pub(crate) peer: PeerId,
    pub(crate) label: String,
    pub(crate) direction: Direction,
}

/// See the module.
pub(crate) struct Desk {
    /// By key minus one: the core says 0 where it was told none.
    slots: Slab<Arc<Slot>>,
    /// What they all may hold.
    pub(crate) room: Room,
    conns: Conns,
    alarms: Alarms,
    dials: Vec<(PeerId, Promise<Dialled>)>,
    /// Several may await the trust in one key.
    pairings: Vec<(PairingId, Promise<Outcome>)>,
    /// Who awaits that a decision about a key is stored; false once it never will be.
    marks: Vec<(Fingerprint, Promise<bool>)>,
    arrivals: VecDeque<Arrival>,
    accepters: Waiters,
    listeners: Vec<Weak<Queue<Event>>>,
    browsers: Browsers,
    hooks: Option<Arc<Queue<Call>>>,
    store: Arc<Queue<StoreCall>>,
    lookups: Arc<Queue<ResolveCall>>,
    start: Start,
    /// Answers that need no application; given once the machine is idle.
    answers: Vec<Answer>,
    stopped: bool,
}

/// Whether the node has started: its sockets were asked for and its store has answered.
struct Start {
    promise: Option<Promise<Result<(), StartError>>>,
    asked: usize,
    idle: bool,
}

impl Desk {
    /// A desk, the queue of the store's task, and that of the manager's, if there is one.
    #[expect(clippy::type_complexity, reason = "three things, named where they are taken apart")]
    pub(crate) fn new(
        managed: bool,
        room: Room,
        started: Promise<Result<(), StartError>>,
    ) -> (Self, Arc<Queue<StoreCall>>, Option<Arc<Queue<Call>>>) {
        let store = Arc::new(Queue::default());
        let hooks = managed.then(|| Arc::new(Queue::default()));
        let desk = Self {
            slots: Slab::new(),
            room,
            conns: Conns::default(),
            alarms: Alarms::default(),
            dials: Vec::new(),
            pairings: Vec::new(),
            marks: Vec::new(),
            arrivals: VecDeque::new(),
            accepters: Waiters::default(),
            listeners: Vec::new(),
            browsers: Browsers::default(),
            hooks: hooks.clone(),
            store: Arc::clone(&store),
            lookups: Arc::new(Queue::default()),
            start: Start { promise: Some(started), asked: 0, idle: false },
            answers: Vec::new(),
            stopped: false,
        };
        (desk, store, hooks)
    }

    /// The queue of the resolver's task.
    pub(crate) fn lookups(&self) -> Arc<Queue<ResolveCall>> {
        Arc::clone(&self.lookups)
    }

    pub(crate) fn await_dial(&mut self, peer: PeerId, promise: Promise<Dialled>) {
        self.dials.push((peer, promise));
    }

    /// Nobody awaits that dial any longer.
    pub(crate) fn forget_dial(&mut self, promise: &Promise<Dialled>) {
        self.dials.retain(|(_, other)| !other.is(promise));
    }

    pub(crate) fn await_pairing(&mut self, id: PairingId, promise: Promise<Outcome>) {
        self.pairings.push((id, promise));
    }

    /// Nobody awaits that pairing any longer by this promise.
    pub(crate) fn forget_pairing(&mut self, promise: &Promise<Outcome>) {
        self.pairings.retain(|(_, other)| !other.is(promise));
    }

    pub(crate) fn await_mark(&mut self, key: Fingerprint, promise: Promise<bool>) {
        self.marks.push((key, promise));
    }

    /// Nobody awaits that mark any longer by this promise.
    pub(crate) fn forget_mark(&mut self, promise: &Promise<bool>) {
        self.marks.retain(|(_, other)| !other.is(promise));
    }

    /// Arms an alarm; `None` where nobody keeps the time any longer.
    pub(crate) fn arm(&mut self, at: Instant, waker: &Waker) -> Option<(Instant, u64)> {
        (!self.stopped).then(|| self.alarms.arm(at, waker))
    }

    pub(crate) fn alarms(&mut self) -> &mut Alarms {
        &mut self.alarms
    }

    /// A queue that gets every event from here on, while the caller keeps it.
    pub(crate) fn subscribe(&mut self) -> Arc<Queue<Event>> {
        let queue = Arc::new(Queue::default());
        if self.stopped {
            queue.close();
        } else {
            // Nobody tells of those that are gone before the next event.
            self.listeners.retain(|listener| listener.strong_count() > 0);
            self.listeners.push(Arc::downgrade(&queue));
        }
        queue
    }

    /// The next stream that nobody has taken; `None` once the node is stopped.
    pub(crate) fn poll_accept(&mut self, cx: &Context<'_>, place: &mut Place) -> Poll<Option<Arrival>> {
        if let Some(arrival) = self.arrivals.pop_front() {
            return Poll::Ready(Some(arrival));
        }
        if self.stopped {
            return Poll::Ready(None);
        }
        self.accepters.wait(place, cx.waker());
        Poll::Pending
    }

    /// The store answered a question; `failure` is why it could not.
    pub(crate) fn stored(&mut self, failure: Option<StoreError>) -> Option<Waker> {
        self.start.asked -= 1;
        match failure {
            Some(error) => self.start.promise.take().and_then(|promise| promise.keep(Err(error.into()))),
            None => self.start_if_ready(),
        }
    }

    fn start_if_ready(&mut self) -> Option<Waker> {
        if !self.start.idle || self.start.asked > 0 {
            return None;
        }
        self.start.promise.take().and_then(|promise| promise.keep(Ok(())))
    }

    fn connected(&mut self, peer: &ConnectedPeer, wakers: &mut Vec<Waker>) {
        let standing = self.conns.begin(peer);
        for (_, promise) in self.dials.extract_if(.., |(id, _)| peer.key.is_named(id)) {
            wakers.extend(promise.keep(Ok(standing.clone())));
        }
    }

    fn settle(&mut self, node: &mut Node, event: &Event, wakers: &mut Vec<Waker>) {
        match event {
            Event::PeerConnected(peer) => self.connected(peer, wakers),
            Event::PeerDisconnected(conn, _, reason) => self.disconnected(node, *conn, *reason, wakers),
            Event::ConnectFailed(peer, why) => {
                for (_, promise) in self.dials.extract_if(.., |(id, _)| id == peer) {
                    wakers.extend(promise.keep(Err(DialError::Failed(*why))));
                }
            }
            Event::PairingEnded(id, result) => {
                for (_, promise) in self.pairings.extract_if(.., |(other, _)| other == id) {
                    wakers.extend(promise.keep(result.clone().map_err(Some)));
                }
            }
            Event::PeerTrusted(_, key) | Event::PeerBanned(key) | Event::PeerUnmarked(key) => {
                for (_, promise) in self.marks.extract_if(.., |(other, _)| other == key) {
                    wakers.extend(promise.keep(true));
                }
            }
            // The other events await nobody.
            _ => {}
        }
    }
}

impl Attendant<Node> for Desk {
    fn ready(&mut self, node: &mut Node, ready: Ready, wakers: &mut Vec<Waker>) {
        match ready {
            Ready::Stream { conn, stream, key, now } => self.moved(node, conn, stream, key, now, wakers),
            Ready::Datagrams { conn } => {
                if let Some(conn) = self.conns.get_mut(conn) {
                    conn.readers.wake(wakers);
                }
            }
            Ready::Streams { conn } => {
                if let Some(conn) = self.conns.get_mut(conn) {
                    conn.openers.wake(wakers);
                }
            }
        }
    }

    fn event(&mut self, node: &mut Node, event: Event, wakers: &mut Vec<Waker>) {
        self.settle(node, &event, wakers);
        self.browsers.tell(&event, wakers);
        self.listeners.retain(|listener| match listener.upgrade() {
            Some(queue) => {
                wakers.extend(events::push(&queue, event.clone()));
                true
            }
            None => false,
        });
        if let Some(hooks) = &self.hooks {
            wakers.extend(hooks.push_bounded(Call::Event(event), MAX_QUEUED_EVENTS));
        }
    }

    fn ask(&mut self, ask: Ask, wakers: &mut Vec<Waker>) {
        let call = match ask {
            Ask::Store(token, request) => {
                self.start.asked += 1;
                wakers.extend(self.store.push((token, request)));
                return;
            }
            Ask::PairingRequest(token, request) => Call::PairingRequest(token, request),
            Ask::Resolve(token, name) => {
                wakers.extend(self.lookups.push((token, name)));
                return;
            }
            Ask::Admit(token, candidate) => Call::Admit(token, candidate),
            Ask::Confirm(token, confirmation) => Call::Confirm(token, confirmation),
            Ask::Paired(token, peer) => Call::Paired(token, peer),
            Ask::Rollback(token, pairing) => Call::Rollback(token, pairing),
            Ask::Directory(..) => unreachable!("a node never asks it"),
        };
        match (&self.hooks, call) {
            (Some(hooks), call) => wakers.extend(hooks.push(call)),
            (None, call) => self.answers.extend(default_answer(call)),
        }
    }

    fn idle(&mut self, node: &mut Node, now: Now, wakers: &mut Vec<Waker>) -> bool {
        self.start.idle = true;
        wakers.extend(self.start_if_ready());
        let answered = !self.answers.is_empty();
        for answer in self.answers.drain(..) {
            node.answer(now, answer);
        }
        answered
    }

    fn deadline(&self) -> Option<Instant> {
        self.alarms.deadline()
    }

    fn handle_timeout(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        self.alarms.handle_timeout(now, wakers);
    }

    fn stopped(&mut self, wakers: &mut Vec<Waker>) {
        self.stopped = true;
        for (_, slot) in &self.slots {
            let mut state = slot.lock();
            state.gone = true;
            state.more = false;
            state.end.get_or_insert(Err(handfast_core::error::ReadError::Gone));
            wakers.extend(state.reader.take());
            wakers.extend(state.writer.take());
        }
        for (_, promise) in self.dials.drain(..) {
            wakers.extend(promise.keep(Err(DialError::Stopped)));
        }
        for (_, promise) in self.pairings.drain(..) {
            wakers.extend(promise.keep(Err(None)));
        }
        for (_, promise) in self.marks.drain(..) {
            wakers.extend(promise.keep(false));
        }
        if let Some(promise) = self.start.promise.take() {
            wakers.extend(promise.keep(Err(StartError::Stopped)));
        }
        self.conns.end_all(wakers);
        self.alarms.stopped(wakers);
        for listener in self.listeners.drain(..) {
            wakers.extend(listener.upgrade().and_then(|queue| queue.close()));
        }
        self.browsers.stopped(wakers);
        wakers.extend(self.hooks.as_ref().and_then(|hooks| hooks.close()));
        wakers.extend(self.store.close());
        wakers.extend(self.lookups.close());
        self.accepters.wake(wakers);
    }
}

/// What is answered where there is no manager.
fn default_answer(call: Call) -> Option<Answer> {
    match call {
        Call::PairingRequest(token, _) => {
            Some(Answer::PairingRequest(token, handfast_core::ask::PairingReply::Reject))
        }
        Call::Admit(token, _) => Some(Answer::Admit(token, Permission::Granted)),
        Call::Confirm(token, _) => Some(Answer::Confirm(token, Permission::Refused)),
        Call::Paired(token, _) => Some(Answer::Paired(token, Ok::<(), HookFailed>(()))),
        Call::Rollback(token, _) => Some(Answer::Rollback(token, Ok(()))),
        Call::Event(_) | Call::Stream(_) => None,
    }
}
