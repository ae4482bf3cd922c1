//! The devices that this one knows: in its home, or as its running node knows them.

use crate::exit::{Failure, Kind};
use crate::home::Home;
use crate::hub::Hub;
use crate::peer::Paired;
use handfast_core::error::MarkError;
use handfast_core::store::Mark;
use handfast_core::{Fingerprint, PublicKey};
use handfast_tokio::MarkingError;
use std::sync::Arc;

/// What commands that need no network look at.
pub(crate) enum Book {
    /// No node runs: this process alone has the home.
    Home(Home),
    /// The node has it.
    Node(Arc<Hub>),
}

/// What was decided about keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) trusted: Vec<Fingerprint>,
    pub(crate) banned: Vec<Fingerprint>,
}

impl Book {
    /// This device's own key.
    pub(crate) fn own_key(&self) -> PublicKey {
        match self {
            Self::Home(home) => home.store.identity().public_key(),
            Self::Node(hub) => hub.node.public_key(),
        }
    }

    /// The pairings that stand, by name.
    pub(crate) fn paired(&self) -> Result<Vec<Paired>, Failure> {
        match self {
            Self::Home(home) => Ok(home.paired()?.iter().map(Paired::from).collect()),
            Self::Node(hub) => Ok(hub.paired()),
        }
    }

    /// The keys that are trusted, or banned.
    pub(crate) fn decided(&self) -> Result<Decided, Failure> {
        match self {
            Self::Home(home) => {
                let marks = home.stored()?.marks;
                let (banned, trusted): (Vec<_>, Vec<_>) = marks.iter().partition(|mark| mark.is_banned());
                let keys = |marks: Vec<&Mark>| marks.iter().map(|mark| mark.fingerprint).collect();
                Ok(Decided { trusted: keys(trusted), banned: keys(banned) })
            }
            Self::Node(hub) => {
                let trusted = hub.node.trusting().iter().map(|key| key.fingerprint).collect();
                Ok(Decided { trusted, banned: hub.node.banned() })
            }
        }
    }

    /// Ends the pairing with a device, and the trust in it.
    pub(crate) fn forget(&self, paired: &Paired) -> Result<(), Failure> {
        match self {
            Self::Home(home) => home.forget(paired.key.fingerprint()),
            Self::Node(hub) => {
                // One that was forgotten in the meantime is forgotten.
                let _ = hub.node.forget(paired.id());
                Ok(())
            }
        }
    }

    /// Trusts a key no longer. Whether it was trusted.
    pub(crate) async fn distrust(&self, key: Fingerprint) -> Result<bool, Failure> {
        match self {
            Self::Home(home) => home.unmark(key, Mark::is_trusted),
            Self::Node(hub) => hub.node.distrust(key).await.map_err(|error| failure(&error)),
        }
    }

    /// Keeps a key out, and ends the pairing with it.
    pub(crate) async fn ban(&self, key: Fingerprint) -> Result<(), Failure> {
        match self {
            Self::Home(home) => home.ban(key),
            Self::Node(hub) => hub.node.ban(key).await.map_err(|error| failure(&error)),
        }
    }

    /// Lifts a ban. Whether there was one.
    pub(crate) async fn unban(&self, key: Fingerprint) -> Result<bool, Failure> {
        match self {
            Self::Home(home) => home.unmark(key, Mark::is_banned),
            Self::Node(hub) => hub.node.unban(key).await.map_err(|error| failure(&error)),
        }
    }
}

fn failure(error: &MarkingError) -> Failure {
    match error {
        MarkingError::Begin(MarkError::NotReady) => Kind::Home.because(error),
        MarkingError::Begin(_) => Kind::Usage.because(error),
        _ => Kind::Internal.because(error),
    }
}
