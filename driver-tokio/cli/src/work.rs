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
    LookUp,
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
    pub(crate) into: Into,
    /// The only device to receive from.
    pub(crate) from: Option<String>,
    /// Bytes a second.
    pub(crate) limit: Option<u64>,
    /// Whether it ends after what one command sends.
    pub(crate) once: bool,
}

/// Where what arrives goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Into {
    Folder(#[serde(with = "path")] PathBuf),
    Stdout,
}

/// What `send` was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sending {
    pub(crate) cargo: Cargo,
    pub(crate) peer: String,
    /// Bytes a second.
    pub(crate) limit: Option<u64>,
    /// How long the device is looked for, at first and when it was lost.
    pub(crate) patience: Duration,
    /// What the other device knows this command by.
    pub(crate) run: [u8; 16],
    /// What is through already, by the work of a process that has ended.
    pub(crate) after: Option<Passed>,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cargo {
    Files(Vec<Named>),
    /// Standard input, under this name.
    Pipe {
        name: String,
    },
}

/// How far a command that sends has come: everything up to this, in the order of arguments and names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Passed {
    pub(crate) argument: usize,
    pub(crate) names: Vec<String>,
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
    /// It is waited for, until the user insists: it could not go on elsewhere, or at a cost.
    UntilForced,
}

impl Work {
    /// Whether it needs no network.
    pub(crate) fn is_offline(&self) -> bool {
        match self {
            Self::Ban { .. } | Self::Forget { .. } | Self::Id | Self::Peers | Self::Unban { .. } => true,
            Self::Discover
            | Self::LookUp
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
            Self::Discover | Self::LookUp | Self::Node | Self::Trust { .. } => Hold::Never,
            Self::Recv(what) if what.into != Into::Stdout => Hold::Never,
            Self::Ban { .. }
            | Self::Forget { .. }
            | Self::Id
            | Self::Pair(_)
            | Self::Peers
            | Self::Recv(_)
            | Self::Send(_)
            | Self::Unban { .. } => Hold::UntilForced,
        }
    }

    /// Whether it can go on at another node, wherever it was.
    pub(crate) fn can_move(&self) -> bool {
        match self {
            Self::Send(what) => matches!(what.cargo, Cargo::Files(_)),
            other => other.hold() == Hold::Never,
        }
    }

    /// What is through need not be sent again.
    pub(crate) fn pass(&mut self, passed: Passed) {
        if let Self::Send(what) = self {
            what.after = Some(passed);
        }
    }
}

/// What a node is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    pub(crate) app: String,
    pub(crate) interface: Vec<String>,
    pub(crate) port: u16,
    /// Discovery servers, each a host and a port, and their keys.
    pub(crate) server: Vec<String>,
    pub(crate) server_key: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) idle_timeout: Option<Duration>,
}

impl From<&Global> for Options {
    fn from(global: &Global) -> Self {
        Self {
            app: global.app.to_string(),
            interface: global.interface.clone(),
            port: global.port,
            server: global.server.clone(),
            server_key: global.server_key.iter().map(ToString::to_string).collect(),
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
        if !wanted.server.is_empty()
            && (&self.server, &self.server_key) != (&wanted.server, &wanted.server_key)
        {
            return says("--server", &self.server, &wanted.server);
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
