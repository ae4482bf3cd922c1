//! How names are had and records are said, judged at the simulated link: nothing is said of a chosen name before it
//! was asked for three times, and what only one may say has the bit that says so.

use super::offer::KINDS;
use crate::fabric::Host;
use crate::world::Seen;
use simple_dns::rdata::RData;
use simple_dns::{Name, Packet, PacketFlag, ResourceRecord};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a name is asked for before it is announced. RFC 6762 §8.1.
const PROBES: u32 = 3;

/// From the first of those to the announcement. RFC 6762 §8.1.
const PROBED_FOR: Duration = Duration::from_millis(750);

/// A socket of a life of a host.
type Place = (Host, u64, u32, bool);

/// What was asked for, and said, of chosen names.
#[derive(Default)]
pub(super) struct Manners {
    /// How often a name was asked for, and first when, since it was last somebody else's or given up.
    probes: BTreeMap<(Place, String), (u32, Duration)>,
}

impl Manners {
    /// A datagram of a node. Panics where it is bad manners.
    pub(super) fn sent(&mut self, seen: &Seen<'_>, packet: &Packet<'_>) {
        let Some(interface) = seen.interface else { return };
        if !seen.destination.ip().is_multicast() {
            return;
        }
        let place = (seen.host, seen.boots, interface, seen.destination.is_ipv6());
        if !packet.has_flags(PacketFlag::RESPONSE) {
            if !packet.name_servers.is_empty() {
                for question in &packet.questions {
                    let probes = self.probes.entry((place, key(&question.qname))).or_insert((0, seen.at));
                    probes.0 += 1;
                }
            }
            return;
        }
        for record in packet.answers.iter().chain(&packet.additional_records) {
            self.said(seen.at, place, record);
        }
    }

    fn said(&mut self, at: Duration, place: Place, record: &ResourceRecord<'_>) {
        if matches!(record.rdata, RData::PTR(_)) {
            return;
        }
        assert!(
            record.ttl == 0 || record.cache_flush,
            "what only one may say has the bit that says so: {record:?}"
        );
        if !is_chosen(&record.name) {
            return;
        }
        let name = key(&record.name);
        if record.ttl == 0 {
            self.probes.remove(&(place, name));
            return;
        }
        let probes = self.probes.get(&(place, name.clone())).copied();
        let (count, first) = probes.unwrap_or((0, at));
        assert!(
            count >= PROBES && at >= first + PROBED_FOR,
            "a name is asked for before it is used: {name} was asked for {count} times, first at {first:?}"
        );
    }
}

/// Whether it is the name of something that a user offers: one label, and then a kind.
fn is_chosen(name: &Name<'_>) -> bool {
    let mut labels = name.as_bytes().skip(1);
    let Some(first) = labels.next() else { return false };
    KINDS.iter().any(|kind| kind.as_bytes().starts_with(first))
}

fn key(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}
