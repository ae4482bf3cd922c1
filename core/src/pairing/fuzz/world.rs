//! The two engines, their applications and stores, and the connections between them.

use super::Reached;
use crate::ask::{Answer as To, Ask, PairingReply, Permission};
use crate::code::{Code, CodeLength};
use crate::config::Consent;
use crate::error::HookFailed;
use crate::event::{Event as Told, PairingFailure};
use crate::id::{ConnId, Fingerprint, PairId, PeerIdKind, PublicKey};
use crate::metadata::Metadata;
use crate::pairing::{Event, NewSession, Pairing, PairingId, Settings};
use crate::rng::{Rng, Seed};
use crate::store::{Mark, PairRecord, PairState, StoreChange, StoreReply, StoreRequest, Stored};
use crate::wire::control::{Control, State};
use crate::wire::frame::{Deframer, Frame};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Connections that a script may make.
const MAX_WIRES: usize = 100;

/// Events in a row, and timeouts at one instant, after which an engine counts as one that never rests.
const MAX_EVENTS: usize = 10_000;

/// How an application or a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// A store that says no and did it nevertheless. Elsewhere as `No`.
    Lost,
    /// When the script says so.
    Later,
}

struct Side {
    engine: Pairing,
    key: PublicKey,
    runs: u8,
    store: BTreeMap<PairId, PairRecord>,
    marks: BTreeMap<Fingerprint, Mark>,
    waiting: Vec<Ask>,
    manner: Answer,
    /// The questions of this run that were seen, by kind and token.
    asked: BTreeSet<(u8, u64)>,
    /// What the application said yes to.
    saved: BTreeSet<PairId>,
    ended: BTreeSet<PairingId>,
    reached: Reached,
}

/// Frames on their way to one end, each with whether it is the last.
type Queue = VecDeque<(Bytes, bool)>;

struct Wire {
    /// Client and server.
    ends: [usize; 2],
    data: bool,
    alive: bool,
    queues: [Queue; 2],
}

pub(super) struct World {
    now: Instant,
    sides: [Side; 2],
    keys: [PublicKey; 4],
    wires: Vec<Wire>,
    /// The code that was shown last.
    code: Option<Code>,
    /// Whether a right code was ever typed.
    code_was_typed: bool,
    /// Which side ever trusted the other without a code.
    trusted: [bool; 2],
    /// Whether anything was carried otherwise than in order, once and whole.
    tampered: bool,
    /// Whether a side began with records that nobody made.
    forged: bool,
}

fn engine(side: usize, run: u8, key: PublicKey) -> Pairing {
    let settings = Settings {
        own: key,
        peer_id: PeerIdKind::Sha1,
        metadata: Metadata::named("device"),
        window: Duration::from_secs(120),
        confirmation: Consent::Given,
    };
    let mut seed = [side as u8; 32];
    seed[31] = run;
    Pairing::new(settings, Rng::child(&Seed::new(seed), "pairing"))
}

fn another_code(code: Option<&Code>) -> Code {
    let mut rng = Rng::child(&Seed::new([9; 32]), "codes");
    let mut fresh = std::iter::repeat_with(|| Code::generate(&mut rng, CodeLength::Seven));
    fresh.find(|other| Some(other) != code).expect("there is more than one code")
}

fn cut_out(octets: &[u8]) -> Option<Frame> {
    Deframer::default().next(&mut Bytes::copy_from_slice(octets)).ok()?
}

impl Side {
    fn new(side: usize, key: PublicKey) -> Self {
        Self {
            engine: engine(side, 0, key),
            key,
            runs: 0,
            store: BTreeMap::new(),
            marks: BTreeMap::new(),
            waiting: Vec::new(),
            manner: Answer::Yes,
            asked: BTreeSet::new(),
            saved: BTreeSet::new(),
            ended: BTreeSet::new(),
            reached: Reached::default(),
        }
    }

