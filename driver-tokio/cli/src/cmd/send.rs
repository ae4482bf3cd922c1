//! `handfast send`: files to a paired device.

use super::locate::FOUND_WITHIN;
use crate::args::Global;
use crate::exit::{Failure, Kind};
use crate::home::Home;
use crate::node::{self, Session};
use crate::output::{Event as Line, Output};
use crate::peer;
use crate::transfer::send::{Source, send};
use crate::transfer::{LABEL, TransferError};
use handfast_core::error::{ConnectError, ReadError, WriteError};
use handfast_core::{ConnectFailure, Event, PeerId, PeerIdKind};
use handfast_tokio::{Connection, DialError, Events};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A dial that failed is tried again after this time, or when something new is heard of the device.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The code of a stream that was not accepted.
const REFUSED: u64 = 0x11;

/// What is sent and to whom, checked before anything is started.
#[derive(Debug)]
pub(crate) struct Job {
    peer: PeerId,
    name: String,
    files: Vec<PathBuf>,
}

impl Job {
    /// Checks that the device is paired and that the files can be read.
    pub(crate) fn new(home: &Home, files: Vec<PathBuf>, word: &str) -> Result<Self, Failure> {
        let records = home.paired()?;
        let record = peer::find_paired(word, &records)?;
        for path in &files {
            open(path)?;
        }
        let peer = record.peer.peer_id(PeerIdKind::Sha1);
        let name = match record.metadata.name.as_str() {
            "" => word.to_owned(),
            name => name.to_owned(),
        };
        Ok(Self { peer, name, files })
    }

    /// Sends one file after the other; the first that fails ends it.
    pub(crate) async fn run(
        self,
        session: &mut Session,
        global: &Global,
        output: &Output,
    ) -> Result<(), Failure> {
        session.refuse_streams();
        let mut events = session.events();
        for address in node::given_addresses(global).await? {
            session.node.add_address(self.peer, address);
        }
        let connection = self.connect(session, &mut events, output).await?;
        for path in &self.files {
            self.send(&connection, path, output).await?;
        }
        Ok(())
    }

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
            match timeout_at(deadline, session.node.connect(self.peer)).await {
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

    async fn send(&self, connection: &Connection, path: &Path, output: &Output) -> Result<(), Failure> {
        let source = open(path)?;
        let bytes = source.size;
        let mut progress = output.progress(&source.name, bytes);
        let cannot = |error: &dyn std::fmt::Display| {
            Kind::Transfer.because(format_args!("{} was not sent: {error}", path.display()))
        };
        let (out, back) = connection.open_bi(LABEL).await.map_err(|error| cannot(&error))?;
        let sent = send(source, out, back, |bytes| progress.at(bytes)).await;
        drop(progress);
        sent.map_err(|error| if is_refused(&error) { self.no_receiver() } else { cannot(&error) })?;
        output.tell(&Line::Sent { path: path.display().to_string(), bytes, peer: self.peer.to_string() });
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

fn open(path: &Path) -> Result<Source<File>, Failure> {
    Source::open(path)
        .map_err(|error| Kind::Transfer.because(format_args!("cannot read {}: {error}", path.display())))
}
