//! What must hold in every world, each an assertion with a sentence.

use super::director::Director;
use super::market::{self, Prompt};
use crate::fabric::Host;
use handfast_core::store::{PairRecord, PairState};
use handfast_core::{PairId, Table};
use std::collections::BTreeSet;
use std::time::Duration;

/// Within which, after all faults ended, both sides of every pairing agree: windows and sessions end after
/// 2 minutes, hooks after 30 s, and each side dials the other every 30 s here.
const AGREE_WITHIN: Duration = Duration::from_secs(600);

/// Within which, after all faults ended, all see each other who should: browsing asks again at least once an
/// hour (RFC 6762 §5.2), and what was cached expires within 75 minutes.
const SEE_WITHIN: Duration = Duration::from_secs(80 * 60);

/// Within which two are connected again that see each other, are paired, and keep each other connected: whoever dials
/// in vain waits for at most 300 s.
const KEPT_WITHIN: Duration = Duration::from_secs(400);

/// How often whoever has a pairing dials.
const DIAL_EVERY: Duration = Duration::from_secs(30);

/// Lets a world without faults come to rest, and checks what must hold then.
pub(super) fn await_rest(director: &mut Director) {
    let healed = director.world.elapsed();
    // To the end of this time though they agree before: a window may still be open, a session under way, or a store
    // busy with what its user forgot.
    while director.world.elapsed() < healed + AGREE_WITHIN {
        director.lift_bans();
        if disagreement(director).is_some() {
            dial_all(director);
        }
        director.pass_until(director.world.elapsed() + DIAL_EVERY);
    }
    if let Some(sentence) = disagreement(director) {
        panic!("pairing ends on both sides or on neither: {sentence}");
    }
    if let Some(sentence) = unmet_trust(director) {
        panic!("two who trust each other pair: {sentence}");
    }
    let untold = director.truth.borrow().untold();
    assert!(
        untold.is_none(),
        "bytes arrive whole or with an error: nobody is told how stream {untold:?} ended"
    );
    let late = |director: &Director| director.world.elapsed() >= healed + SEE_WITHIN;
    while let Some(sentence) = blindness(director) {
        assert!(!late(director), "all who should see each other do: {sentence}");
        director.pass_until(director.world.elapsed() + Duration::from_secs(60));
    }
    let seen = director.world.elapsed();
    while let Some(sentence) = apart(director) {
        let is_late = director.world.elapsed() >= seen + KEPT_WITHIN;
        assert!(!is_late, "whom nodes keep connected is connected: {sentence}");
        director.pass_until(director.world.elapsed() + Duration::from_secs(10));
    }
    while let Some(sentence) =
        market::namesakes(director, Prompt::Search).or_else(|| market::discord(director))
    {
        assert!(!late(director), "all names differ, and every search shows what is there: {sentence}");
        director.pass_until(director.world.elapsed() + Duration::from_secs(60));
    }
}

/// Checks that nodes told what they have, and that no table outgrew its bound.
pub(super) fn check_nodes(director: &mut Director) {
    for host in director.hosts.clone().into_iter().flatten() {
        if director.world[host].is_up() {
            director.world.with_app(host, |user, cx| user.shop.check(cx.node));
        }
    }
    check_tables(director);
}

fn check_tables(director: &mut Director) {
    for host in director.hosts.clone().into_iter().flatten() {
        let Some(node) = director.world[host].node() else { continue };
        for table in node.tables() {
            let Table { name, len, bound, .. } = table;
            assert!(len <= bound, "every table stays within its bound: {name} holds {len} of {bound}");
        }
    }
}

fn dial_all(director: &mut Director) {
    for a in 0..director.hosts.len() {
        for b in 0..director.hosts.len() {
            if a != b && !records(director, a, b).is_empty() {
                director.connect(a, b);
            }
        }
    }
}

/// What a guest's store holds of another.
fn records(director: &Director, own: usize, peer: usize) -> Vec<PairRecord> {
    let Some(host) = director.hosts[own] else { return Vec::new() };
    let key = director.key(peer);
    director.world[host].store.records.values().filter(|record| record.peer == key).cloned().collect()
}