    fn store(&mut self, request: StoreRequest, answer: Answer) -> StoreReply {
        match request {
            StoreRequest::Load if answer == Answer::Yes => {
                let records = self.store.values().cloned().collect();
                let marks = self.marks.values().cloned().collect();
                StoreReply::Loaded(Stored { records, marks, ..Stored::default() })
            }
            StoreRequest::Load => StoreReply::Failed,
            StoreRequest::Write(StoreChange { put, delete, mark, unmark, .. }) => {
                if answer != Answer::No {
                    self.store.extend(put.into_iter().map(|record| (record.pair_id, record)));
                    self.store.retain(|id, _| !delete.contains(id));
                    self.marks.extend(mark.into_iter().map(|mark| (mark.fingerprint, mark)));
                    self.marks.retain(|key, _| !unmark.contains(key));
                }
                if answer == Answer::Yes { StoreReply::Written } else { StoreReply::Failed }
            }
        }
    }

    fn paired(&self) -> BTreeSet<PairId> {
        let paired = self.store.values().filter(|record| record.state == PairState::Paired);
        paired.map(|record| record.pair_id).collect()
    }

    fn hear(&mut self, told: &Told) {
        match told {
            Told::PairingEnded(id, result) => {
                assert!(self.ended.insert(*id), "a pairing ended twice");
                self.reached.refused |= matches!(result, Err(PairingFailure::BadCode { .. }));
            }
            Told::PeerPaired(peer) => {
                assert!(self.saved.contains(&peer.pair_id), "paired with whom the application did not save");
                self.reached.paired = true;
            }
            Told::PeerUnpaired(..) => self.reached.unpaired = true,
            Told::PeerBanned(_) => self.reached.banned = true,
            _ => {}
        }
    }
}

impl World {
    pub(super) fn new(start: Instant) -> Self {
        let keys = [1, 2, 3, 4].map(|n| crate::Identity::from_entropy([n; 32]).public_key());
        let mut world = Self {
            now: start,
            sides: [Side::new(0, keys[0]), Side::new(1, keys[1])],
            keys,
            wires: Vec::new(),
            code: None,
            code_was_typed: false,
            trusted: [false; 2],
            tampered: false,
            forged: false,
        };
        world.settle();
        world
    }

    pub(super) fn key(&self, n: usize) -> PublicKey {
        self.keys[n]
    }

    /// The side starts anew with these in its store.
    pub(super) fn begin_with(&mut self, side: usize, records: Vec<PairRecord>) {
        self.forged = true;
        self.sides[side].store = records.into_iter().map(|record| (record.pair_id, record)).collect();
        // Whoever has a record of somebody has saved him.
        self.sides[side].saved = self.sides[side].store.keys().copied().collect();
        self.restart(side);
        self.settle();
    }

    pub(super) fn reached(&self) -> Reached {
        let [a, b] = [&self.sides[0].reached, &self.sides[1].reached];
        Reached {
            paired: self.sides.iter().all(|side| !side.paired().is_empty()),
            refused: a.refused || b.refused,
            undone: a.undone || b.undone,
            unpaired: a.unpaired || b.unpaired,
            trusted: a.trusted || b.trusted,
            banned: a.banned || b.banned,
            agreed: a.agreed || b.agreed,
        }
    }

    // ---- What scripts do ----

    /// Shows a code; the one who shows it may dial.
    pub(super) fn host(&mut self, side: usize, dials: bool) {
        let Ok((id, code, _)) = self.sides[side].engine.host(self.now) else { return };
        self.code = Some(code);
        if dials {
            self.dial(side, id);
        }
    }

    /// Types a code, right or wrong, and dials.
    pub(super) fn join(&mut self, side: usize, right: bool, dials: bool) {
        let code = self.typed(right);
        let Ok(id) = self.sides[side].engine.join(self.now, code, None) else { return };
        if dials && self.sides[side].engine.needs_dial(id) {
            self.dial(side, id);
        }
    }

    fn typed(&mut self, right: bool) -> Code {
        match &self.code {
            Some(code) if right => {
                self.code_was_typed = true;
                code.clone()
            }
            code => another_code(code.as_ref()),
        }
    }

