//! Who shows what on the LAN, beside who is there: whether every search shows what it should, and nothing else.
//!
//! Nothing here waits: whoever asks says when it must hold.

use super::director::Director;
use super::offer::{self, version_in};
use super::plan::Guest;
use handfast_core::{ServiceInstance, ServiceType};
use std::net::IpAddr;

/// A service that is there.
struct Wares {
    guest: usize,
    /// Without a subtype.
    kind: ServiceType,
    subtypes: Vec<String>,
    /// As it is called at present.
    name: String,
    port: u16,
    /// What its TXT record says. `None` for devices themselves, which say other things.
    version: Option<String>,
}

impl Wares {
    fn is(&self, sought: &ServiceType) -> bool {
        let has = |subtype: &str| self.subtypes.iter().any(|own| own == subtype);
        self.kind == sought.base() && sought.subtype().is_none_or(has)
    }

    fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether an interface shows it as it is, where its host has these addresses. One of them is enough: others
    /// may be left from before.
    fn is_shown(&self, shown: &ServiceInstance, addresses: &[IpAddr]) -> bool {
        self.is_called(&shown.name)
            && self.port == shown.port
            && self.version.as_deref().is_none_or(|own| version_in(&shown.txt) == Some(own))
            && shown.addresses.iter().any(|address| addresses.contains(&address.ip()))
    }
}

/// Guests that are there, with what they offer. A sentence where something is not announced that should be.
fn on_offer(director: &mut Director) -> Result<Vec<Wares>, String> {
    let mut all = Vec::new();
    for number in present(director) {
        let Some(host) = director.hosts[number] else { continue };
        let name = director.id(number).to_string();
        let machine = &mut director.world[host];
        if machine.ips().next().is_none() {
            // Nobody hears of it.
            continue;
        }
        let port = machine.quic_port();
        all.push(Wares {
            guest: number,
            kind: offer::kind("_swarm._udp"),
            subtypes: Vec::new(),
            name,
            port,
            version: None,
        });
        for stall in machine.app.shop.stalls.values() {
            let Some(name) = stall.told.clone() else {
                return Err(format!("host-{number} was not told that {:?} is published", stall.offer.name));
            };
            let service = stall.offer.service();
            all.push(Wares {
                guest: number,
                kind: service.kind().clone(),
                subtypes: service.subtypes().to_vec(),
                name,
                port: service.port(),
                version: Some(stall.offer.facts.version()),
            });
        }
    }
    Ok(all)
}

/// The guests that are on the network.
fn present(director: &Director) -> Vec<usize> {
    let is_there = |number: &usize| director.hosts[*number].is_some() && director.left != Some(*number);
    (0..director.hosts.len()).filter(is_there).collect()
}

fn guest(director: &Director, number: usize) -> (usize, &Guest) {
    (number, director.plan.guests[number].as_ref().expect("who has a host was not shrunk away"))
}

/// What some search does not show though it should, or shows though it should not; what is not announced; who
/// is called something else than he says. `None` where all is as it should be.
pub(super) fn discord(director: &mut Director) -> Option<String> {
    let all = match on_offer(director) {
        Ok(all) => all,
        Err(sentence) => return Some(sentence),
    };
    for number in present(director) {
        let Some(host) = director.hosts[number] else { continue };
        let seeker = guest(director, number);
        for search in director.world[host].app.shop.searches.values() {
            for index in 0..seeker.1.segments.len() {
                let heard = |wares: &Wares| heard(director, (seeker, index), wares.guest);
                let sought = |wares: &&Wares| {
                    wares.guest != number && wares.is(&search.kind) && !is_own_name(&all, number, wares)
                };
                let due: Vec<(&Wares, Vec<IpAddr>)> = all
                    .iter()
                    .filter(sought)
                    .map(|wares| (wares, heard(wares)))
                    .filter(|(_, addresses)| !addresses.is_empty())
                    .collect();
                let shown = search.shown.values().filter(|shown| shown.interface == index as u32 + 1);
                let shown: Vec<&ServiceInstance> = shown.collect();
                if let Some(sentence) = difference(&due, &shown) {
                    let kind = &search.kind;
                    return Some(format!(
                        "host-{number} looks for {kind} on interface {}: {sentence}",
                        index + 1
                    ));
                }
            }
        }
    }
    strange_name(director)
}

