//! One file a command.

pub(crate) mod ban;
pub(crate) mod demo;
pub(crate) mod discover;
pub(crate) mod forget;
pub(crate) mod id;
pub(crate) mod pair;
pub(crate) mod peers;
pub(crate) mod recv;
pub(crate) mod send;
pub(crate) mod trust;

mod locate;
mod prompt;
