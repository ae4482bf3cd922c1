//! The loop: receives, turns the machine, sends, waits. Once for every driver and every machine.
//!
//! Decides nothing of what the machine decides, and fires wakers only once the lock is released.

use crate::clock;
use crate::machine::{Attendant, Machine};
use crate::runtime::{Runtime, Timer};
use crate::shared::{Life, Locked, Shared};
use crate::sleep::Sleep;
use crate::socket::{Bound, Inbound, Polled, TURN};
use handfast_core::{Now, Output, Received, SocketId, SocketSpec, Transmit};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long a node that was stopped may take to deliver what was finished and to say goodbye.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Receives of one socket in a turn.
const RECEIVES: usize = 2;

/// How often the loop lets others run first while they keep poking it: what they write then leaves in one
/// batch.
const MAX_YIELDS: u8 = 4;

/// While a socket has no room, the machine is looked after so often at most: what it waits for may be a datagram
/// that it cannot be asked for.
const HELD_PAUSE: Duration = Duration::from_millis(10);

/// The loop of one machine.
pub(crate) struct Shell<R: Runtime, M: Machine, A: Attendant<M>> {
    runtime: R,
    shared: Arc<Shared<M, A>>,
    sockets: Vec<Bound<R>>,
    inbound: Inbound,
    received: Vec<Received>,
    /// The bytes of one transmit.
    out: Vec<u8>,
    /// A transmit in `out` that found no room, and how far it came.
    held: Option<(Transmit, usize)>,
    wakers: Vec<Waker>,
    timer: R::Timer,
    /// What the timer is armed for, which may be earlier than need be.
    armed: Option<Instant>,
    /// What the machine waits for.
    deadline: Option<Instant>,
    /// What the attendant waits for.
    alarm: Option<Instant>,
    /// When the loop ends at the latest, once it was told to.
    last_call: Option<Instant>,
    yields: u8,
    seen_posts: u32,
    linger: Duration,
    busy_until: Option<Instant>,
    sleep: Sleep,
}

/// What a turn came to.
enum Turned {
    /// There is more to do.
    Busy,
    /// Whatever comes next wakes the task.
    Idle,
    Over,
}

impl<R: Runtime, M: Machine, A: Attendant<M>> Shell<R, M, A> {
    pub(crate) fn new(runtime: R, shared: Arc<Shared<M, A>>, linger: Duration) -> Self {
        let timer = runtime.timer();
        Self {
            runtime,
            shared,
            sockets: Vec::new(),
            inbound: Inbound::new(),
            received: Vec::new(),
            out: Vec::new(),
            held: None,
            wakers: Vec::new(),
            timer,
            armed: None,
            deadline: None,
            alarm: None,
            last_call: None,
            yields: 0,
            seen_posts: 0,
            linger,
            busy_until: None,
            sleep: Sleep::new(clock::now()),
        }
    }

