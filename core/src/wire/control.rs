//! The messages of the control stream.

use super::Malformed;
use super::frame::Frame;
use super::strict::{self, Map, Text};
use crate::as_bin;
use crate::id::PairId;
use crate::metadata::Metadata;
use crate::store::PairState;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::collections::BTreeSet;

/// Features that a `Hello` may name.
pub(crate) const MAX_FEATURES: usize = 32;
/// Bytes that the name of a feature may have.
pub(crate) const MAX_FEATURE: usize = 32;
/// Pairings that a `Hello` may list: the records that two keys may have together.
pub(crate) const MAX_HELLO_ENTRIES: usize = 8;
/// Pairings that a `State` may list: the records, and as many that are gone.
pub(crate) const MAX_STATE_ENTRIES: usize = 16;

/// A message of the control stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Control {
    /// The first message of either side.
    Hello(Hello),
    /// The pairings of this pair of keys, when they differ from the last list.
    State(State),
}

/// Who speaks, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Drawn at the start of the node, never stored.
    #[serde(with = "as_bin")]
    pub(crate) instance: [u8; 16],
    /// Connections to this peer that stood and ended since then.
    pub(crate) lost: u32,
    /// What this side can do beyond the protocol.
    #[serde(deserialize_with = "features")]
    pub(crate) features: Vec<String>,
    /// `None` unless a record is `paired`.
    #[serde(deserialize_with = "optional_metadata")]
    pub(crate) metadata: Option<Metadata>,
    /// The first list of pairings.
    #[serde(deserialize_with = "entries::<_, MAX_HELLO_ENTRIES>")]
    pub(crate) state: Vec<Entry>,
}

/// The pairings of this pair of keys, always all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// No id twice.
    #[serde(deserialize_with = "entries::<_, MAX_STATE_ENTRIES>")]
    pub(crate) state: Vec<Entry>,
}

/// One pairing in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Which.
    pub(crate) pair_id: PairId,
    /// How far it got.
    #[serde(deserialize_with = "strict::word")]
    pub(crate) state: Listed,
}

/// How far a pairing got, as lists say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Listed {
    /// The hook is about to run, runs or is undone, or a session still decides.
    Hook,
    /// The joiner saved the peer.
    Prepared,
    /// The host saved the peer.
    Committed,
    /// Both did.
    Paired,
    /// The reader listed it, the writer has none.
    Gone,
}

impl From<PairState> for Listed {
    fn from(state: PairState) -> Self {
        match state {
            PairState::Hook => Self::Hook,
            PairState::Prepared => Self::Prepared,
            PairState::Committed => Self::Committed,
            PairState::Paired => Self::Paired,
        }
    }
}

impl Control {
    /// The message as a frame.
    pub(crate) fn encode(&self) -> Frame {
        Frame::encode(self)
    }

    /// Reads a frame; `None` for a message that this version does not know.
    ///
    /// # Errors
    /// [`Malformed`] for everything that breaks the format or a limit.
    pub(crate) fn decode(frame: &Frame) -> Result<Option<Self>, Malformed> {
        let message = frame.message()?;
        Ok(match message.name {
            "Hello" => Some(Self::Hello(strict::fields(message.fields)?)),
            "State" => Some(Self::State(strict::fields(message.fields)?)),
            _ => None,
        })
    }
}

fn features<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let list = strict::list::<D, Text<MAX_FEATURE>, MAX_FEATURES>(d)?;
    Ok(list.into_iter().map(|text| text.0).collect())
}

fn entries<'de, D: Deserializer<'de>, const MAX: usize>(d: D) -> Result<Vec<Entry>, D::Error> {
    let entries: Vec<Entry> =
        strict::list::<D, Map<Entry>, MAX>(d)?.into_iter().map(|entry| entry.0).collect();
    let ids: BTreeSet<PairId> = entries.iter().map(|entry| entry.pair_id).collect();
    if ids.len() < entries.len() {
        return Err(D::Error::custom("a list that names a pairing twice"));
    }
    Ok(entries)
}

fn optional_metadata<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Metadata>, D::Error> {
    let described = Option::<Map<Described>>::deserialize(d)?;
    Ok(described.map(|described| described.0.into()))
}

/// A peer's metadata, with its limits.
#[derive(Deserialize)]
pub(super) struct Described {
    #[serde(deserialize_with = "strict::text::<_, { Metadata::MAX_NAME }>")]
    name: String,
    #[serde(deserialize_with = "strict::text::<_, { Metadata::MAX_SHORT }>")]
    os: String,
    #[serde(deserialize_with = "strict::text::<_, { Metadata::MAX_SHORT }>")]
    version: String,
    #[serde(deserialize_with = "extra")]
    extra: bytes::Bytes,
}

impl From<Described> for Metadata {
    fn from(described: Described) -> Self {
        let Described { name, os, version, extra } = described;
        Self { name, os, version, extra }
    }
}

fn extra<'de, D: Deserializer<'de>>(d: D) -> Result<bytes::Bytes, D::Error> {
    let bytes = as_bin::bytes(d)?;
    if bytes.len() > Metadata::MAX_EXTRA {
        return Err(D::Error::custom("extra metadata over its limit"));
    }
    Ok(bytes)
}
