//! What becomes of events that a slow reader has not taken: the later word on a matter replaces the earlier.
//!
//! Who replays what is left ends with the same picture as who read everything.

use handfast_core::{BrowseId, ConnId, Event, PeerId, ServiceInstance, ServiceKey, ServiceType};
use std::collections::VecDeque;

/// What may wait in a queue that is full.
pub(crate) trait Coalesce: Sized {
    /// What it says, of what.
    fn word(&self) -> Word<'_>;

    /// What was found anew, as a change of what the reader takes to be there.
    fn into_update(self) -> Self {
        self
    }

    /// A change, as what the reader has not heard of yet.
    fn into_find(self) -> Self {
        self
    }
}

/// What one event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word<'a> {
    /// It is there, and was not.
    Found(Matter<'a>),
    /// It is there still, and changed.
    Updated(Matter<'a>),
    /// It is no longer there.
    Lost(Matter<'a>),
    /// The connection stands.
    Up(Matter<'a>),
    /// The connection has ended. Never dropped alone, nor is the one before.
    Down(Matter<'a>),
    /// Nothing that lasts: the oldest of these goes first.
    Passing,
    /// Never dropped: it is bounded elsewhere.
    Kept,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter<'a> {
    Peer(&'a PeerId),
    /// How it stands with a peer, seen or not.
    State(&'a PeerId),
    Conn(ConnId),
    /// Of one search. The queue of a search has no other.
    Service(Option<BrowseId>, u32, &'a ServiceType, &'a str),
    #[cfg(test)]
    Number(u8),
}

impl<'a> Matter<'a> {
    pub(crate) fn of(browse: Option<BrowseId>, service: &'a ServiceInstance) -> Self {
        Self::Service(browse, service.interface, &service.kind, &service.name)
    }

    pub(crate) fn named(browse: Option<BrowseId>, key: &'a ServiceKey) -> Self {
        Self::Service(browse, key.interface, &key.kind, &key.name)
    }
}

impl Coalesce for Event {
    fn word(&self) -> Word<'_> {
        match self {
            Self::PeerDiscovered(peer) => Word::Found(Matter::Peer(&peer.id)),
            Self::PeerUpdated(peer) => Word::Updated(Matter::Peer(&peer.id)),
            Self::PeerState(peer, _) => Word::Updated(Matter::State(peer)),
            Self::PeerExpired(peer) => Word::Lost(Matter::Peer(peer)),
            Self::ServiceFound(browse, service) => Word::Found(Matter::of(Some(*browse), service)),
            Self::ServiceUpdated(browse, service) => Word::Updated(Matter::of(Some(*browse), service)),
            Self::ServiceLost(browse, key) => Word::Lost(Matter::named(Some(*browse), key)),
            Self::PeerConnected(peer) => Word::Up(Matter::Conn(peer.conn)),
            Self::PeerDisconnected(conn, ..) => Word::Down(Matter::Conn(*conn)),
            // Whatever else happens leaves no picture.
            _ => Word::Passing,
        }
    }

    fn into_update(self) -> Self {
        match self {
            Self::PeerDiscovered(peer) => Self::PeerUpdated(peer),
            Self::ServiceFound(browse, service) => Self::ServiceUpdated(browse, service),
            other => other,
        }
    }

    fn into_find(self) -> Self {
        match self {
            Self::PeerUpdated(peer) => Self::PeerDiscovered(peer),
            Self::ServiceUpdated(browse, service) => Self::ServiceFound(browse, service),
            other => other,
        }
    }
}

/// Adds an item to those that wait, or to what is said of its matter among them. How many are told no more.
pub(super) fn fold<T: Coalesce>(items: &mut VecDeque<T>, new: T) -> u64 {
    let about = |matter| move |item: &T| matches!(item.word(), Word::Found(m) | Word::Updated(m) | Word::Lost(m) if m == matter);
    let at = match new.word() {
        Word::Found(matter) | Word::Updated(matter) | Word::Lost(matter) => {
            items.iter().rposition(about(matter))
        }
        Word::Down(conn) => items.iter().rposition(|item| item.word() == Word::Up(conn)),
        Word::Up(_) | Word::Passing | Word::Kept => None,
    };
    let Some(at) = at else {
        items.push_back(new);
        return 0;
    };
    let folded = match (items[at].word(), new.word()) {
        // The reader has not heard of it, and need not.
        (Word::Found(_), Word::Lost(_)) | (Word::Up(_), Word::Down(_)) => None,
        (Word::Found(_), _) => Some(new.into_find()),
        (Word::Lost(_), Word::Found(_)) => Some(new.into_update()),
        (_, _) => Some(new),
    };
    match folded {
        Some(folded) => {
            items[at] = folded;
            1
        }
        None => {
            items.remove(at);
            2
        }
    }
}

/// What goes where nothing can be folded: what leaves no picture, else the oldest word on what is there.
pub(super) fn victim<T: Coalesce>(items: &VecDeque<T>) -> Option<usize> {
    let passing = |item: &T| item.word() == Word::Passing;
    let seen = |item: &T| matches!(item.word(), Word::Found(_) | Word::Updated(_) | Word::Lost(_));
    items.iter().position(passing).or_else(|| items.iter().position(seen))
}