    fn dial(&mut self, client: usize, pairing: PairingId) {
        if self.is_barred() {
            return self.sides[client].engine.handle_dial_failed(
                self.now,
                pairing,
                PairingFailure::Unreachable,
            );
        }
        let Some(wire) = self.wire(client, false) else { return };
        for (side, dialled) in [(1 - client, None), (client, Some(pairing))] {
            let new = NewSession {
                conn: ConnId(wire as u64),
                exporter: [7; 32],
                peer: self.keys[1 - side],
                remote: ([192, 0, 2, 2 - side as u8], 5000).into(),
                dialled,
            };
            self.sides[side].engine.handle_session(self.now, new);
        }
    }

    /// Whether TLS would refuse one to the other.
    fn is_barred(&self) -> bool {
        [0, 1].into_iter().any(|n| self.sides[n].engine.is_banned(&self.keys[1 - n].fingerprint()))
    }

    /// Trusts the other one without a code, or somebody else.
    pub(super) fn trust(&mut self, side: usize, other: bool) {
        let key = self.keys[if other { 1 - side } else { 2 }].fingerprint();
        let trusted = self.sides[side].engine.trust(self.now, key, Vec::new()).is_ok();
        self.trusted[side] |= trusted && other;
    }

    /// From here on the user of this side is asked, or no longer.
    pub(super) fn confirm(&mut self, side: usize, asked: bool) {
        self.sides[side].engine.settings.confirmation = if asked { Consent::Asked } else { Consent::Given };
    }

    pub(super) fn distrust(&mut self, side: usize) {
        let key = self.keys[1 - side].fingerprint();
        self.sides[side].engine.distrust(self.now, &key);
    }

    pub(super) fn ban(&mut self, side: usize, other: bool) {
        let key = self.keys[if other { 1 - side } else { 2 }].fingerprint();
        let banned = self.sides[side].engine.ban(self.now, key).is_ok();
        // One that stands already is also refused while the store does not answer.
        assert!(!banned || self.sides[side].engine.is_banned(&key), "a ban holds at once");
    }

    pub(super) fn unban(&mut self, side: usize) {
        let key = self.keys[1 - side].fingerprint();
        self.sides[side].engine.unban(self.now, &key);
    }

    /// Connections with somebody who is banned go, as TLS and the router see to it.
    fn cut_off(&mut self) {
        if self.is_barred() {
            for wire in (0..self.wires.len()).filter(|wire| self.wires[*wire].data).collect::<Vec<_>>() {
                self.lose(wire);
            }
        }
    }

    /// A data connection: both list what they hold.
    pub(super) fn connect(&mut self, client: usize) {
        if self.is_barred() {
            return;
        }
        let Some(wire) = self.wire(client, true) else { return };
        for side in [0, 1] {
            if self.sides[side].engine.is_loaded() {
                let list = self.sides[side].engine.open_list(ConnId(wire as u64), self.keys[1 - side]);
                assert!(list.len() <= crate::wire::control::MAX_HELLO_ENTRIES, "a list is too long to say");
                let frame = Control::State(State { state: list }).encode().into_bytes();
                self.send(side, ConnId(wire as u64), frame, false);
            }
        }
    }

    fn wire(&mut self, client: usize, data: bool) -> Option<usize> {
        let ends = [client, 1 - client];
        (self.wires.len() < MAX_WIRES).then(|| {
            self.wires.push(Wire { ends, data, alive: true, queues: Default::default() });
            self.wires.len() - 1
        })
    }

    /// Takes a frame off a wire.
    pub(super) fn take(&mut self, wire: u8, end: bool) -> Option<(Bytes, bool)> {
        self.tampered = true;
        self.queue(wire, end)?.pop_front()
    }

    fn queue(&mut self, wire: u8, end: bool) -> Option<&mut Queue> {
        let wire = usize::from(wire).checked_rem(self.wires.len())?;
        Some(&mut self.wires[wire].queues[usize::from(end)])
    }

