//! The words between this engine and its user.
//!
//! Values alone: services, instances, events. Nothing here decides anything.

use super::guard::Refused;
use super::name::{Label, Name};
use crate::config::Config;
use crate::id::ServiceName;
use crate::wire::txt::Txt;
use std::net::{IpAddr, SocketAddr};

/// What the engine takes from the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Records cached, a link.
    pub(crate) cached_records: usize,
}

impl Limits {
    /// As configured.
    pub(crate) fn from_config(config: &Config) -> Self {
        Self { cached_records: config.max_cached_records }
    }
}

/// What the engine's user never exceeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Links that are up.
    pub(crate) links: usize,
    /// Instances that are asked for by name.
    pub(crate) resolved: usize,
}

/// Services at a time, the node itself among them. The engine's user never publishes more.
pub(crate) const MAX_SERVICES: usize = 32;
/// Subtypes of a service.
pub(crate) const MAX_SUBTYPES: usize = 16;

/// A type of service: `_<name>._udp.local.` or `_<name>._tcp.local.` RFC 6763 §4.1.2, §7.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServiceType(Name);

impl ServiceType {
    /// Both labels as they stand, like `_ipp` and `_tcp`. Whether they follow RFC 6763 §7 is for the caller to
    /// say: others may have types that don't.
    #[allow(dead_code, reason = "what is browsed beside peers is made of it")]
    pub(crate) fn new(service: &Label, protocol: &Label) -> Self {
        let labels = [service.as_octets(), protocol.as_octets(), b"local"];
        Self(Name::from_labels(labels).expect("three labels fit in a name"))
    }

    /// The kind of everything that is not TCP.
    pub(crate) fn udp(service: &ServiceName) -> Self {
        let first = format!("_{service}");
        let labels: [&[u8]; 3] = [first.as_bytes(), b"_udp", b"local"];
        Self(Name::from_labels(labels).expect("a service's name is at most 15 octets"))
    }

    pub(super) fn name(&self) -> &Name {
        &self.0
    }

    /// The name under which instances of a subtype are listed. RFC 6763 §7.1.
    pub(super) fn subtype(&self, label: &Label) -> Name {
        let labels = [label.as_octets(), b"_sub"].into_iter().chain(self.0.labels());
        Name::from_labels(labels).expect("a label and a kind of service fit in a name")
    }

    /// The name of one instance. RFC 6763 §4.1.
    pub(super) fn instance(&self, label: &Label) -> Name {
        self.0.child(label).expect("a label and a type of service fit in a name")
    }
}

/// What is browsed: all services of a type, or those of a subtype of it. RFC 6763 §4.1, §7.1.
///
/// The instances of both are named below the type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// The type, or `<subtype>._sub.<type>`.
    name: Name,
    base: ServiceType,
}

impl Kind {
    /// The services of a type that say that they are of this subtype too.
    #[allow(dead_code, reason = "what is browsed beside peers is made of it")]
    pub(crate) fn subtype(base: &ServiceType, subtype: &Label) -> Self {
        let labels = [subtype.as_octets(), b"_sub"].into_iter().chain(base.0.labels());
        let name = Name::from_labels(labels).expect("two labels and a type of service fit in a name");
        Self { name, base: base.clone() }
    }

    /// The type whose instances these are.
    pub(crate) fn base(&self) -> &ServiceType {
        &self.base
    }

    /// Whether all instances of the type are meant.
    pub(super) fn is_whole(&self) -> bool {
        self.name == self.base.0
    }

    /// The name whose PTR records list the instances.
    pub(super) fn name(&self) -> &Name {
        &self.name
    }
}

impl From<ServiceType> for Kind {
    fn from(base: ServiceType) -> Self {
        Self { name: base.0.clone(), base }
    }
}

/// So many kinds are browsed already that a further one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_BROWSES} kinds of service are browsed already")]
pub(crate) struct TooManyBrowses;

/// Kinds that are browsed at a time, the node's own among them: each is a question on every link, and makes
/// strangers' records worth keeping.
pub(crate) const MAX_BROWSES: usize = 64;

/// One of our services, for as long as it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServiceId(pub(crate) u64);

