//! The states of the side that shows the code, up to the proof that both know it.
//!
//! ```text
//! AwaitHello ─PairHello→ AwaitPake ─PakeA→ AwaitConfirm ─ConfirmA→ Introduction
//!      │ └ Reject            └ Reject            └ Reject { bad_code }
//!      └───PairHello { trust } alone────────→ AwaitConfirm ─ConfirmA→ Introduction
//! ```
//!
//! Pure: a transition consumes the state and gives the next one and the frame to send. Attempts are the
//! engine's to count, before the frame of [`AwaitPake::on_pake`] leaves.

use super::introduction::AwaitMeta;
use super::keys::{Ends, Keys, Transcript};
use super::pake::{BadPoint, METHOD_DIGITS, METHOD_TRUST, Pake, Suite};
use crate::code::Code;
use crate::rng::Rng;
use crate::wire::frame::Frame;
use crate::wire::pairing::{Confirm, NOT_COUNTED, PairHello, PairHelloAck, Pairing, Point, RejectReason};

/// The version of the messages.
pub(super) const VERSION: u16 = 1;

/// Waits for what the joiner can do.
pub(super) struct AwaitHello {
    ends: Ends,
    transcript: Transcript,
}

impl AwaitHello {
    /// After `open`, whoever sent it.
    pub(super) fn begin(ends: Ends, open: &Frame) -> Self {
        let mut transcript = Transcript::begin(&ends);
        transcript.add(open);
        Self { ends, transcript }
    }

    /// Chooses of what the joiner offers.
    ///
    /// # Errors
    /// Why nothing of it will do.
    pub(super) fn on_hello(
        mut self,
        frame: &Frame,
        hello: &PairHello,
        attempts_left: u8,
        rng: &mut Rng,
    ) -> Result<(AwaitPake, Frame), RejectReason> {
        let ack = self.choose(hello, METHOD_DIGITS, attempts_left, rng)?;
        self.transcript.add(frame);
        self.transcript.add(&ack);
        Ok((AwaitPake { ends: self.ends, transcript: self.transcript }, ack))
    }

    /// Takes the connection's key for the proof: whoever calls compared it with what the user entered.
    ///
    /// # Errors
    /// Why nothing of what the joiner offers will do.
    pub(super) fn on_trust(
        mut self,
        frame: &Frame,
        hello: &PairHello,
        rng: &mut Rng,
    ) -> Result<(AwaitConfirm, Frame), RejectReason> {
        let ack = self.choose(hello, METHOD_TRUST, NOT_COUNTED, rng)?;
        self.transcript.add(frame);
        self.transcript.add(&ack);
        Ok((AwaitConfirm { keys: self.transcript.trusted_keys(&self.ends) }, ack))
    }

    fn choose(
        &self,
        hello: &PairHello,
        method: &str,
        attempts_left: u8,
        rng: &mut Rng,
    ) -> Result<Frame, RejectReason> {
        if hello.version < VERSION {
            return Err(RejectReason::Version);
        }
        let offered = |suite: &Suite| hello.suites.contains(&suite.as_u8());
        let suite = Suite::OFFERED.into_iter().find(offered).ok_or(RejectReason::Method)?;
        if !hello.methods.iter().any(|offered| offered == method) {
            return Err(RejectReason::Method);
        }
        let ack = PairHelloAck {
            version: VERSION,
            suite: suite.as_u8(),
            method: method.to_owned(),
            nonce: rng.bytes(),
            attempts_left,
        };
        Ok(Pairing::PairHelloAck(ack).encode())
    }
}

/// Whether a joiner wants to be trusted, and nothing else: beside a code it would be a way around it.
pub(super) fn wants_trust(hello: &PairHello) -> bool {
    hello.methods == [METHOD_TRUST]
}

/// Waits for the joiner's point.
pub(super) struct AwaitPake {
    ends: Ends,
    transcript: Transcript,
}

impl AwaitPake {
    /// The answer lets the joiner test one guess: an attempt must be used up before it is sent.
    ///
    /// # Errors
    /// [`BadPoint`] for an unsound point, of which nothing can be learned.
    pub(super) fn on_pake(
        mut self,
        frame: &Frame,
        theirs: &Point,
        code: &Code,
        rng: &mut Rng,
    ) -> Result<(AwaitConfirm, Frame), BadPoint> {
        let pake = Pake::host(&self.ends, code, rng);
        let answer = Pairing::PakeB(Point { point: pake.point() }).encode();
        let shared = pake.finish(&theirs.point)?;
        self.transcript.add(frame);
        self.transcript.add(&answer);
        Ok((AwaitConfirm { keys: self.transcript.keys(&shared) }, answer))
    }
}

/// Waits for the joiner's proof.
pub(super) struct AwaitConfirm {
    keys: Keys,
}

/// The joiner typed another code, or is not the other end of this connection.
#[derive(Debug)]
pub(super) struct WrongCode;

impl AwaitConfirm {
    /// Proves the code in turn.
    ///
    /// # Errors
    /// [`WrongCode`]: nothing was proven, and nothing is.
    pub(super) fn on_confirm(self, theirs: &Confirm) -> Result<(AwaitMeta, Frame), WrongCode> {
        let (mac, agreed) = self.keys.check_a(&theirs.mac).ok_or(WrongCode)?;
        Ok((AwaitMeta::new(agreed), Pairing::ConfirmB(Confirm { mac }).encode()))
    }
}
