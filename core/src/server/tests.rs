//! A server and its clients, back to back, in virtual time.

mod limits;
mod lookups;
mod records;
mod shared;
mod snapshots;
mod subscriptions;
mod world;