    pub(super) fn repeat(&mut self, wire: u8, end: bool) {
        self.tampered = true;
        if let Some(queue) = self.queue(wire, end)
            && let Some(first) = queue.front().cloned()
        {
            queue.push_front(first);
        }
    }

    pub(super) fn delay(&mut self, wire: u8, end: bool) {
        self.tampered = true;
        if let Some(queue) = self.queue(wire, end)
            && let Some(first) = queue.pop_front()
        {
            queue.push_back(first);
        }
    }

    /// Delivers what nobody, or nobody in this form, said.
    pub(super) fn invent(&mut self, wire: u8, end: bool, octets: &[u8], last: bool) {
        self.tampered = true;
        if let (Some(wire), Some(frame)) = (usize::from(wire).checked_rem(self.wires.len()), cut_out(octets))
        {
            self.deliver(wire, usize::from(end), frame, last);
        }
    }

    /// Delivers the next frame of a wire.
    pub(super) fn carry(&mut self, wire: u8, end: bool) {
        if let Some(wire) = usize::from(wire).checked_rem(self.wires.len()) {
            self.carry_on(wire, usize::from(end));
        }
    }

    fn carry_on(&mut self, wire: usize, end: usize) -> bool {
        let Some((frame, last)) = self.wires[wire].queues[end].pop_front() else { return false };
        let frame = cut_out(&frame).expect("an engine says whole frames");
        self.deliver(wire, end, frame, last);
        true
    }

    fn deliver(&mut self, wire: usize, end: usize, frame: Frame, last: bool) {
        let Wire { ends, data, alive, .. } = self.wires[wire];
        let (to, conn) = (ends[end], ConnId(wire as u64));
        if !alive {
            return;
        }
        if data {
            let list = match Control::decode(&frame) {
                Ok(Some(Control::State(State { state }))) => state,
                Ok(Some(Control::Hello(hello))) => hello.state,
                Ok(None) | Err(_) => return,
            };
            return self.sides[to].engine.handle_list(self.now, conn, self.keys[1 - to], list);
        }
        self.sides[to].engine.handle_frame(self.now, conn, &frame);
        if last {
            self.sides[to].engine.handle_finished(self.now, conn);
        }
    }

    pub(super) fn finish(&mut self, wire: u8, end: bool) {
        self.tampered = true;
        if let Some(wire) = usize::from(wire).checked_rem(self.wires.len())
            && !self.wires[wire].data
        {
            let to = self.wires[wire].ends[usize::from(end)];
            self.sides[to].engine.handle_finished(self.now, ConnId(wire as u64));
        }
    }

    pub(super) fn unreachable(&mut self, side: usize, id: PairingId) {
        self.sides[side].engine.handle_dial_failed(self.now, id, PairingFailure::Unreachable);
    }

    pub(super) fn cancel(&mut self, side: usize, id: PairingId) {
        self.sides[side].engine.cancel(self.now, id);
    }

    pub(super) fn forget(&mut self, side: usize) {
        let peer = self.keys[1 - side];
        self.sides[side].engine.forget(self.now, &peer);
    }

    /// The connection is gone, and both ends learn of it.
    pub(super) fn cut(&mut self, wire: u8) {
        if let Some(wire) = usize::from(wire).checked_rem(self.wires.len()) {
            self.lose(wire);
        }
    }

    fn lose(&mut self, wire: usize) {
        let conn = ConnId(wire as u64);
        if std::mem::replace(&mut self.wires[wire].alive, false) {
            self.wires[wire].queues = Default::default();
            for side in &mut self.sides {
                if self.wires[wire].data {
                    side.engine.handle_data_lost(conn);
                } else {
                    side.engine.handle_lost(self.now, conn);
                }
            }
        }
    }

