//! Multicasts that anybody on the LAN can make. RFC 6762.

use simple_dns::rdata::{A, PTR, RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, ResourceRecord};
use std::net::Ipv4Addr;

/// A response that announces a peer of an application: its PTR, SRV and A records.
///
/// # Panics
/// Where `app` and `instance` make no name.
pub fn announcement(app: &str, instance: &str, ip: Ipv4Addr, ttl: u32) -> Vec<u8> {
    let name = |text: String| Name::new(&text).expect("a name").into_owned();
    let service = name(format!("_{app}._udp.local"));
    let full = name(format!("{instance}._{app}._udp.local"));
    let host = name(format!("{instance}.local"));
    let srv = SRV { priority: 0, weight: 0, port: 40_000, target: host.clone() };
    let a = A { address: ip.to_bits() };
    let mut packet = Packet::new_reply(0);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    packet.answers = vec![
        ResourceRecord::new(service, CLASS::IN, ttl, RData::PTR(PTR(full.clone()))),
        ResourceRecord::new(full, CLASS::IN, ttl, RData::SRV(srv)),
        ResourceRecord::new(host, CLASS::IN, ttl, RData::A(a)),
    ];
    packet.build_bytes_vec().expect("three records fit")
}

/// What takes back everything that a response announced. `None` for anything but a response.
pub fn goodbye(response: &[u8]) -> Option<Vec<u8>> {
    changed(response, |record| record.ttl = 0)
}

/// A response that puts every host that it names at another address. `None` for anything but a response.
pub fn moved(response: &[u8], to: Ipv4Addr) -> Option<Vec<u8>> {
    changed(response, |record| {
        if let RData::A(a) = &mut record.rdata {
            a.address = to.to_bits();
        }
    })
}

fn changed(response: &[u8], change: impl Fn(&mut ResourceRecord<'_>)) -> Option<Vec<u8>> {
    let mut packet = Packet::parse(response).ok().filter(|packet| packet.has_flags(PacketFlag::RESPONSE))?;
    packet.answers.iter_mut().chain(&mut packet.additional_records).for_each(change);
    packet.build_bytes_vec().ok()
}
