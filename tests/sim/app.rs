//! The application that runs on a simulated host.
//!
//! Implement [`App`] for a state machine of your own to simulate your application: it is told what its node
//! says, may use the node at once, and sets timers in virtual time.
//!
//! ```
//! use handfast_core::{Config, ServiceName};
//! use handfast_tests::app::{App, Context};
//! use handfast_tests::paired::identity;
//! use handfast_tests::world::World;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! /// Looks around once a minute.
//! #[derive(Default)]
//! struct Lookout {
//!     most: usize,
//! }
//!
//! impl App for Lookout {
//!     fn started(&mut self, cx: &mut Context<'_>) {
//!         cx.set_timer(Duration::from_secs(60), 0);
//!     }
//!
//!     fn timer(&mut self, cx: &mut Context<'_>, _: u64) {
//!         self.most = self.most.max(cx.node.peers().discovered().len());
//!         cx.tell(format_args!("sees at most {}", self.most));
//!         cx.set_timer(Duration::from_secs(60), 0);
//!     }
//! }
//!
//! let mut world = World::<Lookout>::seeded(7);
//! let config = Config::new(ServiceName::new("chat").unwrap());
//! let hosts = [1, 2, 3].map(|number| {
//!     world.add_with(config.clone(), Arc::new(identity(number)), vec![], Lookout::default())
//! });
//! world.run_for(Duration::from_secs(61));
//! assert!(hosts.iter().all(|host| world[*host].app.most == 2));
//! ```

use handfast_core::ask::{
    AdmitToken, Candidate, ConfirmToken, Confirmation, PairingRequest, PairingRequestToken,
};
use handfast_core::store::PairRecord;
use handfast_core::{Event, Node, Now, PairId, PairedPeer, Ready};
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How a hook ends that was asked to save a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hook {
    /// It succeeds.
    #[default]
    Succeed,
    /// It fails.
    Fail,
    /// It succeeds after this time, unless it is rolled back before.
    Stall(Duration),
    /// It never ends.
    Hang,
}

/// What an application may use while it is told something.
pub struct Context<'a> {
    /// Its node.
    pub node: &'a mut Node,
    /// What its host takes for the time.
    pub now: Now,
    /// What the host's store holds at this moment.
    pub records: &'a BTreeMap<PairId, PairRecord>,
    /// Randomness that follows from the world's seed.
    pub rng: &'a mut ChaCha12Rng,
    pub(crate) timers: &'a mut Vec<(Duration, u64)>,
    pub(crate) notes: &'a mut Vec<String>,
}

impl Context<'_> {
    /// Calls [`App::timer`] with `key` after this time, unless the node crashes before. It stands still while the
    /// host sleeps.
    pub fn set_timer(&mut self, after: Duration, key: u64) {
        self.timers.push((after, key));
    }

    /// Dials every paired peer that is not connected, wherever discovery saw it. Whether that comes to anything,
    /// events tell; who is being dialled already is not dialled again.
    pub fn connect_all(&mut self) {
        let connected = self.node.peers().connected();
        for peer in self.node.peers().paired() {
            if !connected.iter().any(|there| there.key == peer.key) {
                // Who was not found yet has no address: the next call may know one.
                let _ = self.node.connect(self.now, peer.id);
            }
        }
    }

    /// Adds a line to the world's story.
    pub fn tell(&mut self, what: fmt::Arguments<'_>) {
        self.notes.push(what.to_string());
    }
}

/// An application on top of a node. What it holds is durable: it outlives the crashes of its node, and forgets in
/// [`App::crashed`] what its host keeps in memory alone.
///
/// Whatever it does with its node takes effect once the call returns. Every method may be left out: an application
/// that has nothing to say to something does nothing about it.
///
/// A panic in [`App::paired`] is taken as the drivers take it: the hook failed. Any other panic ends the
/// simulation.
pub trait App {
    /// Its node began, for the first time or again.
    fn started(&mut self, _cx: &mut Context<'_>) {}
    /// Its node is gone without a word: connections, streams and timers with it.
    fn crashed(&mut self) {}
    /// Something happened.
    fn event(&mut self, _cx: &mut Context<'_>, _event: Event) {}
    /// A stream moved.
    fn ready(&mut self, _cx: &mut Context<'_>, _ready: Ready) {}
    /// A peer that shows a code wants to be joined. Answer with [`Node::answer`], now or later; who never does lets
    /// it time out.
    fn request(&mut self, _cx: &mut Context<'_>, _token: PairingRequestToken, _request: PairingRequest) {}
    /// A key connected, and its node was told to ask about it. Answered as [`App::request`].
    fn admit(&mut self, _cx: &mut Context<'_>, _token: AdmitToken, _candidate: Candidate) {}
    /// Both sides proved the code, and its node was told to ask about that. Answered as [`App::request`].
    fn confirm(&mut self, _cx: &mut Context<'_>, _token: ConfirmToken, _confirmation: Confirmation) {}
    /// Save this peer. How that ends is the answer.
    fn paired(&mut self, _cx: &mut Context<'_>, _peer: &PairedPeer) -> Hook {
        Hook::Succeed
    }
    /// Undo that, if it had any effect.
    fn rollback(&mut self, _cx: &mut Context<'_>, _pair_id: PairId) {}
    /// A timer of its own is due.
    fn timer(&mut self, _cx: &mut Context<'_>, _key: u64) {}
}

/// An application that does nothing by itself and remembers everything.
#[derive(Debug, Default)]
pub struct Recorder {
    /// How its hooks end.
    pub hooks: Hook,
    /// Whether its hooks panic.
    pub hooks_panic: bool,
    /// What was told, in order.
    pub events: Vec<Event>,
    /// What streams became ready for, in order.
    pub ready: Vec<Ready>,
    /// Requests that wait for an answer.
    pub requests: Vec<(PairingRequestToken, PairingRequest)>,
    /// Connections that wait for its word.
    pub candidates: Vec<(AdmitToken, Candidate)>,
    /// Pairings that wait for its user's word.
    pub confirmations: Vec<(ConfirmToken, Confirmation)>,
    /// Peers that it saved and did not undo.
    pub saved: Vec<PairId>,
}

impl App for Recorder {
    fn event(&mut self, _: &mut Context<'_>, event: Event) {
        self.events.push(event);
    }

    fn ready(&mut self, _: &mut Context<'_>, ready: Ready) {
        self.ready.push(ready);
    }

    fn request(&mut self, _: &mut Context<'_>, token: PairingRequestToken, request: PairingRequest) {
        self.requests.push((token, request));
    }

    fn admit(&mut self, _: &mut Context<'_>, token: AdmitToken, candidate: Candidate) {
        self.candidates.push((token, candidate));
    }

    fn confirm(&mut self, _: &mut Context<'_>, token: ConfirmToken, confirmation: Confirmation) {
        self.confirmations.push((token, confirmation));
    }

    fn paired(&mut self, _: &mut Context<'_>, peer: &PairedPeer) -> Hook {
        if self.hooks_panic {
            // Without the panic hook, whose words would only confuse who reads a test's output.
            std::panic::resume_unwind(Box::new("the application's hook panics"));
        }
        if matches!(self.hooks, Hook::Succeed | Hook::Stall(_)) {
            self.saved.push(peer.pair_id);
        }
        self.hooks
    }

    fn rollback(&mut self, _: &mut Context<'_>, pair_id: PairId) {
        self.saved.retain(|saved| *saved != pair_id);
    }
}
