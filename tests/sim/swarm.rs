//! The swarm: random worlds, each from a seed, in which everything goes wrong that can, and in which
//! everything must hold that we promise.
//!
//! [`Plan::draw`] makes a world of a seed; [`play`] plays it and says what broke; [`shrink`] looks for a smaller
//! world in which the same thing breaks.

mod agenda;
mod budget;
mod calm;
mod dice;
mod director;
mod geography;
mod manners;
mod market;
mod offer;
mod plan;
mod rehearsal;
mod shop;
mod shrink;
mod silence;
mod talk;
mod truth;
mod user;
mod verdict;
mod villains;

pub use plan::Plan;
pub use shrink::shrink;
pub use truth::Feats;

use crate::fault::Tally;
use crate::trace::Detail;
use director::Director;
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::time::Duration;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Something that must hold did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What, in a sentence.
    pub sentence: String,
    /// Where in the source it was noticed.
    pub place: String,
    /// How long after the beginning of the world.
    pub at: Duration,
}

impl Violation {
    /// What two violations have in common that are the same: the sentence up to its details, and the place.
    pub fn kind(&self) -> (&str, &str) {
        let sentence = self.sentence.split(':').next().unwrap_or_default();
        (sentence, &self.place)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VIOLATION after {:?}: {} ({})", self.at, self.sentence, self.place)
    }
}

/// What became of a world.
#[derive(Debug)]
pub struct Outcome {
    /// What broke, if anything did.
    pub violation: Option<Violation>,
    /// How often each kind of fault fired.
    pub tally: Tally,
    /// What was achieved.
    pub feats: Feats,
    /// How much time passed in it.
    pub simulated: Duration,
    /// A hash of all that happened.
    pub digest: String,
    /// What happened, where it was kept.
    pub story: Vec<String>,
}

/// Plays a world.
pub fn play(plan: &Plan, detail: Detail) -> Outcome {
    let mut director = Director::new(plan.clone(), detail);
    let result = catch_unwind(AssertUnwindSafe(|| director.play()));
    let world = &director.world;
    let violation = result.err().map(|panic| Violation {
        sentence: sentence(&*panic),
        place: PLACE.with_borrow(String::clone),
        at: world.elapsed(),
    });
    Outcome {
        violation,
        tally: world.tally(),
        feats: director.truth.borrow().feats,
        simulated: world.elapsed(),
        digest: world.trace.digest(),
        story: world.trace.story.clone(),
    }
}

fn sentence(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

/// From here on panics say nothing, and are remembered with where they happened: for a program that plays many
/// worlds.
pub fn silence_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
        PLACE.set(place);
    }));
}
