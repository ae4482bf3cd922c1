//! Entries as bytes: the pieces that a snapshot is made of, each whole in itself.
//!
//! ```text
//! piece = "HFDIR1\0\0"  checksum: u64  len: u32  entries          (big-endian)
//! entry = owner: 32  sha1: 20  seq: u64  announced_s: u64  expires_s: u64  record: u16 + bytes  addresses: u8 + each
//! address = 4 or 6: u8  ip: 4 or 16  port: u16
//! ```

use super::{DirectoryEntry, address};
use crate::error::SnapshotError;
use crate::id::Fingerprint;
use bytes::Bytes;

/// What a piece begins with.
const MAGIC: [u8; 8] = *b"HFDIR1\0\0";
/// Bytes of a piece before its entries.
const HEAD: usize = 8 + 8 + 4;
/// Bytes that a record may have.
const MAX_RECORD: usize = 4 << 10;
/// Addresses that may stand beside it.
const MAX_ADDRESSES: usize = 16;

/// Adds a piece of a snapshot to `out`: a few thousand entries, or as many as there are. An entry without a record
/// says that there was one of that number.
///
/// ```
/// use handfast_core::directory::{read_piece, write_piece};
///
/// let mut file = Vec::new();
/// write_piece([], &mut file);
/// assert_eq!(read_piece(&file), Ok((vec![], file.len())));
/// ```
pub fn write_piece(entries: impl IntoIterator<Item = DirectoryEntry>, out: &mut Vec<u8>) {
    let head = out.len();
    out.extend_from_slice(&[0; HEAD]);
    for entry in entries {
        write_entry(&entry, out);
    }
    let len = out.len() - head - HEAD;
    let sum = checksum(&out[head + HEAD..]);
    out[head..head + 8].copy_from_slice(&MAGIC);
    out[head + 8..head + 16].copy_from_slice(&sum.to_be_bytes());
    out[head + 16..head + 20].copy_from_slice(&(len as u32).to_be_bytes());
}

/// Reads the first piece of `bytes`: its entries, and how many bytes it has.
///
/// # Errors
/// [`SnapshotError::Malformed`] for anything but a whole piece.
pub fn read_piece(bytes: &[u8]) -> Result<(Vec<DirectoryEntry>, usize), SnapshotError> {
    read(bytes).ok_or(SnapshotError::Malformed)
}

fn write_entry(entry: &DirectoryEntry, out: &mut Vec<u8>) {
    out.extend_from_slice(entry.owner.as_bytes());
    out.extend_from_slice(&entry.sha1);
    for number in [entry.seq, entry.announced_s, entry.expires_s] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&(entry.record.len() as u16).to_be_bytes());
    out.extend_from_slice(&entry.record);
    out.push(entry.addresses.len() as u8);
    for address in &entry.addresses {
        address::write(address, out);
    }
}

fn read(bytes: &[u8]) -> Option<(Vec<DirectoryEntry>, usize)> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (sum, rest) = number::<8>(rest)?;
    let (len, rest) = number::<4>(rest)?;
    let mut rest = rest.get(..usize::try_from(len).ok()?)?;
    if checksum(rest) != sum {
        return None;
    }
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, after) = read_entry(rest)?;
        entries.push(entry);
        rest = after;
    }
    Some((entries, HEAD + len as usize))
}

fn read_entry(bytes: &[u8]) -> Option<(DirectoryEntry, &[u8])> {
    let (owner, rest) = bytes.split_first_chunk::<32>()?;
    let (sha1, rest) = rest.split_first_chunk::<20>()?;
    let (seq, rest) = number::<8>(rest)?;
    let (announced_s, rest) = number::<8>(rest)?;
    let (expires_s, rest) = number::<8>(rest)?;
    let (len, rest) = number::<2>(rest)?;
    let (record, rest) = rest.split_at_checked(len as usize)?;
    let (count, mut rest) = number::<1>(rest)?;
    if record.len() > MAX_RECORD || count as usize > MAX_ADDRESSES {
        return None;
    }
    let mut addresses = Vec::new();
    for _ in 0..count {
        let (address, after) = address::read(rest)?;
        addresses.push(address);
        rest = after;
    }
    let (owner, record) = (Fingerprint::from_bytes(*owner), Bytes::copy_from_slice(record));
    Some((DirectoryEntry { owner, sha1: *sha1, seq, record, addresses, announced_s, expires_s }, rest))
}

fn number<const N: usize>(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<N>()?;
    Some((number.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)), rest))
}

/// Tells damage, and nothing else: whoever can write the file can write the sum.
fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let fold = |sum: u64, word: &[u8; 8]| {
        (sum.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    };
    fold(words.iter().fold(bytes.len() as u64, fold), &last)
}
