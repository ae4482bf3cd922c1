//! `handfast demo`: two nodes in one process meet, pair and send, over the loopback interface.
//!
//! Nothing in it is made easy: real homes on disk, real multicast, real sockets. Every wait has an end, so
//! that it fails rather than hangs.

use crate::args::Global;
use crate::exit::{Failure, Kind};
use crate::home::Home;
use crate::hub::{Hub, Session};
use crate::node;
use crate::output::{Done, Event as Line, Figures, Output};
use crate::transfer::header::{Bin, Offer, What};
use crate::transfer::recv::{self, Beginning, Sink};
use crate::transfer::send::{Supply, send};
use crate::transfer::{LABEL, Step, TransferError};
use crate::work::{Asking, Options};
use bytes::Bytes;
use handfast_core::{Consent, PeerId, Target};
use handfast_tokio::Events;
use std::fmt::Display;
use std::future::Future;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Multicast on one host takes milliseconds; this is for a host that is busy with something else.
const FOUND_WITHIN: Duration = Duration::from_secs(10);

/// Two round trips and four writes to disk on each side, with room to spare.
const PAIRED_WITHIN: Duration = Duration::from_secs(20);

/// A slow machine gets so long for the file.
const SENT_WITHIN: Duration = Duration::from_secs(120);

/// So long after its start a node has announced itself twice, one second apart, and another second has passed
/// in which it may not repeat itself: it answers newcomers at once. RFC 6762 §8.3, §6.
const SETTLED_AFTER: Duration = Duration::from_millis(2200);

/// Runs the demonstration with a file of so many mebibytes.
pub(crate) async fn run(global: &Global, output: &Output, mebibytes: u64) -> Result<Done, Failure> {
    let folder = tempfile::tempdir().map_err(|error| Kind::Home.because(error))?;
    let mut global = global.clone();
    if global.interface.is_empty() {
        global.interface.push(node::loopback()?);
    }
    let left = start(&global, folder.path(), "left").await?;
    let waiting = output.waiting("a device has come up on this network");
    sleep(SETTLED_AFTER).await;
    drop(waiting);
    let started = Instant::now();
    let right = start(&global, folder.path(), "right").await?;
    let figures = acts(left, right, started, output, mebibytes << 20).await?;
    Ok(Done { ok: true, figures: Some(figures) })
}

async fn start(global: &Global, folder: &Path, name: &str) -> Result<Session, Failure> {
    let options = Options { name: Some(name.to_owned()), port: 0, ..Options::from(global) };
    let home = Home::open(&folder.join(name))?;
    Ok(Hub::start(options, Consent::Given, home).await?.session(Asking::Nothing, None))
}

/// The three acts; both nodes say goodbye however they end.
async fn acts(
    mut left: Session,
    mut right: Session,
    started: Instant,
    output: &Output,
    bytes: u64,
) -> Result<Figures, Failure> {
    let played = async {
        within(
            FOUND_WITHIN,
            "the two nodes did not find each other by multicast",
            meet(&mut left, &mut right),
        )
        .await??;
        let discovered_ms = millis(started);
        for session in [&left, &right] {
            for peer in session.discovered() {
                output.tell(&Line::Found(node::found(&peer)));
            }
        }
        let started = Instant::now();
        within(PAIRED_WITHIN, "the two nodes did not pair", pair(&left, &right, output)).await??;
        let paired_ms = millis(started);
        let started = Instant::now();
        within(SENT_WITHIN, "the file was not sent", stream(&left, &right, output, bytes)).await??;
        let mib_per_s = bytes as f64 / f64::from(1 << 20) / started.elapsed().as_secs_f64();
        Ok(Figures { bytes, mib_per_s: (mib_per_s * 10.0).round() / 10.0, discovered_ms, paired_ms })
    };
    let figures = played.await;
    tokio::join!(left.hub.shutdown(), right.hub.shutdown());
    figures
}

/// Each has found the other.
async fn meet(left: &mut Session, right: &mut Session) -> Result<(), Failure> {
    let (left_id, right_id) = (left.node().id(), right.node().id());
    tokio::try_join!(see(left, right_id), see(right, left_id)).map(|_| ())
}

