//! Both sides against each other over a pipe in memory, and each against a peer that does not keep to the
//! protocol.

use super::header::{self, Bin, FromReceiver, FromSender, Id, Offer, Reason, What};
use super::parts::FOLDER;
use super::rate::Rate;
use super::recv::{self, Beginning, Sink};
use super::send::{self, Supply};
use super::store::{Received, Store};
use super::{BLOCK, HASH_LEN, Step, TransferError};
use bytes::Bytes;
use handfast_core::{Identity, PeerId, PeerIdKind};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{self, Cursor};
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split};

mod hostile;
mod resume;

type Ends = (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>);

/// Far less than a file, so that both sides wait for each other.
const PIPE: usize = 1000;

fn pipe() -> (Ends, Ends) {
    let (a, b) = duplex(PIPE);
    (split(a), split(b))
}

fn peer(n: u8) -> PeerId {
    Identity::from_entropy([n; 32]).public_key().peer_id(PeerIdKind::Sha1)
}

fn id(n: u8) -> Id {
    Bin([n; 16])
}

/// The only item of a command.
fn offer(path: &[&str], size: u64) -> Offer {
    Offer {
        run: id(1),
        id: id(2),
        key: id(3),
        root: id(4),
        number: 0,
        of: 1,
        total: size,
        path: path.iter().map(|name| (*name).to_owned()).collect(),
        what: What::File { size, modified: None, executable: false },
    }
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

impl Supply for Cursor<Vec<u8>> {
    fn rewind(&mut self) -> io::Result<()> {
        self.set_position(0);
        Ok(())
    }
}

async fn send(
    offer: Offer,
    bytes: impl AsRef<[u8]>,
    (mut back, mut out): Ends,
) -> (Result<u64, TransferError>, Vec<Step>) {
    let mut steps = Vec::new();
    let bytes = Cursor::new(bytes.as_ref().to_vec());
    let sent = send::send(offer, bytes, (&mut out, &mut back), None, |step| steps.push(step)).await;
    (sent, steps)
}

async fn take(store: &Store, peer: PeerId, (mut from, mut back): Ends) -> Result<Received, TransferError> {
    let offer = recv::offer(&mut from).await?;
    store.take(peer, &offer, (&mut from, &mut back), |_| {}).await
}

/// One file from one side to the other: how the sender came along, and what the receiver has.
async fn pass(store: &Store, offer: Offer, bytes: &[u8]) -> (Vec<Step>, Received) {
    let (near, far) = pipe();
    let ((sent, steps), received) = tokio::join!(send(offer, bytes, near), take(store, peer(1), far));
    sent.unwrap();
    (steps, received.unwrap())
}

/// A sender that vanishes after so many bytes.
async fn break_off(store: &Store, from: PeerId, offer: Offer, bytes: &[u8]) {
    let (mut near, far) = pipe();
    let vanishing = async {
        header::write(&mut near.1, &FromSender::Offer(offer)).await.unwrap();
        let accepted = header::read::<FromReceiver>(&mut near.0).await.unwrap();
        assert!(matches!(accepted, FromReceiver::Accepted { have: 0, .. }), "{accepted:?}");
        header::write(&mut near.1, &FromSender::Start { from: 0 }).await.unwrap();
        near.1.write_all(bytes).await.unwrap();
        drop(near);
    };
    let ((), received) = tokio::join!(vanishing, take(store, from, far));
    assert!(matches!(received, Err(TransferError::Stream(_))), "{received:?}");
}

/// What is there that has a name, or might be taken for whole.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != FOLDER).collect();
    names.sort();
    names
}

fn parts(folder: &Path) -> usize {
    fs::read_dir(folder.join(FOLDER)).map_or(0, Iterator::count)
}

#[tokio::test]
async fn files_of_every_size_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    for (n, len) in [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 7].into_iter().enumerate() {
        let bytes = noise(len);
        let offer = Offer { id: id(10 + n as u8), ..offer(&["a.bin"], len as u64) };
        let (steps, received) = pass(&store, offer, &bytes).await;
        let Received::Stored { path, bytes: stored } = received else { panic!("{received:?}") };
        assert_eq!(stored, len as u64);
        assert!(len == 0 || steps.last() == Some(&Step::At(len as u64)), "{steps:?}");
        assert!(fs::read(path).unwrap() == bytes);
    }
    assert!(!folder.path().join(FOLDER).exists(), "nothing is left");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_is_as_old_and_as_executable_as_it_was() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    for (n, executable) in [false, true].into_iter().enumerate() {
        let what = What::File { size: 2, modified: Some(1_234_567_890), executable };
        let offer = Offer { id: id(30 + n as u8), what, ..offer(&["a"], 2) };
        let (_, received) = pass(&store, offer, b"hi").await;
        let Received::Stored { path, .. } = received else { panic!("{received:?}") };
        let about = fs::metadata(path).unwrap();
        assert_eq!((about.mtime(), about.mode() & 0o100 != 0), (1_234_567_890, executable));
    }
}

