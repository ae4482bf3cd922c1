//! Marks in use: keys that are trusted without a code are met and paired with, keys that are banned are not talked to.
//!
//! A mark is acted on for the other side once it is stored; one that keeps somebody out, at once.

use super::answers::Then;
use super::commit::is_tentative;
use super::endings::reject;
use super::ledger::{Change, MAX_BANNED, MAX_TRUSTED, RETRY};
use super::marks::{First, Next, Wish};
use super::session::{End, Joiner, Session, State};
use super::{Event, Pairing, PairingFailure, PairingId, Told, joiner};
use crate::error::MarkError;
use crate::event::{PairingStep, TrustedKey};
use crate::id::{ConnId, Fingerprint, PublicKey};
use crate::store::{Mark, MarkKind, Role, StoreChange};
use crate::wire::frame::Frame;
use crate::wire::pairing::{AbortReason, RejectReason};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

impl Pairing {
    /// Pairs with this key without a code, as soon as it is met and trusts this node. Again for the same key it
    /// replaces the addresses, where there are any, and hurries.
    ///
    /// # Errors
    /// [`MarkError`], and nothing changes.
    pub(crate) fn trust(
        &mut self,
        now: Instant,
        key: Fingerprint,
        addresses: Vec<SocketAddr>,
    ) -> Result<PairingId, MarkError> {
        if !self.is_loaded() {
            return Err(MarkError::NotReady);
        }
        if key == self.settings.own.fingerprint() {
            return Err(MarkError::Own);
        }
        if self.is_banned(&key) {
            return Err(MarkError::Banned);
        }
        if !self.has_room_to_mark(&key, Mark::is_trusted, MAX_TRUSTED) {
            return Err(MarkError::Full);
        }
        let first = self.first_to_dial(&key);
        let known = self.trusts.get(&key).map(|trust| (trust.id, trust.next));
        let id = known.map_or_else(|| self.next_pairing(), |(id, _)| id);
        if known.is_none_or(|(_, next)| next == Next::Never) {
            self.trusts.add(now, key, id, first, &mut self.rng);
        }
        if !addresses.is_empty() || !self.is_trusted(&key) {
            let kind = Mark::new(key, MarkKind::Trusted { addresses }).kind;
            self.wishes.insert(key, Wish { kind: Some(kind), at: now });
        }
        self.handle_sighted(now, &key);
        self.refresh(now);
        Ok(id)
    }

    /// Trusts a key no longer. Whether it was trusted and not paired yet.
    pub(crate) fn distrust(&mut self, now: Instant, key: &Fingerprint) -> bool {
        let was = self.end_trust(now, key);
        if was {
            self.wishes.insert(*key, Wish { kind: None, at: now });
        }
        self.refresh(now);
        was
    }

