//! A node as DNS-SD shows it, and the peers that DNS-SD shows: between the words of `mdns` and of `peers`.
//!
//! | TXT key | value |
//! |---|---|
//! | `txtvers` | `1` |
//! | `fp` | the key's full fingerprint |
//! | `name`, `os`, `ver` | as the metadata has them |
//! | `pair` | `1` while a pairing code is shown |
//!
//! All of it can be read and forged by everyone on the LAN. RFC 6763 §6.

use super::Node;
use super::sources::Lan;
use crate::config::Config;
use crate::error::MetadataError;
use crate::event::Event;
use crate::id::{Fingerprint, PeerId, PublicKey};
use crate::io::Now;
use crate::mdns::{self, Instance, Kind, Label, Limits, Mdns, Naming, Service, ServiceId, ServiceType};
use crate::metadata::Metadata;
use crate::peers::{Hints, Sighting};
use crate::rng::Rng;
use crate::wire::txt::{Txt, Value};
use std::sync::Arc;
use std::time::Instant;

/// The node itself: what an application publishes beside it comes after.
const OWN_SERVICE: ServiceId = ServiceId(0);

/// The version of the TXT record's keys. RFC 6763 §6.7.
const TXT_VERSION: &str = "1";

/// The keys that have a meaning here: the rest is the application's.
const OWN_KEYS: [&str; 6] = ["txtvers", "fp", "name", "os", "ver", "pair"];

/// The mDNS engine as a node's configuration wants it.
pub(super) fn engine(config: &Config, rng: Rng) -> Mdns {
    Mdns::new(Limits::from_config(config), rng)
}

/// What peers of this application publish, as what is browsed.
pub(super) fn kind(config: &Config) -> Kind {
    service_type(config).into()
}

/// What peers of this application publish.
fn service_type(config: &Config) -> ServiceType {
    ServiceType::udp(&config.service)
}

impl Node {
    /// Changes what peers are told of this node: the LAN at once, as far as [`Config::advertise`] says, at most
    /// ten times a minute; a paired peer when it is next connected. `Config::metadata` is what it begins with.
    ///
    /// # Errors
    /// The first field that is over its limit, and nothing changes.
    pub fn set_metadata(&mut self, now: Now, metadata: Metadata) -> Result<(), MetadataError> {
        metadata.check()?;
        self.clamp(now);
        self.pairing.set_metadata(metadata.clone());
        self.peers.set_metadata(metadata.clone());
        Arc::make_mut(&mut self.config).metadata = metadata;
        // What the LAN was told may be no longer so.
        self.advertised = None;
        Ok(())
    }

    /// Publishes this node, or what changed of it, once its port is known.
    pub(super) fn advertise(&mut self, now: Instant) {
        if self.shutting_down || !self.config.advertise.enabled || self.lan != Lan::On {
            return;
        }
        let Some(port) = self.sockets.quic_port() else { return };
        let pairing = self.pairing.is_hosting();
        if self.advertised != Some((port, pairing)) {
            self.advertised = Some((port, pairing));
            self.mdns.publish(now, OWN_SERVICE, service(&self.config, &self.own, port, pairing));
        }
    }

    pub(super) fn route_mdns(&mut self, now: Instant, event: mdns::Event) {
        match event {
            mdns::Event::Found(instance) | mdns::Event::Updated(instance) => {
                self.service_seen(&instance);
                self.sighted(now, &instance);
            }
            mdns::Event::Lost { interface, kind, instance } => {
                self.service_lost(interface, &kind, &instance);
                if let Some(id) = self.peer_named(&kind, &instance) {
                    self.peers.handle_unsighted(id, interface);
                }
            }
            mdns::Event::Published { service, instance } => {
                self.service_named(service, &instance, Event::ServicePublished);
            }
            mdns::Event::Renamed { service, instance } => {
                self.service_named(service, &instance, Event::ServiceRenamed);
            }
            mdns::Event::Unnamed { service } => self.service_unnamed(service),
            mdns::Event::Conflict(_) => self.tell(Event::NameConflict),
        }
    }

    /// Keeps the addresses of paired peers fresh, and asks for those that are not seen by their own names.
    pub(super) fn follow(&mut self, now: Instant, peer: &PublicKey) {
        let label = label(&peer.peer_id(self.config.peer_id));
        let kind = service_type(&self.config);
        if self.pairing.is_paired(peer) {
            self.mdns.resolve(now, &kind, &label);
        } else {
            self.mdns.stop_resolve(now, &kind, &label);
        }
    }

