//! Avahi in a namespace: a bus of its own, the daemon, and Avahi's own commands.

use super::file;
use super::speaker::{NEEDS_PYTHON, Speaker, whole_lines};
use crate::device::Said;
use crate::lab::{Lab, in_namespace, sh};
use std::process::{Child, Command, Stdio};

/// As `dbus.conf` has it.
const BUS: &str = "unix:path=/run/dbus.sock";

/// All that is run here.
pub(super) const NEEDS_AVAHI: [&[&str]; 5] = [
    NEEDS_PYTHON,
    &["avahi-daemon", "--version"],
    &["avahi-browse", "--version"],
    &["avahi-publish", "--version"],
    &["dbus-daemon", "--version"],
];

/// A running Avahi: one a lab, since its place in `/run` is fixed.
pub(super) struct Avahi {
    // Dropped before the bus.
    daemon: Talk,
    _bus: Talk,
    namespace: &'static str,
}

impl Avahi {
    /// Starts it, and waits until it serves.
    pub(super) fn start(_: &Lab, namespace: &'static str) -> Self {
        // It insists that its folder is its user's, and the namespace has one user.
        sh("echo root:x:0: >/run/group; echo avahi:x:0: >>/run/group; mount --bind /run/group /etc/group");
        sh("echo root:x:0:0::/:/bin/sh >/run/passwd; echo avahi:x:0:0::/:/bin/sh >>/run/passwd");
        sh("mount --bind /run/passwd /etc/passwd");
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--nofork", "--nopidfile", "--print-address=2", "--config-file", &file("dbus.conf")]);
        let bus = Talk::start(&mut bus);
        bus.says(BUS);
        let mut daemon = in_namespace(namespace, "avahi-daemon");
        daemon.args(["--debug", "--no-proc-title", "--no-chroot", "--no-drop-root", "--no-rlimits"]);
        daemon.args(["--file", &file("avahi-daemon.conf")]);
        let daemon = Talk::start(with_bus(&mut daemon));
        daemon.says("Server startup complete.");
        Self { daemon, _bus: bus, namespace }
    }

    /// Its clients through lines.
    pub(super) fn speaker(&self) -> Speaker {
        Speaker::avahi(BUS)
    }

    /// Nothing that it met was odd to it.
    pub(super) fn end(self) {
        let log = self.daemon.err.text();
        let odd = ["nvalid", "conflicting", "collision"].iter().find(|odd| log.contains(**odd));
        assert_eq!(odd, None, "{log}");
    }

    /// `avahi-browse`, resolving, until it is dropped.
    pub(super) fn browse(&self, kind: &str) -> Talk {
        let mut command = in_namespace(self.namespace, "avahi-browse");
        Talk::start(with_bus(command.args(["--resolve", "--parsable", kind])))
    }

    /// `avahi-publish`, until it is dropped.
    pub(super) fn publish(&self, kind: &str, name: &str, port: u16, txt: &[&str]) -> Talk {
        let (talk, under) = self.publish_somehow(kind, name, port, txt);
        assert_eq!(under, name);
        talk
    }

    /// The same where the name may be taken: gives the one that it got, too.
    pub(super) fn publish_somehow(&self, kind: &str, name: &str, port: u16, txt: &[&str]) -> (Talk, String) {
        let mut command = in_namespace(self.namespace, "avahi-publish");
        command.args(["--service", name, kind, &port.to_string()]).args(txt);
        let talk = Talk::start(with_bus(&mut command));
        let under = talk.err.wait(|text| {
            let named = |line: &str| {
                line.strip_prefix("Established under name '")?.strip_suffix('\'').map(str::to_owned)
            };
            whole_lines(text).find_map(named)
        });
        let under = under.unwrap_or_else(|| panic!("not published:\n{}", talk.err.text()));
        (talk, under)
    }
}

fn with_bus(command: &mut Command) -> &mut Command {
    command.env("DBUS_SYSTEM_BUS_ADDRESS", BUS)
}

/// A running command and its lines. Killed when it is dropped.
pub(super) struct Talk {
    child: Child,
    out: Said,
    err: Said,
}

impl Talk {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { out: Said::listen(out), err: Said::listen(err), child }
    }

    /// Waits for a line on standard output that fits, and gives it.
    pub(super) fn line(&self, fits: impl Fn(&str) -> bool) -> String {
        let line = self.out.wait(|text| whole_lines(text).find(|line| fits(line)).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no fitting line in:\n{}\n{}", self.out.text(), self.err.text()))
    }

    /// Waits for words on standard error.
    fn says(&self, words: &str) {
        let said = self.err.wait(|text| text.contains(words).then_some(()));
        said.unwrap_or_else(|| panic!("no {words:?} in:\n{}\n{}", self.out.text(), self.err.text()));
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
