//! What a command tells, asks and shows, wherever its user is: at this process' own screen, or at that of
//! another process that this one does the work for.

pub(crate) mod event;
pub(crate) mod far;
pub(crate) mod screen;

pub(crate) use event::{Done, Event, Figures, Found, LookedUp, Place, clean, short};
pub(crate) use far::Far;
pub(crate) use screen::Screen;

use crate::exit::Failure;
use crate::work::Passed;
use std::fmt;

/// Where a command's lines go, and its questions. Clones are the same place.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// The user of another process.
    Far(Far),
    /// The user of this process.
    Here(Screen),
}

impl Output {
    /// One line.
    pub(crate) fn tell(&self, event: &Event) {
        match self {
            Self::Far(far) => far.tell(event),
            Self::Here(screen) => screen.tell(event),
        }
    }

    /// Why the command, or a part of it, failed.
    pub(crate) fn fail(&self, failure: &Failure) {
        self.tell(&Event::Error { kind: failure.kind.name().into(), message: failure.message.clone() });
    }

    /// A remark for people.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        match self {
            Self::Far(far) => far.note(text.to_string()),
            Self::Here(screen) => screen.note(text),
        }
    }

    /// Whether there is somebody to ask.
    pub(crate) fn can_ask(&self) -> bool {
        match self {
            Self::Far(far) => far.can_ask(),
            Self::Here(screen) => screen.can_ask(),
        }
    }

    /// Asks, and gives the line that was answered; `None` where there was none.
    pub(crate) async fn ask(&self, question: &str) -> Option<String> {
        match self {
            Self::Far(far) => far.ask(question).await,
            Self::Here(screen) => screen.ask(question).await,
        }
    }

    /// Waits until lines can be told without any being lost.
    pub(crate) async fn room(&self) {
        match self {
            Self::Far(far) => far.room().await,
            Self::Here(_) => {}
        }
    }

    /// So much of what is to be sent is through, should another process have to go on with it.
    pub(crate) fn passed(&self, passed: Passed) {
        match self {
            Self::Far(far) => far.passed(passed),
            Self::Here(_) => {}
        }
    }

    /// The process whose user is there, if it is another one.
    pub(crate) fn far(&self) -> Option<&Far> {
        match self {
            Self::Far(far) => Some(far),
            Self::Here(_) => None,
        }
    }

    /// Shows how a file comes along, `total` bytes where that is known.
    pub(crate) fn progress(&self, name: &str, total: Option<u64>) -> Progress {
        match self {
            Self::Far(far) => Progress::Far(far.progress(name, total)),
            Self::Here(screen) => Progress::Here(screen.progress(name, total)),
        }
    }

    /// Shows what is waited for, in words that may change.
    pub(crate) fn waiting(&self, text: &str) -> Waiting {
        match self {
            Self::Far(far) => Waiting::Far(far.waiting(text)),
            Self::Here(screen) => Waiting::Here(screen.waiting(text)),
        }
    }
}

/// The progress of one file. Gone from the screen when it is dropped.
#[derive(Debug)]
pub(crate) enum Progress {
    Far(far::Bar),
    Here(screen::Progress),
}

impl Progress {
    /// So many bytes are through.
    pub(crate) fn at(&mut self, bytes: u64) {
        match self {
            Self::Far(bar) => bar.at(bytes),
            Self::Here(progress) => progress.at(bytes),
        }
    }
}

/// Something that is waited for. Gone from the screen when it is dropped.
#[derive(Debug)]
pub(crate) enum Waiting {
    Far(far::Bar),
    Here(screen::Waiting),
}

impl Waiting {
    /// Other words.
    pub(crate) fn say(&self, text: impl fmt::Display) {
        match self {
            Self::Far(bar) => bar.say(text.to_string()),
            Self::Here(waiting) => waiting.say(text),
        }
    }
}
