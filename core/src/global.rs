//! Finding peers beyond the LAN, by servers that can withhold and never invent.
//!
//! The client is [`Global`]: it says where this node is, to whom it may be known, and learns where its peers are. Never
//! dials, stores or touches a stream itself: all of that goes out as [`Event`]s. Whatever a server says is checked here
//! against the key of whom it is said, and once more by TLS when the peer is dialled.

mod allowance;
mod announce;
mod answer;
mod client;
mod clock;
mod contact;
mod inbox;
mod reach;
mod replies;
mod requests;
pub(crate) mod seal;
mod seek;
mod stats;
mod tables;

pub(crate) use client::{Event, Global, Settings, Switched};
pub(crate) use contact::MAX_ASKED;
pub(crate) use inbox::{End, MAX_PUSH};
pub use stats::GlobalStats;

#[cfg(test)]
mod tests;
