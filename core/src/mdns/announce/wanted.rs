//! The records that services are made of, on one interface. RFC 6762 §6.1, §6.2, RFC 6763 §4 to §9.

use super::{Announce, OwnSet};
use crate::io::InterfaceAddr;
use crate::mdns::name::Name;
use crate::mdns::records::{Data, Share, Srv, Ttl, Type, Types};
use crate::mdns::service::Service;
use std::net::IpAddr;
use std::time::Instant;

/// Addresses that are published of one interface. Further ones are left out.
pub(super) const MAX_ADDRESSES: usize = 16;

pub(super) fn wanted_sets<'a>(
    now: Instant,
    services: impl Iterator<Item = &'a Service>,
    addresses: &[InterfaceAddr],
) -> Vec<OwnSet> {
    let mut sets: Vec<OwnSet> = Vec::new();
    let mut add = |name: &Name, share, ttl, data: Vec<Data>| {
        let known = |set: &OwnSet| set.name == *name && set.data == data;
        if !data.is_empty() && !sets.iter().any(known) {
            sets.push(OwnSet::new(name.clone(), share, ttl, data, now));
        }
    };
    for service in services {
        let (instance, host) = (service.instance_name(), service.host_name());
        add(service.kind.name(), Share::Shared, Ttl::OTHER, vec![Data::Ptr(instance.clone())]);
        for subtype in service.subtype_names() {
            add(&subtype, Share::Shared, Ttl::OTHER, vec![Data::Ptr(instance.clone())]);
        }
        let kind = Data::Ptr(service.kind.name().clone());
        add(&Service::enumeration(), Share::Shared, Ttl::OTHER, vec![kind]);
        let srv = Srv { priority: 0, weight: 0, port: service.port, target: host.clone() };
        add(&instance, Share::Unique, Ttl::HOST, vec![Data::Srv(srv)]);
        add(&instance, Share::Unique, Ttl::OTHER, vec![Data::Txt(service.txt.clone())]);

        let mut ips: Vec<IpAddr> = addresses.iter().map(|address| address.ip).collect();
        ips.sort();
        ips.dedup();
        ips.truncate(MAX_ADDRESSES);
        let (v4, v6): (Vec<_>, Vec<_>) = ips.into_iter().partition(IpAddr::is_ipv4);
        let mut present = Types::default();
        for (family, kind) in [(v4, Type::A), (v6, Type::AAAA)] {
            if !family.is_empty() {
                present.insert(kind);
            }
            add(&host, Share::Unique, Ttl::HOST, family.into_iter().map(Data::address).collect());
        }
        add(&host, Share::Unique, Ttl::HOST, vec![Data::Nsec(present)]);
        let mut present = Types::default();
        present.insert(Type::SRV);
        present.insert(Type::TXT);
        add(&instance, Share::Unique, Ttl::HOST, vec![Data::Nsec(present)]);
    }
    for set in &mut sets {
        // What doesn't exist is told to whoever asks, not to all.
        if set.kind() == Type::NSEC {
            set.announce = Announce::Established;
        }
    }
    sets
}
