//! How a node is configured as the command line says, and how what it knows is told.

use crate::exit::{Failure, Kind};
use crate::output::{self, Event, Found};
use crate::servers::Place;
use crate::work::Options;
use handfast_core::{
    Config, DiscoveredPeer, Interfaces, KnownAddress, Metadata, PairedPeer, PeerIdKind, ServiceName, Source,
};

/// How long a connection lasts with keep-alives lost: so many intervals of them.
const KEEP_ALIVES_A_TIMEOUT: u32 = 3;

/// One file is one stream: what may be under way of it, in bytes, while one side waits for the other or for
/// its disk.
const STREAM_WINDOW: u32 = 4 << 20;

/// The node's configuration.
pub(crate) fn config(options: &Options, servers: &[Place]) -> Result<Config, Failure> {
    let app = ServiceName::new(&options.app).map_err(|error| Kind::Usage.because(error))?;
    let metadata = Metadata::named(options.shown_name())
        .with_os(std::env::consts::OS)
        .with_version(env!("CARGO_PKG_VERSION"));
    let mut config = Config::new(app).with_metadata(metadata).with_port(options.port);
    config.stream_window = STREAM_WINDOW;
    if !options.interface.is_empty() {
        check_interfaces(&options.interface)?;
        config = config.with_interfaces(Interfaces::only(options.interface.clone()));
    }
    for server in servers.iter().filter_map(Place::known) {
        config = config.with_server(server);
    }
    if let Some(timeout) = options.idle_timeout {
        config = config.with_idle(timeout, timeout / KEEP_ALIVES_A_TIMEOUT);
    }
    config.check().map_err(|error| Kind::Usage.because(error))?;
    Ok(config)
}

/// A name that no interface has is a typing error.
pub(crate) fn check_interfaces(names: &[String]) -> Result<(), Failure> {
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

/// The host's name.
#[cfg(unix)]
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The host's name.
#[cfg(not(unix))]
pub(crate) fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| std::env::consts::OS.to_owned())
}

/// A device as discovery sees it.
pub(crate) fn found(peer: &DiscoveredPeer) -> Found {
    Found {
        peer: peer.id.to_string(),
        name: peer.name.clone(),
        addresses: peer.addresses.iter().map(|known| known.address.to_string()).collect(),
        source: peer.addresses.first().map_or("mdns", |known| source(&known.source)).into(),
        places: peer.addresses.iter().map(place).collect(),
        paired: peer.paired,
        pairing: peer.pairing,
    }
}

fn place(known: &KnownAddress) -> output::Place {
    output::Place { address: known.address.to_string(), source: source(&known.source).into() }
}

fn source(source: &Source) -> &'static str {
    match source {
        Source::Mdns { .. } => "mdns",
        Source::Manual => "manual",
        Source::Remembered => "remembered",
        Source::Global => "global",
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
