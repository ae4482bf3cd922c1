//! What a host may put on the wire, counted at the simulated link and never by its own counters.

use super::plan::{Plan, Step, Villain};
use crate::fabric::Host;
use crate::world::Seen;
use simple_dns::{Packet, PacketFlag, ResourceRecord};
use std::collections::BTreeMap;
use std::time::Duration;

/// A record is multicast at most once in this time. RFC 6762 §6.
const RECORD_EVERY: Duration = Duration::from_secs(1);

/// A question is asked at most once in this time. RFC 6762 §5.2.
const QUESTION_EVERY: Duration = Duration::from_secs(1);

/// Whether a name is free is asked at most once in this time. RFC 6762 §8.1.
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// Within this time a host multicasts at most [`MULTICASTS`].
const WINDOW: Duration = Duration::from_secs(10);

/// Multicasts of one host on one interface and of one family within [`WINDOW`].
const MULTICASTS: u32 = 60;

/// The same while somebody announces peers without end: each new one is worth a question, and each question for
/// all is followed by a list of hundreds that are known.
const MULTICASTS_IN_FLOOD: u32 = 400;

/// The same while somebody takes back what is not his: each set of records is said again at most once a second, and
/// those of services come on top of the device's own.
const MULTICASTS_IN_FORGERY: u32 = 150;

/// What a host said last, on one interface of one family.
#[derive(Default)]
struct Line {
    /// Which life of the host's: what it said before does not count against it.
    changes: u64,
    records: BTreeMap<Vec<u8>, Duration>,
    questions: BTreeMap<Vec<u8>, Duration>,
    probes: BTreeMap<Vec<u8>, Duration>,
    window: Duration,
    multicasts: u32,
}

/// Counts what is sent.
pub(super) struct Budget {
    multicasts: u32,
    lines: BTreeMap<(Host, u32, bool), Line>,
}

impl Budget {
    /// For a world in which this happens.
    pub(super) fn new(plan: &Plan) -> Self {
        let has = |what: fn(&Step) -> bool| plan.steps.iter().flatten().any(|(_, step)| what(step));
        let flooded = has(|step| matches!(step, Step::Villain(_, Villain::RecordFlood, _)));
        let forged = has(|step| matches!(step, Step::Villain(_, who, _) if who.speaks_for_others()));
        let multicasts = match (flooded, forged && has(|step| matches!(step, Step::Wish(..)))) {
            (true, _) => MULTICASTS_IN_FLOOD,
            (false, true) => MULTICASTS_IN_FORGERY,
            (false, false) => MULTICASTS,
        };
        Self { multicasts, lines: BTreeMap::new() }
    }

    /// A datagram of a node. Panics where it is one too many.
    pub(super) fn sent(&mut self, seen: &Seen<'_>, packet: &Packet<'_>) {
        let Some(interface) = seen.interface else { return };
        if !seen.destination.ip().is_multicast() {
            return;
        }
        let line = self.lines.entry((seen.host, interface, seen.destination.is_ipv6())).or_default();
        if line.changes != seen.changes {
            *line = Line { changes: seen.changes, ..Line::default() };
        }
        line.count(seen.at, self.multicasts);
        if packet.has_flags(PacketFlag::RESPONSE) {
            for record in packet.answers.iter().chain(&packet.additional_records) {
                line.record(seen.at, record);
            }
        } else {
            let (asked, every, what) = match packet.name_servers.is_empty() {
                true => (&mut line.questions, QUESTION_EVERY, "a question"),
                false => (&mut line.probes, PROBE_EVERY, "a probe"),
            };
            for question in &packet.questions {
                // Whose user takes a name back and wants it again begins anew, with something else to say of it.
                let proposed = packet.name_servers.iter().filter(|record| record.name == question.qname);
                let proposed: Vec<_> = proposed.map(|record| &record.rdata).collect();
                let key = format!("{} {:?} {proposed:?}", question.qname, question.qtype).into_bytes();
                apart(asked, key, seen.at, every, what);
            }
        }
    }
}

impl Line {
    fn count(&mut self, at: Duration, most: u32) {
        if at >= self.window + WINDOW {
            (self.window, self.multicasts) = (at, 0);
        }
        self.multicasts += 1;
        assert!(self.multicasts <= most, "packet budgets hold: {} multicasts in {WINDOW:?}", self.multicasts);
    }

    fn record(&mut self, at: Duration, record: &ResourceRecord<'_>) {
        // A goodbye may follow at once what it takes back.
        if record.ttl == 0 {
            return;
        }
        let key = format!("{} {:?}", record.name, record.rdata).into_bytes();
        apart(&mut self.records, key, at, RECORD_EVERY, "a record");
    }
}

fn apart(said: &mut BTreeMap<Vec<u8>, Duration>, key: Vec<u8>, at: Duration, least: Duration, what: &str) {
    if let Some(before) = said.get(&key) {
        let name = String::from_utf8_lossy(&key);
        assert!(
            at >= *before + least,
            "packet budgets hold: {what} was multicast again after {:?}: {name}",
            at - *before
        );
    }
    said.retain(|_, before| at < *before + least);
    said.insert(key, at);
}