    /// Runs until the machine was stopped and is drained.
    pub(crate) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.gathers() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let turned = self.turn(cx);
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
        match turned {
            Turned::Over => return Poll::Ready(()),
            Turned::Busy => cx.waker().wake_by_ref(),
            Turned::Idle => {
                // In this order: a poke in between is either seen here or wakes the task.
                self.shared.set_driver(cx.waker());
                if self.shared.is_poked() || self.lingers() {
                    cx.waker().wake_by_ref();
                }
            }
        }
        Poll::Pending
    }

    /// Whether to let others run first: somebody pokes, and may not be the last.
    fn gathers(&mut self) -> bool {
        let posts = self.shared.posts();
        if posts != self.seen_posts && self.yields < MAX_YIELDS && self.shared.is_poked() {
            self.seen_posts = posts;
            self.yields += 1;
            return true;
        }
        self.yields = 0;
        self.seen_posts = posts;
        false
    }

    fn lingers(&self) -> bool {
        self.busy_until.is_some_and(|until| Instant::now() < until)
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Turned {
        self.shared.begin_turn();
        let (mut busy, failed) = self.receive(cx);
        busy |= self.resume(cx);

        let shared = Arc::clone(&self.shared);
        let mut locked = shared.lock();
        let now = clock::now();
        if busy && !self.linger.is_zero() {
            self.busy_until = Some(now.mono + self.linger);
        }
        if let Some(slept) = self.sleep.since_last(now) {
            locked.machine.handle_wake(now, slept);
        }
        for (id, kind) in failed {
            locked.machine.handle_socket(now, id, Err(kind));
        }
        for received in self.received.drain(..) {
            locked.machine.handle_datagram(now, received);
        }
        if self.deadline.is_some_and(|at| at <= now.mono) {
            self.deadline = None;
            locked.machine.handle_timeout(now);
        }
        locked.desk.handle_timeout(now.mono, &mut self.wakers);
        if locked.life == Life::Stopping && self.last_call.is_none() {
            self.last_call = Some(now.mono + SHUTDOWN_LIMIT);
            locked.machine.shutdown(now);
        }
        busy |= self.outputs(cx, &mut locked, now);
        self.alarm = locked.desk.deadline();
        let over = self
            .last_call
            .is_some_and(|at| at <= now.mono || (locked.machine.is_drained() && self.held.is_none()));
        drop(locked);
        if over {
            return Turned::Over;
        }
        busy |= self.poll_timer(cx, now.mono);
        if busy { Turned::Busy } else { Turned::Idle }
    }

    /// Receives about a turn's worth. True if more may wait.
    fn receive(&mut self, cx: &mut Context<'_>) -> (bool, Vec<(SocketId, std::io::ErrorKind)>) {
        let (mut busy, mut failed, mut datagrams) = (false, Vec::new(), 0);
        for socket in &mut self.sockets {
            for _ in 0..RECEIVES {
                if datagrams >= TURN {
                    break;
                }
                match socket.poll_recv(cx, &mut self.inbound, &mut self.received) {
                    Polled::Got { datagrams: more, full } => {
                        busy = true;
                        datagrams += more;
                        if !full {
                            break;
                        }
                    }
                    Polled::Nothing => break,
                    Polled::Failed(kind) => {
                        failed.push((socket.id, kind));
                        break;
                    }
                }
            }
        }
        // Nobody is last in line every time.
        if datagrams >= TURN && self.sockets.len() > 1 {
            self.sockets.rotate_left(1);
        }
        self.sockets.retain(|socket| !failed.iter().any(|(id, _)| *id == socket.id));
        (busy, failed)
    }

    /// Goes on with a transmit that found no room. True if it is done.
    fn resume(&mut self, cx: &mut Context<'_>) -> bool {
        let Some((transmit, from)) = self.held.take() else { return false };
        self.send(cx, transmit, from);
        self.held.is_none()
    }

    fn send(&mut self, cx: &mut Context<'_>, transmit: Transmit, from: usize) {
        let Some(socket) = self.sockets.iter().find(|socket| socket.id == transmit.socket) else { return };
        let sent = socket.send(cx, &transmit, &self.out, from);
        if sent < self.out.len() {
            self.held = Some((transmit, sent));
        }
    }

    /// Serves outputs until the machine waits. True if it has more to do. Once a datagram finds no room, no other
    /// one is asked for, and the application hears on.
    fn outputs(&mut self, cx: &mut Context<'_>, locked: &mut Locked<M, A>, now: Now) -> bool {
        let mut unheard = false;
        loop {
            let output = match self.held {
                None => locked.machine.poll_output(now, &mut self.out),
                Some(_) => locked.machine.poll_local(now),
            };
            match output {
                Output::Open(id, spec) => {
                    self.open(locked, now, id, spec);
                    // A socket wakes nobody before it was polled.
                    unheard = true;
                }
                Output::Close(id) => {
                    self.sockets.retain(|socket| socket.id != id);
                }
                Output::Transmit(transmit) => self.send(cx, transmit, 0),
                Output::Event(event) => locked.desk.event(&mut locked.machine, event, &mut self.wakers),
                Output::Ready(ready) => locked.desk.ready(&mut locked.machine, ready, &mut self.wakers),
                Output::Ask(ask) => locked.desk.ask(ask, &mut self.wakers),
                Output::Yield => return true,
                Output::Wait(deadline) => {
                    let first = self.held.as_ref().map_or(now.mono, |_| now.mono + HELD_PAUSE);
                    self.deadline = deadline.map(|deadline| deadline.at.max(first));
                    if !locked.desk.idle(&mut locked.machine, now, &mut self.wakers) {
                        return unheard;
                    }
                }
            }
        }
    }

    fn open(&mut self, locked: &mut Locked<M, A>, now: Now, id: SocketId, spec: SocketSpec) {
        let result = match Bound::open(&self.runtime, id, &spec) {
            Ok((socket, opened)) => {
                self.sockets.push(socket);
                Ok(opened)
            }
            Err(error) => {
                tracing::info!(%error, ?spec, "a socket could not be opened");
                Err(error.kind())
            }
        };
        locked.machine.handle_socket(now, id, result);
    }

    /// Sees to it that the timer wakes the task in time. True if the time has come.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(at) = self.deadline.into_iter().chain(self.alarm).chain(self.last_call).min() else {
            return false;
        };
        if at <= now {
            return true;
        }
        // Deadlines mostly move on: a timer that fires early costs less than to arm it every turn.
        if self.armed.is_none_or(|armed| at < armed) {
            self.timer.arm(at);
            self.armed = Some(at);
        }
        let fired = self.timer.poll(cx).is_ready();
        if fired {
            self.armed = None;
        }
        fired
    }
}

impl<R: Runtime, M: Machine, A: Attendant<M>> Drop for Shell<R, M, A> {
    /// However the loop ends, also with its runtime, nobody waits any longer.
    fn drop(&mut self) {
        self.sockets.clear();
        let mut locked = self.shared.lock();
        locked.life = Life::Stopped;
        let mut wakers = Vec::new();
        locked.enders.wake(&mut wakers);
        locked.desk.stopped(&mut wakers);
        drop(locked);
        for waker in wakers {
            waker.wake();
        }
    }
}
