//! `handfast recv`: files from paired devices, for as long as it runs.

use super::prompt;
use crate::args::Global;
use crate::exit::{Failure, Kind};
use crate::node::Session;
use crate::output::{Event as Line, Output};
use crate::transfer::{LABEL, TransferError, recv};
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
pub(crate) async fn run(
    session: &mut Session,
    global: &Global,
    output: &Output,
    folder: PathBuf,
) -> Result<(), Failure> {
    session.tell_listening(output, global);
    let mut events = session.events();
    let folder: Arc<Path> = folder.into();
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut files = JoinSet::new();
    loop {
        tokio::select! {
            stream = session.node.accept() => {
                let Some(stream) = stream else { return Ok(()) };
                let from = session.name_of(stream.peer());
                let (folder, places, output) = (Arc::clone(&folder), Arc::clone(&places), output.clone());
                files.spawn(async move {
                    let _place = places.acquire().await;
                    file(stream, &from, &folder, &output).await;
                });
            }
            Some(_) = files.join_next() => {}
            Some(event) = events.next() => prompt::tell(output, &event),
            Some(prompt) = session.prompts.recv() => prompt::ask(output, prompt),
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
        let mut progress = output.progress(&offer.name, offer.size);
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
