//! A program that speaks mDNS for a test, driven by lines: see `speaker.py`.

use super::file;
use crate::device::Said;
use crate::lab::{Lab, Net, in_namespace};
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Where `.ci/run` puts what `requirements.txt` names.
const PYTHON: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/speakers/bin/python");

/// That it is there.
pub(super) const NEEDS_PYTHON: &[&str] = &[PYTHON, "-c", "import jeepney, zeroconf"];

/// A running speaker. Killed when it is dropped.
pub(super) struct Speaker {
    child: Child,
    /// None once it was told to end.
    input: Option<ChildStdin>,
    out: Said,
    err: Said,
    /// So many services, ever.
    published: usize,
}

impl Speaker {
    /// Python zeroconf in one of the namespaces.
    pub(super) fn zeroconf(_: &Lab, namespace: &str, net: Net) -> Self {
        let version = match net {
            Net::V4 => "4",
            Net::V6LinkLocal => "6",
        };
        Self::start(in_namespace(namespace, PYTHON).arg(file("zeroconf_speaker.py")).arg(version))
    }

    /// A node that publishes and finds services of any kind, in one of the namespaces.
    pub(super) fn node(_: &Lab, namespace: &str) -> Self {
        let tests = std::env::current_exe().unwrap();
        let speaker = tests.parent().and_then(Path::parent).unwrap().join("examples/speaker");
        Self::start(in_namespace(namespace, speaker.to_str().unwrap()).args(["--interface", "eth0"]))
    }

    /// The Avahi whose bus this is.
    pub(super) fn avahi(bus: &str) -> Self {
        let mut command = Command::new(PYTHON);
        Self::start(command.arg(file("avahi_speaker.py")).env("DBUS_SYSTEM_BUS_ADDRESS", bus))
    }

    fn start(command: &mut Command) -> Self {
        // Its byte code is nothing to leave beside the sources.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let speaker = Self { out: Said::listen(out), err: Said::listen(err), published: 0, child, input };
        speaker.hears("ready", |_| true);
        speaker
    }

    /// Publishes a service, and waits until that is done.
    pub(super) fn publish(&mut self, kind: &str, name: &str, port: u16, txt: &[&str]) {
        let under = self.publish_somehow(kind, name, port, txt);
        assert_eq!(under, name);
    }

    /// The same where the name may be taken: gives the one that it got.
    pub(super) fn publish_somehow(&mut self, kind: &str, name: &str, port: u16, txt: &[&str]) -> String {
        self.published += 1;
        self.say(&[&["publish", kind, name, &port.to_string()], txt].concat());
        let published = self.published;
        let under = self.out.wait(|text| {
            let mut all = events(text).filter(|event| event["event"] == "published");
            all.nth(published - 1).and_then(|event| event["name"].as_str().map(str::to_owned))
        });
        under.unwrap_or_else(|| panic!("not published:\n{}\n{}", self.out.text(), self.err.text()))
    }

    /// Gives a service of its own another TXT record.
    pub(super) fn txt(&mut self, kind: &str, name: &str, txt: &[&str]) {
        self.say(&[&["txt", kind, name], txt].concat());
    }

    /// Takes a service back.
    pub(super) fn withdraw(&mut self, kind: &str, name: &str) {
        self.say(&["withdraw", kind, name]);
        self.hears("withdrawn", |event| event["name"] == name);
    }

    /// Looks for a kind of service from here on.
    pub(super) fn browse(&mut self, kind: &str) {
        self.say(&["browse", kind]);
    }

    /// Waits for the first event of that name that fits.
    pub(super) fn hears(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let heard = self.out.wait(|text| events(text).find(|event| event["event"] == name && fits(event)));
        heard.unwrap_or_else(|| panic!("no fitting `{name}` in:\n{}\n{}", self.out.text(), self.err.text()))
    }

    /// So far.
    pub(super) fn never_heard(&self, what: impl Fn(&Value) -> bool) {
        let heard = events(&self.out.text()).find(what);
        assert_eq!(heard, None);
    }

    /// Ends it, which is its goodbye for all that it publishes; and nothing that it met was odd to it.
    pub(super) fn end(mut self) {
        self.input = None;
        self.out.wait_end();
        self.err.wait_end();
        let status = self.child.wait().unwrap();
        assert!(status.success() && self.err.text().is_empty(), "{status}\n{}", self.err.text());
    }

    fn say(&mut self, words: &[&str]) {
        let quoted = |word: &&str| format!("\"{}\"", word.replace('\\', r"\\").replace('"', r#"\""#));
        let line = words.iter().map(quoted).collect::<Vec<_>>().join(" ");
        writeln!(self.input.as_mut().expect("it runs"), "{line}").unwrap();
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn events(text: &str) -> impl Iterator<Item = Value> {
    whole_lines(text).map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
}

/// Without the one that is still being written.
pub(super) fn whole_lines(text: &str) -> impl Iterator<Item = &str> {
    text.rfind('\n').map_or("", |end| &text[..end]).lines()
}
