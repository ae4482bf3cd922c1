//! `handfast send`: files, folders or standard input to a paired device.
//!
//! One item after the other. When the connection is lost, the item goes on over the next one where the other
//! device has it.

use super::reach::{Route, Since};
use crate::exit::{Failure, Kind};
use crate::hub::Session;
use crate::output::{Event as Line, Output};
use crate::peer;
use crate::transfer::folder::{self, Item};
use crate::transfer::header::{Bin, Offer, What};
use crate::transfer::pipe::Input;
use crate::transfer::rate::Rate;
use crate::transfer::send::{Supply, send};
use crate::transfer::{LABEL, Step, TransferError};
use crate::work::{Cargo, Named, Passed, Sending};
use handfast_core::error::{ReadError, WriteError};
use handfast_tokio::{Connection, Events};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task;
use tokio::time::{Instant, sleep};

/// An item that broke off is offered again after this time.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The code of a stream that was not accepted.
const REFUSED: u64 = 0x11;

/// Sends one item after the other; the first that fails ends it.
pub(crate) async fn run(session: &mut Session, output: &Output, what: Sending) -> Result<(), Failure> {
    let paired = session.hub.paired();
    let device = peer::find_paired(&what.peer, &paired)?;
    let route = Route { peer: device.id(), name: device.shown_name(), patience: what.patience };
    let loads = load(&what, output).await?;
    session.receive_nothing();
    let events = session.events();
    for address in session.given_addresses().await? {
        session.node().add_address(route.peer, address);
    }
    let mut sender = Sender {
        session,
        output,
        events,
        route,
        rate: what.limit.map(Rate::new),
        connection: None,
        since: Since::Start(Instant::now()),
    };
    for load in loads {
        output.room().await;
        sender.item(&load).await?;
        output.passed(load.passed);
    }
    Ok(())
}

/// Something to send.
#[derive(Debug)]
struct Load {
    offer: Offer,
    /// What the user called it.
    word: String,
    /// Where its bytes are; none for a pipe.
    path: Option<PathBuf>,
    passed: Passed,
}

/// All that is to be sent still. Tells what is left out.
async fn load(what: &Sending, output: &Output) -> Result<Vec<Load>, Failure> {
    let named = match &what.cargo {
        Cargo::Pipe { name } => return Ok(vec![pipe(what, name)]),
        Cargo::Files(named) => named.clone(),
    };
    let words: Vec<_> = named.iter().map(|named| named.word.clone()).collect();
    let found = task::spawn_blocking(move || folder::find(&named)).await;
    let found = found.map_err(|error| Kind::Internal.because(error))?;
    let found = found.map_err(|(path, error)| cannot_read(&path, &error))?;
    for skipped in &found.skipped {
        let (path, reason) = (skipped.path.display().to_string(), skipped.why.name().into());
        output.tell(&Line::Skipped { path, reason });
    }
    let of = found.items.len() as u64;
    let size = |item: &Item| if let What::File { size, .. } = item.what { size } else { 0 };
    let mut total = found.items.iter().map(size).fold(0, u64::saturating_add);
    let mut loads = Vec::new();
    for (number, item) in found.items.into_iter().enumerate() {
        let passed = Passed { argument: item.argument, names: item.names.clone() };
        let is_passed = what.after.as_ref().is_some_and(|after| passed <= *after);
        let word = words.get(item.argument).map_or("", String::as_str);
        let offer = Offer {
            run: Bin(what.run),
            id: folder::id(&[&what.run, &item.argument.to_be_bytes(), item.names.join("\0").as_bytes()]),
            key: item.key,
            root: item.root,
            number: number as u64,
            of,
            total,
            path: item.names.clone(),
            what: item.what.clone(),
        };
        total = total.saturating_sub(size(&item));
        if !is_passed {
            let below: PathBuf = item.names[1..].iter().collect();
            let word = if item.names.len() > 1 { Path::new(word).join(below) } else { word.into() };
            loads.push(Load { offer, word: word.display().to_string(), path: Some(item.path), passed });
        }
    }
    Ok(loads)
}

fn pipe(what: &Sending, name: &str) -> Load {
    let run = Bin(what.run);
    let path = vec![folder::cut(name)];
    let offer =
        Offer { run, id: run, key: run, root: run, number: 0, of: 1, total: 0, path, what: What::Pipe {} };
    let passed = Passed { argument: 0, names: Vec::new() };
    Load { offer, word: "-".to_owned(), path: None, passed }
}

/// What sends.
struct Sender<'a> {
    session: &'a Session,
    output: &'a Output,
    events: Events,
    route: Route,
    rate: Option<Rate>,
    connection: Option<Connection>,
    /// Since when nothing went through.
    since: Since,
}

