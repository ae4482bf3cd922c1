//! `handfast pair`: shows a code, or types the one that another device shows.

use super::locate::{Wanted, locate};
use super::prompt::{self, Desk};
use crate::exit::{Failure, Kind};
use crate::hub::{Prompt, Session};
use crate::node;
use crate::output::{Event as Line, Output, Waiting};
use crate::work::Pair;
use handfast_core::error::{HostError, JoinError};
use handfast_core::{Code, Event, PairedPeer, PairingFailure, PairingStep};
use handfast_tokio::{Events, Hosting, HostingError, JoiningError, Target};
use std::time::Duration;
use tokio::time::{Instant, interval};

pub(crate) async fn run(session: &mut Session, output: &Output, what: Pair) -> Result<(), Failure> {
    session.receive_nothing();
    session.ask_for(None);
    session.tell_listening(output);
    let mut events = session.events();
    let paired = match what {
        Pair::Show(peer) => show(session, &mut events, output, peer.as_deref()).await?,
        Pair::Type { code, peer } => {
            let code = code.parse().map_err(|error| Kind::WrongCode.because(error))?;
            type_code(session, &mut events, output, code, peer.as_deref()).await?
        }
    };
    output.tell(&node::paired(&paired));
    Ok(())
}

/// This device shows a code. It dials where it is told whom.
async fn show(
    session: &mut Session,
    events: &mut Events,
    output: &Output,
    peer: Option<&str>,
) -> Result<PairedPeer, Failure> {
    let addresses = session.given_addresses().await?;
    let target = match peer {
        _ if !addresses.is_empty() => Target::At(addresses),
        Some(word) => Target::Peer(locate(session, events, output, Wanted::Called(word)).await?),
        None => Target::Any,
    };
    let hosting = session.node().pair_host(target).map_err(|error| hosting_failure(&error))?;
    session.ask_for(Some(hosting.id()));
    let code = hosting.code().to_string();
    output.tell(&Line::Code { code: code.clone(), seconds: hosting.window().as_secs() });
    count_down(hosting, &code, session, events, output).await
}

/// Until somebody has typed the code, or its window has closed.
async fn count_down(
    hosting: Hosting,
    code: &str,
    session: &mut Session,
    events: &mut Events,
    output: &Output,
) -> Result<PairedPeer, Failure> {
    let closes = Instant::now() + hosting.window();
    let waiting = output.waiting("");
    let mut tick = interval(Duration::from_secs(1));
    let id = hosting.id();
    let outcome = hosting.outcome();
    tokio::pin!(outcome);
    let (mut proven, mut desk) = (false, Desk::new(session.asking, output));
    loop {
        tokio::select! {
            // What happened before the end is told before it.
            biased;
            Some(event) = events.next() => {
                if matches!(&event, Event::PairingAttemptFailed { pairing, .. } if *pairing == id) {
                    prompt::tell_attempts(output, &event);
                }
                proven |= tell_step(&waiting, &event);
            }
            outcome = &mut outcome => return outcome.map_err(|error| hosting_failure(&error)),
            Some(prompt) = session.prompts.recv() => answer(&mut desk, prompt),
            () = desk.answered() => {}
            _ = tick.tick(), if !proven => {
                let left = closes.saturating_duration_since(Instant::now()).as_secs();
                waiting.say(format_args!("type {code} on the other device: {left} s left"));
            }
        }
    }
}

/// This device types a code.
async fn type_code(
    session: &mut Session,
    events: &mut Events,
    output: &Output,
    code: Code,
    peer: Option<&str>,
) -> Result<PairedPeer, Failure> {
    let addresses = session.given_addresses().await?;
    let target = if addresses.is_empty() {
        let wanted = peer.map_or(Wanted::Pairing, Wanted::Called);
        Target::Peer(locate(session, events, output, wanted).await?)
    } else {
        Target::At(addresses)
    };
    let waiting = output.waiting("pairing");
    let node = session.node().clone();
    let outcome = node.pair_join(code, target);
    tokio::pin!(outcome);
    let mut desk = Desk::new(session.asking, output);
    loop {
        tokio::select! {
            biased;
            Some(event) = events.next() => {
                tell_step(&waiting, &event);
            }
            outcome = &mut outcome => return outcome.map_err(|error| joining_failure(&error)),
            Some(prompt) = session.prompts.recv() => answer(&mut desk, prompt),
            () = desk.answered() => {}
        }
    }
}

/// Says what is waited for, once the code is proven. Whether it is.
fn tell_step(waiting: &Waiting, event: &Event) -> bool {
    let Event::PairingProgress(_, step) = event else { return false };
    match step {
        PairingStep::AwaitingUser | PairingStep::Confirmed => true,
        PairingStep::AwaitingPeer => {
            waiting.say("waiting for the other device, where its user may be asked");
            true
        }
        PairingStep::Saving | PairingStep::Saved => {
            waiting.say("both agree: saving");
            true
        }
        _ => false,
    }
}

/// Asks whether to pair. Who shows a code, or typed one, is asked for no other.
fn answer(desk: &mut Desk, prompt: Prompt) {
    match prompt {
        Prompt::Code(prompt) => prompt.reject(),
        Prompt::Confirm(prompt) => desk.confirm(prompt),
    }
}

fn hosting_failure(error: &HostingError) -> Failure {
    match error {
        HostingError::Begin(HostError::NoAddress) => Kind::Unreachable.because(error),
        HostingError::Failed(PairingFailure::Timeout) => {
            Kind::Pairing.because("nobody typed the code in time; begin again with `handfast pair`")
        }
        HostingError::Failed(failure) => prompt::kind(failure).because(error),
        other => Kind::Pairing.because(other),
    }
}

fn joining_failure(error: &JoiningError) -> Failure {
    match error {
        JoiningError::Begin(JoinError::NoAddress) => Kind::Unreachable.because(error),
        JoiningError::Begin(JoinError::NobodyPairing | JoinError::Several(_)) => {
            Kind::NoSuchPeer.because(error)
        }
        JoiningError::Begin(JoinError::Locked) => Kind::WrongCode.because(error),
        JoiningError::Failed(PairingFailure::BadCode { attempts_left }) => {
            let left = match attempts_left {
                0 => "the other device shows it no longer".to_owned(),
                left => format!("attempts left: {left}"),
            };
            Kind::WrongCode.because(format_args!("{error}; {left}"))
        }
        JoiningError::Failed(failure) => prompt::kind(failure).because(error),
        other => Kind::Pairing.because(other),
    }
}