    /// The process dies, and comes back with what its store holds.
    pub(super) fn restart(&mut self, n: usize) {
        for wire in 0..self.wires.len() {
            self.lose(wire);
        }
        let side = &mut self.sides[n];
        side.runs = side.runs.wrapping_add(1);
        side.engine = engine(n, side.runs, side.key);
        side.waiting.clear();
        side.asked.clear();
        side.ended.clear();
    }

    /// How a side answers from here on.
    pub(super) fn manner(&mut self, side: usize, answer: Answer) {
        self.sides[side].manner = answer;
    }

    /// Answers one of the questions that wait.
    pub(super) fn answer(&mut self, side: usize, which: u8, answer: Answer) {
        if let Some(which) = usize::from(which).checked_rem(self.sides[side].waiting.len()) {
            let ask = self.sides[side].waiting.remove(which);
            self.reply(side, ask, answer);
        }
    }

    fn reply(&mut self, n: usize, ask: Ask, answer: Answer) {
        let result = if answer == Answer::Yes { Ok(()) } else { Err(HookFailed) };
        let code = match &ask {
            Ask::PairingRequest(..) => Some(self.typed(answer == Answer::Yes)),
            Ask::Paired(..) | Ask::Rollback(..) | Ask::Store(..) | Ask::Confirm(..) => None,
            Ask::Admit(..) | Ask::Resolve(..) => None,
            Ask::Directory(..) => None,
        };
        let (side, now) = (&mut self.sides[n], self.now);
        let to = match ask {
            Ask::PairingRequest(token, _) => {
                let typed = code.filter(|_| answer != Answer::No);
                To::PairingRequest(token, typed.map_or(PairingReply::Reject, PairingReply::Join))
            }
            Ask::Confirm(token, _) => {
                let yes = answer == Answer::Yes;
                side.reached.agreed |= yes;
                To::Confirm(token, if yes { Permission::Granted } else { Permission::Refused })
            }
            Ask::Admit(..) | Ask::Resolve(..) => unreachable!("the engine knows no connections"),
            Ask::Directory(..) => unreachable!("discovery servers alone ask it"),
            Ask::Paired(token, peer) => {
                if result.is_ok() {
                    side.saved.insert(peer.pair_id);
                }
                To::Paired(token, result)
            }
            Ask::Rollback(token, id) => {
                if result.is_ok() {
                    side.saved.remove(&id);
                }
                side.reached.undone = true;
                To::Rollback(token, result)
            }
            Ask::Store(token, request) => To::Store(token, side.store(request, answer)),
        };
        match to {
            To::PairingRequest(token, reply) => side.engine.answer_pairing_request(now, token, reply),
            To::Confirm(token, answer) => side.engine.answer_confirm(now, token, answer),
            To::Admit(..) | To::Resolve(..) => unreachable!("the engine knows no connections"),
            To::Directory(..) => unreachable!("discovery servers alone ask it"),
            To::Paired(token, result) => side.engine.answer_paired(now, token, result),
            To::Rollback(token, result) => side.engine.answer_rollback(now, token, result),
            To::Store(token, reply) => side.engine.answer_store(now, token, reply),
        }
    }

    /// Carries everything, until nothing moves.
    pub(super) fn run(&mut self) {
        for _ in 0..MAX_EVENTS {
            self.settle();
            let ends = (0..self.wires.len()).flat_map(|wire| [(wire, 0), (wire, 1)]);
            if !ends.collect::<Vec<_>>().into_iter().any(|(wire, end)| self.carry_on(wire, end)) {
                return;
            }
        }
        panic!("the engines talk without end");
    }

    /// Lets time pass, and what is due happen; nothing is carried.
    pub(super) fn sleep(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..MAX_EVENTS {
            self.settle();
            let due = self.sides.iter().filter_map(|side| side.engine.poll_timeout());
            let Some(at) = due.map(|deadline| deadline.at).min().filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(at);
            for side in &mut self.sides {
                side.engine.handle_timeout(self.now);
            }
        }
        panic!("an engine wants to be woken without end");
    }

    // ---- What the engines do ----

