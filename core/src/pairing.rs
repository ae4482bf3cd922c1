//! Pairing: two people's devices, one short code, and a record on both or on neither.
//!
//! Says nothing on the wire that the store does not hold. Never opens a connection, never touches a stream
//! and knows nothing of QUIC: bytes come in by `handle_*`, what is to be done goes out as [`Event`]. No
//! close code ever changes a record: a lost connection is a lost connection.
//!
//! | file | job |
//! |---|---|
//! | `pake`, `keys` | what both prove to each other |
//! | `host`, `joiner`, `introduction` | the states up to both knowing each other |
//! | `session` | one connection's state |
//! | `opening`, `sessions`, `introducing`, `endings` | how it begins, how messages and users move it, how it ends |
//! | `ledger`, `answers` | records in the store, and what follows an answer |
//! | `commit`, `settle` | both or neither: the table, and running it |
//! | `marks`, `trusting` | keys that are trusted without a code, or banned |
//! | `window`, `entries`, `prompts`, `hooks` | what is counted and awaited |
//! | `unsettled` | when a peer is dialled again about a record in doubt |
//! | `tables` | how full all of it is |

mod answers;
mod commit;
mod endings;
mod entries;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod hooks;
mod host;
mod introducing;
mod introduction;
mod joiner;
mod keys;
mod ledger;
mod marks;
mod opening;
mod pake;
mod prompts;
mod session;
mod sessions;
mod settle;
mod tables;
mod trusting;
mod unsettled;
mod window;

pub(crate) use entries::MAX_ENTRIES;
pub(crate) use ledger::{MAX_RECORDS, MAX_TRUSTED};
pub(crate) use opening::MAX_SESSIONS;
pub(crate) use session::NewSession;

use crate::ask::Ask;
use crate::code::Code;
use crate::config::Consent;
use crate::error::{HostError, JoinError};
use crate::event::{Event as Told, PairingFailure, PairingId};
use crate::id::{ConnId, Fingerprint, PairId, PeerId, PeerIdKind, PublicKey};
use crate::io::{Deadline, Reason};
use crate::metadata::Metadata;
use crate::rng::Rng;
use crate::store::{PairRecord, StoreChange};
use crate::wire::close::CloseCode;
use crate::wire::control::Entry as Listing;
use answers::Then;
use bytes::Bytes;
use entries::{Entries, Entry};
use hooks::Hooks;
use ledger::{Change, Ledger};
use marks::{Trusts, Wish};
use prompts::Prompts;
use session::{PERSON, Session};
use settle::{Link, Watch};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use unsettled::Unsettled;
use window::{Failures, Window};

/// What the engine is told once.
pub(crate) struct Settings {
    /// This node's key.
    pub(crate) own: PublicKey,
    /// Which hash names peers in events.
    pub(crate) peer_id: PeerIdKind,
    /// What the peer is told after both proved the code.
    pub(crate) metadata: Metadata,
    /// How long a code is shown.
    pub(crate) window: Duration,
    /// Whether the user is asked once both sides proved the code.
    pub(crate) confirmation: Consent,
}

/// What `route` is to do.
#[derive(Debug)]
pub(crate) enum Event {
    /// Write this frame to the pairing stream.
    Send {
        /// The connection.
        conn: ConnId,
        /// The bytes, length included.
        frame: Bytes,
    },
    /// Write this frame and FIN: the peer closes when it has read them.
    SendLast {
        /// The connection.
        conn: ConnId,
        /// The bytes, length included.
        frame: Bytes,
    },
    /// Close the connection. The engine has forgotten it.
    Close {
        /// The connection.
        conn: ConnId,
        /// A hint for the peer.
        code: CloseCode,
    },
    /// Write `State` to the control stream of a data connection.
    SendState {
        /// The connection.
        conn: ConnId,
        /// The whole list.
        list: Vec<Listing>,
    },
    /// Ask the application, or the store.
    Ask(Ask),
    /// Tell the application.
    Tell(Told),
    /// The peer is paired from here on: dial it if this node dialled, raise limits where it is connected.
    PairedNow(PublicKey),
    /// The peer is not paired any more: close its connections once the list that says so is acknowledged.
    Unpaired(PublicKey),
    /// A record waits for the peer's word: dial it as if it were paired.
    Settle(PublicKey),
    /// Dial the key that is trusted, at these addresses and wherever it was seen, for a session of this pairing.
    Meet {
        /// What it is for.
        pairing: PairingId,
        /// Whom to expect.
        key: Fingerprint,
        /// Where the user said that it is.
        addresses: Vec<SocketAddr>,
    },
    /// As [`Event::Settle`], for a key that is trusted, also where the user said that it is.
    Seek {
        /// Whom to dial.
        peer: PublicKey,
        /// Where the user said that it is.
        addresses: Vec<SocketAddr>,
    },
    /// Other keys than before are banned.
    BansChanged,
    /// The peer is banned, and the store would not end its pairing: its connections go at once.
    CutOff(PublicKey),
}

