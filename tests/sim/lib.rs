//! Simulated networks: whole nodes in memory, a clock that only the simulation moves, randomness from one
//! seed.
//!
//! A [`World`](world::World) holds hosts, each with interfaces, clocks, a store, a node and an application,
//! and a [`Fabric`](fabric::Fabric) of segments, links, bridges, reflectors and NATs between them. It tells
//! each node the time, carries its datagrams, serves its store and its hooks, and lets go wrong what can go
//! wrong ([`Fault`](fault::Fault)). The same seed and the same calls give the same bytes on the wire, in every
//! process.
//!
//! ```
//! use handfast_core::{Config, Identity, ServiceName};
//! use handfast_tests::world::World;
//! use std::time::Duration;
//!
//! let config = || Config::new(ServiceName::new("chat").unwrap());
//! let mut world = World::seeded(7);
//! let laptop = world.add(config(), &Identity::from_entropy([1; 32]), vec![]);
//! let phone = world.add(config(), &Identity::from_entropy([2; 32]), vec![]);
//! let seen = world.run_until(Duration::from_secs(5), |world| {
//!     [laptop, phone].iter().all(|host| !world[*host].app.events.is_empty())
//! });
//! assert!(seen);
//! ```
//!
//! To simulate an application of your own, implement [`App`](app::App) for it.

pub mod app;
pub mod clock;
pub mod crypto;
pub mod fabric;
pub mod fault;
pub mod faulty;
pub mod forge;
pub mod machine;
pub mod mail;
pub mod paired;
pub mod store;
pub mod stranger;
pub mod swarm;
pub mod trace;
#[cfg(feature = "versus")]
pub mod versus;
pub mod world;
