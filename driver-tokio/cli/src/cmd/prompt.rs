//! What any running command does when a peer wants something of its user.

use crate::hub::Prompt;
use crate::node;
use crate::output::{Event as Line, Output};
use crate::work::Asking;
use handfast_core::{Code, Event, PairingFailure};
use handfast_tokio::{ConfirmPrompt, PairingPrompt};
use tokio::task::JoinSet;

/// Codes that are typed for one prompt until a typing error ends it.
const ENTRIES: usize = 3;

/// The questions that wait for one user. Dropped with them, it refuses.
pub(super) struct Desk {
    asking: Asking,
    output: Output,
    asked: JoinSet<()>,
}

impl Desk {
    pub(super) fn new(asking: Asking, output: &Output) -> Self {
        Self { asking, output: output.clone(), asked: JoinSet::new() }
    }

    /// Puts a question to the user, in the background.
    pub(super) fn ask(&mut self, prompt: Prompt) {
        match prompt {
            Prompt::Code(prompt) => self.ask_code(prompt),
            Prompt::Confirm(prompt) => self.confirm(prompt),
        }
    }

    /// Asks whether to pair, in the background. Where there is none to ask, the code was his consent.
    pub(super) fn confirm(&mut self, prompt: ConfirmPrompt) {
        if self.asking != Asking::All {
            return prompt.accept();
        }
        let output = self.output.clone();
        self.asked.spawn(async move {
            let device = prompt.confirmation();
            let question = format!("Pair with {} ({})? [Y/n] ", device.metadata.name, device.label());
            match output.ask(&question).await {
                Some(answer) if is_yes(&answer) => prompt.accept(),
                Some(_) | None => prompt.reject(),
            }
        });
    }

    /// Asks for the code that a peer shows, in the background. Without anybody to ask, refuses.
    fn ask_code(&mut self, prompt: PairingPrompt) {
        if self.asking == Asking::Nothing {
            self.output.tell(&Line::Refused {
                reason: "nobody_to_ask".into(),
                remote: Some(prompt.request().remote.to_string()),
                attempts_left: None,
                peer: None,
            });
            return prompt.reject();
        }
        let output = self.output.clone();
        self.asked.spawn(async move {
            match read_code(&output, &prompt).await {
                Some(code) => prompt.accept(code),
                None => prompt.reject(),
            }
        });
    }

    /// Forgets one that was answered. Never done where none waits. Cancel safe.
    pub(super) async fn answered(&mut self) {
        if self.asked.join_next().await.is_none() {
            std::future::pending().await
        }
    }

    /// Tells of what happens beside the command's own work.
    pub(super) fn tell(&self, event: &Event) {
        tell(&self.output, event);
    }
}

fn is_yes(answer: &str) -> bool {
    ["", "y", "yes"].contains(&answer.to_lowercase().as_str())
}

async fn read_code(output: &Output, prompt: &PairingPrompt) -> Option<Code> {
    let request = prompt.request();
    let label = request.peer.fingerprint().label();
    output.note(format_args!("{label} at {} wants to pair.", request.remote));
    for _ in 0..ENTRIES {
        let answer = output.ask("Type the code that it shows, or nothing to refuse: ").await?;
        if answer.is_empty() {
            return None;
        }
        match answer.parse() {
            Ok(code) => return Some(code),
            Err(error) => output.note(format_args!("{error}")),
        }
    }
    None
}

/// Tells of what happens beside the command's own work.
pub(super) fn tell(output: &Output, event: &Event) {
    match event {
        Event::PeerPaired(peer) => output.tell(&node::paired(peer)),
        Event::PairingEnded(_, Err(failure)) => output.note(format_args!("pairing failed: {failure}")),
        Event::StrangerRefused(_, remote) => output.tell(&Line::Refused {
            reason: "not_paired".into(),
            remote: Some(remote.to_string()),
            attempts_left: None,
            peer: None,
        }),
        Event::IdentityMismatch(_, remote) => output.tell(&Line::Refused {
            reason: "identity_mismatch".into(),
            remote: Some(remote.to_string()),
            attempts_left: None,
            peer: None,
        }),
        Event::PairingAttemptFailed { .. } => tell_attempts(output, event),
        Event::SocketFailed(spec, error) => output.note(format_args!("cannot use {spec:?}: {error}")),
        Event::StoreFailed => output.note("the home could not be written: pairings of this run may be lost"),
        Event::NameConflict => output.note("another device on this network uses this one's name"),
        _ => {}
    }
}

/// Tells of wrong codes alone.
pub(super) fn tell_attempts(output: &Output, event: &Event) {
    if let Event::PairingAttemptFailed { remote, attempts_left, .. } = event {
        output.tell(&Line::Refused {
            reason: "wrong_code".into(),
            remote: Some(remote.to_string()),
            attempts_left: Some(*attempts_left),
            peer: None,
        });
    }
}

/// What a failed pairing means for the exit code.
pub(super) fn kind(failure: &PairingFailure) -> crate::exit::Kind {
    use crate::exit::Kind;
    match failure {
        PairingFailure::BadCode { .. } | PairingFailure::Locked => Kind::WrongCode,
        PairingFailure::Unreachable | PairingFailure::WrongPeer => Kind::Unreachable,
        _ => Kind::Pairing,
    }
}