    /// Never talks to a key again, and ends every pairing with it.
    ///
    /// # Errors
    /// [`MarkError`], and nothing changes.
    pub(crate) fn ban(&mut self, now: Instant, key: Fingerprint) -> Result<(), MarkError> {
        if !self.is_loaded() {
            return Err(MarkError::NotReady);
        }
        if key == self.settings.own.fingerprint() {
            return Err(MarkError::Own);
        }
        if !self.has_room_to_mark(&key, Mark::is_banned, MAX_BANNED) {
            return Err(MarkError::Full);
        }
        self.end_trust(now, &key);
        if !self.is_banned(&key) {
            self.wishes.insert(key, Wish { kind: Some(MarkKind::Banned), at: now });
            self.events.push_back(Event::BansChanged);
        }
        let with_it = self.sessions.iter().filter(|(_, session)| session.peer.fingerprint() == key);
        for conn in with_it.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.drop_session(now, conn, PairingFailure::Cancelled);
        }
        self.drop_banned(now);
        self.refresh(now);
        Ok(())
    }

    /// Lifts a ban. Whether there was one.
    pub(crate) fn unban(&mut self, now: Instant, key: &Fingerprint) -> bool {
        let was = self.is_loaded() && self.is_banned(key);
        if was {
            self.wishes.insert(*key, Wish { kind: None, at: now });
            self.events.push_back(Event::BansChanged);
        }
        self.refresh(now);
        was
    }

    /// Whether a key is kept out.
    pub(crate) fn is_banned(&self, key: &Fingerprint) -> bool {
        match self.wishes.get(key) {
            Some(wish) => wish.kind == Some(MarkKind::Banned),
            None => self.ledger.mark(key).is_some_and(Mark::is_banned),
        }
    }

    /// The keys that are kept out.
    pub(crate) fn banned(&self) -> BTreeSet<Fingerprint> {
        let stored = self.ledger.marks().map(|mark| &mark.fingerprint);
        stored.chain(self.wishes.keys()).filter(|key| self.is_banned(key)).copied().collect()
    }

    /// Whether the store holds what the user decided about a key.
    pub(crate) fn is_mark_stored(&self, key: &Fingerprint) -> bool {
        self.is_loaded() && !self.wishes.contains_key(key)
    }

    /// The keys that are trusted and not paired yet.
    pub(crate) fn trusting(&self) -> Vec<TrustedKey> {
        let wanted = self.trusts.iter().filter(|(_, trust)| trust.next != Next::Never);
        let listed = wanted.map(|(key, trust)| TrustedKey {
            pairing: trust.id,
            fingerprint: *key,
            addresses: self.addresses_of_trusted(key),
            stored: self.is_trusted(key),
        });
        listed.collect()
    }

    /// The LAN shows a key, or so it says: is it one that is to be met?
    pub(crate) fn handle_sighted(&mut self, now: Instant, key: &Fingerprint) {
        if self.trusts.get(key).is_none() {
            return;
        }
        let first = self.first_to_dial(key);
        if let Some(trust) = self.trusts.get_mut(key) {
            trust.hasten(now, first, &mut self.rng);
        }
    }

    /// Nobody knows where the one is that was to be met.
    pub(crate) fn handle_nowhere(&mut self, now: Instant, trust: PairingId) {
        self.trusts.fail(trust);
        self.refresh(now);
    }

    /// Whether a session may rest on this key's mark.
    pub(super) fn is_trusted(&self, key: &Fingerprint) -> bool {
        let wanted = |wish: &Wish| matches!(wish.kind, Some(MarkKind::Trusted { .. }));
        self.ledger.mark(key).is_some_and(Mark::is_trusted) && self.wishes.get(key).is_none_or(wanted)
    }

    /// What the trust in a key is called, if a session may rest on it in which this side has that part. The smaller
    /// fingerprint hosts.
    pub(super) fn trust_for(&self, peer: &PublicKey, role: Role) -> Option<PairingId> {
        let key = peer.fingerprint();
        let trust = self.trusts.get(&key).filter(|_| self.is_trusted(&key))?;
        (self.role_towards(&key) == role).then_some(trust.id)
    }

    /// The part that this side plays where the two trust each other.
    pub(super) fn role_towards(&self, key: &Fingerprint) -> Role {
        if self.settings.own.fingerprint() < *key { Role::Host } else { Role::Joiner }
    }

    /// As host: whether a joiner that offers trust alone is trusted.
    pub(super) fn admit_trusted(&self, session: &Session) -> Result<PairingId, End> {
        let trust = self.trust_for(&session.peer, Role::Host);
        if session.dialled && session.pairing != trust {
            // A code is shown for it, which would be passed by.
            return Err(reject(RejectReason::Method, PairingFailure::Method));
        }
        let trust = trust.ok_or(reject(RejectReason::NoWindow, PairingFailure::NotTrusted))?;
        if !self.has_room_for(&session.peer) {
            return Err(reject(RejectReason::Busy, PairingFailure::Busy));
        }
        Ok(trust)
    }

    /// As QUIC server: the host dialled for nothing but trust, so that no user is asked for a code.
    pub(super) fn begin_trusted(&mut self, now: Instant, conn: ConnId, mut session: Session, open: &Frame) {
        let Some(trust) = self.trust_for(&session.peer, Role::Joiner) else {
            let refused = End::Abort(AbortReason::Refused, PairingFailure::NotTrusted);
            return self.end(now, conn, session, refused);
        };
        session.pairing = Some(trust);
        self.begin(now, conn, session, Role::Joiner, open);
    }

    pub(super) fn start_trusted(
        &mut self,
        now: Instant,
        conn: ConnId,
        mut session: Session,
        trust: PairingId,
        open: &Frame,
    ) {
        if !self.has_room_for(&session.peer) {
            let busy = End::Abort(AbortReason::Busy, PairingFailure::Busy);
            return self.end(now, conn, session, busy);
        }
        let ends = session.ends(self.settings.own, Role::Joiner);
        let (state, hello) = joiner::AwaitTrust::begin(ends, open, &mut self.rng);
        self.events.push_back(Event::Send { conn, frame: hello.into_bytes() });
        self.tell(Told::PairingProgress(trust, PairingStep::Connected));
        session.state = State::Joiner(Joiner::TrustAck(state));
        self.keep(now, conn, session);
    }

    /// Dials whoever is due to be met.
    pub(super) fn meet(&mut self, now: Instant) {
        let is_due = |trust: &super::marks::Trust| matches!(trust.next, Next::At(at) if at <= now);
        let due = self.trusts.iter().filter(|(key, trust)| is_due(trust) && self.is_trusted(key));
        for (key, pairing) in due.map(|(key, trust)| (*key, trust.id)).collect::<Vec<_>>() {
            let in_session = self.sessions.values().any(|session| session.pairing == Some(pairing));
            let undecided = self.undecided_with(&key);
            let trust = self.trusts.get_mut(&key).expect("a trust that is due is there");
            if in_session {
                trust.put_off(now);
                continue;
            }
            trust.tried(now);
            if undecided.is_some() {
                trust.next = Next::Undrawn;
            }
            let addresses = self.addresses_of_trusted(&key);
            self.events.push_back(match undecided {
                // An earlier session left a record, which the other side decides on a data connection.
                Some(peer) => Event::Seek { peer, addresses },
                None => Event::Meet { pairing, key, addresses },
            });
        }
    }

    /// When the next one is to be met, or a mark to be written again.
    pub(super) fn marks_at(&self) -> Option<Instant> {
        let meeting = self.trusts.iter().filter(|(key, _)| self.is_trusted(key));
        let meeting = meeting.filter_map(|(_, trust)| match trust.next {
            Next::At(at) => Some(at),
            Next::Undrawn | Next::Never => None,
        });
        let idle = |(key, _): &(&Fingerprint, &Wish)| self.is_loaded() && !self.ledger.is_marking(key);
        let wishes = self.wishes.iter().filter(idle).map(|(_, wish)| wish.at);
        meeting.chain(wishes).min()
    }

    /// Writes the marks that the user wants and the store does not hold.
    pub(super) fn write_marks(&mut self, now: Instant) {
        self.trusts.draw(now, &mut self.rng);
        let due = |(key, wish): &(&Fingerprint, &Wish)| wish.at <= now && !self.ledger.is_marking(key);
        for key in self.wishes.iter().filter(due).map(|(key, _)| *key).collect::<Vec<_>>() {
            if self.is_as_wished(&key) {
                self.marked(key);
                continue;
            }
            let wish = self.wishes.get_mut(&key).expect("a wish that is due is there");
            wish.at = now + RETRY;
            let mut what = StoreChange::default();
            match wish.kind.clone() {
                Some(kind) => what.mark.push(Mark::new(key, kind)),
                None => what.unmark.push(key),
            }
            self.ledger.write(Change { what, then: Then::Marked { key } });
        }
    }

    /// The store holds a mark, or holds it no longer: what was wished for, unless that changed since.
    pub(super) fn marked(&mut self, key: Fingerprint) {
        if !self.is_as_wished(&key) {
            return;
        }
        let Some(wish) = self.wishes.remove(&key) else { return };
        match (wish.kind, self.trusts.get(&key).map(|trust| trust.id)) {
            (Some(MarkKind::Trusted { .. }), Some(id)) => self.tell(Told::PeerTrusted(id, key)),
            (Some(MarkKind::Banned), _) => self.tell(Told::PeerBanned(key)),
            (None, _) => self.tell(Told::PeerUnmarked(key)),
            (Some(MarkKind::Trusted { .. }), None) => {}
        }
    }

    /// The store has loaded: what it holds is as good as what was asked for now.
    pub(super) fn load_marks(&mut self, now: Instant) {
        for key in self.ledger.marks().map(|mark| mark.fingerprint).collect::<Vec<_>>() {
            if self.is_trusted(&key) && self.trusts.get(&key).is_none() {
                let (id, first) = (self.next_pairing(), self.first_to_dial(&key));
                self.trusts.add(now, key, id, first, &mut self.rng);
            }
        }
        let lost = |key: &&Fingerprint| self.ledger.mark(key).is_none() && !self.wishes.contains_key(key);
        for key in self.trusts.iter().map(|(key, _)| key).filter(lost).copied().collect::<Vec<_>>() {
            let trust = self.trusts.remove(&key).expect("a trust that is lost was there");
            self.tell(Told::PairingEnded(trust.id, Err(PairingFailure::Store)));
        }
        self.events.push_back(Event::BansChanged);
        self.drop_banned(now);
    }

    /// The mark goes with the pairing that fulfils it, in the same write. A ban stays.
    pub(super) fn fulfilled(&self, peer: &PublicKey) -> Vec<Fingerprint> {
        let key = peer.fingerprint();
        let is_there = self.trusts.get(&key).is_some() || self.ledger.mark(&key).is_some();
        if is_there && !self.is_banned(&key) { vec![key] } else { Vec::new() }
    }

    /// The peer is paired, by whatever method: what is called the trust in it.
    pub(super) fn take_fulfilled(&mut self, peer: &PublicKey) -> Option<PairingId> {
        let key = peer.fingerprint();
        let trust = self.trusts.remove(&key)?;
        if !self.is_banned(&key)
            && let Some(Wish { kind: None, .. }) = self.wishes.remove(&key)
        {
            self.tell(Told::PeerUnmarked(key));
        }
        Some(trust.id)
    }

    /// The user wants none of it any more: sessions end, but for one that this side is bound to.
    fn end_trust(&mut self, now: Instant, key: &Fingerprint) -> bool {
        let Some(trust) = self.trusts.get_mut(key).filter(|trust| trust.next != Next::Never) else {
            return false;
        };
        trust.next = Next::Never;
        let id = trust.id;
        let serving = self.sessions.iter().filter(|(_, session)| session.pairing == Some(id));
        for conn in serving.map(|(conn, _)| *conn).collect::<Vec<_>>() {
            self.give_up(now, conn, PairingFailure::Cancelled);
        }
        let is_bound = self.sessions.values().any(|session| session.pairing == Some(id))
            || self.watches.values().any(|watch| watch.pairing == id);
        if !is_bound && self.trusts.has(id) {
            self.end_pairing(id, Err(PairingFailure::Cancelled));
        }
        true
    }

    /// What is there of keys that are banned goes.
    fn drop_banned(&mut self, now: Instant) {
        let banned = self.banned();
        if banned.is_empty() {
            return;
        }
        let of_banned = self.ledger.iter().filter(|record| banned.contains(&record.peer.fingerprint()));
        self.unwanted.extend(of_banned.map(|record| (record.pair_id, now)));
    }

    fn is_as_wished(&self, key: &Fingerprint) -> bool {
        let wish = self.wishes.get(key);
        wish.is_some_and(|wish| self.ledger.mark(key).map(|mark| &mark.kind) == wish.kind.as_ref())
    }

    /// The key, if there is a record of it that the other side has to decide.
    fn undecided_with(&self, key: &Fingerprint) -> Option<PublicKey> {
        let mut tentative = self.ledger.iter().filter(|record| is_tentative(record.state));
        tentative.find(|record| record.peer.fingerprint() == *key).map(|record| record.peer)
    }

    fn addresses_of_trusted(&self, key: &Fingerprint) -> Vec<SocketAddr> {
        let wished = self.wishes.get(key).and_then(|wish| wish.kind.as_ref());
        match wished.or(self.ledger.mark(key).map(|mark| &mark.kind)) {
            Some(MarkKind::Trusted { addresses }) => addresses.clone(),
            Some(MarkKind::Banned) | None => Vec::new(),
        }
    }

    fn first_to_dial(&self, key: &Fingerprint) -> First {
        match self.role_towards(key) {
            Role::Host => First::We,
            Role::Joiner => First::They,
        }
    }

    /// Whether the store may come to hold one more mark of this kind, whatever becomes of those on their way.
    fn has_room_to_mark(&self, key: &Fingerprint, is_such: fn(&Mark) -> bool, most: usize) -> bool {
        let stored = self.ledger.marks().filter(|mark| is_such(mark)).map(|mark| mark.fingerprint);
        let wished = self.wishes.iter().filter_map(|(key, wish)| {
            let mark = Mark::new(*key, wish.kind.clone()?);
            is_such(&mark).then_some(*key)
        });
        let all: BTreeSet<Fingerprint> = stored.chain(wished).collect();
        all.contains(key) || all.len() < most
    }
}
