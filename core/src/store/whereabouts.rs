//! Where a paired peer was reached, and where the application says that it may be.

use super::read;
use crate::error::RecordError;
use crate::host::HostName;
use crate::id::Fingerprint;
use crate::io::UnixTime;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Addresses that one entry may hold of each kind.
pub const MAX_WHEREABOUTS: usize = 16;

/// What is remembered of a paired peer's addresses. Not a part of the pairing: losing it costs a search.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Whereabouts {
    /// The key of the entry: whose they are.
    pub fingerprint: Fingerprint,
    /// Where a connection stood, the last first, and when.
    pub good: Vec<(SocketAddr, UnixTime)>,
    /// Addresses that the application gave.
    pub given: Vec<SocketAddr>,
    /// Names that the application gave.
    pub names: Vec<HostName>,
}

/// As a store keeps it. Addresses and names are text, as in a mark.
#[derive(Serialize, Deserialize)]
struct Written {
    fingerprint: Fingerprint,
    #[serde(default)]
    good: Vec<(String, u64)>,
    #[serde(default)]
    given: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
}

impl Whereabouts {
    /// An entry that holds nothing yet.
    pub fn new(fingerprint: Fingerprint) -> Self {
        Self { fingerprint, good: Vec::new(), given: Vec::new(), names: Vec::new() }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.good.is_empty() && self.given.is_empty() && self.names.is_empty()
    }

    /// The entry as a store keeps it: MessagePack with named fields. Holds no secret.
    pub fn encode(&self) -> Vec<u8> {
        let written = Written {
            fingerprint: self.fingerprint,
            good: self.good.iter().map(|(address, at)| (address.to_string(), at.as_micros())).collect(),
            given: self.given.iter().map(SocketAddr::to_string).collect(),
            names: self.names.iter().map(HostName::to_string).collect(),
        };
        rmp_serde::to_vec_named(&written).expect("whereabouts have no type that MessagePack lacks")
    }

    /// Reads [`Whereabouts::encode`]. Unknown fields are skipped.
    ///
    /// # Errors
    /// [`RecordError::Malformed`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let Written { fingerprint, good, given, names } = read(bytes)?;
        if [good.len(), given.len(), names.len()].into_iter().any(|len| len > MAX_WHEREABOUTS) {
            return Err(RecordError::Malformed);
        }
        let address = |text: &String| text.parse::<SocketAddr>().map_err(|_| RecordError::Malformed);
        let good = good.iter().map(|(text, at)| Ok((address(text)?, UnixTime::from_micros(*at))));
        let name = |text: &String| text.parse::<HostName>().map_err(|_| RecordError::Malformed);
        Ok(Self {
            fingerprint,
            good: good.collect::<Result<_, _>>()?,
            given: given.iter().map(address).collect::<Result<_, _>>()?,
            names: names.iter().map(name).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whereabouts() -> Whereabouts {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        Whereabouts {
            good: vec![(address("[fe80::1%3]:5000"), UnixTime::from_micros(7))],
            given: vec![address("192.0.2.1:5000"), address("[2001:db8::1]:1")],
            names: vec!["laptop.example:5223".parse().unwrap()],
            ..Whereabouts::new(Fingerprint::from_bytes([1; 32]))
        }
    }

    #[test]
    fn whereabouts_read_back_and_no_cut_of_them_does() {
        for entry in [whereabouts(), Whereabouts::new(Fingerprint::from_bytes([2; 32]))] {
            let bytes = entry.encode();
            assert_eq!(Whereabouts::decode(&bytes), Ok(entry));
            for len in 0..bytes.len() {
                assert_eq!(Whereabouts::decode(&bytes[..len]), Err(RecordError::Malformed), "{len}");
            }
            assert_eq!(Whereabouts::decode(&[&bytes[..], b"\xc0"].concat()), Err(RecordError::Malformed));
        }
    }

    #[test]
    fn whereabouts_with_too_much_or_with_what_is_no_address_are_damaged() {
        let mut many = whereabouts();
        many.given = (0..=MAX_WHEREABOUTS as u16).map(|port| ([192, 0, 2, 1], port).into()).collect();
        assert_eq!(Whereabouts::decode(&many.encode()), Err(RecordError::Malformed));
        let bad = Written {
            fingerprint: Fingerprint::from_bytes([1; 32]),
            good: vec![("here".to_owned(), 0)],
            given: Vec::new(),
            names: Vec::new(),
        };
        let bad = rmp_serde::to_vec_named(&bad).unwrap();
        assert_eq!(Whereabouts::decode(&bad), Err(RecordError::Malformed));
    }
}
