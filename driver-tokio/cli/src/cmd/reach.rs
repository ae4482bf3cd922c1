//! Gets a connection to a paired device, and gets it again when it was lost.

use crate::exit::{Failure, Kind};
use crate::hub::Session;
use crate::output::Output;
use handfast_core::error::ConnectError;
use handfast_core::{ConnectFailure, Event, PeerId};
use handfast_tokio::{Connection, DialError, Events};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A dial that failed is tried again after this time, or when something new is heard of the device.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A device, and how long it is looked for.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) peer: PeerId,
    pub(super) name: String,
    pub(super) patience: Duration,
}

/// Since when there was nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// The connection was lost at that time.
    Lost(Instant),
    /// There was none yet.
    Start(Instant),
}

impl Since {
    fn at(self) -> Instant {
        match self {
            Self::Lost(at) | Self::Start(at) => at,
        }
    }
}

impl Route {
    /// Dials until it works, or until it cannot, or until the time is up.
    pub(super) async fn connect(
        &self,
        session: &Session,
        events: &mut Events,
        output: &Output,
        since: Since,
    ) -> Result<Connection, Failure> {
        let _waiting = output.waiting(&format!("looking for {}", self.name));
        let deadline = since.at() + self.patience;
        let mut last = None;
        loop {
            match timeout_at(deadline, session.node().connect(self.peer)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(DialError::Failed(ConnectFailure::NotPaired))) => return Err(self.not_paired()),
                Ok(Err(DialError::Begin(ConnectError::NotPaired))) => return Err(self.not_paired()),
                Ok(Err(error)) => last = Some(error),
                Err(_) => return Err(self.unreachable(since, last)),
            }
            let again = Instant::now() + AGAIN_AFTER;
            while let Ok(Some(event)) = timeout_at(again.min(deadline), events.next()).await {
                if self.is_news(&event) {
                    break;
                }
            }
            if Instant::now() >= deadline {
                return Err(self.unreachable(since, last));
            }
        }
    }

    /// Whether a dial that failed may work now.
    fn is_news(&self, event: &Event) -> bool {
        match event {
            Event::PeerDiscovered(peer) | Event::PeerUpdated(peer) => peer.id == self.peer || peer.paired,
            Event::PeerConnected(peer) => peer.key.is_named(&self.peer),
            Event::PeerUnpaired(key, _) => key.is_named(&self.peer),
            _ => false,
        }
    }

    /// It runs, and does not receive.
    pub(super) fn no_receiver(&self) -> Failure {
        Kind::Transfer.because(format_args!("{} takes no files; run `handfast recv` there", self.name))
    }

    fn not_paired(&self) -> Failure {
        let name = &self.name;
        Kind::NotPaired.because(format_args!(
            "{name} is not paired with this device any more; pair again with `handfast pair`"
        ))
    }

    /// It was not found, or not found again.
    pub(super) fn unreachable(&self, since: Since, last: Option<DialError>) -> Failure {
        let (name, within) = (&self.name, self.patience.as_secs_f32());
        match (since, last) {
            (Since::Lost(_), _) => Kind::Transfer.because(format_args!(
                "the connection was lost, and {name} took no more within {within} s; the same `handfast send` \
                 goes on where this one was"
            )),
            (
                Since::Start(_),
                None
                | Some(
                    DialError::Begin(ConnectError::NoAddress) | DialError::Failed(ConnectFailure::NoAddress),
                ),
            ) => Kind::Unreachable.because(format_args!(
                "{name} was not found on this network within {within} s; is `handfast recv` running there?"
            )),
            (Since::Start(_), Some(error)) => Kind::Unreachable
                .because(format_args!("{name} could not be reached within {within} s: {error}")),
        }
    }
}
