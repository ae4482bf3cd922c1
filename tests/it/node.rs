//! Nodes in memory, in virtual time.

mod connections;
mod consent;
mod determinism;
mod discovery;
mod doubt;
mod forgery;
mod limits;
mod pairing;
mod services;
mod stats;
mod streams;
pub(crate) mod support;
mod trust;
