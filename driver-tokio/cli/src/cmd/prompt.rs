//! What any running command does when a peer wants something of its user.

use crate::node::{self, Prompt};
use crate::output::{Event as Line, Output};
use handfast_core::{Code, Event, PairingFailure};
use handfast_tokio::{ConfirmPrompt, PairingPrompt};
use tokio::task;

/// Codes that are typed for one prompt until a typing error ends it.
const ENTRIES: usize = 3;

/// Puts a question to the user, in the background.
pub(super) fn ask(output: &Output, prompt: Prompt) {
    match prompt {
        Prompt::Code(prompt) => ask_code(output.clone(), prompt),
        Prompt::Confirm(prompt) => confirm(output.clone(), prompt),
    }
}

/// Asks whether to pair, in the background.
pub(super) fn confirm(output: Output, prompt: ConfirmPrompt) {
    let device = prompt.confirmation();
    let question = format!("Pair with {} ({})? [Y/n] ", device.metadata.name, device.label());
    task::spawn_blocking(move || match output.ask(&question) {
        Some(answer) if is_yes(&answer) => prompt.accept(),
        Some(_) | None => prompt.reject(),
    });
}

fn is_yes(answer: &str) -> bool {
    ["", "y", "yes"].contains(&answer.to_lowercase().as_str())
}

/// Asks for the code that a peer shows, in the background. Without anybody to ask, refuses.
fn ask_code(output: Output, prompt: PairingPrompt) {
    if !output.can_ask() {
        output.tell(&Line::Refused {
            reason: "nobody_to_ask",
            remote: Some(prompt.request().remote.to_string()),
            attempts_left: None,
        });
        return prompt.reject();
    }
    task::spawn_blocking(move || match read_code(&output, &prompt) {
        Some(code) => prompt.accept(code),
        None => prompt.reject(),
    });
}

fn read_code(output: &Output, prompt: &PairingPrompt) -> Option<Code> {
    let request = prompt.request();
    let label = request.peer.fingerprint().label();
    output.note(format_args!("{label} at {} wants to pair.", request.remote));
    for _ in 0..ENTRIES {
        let answer = output.ask("Type the code that it shows, or nothing to refuse: ")?;
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
            reason: "not_paired",
            remote: Some(remote.to_string()),
            attempts_left: None,
        }),
        Event::IdentityMismatch(_, remote) => output.tell(&Line::Refused {
            reason: "identity_mismatch",
            remote: Some(remote.to_string()),
            attempts_left: None,
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
            reason: "wrong_code",
            remote: Some(remote.to_string()),
            attempts_left: Some(*attempts_left),
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
