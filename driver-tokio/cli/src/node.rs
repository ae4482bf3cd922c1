//! Starts a node as the command line says, and what several commands do with one.

use crate::args::Global;
use crate::exit::{Failure, Kind};
use crate::home::Home;
use crate::lock::Lock;
use crate::output::{Event, Found, Output};
use handfast_core::{
    Config, Consent, DiscoveredPeer, Interfaces, Metadata, PairedPeer, PeerId, PeerIdKind, Source,
};
use handfast_tokio::{ConfirmPrompt, Events, Node, P2PManager, PairingPrompt, Runtime, StartError};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a connection lasts with keep-alives lost: so many intervals of them.
const KEEP_ALIVES_A_TIMEOUT: u32 = 3;

/// One file is one stream: what may be under way of it, in bytes, while one side waits for the other or for
/// its disk.
const STREAM_WINDOW: u32 = 4 << 20;

/// A shutdown that takes longer is not waited for: the operating system closes the rest.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(5);

/// A running node and what belongs to it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) node: Node,
    /// Questions for the user. One waits; further ones are refused.
    pub(crate) prompts: mpsc::Receiver<Prompt>,
    events: Option<Events>,
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

impl Session {
    /// Starts a node in an open home.
    pub(crate) async fn start(global: &Global, consent: Consent, home: Home) -> Result<Self, Failure> {
        let Home { store, lock } = home;
        let identity = store.identity();
        let (prompter, prompts) = mpsc::channel(1);
        let node = Node::builder(config(global)?.with_confirmation(consent), identity)
            .with_store(store)
            .with_manager(Prompter(prompter))
            .start()
            .await
            .map_err(|error| start_failure(&error))?;
        let events = Some(node.events());
        Ok(Self { node, prompts, events, _lock: lock })
    }

    /// The events since the start. The first caller gets them.
    pub(crate) fn events(&mut self) -> Events {
        self.events.take().unwrap_or_else(|| self.node.events())
    }

    /// Says goodbye.
    pub(crate) async fn shutdown(self) {
        // What is not said by then is not waited for: peers find out by their own timeouts.
        let _ = tokio::time::timeout(SHUTDOWN_WITHIN, self.node.shutdown()).await;
    }

    /// Tells where this device can be reached.
    pub(crate) fn tell_listening(&self, output: &Output, global: &Global) {
        output.tell(&Event::Listening {
            peer: self.node.id().to_string(),
            label: self.node.public_key().fingerprint().label(),
            name: name(global),
            addresses: self.node.local_addresses().iter().map(SocketAddr::to_string).collect(),
        });
    }

    /// Devices that discovery sees at this moment.
    pub(crate) fn discovered(&self) -> Vec<DiscoveredPeer> {
        self.node.peers().into_iter().filter_map(|peer| peer.discovered).collect()
    }

    /// What a paired device is called.
    pub(crate) fn name_of(&self, peer: PeerId) -> String {
        let peers = self.node.peers();
        let paired = peers.iter().filter_map(|p| p.paired.as_ref()).find(|p| p.key.is_named(&peer));
        paired
            .map(|p| p.metadata.name.clone())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| peer.to_string())
    }

    /// Refuses every stream that a peer opens, as long as the node runs: for commands that receive nothing. A
    /// peer that waits for an answer would wait for ever.
    pub(crate) fn refuse_streams(&self) {
        let node = self.node.clone();
        tokio::spawn(async move {
            while let Some(stream) = node.accept().await {
                stream.refuse();
            }
        });
    }
}

/// Hands prompts to the command that can ask the user.
struct Prompter(mpsc::Sender<Prompt>);

impl P2PManager<Runtime> for Prompter {
    fn peer_pairing_request(&self, prompt: PairingPrompt) {
        // One that finds no room is dropped, which refuses.
        let _ = self.0.try_send(Prompt::Code(prompt));
    }

    fn peer_confirmation(&self, prompt: ConfirmPrompt) {
        let _ = self.0.try_send(Prompt::Confirm(prompt));
    }
}