/// The engine.
pub(crate) struct Pairing {
    settings: Settings,
    rng: Rng,
    ledger: Ledger<Then>,
    window: Option<Window>,
    failures: Failures,
    entries: Entries,
    prompts: Prompts,
    sessions: BTreeMap<ConnId, Session>,
    hooks: Hooks,
    links: BTreeMap<ConnId, Link>,
    watches: BTreeMap<PairId, Watch>,
    unsettled: Unsettled,
    /// Ids that the user wants gone, and when that is next tried: each until nothing is left of it.
    unwanted: BTreeMap<PairId, Instant>,
    /// Keys to be paired with without a code.
    trusts: Trusts,
    /// Marks that the user wants otherwise than the store holds them: each until it does.
    wishes: BTreeMap<Fingerprint, Wish>,
    /// The number of the next pairing.
    pairings: u64,
    /// The number of the next token.
    tokens: u64,
    events: VecDeque<Event>,
}

impl Pairing {
    /// Wants at once to load the records.
    pub(crate) fn new(settings: Settings, rng: Rng) -> Self {
        Self {
            ledger: Ledger::new(settings.own),
            settings,
            rng,
            window: None,
            failures: Failures::default(),
            entries: Entries::default(),
            prompts: Prompts::default(),
            sessions: BTreeMap::new(),
            hooks: Hooks::default(),
            links: BTreeMap::new(),
            watches: BTreeMap::new(),
            unsettled: Unsettled::default(),
            unwanted: BTreeMap::new(),
            trusts: Trusts::default(),
            wishes: BTreeMap::new(),
            pairings: 0,
            tokens: 0,
            events: VecDeque::new(),
        }
    }

    /// Whether the records are known. Not before the first load, nor after the store failed for good.
    pub(crate) fn is_loaded(&self) -> bool {
        self.ledger.is_loaded()
    }

    /// Shows a code. Sessions find the window by themselves; `route` may dial somebody for it.
    ///
    /// # Errors
    /// [`HostError::Busy`] while a code is shown, [`HostError::NotReady`] before the records are known.
    pub(crate) fn host(&mut self, now: Instant) -> Result<(PairingId, Code, Duration), HostError> {
        if !self.is_loaded() {
            return Err(HostError::NotReady);
        }
        if self.window.is_some() {
            return Err(HostError::Busy);
        }
        let id = self.next_pairing();
        let code = Code::generate(&mut self.rng, self.failures.code_length(now));
        self.window = Some(Window::open(id, code.clone(), now + self.settings.window));
        Ok((id, code, self.settings.window))
    }

    /// Takes a code that the user typed. It waits for a session: `route` dials for it while
    /// [`Pairing::needs_dial`], and hands the connection over with this id.
    ///
    /// # Errors
    /// [`JoinError::Busy`] while too many codes wait, [`JoinError::Locked`] after three entries against
    /// this host, [`JoinError::NotReady`] before the records are known.
    pub(crate) fn join(
        &mut self,
        now: Instant,
        code: Code,
        expect: Option<PeerId>,
    ) -> Result<PairingId, JoinError> {
        if !self.is_loaded() {
            return Err(JoinError::NotReady);
        }
        if expect.is_some_and(|peer| self.entries.is_locked_by_name(now, &peer)) {
            return Err(JoinError::Locked);
        }
        if self.entries.is_full() {
            return Err(JoinError::Busy);
        }
        let id = self.next_pairing();
        self.entries.add(id, Entry { code, expect, until: now + PERSON, conn: None });
        self.use_entry_at_prompt(now, id);
        self.refresh(now);
        Ok(id)
    }

