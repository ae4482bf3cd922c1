//! Looks a datagram over before the parser sees it, and turns away what concerns nobody here.
//!
//! `simple-dns` believes the counts in the header, and fails a whole message for one odd bit or record. Real
//! devices send such. What the guard lets pass is a copy in which reserved bits are clear and every record
//! that could not be read has an unknown type. RFC 6762 §18. Linear in the datagram; never allocates by what
//! a datagram claims.

use super::name::{MAX_LABEL, MAX_NAME};
use super::records::Type;
use crate::wire::txt::Txt;

mod proposed;

pub(super) use proposed::{Proposal, proposals};

/// The largest message, in octets. RFC 6762 §17.
pub(super) const MAX_MESSAGE: usize = 9000;
/// The length of a header. RFC 1035 §4.1.1.
pub(super) const HEADER: usize = 12;
/// Labels and pointers that are followed in one message, in all: far more than 9,000 honest octets hold.
const MAX_STEPS: usize = 8192;
/// The largest name that `simple-dns` reads. One of 256 octets is legal, yet longer than any we ask for:
/// its record counts as unreadable.
const MAX_READABLE: usize = MAX_NAME - 1;
/// A type of the private range (RFC 6895 §3.1), for records that nobody shall read.
const OPAQUE: Type = Type(0xff00);
/// What TXT becomes: the parser hands out the octets of a type that it doesn't know, but not those of TXT.
pub(super) const RAW_TXT: Type = Type(0xff10);
const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;
/// The top bit of a class means "unicast, please" in questions, "flush" in records. RFC 6762 §18.12, §18.13.
const CLASS_BITS: u16 = 0x7fff;

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum Refused {
    /// More questions or records than its octets can hold.
    #[error("counts exceed the length")]
    Counts,
    /// Too short for a header, or longer than a message may be.
    #[error("length out of bounds")]
    Length,
    /// A name whose end can't be found.
    #[error("unreadable name")]
    Name,
    /// OPCODE is not 0. RFC 6762 §18.3.
    #[error("opcode")]
    Opcode,
    /// RCODE is not 0. RFC 6762 §18.11.
    #[error("rcode")]
    Rcode,
    /// Names made of too many pieces.
    #[error("too many labels and pointers")]
    Steps,
    /// It ends within a name, a record or its data.
    #[error("truncated")]
    Truncated,
}

/// Whether a message asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Query,
    Response,
}

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: u16,
    pub(super) way: Way,
    /// More known answers follow. RFC 6762 §7.2.
    pub(super) truncated: bool,
    counts: [u16; 4],
}

/// Whether anything in a message is about names that this node cares for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concern {
    Ours,
    Unrelated,
}

/// Reads the header: all that is needed to judge where a message may come from.
pub(super) fn head(message: &[u8]) -> Result<Head, Refused> {
    if message.len() < HEADER || message.len() > MAX_MESSAGE {
        return Err(Refused::Length);
    }
    let word = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let flags = word(2);
    if flags & 0x7800 != 0 {
        return Err(Refused::Opcode);
    }
    if flags & 0x000f != 0 {
        return Err(Refused::Rcode);
    }
    let counts = [word(4), word(6), word(8), word(10)];
    let [questions, records @ ..] = counts.map(usize::from);
    // A question takes 5 octets at least, a record 11.
    if HEADER + 5 * questions + 11 * records.iter().sum::<usize>() > message.len() {
        return Err(Refused::Counts);
    }
    let way = if flags & 0x8000 == 0 { Way::Query } else { Way::Response };
    Ok(Head { id: word(0), way, truncated: flags & 0x0200 != 0, counts })
}

/// Walks the whole message and fills `safe` with what the parser may see.
///
/// `concerns` is asked about the uncompressed name and the type of each question and record, until it once
/// says yes.
pub(super) fn scan(
    message: &[u8],
    head: &Head,
    safe: &mut Vec<u8>,
    mut concerns: impl FnMut(&[u8], Type) -> bool,
) -> Result<Concern, Refused> {
    safe.clear();
    safe.extend_from_slice(message);
    // Only QR, AA and TC mean anything here; the others are ignored. RFC 6762 §18.
    safe[2] &= 0x86;
    safe[3] = 0;

    let mut walk = Walk { safe, steps: 0, name: [0; MAX_READABLE], at: HEADER };
    let mut concern = Concern::Unrelated;
    let [questions, records @ ..] = head.counts;
    for _ in 0..questions {
        let (len, kind) = walk.question()?;
        if concern == Concern::Unrelated && concerns(&walk.name[..len], kind) {
            concern = Concern::Ours;
        }
    }
    for _ in 0..records.into_iter().map(u32::from).sum() {
        let readable = walk.record()?;
        if let Some((len, kind)) = readable
            && concern == Concern::Unrelated
            && concerns(&walk.name[..len], kind)
        {
            concern = Concern::Ours;
        }
    }
    Ok(concern)
}

struct Walk<'a> {
    /// Pointers go backwards alone: what was rewritten already is what the parser will read there as well.
    safe: &'a mut [u8],
    steps: usize,
    /// The name read last, uncompressed.
    name: [u8; MAX_READABLE],
    at: usize,
}