async fn see(session: &mut Session, other: PeerId) -> Result<(), Failure> {
    let mut events: Events = session.events();
    while !session.discovered().iter().any(|peer| peer.id == other) {
        events.next().await.ok_or_else(|| Kind::Internal.because("a node was stopped"))?;
    }
    Ok(())
}

/// The left one shows a code, the right one types it.
async fn pair(left: &Session, right: &Session, output: &Output) -> Result<(), Failure> {
    let failed = |error: &dyn Display| Kind::Pairing.because(error);
    let hosting = left.node().pair_host(Target::Any).map_err(|error| failed(&error))?;
    let code = hosting.code().clone();
    output.tell(&Line::Code { code: code.to_string(), seconds: hosting.window().as_secs() });
    let typed = async {
        right.node().pair_join(code, Target::Peer(left.node().id())).await.map_err(|error| failed(&error))
    };
    let shown = async { hosting.outcome().await.map_err(|error| failed(&error)) };
    let (left_has, right_has) = tokio::try_join!(shown, typed)?;
    for paired in [left_has, right_has] {
        output.tell(&node::paired(&paired));
    }
    Ok(())
}

/// The right one sends, the left one checks the hash.
async fn stream(left: &Session, right: &Session, output: &Output, bytes: u64) -> Result<(), Failure> {
    let failed = |error: &dyn Display| Kind::Transfer.because(error);
    let mut streams = left.receive(None);
    let mut progress = output.progress("demo", Some(bytes));
    let sending = async {
        let connection = right.node().connect(left.node().id()).await.map_err(|error| failed(&error))?;
        let (mut out, mut back) = connection.open_bi(LABEL).await.map_err(|error| failed(&error))?;
        let id = Bin([0; 16]);
        let (path, what) =
            (vec!["demo".to_owned()], What::File { size: bytes, modified: None, executable: false });
        let offer = Offer { run: id, id, key: id, root: id, number: 0, of: 1, total: bytes, path, what };
        let pattern = Pattern { state: 0, left: bytes };
        send(offer, pattern, (&mut out, &mut back), None, |_| {}).await.map_err(|error| failed(&error))
    };
    let receiving = async {
        let stream = streams.next().await.ok_or_else(|| Kind::Internal.because("a node was stopped"))?;
        let (Some(mut back), mut from) = stream.accept() else {
            return Err(Kind::Internal.because("a stream without a way back"));
        };
        let received: Result<(), TransferError> = async {
            let offer = recv::offer(&mut from).await?;
            let step = |step| {
                if let Step::At(bytes) = step {
                    progress.at(bytes);
                }
            };
            let ends = (&mut from, &mut back);
            recv::receive(offer.size(), Beginning::none(), Nowhere, ends, None, step).await.map(drop)
        }
        .await;
        received.map_err(|error| failed(&error))
    };
    tokio::try_join!(sending, receiving)?;
    Ok(())
}

async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(limit, work)
        .await
        .map_err(|_| Kind::Unreachable.because(format_args!("{what} within {} s", limit.as_secs())))
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Bytes that no two blocks share, and that cost next to nothing to make: a counter, mixed.
#[derive(Debug)]
struct Pattern {
    state: u64,
    left: u64,
}

impl Read for Pattern {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        for chunk in buf[..len].chunks_mut(8) {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.state ^ (self.state >> 29)).to_le_bytes();
            chunk.copy_from_slice(&mixed[..chunk.len()]);
        }
        self.left -= len as u64;
        Ok(len)
    }
}

impl Supply for Pattern {
    fn rewind(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::NotSeekable.into())
    }
}

/// The hash is all that is kept of what arrives.
#[derive(Debug)]
struct Nowhere;

impl Sink for Nowhere {
    type Done = ();

    fn write(&mut self, _: &Bytes) -> io::Result<()> {
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn spoil(&mut self) {}

    fn done(self) -> io::Result<()> {
        Ok(())
    }
}
