//! Which addresses a node tells of itself, and which it dials because a record says so.
//!
//! A record must not make a node knock at doors inside its own host or network: what can only be meant there is dropped.

use crate::io::{Interface, InterfaceAddr};
use crate::wire::discovery::MAX_ADDRESSES;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Addresses that nobody signed are heeded up to this number.
pub(super) const MAX_HEARSAY: usize = 4;

/// Who may reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Anybody on the Internet.
    Public,
    /// Whoever is on the same network. RFC 1918, RFC 4193, RFC 6598.
    Private,
    /// Nobody that a record should speak of: the host itself, one link, several hosts, or none.
    Never,
}

/// Where this node is.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    interfaces: Vec<InterfaceAddr>,
    port: Option<u16>,
    /// How servers see it.
    observed: Vec<SocketAddr>,
}

impl Around {
    pub(super) fn set_interfaces(&mut self, list: &[Interface], port: Option<u16>) {
        let all = list.iter().flat_map(|interface| &interface.addresses).copied();
        self.interfaces = all.filter(|address| scope(address.ip) != Scope::Never).collect();
        self.port = port;
    }

    pub(super) fn set_observed(&mut self, observed: impl Iterator<Item = SocketAddr>) {
        self.observed = observed.filter(is_sound).collect();
        self.observed.sort_unstable();
        self.observed.dedup();
    }

    /// What to tell others: public addresses first, as far as there is room.
    pub(super) fn candidates(&self) -> Vec<SocketAddr> {
        let own = self.interfaces.iter().filter_map(|a| Some(SocketAddr::new(a.ip, self.port?)));
        let mut all: Vec<SocketAddr> = self.observed.iter().copied().chain(own).collect();
        all.sort_by_key(|address| (scope(address.ip()) != Scope::Public, *address));
        all.dedup();
        all.truncate(MAX_ADDRESSES);
        all
    }

    /// Which addresses of a signed record are dialled. Private ones are, where this node is on such a network too, or
    /// is seen from outside at the same address.
    pub(super) fn dialable(&self, signed: &[SocketAddr]) -> Vec<SocketAddr> {
        let signed: Vec<SocketAddr> = signed.iter().map(canonical).filter(is_sound).collect();
        let outside = |address: &SocketAddr| scope(address.ip()) == Scope::Public;
        let seen_at: Vec<IpAddr> = self.observed.iter().filter(|a| outside(a)).map(SocketAddr::ip).collect();
        let shares_outside = signed.iter().any(|address| outside(address) && seen_at.contains(&address.ip()));
        let is_near = |ip: IpAddr| self.interfaces.iter().any(|own| own.contains(ip));
        let may_dial = |address: &SocketAddr| {
            let ip = address.ip();
            (outside(address) || shares_outside || is_near(ip))
                && !self.is_own(address)
                && !self.is_broadcast(ip)
        };
        distinct(signed.into_iter().filter(may_dial)).take(MAX_ADDRESSES).collect()
    }

    /// Which of those that nobody signed.
    pub(super) fn dialable_hearsay(&self, told: &[SocketAddr]) -> Vec<SocketAddr> {
        let public = |address: &SocketAddr| is_sound(address) && scope(address.ip()) == Scope::Public;
        let told = told.iter().map(canonical).filter(public).filter(|address| !self.is_own(address));
        distinct(told).take(MAX_HEARSAY).collect()
    }

    fn is_own(&self, address: &SocketAddr) -> bool {
        let has = self.interfaces.iter().any(|own| own.ip == address.ip());
        has && self.port == Some(address.port()) || self.observed.contains(address)
    }

    /// The broadcast of a network that this node is on.
    fn is_broadcast(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        self.interfaces.iter().any(|own| {
            let host_bits = u32::MAX.checked_shr(own.prefix.into()).unwrap_or(0);
            own.prefix < 31 && own.contains(ip.into()) && ip.to_bits() & host_bits == host_bits
        })
    }
}

fn distinct(addresses: impl Iterator<Item = SocketAddr>) -> impl Iterator<Item = SocketAddr> {
    let mut seen = Vec::new();
    addresses.filter(move |address| {
        let is_new = !seen.contains(address);
        seen.push(*address);
        is_new
    })
}

