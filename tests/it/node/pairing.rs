//! Two strangers that pair by a code, through whole nodes.

use super::support::*;
use handfast_core::ask::{Answer, Ask, PairingReply};
use handfast_core::store::PairState;
use handfast_core::{Code, Event, PairedPeer, PairingFailure, PairingId, Target};
use handfast_tests::net::{Hooks, Host, Net};
use std::time::Instant;

fn strangers(seed: u64) -> (Net, Host, Host) {
    let mut net = Net::new(Instant::now());
    let a = net.add(config(), &identity(1), seed, vec![]);
    let b = net.add(config(), &identity(2), seed + 1, vec![]);
    (net, a, b)
}

fn outcome(net: &Net, host: Host) -> Option<Result<PairedPeer, PairingFailure>> {
    net.hosts[host.0].events.iter().rev().find_map(|event| match event {
        Event::PairingEnded(_, result) => Some(result.clone()),
        _ => None,
    })
}

/// A shows a code and B types it, by address.
fn pair(net: &mut Net, a: Host, b: Host) -> Code {
    let code = net.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    join(net, a, b, code.clone());
    code
}

fn join(net: &mut Net, a: Host, b: Host, code: Code) -> PairingId {
    let at = Target::At(vec![net.address(a)]);
    net.tell(b, |node, now| node.pairing().join(now, code, &at).unwrap())
}

/// A code that is well formed and not `code`.
fn other_code(code: &Code) -> Code {
    let spelled = code.to_string();
    let all = (0..10_000_000u32).map(|n| format!("{n:07}"));
    let mut well_formed = all.filter_map(|text| text.parse::<Code>().ok());
    well_formed.find(|other| other.to_string() != spelled).unwrap()
}

fn nobody_is_paired(net: &mut Net) {
    for host in 0..net.hosts.len() {
        let paired = net.tell(Host(host), |node, _| node.peers().paired());
        assert_eq!(paired, [], "host {host}");
        assert!(net.hosts[host].saved.is_empty(), "the application of host {host} still has the peer");
        assert!(!told(net, Host(host), |event| matches!(event, Event::PeerPaired(_))));
    }
}

/// Whoever waited for the pairing was told that it failed.
fn both_failed(net: &Net, case: &str) {
    for host in [Host(0), Host(1)] {
        let outcome = outcome(net, host);
        assert!(matches!(outcome, Some(Err(_))), "{case}: {outcome:?}");
    }
}

#[test]
fn a_wrong_code_never_pairs() {
    let (mut net, a, b) = strangers(1);
    let code = net.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    join(&mut net, a, b, other_code(&code));
    assert!(net.run_until(SOON, |net| outcome(net, b).is_some()));
    net.run_for(SOON);
    assert_eq!(outcome(&net, b), Some(Err(PairingFailure::BadCode { attempts_left: 2 })));
    let counted = |e: &Event| matches!(e, Event::PairingAttemptFailed { attempts_left: 2, .. });
    assert!(told(&net, a, counted));
    nobody_is_paired(&mut net);
    // The window is still open for the right one.
    join(&mut net, a, b, code);
    assert!(net.run_until(SOON, |net| matches!(outcome(net, b), Some(Ok(_)))));
}

#[test]
fn the_right_code_pairs_both_sides_and_they_connect() {
    let (mut net, a, b) = strangers(1);
    pair(&mut net, a, b);
    assert!(net.run_until(SOON, |net| conn(net, a).is_some() && conn(net, b).is_some()));
    for (host, peer) in [(a, identity(2)), (b, identity(1))] {
        let paired = outcome(&net, host).unwrap().unwrap();
        assert_eq!(paired.key, peer.public_key());
        assert_eq!(net.hosts[host.0].saved, [paired.pair_id]);
        let record = &net.hosts[host.0].store[&paired.pair_id];
        assert_eq!((record.state, record.peer), (PairState::Paired, peer.public_key()));
    }
    let secret = |host: usize| net.hosts[host].store.values().next().unwrap().secret.clone();
    assert!(secret(0) == secret(1), "both derived one secret");
}

#[test]
fn a_third_wrong_code_ends_the_window() {
    let (mut net, a, b) = strangers(1);
    let code = net.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    for left in [2, 1, 0] {
        net.host(b).events.clear();
        join(&mut net, a, b, other_code(&code));
        assert!(net.run_until(SOON, |net| outcome(net, b).is_some()));
        net.run_for(SOON);
        assert_eq!(outcome(&net, b), Some(Err(PairingFailure::BadCode { attempts_left: left })));
    }
    assert_eq!(outcome(&net, a), Some(Err(PairingFailure::Locked)));
    nobody_is_paired(&mut net);
}

