//! The receiver's side of one file.
//!
//! Writes on a blocking thread, a few blocks behind the network. Never trusts the offered name or size.

use super::header::{self, FromReceiver, FromSender, MAX_NAME, Reason};
use super::publish::Part;
use super::{BLOCK, BLOCKS_WAITING, HASH_LEN, TransferError, name};
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task;

/// A file that a peer offers, its name made safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) size: u64,
}

/// A file that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Where the bytes go until they are found right: a [`Part`], or, for a demonstration, nowhere.
pub(crate) trait Sink: Send + 'static {
    /// What is made of it in the end.
    type Done: Send + 'static;
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Everything is there, and right.
    fn done(self) -> io::Result<Self::Done>;
}

impl Sink for Part {
    type Done = PathBuf;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file().write_all(bytes)
    }

    fn done(self) -> io::Result<PathBuf> {
        self.publish()
    }
}

/// Reads what the peer offers.
pub(crate) async fn offer(from: &mut (impl AsyncRead + Unpin)) -> Result<Offer, TransferError> {
    let FromSender::Offer { name, size } = header::read(from).await?;
    if name.len() > MAX_NAME {
        return Err(TransferError::Refused(Reason::Name));
    }
    Ok(Offer { name: name::sanitise(&name), size })
}

/// Accepts the offer and stores it in `folder`. `progress` is told the bytes that arrived so far.
///
/// Dropping the future leaves no file behind, nor does any error.
pub(crate) async fn store(
    offer: &Offer,
    folder: &Path,
    from: &mut (impl AsyncRead + Unpin),
    back: &mut (impl AsyncWrite + Unpin),
    progress: impl FnMut(u64),
) -> Result<Received, TransferError> {
    let (folder, name) = (folder.to_owned(), offer.name.clone());
    let part = blocking(move || Part::create(&folder, &name)).await;
    let part = match part {
        Ok(part) => part,
        Err(error) => {
            let reason = Reason::from(&error);
            last_word(back, &FromReceiver::Refused { reason }).await;
            return Err(TransferError::Local(error));
        }
    };
    let path = receive(offer.size, part, from, back, progress).await?;
    Ok(Received { path, bytes: offer.size })
}

/// Accepts `size` bytes into `sink`, and tells the sender what became of them.
pub(crate) async fn receive<S: Sink>(
    size: u64,
    sink: S,
    from: &mut (impl AsyncRead + Unpin),
    back: &mut (impl AsyncWrite + Unpin),
    mut progress: impl FnMut(u64),
) -> Result<S::Done, TransferError> {
    header::write(back, &FromReceiver::Accepted {}).await.map_err(TransferError::Stream)?;
    back.flush().await.map_err(TransferError::Stream)?;
    match body(size, sink, from, &mut progress).await {
        Ok(done) => {
            last_word(back, &FromReceiver::Verified {}).await;
            Ok(done)
        }
        Err(error) => {
            if let Some(reason) = reason(&error) {
                last_word(back, &FromReceiver::Failed { reason }).await;
            }
            Err(error)
        }
    }
}

async fn body<S: Sink>(
    size: u64,
    sink: S,
    from: &mut (impl AsyncRead + Unpin),
    progress: &mut impl FnMut(u64),
) -> Result<S::Done, TransferError> {
    let (blocks, waiting) = mpsc::channel(BLOCKS_WAITING);
    let writer = task::spawn_blocking(move || write_blocks(sink, waiting));
    let copied = copy(size, from, &blocks, progress).await;
    drop(blocks);
    // Waited for in every case: its error is the better one, and on a lost stream it removes the file.
    let written = writer.await.map_err(|error| TransferError::Local(io::Error::other(error)))?;
    let (sink, own_hash) = written.map_err(TransferError::Local)?;
    if copied? != own_hash {
        return Err(TransferError::Hash);
    }
    blocking(move || sink.done()).await.map_err(TransferError::Local)
}

/// Exactly `size` bytes to the writer, then the sender's hash, after which the stream must end.
async fn copy(
    size: u64,
    from: &mut (impl AsyncRead + Unpin),
    blocks: &mpsc::Sender<Bytes>,
    progress: &mut impl FnMut(u64),
) -> Result<[u8; HASH_LEN], TransferError> {
    let early_end = || TransferError::Stream(io::ErrorKind::UnexpectedEof.into());
    let mut left = size;
    while left > 0 {
        let room = BLOCK.min(usize::try_from(left).unwrap_or(BLOCK));
        let mut block = BytesMut::zeroed(room);
        from.read_exact(&mut block).await.map_err(TransferError::Stream)?;
        left -= block.len() as u64;
        if blocks.send(block.freeze()).await.is_err() {
            // The writer failed, which its own error says.
            return Err(early_end());
        }
        progress(size - left);
    }
    let mut hash = [0; HASH_LEN];
    from.read_exact(&mut hash).await.map_err(TransferError::Stream)?;
    match from.read(&mut [0]).await.map_err(TransferError::Stream)? {
        0 => Ok(hash),
        _ => Err(TransferError::Protocol("more bytes than were offered")),
    }
}

/// Until the channel closes. Gives the sink back for the caller to keep or to drop.
fn write_blocks<S: Sink>(mut sink: S, mut blocks: mpsc::Receiver<Bytes>) -> io::Result<(S, [u8; HASH_LEN])> {
    let mut hash = Sha256::new();
    while let Some(block) = blocks.blocking_recv() {
        hash.update(&block);
        sink.write(&block)?;
    }
    Ok((sink, hash.finalize().into()))
}

/// What the sender is told; nothing where it is gone.
fn reason(error: &TransferError) -> Option<Reason> {
    match error {
        TransferError::Changed | TransferError::Hash => Some(Reason::Hash),
        TransferError::Local(error) => Some(error.into()),
        TransferError::Refused(reason) => Some(*reason),
        TransferError::Protocol(_) | TransferError::Stream(_) => None,
    }
}

/// Said as well as the stream allows: what became of the file does not change with it.
async fn last_word(back: &mut (impl AsyncWrite + Unpin), message: &FromReceiver) {
    if header::write(back, message).await.is_ok() {
        let _ = back.shutdown().await;
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    task::spawn_blocking(work).await.map_err(io::Error::other)?
}
