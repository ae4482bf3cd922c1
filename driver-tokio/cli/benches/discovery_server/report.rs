//! What was measured, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

/// All of it. Of two, the plain server comes first.
pub(crate) struct Figures {
    /// Processor time of a server for a request, in microseconds.
    pub(crate) requests: [f64; 2],
    /// The same for a session.
    pub(crate) sessions: [f64; 2],
    /// How long a stranger waits: for nothing of who is there, and of who is not.
    pub(crate) gate: [Duration; 2],
    pub(crate) growth: [Growth; 3],
}

/// What it costs with so many records.
pub(crate) struct Growth {
    pub(crate) records: usize,
    pub(crate) room: Room,
    /// Processor time for a look-up and for an announcement, in microseconds.
    pub(crate) look_up_us: f64,
    pub(crate) announcement_us: f64,
}

/// What the records themselves cost.
pub(crate) struct Room {
    /// Memory for each, of 300 octets.
    pub(crate) bytes: f64,
    /// A snapshot of all, until it is on the disk.
    pub(crate) snapshot: Duration,
    /// Of that, what the server's lock is held for in all.
    pub(crate) locked: Duration,
}

impl Figures {
    fn gate_us(&self) -> [f64; 2] {
        self.gate.map(|time| time.as_secs_f64() * 1e6)
    }

    pub(crate) fn table(&self) -> String {
        let mut out =
            format!("{:<32}{:>12}{:>12}{:>8}{:>9}\n", "", "plain quinn", "handfast", "ratio", "goal");
        for (what, [theirs, ours], goal) in
            [("requests a CPU second", self.requests, 2.0), ("sessions a CPU second", self.sessions, 1.1)]
        {
            let (per_s, ratio) = (|us: f64| 1e6 / us, theirs / ours);
            let _ = writeln!(
                out,
                "{what:<32}{:>12.0}{:>12.0}{ratio:>8.2}{goal:>9.1}",
                per_s(theirs),
                per_s(ours)
            );
        }
        let [known, unknown] = self.gate_us();
        let apart = (known / unknown - 1.0) * 100.0;
        let _ = writeln!(
            out,
            "a stranger waits {known:.1} us for nothing of who is there, {unknown:.1} us of who is not: {apart:+.1} %, \
             goal 5 %\n"
        );
        let _ = writeln!(
            out,
            "{:>10}{:>16}{:>14}{:>16}{:>14}{:>18}",
            "records", "octets each", "snapshot, ms", "locked, ms", "look-up, us", "announcement, us"
        );
        for row in &self.growth {
            let [snapshot, locked] =
                [row.room.snapshot, row.room.locked].map(|time| time.as_secs_f64() * 1e3);
            let _ = writeln!(
                out,
                "{:>10}{:>16.0}{snapshot:>14.0}{locked:>16.0}{:>14.1}{:>18.1}",
                row.records, row.room.bytes, row.look_up_us, row.announcement_us
            );
        }
        out
    }

    pub(crate) fn json(&self) -> String {
        let growth = self.growth.iter().map(|row| {
            serde_json::json!({
                "records": row.records,
                "bytes_each": row.room.bytes,
                "snapshot_s": row.room.snapshot.as_secs_f64(),
                "locked_s": row.room.locked.as_secs_f64(),
                "look_up_us": row.look_up_us,
                "announcement_us": row.announcement_us,
            })
        });
        let both = |[quinn, handfast]: [f64; 2]| serde_json::json!({ "quinn_us": quinn, "handfast_us": handfast, "ratio": quinn / handfast });
        let [known, unknown] = self.gate_us();
        let all = serde_json::json!({
            "requests": both(self.requests),
            "sessions": both(self.sessions),
            "gate": { "known_us": known, "unknown_us": unknown, "ratio": known / unknown },
            "growth": growth.collect::<Vec<_>>(),
        });
        format!("{all}\n")
    }
}
