//! Messages to octets: names compressed, every datagram within its budget. RFC 6762 §17, §18.
//!
//! Compression remembers a bounded number of places, so that no message costs more than its octets times a
//! constant. What doesn't fit opens the next datagram; nothing is ever cut.

use super::guard::{HEADER, MAX_MESSAGE};
use super::name::Name;
use super::records::{Data, Question, Record, Share, Want};
use crate::io::Family;

/// The octets of a datagram that fill an Ethernet frame: 1500 less the headers of IPv4 and UDP. RFC 6762 §17.
const BUDGET_V4: usize = 1472;
/// The same for IPv6.
const BUDGET_V6: usize = 1452;
/// The most for a lone record that exceeds the budget: 9000 less the headers of IPv6 and UDP. RFC 6762 §17.
const BUDGET_LONE: usize = MAX_MESSAGE - 48;
/// Places that names may point to, a message. Later names point to earlier ones or are written out.
const MAX_PLACES: usize = 64;
/// Pointers have 14 bits. RFC 1035 §4.1.4.
const MAX_POINTER: usize = 0x3fff;

const FLAG_RESPONSE: u8 = 0x80;
const FLAG_AUTHORITATIVE: u8 = 0x04;
const FLAG_TRUNCATED: u8 = 0x02;
/// "Flush" in the class of a record, "unicast, please" in that of a question. RFC 6762 §18.12, §18.13.
const CLASS_TOP: u16 = 0x8000;
const CLASS_IN: u16 = 1;

/// Which section a record goes to.
#[derive(Clone, Copy)]
enum Section {
    Answer = 1,
    Authority = 2,
    Additional = 3,
}

/// Whether the target of SRV may be compressed: not towards ordinary resolvers. RFC 6762 §18.14.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Targets {
    Compressed,
    Plain,
}

/// The datagrams of a query, each to be sent right after the one before.
///
/// All but the last of those with known answers say that more follow, without repeating the questions. RFC
/// 6762 §7.2.
pub(super) fn query(family: Family, questions: &[Question], known: &[Record]) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    let mut writer = Writer::new(family, 0, 0, Targets::Compressed);
    for question in questions {
        if !writer.question(question) {
            sent.push(writer.replace().finish());
            writer.question(question);
        }
    }
    for record in known {
        if !writer.record(Section::Answer, record) {
            writer.bytes[2] |= FLAG_TRUNCATED;
            sent.push(writer.replace().finish());
            writer.record(Section::Answer, record);
        }
    }
    sent.push(writer.finish());
    sent
}

/// The datagrams of probes: a question, and all that is proposed as its answer, in the same datagram. RFC 6762
/// §8.2.
pub(super) fn probe(family: Family, claims: &[(Question, Vec<Record>)]) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    let mut rest = claims;
    while !rest.is_empty() {
        let fits = (2..=rest.len()).take_while(|count| probe_of(family, &rest[..*count]).is_some()).last();
        let (first, others) = rest.split_at(fits.unwrap_or(1));
        // Of one name alone, all that a datagram can hold.
        sent.push(probe_of(family, first).unwrap_or_else(|| lone_probe(family, &first[0])));
        rest = others;
    }
    sent
}

fn probe_of(family: Family, claims: &[(Question, Vec<Record>)]) -> Option<Vec<u8>> {
    let mut writer = Writer::new(family, 0, 0, Targets::Compressed);
    let mut fits = claims.iter().all(|(question, _)| writer.question(question));
    for (_, proposed) in claims {
        fits = fits && proposed.iter().all(|record| writer.record(Section::Authority, record));
    }
    fits.then(|| writer.finish())
}

fn lone_probe(family: Family, (question, proposed): &(Question, Vec<Record>)) -> Vec<u8> {
    let mut writer = Writer::new(family, 0, 0, Targets::Compressed);
    writer.budget = BUDGET_LONE;
    writer.question(question);
    for record in proposed {
        writer.record(Section::Authority, record);
    }
    writer.finish()
}

/// The datagrams of a multicast or unicast response. Additional records that don't fit are left out.
pub(super) fn response(family: Family, answers: &[Record], additional: &[Record]) -> Vec<Vec<u8>> {
    let flags = FLAG_RESPONSE | FLAG_AUTHORITATIVE;
    respond(Writer::new(family, 0, flags, Targets::Compressed), answers, additional)
}

/// The reply to an ordinary resolver: with its id and its questions. RFC 6762 §6.7.
pub(super) fn legacy(
    family: Family,
    id: u16,
    questions: &[Question],
    answers: &[Record],
    additional: &[Record],
) -> Vec<Vec<u8>> {
    let mut writer = Writer::new(family, id, FLAG_RESPONSE | FLAG_AUTHORITATIVE, Targets::Plain);
    for question in questions {
        writer.question(question);
    }
    // A resolver takes one datagram.
    respond(writer, answers, additional).into_iter().take(1).collect()
}

fn respond(mut writer: Writer, answers: &[Record], additional: &[Record]) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    for record in answers {
        if !writer.record(Section::Answer, record) {
            sent.push(writer.replace().finish());
            writer.record(Section::Answer, record);
        }
    }
    // Of what is ours alone, whoever gets a part takes it for the whole. RFC 6762 §10.2.
    let is_same_set = |a: &Record, b: &Record| {
        a.share == Share::Unique && (&a.name, a.data.kind()) == (&b.name, b.data.kind())
    };
    for set in additional.chunk_by(is_same_set) {
        writer.set(Section::Additional, set);
    }
    sent.push(writer.finish());
    sent
}