/// Whether the user is asked before each pairing. Where there is none to ask, the code was his consent.
pub(crate) fn consent(global: &Global, output: &Output) -> Consent {
    if output.can_ask() && !global.yes { Consent::Asked } else { Consent::Given }
}

/// The node's configuration.
pub(crate) fn config(global: &Global) -> Result<Config, Failure> {
    let metadata =
        Metadata::named(name(global)).with_os(std::env::consts::OS).with_version(env!("CARGO_PKG_VERSION"));
    let mut config = Config::new(global.app.clone()).with_metadata(metadata).with_port(global.port);
    config.stream_window = STREAM_WINDOW;
    if !global.interface.is_empty() {
        check_interfaces(&global.interface)?;
        config = config.with_interfaces(Interfaces::only(global.interface.clone()));
    }
    if let Some(timeout) = global.idle_timeout {
        config = config.with_idle(timeout, timeout / KEEP_ALIVES_A_TIMEOUT);
    }
    config.check().map_err(|error| Kind::Usage.because(error))?;
    Ok(config)
}

/// A name that no interface has is a typing error.
fn check_interfaces(names: &[String]) -> Result<(), Failure> {
    let mut known: Vec<_> = list_interfaces()?.into_iter().map(|interface| interface.name).collect();
    known.sort();
    known.dedup();
    match names.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let known = known.join(", ");
            Err(Kind::Usage
                .because(format_args!("no network interface `{name}` with an address; there are: {known}")))
        }
    }
}

/// The interface that reaches this host alone.
pub(crate) fn loopback() -> Result<String, Failure> {
    let list = list_interfaces()?;
    let loopback = list.into_iter().find(if_addrs::Interface::is_loopback);
    loopback
        .map(|interface| interface.name)
        .ok_or_else(|| Kind::Internal.because("there is no loopback interface"))
}

fn list_interfaces() -> Result<Vec<if_addrs::Interface>, Failure> {
    if_addrs::get_if_addrs()
        .map_err(|error| Kind::Internal.because(format_args!("cannot list the network interfaces: {error}")))
}

/// What other devices call this one: as much as fits.
pub(crate) fn name(global: &Global) -> String {
    let name = global.name.clone().unwrap_or_else(host_name);
    name[..name.floor_char_boundary(Metadata::MAX_NAME)].to_owned()
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| std::env::consts::OS.to_owned())
}

/// Where `--addr` says that the other device is.
pub(crate) async fn given_addresses(global: &Global) -> Result<Vec<SocketAddr>, Failure> {
    let Some(text) = &global.addr else { return Ok(Vec::new()) };
    let found = tokio::net::lookup_host(text).await;
    let found = found.map_err(|error| Kind::Usage.because(format_args!("--addr {text}: {error}")))?;
    Ok(found.collect())
}

fn start_failure(error: &StartError) -> Failure {
    match error {
        StartError::Node(error) => Kind::Usage.because(error),
        StartError::Store(error) => crate::home::store_failure(error),
        other => Kind::Internal.because(other),
    }
}

/// A device as discovery sees it.
pub(crate) fn found(peer: &DiscoveredPeer) -> Found {
    Found {
        peer: peer.id.to_string(),
        name: peer.name.clone(),
        addresses: peer.addresses.iter().map(|known| known.address.to_string()).collect(),
        source: peer.addresses.first().map_or("mdns", |known| source(&known.source)),
        paired: peer.paired,
        pairing: peer.pairing,
    }
}

fn source(source: &Source) -> &'static str {
    match source {
        Source::Mdns { .. } => "mdns",
        Source::Manual => "manual",
        Source::Remembered => "remembered",
        _ => "other",
    }
}

/// A device that was paired.
pub(crate) fn paired(peer: &PairedPeer) -> Event {
    Event::Paired {
        peer: peer.key.peer_id(PeerIdKind::Sha1).to_string(),
        label: peer.key.fingerprint().label(),
        name: peer.metadata.name.clone(),
    }
}
