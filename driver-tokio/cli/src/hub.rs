//! A running node, and what its commands share: who receives the streams that peers open, and who is asked
//! what the node wants to know.
//!
//! Never knows where a command's user is.

use crate::exit::{Failure, Kind};
use crate::home::Home;
use crate::lock::Lock;
use crate::node;
use crate::output::{Event, Output};
use crate::peer::Paired;
use crate::servers::{self, Place};
use crate::work::{Asking, Options};
use handfast_core::{Consent, DiscoveredPeer, PairingId, PeerId};
use handfast_tokio::{ConfirmPrompt, Events, Incoming, Node, P2PManager, PairingPrompt, Runtime, StartError};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// A shutdown that takes longer is not waited for: the operating system closes the rest.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(5);

/// Streams that wait for a command to take them. More are refused.
const STREAMS_WAITING: usize = 256;

/// A running node and what belongs to it.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) node: Node,
    pub(crate) options: Options,
    /// Discovery servers, as they are configured.
    pub(crate) servers: Vec<Place>,
    desk: Arc<Desk>,
    is_open: AtomicBool,
    _lock: Lock,
}

/// What the node asks of its user.
#[derive(Debug)]
pub(crate) enum Prompt {
    /// A peer shows a code: what is it?
    Code(PairingPrompt),
    /// The code was right: is this the device that is meant?
    Confirm(ConfirmPrompt),
}

impl Hub {
    /// Starts a node in an open home. With consent given nobody is asked whether to pair: a right code is enough.
    pub(crate) async fn start(options: Options, consent: Consent, home: Home) -> Result<Arc<Self>, Failure> {
        let Home { store, lock } = home;
        let identity = store.identity();
        let desk = Arc::new(Desk::default());
        let servers = servers::look_up(&options).await?;
        let config = node::config(&options, &servers)?.with_confirmation(consent);
        let node = Node::builder(config, identity)
            .with_store(store)
            .with_manager(Prompter(Arc::clone(&desk)))
            .start()
            .await
            .map_err(|error| start_failure(&error))?;
        Ok(Arc::new(Self { node, options, servers, desk, is_open: AtomicBool::new(false), _lock: lock }))
    }

    /// A place at the node for one command.
    pub(crate) fn session(self: &Arc<Self>, asking: Asking, addr: Option<String>) -> Session {
        let (prompter, prompts) = mpsc::channel(1);
        let asker = Asker { prompter, asking, role: Role::Bystander };
        let number = self.desk.lock().askers.add(asker);
        let events = self.node.events();
        Session { hub: Arc::clone(self), prompts, events: Some(events), asking, addr, number }
    }

    /// The paired devices, by name.
    pub(crate) fn paired(&self) -> Vec<Paired> {
        let peers = self.node.peers();
        let mut paired: Vec<_> =
            peers.iter().filter_map(|peer| peer.paired.as_ref()).map(Paired::from).collect();
        paired.sort_by(|a, b| (&a.name, a.id()).cmp(&(&b.name, b.id())));
        paired
    }

    /// Says goodbye.
    pub(crate) async fn shutdown(&self) {
        // What is not said by then is not waited for: peers find out by their own timeouts.
        let _ = tokio::time::timeout(SHUTDOWN_WITHIN, self.node.shutdown()).await;
    }

    /// From here on peers may open streams: whoever is to receive them has said so.
    fn open(self: &Arc<Self>) {
        if self.is_open.swap(true, Ordering::Relaxed) {
            return;
        }
        let (node, desk) = (self.node.clone(), Arc::clone(&self.desk));
        tokio::spawn(async move {
            while let Some(stream) = node.accept().await {
                desk.deliver(stream);
            }
        });
    }
}

/// What the commands of a node share. One lock, held for no longer than a look.
#[derive(Debug, Default)]
struct Desk(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    askers: Numbered<Asker>,
    receivers: Numbered<Receiver>,
}

/// Things under numbers that are never used again, in their order.
#[derive(Debug)]
struct Numbered<T> {
    next: u64,
    things: Vec<(u64, T)>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { next: 0, things: Vec::new() }
    }
}

impl<T> Numbered<T> {
    fn add(&mut self, thing: T) -> u64 {
        self.next += 1;
        self.things.push((self.next, thing));
        self.next
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.things.iter_mut().find(|(n, _)| *n == number).map(|(_, thing)| thing)
    }

    fn remove(&mut self, number: u64) {
        self.things.retain(|(n, _)| *n != number);
    }

    /// The last one that fits.
    fn last(&self, fits: impl Fn(&T) -> bool) -> Option<&T> {
        self.things.iter().rev().map(|(_, thing)| thing).find(|thing| fits(thing))
    }
}

/// A command that may be asked.
#[derive(Debug)]
struct Asker {
    prompter: mpsc::Sender<Prompt>,
    asking: Asking,
    role: Role,
}

/// What a command has to do with pairing.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    /// Nothing: it does not look at questions.
    Bystander,
    /// It runs until it is interrupted, and puts questions to its user meanwhile.
    Host,
    /// It pairs. Which pairing that is, is known where it shows a code.
    Pairing(Option<PairingId>),
}

