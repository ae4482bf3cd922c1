//! What a command tells: lines for people or for programs on standard output, bars and notes on standard
//! error.
//!
//! Never lets text of a peer reach a terminal unfiltered.

use crate::exit::Failure;
use crate::transfer::name::is_invisible;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The version of the JSON lines.
const VERSION: u8 = 1;

/// `progress` events of one file are at least this far apart.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// One line of output. The names and fields are stable: what changes them changes [`VERSION`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// This device can be reached.
    Listening { peer: String, label: String, name: String, addresses: Vec<String> },
    /// A device was found, or what is known of it changed.
    Found(Found),
    /// A device is no longer seen.
    Lost { peer: String, name: String, addresses: Vec<String>, source: &'static str, paired: bool },
    /// The code to type on the other device.
    Code { code: String, seconds: u64 },
    /// Two devices are paired; also one line of the list of them.
    Paired { peer: String, label: String, name: String },
    /// Who this device is.
    Identity { peer: String, label: String, fingerprint: String },
    /// A device is to be paired with as soon as it trusts this one; also one line of the list of them.
    Trusted { fingerprint: String, label: String },
    /// A device is never talked to; also one line of the list of them.
    Banned { fingerprint: String, label: String },
    /// Somebody was turned away.
    Refused {
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        remote: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        attempts_left: Option<u8>,
    },
    /// A paired device offers a file.
    Offer { peer: String, from: String, name: String, bytes: u64 },
    /// So much of a file is through.
    Progress { name: String, bytes: u64, total: u64 },
    /// A file is stored whole.
    Received { path: String, bytes: u64, peer: String },
    /// The other device stored a file whole.
    Sent { path: String, bytes: u64, peer: String },
    /// Something failed.
    Error { kind: &'static str, message: String },
    /// The command ended.
    Done(Done),
}

/// A device as discovery sees it: hearsay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    pub(crate) peer: String,
    pub(crate) name: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) source: &'static str,
    pub(crate) paired: bool,
    pub(crate) pairing: bool,
}

/// The last line.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Done {
    pub(crate) ok: bool,
    #[serde(flatten)]
    pub(crate) figures: Option<Figures>,
}

/// What `demo` measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figures {
    pub(crate) bytes: u64,
    pub(crate) mib_per_s: f64,
    pub(crate) discovered_ms: u64,
    pub(crate) paired_ms: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    #[serde(flatten)]
    event: &'a Event,
}

/// Where a command's lines go. Clones are the same place.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    format: Format,
    /// The one bar that may be on the screen: lines go around it.
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Text,
}

impl Output {
    /// JSON lines.
    pub(crate) fn json() -> Self {
        Self { format: Format::Json, bar: Arc::default() }
    }

    /// Lines for people.
    pub(crate) fn text() -> Self {
        Self { format: Format::Text, bar: Arc::default() }
    }

    /// One line on standard output; on standard error for an error that people read.
    pub(crate) fn tell(&self, event: &Event) {
        match (self.format, event) {
            (Format::Json, event) => {
                let line = serde_json::to_string(&Line { v: VERSION, event });
                self.line(io::stdout(), &line.expect("an event has no type that JSON lacks"));
            }
            (Format::Text, Event::Error { .. }) => self.line(io::stderr(), &event.to_string()),
            // The bar shows it.
            (Format::Text, Event::Progress { .. }) => {}
            (Format::Text, event) => {
                let text = event.to_string();
                if !text.is_empty() {
                    self.line(io::stdout(), &text);
                }
            }
        }
    }

    /// Why the command failed.
    pub(crate) fn fail(&self, failure: &Failure) {
        self.tell(&Event::Error { kind: failure.kind.name(), message: failure.message.clone() });
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

    /// Asks on standard error, and reads a line from standard input. `None` at its end. Blocks.
    pub(crate) fn ask(&self, question: &str) -> Option<String> {
        self.hide_bar_while(|| {
            let mut err = io::stderr();
            let _ = write!(err, "{}", clean(question)).and_then(|()| err.flush());
        });
        let mut answer = String::new();
        match io::stdin().read_line(&mut answer) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(answer.trim().to_owned()),
        }
    }

    /// Shows how a file of `total` bytes comes along.
    pub(crate) fn progress(&self, name: &str, total: u64) -> Progress {
        let bar = self.bar(ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden()));
        bar.set_style(style("{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}"));
        bar.set_message(clean(name));
        Progress { output: self.clone(), bar, name: name.to_owned(), total, last: None }
    }

    /// Shows what is waited for, in words that may change.
    pub(crate) fn waiting(&self, text: &str) -> Waiting {
        let bar = self.bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()));
        bar.set_style(style("{spinner} {msg}"));
        bar.set_message(clean(text));
        bar.enable_steady_tick(Duration::from_millis(200));
        Waiting { output: self.clone(), bar }
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
pub(crate) struct Progress {
    output: Output,
    bar: ProgressBar,
    name: String,
    total: u64,
    last: Option<Instant>,
}

