//! A device: a home, a place on the network, and the commands that are run on it.
//!
//! Every line of JSON is checked. Every wait is for something that is seen, and ends after [`PATIENCE`].

use crate::lab::{Lab, in_namespace};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A machine may be slow, and do ten other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The events there are.
const EVENTS: [&str; 20] = [
    "listening",
    "found",
    "lost",
    "looked_up",
    "code",
    "paired",
    "identity",
    "trusted",
    "banned",
    "refused",
    "offer",
    "progress",
    "resumed",
    "disconnected",
    "skipped",
    "received",
    "sent",
    "serving",
    "error",
    "done",
];

/// Where files are that are not whole.
const PARTS: &str = ".handfast-parts";

/// A device.
pub(crate) struct Device {
    name: &'static str,
    namespace: Option<&'static str>,
    folder: TempDir,
}

impl Device {
    /// One in the namespace of its name.
    pub(crate) fn new(_: &Lab, name: &'static str) -> Self {
        Self { name, namespace: Some(name), folder: tempfile::tempdir().unwrap() }
    }

    /// One in that namespace, under another name.
    pub(crate) fn named(_: &Lab, namespace: &'static str, name: &'static str) -> Self {
        Self { name, namespace: Some(namespace), folder: tempfile::tempdir().unwrap() }
    }

    /// One on this host, to be used with the loopback interface alone.
    pub(crate) fn on_loopback(name: &'static str) -> Self {
        Self { name, namespace: None, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Its folder: the home is in `home`, received files go to `in`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file to send.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The command line for these words.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_handfast");
        let mut command = match self.namespace {
            Some(namespace) => in_namespace(namespace, program),
            None => {
                let mut command = Command::new(program);
                command.args(["--interface", "lo"]);
                command
            }
        };
        command.args(words).args(["--name", self.name]).arg("--home").arg(self.path("home"));
        command
    }

    /// Starts a command that speaks JSON.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        Running::spawn(self.command(words).arg("--json"))
    }

    /// Runs a command that must succeed, and gives its events.
    pub(crate) fn run(&self, words: &[&str]) -> Vec<Value> {
        let (code, events) = self.start(words).end();
        assert_eq!(code, 0, "{words:?}: {events:#?}");
        events
    }

    /// Starts to receive into `in`, and waits until it can.
    pub(crate) fn receive(&self, more: &[&str]) -> Running {
        let folder = self.path("in");
        let mut words = vec!["recv", "--dir", folder.to_str().unwrap()];
        words.extend(more);
        let receiving = self.start(&words);
        receiving.event("listening");
        receiving
    }

