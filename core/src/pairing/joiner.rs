//! The states of the side that types the code, up to the proof that both know it.
//!
//! ```text
//! AwaitAck ─PairHelloAck→ AwaitPake ─PakeB→ AwaitConfirm ─ConfirmB→ Introduction
//! AwaitTrust ─PairHelloAck───────────────→ AwaitConfirm ─ConfirmB→ Introduction
//! ```
//!
//! Pure: a transition consumes the state and gives the next one and the frame to send. What the host sends
//! instead, `Reject` or `Abort`, ends the session in the engine.

use super::host::VERSION;
use super::introduction::AwaitMeta;
use super::keys::{Ends, Keys, Transcript};
use super::pake::{METHOD_DIGITS, METHOD_TRUST, Pake, Suite};
use crate::code::Code;
use crate::rng::Rng;
use crate::wire::frame::Frame;
use crate::wire::pairing::{Confirm, PairHello, PairHelloAck, Pairing, Point};

/// The host broke the protocol, or proved nothing.
#[derive(Debug)]
pub(super) struct Misbehaved;

/// Waits for what the host chose.
pub(super) struct AwaitAck {
    ends: Ends,
    transcript: Transcript,
    code: Code,
}

impl AwaitAck {
    /// After `open`, whoever sent it: says what this side can do.
    pub(super) fn begin(ends: Ends, open: &Frame, code: Code, rng: &mut Rng) -> (Self, Frame) {
        let (transcript, hello) = greet(&ends, open, METHOD_DIGITS, rng);
        (Self { ends, transcript, code }, hello)
    }

    /// Begins the key exchange: from here on the entry is spent.
    pub(super) fn on_ack(
        mut self,
        frame: &Frame,
        ack: &PairHelloAck,
        rng: &mut Rng,
    ) -> Result<(AwaitPake, Frame), Misbehaved> {
        check_offered(ack, METHOD_DIGITS)?;
        let pake = Pake::joiner(&self.ends, &self.code, rng);
        let point = Pairing::PakeA(Point { point: pake.point() }).encode();
        self.transcript.add(frame);
        self.transcript.add(&point);
        Ok((AwaitPake { transcript: self.transcript, pake }, point))
    }
}

/// Waits for the host to agree that the two trust each other.
pub(super) struct AwaitTrust {
    ends: Ends,
    transcript: Transcript,
}

impl AwaitTrust {
    /// After `open`, whoever sent it. Whoever calls compared the connection's key with what the user entered.
    pub(super) fn begin(ends: Ends, open: &Frame, rng: &mut Rng) -> (Self, Frame) {
        let (transcript, hello) = greet(&ends, open, METHOD_TRUST, rng);
        (Self { ends, transcript }, hello)
    }

    /// Proves to be the other end of this very connection.
    pub(super) fn on_ack(
        mut self,
        frame: &Frame,
        ack: &PairHelloAck,
    ) -> Result<(AwaitConfirm, Frame), Misbehaved> {
        check_offered(ack, METHOD_TRUST)?;
        self.transcript.add(frame);
        let keys = self.transcript.trusted_keys(&self.ends);
        let proof = Pairing::ConfirmA(Confirm { mac: keys.confirm_a() }).encode();
        Ok((AwaitConfirm { keys }, proof))
    }
}

/// Says what this side can do: one method, so that nobody chooses another for it.
fn greet(ends: &Ends, open: &Frame, method: &str, rng: &mut Rng) -> (Transcript, Frame) {
    let hello = Pairing::PairHello(PairHello {
        version: VERSION,
        suites: Suite::OFFERED.iter().map(|suite| suite.as_u8()).collect(),
        methods: vec![method.to_owned()],
        nonce: rng.bytes(),
    });
    let hello = hello.encode();
    let mut transcript = Transcript::begin(ends);
    transcript.add(open);
    transcript.add(&hello);
    (transcript, hello)
}

fn check_offered(ack: &PairHelloAck, method: &str) -> Result<(), Misbehaved> {
    let offered = Suite::from_u8(ack.suite).is_some() && ack.method == method;
    if ack.version == VERSION && offered { Ok(()) } else { Err(Misbehaved) }
}

/// Waits for the host's point.
pub(super) struct AwaitPake {
    transcript: Transcript,
    pake: Pake,
}

impl AwaitPake {
    /// Proves the code first: the side that typed it does.
    pub(super) fn on_pake(
        mut self,
        frame: &Frame,
        theirs: &Point,
    ) -> Result<(AwaitConfirm, Frame), Misbehaved> {
        let shared = self.pake.finish(&theirs.point).map_err(|_| Misbehaved)?;
        self.transcript.add(frame);
        let keys = self.transcript.keys(&shared);
        let proof = Pairing::ConfirmA(Confirm { mac: keys.confirm_a() }).encode();
        Ok((AwaitConfirm { keys }, proof))
    }
}

/// Waits for the host's proof.
pub(super) struct AwaitConfirm {
    keys: Keys,
}

impl AwaitConfirm {
    /// A host that knows the code answers a wrong one by `Reject`: a wrong proof is no mistake of the user.
    pub(super) fn on_confirm(self, theirs: &Confirm) -> Result<AwaitMeta, Misbehaved> {
        let agreed = self.keys.check_b(&theirs.mac).ok_or(Misbehaved)?;
        Ok(AwaitMeta::new(agreed))
    }
}
