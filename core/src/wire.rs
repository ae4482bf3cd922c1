//! Bytes to values and back, without state. No other file touches offsets.

pub(crate) mod close;
pub(crate) mod control;
pub(crate) mod discovery;
pub(crate) mod frame;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
pub(crate) mod pairing;
pub(crate) mod record;
mod scan;
mod strict;
pub(crate) mod text_list;
pub(crate) mod txt;

/// Bytes from a peer that are not as this version's wire format has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed bytes")]
pub(crate) struct Malformed;

#[cfg(test)]
mod tests;
