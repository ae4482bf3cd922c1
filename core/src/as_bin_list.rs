//! Lists of byte strings as MessagePack `bin`, for `#[serde(with)]`.

use crate::as_bin;
use serde::de::{Deserialize, Deserializer};
use serde::ser::Serializer;

/// One item.
struct Bin<T>(T);

impl<T: AsRef<[u8]>> serde::Serialize for Bin<&T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        as_bin::serialize(self.0, s)
    }
}

impl<'de, T: as_bin::FromBin> Deserialize<'de> for Bin<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        as_bin::deserialize(d).map(Self)
    }
}

pub(crate) fn serialize<T: AsRef<[u8]>, S: Serializer>(list: &[T], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(list.iter().map(Bin))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: as_bin::FromBin>(d: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::<Bin<T>>::deserialize(d)?;
    Ok(list.into_iter().map(|item| item.0).collect())
}
