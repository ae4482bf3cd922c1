//! Waits until discovery has found the device that the user means.

use crate::exit::{Failure, Kind};
use crate::hub::Session;
use crate::output::{Output, Waiting};
use crate::peer::{self, Candidate, Meaning};
use handfast_core::PeerId;
use handfast_tokio::Events;
use std::future;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Discovery takes milliseconds where both devices run, and a second or two where packets are lost.
pub(super) const FOUND_WITHIN: Duration = Duration::from_secs(15);

/// After the first device that fits: others that run answer within this time.
const SETTLE: Duration = Duration::from_millis(500);

/// Which device is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    /// That one.
    Called(&'a str),
    /// The only one that shows a pairing code.
    Pairing,
}

impl Wanted<'_> {
    fn among(self, session: &Session) -> Meaning {
        let discovered = session.discovered();
        match self {
            Self::Called(word) => {
                let candidates: Vec<_> = discovered.iter().map(Candidate::from).collect();
                peer::find(word, &candidates)
            }
            Self::Pairing => {
                let mut pairing: Vec<_> =
                    discovered.iter().filter(|p| p.pairing).map(Candidate::from).collect();
                match pairing.len() {
                    0 => Meaning::Nobody,
                    1 => Meaning::One(pairing.remove(0).id),
                    _ => Meaning::Several(pairing),
                }
            }
        }
    }

    /// Nobody else can fit.
    fn is(self, id: PeerId) -> bool {
        matches!(self, Self::Called(word) if word == id.to_string())
    }

    fn missing(self) -> Failure {
        let within = FOUND_WITHIN.as_secs();
        Kind::NoSuchPeer.because(match self {
            Self::Called(word) => format!(
                "no device called `{word}` was found on this network within {within} s; \
                 where discovery cannot reach, give --addr HOST:PORT"
            ),
            Self::Pairing => format!(
                "no device that shows a pairing code was found on this network within {within} s; \
                 run `handfast pair` there, or give --addr HOST:PORT"
            ),
        })
    }
}

/// The device that is meant; asks where several fit and somebody can be asked.
pub(super) async fn locate(
    session: &Session,
    events: &mut Events,
    output: &Output,
    wanted: Wanted<'_>,
) -> Result<PeerId, Failure> {
    let waiting = output.waiting("looking for the other device");
    let deadline = Instant::now() + FOUND_WITHIN;
    let mut settled = None;
    loop {
        match wanted.among(session) {
            Meaning::One(id) if wanted.is(id) => return Ok(id),
            Meaning::One(_) | Meaning::Several(_) => {
                settled.get_or_insert(Instant::now() + SETTLE);
            }
            Meaning::Nobody => {}
        }
        tokio::select! {
            () = until(settled) => break,
            event = timeout_at(deadline, events.next()) => match event {
                Ok(Some(_)) => {}
                Ok(None) => return Err(Kind::Internal.because("the node was stopped")),
                Err(_) => break,
            }
        }
    }
    match wanted.among(session) {
        Meaning::One(id) => Ok(id),
        Meaning::Nobody => Err(wanted.missing()),
        Meaning::Several(candidates) => choose(output, waiting, wanted, candidates).await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}

async fn choose(
    output: &Output,
    waiting: Waiting,
    wanted: Wanted<'_>,
    candidates: Vec<Candidate>,
) -> Result<PeerId, Failure> {
    drop(waiting);
    let word = match wanted {
        Wanted::Called(word) => word,
        Wanted::Pairing => "the device that is pairing",
    };
    if !output.can_ask() {
        return Err(peer::several(word, &candidates));
    }
    for (number, candidate) in candidates.iter().enumerate() {
        output.note(format_args!("{}  {}", number + 1, candidate.describe()));
    }
    let answer = output.ask("Which one? Its number: ").await;
    let number = answer.and_then(|answer| answer.parse::<usize>().ok());
    let chosen = number.and_then(|number| candidates.get(number.wrapping_sub(1)));
    chosen.map(|candidate| candidate.id).ok_or_else(|| peer::several(word, &candidates))
}