/// A command that receives.
#[derive(Debug)]
struct Receiver {
    from: Option<PeerId>,
    streams: mpsc::Sender<Incoming>,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a stream to the command that receives of this peer alone, else to one that receives of all, else to
    /// one that will say whom it receives of. A peer that waited for an answer would wait for ever.
    fn deliver(&self, stream: Incoming) {
        let peer = stream.peer();
        let places = self.lock();
        let receiver = places
            .receivers
            .last(|receiver| receiver.from == Some(peer))
            .or_else(|| places.receivers.last(|receiver| receiver.from.is_none()))
            .or_else(|| places.receivers.last(|_| true));
        let streams = receiver.map(|receiver| receiver.streams.clone());
        drop(places);
        match streams {
            Some(streams) => {
                if let Err(refused) = streams.try_send(stream) {
                    refused.into_inner().refuse();
                }
            }
            None => stream.refuse(),
        }
    }
}

/// Hands prompts to the command whose user knows. One that finds no room is dropped, which refuses.
struct Prompter(Arc<Desk>);

impl P2PManager<Runtime> for Prompter {
    fn peer_pairing_request(&self, prompt: PairingPrompt) {
        let places = self.0.lock();
        let asker = places
            .askers
            .last(|asker| asker.role == Role::Host && asker.asking != Asking::Nothing)
            .or_else(|| places.askers.last(|asker| asker.role == Role::Host));
        if let Some(asker) = asker {
            let _ = asker.prompter.try_send(Prompt::Code(prompt));
        }
    }

    fn peer_confirmation(&self, prompt: ConfirmPrompt) {
        let pairing = prompt.confirmation().pairing;
        let places = self.0.lock();
        let asker = places
            .askers
            .last(|asker| asker.role == Role::Pairing(Some(pairing)))
            .or_else(|| places.askers.last(|asker| asker.role == Role::Pairing(None)))
            .or_else(|| places.askers.last(|asker| asker.role == Role::Host));
        if let Some(asker) = asker {
            let _ = asker.prompter.try_send(Prompt::Confirm(prompt));
        }
    }
}

/// One command's place at the node. Whoever drops it is asked nothing more, and receives nothing.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) hub: Arc<Hub>,
    /// Questions for the user. One waits; further ones are refused.
    pub(crate) prompts: mpsc::Receiver<Prompt>,
    pub(crate) asking: Asking,
    events: Option<Events>,
    addr: Option<String>,
    number: u64,
}

/// The streams that peers open, for one command.
#[derive(Debug)]
pub(crate) struct Streams {
    hub: Arc<Hub>,
    streams: mpsc::Receiver<Incoming>,
    number: u64,
}

impl Streams {
    /// The next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Incoming> {
        self.streams.recv().await
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.hub.desk.lock().receivers.remove(self.number);
        while let Ok(stream) = self.streams.try_recv() {
            stream.refuse();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.hub.desk.lock().askers.remove(self.number);
    }
}

impl Session {
    pub(crate) fn node(&self) -> &Node {
        &self.hub.node
    }

    /// The events since this command's start. The first caller gets them.
    pub(crate) fn events(&mut self) -> Events {
        self.events.take().unwrap_or_else(|| self.hub.node.events())
    }

    /// Receives what peers send; only from that one, if one is named. Others are given to this command too, where
    /// no other one receives of them: to be refused with a reason.
    pub(crate) fn receive(&self, from: Option<PeerId>) -> Streams {
        let (sender, streams) = mpsc::channel(STREAMS_WAITING);
        let number = self.hub.desk.lock().receivers.add(Receiver { from, streams: sender });
        self.hub.open();
        Streams { hub: Arc::clone(&self.hub), streams, number }
    }

    /// Receives nothing.
    pub(crate) fn receive_nothing(&self) {
        self.hub.open();
    }

    /// Looks at questions as long as it runs.
    pub(crate) fn ask_for_all(&self) {
        self.set_role(Role::Host);
    }

    /// Pairs: in this pairing, where that is known.
    pub(crate) fn ask_for(&self, pairing: Option<PairingId>) {
        self.set_role(Role::Pairing(pairing));
    }

    fn set_role(&self, role: Role) {
        if let Some(asker) = self.hub.desk.lock().askers.get_mut(self.number) {
            asker.role = role;
        }
    }

    /// Tells where this device can be reached.
    pub(crate) fn tell_listening(&self, output: &Output) {
        let node = self.node();
        output.tell(&Event::Listening {
            peer: node.id().to_string(),
            label: node.public_key().fingerprint().label(),
            name: self.hub.options.shown_name(),
            addresses: node.local_addresses().iter().map(SocketAddr::to_string).collect(),
        });
    }

    /// Where the user says that the other device is.
    pub(crate) async fn given_addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let Some(text) = &self.addr else { return Ok(Vec::new()) };
        let found = tokio::net::lookup_host(text).await;
        let found = found.map_err(|error| Kind::Usage.because(format_args!("--addr {text}: {error}")))?;
        Ok(found.collect())
    }

    /// Devices that discovery sees at this moment.
    pub(crate) fn discovered(&self) -> Vec<DiscoveredPeer> {
        self.node().peers().into_iter().filter_map(|peer| peer.discovered).collect()
    }

    /// What a paired device is called.
    pub(crate) fn name_of(&self, peer: PeerId) -> String {
        let paired = self.hub.paired();
        let paired = paired.iter().find(|paired| paired.key.is_named(&peer));
        paired.map_or_else(|| peer.to_string(), Paired::shown_name)
    }
}

fn start_failure(error: &StartError) -> Failure {
    match error {
        StartError::Node(error) => Kind::Usage.because(error),
        StartError::Store(error) => crate::home::store_failure(error),
        other => Kind::Internal.because(other),
    }
}