struct Writer {
    bytes: Vec<u8>,
    budget: usize,
    /// Where a name, or the end of one, begins.
    places: Vec<usize>,
    counts: [u16; 4],
    /// The id and the flags that the next datagram begins with as well.
    head: [u8; 4],
    targets: Targets,
}

impl Writer {
    fn new(family: Family, id: u16, flags: u8, targets: Targets) -> Self {
        let budget = match family {
            Family::V4 => BUDGET_V4,
            Family::V6 => BUDGET_V6,
        };
        let [high, low] = id.to_be_bytes();
        Self::begin(budget, [high, low, flags, 0], targets)
    }

    fn begin(budget: usize, head: [u8; 4], targets: Targets) -> Self {
        let mut bytes = Vec::with_capacity(budget);
        bytes.extend_from_slice(&head);
        bytes.resize(HEADER, 0);
        Self { bytes, budget, places: Vec::new(), counts: [0; 4], head, targets }
    }

    /// Begins the next datagram and returns this one.
    fn replace(&mut self) -> Self {
        let next = Self::begin(self.budget, self.head, self.targets);
        std::mem::replace(self, next)
    }

    fn finish(mut self) -> Vec<u8> {
        for (count, at) in self.counts.iter().zip((4..).step_by(2)) {
            self.bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
        self.bytes
    }

    /// Whether it fitted. If not, nothing is written.
    fn question(&mut self, question: &Question) -> bool {
        let top = match question.want {
            Want::Unicast => CLASS_TOP,
            Want::Multicast => 0,
        };
        self.unless_full(0, |writer| {
            writer.name(&question.name, Targets::Compressed);
            writer.word(question.kind.0);
            writer.word(CLASS_IN | top);
        })
    }

    /// Whether it fitted. If not, nothing is written. A lone record may exceed the budget.
    fn record(&mut self, section: Section, record: &Record) -> bool {
        let top = match record.share {
            Share::Unique => CLASS_TOP,
            Share::Shared => 0,
        };
        self.unless_full(section as usize, |writer| {
            writer.name(&record.name, Targets::Compressed);
            writer.word(record.data.kind().0);
            writer.word(CLASS_IN | top);
            writer.bytes.extend_from_slice(&record.ttl.0.to_be_bytes());
            let start = writer.bytes.len() + 2;
            writer.word(0);
            writer.data(record);
            let len = (writer.bytes.len() - start) as u16;
            writer.bytes[start - 2..start].copy_from_slice(&len.to_be_bytes());
        })
    }

    /// Writes all of them, or nothing.
    fn set(&mut self, section: Section, records: &[Record]) {
        let (len, places, counts) = (self.bytes.len(), self.places.len(), self.counts);
        if !records.iter().all(|record| self.record(section, record)) {
            self.bytes.truncate(len);
            self.places.truncate(places);
            self.counts = counts;
        }
    }

    fn unless_full(&mut self, section: usize, write: impl FnOnce(&mut Self)) -> bool {
        let (len, places) = (self.bytes.len(), self.places.len());
        write(self);
        let alone = self.counts == [0; 4];
        let budget = if alone { BUDGET_LONE } else { self.budget };
        if self.bytes.len() > budget {
            self.bytes.truncate(len);
            self.places.truncate(places);
            return false;
        }
        self.counts[section] += 1;
        true
    }

    fn data(&mut self, record: &Record) {
        match &record.data {
            Data::A(ip) => self.bytes.extend_from_slice(&ip.octets()),
            Data::Aaaa(ip) => self.bytes.extend_from_slice(&ip.octets()),
            Data::Nsec(types) => {
                self.name(&record.name, Targets::Compressed);
                let bitmap = types.bitmap();
                if !bitmap.is_empty() {
                    self.bytes.extend_from_slice(&[0, bitmap.len() as u8]);
                    self.bytes.extend_from_slice(bitmap);
                }
            }
            Data::Ptr(name) => self.name(name, Targets::Compressed),
            Data::Srv(srv) => {
                self.word(srv.priority);
                self.word(srv.weight);
                self.word(srv.port);
                self.name(&srv.target, self.targets);
            }
            Data::Txt(txt) => self.bytes.extend_from_slice(txt.as_rdata()),
        }
    }

    fn word(&mut self, word: u16) {
        self.bytes.extend_from_slice(&word.to_be_bytes());
    }

    fn name(&mut self, name: &Name, targets: Targets) {
        let known = self.places.len();
        let mut rest = name.as_wire();
        while rest[0] != 0 {
            let place = self.places[..known].iter().find(|place| self.holds(**place, rest));
            if let (Targets::Compressed, Some(&place)) = (targets, place) {
                return self.word(0xc000 | place as u16);
            }
            if self.places.len() < MAX_PLACES && self.bytes.len() <= MAX_POINTER {
                self.places.push(self.bytes.len());
            }
            let (label, after) = rest.split_at(1 + usize::from(rest[0]));
            self.bytes.extend_from_slice(label);
            rest = after;
        }
        self.bytes.push(0);
    }

    /// Whether the name at `place` is exactly `wire`, letter case included, which compression must keep.
    fn holds(&self, mut place: usize, mut wire: &[u8]) -> bool {
        loop {
            let octet = self.bytes[place];
            if octet >= 0xc0 {
                place = usize::from(u16::from_be_bytes([octet, self.bytes[place + 1]]) & 0x3fff);
                continue;
            }
            let (label, after) = wire.split_at(1 + usize::from(wire[0]));
            if !self.bytes[place..].starts_with(label) {
                return false;
            }
            if octet == 0 {
                return true;
            }
            (place, wire) = (place + label.len(), after);
        }
    }
}

#[cfg(test)]
mod tests;
