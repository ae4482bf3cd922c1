//! Those of a swarm who play by no rules, and leave after a while.

use super::plan::Villain;
use crate::fabric::{Arrival, Host, Outgoing};
use crate::fault::Fault;
use crate::forge::{FirstFlight, dns};
use crate::stranger::{Act, Misdeed, Stranger};
use bytes::Bytes;
use handfast_core::Family;
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How much of what he overheard a replayer, or a forger, remembers.
const MEMORY: usize = 64;

/// How many peers a flood announces at a time. More would show nothing else, and take longer.
const RECORDS: u32 = 5;

/// How many connections a flood begins at a time.
const INITIALS: u32 = 10;

/// Codes of closing there are, from 0 on.
const CODES: u8 = 9;

/// The code of closing of a peer that has no pairing.
const NOT_PAIRED: u8 = 3;

/// The port of mDNS. RFC 6762 §3.
const MDNS_PORT: u16 = 5353;

/// The port of the swarm's nodes.
const QUIC_PORT: u16 = 40_000;

/// Somebody of a kind who leaves at `until`.
pub(super) fn make(who: Villain, victims: Vec<IpAddr>, until: Instant) -> Box<dyn Stranger> {
    Box::new(Rogue { who, victims, until, closed: 0, heard: VecDeque::new(), overheard: VecDeque::new() })
}

struct Rogue {
    who: Villain,
    victims: Vec<IpAddr>,
    until: Instant,
    /// Multicasts that he heard.
    heard: VecDeque<Arrival>,
    /// How often he closed.
    closed: u8,
    /// What he saw others send to a host.
    overheard: VecDeque<Outgoing>,
}

fn remember<T>(memory: &mut VecDeque<T>, one: T) {
    if memory.len() == MEMORY {
        memory.pop_front();
    }
    memory.push_back(one);
}

fn pick<'a, T>(from: impl Into<Option<&'a VecDeque<T>>>, rng: &mut ChaCha12Rng) -> Option<&'a T> {
    let from = from.into()?;
    let at = (rng.next_u32() as usize).checked_rem(from.len())?;
    from.get(at)
}

impl Rogue {
    fn victim(&self, rng: &mut ChaCha12Rng) -> Option<IpAddr> {
        let at = (rng.next_u32() as usize).checked_rem(self.victims.len())?;
        Some(self.victims[at])
    }

