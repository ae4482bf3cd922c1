//! What can go wrong in a simulated world, and how often it did.

use std::fmt;
use std::ops::AddAssign;

macro_rules! faults {
    ($($(#[$doc:meta])* $kind:ident = $name:literal),* $(,)?) => {
        /// One kind of fault. It is counted where it takes effect, not where it is planned.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $kind,)*
        }

        impl Fault {
            /// Every kind.
            pub const ALL: [Self; faults!(@count $($kind)*)] = [$(Self::$kind,)*];

            /// Its name, for reports.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
    (@count $($kind:ident)*) => { [$(faults!(@one $kind)),*].len() };
    (@one $kind:ident) => { () };
}

faults! {
    /// A link lost a datagram.
    Lost = "lost",
    /// A link took longer than its latency.
    Delayed = "delayed",
    /// A link delivered a datagram twice.
    Duplicated = "duplicated",
    /// A datagram overtook one that was sent before it.
    Reordered = "reordered",
    /// A datagram waited for the link to take those before it.
    Queued = "queued",
    /// A link's queue was full.
    Overflowed = "overflowed",
    /// A datagram was larger than a link takes, and vanished.
    TooBig = "too-big",
    /// A partition kept a datagram from a host on the same segment.
    Partitioned = "partitioned",
    /// A bridge that is down kept a datagram on its side.
    BridgeDown = "bridge-down",
    /// A reflector said a multicast again on the other segment.
    Reflected = "reflected",
    /// A NAT gave one inside address one outside port for every destination.
    NatIndependent = "nat-independent",
    /// A NAT gave another destination another outside port.
    NatDependent = "nat-dependent",
    /// A NAT kept out who was never spoken to: its filter looks at the address.
    NatFilteredAddress = "nat-filtered-address",
    /// A NAT kept out a port that was never spoken to: its filter looks at address and port.
    NatFilteredPort = "nat-filtered-port",
    /// A NAT let anybody in: its filter looks at nothing.
    NatOpen = "nat-open",
    /// A NAT forgot a mapping that was in use, and made another.
    NatRebound = "nat-rebound",
    /// A host had no way to a destination.
    Unreachable = "unreachable",
    /// A host's system refused to open a socket.
    SocketRefused = "socket-refused",
    /// A host lost an interface.
    InterfaceDown = "interface-down",
    /// A host got an interface back.
    InterfaceUp = "interface-up",
    /// An interface got another address.
    Renumbered = "renumbered",
    /// A host slept.
    Suspended = "suspended",
    /// A host's calendar was wrong from the start.
    ClockSkewed = "clock-skewed",
    /// A host's calendar jumped.
    ClockJumped = "clock-jumped",
    /// A node ended without a word.
    Crashed = "crashed",
    /// A node began anew, from what its store held.
    Restarted = "restarted",
    /// A store refused a request.
    StoreFailed = "store-failed",
    /// A store took its time.
    StoreStalled = "store-stalled",
    /// A store wrote, and the node crashed before it was answered.
    StoreCrashed = "store-crashed",
    /// A hook said that it failed.
    HookFailed = "hook-failed",
    /// A hook took its time.
    HookStalled = "hook-stalled",
    /// A hook panicked.
    HookPanicked = "hook-panicked",
    /// A stranger sent more than anybody should.
    Flooded = "flooded",
    /// A stranger sent again what somebody else had sent.
    Replayed = "replayed",
    /// A stranger sent in another's name.
    Forged = "forged",
    /// A stranger spoke the protocol and told what is not so.
    Lied = "lied",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each kind fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally([u64; Fault::ALL.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; Fault::ALL.len()])
    }
}

impl Tally {
    /// Counts one.
    pub fn fired(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How often a kind fired.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// The kinds that never fired.
    pub fn silent(&self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(|fault| self.of(*fault) == 0)
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}
