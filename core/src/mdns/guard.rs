//! Looks a datagram over before the parser sees it, and turns away what concerns nobody here.
//!
//! `simple-dns` believes the counts in the header, and fails a whole message for one odd bit or record. Real
//! devices send such. What the guard lets pass is a copy in which reserved bits are clear and every record
//! that could not be read has an unknown type. RFC 6762 §18. Linear in the datagram; never allocates by what
//! a datagram claims.

use self::names::{Owner, Spell, pointer, read_name, take_steps};
use super::records::Type;
use crate::wire::txt::Txt;
use std::ops::Range;

mod names;
mod proposed;
mod said;
mod sure;

pub(super) use names::{Origin, Spelled, Unspelled};
pub(super) use proposed::{Proposal, proposals};
pub(super) use said::Said;
pub(super) use sure::surely_unrelated;

/// The largest message, in octets. RFC 6762 §17.
pub(super) const MAX_MESSAGE: usize = 9000;
/// The length of a header. RFC 1035 §4.1.1.
pub(super) const HEADER: usize = 12;
/// A type of the private range (RFC 6895 §3.1), for records that nobody shall read.
pub(super) const OPAQUE: Type = Type(0xff00);
/// What TXT becomes: the parser hands out the octets of a type that it doesn't know, but not those of TXT.
pub(super) const RAW_TXT: Type = Type(0xff10);
/// The length of what lies between a record's name and its data. RFC 1035 §4.1.3.
const FIXED: usize = 10;
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
/// says yes; of those in a row that point to the same name only about the first, and the first of a host.
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

    let mut walk = Walk::new(safe);
    let mut concern = Concern::Unrelated;
    let mut ask = |walk: &mut Walk<'_>, kind| {
        if concern == Concern::Unrelated
            && walk.is_yet_to_be_asked(kind)
            && concerns(walk.owner.name.wire(), kind)
        {
            concern = Concern::Ours;
        }
    };
    let [questions, records @ ..] = head.counts;
    for _ in 0..questions {
        let kind = walk.question()?;
        ask(&mut walk, kind);
    }
    for _ in 0..records.into_iter().map(u32::from).sum() {
        if let Some(kind) = walk.record()? {
            ask(&mut walk, kind);
        }
    }
    Ok(concern)
}

/// Goes through a message, question by question and record by record.
pub(super) struct Walk<'a> {
    /// Pointers go backwards alone: what was rewritten already is what the parser will read there as well.
    safe: &'a mut [u8],
    steps: usize,
    /// Whose the question or record is that was read last.
    owner: Owner,
    /// Whether it was asked whom that concerns, as a host and as anything else.
    asked: [bool; 2],
    at: usize,
}

/// A fixed part of a record, behind its name. RFC 1035 §4.1.3.
struct Fixed {
    kind: Type,
    class: u16,
    /// Where its data begins and ends.
    data: Range<usize>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(safe: &'a mut [u8]) -> Self {
        Self { safe, steps: 0, owner: Owner::default(), asked: [false; 2], at: HEADER }
    }

    pub(super) fn question(&mut self) -> Result<Type, Refused> {
        let (end, is_readable) = self.read_owner()?;
        let [kind, class] =
            [end, end + 2].map(|word| octets(self.safe, word).map(|word| u16::from_be_bytes(*word)));
        let (kind, class) = (kind?, class?);
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
        if is_readable { Ok(kind) } else { Err(Refused::Name) }
    }

    /// Its type, where it can be read.
    #[inline]
    fn record(&mut self) -> Result<Option<Type>, Refused> {
        let start = self.at;
        let (head, is_readable) = self.read_owner()?;
        let Fixed { kind, class, data } = self.fixed(head)?;
        self.at = data.end;
        if !is_readable {
            self.blank(start, data.end);
            return Ok(None);
        }
        if class & CLASS_BITS != CLASS_IN || !self.data_is_sound(kind, data)? {
            self.set(head, OPAQUE.0);
            self.set(head + 2, CLASS_IN);
            return Ok(None);
        }
        if kind == Type::TXT {
            self.set(head, RAW_TXT.0);
        }
        Ok(Some(kind))
    }

