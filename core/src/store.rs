//! What a node remembers of a pairing, of a key, or of where a peer is, and what it asks of a store.
//!
//! The core never touches a file: it asks ([`StoreRequest`]) and goes on when it is answered
//! ([`StoreReply`]), so that nothing is said on the wire before it is durable.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod mark;
mod whereabouts;

pub use mark::{MAX_BANNED, MAX_MARK_ADDRESSES, Mark, MarkKind};
pub use whereabouts::{MAX_WHEREABOUTS, Whereabouts};

use crate::error::RecordError;
use crate::id::{Fingerprint, PairId, PublicKey};
use crate::metadata::Metadata;
use rmp_serde::decode::Error::InvalidMarkerRead;
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io::ErrorKind;
use zeroize::Zeroizing;

/// The format of [`PairRecord::encode`], [`Mark::encode`] and [`Whereabouts::encode`]. A store that holds a higher one was written by a
/// newer version.
pub const RECORD_VERSION: u16 = 1;

/// Maps and arrays within each other that a record may have: deeper is damaged, and would cost stack.
const MAX_DEPTH: usize = 16;

/// Which side of a pairing this node was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Showed the code.
    Host,
    /// Typed the code.
    Joiner,
}

/// How far a pairing got. What is not [`Paired`](PairState::Paired) is tentative: no application stream
/// opens in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PairState {
    /// The application's hook was, or is about to be, asked to save the peer (or to undo that).
    Hook,
    /// Joiner alone: the hook succeeded; the host decides.
    Prepared,
    /// Host alone: the hook succeeded and the joiner is prepared. Storing this is the commit point.
    Committed,
    /// Both sides saved the peer.
    Paired,
}

/// The secret that two paired peers share and never send. Zeroised on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct PairSecret(Zeroizing<[u8; 32]>);

impl PairSecret {
    /// The bytes that the key schedule of pairing derives.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PairSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairSecret(..)")
    }
}

/// One durable record of a pairing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PairRecord {
    /// The key of the record.
    pub pair_id: PairId,
    /// Which side this node was.
    pub role: Role,
    /// The peer's key.
    #[serde(rename = "spki")]
    pub peer: PublicKey,
    /// The key that the record was made with on this side.
    #[serde(rename = "my_spki")]
    pub own: PublicKey,
    /// The shared secret.
    #[serde(rename = "ps")]
    pub secret: PairSecret,
    /// What the peer said of itself, last known.
    pub metadata: Metadata,
    /// How far it got.
    pub state: PairState,
    /// The ids of the same peer whose hooks ran before: what this record replaces once it is paired.
    pub replaces: Vec<PairId>,
    /// The last run-time instances of the peer, newest last, at most 8: one that returns was cloned.
    #[serde(with = "crate::as_bin_list")]
    pub instances: Vec<[u8; 16]>,
}

impl PairRecord {
    /// A new record.
    pub fn new(
        pair_id: PairId,
        role: Role,
        peer: PublicKey,
        own: PublicKey,
        secret: PairSecret,
        state: PairState,
    ) -> Self {
        Self {
            pair_id,
            role,
            peer,
            own,
            secret,
            state,
            metadata: Metadata::default(),
            replaces: Vec::new(),
            instances: Vec::new(),
        }
    }

    /// The record as a store keeps it: MessagePack with named fields. Holds the secret; zeroised on drop.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(rmp_serde::to_vec_named(self).expect("a record has no type that MessagePack lacks"))
    }

    /// Reads [`PairRecord::encode`]. Unknown fields are skipped.
    ///
    /// # Errors
    /// [`RecordError::Malformed`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        read(bytes)
    }
}

/// One value of MessagePack, and nothing after it.
fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RecordError> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut reader).map_err(|_| RecordError::Malformed)?;
    match IgnoredAny::deserialize(&mut reader) {
        Err(InvalidMarkerRead(end)) if end.kind() == ErrorKind::UnexpectedEof => Ok(value),
        Ok(IgnoredAny) | Err(_) => Err(RecordError::Malformed),
    }
}

/// Everything that a store holds. Exhaustive on purpose: a store that leaves out a part must not compile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The records of pairing, in any order, each id once.
    pub records: Vec<PairRecord>,
    /// The marks, in any order, each fingerprint once.
    pub marks: Vec<Mark>,
    /// Where paired peers may be, in any order, each fingerprint once.
    pub whereabouts: Vec<Whereabouts>,
    /// The number of the last announcement to discovery servers, or 0.
    pub announced: u64,
}

