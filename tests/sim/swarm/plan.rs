//! A random world: who is there, what lies between them, what they do and what befalls them.
//!
//! A plan is a list of items, so that one that broke something can be shrunk: hosts first, then steps.

mod draw;
mod keys;
mod reach;
mod wishes;

use super::offer::Deed;
use super::truth::Ending;
use super::user::HookOdds;
use crate::fabric::{Depends, Link};
use crate::store::StoreOdds;
use handfast_core::Sources;
use std::collections::BTreeSet;
use std::time::Duration;

/// Which IP versions a segment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    /// IPv4 alone.
    V4,
    /// Link-local IPv6 alone.
    V6,
    /// Both.
    Dual,
}

/// How a segment reaches the rest of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uplink {
    /// It does not.
    None,
    /// Its addresses are public.
    Routed,
    /// Through a NAT.
    Nat(Depends, Depends),
}

/// What joins two segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joint {
    /// They are one broadcast domain.
    Bridge(usize, usize),
    /// Multicasts of mDNS are said again on the other.
    Reflector(usize, usize),
}

/// One host: on which segments.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// Its interfaces, by the segment each is plugged into.
    pub(super) segments: Vec<usize>,
    /// By how many seconds its calendar is ahead.
    pub(super) skew_s: i64,
    /// Whether its system has IPv6.
    pub(super) ipv6: bool,
    /// Whether its application reads slowly.
    pub(super) slow: bool,
    /// When it is switched on.
    pub(super) from: Duration,
}

/// How a code gets from one device to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The joiner picks the host that he sees.
    Chosen,
    /// The joiner dials the host's address.
    At,
    /// The joiner takes whoever is pairing.
    Any,
    /// The host dials the joiner, who is asked.
    Asked,
}

/// Somebody who plays by no rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Villain {
    /// Sends mDNS records without end.
    RecordFlood,
    /// Sends first packets of connections without end.
    InitialFlood,
    /// Sends again what he overheard.
    Replayer,
    /// Closes connections and says goodbye in others' names.
    Forger,
    /// Announces peers where they are not.
    Liar,
}

impl Villain {
    /// Whether what he says on the LAN names peers that are, or were, there.
    pub(super) fn speaks_for_others(self) -> bool {
        matches!(self, Self::Replayer | Self::Forger | Self::Liar)
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A link changes, for a while.
    Link(usize, Link, Duration),
    /// A host's own cable changes, for a while.
    Cable(usize, usize, Link, Duration),
    /// A segment falls apart: those in the set cannot reach the others.
    Part(usize, BTreeSet<usize>, Duration),
    /// A bridge goes down, for a while.
    Unbridge(usize, Duration),
    /// A host loses an interface, for a while, several times.
    Flap(usize, usize, Duration, u32),
    /// An interface gets another address.
    Renumber(usize, usize),
    /// A host sleeps.
    Sleep(usize, Duration),
    /// A calendar jumps.
    Jump(usize, i64),
    /// A node crashes, and begins again.
    Crash(usize, Duration),
    /// A store misbehaves, for a while.
    Store(usize, StoreOdds, Duration),
    /// Hooks misbehave, for a while.
    Hooks(usize, HookOdds, Duration),
    /// A NAT forgets.
    Rebind(usize),
    /// Somebody comes to a segment, for a while.
    Villain(usize, Villain, Duration),
    /// A user shows a code, another types it after a while: a wrong one, so many times, before the right one.
    Pair {
        /// Who shows it.
        host: usize,
        /// Who types it.
        joiner: usize,
        /// How it gets there.
        way: Way,
        /// How long he takes.
        after: Duration,
        /// How often he mistypes.
        typos: u32,
    },
    /// A user gives up what he is doing.
    Cancel(usize),
    /// A user forgets a peer.
    Forget(usize, usize),
    /// A user trusts a peer without a code.
    Trust(usize, usize),
    /// A user trusts a peer no longer, if the two are not paired yet.
    Distrust(usize, usize),
    /// A user bans a peer, for a while.
    Ban(usize, usize, Duration),
    /// An application connects to a peer.
    Connect(usize, usize),
    /// An application closes its connection.
    Close(usize, usize),
    /// An application sends bytes.
    Send(usize, usize, u64, Ending),
    /// A user offers something on the LAN, looks for something, or thinks better of it.
    Wish(usize, Deed),
    /// An application ends in good order, and begins again.
    Leave(usize, Duration),
    /// A user has only these sources of addresses heeded, for a while.
    Sources(usize, Sources, Duration),
    /// What a host sends is lost, for a while, and it hears everything.
    Mute(usize, Duration),
    /// A user gives a peer's name, and connects.
    Name(usize, usize),
    /// An application sends datagrams.
    Datagrams(usize, usize, u32),
    /// An application sends bytes to everybody who is connected.
    Tell(usize, u64),
    /// An application asks a peer something, in so many bytes.
    Ask(usize, usize, usize),
}

/// What the users of a world are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Care {
    /// Whether to pair, once the code is proven.
    pub(super) confirms: bool,
    /// Whether a connection may stay.
    pub(super) admits: bool,
}

/// A random world.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its seed.
    pub(super) seed: u64,
    /// For how long things happen; then all faults end.
    pub(super) length: Duration,
    /// Whether its nodes hold little: their limits are reached.
    pub(super) small: bool,
    /// What its users are asked.
    pub(super) care: Care,
    /// Whether its nodes keep the peers connected that they are paired with.
    pub(super) eager: bool,
    /// Its segments.
    pub(super) segments: Vec<(Stack, Uplink, Link)>,
    /// What joins them.
    pub(super) joints: Vec<Joint>,
    /// Its hosts. `None` where it was shrunk away.
    pub(super) guests: Vec<Option<Guest>>,
    /// What happens, and when. `None` where it was shrunk away.
    pub(super) steps: Vec<Option<(Duration, Step)>>,
}

impl Plan {
    /// How many items can be taken away.
    pub fn items(&self) -> usize {
        self.guests.len() + self.steps.len()
    }

    /// The same without some items.
    #[must_use]
    pub fn without(mut self, gone: &BTreeSet<usize>) -> Self {
        for item in gone {
            let step = item.checked_sub(self.guests.len());
            match step {
                None => self.guests[*item] = None,
                Some(step) => {
                    if let Some(slot) = self.steps.get_mut(step) {
                        *slot = None;
                    }
                }
            }
        }
        self
    }
}
