//! How many strangers may knock at a time. RFC 9000 §8.1.

use crate::config::Config;
use crate::io::source_key;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What becomes of a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    /// Its source address must be proved first.
    Retry,
    Refuse,
}

/// The connections that are not authenticated yet, by source.
pub(super) struct Admission {
    max: usize,
    max_per_source: usize,
    retry_from: usize,
    total: usize,
    by_source: BTreeMap<IpAddr, usize>,
}

impl Admission {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            max: config.max_unauthenticated,
            max_per_source: config.max_unauthenticated_per_source,
            retry_from: config.retry_from,
            total: 0,
            by_source: BTreeMap::new(),
        }
    }

    pub(super) fn judge(&self, source: IpAddr, validated: bool) -> Verdict {
        let from_source = self.by_source.get(&source_key(source)).copied().unwrap_or(0);
        if self.total >= self.max || from_source >= self.max_per_source {
            Verdict::Refuse
        } else if self.total >= self.retry_from && !validated {
            Verdict::Retry
        } else {
            Verdict::Accept
        }
    }

    /// How many there are, and the most of one source.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [self.total, self.by_source.values().copied().max().unwrap_or(0)]
    }

    pub(super) fn count(&mut self, source: IpAddr) {
        self.total += 1;
        *self.by_source.entry(source_key(source)).or_default() += 1;
    }

    pub(super) fn discount(&mut self, source: IpAddr) {
        let key = source_key(source);
        let count = self.by_source.get_mut(&key).expect("only what was counted is discounted");
        *count -= 1;
        if *count == 0 {
            self.by_source.remove(&key);
        }
        self.total -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ServiceName;
    use std::net::Ipv6Addr;

    fn admission() -> Admission {
        Admission::new(&Config::new(ServiceName::new("test").unwrap()))
    }

    fn source(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[test]
    fn a_fifth_stranger_from_one_source_is_refused_until_one_is_known() {
        let mut admission = admission();
        for _ in 0..4 {
            assert_eq!(admission.judge(source(1), false), Verdict::Accept);
            admission.count(source(1));
        }
        assert_eq!(admission.judge(source(1), true), Verdict::Refuse);
        assert_eq!(admission.judge(source(2), false), Verdict::Accept);
        admission.discount(source(1));
        assert_eq!(admission.judge(source(1), false), Verdict::Accept);
    }

    #[test]
    fn addresses_are_validated_from_sixteen_strangers_on_and_all_refused_from_sixty_four() {
        let mut admission = admission();
        for n in 0..16 {
            admission.count(source(n));
        }
        assert_eq!(admission.judge(source(99), false), Verdict::Retry);
        assert_eq!(admission.judge(source(99), true), Verdict::Accept);
        for n in 16..64 {
            admission.count(source(n));
        }
        assert_eq!(admission.judge(source(99), true), Verdict::Refuse);
    }

    #[test]
    fn one_ipv6_subnet_is_one_source() {
        let mut admission = admission();
        for n in 0..4u16 {
            admission.count(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, n, 0, 0, 1).into());
        }
        assert_eq!(admission.judge("2001:db8::ffff".parse().unwrap(), false), Verdict::Refuse);
    }
}
