//! The screen of this process: lines for people or for programs on standard output, bars and notes on
//! standard error.
//!
//! Never lets text of a peer reach a terminal unfiltered.

use super::event::{Event, clean};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task;

/// `progress` events of one file are at least this far apart.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Where this process' lines go. Clones are the same place.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    format: Format,
    lines: Lines,
    /// The one bar that may be on the screen: lines go around it.
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Text,
}

/// Which of its outputs a process tells its lines on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    /// Standard output has a file's bytes.
    OnError,
    OnOutput,
}

impl Screen {
    /// JSON lines.
    pub(crate) fn json() -> Self {
        Self { format: Format::Json, lines: Lines::OnOutput, bar: Arc::default() }
    }

    /// Lines for people.
    pub(crate) fn text() -> Self {
        Self { format: Format::Text, ..Self::json() }
    }

    /// The same on standard error alone: standard output has other uses.
    pub(crate) fn on_error(self) -> Self {
        Self { lines: Lines::OnError, ..self }
    }

    /// One line on standard output; on standard error for an error that people read.
    pub(crate) fn tell(&self, event: &Event) {
        let text = match (self.format, event) {
            (Format::Json, event) => event.to_json(),
            // The bar shows it.
            (Format::Text, Event::Progress { .. }) => return,
            (Format::Text, event) => event.to_string(),
        };
        let is_error = self.format == Format::Text && matches!(event, Event::Error { .. });
        match self.lines {
            _ if text.is_empty() => {}
            Lines::OnOutput if !is_error => self.line(io::stdout(), &text),
            Lines::OnOutput | Lines::OnError => self.line(io::stderr(), &text),
        }
    }

    /// A remark for people, on standard error.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        if self.format == Format::Text {
            self.line(io::stderr(), &clean(&text.to_string()));
        }
    }

    /// Whether there is somebody to ask.
    pub(crate) fn can_ask(&self) -> bool {
        self.format == Format::Text && io::stdin().is_terminal()
    }

    /// Asks on standard error, and reads a line from standard input. `None` at its end.
    pub(crate) async fn ask(&self, question: &str) -> Option<String> {
        let (screen, question) = (self.clone(), clean(question));
        let asked = task::spawn_blocking(move || {
            screen.hide_bar_while(|| {
                let mut err = io::stderr();
                let _ = write!(err, "{question}").and_then(|()| err.flush());
            });
            let mut answer = String::new();
            match io::stdin().read_line(&mut answer) {
                Ok(0) | Err(_) => None,
                Ok(_) => Some(answer.trim().to_owned()),
            }
        });
        asked.await.ok().flatten()
    }

    /// Shows how a file comes along, `total` bytes where that is known.
    pub(crate) fn progress(&self, name: &str, total: Option<u64>) -> Progress {
        let bar = self.bar(ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()));
        bar.set_style(style(match total {
            Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}",
            None => "{spinner} {msg} {bytes} {binary_bytes_per_sec}",
        }));
        bar.set_message(clean(name));
        Progress { screen: self.clone(), bar, name: name.to_owned(), total, last: None }
    }

    /// Shows what is waited for, in words that may change.
    pub(crate) fn waiting(&self, text: &str) -> Waiting {
        let bar = self.bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()));
        bar.set_style(style("{spinner} {msg}"));
        bar.set_message(clean(text));
        bar.enable_steady_tick(Duration::from_millis(200));
        Waiting { screen: self.clone(), bar }
    }

    /// On the terminal, unless there is none, or a bar is there already.
    fn bar(&self, bar: ProgressBar) -> ProgressBar {
        let mut shown = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if self.format == Format::Text && shown.is_none() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            *shown = Some(bar.clone());
        }
        bar
    }

    fn remove_bar(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        if !bar.is_hidden() {
            *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// A reader that went away is no reason to fail.
    fn line(&self, mut to: impl io::Write, line: &str) {
        self.hide_bar_while(|| {
            let _ = writeln!(to, "{line}").and_then(|()| to.flush());
        });
    }

    fn hide_bar_while(&self, print: impl FnOnce()) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is sound")
}

/// The progress of one file. Gone from the screen when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    screen: Screen,
    bar: ProgressBar,
    name: String,
    total: Option<u64>,
    last: Option<Instant>,
}

impl Progress {
    /// So many bytes are through.
    pub(crate) fn at(&mut self, bytes: u64) {
        self.bar.set_position(bytes);
        let due = self.last.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
        if due || Some(bytes) == self.total {
            self.last = Some(Instant::now());
            self.screen.tell(&Event::Progress { name: self.name.clone(), bytes, total: self.total });
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.screen.remove_bar(&self.bar);
    }
}

/// Something that is waited for. Gone from the screen when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    screen: Screen,
    bar: ProgressBar,
}

impl Waiting {
    /// Other words.
    pub(crate) fn say(&self, text: impl fmt::Display) {
        self.bar.set_message(clean(&text.to_string()));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.screen.remove_bar(&self.bar);
    }
}
