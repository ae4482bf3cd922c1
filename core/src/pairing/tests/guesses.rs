//! What guessing at codes brings: guessers come one by one and side by side, hang up or fall silent at any step, and
//! come again. There are 100 codes here, so that some guess right.
//!
//! Every guess is a whole key exchange. The full number of guesses takes a few seconds with optimisation:
//!
//! ```text
//! HANDFAST_GUESSES=100000 cargo nextest run --release -p handfast-core guess
//! ```

use super::super::keys::{Ends, Exporter, Keys, Transcript};
use super::super::pake::Pake;
use super::super::window::ATTEMPTS;
use super::super::{Event, NewSession, Pairing};
use super::world::{HOST, World};
use crate::code::Code;
use crate::event::Event as Told;
use crate::id::{ConnId, PublicKey};
use crate::rng::{Rng, Seed};
use crate::store::Role;
use crate::wire::frame::{Deframer, Frame};
use crate::wire::pairing::{Confirm, Open, PairHello, Pairing as Message, Point, RejectReason};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Guesses that are tried to the end, in a build without optimisation.
const GUESSES: u32 = 10_000;

/// Sets another number of them.
const GUESSES_BY: &str = "HANDFAST_GUESSES";

/// Codes that there are.
const SPACE: u64 = 100;

/// Guessers at a time.
const SIDE_BY_SIDE: usize = 3;

/// What a session has, from the connection to the proof, each of which may be a guesser's last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Connect,
    Open,
    Hello,
    Pake,
    Proof,
}

const STEPS: [Step; 5] = [Step::Connect, Step::Open, Step::Hello, Step::Pake, Step::Proof];

struct Guesser {
    conn: ConnId,
    key: PublicKey,
    guess: Code,
    next: usize,
    last: Step,
    /// Rather than hang up it says nothing more.
    falls_silent: bool,
    ends: Ends,
    transcript: Transcript,
    pake: Option<Pake>,
    keys: Option<Keys>,
}

/// What was counted.
#[derive(Default)]
struct Count {
    windows: u32,
    /// Points of the host that were sent in the window that is open: each lets one guess be tried.
    points_in_window: u8,
    points: u32,
    /// Guesses whose proof the host judged, and those that it took. A proof may come too late.
    tried: u32,
    right: u32,
    /// Attempts that the application was told of as failed.
    failed: u32,
}

struct Siege {
    now: Instant,
    engine: Pairing,
    own: PublicKey,
    rng: Rng,
    codes: Vec<Code>,
    keys: Vec<PublicKey>,
    guessers: Vec<Guesser>,
    conns: u64,
    count: Count,
}

impl Siege {
    fn new() -> Self {
        let node = World::new().nodes.swap_remove(HOST);
        let sound = |n| (0..10).find_map(|check| format!("{n:06}{check}").parse().ok()).unwrap();
        let key = |n| crate::Identity::from_entropy([n; 32]).public_key();
        Self {
            now: crate::testing::base(),
            engine: node.engine,
            own: node.key,
            rng: Rng::child(&Seed::new([4; 32]), "guesses"),
            codes: (0..SPACE).map(sound).collect(),
            keys: (100..120).map(key).collect(),
            guessers: Vec::new(),
            conns: 0,
            count: Count::default(),
        }
    }

    fn draw_code(&mut self) -> Code {
        self.codes[self.rng.below(SPACE) as usize].clone()
    }

    /// A window is open, with a code of few.
    fn show_code(&mut self) {
        if self.engine.window.is_none() {
            self.engine.host(self.now).unwrap();
            let code = self.draw_code();
            self.engine.window.as_mut().unwrap().code = code;
            self.count.windows += 1;
            self.count.points_in_window = 0;
        }
    }

    /// One step of one guesser, and what comes of it.
    fn step(&mut self) {
        self.show_code();
        if self.guessers.len() < SIDE_BY_SIDE {
            let guesser = self.newcomer();
            self.guessers.push(guesser);
        }
        let at = self.rng.below(self.guessers.len() as u64) as usize;
        let mut guesser = self.guessers.swap_remove(at);
        if self.act(&mut guesser) {
            self.guessers.push(guesser);
        } else if guesser.falls_silent {
            self.now += Duration::from_secs(10);
            self.engine.handle_timeout(self.now);
            self.drain(None);
        } else {
            self.engine.handle_lost(self.now, guesser.conn);
            self.drain(None);
        }
    }

    fn newcomer(&mut self) -> Guesser {
        self.conns += 1;
        let key = self.keys[self.rng.below(self.keys.len() as u64) as usize];
        let exporter = self.rng.bytes();
        let ends = Ends { exporter: Exporter::new(exporter), joiner: key, host: self.own };
        // Half go on to the end.
        let last = self.rng.below(2 * STEPS.len() as u64) as usize;
        let mut guesser = Guesser {
            conn: ConnId(self.conns),
            key,
            guess: self.draw_code(),
            next: 0,
            last: STEPS.get(last).copied().unwrap_or(Step::Proof),
            falls_silent: self.rng.below(10) == 0,
            transcript: Transcript::begin(&ends),
            ends,
            pake: None,
            keys: None,
        };
        let remote = "192.0.2.66:5000".parse().unwrap();
        let new = NewSession { conn: guesser.conn, exporter, peer: key, remote, dialled: None };
        self.engine.handle_session(self.now, new);
        guesser.next = 1;
        guesser
    }

