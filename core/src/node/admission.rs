//! Connections that wait before anything is said on them: for the application's word, or for the end of another
//! connection that fell silent.
//!
//! Keeps what the peer says meanwhile, unread. Never decides: no answer is no.

use super::Node;
use crate::ask::{AdmitToken, Ask, Candidate, Permission};
use crate::id::{ConnId, PublicKey};
use crate::io::{Deadline, Reason};
use crate::table::Table;
use crate::wire::close::CloseCode;
use crate::wire::frame::Frame;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What the application may take. Well below the time that a stranger has for its `Hello`, which runs meanwhile.
const ADMIT: Duration = Duration::from_secs(5);

/// Frames that a peer may say before it hears our `Hello`: its own, and what changed since.
const MAX_HELD: usize = 16;

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Await {
    /// The application's word on this.
    Word(u64),
    /// That this one, which fell silent, is heard or over.
    Silent(ConnId),
}

/// A connection that waits.
pub(super) struct Waiting {
    awaits: Await,
    pub(super) arrival: Arrival,
    until: Instant,
    pub(super) held: Vec<Frame>,
}

/// A data connection on which nothing was said yet.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) conn: ConnId,
    pub(super) peer: PublicKey,
    pub(super) remote: SocketAddr,
    pub(super) dialled: bool,
}

/// All of them: no more than there are connections.
#[derive(Default)]
pub(super) struct Admission {
    waiting: BTreeMap<ConnId, Waiting>,
    tokens: u64,
}

impl Admission {
    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        let at = self.waiting.values().map(|waiting| waiting.until).min()?;
        Some(Deadline { at, reason: Reason::Handshake })
    }

    pub(super) fn has(&self, conn: ConnId) -> bool {
        self.waiting.contains_key(&conn)
    }

    /// Whether the application was asked about a connection to this key, and has not answered.
    pub(super) fn awaits_word(&self, peer: &PublicKey) -> bool {
        let awaits =
            |waiting: &Waiting| waiting.arrival.peer == *peer && matches!(waiting.awaits, Await::Word(_));
        self.waiting.values().any(awaits)
    }

    /// The connection is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.remove(&conn);
    }

    pub(super) fn table(&self, connections: usize) -> Table {
        Table::new("node: connections to be admitted", self.waiting.len(), connections)
    }

    /// Keeps a frame until the application has answered.
    fn hold(&mut self, conn: ConnId, frame: Frame) -> Result<(), TooMany> {
        match self.waiting.get_mut(&conn) {
            Some(waiting) if waiting.held.len() < MAX_HELD => waiting.held.push(frame),
            Some(_) | None => return Err(TooMany),
        }
        Ok(())
    }

    /// Lets a connection wait.
    pub(super) fn put(&mut self, now: Instant, awaits: Await, arrival: Arrival, held: Vec<Frame>) {
        let waiting = Waiting { awaits, arrival, until: now + ADMIT, held };
        self.waiting.insert(arrival.conn, waiting);
    }

    /// One that waits for this no longer does.
    pub(super) fn end_wait(&mut self, awaits: Await) -> Option<Waiting> {
        self.take(|waiting| waiting.awaits == awaits)
    }

    fn take(&mut self, is_it: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let conn = self.waiting.iter().find(|(_, waiting)| is_it(waiting)).map(|(conn, _)| *conn)?;
        self.waiting.remove(&conn)
    }
}

/// The peer says more than it may.
struct TooMany;

impl Node {
    /// Asks the application about a connection.
    pub(super) fn ask_to_admit(&mut self, now: Instant, arrival: Arrival, held: Vec<Frame>) {
        let Arrival { peer, remote, dialled, .. } = arrival;
        self.admission.tokens += 1;
        let token = self.admission.tokens;
        self.admission.put(now, Await::Word(token), arrival, held);
        let candidate = Candidate {
            id: peer.peer_id(self.config.peer_id),
            key: peer,
            remote,
            dialled,
            paired: self.pairing.is_paired(&peer),
        };
        self.ask(Ask::Admit(AdmitToken(token), candidate));
    }

    /// The application's word. One that comes too late is about nothing.
    pub(super) fn answer_admit(&mut self, now: Instant, token: &AdmitToken, answer: Permission) {
        let Some(waiting) = self.admission.end_wait(Await::Word(token.0)) else { return };
        match answer {
            Permission::Granted => self.greet(now, waiting.arrival, waiting.held),
            Permission::Refused => self.turn_away(now, waiting.arrival),
        }
    }

    /// What nobody answered in time is refused.
    pub(super) fn refuse_late(&mut self, now: Instant) {
        while let Some(waiting) = self.admission.take(|waiting| waiting.until <= now) {
            self.turn_away(now, waiting.arrival);
        }
    }

    /// A frame of a connection that is not admitted yet.
    pub(super) fn hold_frame(&mut self, now: Instant, conn: ConnId, frame: Frame) {
        if let Err(TooMany) = self.admission.hold(conn, frame) {
            self.admission.forget(conn);
            self.quic.close(now, conn, CloseCode::Protocol);
        }
    }

    /// Says no more than that there is no place: not whether the two are paired.
    fn turn_away(&mut self, now: Instant, arrival: Arrival) {
        self.quic.close(now, arrival.conn, CloseCode::Busy);
        if arrival.dialled {
            self.peers.handle_turned_away(arrival.peer);
        }
    }
}