    /// Whether nobody was asked yet about the name that was read last, as that of a host or of anything else.
    fn is_yet_to_be_asked(&mut self, kind: Type) -> bool {
        !std::mem::replace(&mut self.asked[usize::from(kind.is_about_host())], true)
    }

    #[inline]
    fn fixed(&self, at: usize) -> Result<Fixed, Refused> {
        let fixed: &[u8; FIXED] = octets(self.safe, at)?;
        let [kind, class, len] = [0, 2, 8].map(|word| u16::from_be_bytes([fixed[word], fixed[word + 1]]));
        let start = at + FIXED;
        let data = start..start + usize::from(len);
        if data.end > self.safe.len() {
            return Err(Refused::Truncated);
        }
        Ok(Fixed { kind: Type(kind), class, data })
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

    #[inline]
    fn data_is_sound(&mut self, kind: Type, data: Range<usize>) -> Result<bool, Refused> {
        Ok(match kind {
            Type::A => data.len() == 4,
            Type::AAAA => data.len() == 16,
            Type::PTR => self.name_fills(data)?,
            Type::SRV => data.len() > 6 && self.name_fills(data.start + 6..data.end)?,
            Type::TXT => Txt::is_sound(&self.safe[data]),
            Type::NSEC => match self.data_name(data.clone(), &mut Unspelled)? {
                Some(maps) => bitmaps_are_sound(&self.safe[maps..data.end]),
                None => false,
            },
            Type(_) => false,
        })
    }

    fn name_fills(&mut self, data: Range<usize>) -> Result<bool, Refused> {
        let end = data.end;
        Ok(self.data_name(data, &mut Unspelled)? == Some(end))
    }

    /// Where a name within rdata ends. An unreadable one costs its record alone, not the message.
    #[inline]
    pub(super) fn data_name(
        &mut self,
        data: Range<usize>,
        name: &mut impl Spell,
    ) -> Result<Option<usize>, Refused> {
        if self.takes_owner(data.start)? {
            name.same(&self.owner.name);
            return Ok((data.start + 2 <= data.end).then_some(data.start + 2));
        }
        match read_name(self.safe, data.start, &mut self.steps, name) {
            Ok((after, true)) => Ok((after <= data.end).then_some(after)),
            Ok((_, false)) | Err(Refused::Name | Refused::Truncated) => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// Reads the name of the next question or record: where it ends in place, and whether it can be read.
    #[inline]
    fn read_owner(&mut self) -> Result<(usize, bool), Refused> {
        let start = self.at;
        if self.takes_owner(start)? {
            return Ok((start + 2, true));
        }
        self.asked = [false; 2];
        let target = pointer(self.safe, start);
        self.owner.origin = None;
        let before = self.steps;
        let (end, is_readable) = read_name(self.safe, start, &mut self.steps, &mut self.owner.name)?;
        if !is_readable {
            return Ok((end, false));
        }
        let to_here = usize::from(target.is_none());
        let steps = self.steps - before + to_here;
        self.owner.origin = Some(Origin { at: target.unwrap_or(start), steps });
        Ok((end, true))
    }

    /// Whether there is a pointer to the name that was read last. It ends before this, and was not rewritten since:
    /// it need not be followed again.
    #[inline]
    fn takes_owner(&mut self, at: usize) -> Result<bool, Refused> {
        let Some(origin) = self.owner.origin else { return Ok(false) };
        let is_same = pointer(self.safe, at) == Some(origin.at);
        if is_same {
            take_steps(&mut self.steps, origin.steps)?;
        }
        Ok(is_same)
    }
}

/// As many octets as one wants, from there on.
fn octets<const N: usize>(message: &[u8], at: usize) -> Result<&[u8; N], Refused> {
    message.get(at..).and_then(<[u8]>::first_chunk).ok_or(Refused::Truncated)
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
