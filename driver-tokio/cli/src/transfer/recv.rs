//! The receiver's side of one file: its bytes, their hash, and what the sender is told.
//!
//! Writes on a blocking thread, a few blocks behind the network. Never trusts the offered size.

use super::header::{self, Bin, FromReceiver, FromSender, Offer, Reason};
use super::rate::Rate;
use super::{BLOCK, BLOCKS_WAITING, HASH_LEN, Step, TransferError};
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task;

/// Where the bytes go until they are found right.
pub(crate) trait Sink: Send + 'static {
    /// What is made of it in the end.
    type Done: Send + 'static;
    /// Takes the next bytes.
    fn write(&mut self, bytes: &Bytes) -> io::Result<()>;
    /// Begins anew, without what is there.
    fn clear(&mut self) -> io::Result<()>;
    /// What is there is of no use to anybody.
    fn spoil(&mut self);
    /// Everything is there, and right.
    fn done(self) -> io::Result<Self::Done>;
}

/// What is here before the first byte arrives.
#[derive(Clone)]
pub(crate) struct Beginning {
    pub(crate) bytes: u64,
    pub(crate) hash: Sha256,
}

impl Beginning {
    /// Nothing.
    pub(crate) fn none() -> Self {
        Self { bytes: 0, hash: Sha256::new() }
    }
}

/// Reads what the peer offers.
pub(crate) async fn offer(from: &mut (impl AsyncRead + Unpin)) -> Result<Offer, TransferError> {
    match header::read(from).await? {
        FromSender::Offer(offer) => Ok(offer),
        FromSender::Start { .. } => Err(TransferError::Protocol("a file without an offer")),
    }
}