fn disagreement(director: &Director) -> Option<String> {
    for a in 0..director.hosts.len() {
        for b in a + 1..director.hosts.len() {
            let (Some(one), Some(other)) = (&director.plan.guests[a], &director.plan.guests[b]) else {
                continue;
            };
            let sides = [records(director, a, b), records(director, b, a)];
            // Only who has a record dials: a peer that forgot him and cannot be dialled is never met again.
            let meet = (!sides[0].is_empty() && director.places.reaches((a, one), (b, other)))
                || (!sides[1].is_empty() && director.places.reaches((b, other), (a, one)));
            if !meet {
                continue;
            }
            let tentative = sides.iter().flatten().find(|record| record.state != PairState::Paired);
            if let Some(record) = tentative {
                return Some(format!("{a} and {b} still have {:?} in {:?}", record.pair_id, record.state));
            }
            let ids = |side: &[PairRecord]| side.iter().map(|record| record.pair_id).collect::<BTreeSet<_>>();
            if ids(&sides[0]) != ids(&sides[1]) {
                return Some(format!("{a} has {:?} and {b} has {:?}", ids(&sides[0]), ids(&sides[1])));
            }
        }
        if let Some(host) = director.hosts[a]
            && let Some(sentence) = application_disagrees(director, host)
        {
            return Some(sentence);
        }
    }
    None
}

/// Two that are paired, one of which finds the other, and that are not connected though their nodes see to it.
fn apart(director: &Director) -> Option<String> {
    // A user who is asked may say no each time.
    if !director.plan.eager || director.plan.care.admits {
        return None;
    }
    for a in 0..director.hosts.len() {
        for b in a + 1..director.hosts.len() {
            let (Some(one), Some(other)) = (&director.plan.guests[a], &director.plan.guests[b]) else {
                continue;
            };
            let (Some(host), Some(peer)) = (director.hosts[a], director.hosts[b]) else { continue };
            let finds = |from, to| director.places.sees(from, to) && director.places.reaches(from, to);
            let meet = finds((a, one), (b, other)) || finds((b, other), (a, one));
            let is_paired = !records(director, a, b).is_empty() && !records(director, b, a).is_empty();
            let user = |host: Host| &director.world[host].app;
            let is_connected = user(host).connection_to(&director.key(b)).is_some()
                && user(peer).connection_to(&director.key(a)).is_some();
            let is_kept = !director.closed.contains(&[a, b]);
            if meet && is_kept && is_paired && !is_connected {
                return Some(format!("host-{a} and host-{b} are not"));
            }
        }
    }
    None
}

/// Two of which one sees the other, and who still trust each other instead of being paired. Beyond the LAN what counts is
/// which address the users told each other, and whether it is still right.
fn unmet_trust(director: &mut Director) -> Option<String> {
    let all: Vec<_> = (0..director.hosts.len()).filter(|n| director.hosts[*n].is_some()).collect();
    let mut trusting = BTreeSet::new();
    for a in &all {
        let Some(host) = director.hosts[*a] else { continue };
        let keys = director.world.tell(host, |node, _| node.pairing().trusting());
        let of =
            |b: &&usize| keys.iter().any(|trusted| trusted.fingerprint == director.key(**b).fingerprint());
        trusting.extend(all.iter().filter(of).map(|b| (*a, *b)));
    }
    let mutual = trusting.iter().find(|(a, b)| {
        let (Some(one), Some(other)) = (&director.plan.guests[*a], &director.plan.guests[*b]) else {
            return false;
        };
        trusting.contains(&(*b, *a))
            && director.places.sees((*a, one), (*b, other))
            && director.places.reaches((*a, one), (*b, other))
    });
    mutual.map(|(a, b)| format!("{a} and {b} do not"))
}

/// Whether an application has other peers than its node.
fn application_disagrees(director: &Director, host: Host) -> Option<String> {
    let machine = &director.world[host];
    let paired = machine.store.records.values().filter(|record| record.state == PairState::Paired);
    let paired: BTreeSet<PairId> = paired.map(|record| record.pair_id).collect();
    let saved: BTreeSet<PairId> = machine.app.saved.keys().copied().collect();
    if let Some(missing) = paired.difference(&saved).next() {
        return Some(format!(
            "{} is paired as {missing:?}, which its application did not save",
            machine.name
        ));
    }
    // An event that a crash swallowed is learnt from the list of peers at the next start.
    let held: BTreeSet<PairId> = machine.store.records.keys().copied().collect();
    let left: Vec<&PairId> = saved.difference(&held).collect();
    (!left.is_empty() && machine.app.crashes == 0)
        .then(|| format!("the application of {} still has {left:?}", machine.name))
}

pub(super) fn blindness(director: &mut Director) -> Option<String> {
    for a in 0..director.hosts.len() {
        let (Some(host), Some(one)) = (director.hosts[a], director.plan.guests[a].clone()) else { continue };
        let seen = director.world.tell(host, |node, _| node.peers().discovered());
        for b in 0..director.hosts.len() {
            let Some(other) = &director.plan.guests[b] else { continue };
            let should = a != b && director.places.sees((a, &one), (b, other));
            let id = director.id(b);
            if should && !seen.iter().any(|peer| peer.id == id) {
                return Some(format!("host-{a} does not see host-{b}"));
            }
        }
    }
    None
}
