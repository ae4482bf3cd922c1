//! How many strangers may knock at a time. RFC 9000 §8.1.

use crate::buckets::{Buckets, Rate};
use crate::config::Config;
use crate::io::source_key;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// New connections from one network that a discovery server takes: 50 at once, and 50 a second.
const NETWORK_RATE: Rate = Rate { burst: 50, every: Duration::from_millis(20) };

/// Networks that are counted at a time. One is, for a second at most after its last connection.
const MAX_NETWORKS: usize = 1 << 16;

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
    /// How often each network may come, where that is limited.
    networks: Option<Buckets<IpAddr>>,
}

impl Admission {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            max: config.max_unauthenticated,
            max_per_source: config.max_unauthenticated_per_source,
            retry_from: config.retry_from,
            total: 0,
            by_source: BTreeMap::new(),
            networks: None,
        }
    }

    /// For a listener that anybody on the Internet comes to.
    pub(super) fn public(config: &Config) -> Self {
        Self { networks: Some(Buckets::new(NETWORK_RATE, MAX_NETWORKS)), ..Self::new(config) }
    }

    pub(super) fn judge(&mut self, now: Instant, source: IpAddr, validated: bool) -> Verdict {
        let from_source = self.by_source.get(&source_key(source)).copied().unwrap_or(0);
        if self.total >= self.max || from_source >= self.max_per_source {
            Verdict::Refuse
        } else if self.total >= self.retry_from && !validated {
            Verdict::Retry
        } else if let Some(networks) = &mut self.networks
            && networks.take(now, network_key(source), 1).is_err()
        {
            Verdict::Refuse
        } else {
            Verdict::Accept
        }
    }

    /// How many there are, and the most of one source.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [self.total, self.by_source.values().copied().max().unwrap_or(0)]
    }

    /// How many networks are counted, and how many may be.
    pub(super) fn networks(&self) -> Option<[usize; 2]> {
        self.networks.as_ref().map(|networks| [networks.len(), networks.max()])
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

/// The network that an address is counted by: a /24 of IPv4, a /56 of IPv6.
fn network_key(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & !0xff).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 72)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ServiceName;
    use crate::testing::base;

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
            assert_eq!(admission.judge(base(), source(1), false), Verdict::Accept);
            admission.count(source(1));
        }
        assert_eq!(admission.judge(base(), source(1), true), Verdict::Refuse);
        assert_eq!(admission.judge(base(), source(2), false), Verdict::Accept);
        admission.discount(source(1));
        assert_eq!(admission.judge(base(), source(1), false), Verdict::Accept);
    }

    #[test]
    fn addresses_are_validated_from_sixteen_strangers_on_and_all_refused_from_sixty_four() {
        let mut admission = admission();
        for n in 0..16 {
            admission.count(source(n));
        }
        assert_eq!(admission.judge(base(), source(99), false), Verdict::Retry);
        assert_eq!(admission.judge(base(), source(99), true), Verdict::Accept);
        for n in 16..64 {
            admission.count(source(n));
        }
        assert_eq!(admission.judge(base(), source(99), true), Verdict::Refuse);
    }

    #[test]
    fn a_network_that_comes_too_often_is_refused_for_a_while_and_no_other() {
        let config = Config::new(ServiceName::new("test").unwrap());
        let (mut admission, now) = (Admission::public(&config), base());
        for n in 0..50 {
            assert_eq!(admission.judge(now, source(n), false), Verdict::Accept);
        }
        assert_eq!(admission.judge(now, source(200), true), Verdict::Refuse);
        assert_eq!(admission.judge(now, [192, 0, 3, 1].into(), false), Verdict::Accept);
        let later = now + Duration::from_millis(20);
        assert_eq!(admission.judge(later, source(200), false), Verdict::Accept);
        assert_eq!(admission.judge(later, source(200), false), Verdict::Refuse);
        let v6 = |text: &str| text.parse::<Ipv6Addr>().unwrap().into();
        assert_eq!(network_key(v6("2001:db8::ff:1:2:3:4")), network_key(v6("2001:db8::")));
        assert_ne!(network_key(v6("2001:db8:0:100::")), network_key(v6("2001:db8::")));
    }

    #[test]
    fn one_ipv6_subnet_is_one_source() {
        let mut admission = admission();
        for n in 0..4u16 {
            admission.count(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, n, 0, 0, 1).into());
        }
        assert_eq!(admission.judge(base(), "2001:db8::ffff".parse().unwrap(), false), Verdict::Refuse);
    }
}