/// Accepts a file, but for its beginning, into `sink`, and tells the sender what became of it. Returns how many
/// bytes it has.
pub(crate) async fn receive<S: Sink>(
    size: Option<u64>,
    beginning: Beginning,
    sink: S,
    (from, back): (&mut (impl AsyncRead + Unpin), &mut (impl AsyncWrite + Unpin)),
    rate: Option<&Rate>,
    mut step: impl FnMut(Step),
) -> Result<(u64, S::Done), TransferError> {
    let received = async {
        let (bytes, sink) = start(beginning, sink, from, back).await?;
        if bytes.bytes > 0 {
            step(Step::Resumed(bytes.bytes));
        }
        body(size, bytes, sink, from, rate, &mut step).await
    };
    match received.await {
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

/// Says what is here, and hears what of it the sender finds right.
async fn start<S: Sink>(
    beginning: Beginning,
    mut sink: S,
    from: &mut (impl AsyncRead + Unpin),
    back: &mut (impl AsyncWrite + Unpin),
) -> Result<(Beginning, S), TransferError> {
    let prefix = Bin(beginning.hash.clone().finalize().into());
    let accepted = FromReceiver::Accepted { have: beginning.bytes, prefix };
    header::write(back, &accepted).await.map_err(TransferError::Stream)?;
    back.flush().await.map_err(TransferError::Stream)?;
    match header::read(from).await? {
        FromSender::Start { from } if from == beginning.bytes => Ok((beginning, sink)),
        FromSender::Start { from: 0 } => {
            let cleared = blocking(move || sink.clear().map(|()| sink)).await;
            Ok((Beginning::none(), cleared.map_err(TransferError::Local)?))
        }
        FromSender::Start { .. } | FromSender::Offer(_) => {
            Err(TransferError::Protocol("a start that was not agreed on"))
        }
    }
}

async fn body<S: Sink>(
    size: Option<u64>,
    beginning: Beginning,
    sink: S,
    from: &mut (impl AsyncRead + Unpin),
    rate: Option<&Rate>,
    step: &mut impl FnMut(Step),
) -> Result<(u64, S::Done), TransferError> {
    let (blocks, waiting) = mpsc::channel(BLOCKS_WAITING);
    let Beginning { bytes: have, hash } = beginning;
    let writer = task::spawn_blocking(move || write_blocks(sink, hash, waiting));
    let copied = match size {
        Some(size) => copy(have, size, from, &blocks, rate, step).await,
        None => copy_chunks(from, &blocks, rate, step).await,
    };
    drop(blocks);
    // Waited for in every case: its error is the better one.
    let written = writer.await.map_err(|error| TransferError::Local(io::Error::other(error)))?;
    let (mut sink, own_hash) = written.map_err(TransferError::Local)?;
    let is_right = match copied? {
        (bytes, hash) if hash == own_hash => bytes,
        _ => {
            sink.spoil();
            return Err(TransferError::Hash);
        }
    };
    let done = blocking(move || sink.done()).await.map_err(TransferError::Local)?;
    Ok((is_right, done))
}

/// The bytes from `have` to `size` to the writer, then the sender's hash, after which the stream must end.
async fn copy(
    have: u64,
    size: u64,
    from: &mut (impl AsyncRead + Unpin),
    blocks: &mpsc::Sender<Bytes>,
    rate: Option<&Rate>,
    step: &mut impl FnMut(Step),
) -> Result<(u64, [u8; HASH_LEN]), TransferError> {
    let most = rate.map_or(BLOCK, Rate::block);
    let mut left = size.saturating_sub(have);
    while left > 0 {
        let room = most.min(usize::try_from(left).unwrap_or(BLOCK));
        block(room, from, blocks, rate).await?;
        left -= room as u64;
        step(Step::At(size - left));
    }
    Ok((size, end(from).await?))
}

/// The bytes of a pipe, then the sender's hash, after which the stream must end.
async fn copy_chunks(
    from: &mut (impl AsyncRead + Unpin),
    blocks: &mpsc::Sender<Bytes>,
    rate: Option<&Rate>,
    step: &mut impl FnMut(Step),
) -> Result<(u64, [u8; HASH_LEN]), TransferError> {
    let mut bytes = 0;
    loop {
        match from.read_u32().await.map_err(TransferError::Stream)? as usize {
            0 => return Ok((bytes, end(from).await?)),
            len if len <= BLOCK => {
                block(len, from, blocks, rate).await?;
                bytes += len as u64;
                step(Step::At(bytes));
            }
            _ => return Err(TransferError::Protocol("a chunk that is too long")),
        }
    }
}

async fn block(
    len: usize,
    from: &mut (impl AsyncRead + Unpin),
    blocks: &mpsc::Sender<Bytes>,
    rate: Option<&Rate>,
) -> Result<(), TransferError> {
    let mut block = BytesMut::zeroed(len);
    from.read_exact(&mut block).await.map_err(TransferError::Stream)?;
    if let Some(rate) = rate {
        rate.take(len).await;
    }
    // The writer failed, which its own error says.
    let failed = |_| TransferError::Stream(io::ErrorKind::UnexpectedEof.into());
    blocks.send(block.freeze()).await.map_err(failed)
}

async fn end(from: &mut (impl AsyncRead + Unpin)) -> Result<[u8; HASH_LEN], TransferError> {
    let mut hash = [0; HASH_LEN];
    from.read_exact(&mut hash).await.map_err(TransferError::Stream)?;
    match from.read(&mut [0]).await.map_err(TransferError::Stream)? {
        0 => Ok(hash),
        _ => Err(TransferError::Protocol("more bytes than were offered")),
    }
}

/// Until the channel closes. Gives the sink back for the caller to keep or to drop.
fn write_blocks<S: Sink>(
    mut sink: S,
    mut hash: Sha256,
    mut blocks: mpsc::Receiver<Bytes>,
) -> io::Result<(S, [u8; HASH_LEN])> {
    while let Some(block) = blocks.blocking_recv() {
        hash.update(&block);
        if let Err(error) = sink.write(&block) {
            sink.spoil();
            return Err(error);
        }
    }
    Ok((sink, hash.finalize().into()))
}

/// Refuses what was offered.
pub(crate) async fn refuse(back: &mut (impl AsyncWrite + Unpin), error: &TransferError) {
    if let Some(reason) = reason(error) {
        last_word(back, &FromReceiver::Refused { reason }).await;
    }
}

/// What the sender is told; nothing where it is gone.
fn reason(error: &TransferError) -> Option<Reason> {
    match error {
        TransferError::Changed | TransferError::Hash => Some(Reason::Hash),
        TransferError::Local(error) => Some(error.into()),
        TransferError::Refused(reason) | TransferError::Unwanted(reason) => Some(*reason),
        TransferError::Protocol(_) | TransferError::Stream(_) => None,
    }
}

/// Said as well as the stream allows: what became of the file does not change with it.
pub(crate) async fn last_word(back: &mut (impl AsyncWrite + Unpin), message: &FromReceiver) {
    if header::write(back, message).await.is_ok() {
        let _ = back.shutdown().await;
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    task::spawn_blocking(work).await.map_err(io::Error::other)?
}
