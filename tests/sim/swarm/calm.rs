//! What must hold once nothing is wrong any more: nobody says what is known, and who says goodbye is gone.

use super::director::Director;
use super::market;
use super::plan::{Joint, Step};
use super::verdict;
use crate::fabric::{Host, Segment};
use crate::world::Seen;
use handfast_core::{Family, Sources};
use simple_dns::{Packet, PacketFlag};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// An answer comes within this time of its question, or never: half a second for known answers that are still
/// to come, and the random delays; or a second after the same was said before. RFC 6762 §6, §7.2.
const ANSWERED_WITHIN: Duration = Duration::from_millis(1_100);

/// A goodbye takes effect a second after it was heard. RFC 6762 §10.1.
const GONE_WITHIN: Duration = Duration::from_secs(3);

/// For so long mDNS is switched off.
const SWITCHED_OFF: Duration = Duration::from_secs(60);

/// Once it is on again all is announced, after names were asked for, within this time: questions that came to nothing
/// are asked ever more seldom. RFC 6762 §5.2.
const BACK_WITHIN: Duration = Duration::from_secs(60);

/// Wakes one host after the other, so that each asks who is there and says whom it knows.
pub(super) fn check(director: &mut Director) {
    // What a reflector asks on another's behalf is not seen.
    let reflected = director.plan.joints.iter().any(|joint| matches!(joint, Joint::Reflector(..)));
    for number in 0..director.hosts.len() {
        let Some(host) = director.hosts[number] else { continue };
        if !reflected {
            director.hushed.borrow_mut().listen_to(host);
        }
        director.world.tell(host, |node, now| node.handle_wake(now, Duration::from_secs(60)));
        director.pass_until(director.world.elapsed() + 5 * ANSWERED_WITHIN);
        director.hushed.borrow_mut().rest();
    }
}

/// Switches mDNS off at the first host: it is silent, and all who saw it see it no more. Once it is on again all is as
/// before.
pub(super) fn check_switch(director: &mut Director) {
    let Some(first) = first_seen(director).filter(|_| director.plan.seed.is_multiple_of(2)) else { return };
    let mut sources = Sources::all();
    sources.mdns = false;
    director.set_sources(first, sources);
    director.pass_until(director.world.elapsed() + GONE_WITHIN);
    assert_unseen(director, first, "who switches mDNS off is gone");
    director.pass_until(director.world.elapsed() + SWITCHED_OFF);
    director.set_sources(first, Sources::all());
    let end = director.world.elapsed() + BACK_WITHIN;
    while let Some(sentence) = verdict::blindness(director).or_else(|| market::discord(director)) {
        assert!(director.world.elapsed() < end, "who switches mDNS on again is back: {sentence}");
        director.pass_until(director.world.elapsed() + Duration::from_secs(1));
    }
}

/// The first host, where nobody said anything in its name that may outlive it.
fn first_seen(director: &Director) -> Option<usize> {
    let lies = |step: &Step| matches!(step, Step::Villain(_, who, _) if who.speaks_for_others());
    if director.plan.steps.iter().flatten().any(|(_, step)| lies(step)) {
        return None;
    }
    director.hosts.iter().position(Option::is_some)
}

/// Nobody who sees a host when it is there sees it.
fn assert_unseen(director: &mut Director, first: usize, what: &str) {
    let (id, guest) = (director.id(first), director.plan.guests[first].clone());
    let Some(guest) = guest else { return };
    for number in first + 1..director.hosts.len() {
        let (Some(host), Some(other)) = (director.hosts[number], director.plan.guests[number].clone()) else {
            continue;
        };
        if !director.places.sees((number, &other), (first, &guest)) {
            continue;
        }
        let seen = director.world.tell(host, |node, _| node.peers().discovered());
        let is_seen = seen.iter().any(|peer| peer.id == id);
        assert!(!is_seen, "{what}: host-{number} still sees host-{first}");
    }
}

/// Ends the first host in good order: all who saw it see it go, with all that it offers.
pub(super) fn check_goodbye(director: &mut Director) {
    let Some(first) = first_seen(director) else { return };
    let Some(leaver) = director.hosts[first] else { return };
    director.shut_down(leaver);
    director.left = Some(first);
    director.pass_until(director.world.elapsed() + GONE_WITHIN);
    assert_unseen(director, first, "who says goodbye is gone");
    if let Some(sentence) = market::discord(director) {
        panic!("who says goodbye is gone: {sentence}");
    }
}

/// What was asked lately, and what its asker knew.
#[derive(Default)]
pub(super) struct Hushed {
    /// Who was woken, while anybody listens.
    woken: Option<Host>,
    /// Where hosts are: who hears whom.
    homes: BTreeMap<(Host, u32), Segment>,
    /// By segment, IP version and question: when it was asked, and which answers were known to all who asked.
    asked: BTreeMap<(Segment, Family, String), (Duration, BTreeSet<String>)>,
}

impl Hushed {
    /// Who woke asks, and announces himself.
    fn listen_to(&mut self, woken: Host) {
        self.woken = Some(woken);
        self.asked.clear();
    }

    fn rest(&mut self) {
        self.woken = None;
    }

    /// A host's interface is on a segment, in a world whose bridges make one segment of several.
    pub(super) fn at_home(&mut self, host: Host, interface: u32, segment: Segment) {
        self.homes.insert((host, interface), segment);
    }

    /// A datagram of a node. Panics where it says what its asker knew.
    pub(super) fn sent(&mut self, seen: &Seen<'_>, packet: &Packet<'_>) {
        let Some(interface) = seen.interface.filter(|_| self.woken.is_some()) else { return };
        let Some(segment) = self.homes.get(&(seen.host, interface)).copied() else { return };
        let family = Family::of(seen.destination.ip());
        if packet.has_flags(PacketFlag::RESPONSE) {
            if self.woken == Some(seen.host) {
                return;
            }
            self.answered(seen.at, (segment, family), packet);
        } else {
            self.question(seen.at, (segment, family), packet);
        }
    }

    fn question(&mut self, at: Duration, (segment, family): (Segment, Family), packet: &Packet<'_>) {
        // Half of its time must be left to what is known. RFC 6762 §7.1.
        let known: BTreeSet<String> = packet
            .answers
            .iter()
            .filter(|record| record.ttl >= PTR_TTL / 2)
            .map(|record| format!("{} {:?}", record.name, record.rdata))
            .collect();
        for question in &packet.questions {
            let key = (segment, family, format!("{}", question.qname));
            let asked = self.asked.entry(key).or_insert_with(|| (at, known.clone()));
            if at > asked.0 + ANSWERED_WITHIN {
                asked.1 = known.clone();
            } else {
                asked.1.retain(|one| known.contains(one));
            }
            asked.0 = at;
        }
    }

    fn answered(&self, at: Duration, (segment, family): (Segment, Family), packet: &Packet<'_>) {
        for record in &packet.answers {
            let Some((when, known)) = self.asked.get(&(segment, family, format!("{}", record.name))) else {
                continue;
            };
            let said = format!("{} {:?}", record.name, record.rdata);
            assert!(
                at > *when + ANSWERED_WITHIN || !known.contains(&said),
                "nobody is told what he knows: {said}"
            );
        }
    }
}

/// The time to live of PTR records, in seconds. RFC 6762 §10.
const PTR_TTL: u32 = 4500;