/// Whether a guest has the name himself: of his own names he is shown nothing. That two have one is for
/// [`namesakes`] to say: it is noticed when either speaks of it to all, which may be late. RFC 6762 §9.
fn is_own_name(all: &[Wares], number: usize, wares: &Wares) -> bool {
    all.iter().any(|own| own.guest == number && own.kind == wares.kind && own.is_called(&wares.name))
}

/// The addresses of a guest that another's interface hears of: all of each interface of his that it hears.
fn heard(director: &Director, seeker: ((usize, &Guest), usize), number: usize) -> Vec<IpAddr> {
    let Some(host) = director.hosts[number] else { return Vec::new() };
    let ports = &director.world[host].ports;
    let heard = director.places.heard(seeker, guest(director, number)).filter_map(|at| ports.get(&at));
    heard.flat_map(|port| &port.addresses).map(|address| address.ip).collect()
}

/// How what a search shows on an interface is not what is due. Of two who have one name and cannot hear each other,
/// whoever is shown will do.
fn difference(due: &[(&Wares, Vec<IpAddr>)], shown: &[&ServiceInstance]) -> Option<String> {
    for (wares, _) in due {
        let entries: Vec<_> = shown.iter().filter(|shown| wares.is_called(&shown.name)).collect();
        let fits = |shown: &ServiceInstance| due.iter().any(|(wares, ips)| wares.is_shown(shown, ips));
        let Wares { guest, name, port, version, .. } = wares;
        match entries[..] {
            [] => return Some(format!("{name:?} of host-{guest} is not shown")),
            [one] if fits(one) => {}
            _ => {
                return Some(format!(
                    "{name:?} of host-{guest} at port {port}, version {version:?}, is shown as {entries:?}"
                ));
            }
        }
    }
    let stale = shown.iter().find(|shown| !due.iter().any(|(wares, _)| wares.is_called(&shown.name)));
    stale.map(|stale| format!("nobody has what it shows, {stale:?}"))
}

/// Whom another sees under a name that he does not have.
fn strange_name(director: &mut Director) -> Option<String> {
    let all = present(director);
    for a in all.iter().copied() {
        let Some(host) = director.hosts[a] else { continue };
        let seen = director.world.tell(host, |node, _| node.peers().discovered());
        for b in all.iter().copied() {
            let Some(other) = director.hosts[b] else { continue };
            let Some(called) = &director.world[other].app.shop.called else { continue };
            let id = director.id(b);
            if a == b || !director.places.sees(guest(director, a), guest(director, b)) {
                continue;
            }
            let name = seen.iter().find(|peer| peer.id == id).map(|peer| &peer.name);
            if name != Some(called) {
                return Some(format!("host-{a} sees host-{b} as {name:?}, and not as {called:?}"));
            }
        }
    }
    None
}

/// Who makes two that have one name speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// Somebody else who looks for their kind: each time that he asks both answer, and hear each other.
    Search,
    /// They spoke to all, of their own accord.
    None,
}

/// Two who hear each other and have one name for one kind.
pub(super) fn namesakes(director: &mut Director, prompt: Prompt) -> Option<String> {
    let wares = on_offer(director).ok()?;
    for (at, one) in wares.iter().enumerate() {
        for other in &wares[at + 1..] {
            let clash = one.kind == other.kind && one.is_called(&other.name);
            let (a, b) = (guest(director, one.guest), guest(director, other.guest));
            let noticed = prompt == Prompt::None || is_asked_for(director, [a.0, b.0], &one.kind);
            if clash && noticed && (a.0 == b.0 || director.places.sees(a, b)) {
                return Some(format!("host-{} and host-{} both are {:?}", a.0, b.0, one.name));
            }
        }
    }
    None
}

/// Whether somebody else looks for a kind and hears both of two guests.
fn is_asked_for(director: &Director, two: [usize; 2], kind: &ServiceType) -> bool {
    let mut others = present(director).into_iter().filter(|number| !two.contains(number));
    others.any(|number| {
        let Some(host) = director.hosts[number] else { return false };
        let seeker = guest(director, number);
        let hears = |other: usize| director.places.sees(seeker, guest(director, other));
        let mut searches = director.world[host].app.shop.searches.values();
        searches.any(|search| search.kind == *kind) && two.into_iter().all(hears)
    })
}
