//! The record by which a node tells where it is, and its signature.
//!
//! A record is `[body, signature]`, both as bytes. Reads a record alone if its owner signed it; whether it is the one that
//! is meant, or is still good, is for the reader to say. What is sealed in it stays so: see `global/seal.rs`.

use super::Malformed;
use super::discovery::{MAX_RECORD, addresses, shown_each};
use super::{scan, strict};
use crate::as_bin;
use crate::id::PublicKey;
use crate::identity::Signer;
use bytes::Bytes;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize, Serializer};
use std::net::SocketAddr;

/// The version of records that is written and read.
const VERSION: u8 = 1;
/// What is signed begins so.
const CONTEXT: &[u8] = b"handfast-announce-v1\0";
/// Bytes of an entry: its gate, and the record's key wrapped for one peer.
pub(crate) const ENTRY_LEN: usize = 32;
/// Entries of a record: one for each paired peer, and some that are nobody's.
pub(crate) const MAX_ENTRIES: usize = 48;
/// Bytes of what is sealed: the largest plaintext, and its tag.
const MAX_SEALED: usize = 1024 + 16;
/// Values in the array of a body.
const BODY_FIELDS: usize = 7;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    /// Whose record it is, who signed it.
    pub(crate) owner: PublicKey,
    /// Higher than that of every record before it.
    pub(crate) seq: u64,
    /// When it was made, in seconds since 1970 by the owner's clock.
    pub(crate) issued_s: u64,
    /// Until when it is meant.
    pub(crate) not_after_s: u64,
    /// For whom what is sealed is, in ascending order.
    pub(crate) entries: Vec<[u8; ENTRY_LEN]>,
    /// Where it is.
    pub(crate) payload: Payload,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Payload {
    /// For everybody.
    Plain(Plain),
    /// For who finds an entry.
    Sealed(Sealed),
}

/// Addresses that anybody may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plain {
    #[serde(deserialize_with = "addresses", serialize_with = "shown_each")]
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Addresses that paired peers alone may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    #[serde(with = "as_bin")]
    pub(crate) nonce: [u8; 24],
    #[serde(with = "as_bin")]
    pub(crate) ciphertext: Bytes,
}

impl Body {
    /// The record, signed.
    ///
    /// # Panics
    /// When it has more entries or addresses than a record may.
    pub(crate) fn sign(&self, signer: &Signer) -> Bytes {
        assert!(self.entries.len() <= MAX_ENTRIES, "a record has more entries than it may");
        let body = self.encode();
        let signature = signer.sign(&[CONTEXT, &body].concat());
        let record = write(&(Bin(&body), Bin(&signature)));
        assert!(record.len() <= MAX_RECORD, "a record is over its limit");
        record.into()
    }

    /// Reads a record, and checks that its owner signed it.
    ///
    /// # Errors
    /// [`Malformed`] for everything else.
    pub(crate) fn verify(record: &[u8]) -> Result<Self, Malformed> {
        Self::verify_knowing(record, None)
    }

    /// The same where a sound key is known, whose record it may be.
    pub(crate) fn verify_knowing(record: &[u8], known: Option<&PublicKey>) -> Result<Self, Malformed> {
        if record.len() > MAX_RECORD {
            return Err(Malformed);
        }
        let [body, signature] = scan::array(record, 2)?[..] else { return Err(Malformed) };
        let (body, signature) = (bin(body)?, bin(signature)?);
        let read = Self::decode(&body, known)?;
        let spki = read.owner.to_spki();
        let key = UnparsedPublicKey::new(&ED25519, &spki[spki.len() - 32..]);
        key.verify(&[CONTEXT, &body].concat(), &signature).map_err(|_| Malformed)?;
        Ok(read)
    }

    fn encode(&self) -> Vec<u8> {
        let entries = self.entries.concat();
        write(&(
            VERSION,
            Bin(&self.owner.to_spki()),
            self.seq,
            self.issued_s,
            self.not_after_s,
            Bin(&entries),
            &self.payload,
        ))
    }

    fn decode(body: &[u8], known: Option<&PublicKey>) -> Result<Self, Malformed> {
        let fields = scan::array(body, BODY_FIELDS)?;
        let [version, owner, seq, issued_s, not_after_s, entries, payload] = fields[..] else {
            return Err(Malformed);
        };
        if number(version)? != u64::from(VERSION) {
            return Err(Malformed);
        }
        let owner = bin(owner)?;
        let known = known.filter(|known| known.to_spki() == *owner);
        Ok(Self {
            owner: known.copied().map_or_else(|| PublicKey::from_spki(&owner), Ok).map_err(|_| Malformed)?,
            seq: number(seq)?,
            issued_s: number(issued_s)?,
            not_after_s: number(not_after_s)?,
            entries: entries_of(&bin(entries)?)?,
            payload: Payload::decode(payload)?,
        })
    }
}

/// What a server needs of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline<'a> {
    /// For whom it is.
    pub(crate) entries: &'a [[u8; ENTRY_LEN]],
    /// Whether it is for everybody.
    pub(crate) plain: bool,
}

impl<'a> Outline<'a> {
    /// Reads a record that was verified when it came in. Copies nothing and checks no signature.
    ///
    /// # Errors
    /// [`Malformed`] where it was not.
    pub(crate) fn read(record: &'a [u8]) -> Result<Self, Malformed> {
        let [body, _] = scan::array(record, 2)?[..] else { return Err(Malformed) };
        let fields = scan::array(scan::bytes(body)?, BODY_FIELDS)?;
        let [_, _, _, _, _, entries, payload] = fields[..] else { return Err(Malformed) };
        let (entries, _) = scan::bytes(entries)?.as_chunks();
        Ok(Self { entries, plain: scan::message(payload)?.name == "Plain" })
    }
}

fn entries_of(bytes: &[u8]) -> Result<Vec<[u8; ENTRY_LEN]>, Malformed> {
    let (entries, rest) = bytes.as_chunks();
    if !rest.is_empty() || entries.len() > MAX_ENTRIES || !entries.is_sorted() {
        return Err(Malformed);
    }
    Ok(entries.to_vec())
}

fn number(bytes: &[u8]) -> Result<u64, Malformed> {
    rmp_serde::from_slice(bytes).map_err(|_| Malformed)
}

fn bin(bytes: &[u8]) -> Result<Bytes, Malformed> {
    as_bin::bytes(&mut rmp_serde::Deserializer::from_read_ref(bytes)).map_err(|_| Malformed)
}

fn write<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = rmp_serde::Serializer::new(&mut out).with_struct_map();
    value.serialize(&mut writer).expect("a record has no type that MessagePack lacks");
    out
}

/// Bytes as a byte string.
struct Bin<'a>(&'a [u8]);

impl Serialize for Bin<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(self.0)
    }
}

impl Payload {
    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = scan::message(bytes)?;
        match message.name {
            "Plain" => Ok(Self::Plain(strict::fields(message.fields)?)),
            "Sealed" => {
                let sealed: Sealed = strict::fields(message.fields)?;
                if sealed.ciphertext.len() > MAX_SEALED { Err(Malformed) } else { Ok(Self::Sealed(sealed)) }
            }
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests;
