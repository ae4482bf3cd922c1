//! Engines that exchange datagrams on a link in memory, on a clock of their own.

use super::link::{GROUP_V4, GROUP_V6, PORT};
use super::name::Name;
use super::parse::Message;
use super::*;
use crate::id::ServiceName;
use crate::io::Family;
use crate::rng::Seed;
use crate::wire::txt::Txt;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

mod cache;
mod conflicts;
mod discovery;
mod flood;
mod group;
mod hostile;
mod kinds;
mod lan;
mod model;
mod probing;
mod querier;
mod questions;
mod renaming;
mod responder;
mod stats;
mod strange;

pub(super) use crate::testing::base;

pub(super) fn rng(seed: u8) -> Rng {
    Rng::child(&Seed::new([seed; 32]), "mdns")
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
