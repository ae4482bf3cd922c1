//! Where something is plugged into a segment: a host's interface, or one side of a bridge, reflector or
//! router.

use super::link::{Line, Link};
use super::queue::Stage;
use super::{Host, Segment};
use handfast_core::InterfaceAddr;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A host's interface and the segment that it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The interface's index, also the scope of its link-local addresses. Not 0.
    pub interface: u32,
    /// The segment.
    pub segment: Segment,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddr>,
}

/// Names a port for ever: one that is unplugged and plugged in again is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PortId(pub(super) u32);

/// One of the two sides of what joins segments. A router's `A` is its inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    A,
    B,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// This side's of two.
    pub(super) fn of<T: Copy>(self, both: [T; 2]) -> T {
        match self {
            Self::A => both[0],
            Self::B => both[1],
        }
    }
}

/// Whose a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Host(Host, u32),
    Bridge(usize, Side),
    Reflector(usize, Side),
    Router(usize, Side),
}

impl Owner {
    /// Whether both are ports of one device.
    pub(super) fn is_same_device(self, other: Self) -> bool {
        match (self, other) {
            (Self::Host(a, _), Self::Host(b, _)) => a == b,
            (Self::Bridge(a, _), Self::Bridge(b, _))
            | (Self::Reflector(a, _), Self::Reflector(b, _))
            | (Self::Router(a, _), Self::Router(b, _)) => a == b,
            (Self::Host(..) | Self::Bridge(..) | Self::Reflector(..) | Self::Router(..), _) => false,
        }
    }

    /// The host, if it is one's.
    pub(super) fn host(self) -> Option<Host> {
        match self {
            Self::Host(host, _) => Some(host),
            Self::Bridge(..) | Self::Reflector(..) | Self::Router(..) => None,
        }
    }
}

/// A port's own cable, with a line into each direction.
pub(super) struct Cable {
    pub(super) link: Link,
    pub(super) up: Line,
    pub(super) down: Line,
}

impl Cable {
    pub(super) fn new(link: Link) -> Self {
        Self { link, up: Line::default(), down: Line::default() }
    }
}

/// A port, as the network sees it.
pub(super) struct Attachment {
    pub(super) owner: Owner,
    pub(super) segment: Segment,
    pub(super) addresses: Vec<InterfaceAddr>,
    /// Where it puts what it sends on the segment.
    pub(super) line: Line,
    pub(super) cable: Option<Cable>,
    /// What is on its way to it over links that may shuffle, in the order in which each sender sent.
    pub(super) coming: BTreeMap<(Stage, PortId), Vec<u64>>,
}

impl Attachment {
    pub(super) fn new(owner: Owner, segment: Segment, addresses: Vec<InterfaceAddr>) -> Self {
        let coming = BTreeMap::new();
        Self { owner, segment, addresses, line: Line::default(), cable: None, coming }
    }

    pub(super) fn has(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|address| address.ip == ip)
    }

    /// Notes that one of a sender's packets came. Whether it overtook an earlier one.
    pub(super) fn came(&mut self, stage: Stage, sender: PortId, order: u64) -> bool {
        let Some(coming) = self.coming.get_mut(&(stage, sender)) else { return false };
        let Some(place) = coming.iter().position(|other| *other == order) else { return false };
        coming.remove(place);
        let overtook = coming.iter().any(|other| *other < order);
        if coming.is_empty() {
            self.coming.remove(&(stage, sender));
        }
        overtook
    }
}