#[tokio::test]
async fn an_empty_folder_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    let within = Offer { of: 2, what: What::Folder {}, ..offer(&["a", "b"], 0) };
    pass(&store, within, b"").await;
    let alone = Offer { id: id(9), run: id(8), root: id(7), what: What::Folder {}, ..offer(&["a"], 0) };
    pass(&store, alone, b"").await;
    assert!(folder.path().join("a/b").is_dir() && folder.path().join("a (1)").is_dir());
}

#[tokio::test]
async fn a_pipe_arrives_whole_whatever_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), None);
    for (n, len) in [0, 1, 3 * BLOCK + 7].into_iter().enumerate() {
        let offer = Offer { id: id(10 + n as u8), what: What::Pipe {}, ..offer(&["pipe"], 0) };
        let (_, received) = pass(&store, offer, &noise(len)).await;
        let Received::Stored { path, bytes } = received else { panic!("{received:?}") };
        assert_eq!(bytes, len as u64);
        assert!(fs::read(path).unwrap() == noise(len));
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_not_sent_whole() {
    for size in [999, 1001] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), None);
        let (near, far) = pipe();
        let ((sent, _), received) =
            tokio::join!(send(offer(&["a"], size), noise(1000), near), take(&store, peer(1), far));
        assert!(matches!(sent, Err(TransferError::Changed)), "{sent:?}");
        assert!(matches!(received, Err(TransferError::Stream(_))), "{received:?}");
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}

/// A disk with room for so many bytes.
struct Disk(usize);

impl Sink for Disk {
    type Done = ();

    fn write(&mut self, bytes: &Bytes) -> io::Result<()> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
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

#[tokio::test]
async fn a_full_disk_is_told_on_both_sides() {
    let (near, (mut from, mut back)) = pipe();
    let receiving = async {
        let size = recv::offer(&mut from).await?.size();
        let ends = (&mut from, &mut back);
        let received = recv::receive(size, Beginning::none(), Disk(1 << 20), ends, None, |_| {}).await;
        // As a stream does it that is dropped with unread bytes: the sender's writes fail.
        drop((from, back));
        received
    };
    let ((sent, _), received) = tokio::join!(send(offer(&["a"], 4 << 20), noise(4 << 20), near), receiving);
    assert_eq!(sent.unwrap_err().to_string(), "the other device refused the file: its disk is full");
    assert_eq!(received.unwrap_err().to_string(), "the disk is full");
}

#[tokio::test]
async fn a_folder_that_is_gone_refuses_the_offer() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(&folder.path().join("gone"), None);
    let (near, far) = pipe();
    let ((sent, _), received) = tokio::join!(send(offer(&["a"], 1), b"x", near), take(&store, peer(1), far));
    assert!(matches!(sent, Err(TransferError::Refused(Reason::Write))), "{sent:?}");
    assert!(matches!(received, Err(TransferError::Local(_))), "{received:?}");
}

#[tokio::test]
async fn a_receiver_that_vanishes_is_an_error_for_the_sender() {
    let (near, (mut from, mut back)) = pipe();
    let vanishing = async {
        recv::offer(&mut from).await.unwrap();
        let prefix = Bin(Sha256::digest(b"").into());
        header::write(&mut back, &FromReceiver::Accepted { have: 0, prefix }).await.unwrap();
        from.read_exact(&mut [0; 100]).await.unwrap();
        drop((from, back));
    };
    let ((sent, _), ()) = tokio::join!(send(offer(&["a"], 100_000), noise(100_000), near), vanishing);
    assert!(matches!(sent, Err(TransferError::Stream(_))), "{sent:?}");
}

#[tokio::test]
async fn a_cap_on_the_receivers_side_holds_the_sender_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path(), Some(Rate::new(1_000_000)));
    let begun = std::time::Instant::now();
    pass(&store, offer(&["a"], 600_000), &noise(600_000)).await;
    // What the rate lets through at once, and what waits, is far less than half of it.
    assert!(begun.elapsed() > std::time::Duration::from_millis(300), "{:?}", begun.elapsed());
}