    /// Whether the guesser goes on.
    fn act(&mut self, guesser: &mut Guesser) -> bool {
        let Some(step) = STEPS.get(guesser.next).copied().filter(|step| *step <= guesser.last) else {
            return false;
        };
        guesser.next += 1;
        let message = guesser.say(step, &mut self.rng);
        guesser.transcript.add(&message);
        self.engine.handle_frame(self.now, guesser.conn, &message);
        match self.drain(Some(guesser.conn)) {
            Some(answer) => guesser.hear(&answer),
            // `Open` has no answer; and the host hung up on others when its code was guessed.
            None => step == Step::Open && self.engine.sessions.contains_key(&guesser.conn),
        }
    }

    /// Empties the engine. What it said on this connection.
    fn drain(&mut self, conn: Option<ConnId>) -> Option<Frame> {
        let mut heard = None;
        while let Some(event) = self.engine.poll_event() {
            match event {
                Event::Send { conn: to, frame } | Event::SendLast { conn: to, frame } => {
                    let frame = whole(frame);
                    self.note(&Message::decode(&frame).unwrap());
                    heard = (Some(to) == conn).then_some(frame).or(heard);
                }
                Event::Tell(Told::PairingAttemptFailed { .. }) => self.count.failed += 1,
                Event::Tell(_) | Event::Close { .. } => {}
                other => panic!("nobody pairs: {other:?}"),
            }
        }
        heard
    }

    /// What the host says, to whomever.
    fn note(&mut self, said: &Message) {
        match said {
            Message::PakeB(_) => {
                self.count.points += 1;
                self.count.points_in_window += 1;
                assert!(self.count.points_in_window <= ATTEMPTS, "one more guess than a window takes");
            }
            Message::ConfirmB(_) => {
                self.count.tried += 1;
                self.count.right += 1;
            }
            Message::Reject(said) if said.reason == RejectReason::BadCode => self.count.tried += 1,
            _ => {}
        }
    }
}

impl Guesser {
    fn say(&mut self, step: Step, rng: &mut Rng) -> Frame {
        let message = match step {
            Step::Connect | Step::Open => Message::Open(Open::new(Role::Joiner)),
            Step::Hello => {
                let methods = vec!["digits".to_owned()];
                Message::PairHello(PairHello { version: 1, suites: vec![1], methods, nonce: rng.bytes() })
            }
            Step::Pake => {
                let pake = self.pake.insert(Pake::joiner(&self.ends, &self.guess, rng));
                Message::PakeA(Point { point: pake.point() })
            }
            Step::Proof => Message::ConfirmA(Confirm { mac: self.keys.as_ref().unwrap().confirm_a() }),
        };
        message.encode()
    }

    /// Whether there is more to say.
    fn hear(&mut self, answer: &Frame) -> bool {
        match Message::decode(answer).unwrap() {
            Message::PairHelloAck(_) => {
                self.transcript.add(answer);
                true
            }
            Message::PakeB(theirs) => {
                self.transcript.add(answer);
                let shared = self.pake.take().unwrap().finish(&theirs.point).unwrap();
                self.keys = Some(self.transcript.clone().keys(&shared));
                true
            }
            Message::Reject(said) => {
                let known =
                    [RejectReason::Busy, RejectReason::NoWindow, RejectReason::BadCode, RejectReason::Locked];
                assert!(known.contains(&said.reason), "{said:?} for {:?}", self.key);
                false
            }
            _ => false,
        }
    }
}

fn whole(mut bytes: Bytes) -> Frame {
    Deframer::default().next(&mut bytes).unwrap().unwrap()
}

#[test]
fn a_guess_costs_an_attempt_though_the_guesser_hangs_up_and_one_in_a_hundred_of_as_many_codes_is_right() {
    let guesses = std::env::var(GUESSES_BY).map_or(GUESSES, |text| text.parse().unwrap());
    let mut siege = Siege::new();
    while siege.count.tried < guesses {
        siege.step();
    }
    for guesser in std::mem::take(&mut siege.guessers) {
        siege.engine.handle_lost(siege.now, guesser.conn);
    }
    siege.drain(None);
    let Count { windows, points, tried, right, failed, .. } = siege.count;
    assert_eq!(failed + right, points, "every point that was sent cost an attempt");
    assert!(points - tried > guesses / 10, "some hung up in the middle: {tried} tried of {points}");
    assert!(points <= windows * u32::from(ATTEMPTS));
    let (n, p) = (f64::from(tried), 1.0 / SPACE as f64);
    let three_sigma = 3.0 * (n * p * (1.0 - p)).sqrt();
    let off = f64::from(right) - n * p;
    assert!(off.abs() <= three_sigma, "{right} of {tried} guesses were right, which is off by {off}");
}
