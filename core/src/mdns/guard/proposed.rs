//! What a probe proposes, as it is compared. RFC 6762 §8.2.
//!
//! Reads records of every class and type, those too that the parser never sees: both sides of a comparison must
//! come to the same end.

use super::names::Spelled;
use super::{CLASS_BITS, Fixed, Head, Refused, Walk};
use crate::mdns::name::Name;
use crate::mdns::records::{Data, Record, Type};
use std::net::IpAddr;
use std::ops::Range;

/// A record as it is compared: by its class, its type, and then the octets of its data, in which no name is
/// compressed. RFC 6762 §8.2.
///
/// The order of lists of them, sorted, is that of RFC 6762 §8.2.1: the first difference decides, and then the
/// length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::mdns) struct Proposal {
    class: u16,
    kind: u16,
    data: Vec<u8>,
}

impl Proposal {
    /// A record of ours.
    pub(in crate::mdns) fn of(record: &Record) -> Self {
        let data = match &record.data {
            Data::A(ip) => ip.octets().to_vec(),
            Data::Aaaa(ip) => ip.octets().to_vec(),
            Data::Nsec(types) => {
                [record.name.as_wire(), &[0, types.bitmap().len() as u8], types.bitmap()].concat()
            }
            Data::Ptr(name) => name.as_wire().to_vec(),
            Data::Srv(srv) => {
                let numbers = [srv.priority, srv.weight, srv.port].map(u16::to_be_bytes).concat();
                [&numbers, srv.target.as_wire()].concat()
            }
            Data::Txt(txt) => txt.as_rdata().to_vec(),
        };
        Self { class: super::CLASS_IN, kind: record.data.kind().0, data }
    }

    /// The address that it proposes, if it is one.
    pub(in crate::mdns) fn address(&self) -> Option<IpAddr> {
        match Type(self.kind) {
            Type::A => <[u8; 4]>::try_from(&self.data[..]).ok().map(IpAddr::from),
            Type::AAAA => <[u8; 16]>::try_from(&self.data[..]).ok().map(IpAddr::from),
            Type(_) => None,
        }
    }
}

/// What a query that passed the guard proposes for a name, sorted.
pub(in crate::mdns) fn proposals(message: &[u8], head: &Head, of: &Name) -> Vec<Proposal> {
    let mut copy = message.to_vec();
    let mut walk = Walk::new(&mut copy);
    // The guard read the whole of it before: nothing fails here.
    let mut proposals = walk.proposals(head, of).unwrap_or_default();
    proposals.sort();
    proposals
}

impl Walk<'_> {
    fn proposals(&mut self, head: &Head, of: &Name) -> Result<Vec<Proposal>, Refused> {
        let [questions, answers, authorities, _] = head.counts;
        for _ in 0..questions {
            self.question()?;
        }
        for _ in 0..answers {
            self.proposal(of)?;
        }
        let mut proposals = Vec::new();
        for _ in 0..authorities {
            proposals.extend(self.proposal(of)?);
        }
        Ok(proposals)
    }

    /// The record that is next, if it is of this name.
    fn proposal(&mut self, of: &Name) -> Result<Option<Proposal>, Refused> {
        let (head, is_readable) = self.read_owner()?;
        let is_of = is_readable && self.owner.name.wire().eq_ignore_ascii_case(of.as_wire());
        let Fixed { kind: Type(kind), class, data } = self.fixed(head)?;
        self.at = data.end;
        if !is_of {
            return Ok(None);
        }
        let data = self.plain(kind, data.clone())?.unwrap_or_else(|| self.safe[data].to_vec());
        Ok(Some(Proposal { class: class & CLASS_BITS, kind, data }))
    }

    /// Data with its names written out; `None` where they can't be read.
    fn plain(&mut self, kind: u16, data: Range<usize>) -> Result<Option<Vec<u8>>, Refused> {
        let (before, names) = layout(kind);
        let mut at = data.start + before;
        if at > data.end {
            return Ok(None);
        }
        let mut plain = self.safe[data.start..at].to_vec();
        for _ in 0..names {
            let mut name = Spelled::default();
            let Some(after) = self.data_name(at..data.end, &mut name)? else { return Ok(None) };
            plain.extend_from_slice(name.wire());
            at = after;
        }
        plain.extend_from_slice(&self.safe[at..data.end]);
        Ok(Some(plain))
    }
}

/// Where the names are, in the data of the types that have names which may be compressed: so many octets before
/// them, and so many names. RFC 6762 §18.14.
fn layout(kind: u16) -> (usize, usize) {
    match kind {
        // NS, CNAME, PTR, DNAME, NSEC.
        2 | 5 | 12 | 39 | 47 => (0, 1),
        // SOA, RP.
        6 | 17 => (0, 2),
        // MX, AFSDB, RT, KX.
        15 | 18 | 21 | 36 => (2, 1),
        // PX.
        26 => (2, 2),
        // SRV.
        33 => (6, 1),
        _ => (0, 0),
    }
}
