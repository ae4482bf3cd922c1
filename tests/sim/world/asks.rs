//! What a node asks of its host: its store, and its application's hooks, with the fate of each.

use super::{Due, Place, World};
use crate::app::{App, Hook};
use crate::fabric::Host;
use crate::fault::Fault;
use crate::machine::Pending;
use crate::store::StoreFault;
use handfast_core::PairedPeer;
use handfast_core::ask::{Answer, Ask, PairedToken};
use handfast_core::error::HookFailed;
use handfast_core::store::{StoreReply, StoreRequest};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How long it takes to look up a name.
const LOOKUP: Duration = Duration::from_millis(40);

impl<A: App> World<A> {
    pub(super) fn ask(&mut self, host: Host, ask: Ask) {
        match ask {
            Ask::Store(token, request) => {
                self[host].store.queue.push_back((token, request));
                if !self[host].store.busy {
                    self.next_request(host);
                }
            }
            Ask::Directory(..) => panic!("a node never asks it"),
            Ask::Paired(token, peer) => self.ask_paired(host, token, &peer),
            Ask::Rollback(token, pair_id) => {
                // As the drivers do: the future of a late hook is dropped before it is undone.
                self[host].hooks.retain(|hook| hook.pair_id != pair_id);
                self.with_app(host, |app, cx| app.rollback(cx, pair_id));
                self.answer_after(host, Duration::ZERO, Answer::Rollback(token, Ok(())));
            }
            Ask::Resolve(token, name) => {
                self[host].looked_up += 1;
                if let Some(addresses) = self.dns.get(&name).cloned() {
                    self.answer_after(host, LOOKUP, Answer::Resolve(token, addresses));
                }
            }
            Ask::PairingRequest(token, request) => {
                self.with_app(host, |app, cx| app.request(cx, token, request));
            }
            Ask::Admit(token, candidate) => self.with_app(host, |app, cx| app.admit(cx, token, candidate)),
            Ask::Confirm(token, confirmation) => {
                self.with_app(host, |app, cx| app.confirm(cx, token, confirmation));
            }
        }
    }

    fn ask_paired(&mut self, host: Host, token: PairedToken, peer: &PairedPeer) {
        let first = self[host].asked.insert(peer.pair_id);
        assert!(first, "each question is put once: peer_paired was called again for {:?}", peer.pair_id);
        let hook =
            self.with_app(host, |app, cx| catch_unwind(AssertUnwindSafe(|| app.paired(cx, peer))).ok());
        self.sequence += 1;
        let ticket = self.sequence;
        let pair_id = peer.pair_id;
        let boots = self[host].boots;
        match hook {
            Some(Hook::Succeed) => self.answer_after(host, Duration::ZERO, Answer::Paired(token, Ok(()))),
            Some(Hook::Stall(time)) => {
                self.tally.fired(Fault::HookStalled);
                self[host].hooks.push(Pending { pair_id, token, ticket });
                self.schedule(self.now + time, Due::Hook { host, boots, ticket });
            }
            Some(Hook::Hang) => {
                self.tally.fired(Fault::HookStalled);
                self[host].hooks.push(Pending { pair_id, token, ticket });
            }
            Some(Hook::Fail) => self.hook_failed(host, token, Fault::HookFailed),
            None => self.hook_failed(host, token, Fault::HookPanicked),
        }
    }

    fn hook_failed(&mut self, host: Host, token: PairedToken, fault: Fault) {
        self.tally.fired(fault);
        self.answer_after(host, Duration::ZERO, Answer::Paired(token, Err(HookFailed)));
    }

    /// Begins to serve the store's next request: at once, unless its fate is another.
    fn next_request(&mut self, host: Host) {
        let Place::Machine(machine) = &mut self.places[host.0] else { return };
        let Some((_, request)) = machine.store.queue.front() else { return };
        let request = request.clone();
        let fate = machine.store.fate(&request, &mut self.rng);
        machine.store.busy = true;
        let boots = machine.boots;
        let after = match fate {
            None => Duration::ZERO,
            Some(StoreFault::Stall(time)) => {
                self.tally.fired(Fault::StoreStalled);
                time
            }
            Some(StoreFault::Fail) => return self.refuse(host, None),
            Some(StoreFault::FailWritten) => return self.refuse(host, Some(request)),
            Some(StoreFault::CrashBefore) => return self.crash_in_store(host, None),
            Some(StoreFault::CrashAfter) => return self.crash_in_store(host, Some(request)),
        };
        self.schedule(self.now + after, Due::Store { host, boots });
    }

    fn refuse(&mut self, host: Host, written: Option<StoreRequest>) {
        self.tally.fired(Fault::StoreFailed);
        let store = &mut self[host].store;
        if let Some(request) = written {
            store.serve(request);
        }
        store.busy = false;
        let served = store.queue.pop_front();
        let (token, _) = served.expect("a request is being served");
        self.answer_after(host, Duration::ZERO, Answer::Store(token, StoreReply::Failed));
        self.next_request(host);
    }

    fn crash_in_store(&mut self, host: Host, written: Option<StoreRequest>) {
        self.tally.fired(Fault::StoreCrashed);
        if let Some(request) = written {
            self[host].store.serve(request);
        }
        self.crash(host);
    }

    pub(super) fn serve_store(&mut self, host: Host) {
        let store = &mut self[host].store;
        store.busy = false;
        let Some((token, request)) = store.queue.pop_front() else { return };
        let reply = store.serve(request);
        self.answer(host, Answer::Store(token, reply));
        if self[host].is_up() && !self[host].store.busy {
            self.next_request(host);
        }
    }
}