#[test]
fn a_hook_that_fails_on_either_side_leaves_neither_paired() {
    for failing in [0, 1] {
        let (mut net, a, b) = strangers(1);
        net.hosts[failing].hooks = Hooks::Fail;
        pair(&mut net, a, b);
        net.run_for(SOON * 3);
        both_failed(&net, &format!("failing {failing}"));
        nobody_is_paired(&mut net);
        assert!(net.hosts.iter().all(|host| host.store.is_empty()));
    }
}

#[test]
fn a_hook_that_hangs_on_either_side_leaves_neither_paired() {
    for hanging in [0, 1] {
        let (mut net, a, b) = strangers(1);
        net.hosts[hanging].hooks = Hooks::Hang;
        pair(&mut net, a, b);
        net.run_for(SOON * 20);
        both_failed(&net, &format!("hanging {hanging}"));
        nobody_is_paired(&mut net);
    }
}

#[test]
fn a_store_that_fails_on_either_side_leaves_neither_paired() {
    for failing in [0, 1] {
        let (mut net, a, b) = strangers(1);
        net.hosts[failing].store_works = false;
        pair(&mut net, a, b);
        net.run_for(SOON * 3);
        both_failed(&net, &format!("failing {failing}"));
        nobody_is_paired(&mut net);
    }
}

#[test]
fn a_connection_lost_at_any_datagram_leaves_both_paired_or_neither_once_they_meet_again() {
    // Of the datagrams that pairing takes, this many arrive, and then none until both gave up.
    for arrive in 0..60_u32 {
        let (mut net, a, b) = strangers(1);
        let mut left = arrive;
        net.lose = Some(Box::new(move |_, _| {
            let lost = left == 0;
            left = left.saturating_sub(1);
            lost
        }));
        pair(&mut net, a, b);
        net.run_for(SOON * 30);
        net.lose = None;
        let (to_a, to_b) = (net.address(a), net.address(b));
        for (from, peer, to) in [(a, identity(2), to_b), (b, identity(1), to_a)] {
            net.tell(from, |node, now| {
                node.peers().add_address(now, name(&peer), to);
                // Whoever has no record has nobody to dial.
                let _ = node.connect(now, name(&peer));
            });
            net.run_for(SOON * 4);
        }
        let paired = |net: &mut Net, host| net.tell(host, |node, _| node.peers().paired().len());
        let (of_a, of_b) = (paired(&mut net, a), paired(&mut net, b));
        assert_eq!(of_a, of_b, "after {arrive} datagrams");
        let saved = |host: Host| net.hosts[host.0].saved.len();
        assert_eq!((saved(a), saved(b)), (of_a, of_b), "after {arrive} datagrams");
    }
}

#[test]
fn who_shows_a_code_may_dial_and_the_other_is_asked() {
    let (mut net, a, b) = strangers(1);
    let at = Target::At(vec![net.address(b)]);
    let code = net.tell(a, |node, now| node.pairing().host(now, &at).unwrap().code);
    assert!(net.run_until(SOON, |net| !net.hosts[b.0].requests.is_empty()));
    let Ask::PairingRequest(token, request) = net.host(b).requests.remove(0) else { unreachable!() };
    assert_eq!(request.peer, identity(1).public_key());
    let reply = Answer::PairingRequest(token, PairingReply::Join(code));
    net.tell(b, |node, now| node.answer(now, reply));
    assert!(net.run_until(SOON, |net| conn(net, a).is_some() && conn(net, b).is_some()));
}

#[test]
fn a_peer_that_was_found_and_shows_a_code_needs_no_address() {
    let (mut net, a, b) = strangers(1);
    net.run_for(SOON);
    let code = net.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
    assert!(net.run_until(SOON, |net| {
        let shows = |e: &Event| matches!(e, Event::PeerUpdated(peer) if peer.pairing);
        told(net, b, shows)
    }));
    net.tell(b, |node, now| node.pairing().join(now, code, &Target::Any)).unwrap();
    assert!(net.run_until(SOON, |net| matches!(outcome(net, b), Some(Ok(_)))));
}

#[test]
fn a_forgotten_peer_is_refused_and_forgets_too() {
    let (mut net, a, b) = strangers(1);
    pair(&mut net, a, b);
    assert!(net.run_until(SOON, |net| conn(net, a).is_some() && conn(net, b).is_some()));
    assert!(net.tell(a, |node, now| node.pairing().forget(now, name(&identity(2)))));
    net.run_for(SOON);
    assert!(net.hosts.iter().all(|host| host.store.is_empty()));
    assert!(told(&net, b, |event| matches!(event, Event::PeerUnpaired(..))));
    assert!(told(&net, b, |event| matches!(event, Event::PeerDisconnected(..))));
}