impl Progress {
    /// So many bytes are through.
    pub(crate) fn at(&mut self, bytes: u64) {
        self.bar.set_position(bytes);
        let due = self.last.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
        if due || bytes == self.total {
            self.last = Some(Instant::now());
            self.output.tell(&Event::Progress { name: self.name.clone(), bytes, total: self.total });
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.output.remove_bar(&self.bar);
    }
}

/// Something that is waited for. Gone from the screen when it is dropped.
pub(crate) struct Waiting {
    output: Output,
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
        self.output.remove_bar(&self.bar);
    }
}

/// Text of a peer, for a terminal: nothing in it moves the cursor or hides what is beside it.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_invisible(c) { '\u{fffd}' } else { c }).collect()
}

/// For people.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { label, name, addresses, .. } => {
                write!(f, "listening  {} ({label}) on {}", clean(name), addresses.join(", "))
            }
            Self::Found(Found { peer, name, addresses, paired, pairing, .. }) => {
                let paired = if *paired { ", paired" } else { "" };
                let pairing = if *pairing { ", shows a code" } else { "" };
                write!(
                    f,
                    "found      {} {}{paired}{pairing} at {}",
                    short(peer),
                    clean(name),
                    addresses.join(", ")
                )
            }
            Self::Lost { peer, name, .. } => write!(f, "lost       {} {}", short(peer), clean(name)),
            Self::Code { code, .. } => write!(f, "code       {code}"),
            Self::Paired { peer, label, name } => {
                write!(f, "paired     {} {} ({label})", short(peer), clean(name))
            }
            Self::Identity { peer, label, fingerprint } => {
                write!(f, "label        {label}\nid           {peer}\nfingerprint  {fingerprint}")
            }
            Self::Trusted { fingerprint, label } => write!(f, "trusted    {fingerprint} ({label})"),
            Self::Banned { fingerprint, label } => write!(f, "banned     {fingerprint} ({label})"),
            Self::Refused { reason, remote, attempts_left } => {
                write!(f, "refused    {reason}")?;
                if let Some(remote) = remote {
                    write!(f, ", from {remote}")?;
                }
                attempts_left.map_or(Ok(()), |left| write!(f, ", attempts left: {left}"))
            }
            Self::Offer { from, name, bytes, .. } => {
                write!(f, "offer      {} ({}) from {}", clean(name), HumanBytes(*bytes), clean(from))
            }
            Self::Progress { name, bytes, total } => write!(f, "progress   {} {bytes}/{total}", clean(name)),
            Self::Received { path, bytes, .. } => {
                write!(f, "received   {} ({})", clean(path), HumanBytes(*bytes))
            }
            Self::Sent { path, bytes, .. } => {
                write!(f, "sent       {} ({})", clean(path), HumanBytes(*bytes))
            }
            Self::Error { message, .. } => write!(f, "error: {}", clean(message)),
            Self::Done(Done { figures: Some(figures), .. }) => write!(
                f,
                "done       {} at {:.0} MiB/s, hash verified; found in {} ms, paired in {} ms",
                HumanBytes(figures.bytes),
                figures.mib_per_s,
                figures.discovered_ms,
                figures.paired_ms
            ),
            Self::Done(Done { figures: None, .. }) => Ok(()),
        }
    }
}

/// The beginning of an id: enough to tell devices apart, and to type.
pub(crate) fn short(peer: &str) -> &str {
    peer.get(..8).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(event: &Event) -> String {
        serde_json::to_string(&Line { v: VERSION, event }).unwrap()
    }

    #[test]
    fn a_line_begins_with_its_version_and_its_event() {
        let done = Event::Done(Done { ok: true, figures: None });
        assert_eq!(json(&done), r#"{"v":1,"event":"done","ok":true}"#);
        let figures = Figures { bytes: 268_435_456, mib_per_s: 512.5, discovered_ms: 12, paired_ms: 34 };
        assert_eq!(
            json(&Event::Done(Done { ok: true, figures: Some(figures) })),
            r#"{"v":1,"event":"done","ok":true,"bytes":268435456,"mib_per_s":512.5,"discovered_ms":12,"paired_ms":34}"#
        );
        let refused = Event::Refused { reason: "not_paired", remote: None, attempts_left: None };
        assert_eq!(json(&refused), r#"{"v":1,"event":"refused","reason":"not_paired"}"#);
    }

    #[test]
    fn a_name_cannot_write_on_the_terminal() {
        let event = Event::Offer {
            peer: "p".to_owned(),
            from: "\u{1b}[2Jlaptop\r\n".to_owned(),
            name: "a\u{202e}b".to_owned(),
            bytes: 1,
        };
        let shown = event.to_string();
        assert!(shown.chars().all(|c| !is_invisible(c)), "{shown:?}");
        assert!(!json(&event).contains('\u{1b}'));
    }
}