/// What is written at once: all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreChange {
    /// Records to write, replacing those with the same id.
    pub put: Vec<PairRecord>,
    /// Records to delete; ids that are not there are no error.
    pub delete: Vec<PairId>,
    /// Marks to write, replacing those of the same fingerprint.
    pub mark: Vec<Mark>,
    /// Marks to delete; fingerprints that have none are no error.
    pub unmark: Vec<Fingerprint>,
    /// Whereabouts to write, replacing those of the same fingerprint.
    pub place: Vec<Whereabouts>,
    /// Whereabouts to delete; fingerprints that have none are no error.
    pub unplace: Vec<Fingerprint>,
    /// The number of the announcement that is about to be made. It never goes back: a lower one than is stored
    /// changes nothing.
    pub announced: Option<u64>,
}

impl Stored {
    /// Does in memory what a store does durably.
    ///
    /// ```
    /// use handfast_core::store::{Mark, MarkKind, StoreChange, Stored};
    /// use handfast_core::Fingerprint;
    ///
    /// let mark = Mark::new(Fingerprint::from_bytes([7; 32]), MarkKind::Banned);
    /// let mut stored = Stored::default();
    /// stored.apply(&StoreChange { mark: vec![mark.clone()], ..StoreChange::default() });
    /// assert_eq!(stored.marks, [mark]);
    /// ```
    pub fn apply(&mut self, change: &StoreChange) {
        let StoreChange { put, delete, mark, unmark, place, unplace, announced } = change;
        self.records.retain(|old| {
            !delete.contains(&old.pair_id) && !put.iter().any(|new| new.pair_id == old.pair_id)
        });
        self.records.extend_from_slice(put);
        self.marks.retain(|old| {
            !unmark.contains(&old.fingerprint) && !mark.iter().any(|new| new.fingerprint == old.fingerprint)
        });
        self.marks.extend_from_slice(mark);
        self.whereabouts.retain(|old| {
            !unplace.contains(&old.fingerprint) && !place.iter().any(|new| new.fingerprint == old.fingerprint)
        });
        self.whereabouts.extend_from_slice(place);
        self.announced = self.announced.max(announced.unwrap_or(0));
    }
}

impl From<Vec<PairRecord>> for Stored {
    fn from(records: Vec<PairRecord>) -> Self {
        Self { records, ..Self::default() }
    }
}

/// What the core wants of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreRequest {
    /// Everything. Asked once at the start, and after a failed write to see what became of it.
    Load,
    /// Write and delete, all or nothing, durable before it is answered.
    Write(StoreChange),
}

/// How the store answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreReply {
    /// To [`StoreRequest::Load`]. More than 4,096 records of this node's key, 64 keys that are trusted or 4,096 that
    /// are banned count as a failure.
    Loaded(Stored),
    /// To [`StoreRequest::Write`]: it is durable.
    Written,
    /// It failed; a write may or may not have happened.
    Failed,
}

macro_rules! bin_serde {
    ($($name:ty, $to:expr, $from:expr, $what:literal);* $(;)?) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let to: fn(&$name) -> _ = $to;
                s.serialize_bytes(to(self).as_ref())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let from: fn(&[u8]) -> Option<$name> = $from;
                let bytes = crate::as_bin::bytes(d)?;
                from(&bytes).ok_or_else(|| D::Error::custom($what))
            }
        }
    )*};
}
bin_serde! {
    PairSecret, |s| Zeroizing::new(*s.as_bytes()).to_vec(), |b| b.try_into().ok().map(PairSecret::from_bytes), "a pair secret has 32 bytes";
    PublicKey, |k| k.to_spki(), |b| PublicKey::from_spki(b).ok(), "not the SPKI of a sound Ed25519 key";
}

/// Bytes in MessagePack, text where people read it.
impl Serialize for PairId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_bytes(self.as_bytes()) }
    }
}

impl<'de> Deserialize<'de> for PairId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return String::deserialize(d)?.parse().map_err(D::Error::custom);
        }
        let bytes = crate::as_bin::bytes(d)?;
        let bytes = bytes.as_ref().try_into().map_err(|_| D::Error::custom("a pair id has 32 bytes"))?;
        Ok(Self::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests;