    /// Whether an entry has no session yet.
    pub(crate) fn needs_dial(&self, id: PairingId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.conn.is_none())
    }

    /// Ends a window, an entry, or the session that came of it. Too late once this side is bound by what
    /// it said: then the pairing ends as the other side decides.
    pub(crate) fn cancel(&mut self, now: Instant, id: PairingId) {
        if let Some(key) = self.trusts.key_of(id) {
            self.distrust(now, &key);
            return;
        }
        let serving = self.sessions.iter().filter(|(_, session)| session.pairing == Some(id));
        for conn in serving.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.give_up(now, conn, PairingFailure::Cancelled);
        }
        if self.window.as_ref().is_some_and(|window| window.id == id) {
            self.close_window(now, PairingFailure::Cancelled);
        }
        if self.entries.get(&id).is_some_and(|entry| entry.conn.is_none()) {
            self.end_pairing(id, Err(PairingFailure::Cancelled));
        }
        self.refresh(now);
    }

    /// Whether a code is shown: what `pair=1` announces.
    pub(crate) fn is_hosting(&self) -> bool {
        self.window.is_some()
    }

    /// Whether application streams may be open with this peer.
    pub(crate) fn is_paired(&self, peer: &PublicKey) -> bool {
        self.ledger.paired_with(peer).is_some()
    }

    /// A record for the key of that name; the paired one if there are several.
    pub(crate) fn record_for_id(&self, id: &PeerId) -> Option<&PairRecord> {
        let named = self.ledger.iter().filter(|record| record.peer.is_named(id));
        named.max_by_key(|record| record.state)
    }

    /// All records, tentative ones too.
    pub(crate) fn records(&self) -> impl Iterator<Item = &PairRecord> {
        self.ledger.iter()
    }

    /// The name of a known peer that `key` has, without being its key.
    pub(crate) fn impostor_of(&self, key: &PublicKey) -> Option<PeerId> {
        let known = self.ledger.iter().map(|record| record.peer);
        let name = |key: &PublicKey| key.peer_id(PeerIdKind::Sha1);
        stolen_name(key, name(key), known.map(|key| (key, name(&key))))
    }

    /// Ends every pairing with this peer, on this side at once and on the other when it hears of it, and trusts it no
    /// longer. Whether there was any pairing.
    pub(crate) fn forget(&mut self, now: Instant, peer: &PublicKey) -> bool {
        if !self.is_loaded() {
            return false;
        }
        let with_peer = self.sessions.iter().filter(|(_, session)| session.peer == *peer);
        for conn in with_peer.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.drop_session(now, conn, PairingFailure::Cancelled);
        }
        let known: Vec<_> = self.ledger.of(peer).map(|record| record.pair_id).collect();
        self.unwanted.extend(known.iter().map(|id| (*id, now)));
        self.distrust(now, &peer.fingerprint());
        self.refresh(now);
        !known.is_empty()
    }

    /// Runs whatever is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|next| next.at > now) {
            return;
        }
        let late = |session: &Session| session.until <= now;
        let due: Vec<_> = self.sessions.iter().filter(|(_, s)| late(s)).map(|(conn, _)| *conn).collect();
        for conn in due {
            self.end_by(now, conn, |session| session.state.on_timeout());
        }
        if self.window.as_ref().is_some_and(|window| window.until <= now) {
            self.close_window(now, PairingFailure::Timeout);
        }
        while let Some(id) = self.entries.expired(now) {
            self.end_pairing(id, Err(PairingFailure::Timeout));
        }
        self.handle_late_hooks(now);
        self.end_watches(now);
        self.meet(now);
        self.settle_again(now);
        self.ledger.handle_timeout(now);
        self.refresh(now);
    }

    /// When [`Pairing::handle_timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let sessions = self.sessions.values().map(|session| session.until).min();
        let window = self.window.as_ref().map(|window| window.until);
        let watches = self.watches.values().map(|watch| watch.until).min();
        let others = [self.entries.poll_timeout(), self.hooks.poll_timeout(), self.ledger.poll_timeout()];
        let again = [self.unwanted_at(), self.marks_at(), self.unsettled.poll_timeout()];
        let own = [sessions, window, watches].into_iter().chain(again);
        let at = own.chain(others).flatten().min()?;
        Some(Deadline { at, reason: Reason::Pairing })
    }

    /// What to do next. Call until `None` after every other verb.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.ledger.poll_ask().map(Event::Ask))
    }

    fn next_pairing(&mut self) -> PairingId {
        self.pairings += 1;
        PairingId(self.pairings)
    }

    fn next_token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    fn tell(&mut self, event: Told) {
        self.events.push_back(Event::Tell(event));
    }

    fn close(&mut self, conn: ConnId, code: CloseCode) {
        self.events.push_back(Event::Close { conn, code });
    }

    fn change(&mut self, put: Vec<PairRecord>, delete: Vec<PairId>, then: Then) {
        self.ledger.write(Change { what: StoreChange { put, delete, ..StoreChange::default() }, then });
    }
}

/// The name that `key` has in common with another key that is known.
fn stolen_name(
    key: &PublicKey,
    name: PeerId,
    mut known: impl Iterator<Item = (PublicKey, PeerId)>,
) -> Option<PeerId> {
    known.find(|(other, other_name)| other != key && *other_name == name).map(|_| name)
}

#[cfg(test)]
mod tests;
