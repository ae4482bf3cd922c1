//! `handfast trust`: pairs with a device whose fingerprint the user entered, and on which the user entered this one's.
//!
//! What was entered stays in the home until the two are paired, or until `handfast forget`: any command that is on the
//! network goes on with it.

use super::{fingerprint, prompt};
use crate::exit::{Failure, Kind};
use crate::hub::Session;
use crate::node;
use crate::output::{Event as Line, Output};
use handfast_core::{Event, PairingFailure};
use handfast_tokio::{Target, TrustingError};

pub(crate) async fn run(session: &mut Session, output: &Output, word: &str) -> Result<(), Failure> {
    let key = fingerprint(word)?;
    session.receive_nothing();
    session.tell_listening(output);
    let mut events = session.events();
    let addresses = session.given_addresses().await?;
    let target = if addresses.is_empty() { Target::Any } else { Target::At(addresses) };
    let own = session.node().public_key().fingerprint();
    let _waiting = output.waiting(&format!("enter on the other device: handfast trust {own}"));
    let paired = session.node().trust(key, target);
    tokio::pin!(paired);
    loop {
        tokio::select! {
            // What happened before the end is told before it.
            biased;
            Some(event) = events.next() => tell(output, &event),
            outcome = &mut paired => {
                output.tell(&node::paired(&outcome.map_err(|error| failure(&error))?));
                return Ok(());
            }
        }
    }
}

fn tell(output: &Output, event: &Event) {
    match event {
        Event::PeerTrusted(_, key) => {
            output.tell(&Line::Trusted { fingerprint: key.to_string(), label: key.label() });
        }
        Event::TrustTried(_, PairingFailure::NotTrusted | PairingFailure::Refused) => {
            output.tell(&Line::Refused {
                reason: "not_trusted".into(),
                remote: None,
                attempts_left: None,
                peer: None,
            })
        }
        // The end says so too.
        Event::PeerPaired(_) => {}
        other => prompt::tell(output, other),
    }
}

fn failure(error: &TrustingError) -> Failure {
    match error {
        TrustingError::Begin(error) => Kind::Usage.because(error),
        TrustingError::Failed(failure) => prompt::kind(failure).because(error),
        other => Kind::Pairing.because(other),
    }
}
