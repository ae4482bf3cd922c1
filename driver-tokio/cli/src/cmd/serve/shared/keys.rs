//! What the shared store holds of a node, under which keys, and what is published of it.
//!
//! Reads and writes values alone. What somebody else wrote into the store and makes no sense is as good as nothing.

use handfast_core::directory::{DirectoryChange, DirectoryEntry, read_piece, write_piece};
use handfast_core::{Fingerprint, PeerId};
use redis::Cmd;
use std::net::SocketAddr;

/// The fields of an announcement, in the order of [`Fields`].
const FIELDS: [&str; 6] = ["seq", "record", "sha1", "addresses", "announced", "expires"];

/// What [`read`] takes: a field that is missing is empty.
pub(super) type Fields = [Option<Vec<u8>>; 6];

/// The number that was seen last. The braces keep all that is about one node in one slot of a cluster.
pub(super) fn number(id: &PeerId) -> String {
    format!("handfast:{{{id}}}:seq")
}

/// The announcement that holds.
pub(super) fn announcement(id: &PeerId) -> String {
    format!("handfast:{{{id}}}:announced")
}

/// What a short name is short for.
pub(super) fn alias(id: &PeerId) -> String {
    format!("handfast:{{{id}}}:is")
}

/// Where changes are told.
pub(super) fn channel(id: &PeerId) -> String {
    format!("handfast:{{{id}}}:changes")
}

/// Whose channel it is.
pub(super) fn of_channel(channel: &[u8]) -> Option<PeerId> {
    let channel = std::str::from_utf8(channel).ok()?;
    channel.strip_prefix("handfast:{")?.strip_suffix("}:changes")?.parse().ok()
}

/// The name that everything is stored under.
pub(super) fn name(owner: &Fingerprint) -> PeerId {
    PeerId::Sha256(*owner.as_bytes())
}

/// A number as text whose order is that of numbers.
pub(super) fn digits(seq: u64) -> String {
    format!("{seq:020}")
}

/// Asks for the announcement that holds.
pub(super) fn get(id: &PeerId) -> Cmd {
    let mut cmd = redis::cmd("HMGET");
    cmd.arg(announcement(id)).arg(&FIELDS);
    cmd
}

/// The addresses beside a record, as one field.
pub(super) fn addresses(entry: &DirectoryEntry) -> String {
    entry.addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" ")
}

/// An announcement, if there is one and it makes sense.
pub(super) fn read(owner: Fingerprint, fields: Fields) -> Option<DirectoryEntry> {
    let [seq, record, sha1, addresses, announced, expires] = fields;
    let text = |field: Option<Vec<u8>>| String::from_utf8(field?).ok();
    let read = text(addresses)?;
    let addresses = read.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(DirectoryEntry {
        owner,
        sha1: sha1?.try_into().ok()?,
        seq: text(seq)?.parse().ok()?,
        record: record?.into(),
        addresses,
        announced_s: text(announced)?.parse().ok()?,
        expires_s: text(expires)?.parse().ok()?,
    })
}

/// What is published when somebody announces: his announcement.
pub(super) fn message(entry: &DirectoryEntry) -> Vec<u8> {
    let mut out = Vec::new();
    write_piece([entry.clone()], &mut out);
    out
}

/// What is published when somebody is gone: an announcement without a record.
pub(super) fn gone(owner: Fingerprint, sha1: [u8; 20], seq: u64) -> Vec<u8> {
    let (record, addresses) = (bytes::Bytes::new(), Vec::new());
    message(&DirectoryEntry { owner, sha1, seq, record, addresses, announced_s: 0, expires_s: 0 })
}

/// What was published.
pub(super) fn change(message: &[u8]) -> Option<DirectoryChange> {
    let (entries, _) = read_piece(message).ok()?;
    let [entry]: [DirectoryEntry; 1] = entries.try_into().ok()?;
    let (owner, sha1) = (entry.owner, entry.sha1);
    Some(DirectoryChange { owner, sha1, entry: Some(entry).filter(|entry| !entry.record.is_empty()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(seq: u64, record: Vec<u8>, addresses: Vec<SocketAddr>) -> DirectoryEntry {
        let (owner, record) = (Fingerprint::from_bytes([7; 32]), record.into());
        DirectoryEntry { owner, sha1: [8; 20], seq, record, addresses, announced_s: 5, expires_s: 65 }
    }

    proptest! {
        #[test]
        fn what_is_stored_and_published_is_read_as_it_was_written(
            seq: u64,
            record in proptest::collection::vec(any::<u8>(), 1..300),
            addresses in proptest::collection::vec(any::<SocketAddr>(), 0..16),
        ) {
            // A scope means something on one host alone, and none is announced.
            let addresses: Vec<_> = addresses.iter().map(|at| SocketAddr::new(at.ip(), at.port())).collect();
            let entry = entry(seq, record.clone(), addresses);
            let texts = [digits(seq), self::addresses(&entry), "5".to_owned(), "65".to_owned()];
            let [seq, addresses, announced, expires] = texts.map(|text| Some(text.into_bytes()));
            let fields = [seq, Some(record), Some(vec![8; 20]), addresses, announced, expires];
            prop_assert_eq!(read(entry.owner, fields), Some(entry.clone()));
            let change = change(&message(&entry)).unwrap();
            prop_assert_eq!(change.entry, Some(entry));
        }

        #[test]
        fn numbers_have_the_order_of_their_texts(one: u64, other: u64) {
            prop_assert_eq!(one.cmp(&other), digits(one).cmp(&digits(other)));
        }

        #[test]
        fn what_somebody_else_published_is_survived(
            bytes: Vec<u8>,
            at: proptest::sample::Index,
            mask in 1..=255_u8,
        ) {
            prop_assert_eq!(change(&bytes), None);
            prop_assert_eq!(of_channel(&bytes), None);
            let mut damaged = message(&entry(7, vec![1; 300], Vec::new()));
            let at = at.index(damaged.len());
            damaged[at] ^= mask;
            prop_assert_eq!(change(&damaged), None);
            let (mut none, mut two) = (Vec::new(), Vec::new());
            write_piece([], &mut none);
            write_piece([entry(1, bytes.clone(), vec![]), entry(2, bytes, vec![])], &mut two);
            prop_assert_eq!((change(&none), change(&two)), (None, None));
        }
    }

    #[test]
    fn a_channel_is_that_of_its_peer_and_who_is_gone_has_no_record() {
        for id in [PeerId::Sha1([1; 20]), PeerId::Sha256([2; 32])] {
            assert_eq!(of_channel(channel(&id).as_bytes()), Some(id));
        }
        let change = change(&gone(Fingerprint::from_bytes([7; 32]), [8; 20], 3)).unwrap();
        assert_eq!((change.sha1, change.entry), ([8; 20], None));
    }
}
