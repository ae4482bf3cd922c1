//! A bare list of addresses as text: what is sealed in a record.

use super::Malformed;
use super::discovery::{addresses, shown_each};
use super::scan;
use std::net::SocketAddr;

/// The list as MessagePack.
pub(crate) fn encode(list: &[SocketAddr]) -> Vec<u8> {
    let mut out = Vec::new();
    shown_each(list, &mut rmp_serde::Serializer::new(&mut out)).expect("text is a type of MessagePack");
    out
}

/// Reads [`encode`], at most 16 addresses.
///
/// # Errors
/// [`Malformed`] for everything else.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<SocketAddr>, Malformed> {
    scan::array(bytes, super::discovery::MAX_ADDRESSES)?;
    addresses(&mut rmp_serde::Deserializer::from_read_ref(bytes)).map_err(|_| Malformed)
}
