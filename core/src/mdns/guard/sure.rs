//! Turns away what surely concerns nobody, by the names of its questions and records alone.
//!
//! On most networks that is nearly all. Reads the datagram where it lies, and neither copies nor rewrites anything:
//! whatever that might make a difference to is left to the [scan](super::scan), which says why it refuses.

use super::names::{MAX_STEPS, Spell, Spelled, pointer, read_name};
use super::{FIXED, HEADER, Head, octets};
use crate::mdns::records::Type;
use std::ops::Range;

/// Of more questions and records than these nothing is sure: more than one service is said with.
const MAX_SURE: usize = 32;
/// The length of what lies behind the name of a question. RFC 1035 §4.1.2.
const ASKED: usize = 4;

/// Whether the scan would find that a message concerns nobody. Where it is not sure, it says no.
///
/// `concerns` is asked as it is by the scan, and about the types that questions have in the datagram.
pub(in crate::mdns) fn surely_unrelated(
    message: &[u8],
    head: &Head,
    concerns: impl Fn(&[u8], Type) -> bool,
) -> bool {
    let [questions, records] = [head.questions(), head.records()];
    // No part of a name is read twice for it, so that no name takes more steps than the message has octets. The
    // scan reads two names of a record.
    let steps = (questions + 2 * records) * (message.len() + 1);
    if questions + records > MAX_SURE || steps > MAX_STEPS {
        return false;
    }
    let mut names = Names::new(message);
    let mut is_unrelated = |fixed| names.next(fixed).is_some_and(|kind| !names.concern(kind, &concerns));
    (0..questions).all(|_| is_unrelated(ASKED)) && (0..records).all(|_| is_unrelated(FIXED))
}

/// The names of questions and records, one after another.
struct Names<'a> {
    message: &'a [u8],
    at: usize,
    name: Placed,
    /// Where the name lies that was read last: whoever points there has the same.
    origin: Option<usize>,
    /// Whether it was asked about, as that of a host and of anything else.
    asked: [bool; 2],
}

/// A name of which no part lies in what the scan rewrites: what follows the name of a question or record.
#[derive(Default)]
struct Placed {
    name: Spelled,
    fixed: [Range<u16>; MAX_SURE],
    /// So many of these are known.
    len: usize,
}

impl<'a> Names<'a> {
    fn new(message: &'a [u8]) -> Self {
        Self { message, at: HEADER, name: Placed::default(), origin: None, asked: [false; 2] }
    }

    /// The type of the next question or record, whose name is then known. `fixed` octets follow the name.
    fn next(&mut self, fixed: usize) -> Option<Type> {
        let start = self.name()?;
        let kind = u16::from_be_bytes(*octets(self.message, start).ok()?);
        self.at = start + fixed;
        if fixed == FIXED {
            let len: &[u8; 2] = octets(self.message, start + FIXED - 2).ok()?;
            self.at += usize::from(u16::from_be_bytes(*len));
        }
        self.name.avoid(start..start + fixed)?;
        (self.at <= self.message.len()).then_some(Type(kind))
    }

    /// Where the name ends that is next.
    fn name(&mut self) -> Option<usize> {
        let target = pointer(self.message, self.at);
        if target.is_some() && target == self.origin {
            return Some(self.at + 2);
        }
        self.asked = [false; 2];
        let (end, is_readable) = read_name(self.message, self.at, &mut 0, &mut self.name).ok()?;
        self.origin = target.or(Some(self.at));
        is_readable.then_some(end)
    }

    fn concern(&mut self, kind: Type, concerns: impl Fn(&[u8], Type) -> bool) -> bool {
        let was_asked = std::mem::replace(&mut self.asked[usize::from(kind.is_about_host())], true);
        !was_asked && concerns(self.name.name.wire(), kind)
    }
}

impl Placed {
    fn avoid(&mut self, fixed: Range<usize>) -> Option<()> {
        let [start, end] = [fixed.start, fixed.end].map(|at| u16::try_from(at).ok());
        *self.fixed.get_mut(self.len)? = start?..end?;
        self.len += 1;
        Some(())
    }
}

impl Spell for Placed {
    #[inline]
    fn label(&mut self, to: usize, message: &[u8], label: Range<usize>) {
        self.name.label(to, message, label);
    }

    #[inline]
    fn end(&mut self, to: usize) {
        self.name.end(to);
    }

    fn same(&mut self, other: &Spelled) {
        self.name.same(other);
    }

    #[inline]
    fn may_lie(&self, part: Range<usize>) -> bool {
        let is_apart =
            |fixed: &Range<u16>| part.end <= usize::from(fixed.start) || part.start >= usize::from(fixed.end);
        self.fixed[..self.len].iter().all(is_apart)
    }
}
