//! What the user decides about keys: whom to trust without a code, whom never to talk to.

use crate::desk::{Desk, NodeHandle};
use crate::handle::Node;
use crate::pairing::Outcome;
use crate::promise::Promise;
use crate::runtime::Runtime;
use crate::shared::Life;
use handfast_core::error::MarkError;
use handfast_core::{Fingerprint, Now, PairedPeer, PairingFailure, Target, TrustedKey};
use std::future::poll_fn;

/// Why no pairing came of the trust in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustingError {
    /// The key was not trusted.
    #[error(transparent)]
    Begin(#[from] MarkError),
    /// It is trusted no longer: cancelled, or the store lost it.
    #[error(transparent)]
    Failed(#[from] PairingFailure),
    /// The node was stopped. The key is still trusted.
    #[error("the node was stopped")]
    Stopped,
}

/// Why a decision about a key was not made, or is not known to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarkingError {
    /// It was not made.
    #[error(transparent)]
    Begin(#[from] MarkError),
    /// The node was stopped before it was stored.
    #[error("the node was stopped")]
    Stopped,
}

impl<R: Runtime> Node<R> {
    /// Pairs with this key without a code, as soon as the two meet and its owner entered this node's fingerprint
    /// too; done when both sides saved each other.
    ///
    /// The trust is stored and goes on after a restart, until the two are paired or it is ended by
    /// [`Node::distrust`]. Cancel safe: dropping the future ends nothing, and calling this again awaits the same trust. The key is
    /// dialled wherever discovery sees it, and where `target` says. A whole fingerprint is what counts: its first
    /// digits can be forged.
    ///
    /// ```no_run
    /// # async fn run<R: handfast_driver::Runtime>(node: handfast_driver::Node<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// use handfast_driver::{Fingerprint, Target};
    ///
    /// println!("enter on the other device: {}", node.public_key().fingerprint());
    /// let theirs: Fingerprint = std::io::read_to_string(std::io::stdin())?.trim().parse()?;
    /// let peer = node.trust(theirs, Target::Any).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`TrustingError`].
    pub async fn trust(
        &self,
        key: impl Into<Fingerprint>,
        target: Target,
    ) -> Result<PairedPeer, TrustingError> {
        trust(&self.handle, key.into(), &target).await
    }

    /// Trusts a key no longer, if it is not paired yet; done when that is stored. It holds as soon as the future is
    /// first polled. Whether the key was trusted.
    ///
    /// Cancel safe: what was decided is stored all the same.
    ///
    /// # Errors
    /// [`MarkingError::Stopped`]
    pub async fn distrust(&self, key: impl Into<Fingerprint>) -> Result<bool, MarkingError> {
        let key = key.into();
        decide(&self.handle, key, |node, now| Ok(node.pairing().distrust(now, &key))).await
    }

    /// The keys that are trusted and not paired yet.
    pub fn trusting(&self) -> Vec<TrustedKey> {
        self.handle.lock().machine.pairing().trusting()
    }

    /// Never talks to a key again: it is refused before anything is said, and every pairing with it ends. Done when
    /// that is stored, for which the node tries as long as its store fails; it holds as soon as the future is first
    /// polled.
    ///
    /// Cancel safe: what was decided is stored all the same.
    ///
    /// # Errors
    /// [`MarkingError`].
    pub async fn ban(&self, key: impl Into<Fingerprint>) -> Result<(), MarkingError> {
        let key = key.into();
        decide(&self.handle, key, |node, now| node.pairing().ban(now, key)).await
    }

    /// Lifts a ban, as [`Node::ban`] sets it, and as cancel safe. Whether there was one.
    ///
    /// # Errors
    /// [`MarkingError::Stopped`]
    pub async fn unban(&self, key: impl Into<Fingerprint>) -> Result<bool, MarkingError> {
        let key = key.into();
        decide(&self.handle, key, |node, now| Ok(node.pairing().unban(now, &key))).await
    }

    /// The keys that are banned.
    pub fn banned(&self) -> Vec<Fingerprint> {
        self.handle.lock().machine.pairing().banned()
    }
}

/// Waits for a promise, and takes it off the desk's list when the future is dropped.
struct Awaiting<'a, T> {
    handle: &'a NodeHandle,
    promise: Promise<T>,
    forget: fn(&mut Desk, &Promise<T>),
}

impl<T> Awaiting<'_, T> {
    async fn value(&self) -> T {
        poll_fn(|cx| self.promise.poll(cx)).await
    }
}

impl<T> Drop for Awaiting<'_, T> {
    fn drop(&mut self) {
        (self.forget)(&mut self.handle.lock().desk, &self.promise);
    }
}

/// Trusts a key, and waits until it is paired. The trust outlives the future.
async fn trust(handle: &NodeHandle, key: Fingerprint, target: &Target) -> Result<PairedPeer, TrustingError> {
    let promise: Promise<Outcome> = Promise::new();
    handle.with(|locked, now| {
        if locked.life != Life::Running {
            return Err(TrustingError::Stopped);
        }
        let id = locked.machine.pairing().trust(now, key, target)?;
        locked.desk.await_pairing(id, promise.clone());
        Ok(())
    })?;
    let awaiting = Awaiting { handle, promise, forget: Desk::forget_pairing };
    let outcome = awaiting.value().await;
    outcome.map_err(|failure| failure.map_or(TrustingError::Stopped, TrustingError::Failed))
}

/// Decides something about a key, and waits until that is stored.
async fn decide<T>(
    handle: &NodeHandle,
    key: Fingerprint,
    what: impl FnOnce(&mut handfast_core::Node, Now) -> Result<T, MarkError>,
) -> Result<T, MarkingError> {
    let promise = Promise::new();
    let (value, stored) = handle.with(|locked, now| {
        if locked.life != Life::Running {
            return Err(MarkingError::Stopped);
        }
        let value = what(&mut locked.machine, now)?;
        let stored = locked.machine.pairing().is_mark_stored(&key);
        if !stored {
            locked.desk.await_mark(key, promise.clone());
        }
        Ok((value, stored))
    })?;
    let awaiting = Awaiting { handle, promise, forget: Desk::forget_mark };
    if stored || awaiting.value().await { Ok(value) } else { Err(MarkingError::Stopped) }
}
