//! The sender's side of one file.
//!
//! Reads the file on a blocking thread, a few blocks ahead of the network. Never finishes the stream of a
//! file that it could not read whole: dropped unfinished it is reset, and the receiver keeps nothing.

use super::header::{self, FromReceiver, FromSender};
use super::{BLOCK, BLOCKS_WAITING, HASH_LEN, TransferError};
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task;

/// How long the receiver's reason is waited for after it stopped the stream.
const REASON_WITHIN: Duration = Duration::from_secs(2);

/// What is sent: a name, a size, and where the bytes come from.
pub(crate) struct Source<S> {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) bytes: S,
}

impl Source<File> {
    /// A file on disk. Folders, pipes and devices are refused: they have no size to hold them to.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let bytes = File::open(path)?;
        let about = bytes.metadata()?;
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let name = name[..name.floor_char_boundary(header::MAX_NAME)].to_owned();
        Ok(Self { name, size: about.len(), bytes })
    }
}

/// Sends one file over a fresh stream and returns when the receiver has stored it whole. `progress` is told
/// the bytes that the stream took so far.
pub(crate) async fn send<S, W, R>(
    source: Source<S>,
    mut out: W,
    mut back: R,
    mut progress: impl FnMut(u64),
) -> Result<(), TransferError>
where
    S: Read + Send + 'static,
    W: AsyncWrite + Unpin,
    R: AsyncRead + Unpin,
{
    let offer = FromSender::Offer { name: source.name, size: source.size };
    header::write(&mut out, &offer).await.map_err(TransferError::Stream)?;
    out.flush().await.map_err(TransferError::Stream)?;
    match header::read(&mut back).await? {
        FromReceiver::Accepted {} => {}
        FromReceiver::Refused { reason } => return Err(TransferError::Refused(reason)),
        FromReceiver::Verified {} | FromReceiver::Failed { .. } => {
            return Err(TransferError::Protocol("a verdict before the file"));
        }
    }
    match body(source.bytes, source.size, &mut out, &mut progress).await {
        Ok(()) => {}
        Err(TransferError::Stream(error)) => return Err(why(&mut back, error).await),
        Err(error) => return Err(error),
    }
    match header::read(&mut back).await? {
        FromReceiver::Verified {} => Ok(()),
        FromReceiver::Failed { reason } => Err(TransferError::Refused(reason)),
        FromReceiver::Accepted {} | FromReceiver::Refused { .. } => {
            Err(TransferError::Protocol("no verdict after the file"))
        }
    }
}

/// The bytes, their hash, and the end of the stream.
async fn body<W: AsyncWrite + Unpin>(
    bytes: impl Read + Send + 'static,
    size: u64,
    out: &mut W,
    progress: &mut impl FnMut(u64),
) -> Result<(), TransferError> {
    let (blocks, mut waiting) = mpsc::channel(BLOCKS_WAITING);
    let reader = task::spawn_blocking(move || read_blocks(bytes, size, &blocks));
    let mut sent = 0;
    while let Some(block) = waiting.recv().await {
        out.write_all(&block).await.map_err(TransferError::Stream)?;
        sent += block.len() as u64;
        progress(sent);
    }
    let hash = reader.await.map_err(|error| TransferError::Local(io::Error::other(error)))??;
    out.write_all(&hash).await.map_err(TransferError::Stream)?;
    out.shutdown().await.map_err(TransferError::Stream)
}

/// Reads exactly `size` bytes, after which the file must end, and hashes them on the way.
fn read_blocks(
    mut bytes: impl Read,
    size: u64,
    blocks: &mpsc::Sender<Bytes>,
) -> Result<[u8; HASH_LEN], TransferError> {
    let mut hash = Sha256::new();
    let mut left = size;
    while left > 0 {
        let mut block = BytesMut::zeroed(BLOCK.min(usize::try_from(left).unwrap_or(BLOCK)));
        bytes.read_exact(&mut block).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => TransferError::Changed,
            _ => TransferError::Local(error),
        })?;
        hash.update(&block);
        left -= block.len() as u64;
        if blocks.blocking_send(block.freeze()).is_err() {
            // The stream failed, which its own error says.
            break;
        }
    }
    match bytes.read(&mut [0]).map_err(TransferError::Local)? {
        0 => Ok(hash.finalize().into()),
        _ if left > 0 => Ok(hash.finalize().into()),
        _ => Err(TransferError::Changed),
    }
}

/// A receiver that cannot go on says why and stops the stream: its word explains the failed write.
async fn why(back: &mut (impl AsyncRead + Unpin), error: io::Error) -> TransferError {
    match tokio::time::timeout(REASON_WITHIN, header::read(back)).await {
        Ok(Ok(FromReceiver::Failed { reason } | FromReceiver::Refused { reason })) => {
            TransferError::Refused(reason)
        }
        Ok(Ok(FromReceiver::Accepted {} | FromReceiver::Verified {}) | Err(_)) | Err(_) => {
            TransferError::Stream(error)
        }
    }
}