    /// Takes everything that the engines want done.
    pub(super) fn settle(&mut self) {
        for turn in 0.. {
            assert!(turn < MAX_EVENTS, "the engines never rest");
            let Some(n) = [0, 1].into_iter().find(|n| self.turn(*n)) else { return };
            assert!(self.sides[n].engine.sessions.len() <= 64, "sessions are bounded");
        }
    }

    fn turn(&mut self, n: usize) -> bool {
        let Some(event) = self.sides[n].engine.poll_event() else { return false };
        match event {
            Event::Send { conn, frame } => self.send(n, conn, frame, false),
            Event::SendLast { conn, frame } => self.send(n, conn, frame, true),
            Event::Close { conn, .. } => self.lose(conn.0 as usize),
            Event::SendState { conn, list } => {
                let frame = Control::State(State { state: list }).encode().into_bytes();
                assert!(cut_out(&frame).is_some_and(|f| Control::decode(&f).is_ok()), "a list can be read");
                self.send(n, conn, frame, false);
            }
            Event::Tell(told) => {
                let is_paired = matches!(told, Told::PeerPaired(_));
                let may = self.code_was_typed || self.forged || self.trusted == [true; 2];
                assert!(!is_paired || may, "paired without the code");
                self.sides[n].reached.trusted |= is_paired && !self.code_was_typed && !self.forged;
                self.sides[n].hear(&told);
            }
            Event::Meet { pairing, .. } => self.dial(n, pairing),
            Event::PairedNow(_) | Event::Unpaired(_) | Event::Settle(_) | Event::Seek { .. } => {}
            Event::BansChanged | Event::CutOff(_) => self.cut_off(),
            Event::Ask(ask) => self.ask(n, ask),
        }
        true
    }

    fn ask(&mut self, n: usize, ask: Ask) {
        let token = match &ask {
            Ask::PairingRequest(token, _) => (0, token.0),
            Ask::Paired(token, _) => (1, token.0),
            Ask::Rollback(token, _) => (2, token.0),
            Ask::Store(token, _) => (3, token.0),
            Ask::Confirm(token, _) => (4, token.0),
            Ask::Admit(token, _) => (5, token.0),
            Ask::Directory(..) => unreachable!("discovery servers alone ask it"),
            Ask::Resolve(token, _) => (6, token.0),
        };
        assert!(self.sides[n].asked.insert(token), "a question was asked twice");
        match self.sides[n].manner {
            Answer::Later => self.sides[n].waiting.push(ask),
            answer => self.reply(n, ask, answer),
        }
    }

    fn send(&mut self, from: usize, conn: ConnId, frame: Bytes, last: bool) {
        let wire = &mut self.wires[conn.0 as usize];
        if wire.alive {
            let to = usize::from(wire.ends[0] == from);
            wire.queues[to].push_back((frame, last));
        }
    }

    /// Everything works again, and a connection stands: nothing stays undecided.
    pub(super) fn end(&mut self) {
        for n in [0, 1] {
            self.sides[n].manner = Answer::Yes;
            for ask in std::mem::take(&mut self.sides[n].waiting) {
                self.reply(n, ask, Answer::Yes);
            }
        }
        // A store that failed is asked again after a while. Until it answers no ban is lifted.
        self.run();
        self.sleep(Duration::from_secs(60));
        self.run();
        for n in [0, 1] {
            self.distrust(n);
            self.unban(n);
        }
        assert!(!self.is_barred(), "a ban cannot be lifted");
        self.run();
        for wire in 0..self.wires.len() {
            self.lose(wire);
        }
        self.sleep(Duration::from_secs(200));
        self.wires.truncate(MAX_WIRES - 1);
        self.connect(0);
        for _ in 0..4 {
            self.run();
            self.sleep(Duration::from_secs(60));
        }
        if !self.tampered && !self.forged {
            let [a, b] = &self.sides;
            assert_eq!(a.paired(), b.paired(), "one side alone is paired");
            for side in [a, b] {
                assert_eq!(side.store.len(), side.paired().len(), "something stays undecided");
            }
        }
    }
}
