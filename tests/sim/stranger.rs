//! Those who have no node and play by no rules.
//!
//! A stranger is plugged in by [`World::invite`](crate::world::World::invite). From then on he hears what reaches him,
//! and acts: at once, and then whenever he said that he would. A function that acts is a stranger too:
//!
//! ```
//! use handfast_core::{Config, ServiceName};
//! use handfast_tests::fabric::{Outgoing, Port};
//! use handfast_tests::fault::Fault;
//! use handfast_tests::machine::address;
//! use handfast_tests::paired::identity;
//! use handfast_tests::stranger::{Act, Misdeed};
//! use handfast_tests::world::World;
//! use rand_chacha::ChaCha12Rng;
//! use std::time::{Duration, Instant};
//!
//! let mut world = World::seeded(7);
//! let host = world.add(Config::new(ServiceName::new("chat").unwrap()), &identity(1), vec![]);
//! let (lan, victim) = (world.lan(), world.address(host));
//! // Ten datagrams of nothing each 100 ms, in the name of somebody else.
//! let flood = move |_: Instant, _: &mut ChaCha12Rng| {
//!     let as_if_from = Some("10.0.0.77:40000".parse().unwrap());
//!     let one = || Misdeed { fault: Fault::Flooded, as_if_from, out: Outgoing::new(40_000, victim, vec![0; 1_200]) };
//!     Act { sends: (0..10).map(|_| one()).collect(), again: Some(Duration::from_millis(100)) }
//! };
//! let port = Port { interface: 1, segment: lan, addresses: vec![address("10.0.9.9/16")] };
//! let mallory = world.invite(&[port], Box::new(flood));
//! world.run_for(Duration::from_secs(1));
//! assert_eq!(world.tally().of(Fault::Flooded), world.fabric.sent(mallory, lan).datagrams);
//! ```

use crate::fabric::{Arrival, Host, Outgoing};
use crate::fault::Fault;
use rand_chacha::ChaCha12Rng;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One datagram that a stranger sends.
pub struct Misdeed {
    /// What kind of misdeed it is.
    pub fault: Fault,
    /// The source that it names, where that is not his own.
    pub as_if_from: Option<SocketAddr>,
    /// The datagram.
    pub out: Outgoing,
}

/// What a stranger does at one moment.
#[derive(Default)]
pub struct Act {
    /// What he sends.
    pub sends: Vec<Misdeed>,
    /// After what time he acts again, if ever.
    pub again: Option<Duration>,
}

/// Somebody who has no node.
pub trait Stranger {
    /// A datagram reached him: a multicast on one of his segments, or one that was sent to him.
    fn heard(&mut self, _now: Instant, _arrival: &Arrival) {}
    /// He sits on the path and sees what a host sent, with the source that it had, wherever it went. Only where
    /// he [`taps`](Stranger::taps). Returns what he sends at once.
    fn overheard(&mut self, _now: Instant, _from: Host, _out: &Outgoing) -> Vec<Misdeed> {
        Vec::new()
    }
    /// Whether he sees what every host sends.
    fn taps(&self) -> bool {
        false
    }
    /// It is his turn.
    fn act(&mut self, now: Instant, rng: &mut ChaCha12Rng) -> Act;
}

/// Somebody who does nothing by himself: what he sends, the test sends with
/// [`World::misbehave`](crate::world::World::misbehave).
#[derive(Clone, Copy, Debug, Default)]
pub struct Puppet;

impl Stranger for Puppet {
    fn act(&mut self, _: Instant, _: &mut ChaCha12Rng) -> Act {
        Act::default()
    }
}

/// A function is a stranger who hears nothing: it is called whenever it is his turn.
impl<F: FnMut(Instant, &mut ChaCha12Rng) -> Act> Stranger for F {
    fn act(&mut self, now: Instant, rng: &mut ChaCha12Rng) -> Act {
        self(now, rng)
    }
}
