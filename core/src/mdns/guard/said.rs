//! What a message says that passed the guard, read where it lies.
//!
//! The guard found every name and every length in it sound, or made its record opaque.

use super::names::Origin;
use super::{CLASS_BITS, Fixed, Head, Refused, Walk, octets};
use crate::mdns::records::Type;
use std::ops::Range;

/// A record of a message that passed the guard.
pub(in crate::mdns) struct Said {
    /// The same for records of one name that follow one another.
    pub(in crate::mdns) origin: Option<Origin>,
    pub(in crate::mdns) kind: Type,
    pub(in crate::mdns) ttl: u32,
    /// Whether what is older is wrong. RFC 6762 §10.2.
    pub(in crate::mdns) flush: bool,
    /// Where its data lies.
    pub(in crate::mdns) data: Range<usize>,
}

impl Head {
    pub(in crate::mdns) fn questions(&self) -> usize {
        usize::from(self.counts[0])
    }

    /// Of all sections.
    pub(in crate::mdns) fn records(&self) -> usize {
        self.counts[1..].iter().map(|count| usize::from(*count)).sum()
    }
}

impl Walk<'_> {
    /// The next record.
    pub(in crate::mdns) fn said(&mut self) -> Result<Said, Refused> {
        let (head, _) = self.read_owner()?;
        let ttl = u32::from_be_bytes(*octets(self.safe, head + 4)?);
        let Fixed { kind, class, data } = self.fixed(head)?;
        self.at = data.end;
        Ok(Said { origin: self.owner.origin, kind, ttl, flush: class & !CLASS_BITS != 0, data })
    }

    /// The name of the record that was read last, uncompressed.
    pub(in crate::mdns) fn owner(&self) -> &[u8] {
        self.owner.name.wire()
    }

    pub(in crate::mdns) fn octets(&self, at: Range<usize>) -> &[u8] {
        &self.safe[at]
    }
}
