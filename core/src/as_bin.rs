//! Byte strings as MessagePack `bin`: serde's own default for them is an array of integers.

use bytes::Bytes;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use std::fmt;

struct BinVisitor;

impl Visitor<'_> for BinVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }
}

/// Reads a `bin`; an array of integers is an error.
pub(crate) fn bytes<'de, D: Deserializer<'de>>(d: D) -> Result<Bytes, D::Error> {
    d.deserialize_bytes(BinVisitor)
}

/// For `#[serde(with)]`.
pub(crate) fn serialize<B: AsRef<[u8]>, S: Serializer>(bytes: &B, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_bytes(bytes.as_ref())
}

/// For `#[serde(with)]`: any type that is made from a slice of the right length.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, B: FromBin>(d: D) -> Result<B, D::Error> {
    B::from_bin(bytes(d)?).ok_or_else(|| D::Error::custom("a byte string of the wrong length"))
}

/// What a `bin` may become.
pub(crate) trait FromBin: Sized {
    /// `None` where the length does not fit.
    fn from_bin(bytes: Bytes) -> Option<Self>;
}

impl FromBin for Bytes {
    fn from_bin(bytes: Bytes) -> Option<Self> {
        Some(bytes)
    }
}

impl<const N: usize> FromBin for [u8; N] {
    fn from_bin(bytes: Bytes) -> Option<Self> {
        bytes.as_ref().try_into().ok()
    }
}
