//! The sender's side of one file.
//!
//! Reads the file on a blocking thread, a few blocks ahead of the network. Never finishes the stream of a
//! file that it could not read whole: dropped unfinished it is reset, and the receiver does not take it for whole.

use super::header::{self, Bin, Digest as Hash, FromReceiver, FromSender, Offer, What};
use super::rate::Rate;
use super::{BLOCK, BLOCKS_WAITING, HASH_LEN, Step, TransferError};
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task;

/// How long the receiver's reason is waited for after it stopped the stream.
const REASON_WITHIN: Duration = Duration::from_secs(2);

/// Where a file's bytes come from.
pub(crate) trait Supply: Read + Send + 'static {
    /// Goes back to the first byte.
    fn rewind(&mut self) -> io::Result<()>;
}

impl Supply for File {
    fn rewind(&mut self) -> io::Result<()> {
        Seek::rewind(self)
    }
}

impl Supply for io::Empty {
    fn rewind(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends one file over a fresh stream, and returns how many bytes it has when the receiver has stored it whole.
pub(crate) async fn send<S: Supply>(
    offer: Offer,
    bytes: S,
    (out, back): (&mut (impl AsyncWrite + Unpin), &mut (impl AsyncRead + Unpin)),
    rate: Option<&Rate>,
    mut step: impl FnMut(Step),
) -> Result<u64, TransferError> {
    let (size, what) = (offer.size(), offer.what.clone());
    header::write(out, &FromSender::Offer(offer)).await.map_err(TransferError::Stream)?;
    out.flush().await.map_err(TransferError::Stream)?;
    let (have, prefix) = match header::read(back).await? {
        FromReceiver::Accepted { have, prefix } if what != (What::Folder {}) => (have, prefix),
        FromReceiver::Verified {} => return Ok(size.unwrap_or(0)),
        FromReceiver::Refused { reason } => return Err(TransferError::Refused(reason)),
        FromReceiver::Accepted { .. } | FromReceiver::Failed { .. } => {
            return Err(TransferError::Protocol("a verdict before the file"));
        }
    };
    let start = task::spawn_blocking(move || skip(bytes, have, prefix)).await;
    let Start { from, hash, bytes } =
        start.map_err(io::Error::other).flatten().map_err(TransferError::Local)?;
    if from > 0 {
        step(Step::Resumed(from));
    }
    let sent = async {
        header::write(out, &FromSender::Start { from }).await.map_err(TransferError::Stream)?;
        body(Start { from, hash, bytes }, size, out, rate, &mut step).await
    };
    let sent = match sent.await {
        Err(TransferError::Stream(error)) => return Err(why(back, error).await),
        other => other?,
    };
    match header::read(back).await? {
        FromReceiver::Verified {} => Ok(sent),
        FromReceiver::Failed { reason } => Err(TransferError::Refused(reason)),
        FromReceiver::Accepted { .. } | FromReceiver::Refused { .. } => {
            Err(TransferError::Protocol("no verdict after the file"))
        }
    }
}

/// The first byte that is sent, the hash of those before it, and the rest.
struct Start<S> {
    from: u64,
    hash: Sha256,
    bytes: S,
}

/// Leaves out what the receiver has, if it is the same here.
fn skip<S: Supply>(mut bytes: S, have: u64, prefix: Hash) -> io::Result<Start<S>> {
    let (mut hash, mut left, mut buf) = (Sha256::new(), have, vec![0; BLOCK]);
    while left > 0 {
        let room = BLOCK.min(usize::try_from(left).unwrap_or(BLOCK));
        match bytes.read(&mut buf[..room]) {
            Ok(0) => break,
            Ok(read) => {
                hash.update(&buf[..read]);
                left -= read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if have > 0 && (left > 0 || Bin(hash.clone().finalize().into()) != prefix) {
        bytes.rewind()?;
        return Ok(Start { from: 0, hash: Sha256::new(), bytes });
    }
    Ok(Start { from: have, hash, bytes })
}

/// The bytes, their hash, and the end of the stream.
async fn body<S: Supply>(
    start: Start<S>,
    size: Option<u64>,
    out: &mut (impl AsyncWrite + Unpin),
    rate: Option<&Rate>,
    step: &mut impl FnMut(Step),
) -> Result<u64, TransferError> {
    let (blocks, mut waiting) = mpsc::channel(BLOCKS_WAITING);
    let mut sent = start.from;
    let most = rate.map_or(BLOCK, Rate::block);
    let reader = task::spawn_blocking(move || match size {
        Some(size) => read_blocks(start, size, most, &blocks),
        None => read_pipe(start, most, &blocks),
    });
    while let Some(block) = waiting.recv().await {
        if let Some(rate) = rate {
            rate.take(block.len()).await;
        }
        if size.is_none() {
            out.write_u32(block.len() as u32).await.map_err(TransferError::Stream)?;
        }
        out.write_all(&block).await.map_err(TransferError::Stream)?;
        sent += block.len() as u64;
        step(Step::At(sent));
    }
    let hash = reader.await.map_err(|error| TransferError::Local(io::Error::other(error)))??;
    if size.is_none() {
        out.write_u32(0).await.map_err(TransferError::Stream)?;
    }
    out.write_all(&hash).await.map_err(TransferError::Stream)?;
    out.shutdown().await.map_err(TransferError::Stream)?;
    Ok(sent)
}

/// Reads on to exactly `size` bytes, after which the file must end, and hashes them on the way.
fn read_blocks<S: Supply>(
    Start { from, mut hash, mut bytes }: Start<S>,
    size: u64,
    most: usize,
    blocks: &mpsc::Sender<Bytes>,
) -> Result<[u8; HASH_LEN], TransferError> {
    let mut left = size.checked_sub(from).ok_or(TransferError::Changed)?;
    while left > 0 {
        let mut block = BytesMut::zeroed(most.min(usize::try_from(left).unwrap_or(BLOCK)));
        bytes.read_exact(&mut block).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => TransferError::Changed,
            _ => TransferError::Local(error),
        })?;
        hash.update(&block);
        left -= block.len() as u64;
        if blocks.blocking_send(block.freeze()).is_err() {
            // The stream failed, which its own error says.
            return Ok(hash.finalize().into());
        }
    }
    match bytes.read(&mut [0]).map_err(TransferError::Local)? {
        0 => Ok(hash.finalize().into()),
        _ => Err(TransferError::Changed),
    }
}

/// Reads to the end, and hashes what comes on the way.
fn read_pipe<S: Supply>(
    Start { mut hash, mut bytes, .. }: Start<S>,
    most: usize,
    blocks: &mpsc::Sender<Bytes>,
) -> Result<[u8; HASH_LEN], TransferError> {
    loop {
        let mut block = BytesMut::zeroed(most);
        match bytes.read(&mut block) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(read) => block.truncate(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(TransferError::Local(error)),
        }
        hash.update(&block);
        if blocks.blocking_send(block.freeze()).is_err() {
            return Ok(hash.finalize().into());
        }
    }
}

/// A receiver that cannot go on says why and stops the stream: its word explains the failed write.
async fn why(back: &mut (impl AsyncRead + Unpin), error: io::Error) -> TransferError {
    match tokio::time::timeout(REASON_WITHIN, header::read(back)).await {
        Ok(Ok(FromReceiver::Failed { reason } | FromReceiver::Refused { reason })) => {
            TransferError::Refused(reason)
        }
        Ok(Ok(FromReceiver::Accepted { .. } | FromReceiver::Verified {}) | Err(_)) | Err(_) => {
            TransferError::Stream(error)
        }
    }
}
