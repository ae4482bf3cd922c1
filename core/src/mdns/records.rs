//! The resource records that we publish and keep. RFC 6762 §10, RFC 6763 §4 to §6.
//!
//! Owned, checked, and equal by content: names in rdata compare as names. Never knows offsets.

use super::name::Name;
use crate::wire::txt::Txt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A record's type, or the type that a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Type(pub(crate) u16);

impl Type {
    pub(crate) const A: Self = Self(1);
    pub(crate) const PTR: Self = Self(12);
    pub(crate) const TXT: Self = Self(16);
    pub(crate) const AAAA: Self = Self(28);
    pub(crate) const SRV: Self = Self(33);
    pub(crate) const NSEC: Self = Self(47);
    /// In questions alone.
    pub(crate) const ANY: Self = Self(255);

    /// Whether records of it are about a host, or may be.
    pub(crate) fn is_about_host(self) -> bool {
        matches!(self, Self::A | Self::AAAA | Self::NSEC)
    }
}

/// How long a record may be kept, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ttl(pub(crate) u32);

impl Ttl {
    /// The record is withdrawn. RFC 6762 §10.1.
    pub(crate) const GOODBYE: Self = Self(0);
    /// Of records that have a host's name as their name or in their rdata. RFC 6762 §10.
    pub(crate) const HOST: Self = Self(120);
    /// Of all others. RFC 6762 §10.
    pub(crate) const OTHER: Self = Self(4500);
    /// The most that a reply to an ordinary resolver says. RFC 6762 §6.7.
    pub(crate) const LEGACY: Self = Self(10);

    /// Nothing is believed for longer than 75 minutes.
    pub(crate) fn clamped(self) -> Self {
        self.min(Self::OTHER)
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}

/// Whether others may have records of the same name and type. RFC 6762 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Others may.
    Shared,
    /// Ours alone: sent with the cache-flush bit, which says that what is older is wrong. RFC 6762 §10.2.
    Unique,
}

/// Where a service is. RFC 2782.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Srv {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) target: Name,
}

/// Which types exist at a name, of the types below 256. RFC 6762 §6.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Types([u8; 32]);

impl Types {
    /// The bitmap of window 0, shorter ones filled with zeros. RFC 4034 §4.1.2.
    pub(crate) fn from_bitmap(bitmap: &[u8]) -> Self {
        let mut bits = [0; 32];
        bits.iter_mut().zip(bitmap).for_each(|(to, from)| *to = *from);
        Self(bits)
    }

    /// The bitmap without its zeros at the end.
    pub(crate) fn bitmap(&self) -> &[u8] {
        let used = self.0.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
        &self.0[..used]
    }

    pub(crate) fn insert(&mut self, kind: Type) {
        if let Ok(kind) = u8::try_from(kind.0) {
            self.0[usize::from(kind / 8)] |= 0x80 >> (kind % 8);
        }
    }

    pub(crate) fn contains(&self, kind: Type) -> bool {
        u8::try_from(kind.0).is_ok_and(|kind| self.0[usize::from(kind / 8)] & (0x80 >> (kind % 8)) != 0)
    }
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    /// The next name is the own name: nothing else is said by mDNS. RFC 6762 §6.1.
    Nsec(Types),
    Ptr(Name),
    Srv(Srv),
    Txt(Txt),
}

impl Data {
    pub(crate) fn kind(&self) -> Type {
        match self {
            Self::A(_) => Type::A,
            Self::Aaaa(_) => Type::AAAA,
            Self::Nsec(_) => Type::NSEC,
            Self::Ptr(_) => Type::PTR,
            Self::Srv(_) => Type::SRV,
            Self::Txt(_) => Type::TXT,
        }
    }

    /// The record of a host's address.
    pub(crate) fn address(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::A(ip),
            IpAddr::V6(ip) => Self::Aaaa(ip),
        }
    }
}

/// A record as it passes the wire. The class is always IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) ttl: Ttl,
    pub(crate) share: Share,
    pub(crate) data: Data,
}

/// Whether an answer may be sent to the asker alone. RFC 6762 §5.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// QM.
    Multicast,
    /// QU.
    Unicast,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) kind: Type,
    pub(crate) want: Want,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_believed_for_75_minutes_at_most() {
        assert_eq!(Ttl(u32::MAX).clamped().duration(), Duration::from_secs(75 * 60));
        assert_eq!(Ttl(120).clamped(), Ttl(120));
    }

    #[test]
    fn a_type_set_has_the_bits_of_rfc_4034() {
        let mut types = Types::default();
        types.insert(Type::A);
        types.insert(Type::AAAA);
        assert_eq!(types.bitmap(), [0x40, 0, 0, 0x08]);
        assert!(types.contains(Type::A) && !types.contains(Type::SRV));
        assert_eq!(Types::from_bitmap(types.bitmap()), types);
    }
}