impl Sender<'_> {
    /// One item, over as many connections as it takes.
    async fn item(&mut self, load: &Load) -> Result<(), Failure> {
        loop {
            let connection = match &self.connection {
                Some(connection) => connection.clone(),
                None => {
                    let (route, events) = (self.route.clone(), &mut self.events);
                    route.connect(self.session, events, self.output, self.since).await?
                }
            };
            self.connection = Some(connection.clone());
            let error = match self.attempt(&connection, load).await {
                Ok(bytes) => {
                    let (path, peer) = (load.word.clone(), self.route.peer.to_string());
                    self.output.tell(&Line::Sent { path, bytes, peer });
                    return Ok(());
                }
                Err(error) => error,
            };
            self.broken_off(load, &error)?;
            sleep(AGAIN_AFTER).await;
        }
    }

    /// Whether it is worth to go on.
    fn broken_off(&mut self, load: &Load, error: &TransferError) -> Result<(), Failure> {
        let is_refused = is_refused(error);
        let Since::Lost(since) = self.since else {
            return Err(if is_refused { self.route.no_receiver() } else { not_sent(load, error) });
        };
        if !matches!(error, TransferError::Stream(_)) || load.path.is_none() {
            return Err(not_sent(load, error));
        }
        if since.elapsed() > self.route.patience {
            return Err(self.route.unreachable(self.since, None));
        }
        // A device that receives no longer may be about to do so again, over the same connection.
        if !is_refused && self.connection.take().is_some() {
            let (peer, name) = (self.route.peer.to_string(), self.route.name.clone());
            self.output.tell(&Line::Disconnected { peer, name });
        }
        Ok(())
    }

    async fn attempt(&mut self, connection: &Connection, load: &Load) -> Result<u64, TransferError> {
        match (&load.path, &load.offer.what) {
            (None, _) => {
                let input = Input::of(self.output.far());
                self.offer(connection, load, input).await
            }
            (Some(_), What::Folder {}) => self.offer(connection, load, io::empty()).await,
            (Some(path), _) => {
                let file = File::open(path).map_err(TransferError::Local)?;
                self.offer(connection, load, file).await
            }
        }
    }

    async fn offer(
        &mut self,
        connection: &Connection,
        load: &Load,
        bytes: impl Supply,
    ) -> Result<u64, TransferError> {
        let broken = |error| TransferError::Stream(io::Error::other(error));
        let (mut out, mut back) = connection.open_bi(LABEL).await.map_err(broken)?;
        let (name, total) = (load.offer.path.join("/"), load.offer.size());
        let mut progress = self.output.progress(&name, total);
        let mut last = None;
        let step = |step| {
            // Every byte that goes through is a reason to hope.
            last = Some(Instant::now());
            match step {
                Step::At(bytes) => progress.at(bytes),
                Step::Resumed(bytes) => {
                    progress.at(bytes);
                    let peer = self.route.peer.to_string();
                    self.output.tell(&Line::Resumed { name: name.clone(), bytes, total, peer });
                }
            }
        };
        let rate = self.rate.as_ref();
        let sent = send(load.offer.clone(), bytes, (&mut out, &mut back), rate, step).await;
        // What was taken once may be taken again: from here on a failure is a loss.
        let last = last.or_else(|| sent.is_ok().then(Instant::now));
        if let Some(last) = last {
            self.since = Since::Lost(last);
        }
        sent
    }
}

fn not_sent(load: &Load, error: &TransferError) -> Failure {
    Kind::Transfer.because(format_args!("{} was not sent: {error}", load.word))
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Kind::Transfer.because(format_args!("cannot read {}: {error}", path.display()))
}

/// Whether the other device runs, and does not receive.
fn is_refused(error: &TransferError) -> bool {
    let TransferError::Stream(error) = error else { return false };
    let Some(cause) = error.get_ref() else { return false };
    matches!(cause.downcast_ref(), Some(ReadError::Reset(REFUSED)))
        || matches!(cause.downcast_ref(), Some(WriteError::Stopped(REFUSED)))
}

/// Where the files are that the user names, each of which can be read at this moment.
pub(crate) fn files(words: &[PathBuf]) -> Result<Vec<Named>, Failure> {
    let named = |word: &PathBuf| {
        let cannot = |error| cannot_read(word, &error);
        let path = std::path::absolute(word).map_err(cannot)?;
        match path.is_dir() {
            true => std::fs::read_dir(&path).map(drop).map_err(cannot)?,
            false => File::open(&path).map(drop).map_err(cannot)?,
        }
        Ok(Named { word: word.display().to_string(), path })
    };
    words.iter().map(named).collect()
}
