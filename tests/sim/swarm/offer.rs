//! What users offer on the LAN beside their devices, and what they look for: few kinds and few names, so that
//! they meet.

use handfast_core::{Service, ServiceType, TxtRecord};

/// Kinds that are offered.
pub(super) const KINDS: [&str; 2] = ["_http._tcp", "_ipp._tcp"];

/// Subtypes that an offer may have.
pub(super) const SUBTYPES: [&str; 2] = ["_color", "_duplex"];

/// Kinds that are looked for: those, their subtypes, and that of the devices themselves.
pub(super) const SOUGHT: [&str; 6] = [
    "_http._tcp",
    "_ipp._tcp",
    "_color._sub._http._tcp",
    "_color._sub._ipp._tcp",
    "_duplex._sub._ipp._tcp",
    "_swarm._udp",
];

/// Names that several users want.
pub(super) const NAMES: [&str; 4] = ["Office", "office", "Office (2)", "Desk"];

/// The key of the TXT record that tells one version of an offer from another.
const VERSION: &str = "v";

/// What may change of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Stands in its TXT record. No two are alike.
    pub(super) version: u32,
    /// Where it listens.
    pub(super) port: u16,
    /// Which of [`SUBTYPES`] it has.
    pub(super) subtypes: [bool; 2],
}

impl Facts {
    /// Their version as it is written: of one length, so that the later of two is also the one whose record is
    /// greater. RFC 6762 §8.2.
    pub(super) fn version(self) -> String {
        format!("{:010}", self.version)
    }
}

/// A service that a user wants to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// One of [`KINDS`].
    pub(super) kind: &'static str,
    /// What it is to be called.
    pub(super) name: String,
    /// What else it says of itself.
    pub(super) facts: Facts,
}

impl Offer {
    /// As a node takes it.
    pub(super) fn service(&self) -> Service {
        let txt = TxtRecord::new().with(VERSION, self.facts.version()).expect("a short value");
        let service = Service::new(kind(self.kind), &self.name, self.facts.port).expect("a sound offer");
        let subtypes = SUBTYPES.iter().zip(self.facts.subtypes).filter(|(_, has)| *has);
        let whole = subtypes.fold(service, |service, (subtype, _)| {
            service.with_subtype(subtype).expect("a subtype of the few")
        });
        whole.with_txt(txt).expect("a short record")
    }

    /// Whether two may want the same name, now or once one is called `Name (2)`.
    pub(super) fn contests(&self, other: &Self) -> bool {
        let root = |name: &str| match name.split_once(" (") {
            Some((root, _)) => root.to_ascii_lowercase(),
            None => name.to_ascii_lowercase(),
        };
        self.kind == other.kind && root(&self.name) == root(&other.name)
    }
}

/// What a TXT record says that it is a version of.
pub(super) fn version_in(txt: &TxtRecord) -> Option<&str> {
    txt.get_str(VERSION)
}

/// A kind, from text.
pub(super) fn kind(text: &str) -> ServiceType {
    text.parse().expect("a sound kind")
}

/// What a user does with what his device offers and looks for. Each of them has a number on his device.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// Publishes this, in place of what had its number.
    Publish(usize, Offer),
    /// Something about it changes.
    Change(usize, Facts),
    /// Takes it back.
    Withdraw(usize),
    /// Looks for a kind, in place of the search that had its number.
    Seek(usize, &'static str),
    /// Ends a search.
    Rest(usize),
    /// Calls the device something else.
    Describe(String),
}
