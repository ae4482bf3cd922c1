//! `handfast recv`: what paired devices send, for as long as it runs.

use super::prompt::Desk;
use crate::exit::{Failure, Kind};
use crate::hub::Session;
use crate::output::{Event as Line, Output};
use crate::peer;
use crate::transfer::header::{Offer, Reason, What};
use crate::transfer::pipe::Stdout;
use crate::transfer::rate::Rate;
use crate::transfer::recv::{self, Beginning};
use crate::transfer::store::{Received, Store};
use crate::transfer::{LABEL, Step, TransferError, name};
use crate::work::{Into, Receive};
use handfast_core::PeerId;
use handfast_tokio::{Incoming, RecvStream, SendStream};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Files that are received at a time: each holds a file open, a thread of the pool and a few blocks. More
/// wait their turn.
const AT_A_TIME: usize = 16;

/// Files of one peer that are received at a time: others are not to wait for one that is slow on purpose.
const OF_A_PEER: usize = 6;

/// Makes sure that there is a folder to receive into.
pub(crate) fn folder(folder: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder).and_then(|()| folder.canonicalize()).map_err(|error| {
        Kind::Transfer.because(format_args!("cannot use the folder {}: {error}", folder.display()))
    })
}

/// Runs until it is dropped, or until it has what it was to receive.
pub(crate) async fn run(session: &mut Session, output: &Output, what: Receive) -> Result<(), Failure> {
    session.ask_for_all();
    let mut events = session.events();
    let from = match &what.from {
        Some(word) => Some(peer::find_paired(word, &session.hub.paired())?.id()),
        None => None,
    };
    let mut streams = session.receive(from);
    session.tell_listening(output);
    let mut desk = Desk::new(session.asking, output);
    let receiver = Arc::new(Receiver::new(output, &what, from));
    let mut files = JoinSet::new();
    loop {
        tokio::select! {
            stream = streams.next() => {
                let Some(stream) = stream else { return Ok(()) };
                output.room().await;
                let from = session.name_of(stream.peer());
                let receiver = Arc::clone(&receiver);
                files.spawn(async move { receiver.stream(stream, &from).await });
            }
            Some(ended) = files.join_next() => match ended {
                Ok(Ended::Last(result)) => return result,
                Ok(Ended::One) | Err(_) => {}
            },
            event = events.next() => match event {
                None => return Ok(()),
                Some(event) => desk.tell(&event),
            },
            Some(prompt) = session.prompts.recv() => desk.ask(prompt),
            () = desk.answered() => {}
        }
    }
}

/// How a stream ended.
enum Ended {
    /// The command goes on.
    One,
    /// It was what the command waited for.
    Last(Result<(), Failure>),
}

/// What receives.
struct Receiver {
    output: Output,
    from: Option<PeerId>,
    goal: Goal,
    places: Semaphore,
    /// Each peer's share of the places. As many as there are paired devices, at most.
    shares: Mutex<BTreeMap<PeerId, Arc<Semaphore>>>,
}

enum Goal {
    /// All that comes.
    All(Store),
    /// What one command of a peer sends.
    Once(Store),
    /// One file, or one pipe, to standard output.
    Stdout { rate: Option<Rate>, taken: AtomicBool },
}

impl Receiver {
    fn new(output: &Output, what: &Receive, from: Option<PeerId>) -> Self {
        let rate = what.limit.map(Rate::new);
        let goal = match &what.into {
            Into::Folder(folder) if what.once => Goal::Once(Store::new(folder, rate)),
            Into::Folder(folder) => Goal::All(Store::new(folder, rate)),
            Into::Stdout => Goal::Stdout { rate, taken: AtomicBool::new(false) },
        };
        Self {
            output: output.clone(),
            from,
            goal,
            places: Semaphore::new(AT_A_TIME),
            shares: Mutex::default(),
        }
    }