/// IPv4 within IPv6 is IPv4.
fn canonical(address: &SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn is_sound(address: &SocketAddr) -> bool {
    address.port() != 0 && scope(address.ip()) != Scope::Never
}

fn scope(ip: IpAddr) -> Scope {
    match ip {
        IpAddr::V4(ip) => match ip.octets() {
            // "This network", loopback, link-local, multicast and what is reserved, broadcast with it. RFC 6890.
            [0 | 127 | 224.., ..] | [169, 254, ..] => Scope::Never,
            [10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => Scope::Private,
            _ => Scope::Public,
        },
        IpAddr::V6(ip) if is_of_no_use(ip) => Scope::Never,
        IpAddr::V6(ip) if ip.is_unique_local() => Scope::Private,
        IpAddr::V6(_) => Scope::Public,
    }
}

fn is_of_no_use(ip: Ipv6Addr) -> bool {
    // Site-local addresses are deprecated, and mean something else on every site. RFC 3879.
    let is_site_local = ip.segments()[0] & 0xffc0 == 0xfec0;
    // What begins with 80 zero bits is unspecified, loopback, or IPv4 in one of several ways.
    let is_low = ip.segments()[..5] == [0; 5];
    is_low || is_site_local || ip.is_multicast() || ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn around(interfaces: &[(&str, u8)], observed: &[&str]) -> Around {
        let addresses =
            interfaces.iter().map(|(ip, prefix)| InterfaceAddr { ip: ip.parse().unwrap(), prefix: *prefix });
        let list =
            [Interface { name: "eth0".into(), index: 2, loopback: false, addresses: addresses.collect() }];
        let mut around = Around::default();
        around.set_interfaces(&list, Some(7000));
        around.set_observed(observed.iter().map(|text| at(text)));
        around
    }

    const NEVER: [&str; 16] = [
        "127.0.0.1:1",
        "0.0.0.0:1",
        "0.1.2.3:1",
        "169.254.1.1:1",
        "224.0.0.251:5353",
        "255.255.255.255:1",
        "240.0.0.1:1",
        "198.51.100.1:0",
        "[::]:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
        "[::127.0.0.1]:1",
        "[ff02::fb]:1",
        "[fe80::1]:1",
        "[fec0::1]:1",
        "[2001:db8::1]:0",
    ];

    #[test]
    fn no_record_makes_a_node_dial_its_own_host_a_link_a_group_or_nobody() {
        let around = around(&[("10.0.0.7", 24)], &["198.51.100.7:7000"]);
        let all = NEVER.map(at);
        assert_eq!(around.dialable(&all), []);
        assert_eq!(around.dialable_hearsay(&all), []);
        assert_eq!(around.dialable(&[at("10.0.0.255:1"), at("10.0.0.7:7000"), at("198.51.100.7:7000")]), []);
    }

    #[test]
    fn private_addresses_are_dialled_where_the_prefix_or_the_public_address_is_shared() {
        let [near, far, public] = ["10.0.0.9:1", "10.9.0.9:1", "198.51.100.7:2"].map(at);
        let here = around(&[("10.0.0.7", 24)], &["198.51.100.7:7000"]);
        assert_eq!(here.dialable(&[near, far]), [near], "the prefix");
        assert_eq!(here.dialable(&[far, public]), [far, public], "the address that others see");
        let elsewhere = around(&[("192.168.1.2", 24)], &["203.0.113.1:7000"]);
        assert_eq!(elsewhere.dialable(&[near, far, public]), [public]);
    }

    #[test]
    fn hearsay_is_public_and_little() {
        let told: Vec<SocketAddr> = (1..=9).map(|n| at(&format!("198.51.100.{n}:1"))).collect();
        let here = around(&[("10.0.0.7", 24)], &[]);
        assert_eq!(here.dialable_hearsay(&told), told[..4]);
        assert_eq!(here.dialable_hearsay(&[at("10.0.0.9:1")]), []);
    }

    #[test]
    fn what_is_told_is_each_address_with_the_real_port_and_what_servers_see_public_ones_first() {
        let interfaces = [("10.0.0.7", 24), ("2001:db8::7", 64), ("fe80::1", 64), ("127.0.0.1", 8)];
        let here = around(&interfaces, &["198.51.100.7:4000", "198.51.100.7:4000"]);
        let told = ["198.51.100.7:4000", "[2001:db8::7]:7000", "10.0.0.7:7000"].map(at);
        assert_eq!(here.candidates(), told);
    }

    proptest! {
        #[test]
        fn of_any_record_at_most_16_addresses_are_dialled_and_none_twice(
            octets in proptest::collection::vec(any::<([u8; 4], u16)>(), 0..40),
        ) {
            let told: Vec<SocketAddr> = octets.into_iter().map(|(ip, port)| SocketAddr::from((ip, port))).collect();
            let dialled = around(&[("10.0.0.7", 8)], &[]).dialable(&told);
            prop_assert!(dialled.len() <= 16);
            for (n, address) in dialled.iter().enumerate() {
                prop_assert!(is_sound(address) && told.contains(address));
                prop_assert!(!dialled[..n].contains(address));
            }
        }
    }
}
