//! Reads names where they lie, through pointers. RFC 1035 §3.1, §4.1.4.
//!
//! Counts each label and pointer that it follows, and gives up beyond [`MAX_STEPS`]. Never rewrites anything.

use super::{HEADER, Refused};
use crate::mdns::name::{MAX_LABEL, MAX_NAME};
use std::ops::Range;

/// Labels and pointers that are followed in one message, in all: far more than 9,000 honest octets hold.
pub(super) const MAX_STEPS: usize = 8192;
/// The largest name that `simple-dns` reads. One of 256 octets is legal, yet longer than any we ask for:
/// its record counts as unreadable.
pub(super) const MAX_READABLE: usize = MAX_NAME - 1;
/// So many octets are copied for a label where they are there, though most labels are shorter: a copy whose length
/// is known takes no call.
const COPIED: usize = 1 + MAX_LABEL;

/// What becomes of the labels of a name that is read.
pub(in crate::mdns) trait Spell {
    /// A label, its length before it, lies at `label` and belongs at `to`. What is beyond it in the message may be
    /// copied along.
    fn label(&mut self, to: usize, message: &[u8], label: Range<usize>);

    /// The name ends at `to`.
    fn end(&mut self, to: usize);

    /// The name is the same as another.
    fn same(&mut self, other: &Spelled);

    /// Whether a part of the name may lie there, to which a pointer led.
    #[inline]
    fn may_lie(&self, _: Range<usize>) -> bool {
        true
    }
}

/// It is enough to know where the name ends.
pub(in crate::mdns) struct Unspelled;

/// The name without pointers.
pub(in crate::mdns) struct Spelled {
    wire: [u8; MAX_READABLE + COPIED],
    len: usize,
}

/// The name that was spelled out last, and whence.
#[derive(Default)]
pub(super) struct Owner {
    pub(super) name: Spelled,
    /// `None`: it could not be read.
    pub(super) origin: Option<Origin>,
}

/// Where the name lies: whoever points there has the same name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::mdns) struct Origin {
    pub(super) at: usize,
    /// What it takes to read the name through a pointer to there.
    pub(super) steps: usize,
}

impl Spell for Unspelled {
    fn label(&mut self, _: usize, _: &[u8], _: Range<usize>) {}

    fn end(&mut self, _: usize) {}

    fn same(&mut self, _: &Spelled) {}
}

impl Default for Spelled {
    fn default() -> Self {
        Self { wire: [0; MAX_READABLE + COPIED], len: 0 }
    }
}

impl Spelled {
    /// Its labels, each behind its length.
    pub(in crate::mdns) fn wire(&self) -> &[u8] {
        &self.wire[..self.len]
    }
}

impl Spell for Spelled {
    #[inline]
    fn label(&mut self, to: usize, message: &[u8], label: Range<usize>) {
        match message[label.start..].first_chunk::<COPIED>() {
            Some(more) => self.wire[to..to + COPIED].copy_from_slice(more),
            None => self.wire[to..to + label.len()].copy_from_slice(&message[label]),
        }
    }

    fn end(&mut self, to: usize) {
        self.wire[to] = 0;
        self.len = to + 1;
    }

    fn same(&mut self, other: &Spelled) {
        (self.wire, self.len) = (other.wire, other.len);
    }
}

/// So many labels and pointers more were followed.
#[inline]
pub(super) fn take_steps(steps: &mut usize, more: usize) -> Result<(), Refused> {
    #[cfg(test)]
    crate::testing::step();
    *steps += more;
    if *steps > MAX_STEPS { Err(Refused::Steps) } else { Ok(()) }
}

/// Whither a name points that is nothing but a pointer.
#[inline]
pub(super) fn pointer(message: &[u8], at: usize) -> Option<usize> {
    let word = u16::from_be_bytes(*message.get(at..)?.first_chunk()?);
    (word >= 0xc000).then_some(usize::from(word & 0x3fff))
}

/// Reads a name into `name`: where it ends in place, and whether it is readable.
///
/// A pointer leads to an earlier name, which ends before the place that points to it: no loop is possible, and
/// nothing is read that will yet be rewritten. RFC 1035 §4.1.4.
#[inline]
pub(super) fn read_name(
    message: &[u8],
    start: usize,
    steps: &mut usize,
    name: &mut impl Spell,
) -> Result<(usize, bool), Refused> {
    let (mut at, mut piece, mut bound) = (start, start, message.len());
    let mut end = None;
    // Beyond what is readable it only grows.
    let mut len = 0;
    loop {
        take_steps(steps, 1)?;
        let octet = usize::from(*message.get(at).ok_or(Refused::Truncated)?);
        let next = if octet <= MAX_LABEL { at + 1 + octet } else { at + 2 };
        let is_known = octet <= MAX_LABEL || octet >= 0xc0;
        if !is_known || next > bound {
            // Where a label ends that is of neither kind is unknown. The other two were never in use.
            let why = if is_known { Refused::Truncated } else { Refused::Name };
            return end.map(|end| (end, false)).ok_or(why);
        }
        if octet > MAX_LABEL {
            let target = pointer(message, at).ok_or(Refused::Truncated)?;
            let may_lie = end.is_none() || name.may_lie(piece..next);
            let after = *end.get_or_insert(next);
            if target < HEADER || target >= piece || !may_lie {
                return Ok((after, false));
            }
            (at, piece, bound) = (target, target, piece);
            continue;
        }
        if octet == 0 {
            let is_readable = len < MAX_READABLE && (end.is_none() || name.may_lie(piece..next));
            if is_readable {
                name.end(len);
            }
            return Ok((end.unwrap_or(next), is_readable));
        }
        let to = len;
        len += next - at;
        if len < MAX_READABLE {
            name.label(to, message, at..next);
        }
        at = next;
    }
}
