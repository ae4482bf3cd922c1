//! `handfast node`: the node that other commands use, and nothing else.

use super::prompt::Desk;
use crate::exit::Failure;
use crate::hub::Session;
use crate::output::Output;

/// Runs until it is dropped.
pub(crate) async fn run(session: &mut Session, output: &Output) -> Result<(), Failure> {
    session.receive_nothing();
    session.ask_for_all();
    session.tell_listening(output);
    let mut desk = Desk::new(session.asking, output);
    let mut events = session.events();
    loop {
        tokio::select! {
            event = events.next() => match event {
                None => return Ok(()),
                Some(event) => desk.tell(&event),
            },
            Some(prompt) = session.prompts.recv() => desk.ask(prompt),
            () = desk.answered() => {}
        }
    }
}