/// How a service came by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Known to be nobody else's, as a key's hash is: announced without being probed for. RFC 6762 §8.1.
    /// Where somebody else has it all the same, it is withdrawn and tried again every minute.
    Hashed,
    /// Somebody may have it: probed for first, and the loser takes another, "Name (2)". RFC 6762 §9.
    Chosen,
}

/// A service of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// What it is.
    pub(crate) kind: ServiceType,
    /// What it is in particular: `_printer` of `_http._tcp`. At most [`MAX_SUBTYPES`]; further ones are left
    /// out. RFC 6763 §7.1.
    pub(crate) subtypes: Vec<Label>,
    /// Its name, as far as others leave it that.
    pub(crate) instance: Label,
    /// How it came by that.
    pub(crate) naming: Naming,
    /// The first label of its host, below `local.`: known to be nobody else's, whatever `naming` says.
    pub(crate) host: Label,
    /// Its port.
    pub(crate) port: u16,
    /// What else there is to say.
    pub(crate) txt: Txt,
}

impl Service {
    /// The list of the kinds that exist on a link, uncompressed. RFC 6763 §9.
    pub(super) const ENUMERATION: &[u8] = b"\x09_services\x07_dns-sd\x04_udp\x05local\0";

    /// The same as a name.
    pub(super) fn enumeration() -> Name {
        Name::from_wire(Self::ENUMERATION).expect("it is a name")
    }

    pub(super) fn instance_name(&self) -> Name {
        self.kind.instance(&self.instance)
    }

    pub(super) fn host_name(&self) -> Name {
        host_name(&self.host)
    }

    /// Where its pointers are: what others may have as well.
    pub(super) fn subtype_names(&self) -> impl Iterator<Item = Name> {
        self.subtypes.iter().take(MAX_SUBTYPES).map(|label| self.kind.subtype(label))
    }
}

/// The name of a host of ours.
pub(super) fn host_name(label: &Label) -> Name {
    Name::from_labels([label.as_octets(), b"local"]).expect("two labels fit in a name")
}

/// A service of somebody else's, as one interface sees it. All of it is hearsay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// The interface's index.
    pub(crate) interface: u32,
    /// Who first said where it is.
    pub(crate) source: IpAddr,
    /// As what it was found. One that several browses concern is told for each.
    pub(crate) kind: Kind,
    /// Its name.
    pub(crate) name: Label,
    /// The name of its host.
    pub(crate) host: Name,
    /// Its port.
    pub(crate) port: u16,
    /// Where it may be reached, sorted. Link-local IPv6 carries its scope.
    pub(crate) addresses: Vec<SocketAddr>,
    /// What else it says. Empty as long as nothing is known.
    pub(crate) txt: Txt,
}

/// What the engine saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Somebody else uses a hashed name of ours, or its host's. A hint: anyone on the LAN can forge it. At most
    /// once a minute.
    Conflict(ServiceId),
    /// An instance, and where it is.
    Found(Instance),
    /// An instance is no longer there.
    Lost {
        /// The interface's index.
        interface: u32,
        /// As what it was found.
        kind: Kind,
        /// Its name.
        instance: Label,
    },
    /// A chosen name was probed for on every link that is up, and announced there.
    Published {
        /// Whose.
        service: ServiceId,
        /// Under this name.
        instance: Label,
    },
    /// Somebody else has a chosen name: it goes on under another, which is yet to be probed for.
    Renamed {
        /// Whose.
        service: ServiceId,
        /// This one.
        instance: Label,
    },
    /// No name was to be had within a minute. It is tried again, once a minute. RFC 6762 §9.
    Unnamed {
        /// Whose.
        service: ServiceId,
    },
    /// What is known of an instance changed.
    Updated(Instance),
}

/// Why a datagram was not heeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dropped {
    /// Our own multicast, come back.
    Echo,
    /// On an interface, or for a socket, that is not in use.
    NoLink,
    /// From outside the link. RFC 6762 §11.
    OffLink,
    /// A response from another port than 5353. RFC 6762 §6.
    Port,
    /// Not a message that may be read.
    Refused(Refused),
    /// A response by unicast that nobody asked for. RFC 6762 §6.
    Unasked,
    /// The parser could not read what the guard let pass.
    Unparsed,
    /// About names that nobody here cares for.
    Unrelated,
}
