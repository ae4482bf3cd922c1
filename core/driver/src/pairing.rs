//! Pairing as an application sees it: a window that shows a code, a code that is typed, a prompt.

use crate::desk::NodeHandle;
use crate::promise::Promise;
use crate::shared::Life;
use handfast_core::ask::{
    ConfirmToken, Confirmation, PairingReply, PairingRequest, PairingRequestToken, Permission,
};
use handfast_core::error::{HostError, JoinError};
use handfast_core::{Answer, Code, PairedPeer, PairingFailure, PairingId, Target};
use std::fmt;
use std::future::poll_fn;
use std::time::Duration;

/// How a pairing ended, or that the node stopped before.
pub(crate) type Outcome = Result<PairedPeer, Option<PairingFailure>>;

/// Why no pairing came of a code that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostingError {
    /// No window was opened.
    #[error(transparent)]
    Begin(#[from] HostError),
    /// It was tried, and neither side saved the other.
    #[error(transparent)]
    Failed(#[from] PairingFailure),
    /// The node was stopped.
    #[error("the node was stopped")]
    Stopped,
}

/// Why no pairing came of a code that was typed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoiningError {
    /// Nothing was tried, and no attempt used up.
    #[error(transparent)]
    Begin(#[from] JoinError),
    /// It was tried, and neither side saved the other.
    #[error(transparent)]
    Failed(#[from] PairingFailure),
    /// The node was stopped.
    #[error("the node was stopped")]
    Stopped,
}

/// A pairing that runs; cancelled when it is dropped before its end.
struct Running {
    handle: NodeHandle,
    id: PairingId,
    promise: Promise<Outcome>,
    ended: bool,
}

impl Running {
    async fn outcome(&mut self) -> Outcome {
        let outcome = poll_fn(|cx| self.promise.poll(cx)).await;
        self.ended = true;
        outcome
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.handle.with(|locked, now| {
                locked.desk.forget_pairing(&self.promise);
                locked.machine.pairing().cancel(now, self.id);
            });
        }
    }
}

/// A window in which a code is shown. Dropping it closes the window.
pub struct Hosting {
    running: Running,
    code: Code,
    window: Duration,
}

impl fmt::Debug for Hosting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosting").field("id", &self.running.id).finish_non_exhaustive()
    }
}

impl Hosting {
    pub(crate) fn begin(handle: &NodeHandle, target: &Target) -> Result<Self, HostingError> {
        let promise = Promise::new();
        let hosting = handle.with(|locked, now| {
            if locked.life != Life::Running {
                return Err(HostingError::Stopped);
            }
            let hosting = locked.machine.pairing().host(now, target)?;
            locked.desk.await_pairing(hosting.id, promise.clone());
            Ok(hosting)
        })?;
        let running = Running { handle: handle.clone(), id: hosting.id, promise, ended: false };
        Ok(Self { running, code: hosting.code, window: hosting.window })
    }

    /// The code to show, which `Display` writes for people.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// How long the code was good for when it was made.
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Which pairing this is, as events name it.
    pub fn id(&self) -> PairingId {
        self.running.id
    }

    /// Waits until somebody has paired, or until the window has closed. Not cancel safe: dropping the future closes
    /// the window, as long as nothing is decided.
    ///
    /// # Errors
    /// [`HostingError::Failed`], [`HostingError::Stopped`].
    pub async fn outcome(mut self) -> Result<PairedPeer, HostingError> {
        let outcome = self.running.outcome().await;
        outcome.map_err(|failure| failure.map_or(HostingError::Stopped, HostingError::Failed))
    }
}

/// Types a code. The pairing is cancelled when the future is dropped.
pub(crate) async fn join(
    handle: &NodeHandle,
    code: Code,
    target: &Target,
) -> Result<PairedPeer, JoiningError> {
    let promise = Promise::new();
    let id = handle.with(|locked, now| {
        if locked.life != Life::Running {
            return Err(JoiningError::Stopped);
        }
        let id = locked.machine.pairing().join(now, code, target)?;
        locked.desk.await_pairing(id, promise.clone());
        Ok(id)
    })?;
    let mut running = Running { handle: handle.clone(), id, promise, ended: false };
    let outcome = running.outcome().await;
    outcome.map_err(|failure| failure.map_or(JoiningError::Stopped, JoiningError::Failed))
}

/// A peer that shows a code wants this node to join it. Refused if it is dropped.
pub struct PairingPrompt {
    handle: NodeHandle,
    token: Option<PairingRequestToken>,
    request: PairingRequest,
}

impl fmt::Debug for PairingPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairingPrompt").field("request", &self.request).finish_non_exhaustive()
    }
}

impl PairingPrompt {
    pub(crate) fn new(handle: NodeHandle, token: PairingRequestToken, request: PairingRequest) -> Self {
        Self { handle, token: Some(token), request }
    }

    /// Who asks. All of it is unauthenticated.
    pub fn request(&self) -> &PairingRequest {
        &self.request
    }

    /// Joins with the code that the peer shows. How it ends is told by events.
    pub fn accept(mut self, code: Code) {
        self.reply(PairingReply::Join(code));
    }

    /// Refuses.
    pub fn reject(mut self) {
        self.reply(PairingReply::Reject);
    }

    fn reply(&mut self, reply: PairingReply) {
        if let Some(token) = self.token.take() {
            self.handle.with(|locked, now| locked.machine.answer(now, Answer::PairingRequest(token, reply)));
        }
    }
}

impl Drop for PairingPrompt {
    fn drop(&mut self) {
        self.reply(PairingReply::Reject);
    }
}

/// Both sides proved the code: shall this node pair with that peer? Refused if it is dropped.
pub struct ConfirmPrompt {
    handle: NodeHandle,
    token: Option<ConfirmToken>,
    confirmation: Confirmation,
}

impl fmt::Debug for ConfirmPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfirmPrompt").field("confirmation", &self.confirmation).finish_non_exhaustive()
    }
}

impl ConfirmPrompt {
    pub(crate) fn new(handle: NodeHandle, token: ConfirmToken, confirmation: Confirmation) -> Self {
        Self { handle, token: Some(token), confirmation }
    }

    /// With whom: proven to know the code, and named by itself.
    pub fn confirmation(&self) -> &Confirmation {
        &self.confirmation
    }

    /// Pairs, if the other side's user agrees too.
    pub fn accept(mut self) {
        self.reply(Permission::Granted);
    }

    /// Refuses: neither side saves anything.
    pub fn reject(mut self) {
        self.reply(Permission::Refused);
    }

    fn reply(&mut self, permission: Permission) {
        if let Some(token) = self.token.take() {
            self.handle.with(|locked, now| locked.machine.answer(now, Answer::Confirm(token, permission)));
        }
    }
}

impl Drop for ConfirmPrompt {
    fn drop(&mut self) {
        self.reply(Permission::Refused);
    }
}