    fn groups(&self) -> impl Iterator<Item = SocketAddr> {
        let has = |family| self.victims.iter().any(|ip| Family::of(*ip) == family);
        let v4 = has(Family::V4).then_some(IpAddr::from(Ipv4Addr::new(224, 0, 0, 251)));
        let v6 = has(Family::V6).then_some(IpAddr::from(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)));
        v4.into_iter().chain(v6).map(|ip| SocketAddr::new(ip, MDNS_PORT))
    }

    fn multicast(&self, fault: Fault, payload: &[u8], act: &mut Act) {
        for group in self.groups() {
            act.sends.push(Misdeed { fault, as_if_from: None, out: out(MDNS_PORT, group, payload) });
        }
    }

    fn flood_records(&self, rng: &mut ChaCha12Rng, act: &mut Act) {
        for _ in 0..RECORDS {
            let mut name = [0; 20];
            rng.fill_bytes(&mut name);
            let name: String = name.iter().map(|octet| format!("{octet:02x}")).collect();
            let announcement = dns::announcement("swarm", &name, Ipv4Addr::new(10, 66, 66, 66), 120);
            self.multicast(Fault::Flooded, &announcement, act);
        }
    }

    fn flood_initials(&self, rng: &mut ChaCha12Rng, act: &mut Act) {
        for _ in 0..INITIALS {
            let Some(victim) = self.victim(rng) else { return };
            let port = 1024 + (rng.next_u32() % 60_000) as u16;
            let mut id = [0; 8];
            rng.fill_bytes(&mut id);
            let out = out(port, SocketAddr::new(victim, QUIC_PORT), &FirstFlight::idle(&id));
            act.sends.push(Misdeed { fault: Fault::Flooded, as_if_from: None, out });
        }
    }

    fn replay(&self, rng: &mut ChaCha12Rng, act: &mut Act) {
        if let Some(arrival) = pick(&self.heard, rng) {
            self.multicast(Fault::Replayed, &arrival.payload, act);
        }
        if let Some(overheard) = pick(&self.overheard, rng) {
            let again = out(QUIC_PORT, overheard.destination, &overheard.payload);
            act.sends.push(Misdeed { fault: Fault::Replayed, as_if_from: None, out: again.clone() });
            // And as if from who sent it, from another port: a NAT may look at the one and not at the other.
            let as_if_from = overheard.source_ip.map(|ip| SocketAddr::new(ip, QUIC_PORT + 1));
            act.sends.push(Misdeed { fault: Fault::Forged, as_if_from, out: again });
        }
    }

    fn forge(&self, rng: &mut ChaCha12Rng, act: &mut Act) {
        if let Some(arrival) = pick(&self.heard, rng)
            && let Some(bye) = dns::goodbye(&arrival.payload)
        {
            let source = SocketAddr::new(arrival.source.ip(), MDNS_PORT);
            for group in self.groups().filter(|group| group.is_ipv4() == source.is_ipv4()) {
                let out = out(MDNS_PORT, group, &bye);
                act.sends.push(Misdeed { fault: Fault::Forged, as_if_from: Some(source), out });
            }
        }
    }

    /// Who dials is closed in the name of whom he dials, before that one can answer.
    fn close(&mut self, sent: &Outgoing) -> Option<Misdeed> {
        let (first, dialler) = (FirstFlight::read(&sent.payload)?, sent.source_ip?);
        self.closed = self.closed.wrapping_add(1);
        // Every other time he says what would hurt most, were it believed.
        let code = if self.closed.is_multiple_of(2) { NOT_PAIRED } else { self.closed / 2 % CODES };
        let close = first.forged_close(code);
        let out = out(QUIC_PORT, SocketAddr::new(dialler, sent.source_port), &close);
        Some(Misdeed { fault: Fault::Forged, as_if_from: Some(sent.destination), out })
    }

    fn lie(&self, rng: &mut ChaCha12Rng, act: &mut Act) {
        let Some(arrival) = pick(&self.heard, rng) else { return };
        let lie = dns::moved(&arrival.payload, Ipv4Addr::new(10, 1, 0, 250));
        if let Some(lie) = lie {
            self.multicast(Fault::Lied, &lie, act);
        }
    }
}

fn out(source_port: u16, destination: SocketAddr, payload: &[u8]) -> Outgoing {
    Outgoing {
        interface: Some(1),
        source_ip: None,
        source_port,
        destination,
        ecn: None,
        may_fragment: true,
        payload: Bytes::copy_from_slice(payload),
    }
}

impl Stranger for Rogue {
    fn heard(&mut self, _: Instant, arrival: &Arrival) {
        if arrival.destination_port == MDNS_PORT && arrival.destination.is_multicast() {
            remember(&mut self.heard, arrival.clone());
        }
    }

    fn overheard(&mut self, now: Instant, _: Host, sent: &Outgoing) -> Vec<Misdeed> {
        if sent.destination.ip().is_multicast() || now >= self.until {
            return Vec::new();
        }
        if self.who == Villain::Forger {
            return self.close(sent).into_iter().collect();
        }
        remember(&mut self.overheard, sent.clone());
        Vec::new()
    }

    fn taps(&self) -> bool {
        matches!(self.who, Villain::Replayer | Villain::Forger)
    }

    fn act(&mut self, now: Instant, rng: &mut ChaCha12Rng) -> Act {
        let mut act = Act::default();
        if now >= self.until {
            return act;
        }
        match self.who {
            Villain::RecordFlood => self.flood_records(rng, &mut act),
            Villain::InitialFlood => self.flood_initials(rng, &mut act),
            Villain::Replayer => self.replay(rng, &mut act),
            Villain::Forger => self.forge(rng, &mut act),
            Villain::Liar => self.lie(rng, &mut act),
        }
        act.again = Some(Duration::from_millis(u64::from(10 + rng.next_u32() % 490)));
        act
    }
}
