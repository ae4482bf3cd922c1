//! What a command that receives into a folder has: what peers sent, and what is on its way.
//!
//! One item of a peer's command is under way at a time. When it comes anew, over another connection, the old
//! one is given up, though its connection be not known to be lost yet.

use super::header::{FromReceiver, Id, Offer, What};
use super::parts::{self, Looks, Part, Parts};
use super::place::{self, Begun, Place};
use super::rate::Rate;
use super::recv::{self, Beginning, Sink, blocking};
use super::{Step, TransferError, space};
use bytes::Bytes;
use handfast_core::PeerId;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task;

/// Commands of peers that are known at a time: of one peer, and in all. The oldest is forgotten.
const MAX_RUNS_OF_A_PEER: usize = 32;
const MAX_RUNS: usize = 512;

/// A pipe may fill the disk at any time: before so many bytes more it is looked whether they fit.
const LOOK_EVERY: u64 = 64 << 20;

/// Where a command receives.
#[derive(Debug)]
pub(crate) struct Store {
    parts: Parts,
    rate: Option<Rate>,
    runs: Mutex<Runs>,
}

#[derive(Debug, Default)]
struct Runs {
    next: u64,
    runs: BTreeMap<(PeerId, Id), (u64, Arc<Run>)>,
}

/// A command of a peer.
#[derive(Debug, Default)]
struct Run {
    /// Raised by each item that comes: the one before is given up.
    turn: watch::Sender<u64>,
    last: tokio::sync::Mutex<Last>,
}

/// What was stored last of a command.
#[derive(Debug, Default)]
struct Last {
    /// The item: whoever did not hear of it offers it again.
    item: Option<Id>,
    /// Its argument. When the next one comes, all of it is there.
    root: Option<Id>,
}

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It was stored before, which its sender had not heard.
    Again,
    Stored {
        path: PathBuf,
        bytes: u64,
    },
}

impl Store {
    /// Receives into this folder.
    pub(crate) fn new(folder: &Path, rate: Option<Rate>) -> Self {
        Self { parts: Parts::of(folder), rate, runs: Mutex::default() }
    }

    /// Takes what a peer offers. What is not whole in the end has no name, and its beginning is kept for when it
    /// is offered again.
    pub(crate) async fn take(
        &self,
        peer: PeerId,
        offer: &Offer,
        (from, back): (&mut (impl AsyncRead + Unpin), &mut (impl AsyncWrite + Unpin)),
        step: impl FnMut(Step),
    ) -> Result<Received, TransferError> {
        let run = self.run(peer, offer.run);
        let turn = run.begin();
        let mut last = run.last.lock().await;
        if last.item == Some(offer.id) {
            recv::last_word(back, &FromReceiver::Verified {}).await;
            return Ok(Received::Again);
        }
        tokio::select! {
            result = self.store(peer, offer, (from, back), step) => {
                if result.is_ok() {
                    last.item = Some(offer.id);
                    let before = last.root.replace(offer.root).filter(|root| *root != offer.root);
                    let now = (offer.number.checked_add(1) == Some(offer.of)).then_some(offer.root);
                    self.forget(peer, [before, now]).await;
                }
                result
            }
            () = run.given_up(turn) => Err(TransferError::Stream(io::ErrorKind::ConnectionAborted.into())),
        }
    }

    async fn store(
        &self,
        peer: PeerId,
        offer: &Offer,
        (from, back): (&mut (impl AsyncRead + Unpin), &mut (impl AsyncWrite + Unpin)),
        step: impl FnMut(Step),
    ) -> Result<Received, TransferError> {
        let (parts, offered) = (self.parts.clone(), offer.clone());
        let begun = task::spawn_blocking(move || begin(&parts, peer, &offered)).await;
        let (beginning, target) =
            match begun.map_err(io::Error::other).map_err(TransferError::Local).flatten() {
                Ok(begun) => begun,
                Err(error) => {
                    recv::refuse(back, &error).await;
                    return Err(error);
                }
            };
        if offer.what == (What::Folder {}) {
            let path = blocking(move || target.done()).await.map_err(TransferError::Local)?;
            recv::last_word(back, &FromReceiver::Verified {}).await;
            return Ok(Received::Stored { path, bytes: 0 });
        }
        let size = offer.size();
        let (bytes, path) =
            recv::receive(size, beginning, target, (from, back), self.rate.as_ref(), step).await?;
        Ok(Received::Stored { path, bytes })
    }

    /// These folders are whole.
    async fn forget(&self, peer: PeerId, roots: [Option<Id>; 2]) {
        if roots == [None, None] {
            return;
        }
        let parts = self.parts.clone();
        let forget = move || roots.into_iter().flatten().for_each(|root| parts.forget_folder(peer, root));
        // A note that stays is removed when it is old.
        let _ = task::spawn_blocking(forget).await;
    }

    fn run(&self, peer: PeerId, run: Id) -> Arc<Run> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, run)) = runs.runs.get(&(peer, run)) {
            return Arc::clone(run);
        }
        runs.make_room(peer);
        runs.next += 1;
        let (number, new) = (runs.next, Arc::new(Run::default()));
        runs.runs.insert((peer, run), (number, Arc::clone(&new)));
        new
    }
}