    /// The paired devices' names.
    pub(crate) fn paired(&self) -> Vec<String> {
        let events = self.run(&["peers"]);
        let paired = events.iter().filter(|event| event["event"] == "paired");
        paired.map(|event| event["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The files that were received, in order, hidden ones too, but for those that are not whole.
    pub(crate) fn received(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.path("in"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != PARTS)
            .collect();
        names.sort();
        names
    }
}

impl Device {
    /// How many files are not whole.
    pub(crate) fn parts(&self) -> usize {
        std::fs::read_dir(self.path("in").join(PARTS)).map_or(0, Iterator::count)
    }
}

/// Pairs two devices: the first shows a code, the second types it.
pub(crate) fn pair(host: &Device, joiner: &Device) {
    let showing = host.start(&["pair"]);
    let code = showing.event("code")["code"].as_str().unwrap().to_owned();
    let typed = joiner.run(&["pair", &code]);
    assert!(typed.iter().any(|event| event["event"] == "paired" && event["name"] == host.name), "{typed:#?}");
    let (exit, shown) = showing.end();
    assert_eq!(exit, 0, "{shown:#?}");
    assert!(
        shown.iter().any(|event| event["event"] == "paired" && event["name"] == joiner.name),
        "{shown:#?}"
    );
}

/// What a process has said so far.
#[derive(Clone, Default)]
pub(crate) struct Said(Arc<(Mutex<Transcript>, Condvar)>);

#[derive(Default)]
struct Transcript {
    text: String,
    ended: bool,
}

impl Said {
    /// Listens in a thread of its own until the process hangs up.
    pub(crate) fn listen(mut from: impl Read + Send + 'static) -> Self {
        let said = Self::default();
        let told = said.clone();
        thread::spawn(move || {
            let mut buf = [0; 4096];
            // A terminal whose other side is gone answers with an error.
            while let Ok(len @ 1..) = from.read(&mut buf) {
                told.0.0.lock().unwrap().text.push_str(&String::from_utf8_lossy(&buf[..len]));
                told.0.1.notify_all();
            }
            told.0.0.lock().unwrap().ended = true;
            told.0.1.notify_all();
        });
        said
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    /// Waits until `seen` finds what it looks for; `None` when the process hung up or the patience is over.
    pub(crate) fn wait<T>(&self, mut seen: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut transcript = self.0.0.lock().unwrap();
        loop {
            if let Some(found) = seen(&transcript.text) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if transcript.ended || left.is_zero() {
                return None;
            }
            transcript = self.0.1.wait_timeout(transcript, left).unwrap().0;
        }
    }

    /// Waits until the process hung up.
    pub(crate) fn wait_end(&self) {
        self.wait(|_| None::<()>);
        assert!(self.0.0.lock().unwrap().ended, "the process did not end:\n{}", self.text());
    }
}

/// A process of the command, with pipes. Killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    out: Said,
    err: Said,
}

impl Running {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { out: Said::listen(out), err: Said::listen(err), child }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has hung up.
    pub(crate) fn is_over(&self) -> bool {
        self.out.0.0.lock().unwrap().ended
    }

    /// Waits until it has hung up, or for so long.
    pub(crate) fn wait_over(&self, time: Duration) {
        let (lock, changed) = &*self.out.0;
        drop(changed.wait_timeout_while(lock.lock().unwrap(), time, |said| !said.ended).unwrap());
    }

    /// Whether it has told of such an event.
    pub(crate) fn has_told(&self, name: &str) -> bool {
        events(&self.out.text()).iter().any(|event| event["event"] == name)
    }

    /// All that it has told.
    pub(crate) fn told(&self) -> Vec<Value> {
        events(&self.out.text())
    }

    /// Waits for the first event of that name.
    pub(crate) fn event(&self, name: &str) -> Value {
        self.event_where(name, |_| true)
    }

    /// Waits for the first event of that name that fits.
    pub(crate) fn event_where(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        assert!(EVENTS.contains(&name));
        let found = self.out.wait(|text| events(text).into_iter().find(|e| e["event"] == name && fits(e)));
        found.unwrap_or_else(|| panic!("no fitting `{name}` in:\n{}\n{}", self.out.text(), self.err.text()))
    }

    /// Waits for so many events of that name.
    pub(crate) fn event_number(&self, name: &str, number: usize) -> Value {
        assert!(EVENTS.contains(&name));
        let found =
            self.out.wait(|text| events(text).into_iter().filter(|e| e["event"] == name).nth(number - 1));
        found.unwrap_or_else(|| {
            panic!("no `{name}` number {number} in:\n{}\n{}", self.out.text(), self.err.text())
        })
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// As nothing survives.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// As Ctrl-Z does.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// As `fg` does.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end: the exit code, or -1 for a signal, and the events.
    pub(crate) fn end(mut self) -> (i32, Vec<Value>) {
        self.out.wait_end();
        self.err.wait_end();
        let status = self.child.wait().unwrap();
        (status.code().unwrap_or(-1), events(&self.out.text()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The events of whole lines, each of which must be as promised.
fn events(text: &str) -> Vec<Value> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let event = |line: String| {
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(event["v"], 1, "{line}");
        assert!(EVENTS.contains(&event["event"].as_str().unwrap()), "{line}");
        event
    };
    BufReader::new(whole.as_bytes()).lines().map(|line| event(line.unwrap())).collect()
}

/// The message of the error that ended a command.
pub(crate) fn error(events: &[Value]) -> (&str, &str) {
    let error = events.iter().rfind(|event| event["event"] == "error").expect("an error");
    (error["kind"].as_str().unwrap(), error["message"].as_str().unwrap())
}

/// Bytes that differ everywhere.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

/// Whether two files hold the same bytes.
pub(crate) fn same(a: &Path, b: &Path) -> bool {
    std::fs::read(a).unwrap() == std::fs::read(b).unwrap()
}