    /// One stream. One that is something else than a file is refused.
    async fn stream(&self, stream: Incoming, from: &str) -> Ended {
        if stream.label() != LABEL {
            stream.refuse();
            return Ended::One;
        }
        let peer = stream.peer();
        let share = self.share(peer);
        // Neither is ever closed.
        let (_share, _place) = (share.acquire().await, self.places.acquire().await);
        // One that goes one way has no way to say what becomes of it.
        let (Some(mut back), mut recv) = stream.accept() else { return Ended::One };
        match self.offered(peer, from, &mut recv, &mut back).await {
            Ok(ended) => ended,
            Err(TransferError::Unwanted(Reason::Device)) => {
                self.output.tell(&Line::Refused {
                    reason: "other_device".into(),
                    remote: None,
                    attempts_left: None,
                    peer: Some(peer.to_string()),
                });
                Ended::One
            }
            Err(error) => {
                self.output.fail(&failure(from, &error));
                Ended::One
            }
        }
    }

    fn share(&self, peer: PeerId) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shares.entry(peer).or_insert_with(|| Arc::new(Semaphore::new(OF_A_PEER))))
    }

    async fn offered(
        &self,
        peer: PeerId,
        from: &str,
        recv: &mut RecvStream,
        back: &mut SendStream,
    ) -> Result<Ended, TransferError> {
        let offer = recv::offer(recv).await?;
        if let Err(error) = self.check(peer, &offer) {
            recv::refuse(back, &error).await;
            return Err(error);
        }
        let names: Vec<_> = offer.path.iter().map(|name| name::sanitise(name)).collect();
        let (name, total) = (names.join("/"), offer.size());
        let (id, from) = (peer.to_string(), from.to_owned());
        self.output.tell(&Line::Offer {
            peer: id.clone(),
            from: from.clone(),
            name: name.clone(),
            bytes: total,
        });
        let mut progress = self.output.progress(&name, total);
        let step = |step| match step {
            Step::At(bytes) => progress.at(bytes),
            Step::Resumed(bytes) => {
                progress.at(bytes);
                self.output.tell(&Line::Resumed { name: name.clone(), bytes, total, peer: id.clone() });
            }
        };
        let ends = (recv, back);
        let (store, is_once) = match &self.goal {
            Goal::All(store) => (store, false),
            Goal::Once(store) => (store, true),
            Goal::Stdout { rate, .. } => {
                let stdout = Stdout::of(self.output.far());
                let received =
                    recv::receive(total, Beginning::none(), stdout, ends, rate.as_ref(), step).await;
                return Ok(Ended::Last(match received {
                    Ok((bytes, ())) => {
                        self.output.tell(&Line::Received { path: "-".to_owned(), bytes, peer: id.clone() });
                        Ok(())
                    }
                    Err(error) => Err(failure(&from, &error)),
                }));
            }
        };
        let received = store.take(peer, &offer, ends, step).await?;
        if let Received::Stored { path, bytes } = received {
            let path = path.display().to_string();
            self.output.tell(&Line::Received { path, bytes, peer: id.clone() });
        }
        let is_last = is_once && offer.number.checked_add(1) == Some(offer.of);
        Ok(if is_last { Ended::Last(Ok(())) } else { Ended::One })
    }

    /// Whether it is wanted at all.
    fn check(&self, peer: PeerId, offer: &Offer) -> Result<(), TransferError> {
        if self.from.is_some_and(|from| from != peer) {
            return Err(TransferError::Unwanted(Reason::Device));
        }
        if !offer.is_sound() {
            return Err(TransferError::Unwanted(Reason::Name));
        }
        let Goal::Stdout { taken, .. } = &self.goal else { return Ok(()) };
        if offer.of != 1 || offer.what == (What::Folder {}) || taken.swap(true, Ordering::Relaxed) {
            return Err(TransferError::Unwanted(Reason::One));
        }
        Ok(())
    }
}

fn failure(from: &str, error: &TransferError) -> Failure {
    Kind::Transfer.because(format_args!("a file of {from} was not received: {error}"))
}
