//! Both sides against each other over a pipe in memory, and each against a peer that does not keep to the
//! protocol.

use super::header::{self, FromReceiver, FromSender, Reason};
use super::recv::{self, Offer, Sink};
use super::send::{self, Source};
use super::{HASH_LEN, TransferError};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io;
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split};

type Ends = (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>);

/// Far less than a file, so that both sides wait for each other.
const PIPE: usize = 1000;

fn pipe() -> (Ends, Ends) {
    let (a, b) = duplex(PIPE);
    (split(a), split(b))
}

fn source(name: &str, bytes: &[u8]) -> Source<io::Cursor<Vec<u8>>> {
    Source { name: name.to_owned(), size: bytes.len() as u64, bytes: io::Cursor::new(bytes.to_vec()) }
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

async fn receive(folder: &Path, (mut from, mut back): Ends) -> Result<recv::Received, TransferError> {
    let offer = recv::offer(&mut from).await?;
    recv::store(&offer, folder, &mut from, &mut back, |_| {}).await
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[tokio::test]
async fn files_of_every_size_arrive_whole() {
    let folder = tempfile::tempdir().unwrap();
    for len in [0, 1, super::BLOCK - 1, super::BLOCK, 3 * super::BLOCK + 7] {
        let (near, far) = pipe();
        let bytes = noise(len);
        let mut last = 0;
        let (sent, received) = tokio::join!(
            send::send(source("a.bin", &bytes), near.1, near.0, |n| last = n),
            receive(folder.path(), far)
        );
        sent.unwrap();
        let received = received.unwrap();
        assert_eq!((received.bytes, last), (len as u64, len as u64));
        assert!(fs::read(received.path).unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_name_that_climbs_out_stays_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = pipe();
    let (sent, received) = tokio::join!(
        send::send(source("../../../tmp/x\0.sh", b"hi"), near.1, near.0, |_| {}),
        receive(folder.path(), far)
    );
    sent.unwrap();
    assert_eq!(received.unwrap().path, folder.path().join("_._.._.._tmp_x.sh"));
}

#[tokio::test]
async fn a_sender_that_vanishes_leaves_an_error_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for sent in [0, 1, 500_000, 999_999, 1_000_000, 1_000_000 + HASH_LEN - 1] {
        let (mut near, far) = pipe();
        let vanishing = async {
            let offer = FromSender::Offer { name: "a".to_owned(), size: 1_000_000 };
            header::write(&mut near.1, &offer).await.unwrap();
            near.1.write_all(&vec![0; sent]).await.unwrap();
            drop(near);
        };
        let ((), received) = tokio::join!(vanishing, receive(folder.path(), far));
        assert!(matches!(received, Err(TransferError::Stream(_))), "{sent}: {received:?}");
        assert!(is_empty(folder.path()));
    }
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_hash_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (mut near, far) = pipe();
    let lying = async {
        let offer = FromSender::Offer { name: "a".to_owned(), size: 5 };
        header::write(&mut near.1, &offer).await.unwrap();
        near.1.write_all(b"hellO").await.unwrap();
        near.1.write_all(&Sha256::digest(b"hello")).await.unwrap();
        near.1.shutdown().await.unwrap();
        assert_eq!(header::read::<FromReceiver>(&mut near.0).await.unwrap(), FromReceiver::Accepted {});
        header::read::<FromReceiver>(&mut near.0).await.unwrap()
    };
    let (answer, received) = tokio::join!(lying, receive(folder.path(), far));
    assert_eq!(answer, FromReceiver::Failed { reason: Reason::Hash });
    assert!(matches!(received, Err(TransferError::Hash)));
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn more_bytes_than_offered_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (mut near, far) = pipe();
    let lying = async {
        let offer = FromSender::Offer { name: "a".to_owned(), size: 5 };
        header::write(&mut near.1, &offer).await.unwrap();
        near.1.write_all(b"hello").await.unwrap();
        near.1.write_all(&Sha256::digest(b"hello")).await.unwrap();
        near.1.write_all(b"!").await.unwrap();
    };
    let ((), received) = tokio::join!(lying, receive(folder.path(), far));
    assert!(matches!(received, Err(TransferError::Protocol(_))));
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_not_sent_whole() {
    for size in [999, 1001] {
        let folder = tempfile::tempdir().unwrap();
        let (near, far) = pipe();
        let changed = Source { size, ..source("a", &noise(1000)) };
        let (sent, received) =
            tokio::join!(send::send(changed, near.1, near.0, |_| {}), receive(folder.path(), far));
        assert!(matches!(sent, Err(TransferError::Changed)), "{sent:?}");
        assert!(matches!(received, Err(TransferError::Stream(_))), "{received:?}");
        assert!(is_empty(folder.path()));
    }
}

/// A disk with room for so many bytes.
struct Disk(usize);

impl Sink for Disk {
    type Done = ();

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(())
    }

    fn done(self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_full_disk_is_told_on_both_sides() {
    let (near, (mut from, mut back)) = pipe();
    let receiving = async {
        let Offer { size, .. } = recv::offer(&mut from).await?;
        let received = recv::receive(size, Disk(1 << 20), &mut from, &mut back, |_| {}).await;
        // As a stream does it that is dropped with unread bytes: the sender's writes fail.
        drop((from, back));
        received
    };
    let (sent, received) =
        tokio::join!(send::send(source("a", &noise(4 << 20)), near.1, near.0, |_| {}), receiving);
    assert_eq!(sent.unwrap_err().to_string(), "the other device refused the file: its disk is full");
    assert_eq!(received.unwrap_err().to_string(), "the disk is full");
}

#[tokio::test]
async fn a_folder_that_is_gone_refuses_the_offer() {
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = pipe();
    let gone = folder.path().join("gone");
    let (sent, received) =
        tokio::join!(send::send(source("a", b"x"), near.1, near.0, |_| {}), receive(&gone, far));
    assert!(matches!(sent, Err(TransferError::Refused(Reason::Write))), "{sent:?}");
    assert!(matches!(received, Err(TransferError::Local(_))), "{received:?}");
}

#[tokio::test]
async fn a_receiver_that_vanishes_is_an_error_for_the_sender() {
    let (near, (mut from, mut back)) = pipe();
    let vanishing = async {
        recv::offer(&mut from).await.unwrap();
        header::write(&mut back, &FromReceiver::Accepted {}).await.unwrap();
        from.read_exact(&mut [0; 100]).await.unwrap();
        drop((from, back));
    };
    let (sent, ()) =
        tokio::join!(send::send(source("a", &noise(100_000)), near.1, near.0, |_| {}), vanishing);
    assert!(matches!(sent, Err(TransferError::Stream(_))), "{sent:?}");
}

#[test]
fn a_folder_is_no_file_to_send() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Source::open(folder.path()).is_err());
}
