//! `handfast send`: files to a paired device.

use super::locate::FOUND_WITHIN;
use crate::exit::{Failure, Kind};
use crate::hub::Session;
use crate::output::{Event as Line, Output};
use crate::peer;
use crate::transfer::send::{Source, send};
use crate::transfer::{LABEL, TransferError};
use crate::work::{Named, Sending};
use handfast_core::error::{ConnectError, ReadError, WriteError};
use handfast_core::{ConnectFailure, Event, PeerId};
use handfast_tokio::{Connection, DialError, Events};
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A dial that failed is tried again after this time, or when something new is heard of the device.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The code of a stream that was not accepted.
const REFUSED: u64 = 0x11;

/// Sends one file after the other; the first that fails ends it.
pub(crate) async fn run(session: &mut Session, output: &Output, what: Sending) -> Result<(), Failure> {
    let paired = session.hub.paired();
    let device = peer::find_paired(&what.peer, &paired)?;
    let job = Job { peer: device.id(), name: device.shown_name() };
    session.receive_nothing();
    let mut events = session.events();
    for address in session.given_addresses().await? {
        session.node().add_address(job.peer, address);
    }
    let connection = job.connect(session, &mut events, output).await?;
    for file in &what.files {
        job.send(&connection, file, output).await?;
    }
    Ok(())
}

/// To whom is sent.
#[derive(Debug)]
struct Job {
    peer: PeerId,
    name: String,
}

impl Job {
    /// Dials until it works, or until it cannot, or until the time is up.
    async fn connect(
        &self,
        session: &Session,
        events: &mut Events,
        output: &Output,
    ) -> Result<Connection, Failure> {
        let _waiting = output.waiting(&format!("looking for {}", self.name));
        let deadline = Instant::now() + FOUND_WITHIN;
        let mut last = None;
        loop {
            match timeout_at(deadline, session.node().connect(self.peer)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(DialError::Failed(ConnectFailure::NotPaired))) => return Err(self.not_paired()),
                Ok(Err(DialError::Begin(ConnectError::NotPaired))) => return Err(self.not_paired()),
                Ok(Err(error)) => last = Some(error),
                Err(_) => return Err(self.unreachable(last)),
            }
            let again = Instant::now() + AGAIN_AFTER;
            while let Ok(Some(event)) = timeout_at(again.min(deadline), events.next()).await {
                if self.is_news(&event) {
                    break;
                }
            }
            if Instant::now() >= deadline {
                return Err(self.unreachable(last));
            }
        }
    }

    /// Whether a dial that failed may work now.
    fn is_news(&self, event: &Event) -> bool {
        match event {
            Event::PeerDiscovered(peer) | Event::PeerUpdated(peer) => peer.id == self.peer || peer.paired,
            Event::PeerConnected(peer) => peer.key.is_named(&self.peer),
            Event::PeerUnpaired(key, _) => key.is_named(&self.peer),
            _ => false,
        }
    }

    async fn send(&self, connection: &Connection, file: &Named, output: &Output) -> Result<(), Failure> {
        let source = open(file)?;
        let bytes = source.size;
        let mut progress = output.progress(&source.name, Some(bytes));
        let cannot = |error: &dyn std::fmt::Display| {
            Kind::Transfer.because(format_args!("{} was not sent: {error}", file.word))
        };
        let (out, back) = connection.open_bi(LABEL).await.map_err(|error| cannot(&error))?;
        let sent = send(source, out, back, |bytes| progress.at(bytes)).await;
        drop(progress);
        sent.map_err(|error| if is_refused(&error) { self.no_receiver() } else { cannot(&error) })?;
        output.tell(&Line::Sent { path: file.word.clone(), bytes, peer: self.peer.to_string() });
        Ok(())
    }

    fn no_receiver(&self) -> Failure {
        Kind::Transfer.because(format_args!("{} takes no files; run `handfast recv` there", self.name))
    }

    fn not_paired(&self) -> Failure {
        let name = &self.name;
        Kind::NotPaired.because(format_args!(
            "{name} is not paired with this device any more; pair again with `handfast pair`"
        ))
    }

    fn unreachable(&self, last: Option<DialError>) -> Failure {
        let (name, within) = (&self.name, FOUND_WITHIN.as_secs());
        match last {
            None
            | Some(
                DialError::Begin(ConnectError::NoAddress) | DialError::Failed(ConnectFailure::NoAddress),
            ) => Kind::Unreachable.because(format_args!(
                "{name} was not found on this network within {within} s; is `handfast recv` running there?"
            )),
            Some(error) => Kind::Unreachable
                .because(format_args!("{name} could not be reached within {within} s: {error}")),
        }
    }
}

/// Whether the other device runs, and does not receive.
fn is_refused(error: &TransferError) -> bool {
    let TransferError::Stream(error) = error else { return false };
    let Some(cause) = error.get_ref() else { return false };
    matches!(cause.downcast_ref(), Some(ReadError::Reset(REFUSED)))
        || matches!(cause.downcast_ref(), Some(WriteError::Stopped(REFUSED)))
}

fn open(file: &Named) -> Result<Source<File>, Failure> {
    Source::open(&file.path)
        .map_err(|error| Kind::Transfer.because(format_args!("cannot read {}: {error}", file.word)))
}

/// Where the files are that the user names, each of which can be read at this moment.
pub(crate) fn files(words: &[PathBuf]) -> Result<Vec<Named>, Failure> {
    let named = |word: &PathBuf| {
        let cannot = |error| Kind::Transfer.because(format_args!("cannot read {}: {error}", word.display()));
        let file =
            Named { word: word.display().to_string(), path: std::path::absolute(word).map_err(cannot)? };
        open(&file).and(Ok(file))
    };
    words.iter().map(named).collect()
}
