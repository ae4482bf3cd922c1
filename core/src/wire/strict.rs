//! Readers for fields that take one MessagePack type alone.
//!
//! serde's own would read a struct from an array, an enum from a number and text from bytes.

use super::Malformed;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// Reads the fields of a message, which `scan` has checked.
pub(super) fn fields<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    map(&mut reader).map_err(|_| Malformed)
}

/// Reads a list of at most `MAX` items, which `scan` has checked.
pub(super) fn items<T: DeserializeOwned, const MAX: usize>(bytes: &[u8]) -> Result<Vec<T>, Malformed> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    list::<_, T, MAX>(&mut reader).map_err(|_| Malformed)
}

/// A struct from a map.
pub(super) fn map<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    struct Map<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(access))
        }
    }
    d.deserialize_map(Map(PhantomData))
}

/// A list of at most `MAX` items, each read by `T`.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    d: D,
) -> Result<Vec<T>, D::Error> {
    struct List<T, const MAX: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Vec<T>, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = access.next_element()? {
                if items.len() == MAX {
                    return Err(A::Error::custom("a list over its limit"));
                }
                items.push(item);
            }
            Ok(items)
        }
    }
    d.deserialize_seq(List::<T, MAX>(PhantomData))
}

/// Text of at most `MAX` bytes.
pub(super) fn text<'de, D: Deserializer<'de>, const MAX: usize>(d: D) -> Result<String, D::Error> {
    visit_text(d, |text: &str| (text.len() <= MAX).then(|| text.to_owned()))
}

/// Text that a value is read from.
pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr>(d: D) -> Result<T, D::Error> {
    visit_text(d, |text: &str| text.parse().ok())
}

/// A word of a closed set: the unit variants of `T`, as its own `Deserialize` names them.
pub(super) fn word<'de, D: Deserializer<'de>, T: DeserializeOwned>(d: D) -> Result<T, D::Error> {
    visit_text(d, |text: &str| {
        let reader: StrDeserializer<'_, serde::de::value::Error> = StrDeserializer::new(text);
        T::deserialize(reader).ok()
    })
}

fn visit_text<'de, D: Deserializer<'de>, T>(d: D, read: impl Fn(&str) -> Option<T>) -> Result<T, D::Error> {
    struct Text<F>(F);
    impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Text<F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text within its limits")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).ok_or_else(|| E::custom("text that does not belong there"))
        }
    }
    d.deserialize_str(Text(read))
}

/// Text of at most `MAX` bytes, as an item of a list.
#[derive(Debug)]
pub(super) struct Text<const MAX: usize>(pub(super) String);

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        text::<D, MAX>(d).map(Self)
    }
}

/// A struct from a map, as an item of a list or an option.
pub(super) struct Map<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        map(d).map(Self)
    }
}