impl Runs {
    fn make_room(&mut self, peer: PeerId) {
        let of_peer = self.runs.keys().filter(|(of, _)| *of == peer).count();
        let all = self.runs.len();
        let mut oldest: Option<((PeerId, Id), u64)> = None;
        for (key, (number, run)) in &self.runs {
            let is_spare = Arc::strong_count(run) == 1
                && (all >= MAX_RUNS || (of_peer >= MAX_RUNS_OF_A_PEER && key.0 == peer));
            if is_spare && oldest.is_none_or(|(_, least)| *number < least) {
                oldest = Some((*key, *number));
            }
        }
        if let Some((key, _)) = oldest {
            self.runs.remove(&key);
        }
    }
}

impl Run {
    fn begin(&self) -> u64 {
        self.turn.send_modify(|turn| *turn += 1);
        *self.turn.borrow()
    }

    async fn given_up(&self, turn: u64) {
        let mut turns = self.turn.subscribe();
        // Its sender is a field of this.
        let _ = turns.wait_for(|now| *now > turn).await;
    }
}

/// Where a file goes.
struct Target {
    place: Place,
    looks: Looks,
    into: Into,
    parts: Parts,
    peer: PeerId,
    size: Option<u64>,
    written: u64,
}

enum Into {
    /// A folder, which has no bytes.
    Folder,
    Part(Part),
    /// What is there already may be the very file.
    There(PathBuf),
}

/// Makes the place of a file, and looks what of it is there. Blocks.
fn begin(parts: &Parts, peer: PeerId, offer: &Offer) -> Result<(Beginning, Target), TransferError> {
    let local = TransferError::Local;
    // Of all that is to come when the first item does, and of each.
    let coming = if offer.number == 0 { offer.total } else { 0 };
    let place = match offer.what {
        What::Folder {} if offer.path.len() == 1 => place::new_top(parts, offer)?,
        _ => place::make(parts, peer, offer)?,
    };
    let target = |looks, into| Target {
        place: place.clone(),
        looks,
        into,
        parts: parts.clone(),
        peer,
        size: offer.size(),
        written: 0,
    };
    let none = Beginning::none;
    let (size, looks) = match offer.what {
        What::Folder {} => return Ok((none(), target(Looks::default(), Into::Folder))),
        What::Pipe {} => {
            let part = parts.fresh(peer).map_err(local)?;
            return Ok((none(), target(Looks::default(), Into::Part(part))));
        }
        What::File { size, modified, executable } => (size, Looks { modified, executable }),
    };
    let path = place.folder.join(&place.name);
    if place.begun == Begun::Before
        && let Some(mut there) = same(&path, size, looks)
    {
        let (bytes, hash) = parts::hash(&mut there).map_err(local)?;
        if bytes == size {
            return Ok((Beginning { bytes, hash }, target(looks, Into::There(path))));
        }
    }
    let mut part = parts.open(peer, offer.key).map_err(local)?;
    let (bytes, hash) = part.read(size).map_err(local)?;
    space::check(parts.into(), (size - bytes.min(size)).max(coming.saturating_sub(bytes))).map_err(local)?;
    Ok((Beginning { bytes, hash }, target(looks, Into::Part(part))))
}

/// A file of that size which was last changed at that time.
fn same(path: &Path, size: u64, looks: Looks) -> Option<File> {
    let about = fs::symlink_metadata(path).ok()?;
    let modified = about.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let is_same = about.is_file() && about.len() == size && looks.modified == Some(modified.as_secs());
    if is_same { File::open(path).ok() } else { None }
}

impl Sink for Target {
    type Done = PathBuf;

    fn write(&mut self, bytes: &Bytes) -> io::Result<()> {
        let Into::Part(part) = &mut self.into else { return Err(io::ErrorKind::InvalidInput.into()) };
        let before = self.written.div_ceil(LOOK_EVERY);
        self.written += bytes.len() as u64;
        if self.size.is_none() && self.written.div_ceil(LOOK_EVERY) > before {
            space::check(&self.place.folder, LOOK_EVERY)?;
        }
        part.file().write_all(bytes)
    }

    fn clear(&mut self) -> io::Result<()> {
        match &mut self.into {
            Into::Part(part) => part.clear(),
            Into::Folder | Into::There(_) => {
                self.into = Into::Part(self.parts.fresh(self.peer)?);
                Ok(())
            }
        }
    }

    fn spoil(&mut self) {
        if let Into::Part(part) = &mut self.into {
            part.spoil();
        }
    }

    fn done(self) -> io::Result<PathBuf> {
        let Place { folder, name, .. } = self.place;
        match self.into {
            Into::Folder => {
                let path = folder.join(name);
                place::real_folder(&path).map(|()| path)
            }
            Into::Part(part) => part.publish(&folder, &name, self.looks),
            Into::There(path) => Ok(path),
        }
    }
}
