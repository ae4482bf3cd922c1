//! `handfast recv`: files from paired devices, for as long as it runs.

use super::prompt::Desk;
use crate::exit::{Failure, Kind};
use crate::hub::Session;
use crate::output::{Event as Line, Output};
use crate::transfer::{LABEL, TransferError, recv};
use crate::work::Receive;
use handfast_tokio::Incoming;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Files that are received at a time: each holds a file open, a thread of the pool and a few blocks. More
/// wait their turn.
const AT_A_TIME: usize = 16;

/// Makes sure that there is a folder to receive into.
pub(crate) fn folder(folder: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder).and_then(|()| folder.canonicalize()).map_err(|error| {
        Kind::Transfer.because(format_args!("cannot use the folder {}: {error}", folder.display()))
    })
}

/// Runs until it is dropped.
pub(crate) async fn run(session: &mut Session, output: &Output, what: Receive) -> Result<(), Failure> {
    session.ask_for_all();
    let mut events = session.events();
    let mut streams = session.receive(None);
    session.tell_listening(output);
    let mut desk = Desk::new(session.asking, output);
    let folder: Arc<Path> = what.folder.into();
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut files = JoinSet::new();
    loop {
        tokio::select! {
            stream = streams.next() => {
                let Some(stream) = stream else { return Ok(()) };
                output.room().await;
                let from = session.name_of(stream.peer());
                let (folder, places, output) = (Arc::clone(&folder), Arc::clone(&places), output.clone());
                files.spawn(async move {
                    let _place = places.acquire().await;
                    file(stream, &from, &folder, &output).await;
                });
            }
            Some(_) = files.join_next() => {}
            event = events.next() => match event {
                None => return Ok(()),
                Some(event) => desk.tell(&event),
            },
            Some(prompt) = session.prompts.recv() => desk.ask(prompt),
            () = desk.answered() => {}
        }
    }
}

/// One file. A stream that is something else is refused.
async fn file(stream: Incoming, from: &str, folder: &Path, output: &Output) {
    if stream.label() != LABEL {
        return stream.refuse();
    }
    let peer = stream.peer().to_string();
    // One that goes one way has no way to say what becomes of it.
    let (Some(mut send), mut recv) = stream.accept() else { return };
    let received = async {
        let offer = recv::offer(&mut recv).await?;
        output.tell(&Line::Offer {
            peer: peer.clone(),
            from: from.to_owned(),
            name: offer.name.clone(),
            bytes: offer.size,
        });
        let mut progress = output.progress(&offer.name, Some(offer.size));
        recv::store(&offer, folder, &mut recv, &mut send, |bytes| progress.at(bytes)).await
    };
    match received.await {
        Ok(recv::Received { path, bytes }) => {
            output.tell(&Line::Received { path: path.display().to_string(), bytes, peer });
        }
        Err(error) => output.fail(&failure(from, &error)),
    }
}

fn failure(from: &str, error: &TransferError) -> Failure {
    Kind::Transfer.because(format_args!("a file of {from} was not received: {error}"))
}
