//! Runs a manager's hooks: one task, one hook at a time, in order, with no lock held.
//!
//! The two hooks that return futures run beside the others; a rollback first drops the future that it
//! undoes.

use crate::connection::Connection;
use crate::desk::{Call, NodeHandle, NodeShared};
use crate::incoming::Incoming;
use crate::manager::{HookFuture, P2PManager};
use crate::pairing::{ConfirmPrompt, PairingPrompt};
use crate::queue::Queue;
use crate::runtime::Runtime;
use crate::shared::Handle;
use handfast_core::ask::{PairedToken, Permission, RollbackToken};
use handfast_core::error::HookFailed;
use handfast_core::{Answer, ConnId, Event, PairId};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

/// An asynchronous hook that runs.
struct Running<'a> {
    pairing: PairId,
    future: HookFuture<'a>,
    /// Spent when the future is done.
    token: Option<Token>,
}

enum Token {
    Paired(PairedToken),
    Rollback(RollbackToken),
}

impl Token {
    fn answer(self, result: Result<(), HookFailed>) -> Answer {
        match self {
            Self::Paired(token) => Answer::Paired(token, result),
            Self::Rollback(token) => Answer::Rollback(token, result),
        }
    }
}

/// Calls hooks until the node is stopped.
pub(crate) async fn run<R: Runtime>(
    shared: Arc<NodeShared>,
    manager: Arc<dyn P2PManager<R>>,
    queue: Arc<Queue<Call>>,
) {
    let mut running: Vec<Running<'_>> = Vec::new();
    loop {
        let call = poll_fn(|cx| {
            poll_running(&shared, &mut running, cx);
            queue.poll_pop(cx)
        });
        let Some(call) = call.await else { return };
        let lagged = queue.take_lagged();
        if lagged > 0 {
            guarded(|| manager.lagged(lagged));
        }
        // The last handle is gone: the node winds down, and nobody is left to hear of it.
        let Some(handle) = Handle::another(&shared) else { return };
        serve(handle, &*manager, call, &mut running);
    }
}

fn serve<'a, R: Runtime>(
    handle: NodeHandle,
    manager: &'a dyn P2PManager<R>,
    call: Call,
    running: &mut Vec<Running<'a>>,
) {
    match call {
        Call::Event(event) => {
            let about = match &event {
                Event::PeerConnected(peer) => Some(peer.conn),
                _ => None,
            };
            if guarded(|| hook(&handle, manager, event)).is_none() {
                close(&handle, about);
            }
        }
        Call::PairingRequest(token, request) => {
            let prompt = PairingPrompt::new(handle, token, request);
            guarded(|| manager.peer_pairing_request(prompt));
        }
        Call::Admit(token, candidate) => {
            // A hook that panicked knows nothing in the peer's favour.
            let answer = match guarded(|| manager.peer_admitted(&candidate)) {
                Some(true) => Permission::Granted,
                Some(false) | None => Permission::Refused,
            };
            handle.with(|locked, now| locked.machine.answer(now, Answer::Admit(token, answer)));
        }
        Call::Confirm(token, confirmation) => {
            let prompt = ConfirmPrompt::new(handle, token, confirmation);
            guarded(|| manager.peer_confirmation(prompt));
        }
        Call::Paired(token, peer) => {
            let pairing = peer.pair_id;
            let future = guarded(|| manager.peer_paired(peer)).unwrap_or_else(failed);
            running.push(Running { pairing, future, token: Some(Token::Paired(token)) });
        }
        Call::Rollback(token, pairing) => {
            running.retain(|hook| hook.pairing != pairing);
            let future = guarded(|| manager.peer_paired_rollback(pairing)).unwrap_or_else(failed);
            running.push(Running { pairing, future, token: Some(Token::Rollback(token)) });
        }
        Call::Stream(arrival) => {
            let conn = arrival.slot.conn;
            let incoming = Incoming::new(handle.clone(), arrival);
            match guarded(|| manager.accept_stream(incoming)) {
                Some(Some(incoming)) => leave(&handle, incoming),
                Some(None) => {}
                None => close(&handle, Some(conn)),
            }
        }
    }
}

/// The manager did not want the stream: it waits for who accepts.
fn leave<R: Runtime>(handle: &NodeHandle, mut incoming: Incoming<R>) {
    if !handle.lock().desk.may_offer() {
        incoming.refuse();
        return;
    }
    let arrival = incoming.take();
    let mut wakers = Vec::new();
    handle.lock().desk.offer(arrival, &mut wakers);
    for waker in wakers {
        waker.wake();
    }
}

fn hook<R: Runtime>(handle: &NodeHandle, manager: &dyn P2PManager<R>, event: Event) {
    match event {
        Event::Listening(address) => manager.listening(address),
        Event::PeerDiscovered(peer) => manager.peer_discovered(peer),
        Event::PeerUpdated(peer) => manager.peer_updated(peer),
        Event::PeerExpired(peer) => manager.peer_expired(peer),
        Event::PeerConnected(peer) => {
            let standing = handle.lock().desk.told_of(peer.clone());
            manager.peer_connected(Connection::new(handle.clone(), standing), peer);
        }
        Event::PeerDisconnected(_, peer, reason) => manager.peer_disconnected(peer, reason),
        Event::PeerState(peer, state) => manager.peer_state(peer, state),
        Event::PeerUnpaired(key, pairing) => manager.peer_unpaired(key, pairing),
        other => manager.event(other),
    }
}

/// A hook that panicked leaves the connection it was about in a state that nobody knows.
fn close(handle: &NodeHandle, conn: Option<ConnId>) {
    if let Some(conn) = conn {
        handle.with(|locked, now| locked.machine.close(now, conn));
    }
}

/// Calls a hook; `None` if it panicked. The manager may be left inconsistent: that is its own affair, since
/// nothing of the node is touched by a hook's unwinding.
fn guarded<T>(hook: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(hook));
    if result.is_err() {
        tracing::error!("a hook of the manager panicked");
    }
    result.ok()
}

fn failed<'a>() -> HookFuture<'a> {
    Box::pin(std::future::ready(Err(())))
}

fn poll_running(shared: &NodeShared, running: &mut Vec<Running<'_>>, cx: &mut Context<'_>) {
    running.retain_mut(|hook| {
        let result = match guarded(|| hook.future.as_mut().poll(cx)) {
            Some(Poll::Pending) => return true,
            Some(Poll::Ready(result)) => result.map_err(|()| HookFailed),
            None => Err(HookFailed),
        };
        if let Some(token) = hook.token.take() {
            shared.with(|locked, now| locked.machine.answer(now, token.answer(result)));
        }
        false
    });
}
