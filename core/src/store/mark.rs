//! What the user decided about a key, apart from any pairing with it.

use super::read;
use crate::error::RecordError;
use crate::id::Fingerprint;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Addresses that one mark may hold.
pub const MAX_MARK_ADDRESSES: usize = 16;

/// Keys that may be banned. A store that holds more counts as failed: to leave one out would let it in.
pub const MAX_BANNED: usize = 4096;

/// One durable decision about a key. A fingerprint has at most one: who is banned is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mark {
    /// The key of the mark: whom it is about.
    pub fingerprint: Fingerprint,
    /// What was decided.
    pub kind: MarkKind,
}

/// What was decided about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// It is to be paired with, without a code, as soon as it is met and trusts this node too. The mark goes in the
    /// same write in which the pairing is complete.
    Trusted {
        /// Where the user said that it may be reached, at most [`MAX_MARK_ADDRESSES`].
        addresses: Vec<SocketAddr>,
    },
    /// It is never to be talked to.
    Banned,
}

/// As a store keeps it. Addresses are text, so that no form of them is up to a serialisation.
#[derive(Serialize, Deserialize)]
struct Written {
    fingerprint: Fingerprint,
    kind: Kind,
    #[serde(default)]
    addresses: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Trusted,
    Banned,
}

impl Mark {
    /// A mark; of more than [`MAX_MARK_ADDRESSES`] addresses the first are kept.
    pub fn new(fingerprint: Fingerprint, mut kind: MarkKind) -> Self {
        if let MarkKind::Trusted { addresses } = &mut kind {
            addresses.truncate(MAX_MARK_ADDRESSES);
        }
        Self { fingerprint, kind }
    }

    /// The mark as a store keeps it: MessagePack with named fields. Holds no secret.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, addresses) = match &self.kind {
            MarkKind::Trusted { addresses } => (Kind::Trusted, addresses.as_slice()),
            MarkKind::Banned => (Kind::Banned, &[][..]),
        };
        let addresses = addresses.iter().map(SocketAddr::to_string).collect();
        let written = Written { fingerprint: self.fingerprint, kind, addresses };
        rmp_serde::to_vec_named(&written).expect("a mark has no type that MessagePack lacks")
    }

    /// Reads [`Mark::encode`]. Unknown fields are skipped.
    ///
    /// # Errors
    /// [`RecordError::Malformed`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let Written { fingerprint, kind, addresses } = read(bytes)?;
        if addresses.len() > MAX_MARK_ADDRESSES {
            return Err(RecordError::Malformed);
        }
        let addresses: Result<Vec<SocketAddr>, _> = addresses.iter().map(|text| text.parse()).collect();
        let addresses = addresses.map_err(|_| RecordError::Malformed)?;
        let kind = match kind {
            Kind::Trusted => MarkKind::Trusted { addresses },
            Kind::Banned => MarkKind::Banned,
        };
        Ok(Self { fingerprint, kind })
    }

    /// Whether the key is to be paired with.
    pub fn is_trusted(&self) -> bool {
        matches!(self.kind, MarkKind::Trusted { .. })
    }

    /// Whether the key is never to be talked to.
    pub fn is_banned(&self) -> bool {
        self.kind == MarkKind::Banned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> [Mark; 3] {
        let addresses = ["192.0.2.1:5000", "[fe80::1%3]:5000", "[2001:db8::1]:1"].map(|a| a.parse().unwrap());
        let of = |n: u8, kind| Mark::new(Fingerprint::from_bytes([n; 32]), kind);
        [
            of(1, MarkKind::Trusted { addresses: addresses.to_vec() }),
            of(2, MarkKind::Trusted { addresses: Vec::new() }),
            of(3, MarkKind::Banned),
        ]
    }

    #[test]
    fn every_mark_reads_back_and_no_cut_of_it_is_one() {
        for mark in marks() {
            let bytes = mark.encode();
            assert_eq!(Mark::decode(&bytes), Ok(mark));
            for len in 0..bytes.len() {
                assert_eq!(Mark::decode(&bytes[..len]), Err(RecordError::Malformed), "{len}");
            }
            assert_eq!(Mark::decode(&[&bytes[..], b"\xc0"].concat()), Err(RecordError::Malformed));
        }
    }

    #[test]
    fn a_mark_with_an_address_that_is_none_or_with_too_many_is_damaged() {
        for addresses in [vec!["here".to_owned()], vec!["192.0.2.1:1".to_owned(); MAX_MARK_ADDRESSES + 1]] {
            let written =
                Written { fingerprint: Fingerprint::from_bytes([1; 32]), kind: Kind::Trusted, addresses };
            let bytes = rmp_serde::to_vec_named(&written).unwrap();
            assert_eq!(Mark::decode(&bytes), Err(RecordError::Malformed));
        }
    }

    #[test]
    fn of_too_many_addresses_the_first_are_kept() {
        let addresses: Vec<SocketAddr> = (0..40).map(|n| ([192, 0, 2, 1], n).into()).collect();
        let mark =
            Mark::new(Fingerprint::from_bytes([1; 32]), MarkKind::Trusted { addresses: addresses.clone() });
        let kept = addresses[..MAX_MARK_ADDRESSES].to_vec();
        assert_eq!(mark.kind, MarkKind::Trusted { addresses: kept });
    }
}