impl Walk<'_> {
    fn word(&self, at: usize) -> Result<u16, Refused> {
        let octets = self.safe.get(at..at + 2).ok_or(Refused::Truncated)?;
        Ok(u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn question(&mut self) -> Result<(usize, Type), Refused> {
        let (end, len) = self.read_name(self.at)?;
        let (kind, class) = (self.word(end)?, self.word(end + 2)?);
        self.at = end + 4;
        let kind = match Type(kind) {
            known @ (Type::A | Type::PTR | Type::TXT | Type::AAAA | Type::SRV | Type::NSEC | Type::ANY) => {
                known
            }
            // The parser fails on types that it doesn't know. NULL (RFC 1035 §3.3.10) exists as little.
            Type(_) => {
                self.set(end, 10);
                Type(10)
            }
        };
        if ![CLASS_IN, CLASS_ANY].contains(&(class & CLASS_BITS)) {
            // CHAOS: read, and heeded by nobody.
            self.set(end + 2, 3);
        }
        Ok((len.ok_or(Refused::Name)?, kind))
    }

    /// Its name's length and its type, where it can be read.
    fn record(&mut self) -> Result<Option<(usize, Type)>, Refused> {
        let start = self.at;
        let (head, len) = self.read_name(start)?;
        let (kind, class) = (Type(self.word(head)?), self.word(head + 2)?);
        let data = head + 10;
        let end = data + usize::from(self.word(head + 8)?);
        if end > self.safe.len() {
            return Err(Refused::Truncated);
        }
        self.at = end;
        let Some(len) = len else {
            self.blank(start, end);
            return Ok(None);
        };
        let name = self.name;
        let sound = class & CLASS_BITS == CLASS_IN && self.data_is_sound(kind, data, end)?;
        self.name = name;
        if !sound {
            self.set(head, OPAQUE.0);
            self.set(head + 2, CLASS_IN);
            return Ok(None);
        }
        if kind == Type::TXT {
            self.set(head, RAW_TXT.0);
        }
        Ok(Some((len, kind)))
    }

    /// Makes a record whose name can't be read one of the root, of an unknown type. Its 11 octets always fit.
    fn blank(&mut self, start: usize, end: usize) {
        let rdlen = (end - start - 11) as u16;
        self.safe[start..start + 11].fill(0);
        self.set(start + 1, OPAQUE.0);
        self.set(start + 3, CLASS_IN);
        self.set(start + 9, rdlen);
    }

    fn set(&mut self, at: usize, word: u16) {
        self.safe[at..at + 2].copy_from_slice(&word.to_be_bytes());
    }

    fn data_is_sound(&mut self, kind: Type, start: usize, end: usize) -> Result<bool, Refused> {
        Ok(match kind {
            Type::A => end - start == 4,
            Type::AAAA => end - start == 16,
            Type::PTR => self.name_fills(start, end)?,
            Type::SRV => end - start > 6 && self.name_fills(start + 6, end)?,
            Type::TXT => Txt::decode(&self.safe[start..end]).is_ok(),
            Type::NSEC => match self.data_name(start, end)? {
                Some(maps) => bitmaps_are_sound(&self.safe[maps..end]),
                None => false,
            },
            Type(_) => false,
        })
    }

    fn name_fills(&mut self, start: usize, end: usize) -> Result<bool, Refused> {
        Ok(self.data_name(start, end)? == Some(end))
    }

    /// Where a name within rdata ends. An unreadable one costs its record alone, not the message.
    fn data_name(&mut self, start: usize, end: usize) -> Result<Option<usize>, Refused> {
        match self.read_name(start) {
            Ok((after, Some(_))) => Ok((after <= end).then_some(after)),
            Ok((_, None)) | Err(Refused::Name | Refused::Truncated) => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// Reads a name into `self.name`: where it ends in place, and its length if it is readable.
    ///
    /// A pointer leads to an earlier name, which ends before the place that points to it: no loop is
    /// possible, and nothing is read that will yet be rewritten. RFC 1035 §4.1.4.
    fn read_name(&mut self, start: usize) -> Result<(usize, Option<usize>), Refused> {
        let (mut at, mut piece, mut end) = (start, start, None);
        let mut bound = self.safe.len();
        let mut len = Some(0);
        loop {
            self.steps += 1;
            #[cfg(test)]
            crate::testing::step();
            if self.steps > MAX_STEPS {
                return Err(Refused::Steps);
            }
            let octet = usize::from(*self.safe.get(at).ok_or(Refused::Truncated)?);
            let next = match octet {
                0..=MAX_LABEL => at + 1 + octet,
                _ => at + 2,
            };
            if let Some(end) = end
                && next > bound
            {
                return Ok((end, None));
            }
            match octet {
                0 => {
                    if let Some(len) = &mut len {
                        self.name[*len] = 0;
                        *len += 1;
                    }
                    return Ok((end.unwrap_or(next), len));
                }
                1..=MAX_LABEL => {
                    let label = self.safe.get(at..next).ok_or(Refused::Truncated)?;
                    len = len.filter(|len| len + label.len() < MAX_READABLE);
                    if let Some(len) = &mut len {
                        self.name[*len..*len + label.len()].copy_from_slice(label);
                        *len += label.len();
                    }
                    at = next;
                }
                0xc0.. => {
                    let target = usize::from(self.word(at)? & 0x3fff);
                    let after = *end.get_or_insert(next);
                    if target < HEADER || target >= piece {
                        return Ok((after, None));
                    }
                    (at, piece, bound) = (target, target, piece);
                }
                // The other two kinds of label were never in use: where this one ends is unknown.
                _ => return end.map(|end| (end, None)).ok_or(Refused::Name),
            }
        }
    }
}

/// Windows go up and have 1 to 32 octets each. RFC 4034 §4.1.2.
fn bitmaps_are_sound(mut maps: &[u8]) -> bool {
    let mut last = None;
    while let [window, len, rest @ ..] = maps {
        let len = usize::from(*len);
        if last.is_some_and(|last| *window <= last) || len == 0 || len > 32 || len > rest.len() {
            return false;
        }
        last = Some(*window);
        maps = &rest[len..];
    }
    maps.is_empty()
}

#[cfg(test)]
mod tests;
