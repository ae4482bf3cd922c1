//! Simulated networks: nodes in memory, a clock that only the simulation moves, randomness from one seed.
//!
//! [`crypto::seeded`] makes TLS a pure function of a seed, so that the same seed gives the same bytes on the
//! wire; [`net::Net`] carries datagrams between nodes and tells each of them the time.

pub mod crypto;
pub mod fabric;
pub mod fault;
pub mod faulty;
pub mod forge;
pub mod net;
pub mod paired;
#[cfg(feature = "versus")]
pub mod versus;
