//! How a command can fail: the kinds, their names in JSON, and their exit codes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The exit codes, as `--help` shows them. Never changed, only added to.
pub(crate) const HELP: &str = "\
Exit codes:
    0  done
    1  an error that has no code of its own
    2  wrong arguments
    3  another process uses this home
    4  the home cannot be used: damaged, written by a newer version, or not accessible
    5  no such device, or several that fit
    6  the device could not be reached in time
    7  not paired with the device (any more)
    8  the pairing code was wrong
    9  pairing failed for another reason
   10  a file could not be sent or received whole
   11  the process that was this device's node ended in the middle of the work
  130  interrupted by Ctrl-C";

/// What kind of failure: stable in JSON and as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Home,
    HomeBusy,
    Internal,
    Interrupted,
    NodeGone,
    NoSuchPeer,
    NotPaired,
    Pairing,
    Transfer,
    Unreachable,
    Usage,
    WrongCode,
}

impl Kind {
    /// The `kind` of an `error` event.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::HomeBusy => "home_busy",
            Self::Internal => "internal",
            Self::Interrupted => "interrupted",
            Self::NodeGone => "node_gone",
            Self::NoSuchPeer => "no_such_peer",
            Self::NotPaired => "not_paired",
            Self::Pairing => "pairing",
            Self::Transfer => "transfer",
            Self::Unreachable => "unreachable",
            Self::Usage => "usage",
            Self::WrongCode => "wrong_code",
        }
    }

    /// The process' exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Usage => 2,
            Self::HomeBusy => 3,
            Self::Home => 4,
            Self::NoSuchPeer => 5,
            Self::Unreachable => 6,
            Self::NotPaired => 7,
            Self::WrongCode => 8,
            Self::Pairing => 9,
            Self::Transfer => 10,
            Self::NodeGone => 11,
            Self::Interrupted => 130,
        }
    }

    /// A failure of this kind, with a sentence for people.
    pub(crate) fn because(self, message: impl fmt::Display) -> Failure {
        Failure { kind: self, message: message.to_string() }
    }
}

/// Why a command ends without having done its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_the_code_of_every_kind() {
        let kinds = [
            Kind::Home,
            Kind::HomeBusy,
            Kind::Internal,
            Kind::Interrupted,
            Kind::NodeGone,
            Kind::NoSuchPeer,
            Kind::NotPaired,
            Kind::Pairing,
            Kind::Transfer,
            Kind::Unreachable,
            Kind::Usage,
            Kind::WrongCode,
        ];
        for kind in kinds {
            let line = format!("\n{:>5}  ", kind.code());
            assert!(HELP.contains(&line), "{kind:?} is missing from the help");
        }
    }
}
