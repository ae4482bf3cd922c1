//! What a command is to do, so that any process of the home can do it: paths are absolute, and what the
//! command line meant is decided.

use crate::args::Global;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// A command, and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) work: Work,
    pub(crate) options: Options,
    /// Where the other device is.
    pub(crate) addr: Option<String>,
    pub(crate) asking: Asking,
}

/// Whether the user can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Asking {
    /// Whatever there is to ask.
    All,
    /// A code alone: anything else is answered with yes.
    Codes,
    /// There is nobody.
    Nothing,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    Ban { device: String },
    Discover,
    Forget { peer: String },
    Id,
    Node,
    Pair(Pair),
    Peers,
    Recv(Receive),
    Send(Sending),
    Trust { fingerprint: String },
    Unban { fingerprint: String },
}

/// What `pair` was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pair {
    /// Show a code: to whoever comes, or to this peer, which is dialled.
    Show(Option<String>),
    /// Type a code: for the only device that is pairing, or for this one.
    Type { code: String, peer: Option<String> },
}

/// What `recv` was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receive {
    #[serde(with = "path")]
    pub(crate) folder: PathBuf,
}

/// What `send` was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sending {
    pub(crate) files: Vec<Named>,
    pub(crate) peer: String,
}

/// A file, as the user named it and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) word: String,
    #[serde(with = "path")]
    pub(crate) path: PathBuf,
}

/// When the process that is the node may end although another one's order is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hold {
    /// At any time: it goes on wherever the next node is.
    Never,
    /// It is waited for, until the user insists: it cannot go on elsewhere.
    UntilForced,
}

impl Work {
    /// Whether it needs no network.
    pub(crate) fn is_offline(&self) -> bool {
        match self {
            Self::Ban { .. } | Self::Forget { .. } | Self::Id | Self::Peers | Self::Unban { .. } => true,
            Self::Discover
            | Self::Node
            | Self::Pair(_)
            | Self::Recv(_)
            | Self::Send(_)
            | Self::Trust { .. } => false,
        }
    }

    /// Whether the node's process waits for it.
    pub(crate) fn hold(&self) -> Hold {
        match self {
            Self::Discover | Self::Node | Self::Recv(_) | Self::Trust { .. } => Hold::Never,
            Self::Ban { .. }
            | Self::Forget { .. }
            | Self::Id
            | Self::Pair(_)
            | Self::Peers
            | Self::Send(_)
            | Self::Unban { .. } => Hold::UntilForced,
        }
    }
}

/// What a node is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    pub(crate) app: String,
    pub(crate) interface: Vec<String>,
    pub(crate) port: u16,
    pub(crate) name: Option<String>,
    pub(crate) idle_timeout: Option<Duration>,
}

impl From<&Global> for Options {
    fn from(global: &Global) -> Self {
        Self {
            app: global.app.to_string(),
            interface: global.interface.clone(),
            port: global.port,
            name: global.name.clone(),
            idle_timeout: global.idle_timeout,
        }
    }
}

impl Options {
    /// Why a node that was started with these does not do for somebody who wants those: what he did not name is
    /// the node's to choose.
    pub(crate) fn lack(&self, wanted: &Self) -> Option<String> {
        let says = |option: &str, own: &dyn std::fmt::Debug, wanted: &dyn std::fmt::Debug| {
            Some(format!("{option} {own:?}, not {wanted:?}"))
        };
        let sorted = |names: &[String]| names.iter().cloned().collect::<std::collections::BTreeSet<_>>();
        if self.app != wanted.app {
            return says("--app", &self.app, &wanted.app);
        }
        if !wanted.interface.is_empty() && sorted(&self.interface) != sorted(&wanted.interface) {
            return says("--interface", &self.interface, &wanted.interface);
        }
        if wanted.port != 0 && self.port != wanted.port {
            return says("--port", &self.port, &wanted.port);
        }
        if let Some(name) = &wanted.name
            && self.shown_name() != wanted.shown_name()
        {
            return says("--name", &self.shown_name(), name);
        }
        if wanted.idle_timeout.is_some() && self.idle_timeout != wanted.idle_timeout {
            return says("--idle-timeout", &self.idle_timeout, &wanted.idle_timeout);
        }
        None
    }

    /// What other devices call this one: as much as fits.
    pub(crate) fn shown_name(&self) -> String {
        let name = self.name.clone().unwrap_or_else(crate::node::host_name);
        name[..name.floor_char_boundary(handfast_core::Metadata::MAX_NAME)].to_owned()
    }
}

/// A path as its bytes: on Unix it need be no text.
mod path {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use std::path::{Path, PathBuf};

    #[cfg(unix)]
    pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).serialize(to)
    }

    #[cfg(unix)]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        let bytes = Vec::deserialize(from)?;
        Ok(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into())
    }

    #[cfg(not(unix))]
    pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        path.serialize(to)
    }

    #[cfg(not(unix))]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        PathBuf::deserialize(from)
    }
}
