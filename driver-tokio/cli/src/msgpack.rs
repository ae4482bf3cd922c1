//! Values as MessagePack, from whoever wrote them: bounded in depth, and nothing after them.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Maps and arrays within each other: deeper is malformed, and would cost stack.
const MAX_DEPTH: usize = 16;

/// The whole of `bytes`, with nothing after it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut rest = bytes;
    let mut reader = rmp_serde::Deserializer::new(&mut rest);
    reader.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut reader).ok()?;
    rest.is_empty().then_some(value)
}

/// With named fields, so that they may be added to.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("a message has no type that MessagePack lacks")
}