    /// A peer did not answer where it was announced: is it still there? RFC 6762 §10.4.
    pub(super) fn doubt(&mut self, now: Instant, id: &PeerId) {
        self.mdns.reconfirm(now, &service_type(&self.config), &label(id));
    }

    fn sighted(&mut self, now: Instant, instance: &Instance) {
        let Some(id) = self.peer_named(&instance.kind, &instance.name) else { return };
        let sighting = Sighting { addresses: instance.addresses.clone(), hints: hints(&instance.txt) };
        let print = match id {
            PeerId::Sha256(hash) => Some(Fingerprint::from_bytes(hash)),
            PeerId::Sha1(_) => sighting.hints.fingerprint,
        };
        self.peers.handle_sighted(now, id, (instance.interface, instance.source), sighting);
        if let Some(print) = print {
            self.pairing.handle_sighted(now, &print);
        }
        self.settle_with(now, &id);
    }

    /// Whoever holds a record in doubt dials its peer as soon as it is seen.
    fn settle_with(&mut self, now: Instant, id: &PeerId) {
        let named = self.pairing.unsettled().filter(|peer| peer.is_named(id));
        for peer in named.collect::<Vec<_>>() {
            self.peers.reach(now, peer);
        }
    }

    /// Which peer it is. An instance whose name is no peer id is of some other use of the same service name.
    fn peer_named(&self, kind: &Kind, name: &Label) -> Option<PeerId> {
        let id = name.as_str()?.parse().ok()?;
        (*kind == self::kind(&self.config)).then_some(id)
    }
}

/// The label of this node's host, which all of its services are on.
pub(super) fn host(node: &Node) -> Label {
    label(&node.id())
}

fn service(config: &Config, own: &PublicKey, port: u16, pairing: bool) -> Service {
    let label = label(&own.peer_id(config.peer_id));
    Service {
        kind: service_type(config),
        subtypes: Vec::new(),
        instance: label.clone(),
        naming: Naming::Hashed,
        host: label,
        port,
        txt: txt(config, own, pairing),
    }
}

fn label(id: &PeerId) -> Label {
    Label::new(&id.to_string()).expect("a peer id has at most 53 characters, which are letters and digits")
}

fn txt(config: &Config, own: &PublicKey, pairing: bool) -> Txt {
    let (advertise, metadata) = (&config.advertise, &config.metadata);
    let fingerprint = own.fingerprint().to_string();
    let hint = |shown: bool, key, value: &str| {
        (shown && !value.is_empty()).then(|| (key, value.as_bytes().to_vec()))
    };
    let own_pairs = [
        hint(true, "txtvers", TXT_VERSION),
        hint(advertise.fingerprint, "fp", &fingerprint),
        hint(advertise.name, "name", &metadata.name),
        hint(advertise.os, "os", &metadata.os),
        hint(advertise.version, "ver", &metadata.version),
        hint(pairing, "pair", "1"),
    ];
    let extra = advertise.extra.iter().map(|(key, value)| (key.as_str(), value.clone()));
    let pairs: Vec<(&str, Vec<u8>)> = own_pairs.into_iter().flatten().chain(extra).collect();
    let values = pairs.iter().map(|(key, value)| (*key, Value::Octets(value)));
    Txt::encode(values).expect("the configuration was checked, and its limits fit a TXT record")
}

/// What a peer says of itself; a value that is not as it should be says nothing.
pub(super) fn hints(txt: &Txt) -> Hints {
    let text = |key: &str, most: usize| match txt.get(key) {
        Some(Value::Octets(value)) if value.len() <= most => {
            String::from_utf8(value.to_vec()).unwrap_or_default()
        }
        Some(_) | None => String::new(),
    };
    Hints {
        fingerprint: text("fp", 52).parse().ok(),
        name: text("name", crate::Metadata::MAX_NAME),
        os: text("os", crate::Metadata::MAX_SHORT),
        version: text("ver", crate::Metadata::MAX_SHORT),
        pairing: text("pair", 1) == "1",
        extra: extra(txt),
    }
}

fn extra(txt: &Txt) -> Vec<(String, Vec<u8>)> {
    let is_own = |key: &str| OWN_KEYS.iter().any(|own| own.eq_ignore_ascii_case(key));
    let pairs = txt.pairs().filter_map(|(key, value)| {
        let key = std::str::from_utf8(key).ok().filter(|key| !is_own(key))?;
        let value = match value {
            Value::Octets(value) => value.to_vec(),
            Value::Present => Vec::new(),
        };
        Some((key.to_owned(), value))
    });
    pairs.collect()
}
