//! What a host may put on the wire, counted at the simulated link and never by its own counters.

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
    pub(super) fn new(flooded: bool) -> Self {
        let multicasts = if flooded { MULTICASTS_IN_FLOOD } else { MULTICASTS };
        Self { multicasts, lines: BTreeMap::new() }
    }

    /// A datagram of a node. Panics where it is one too many.
    pub(super) fn sent(&mut self, seen: &Seen<'_>) {
        let Some(interface) = seen.interface else { return };
        if !seen.destination.ip().is_multicast() {
            return;
        }
        let line = self.lines.entry((seen.host, interface, seen.destination.is_ipv6())).or_default();
        if line.changes != seen.changes {
            *line = Line { changes: seen.changes, ..Line::default() };
        }
        line.count(seen.at, self.multicasts);
        let packet = Packet::parse(seen.bytes).expect("what a node multicasts can be read");
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
                let key = format!("{} {:?}", question.qname, question.qtype).into_bytes();
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
