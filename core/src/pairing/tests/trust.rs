//! Trust without a code.

use super::world::{HOST, JOINER, World};
use crate::error::MarkError;
use crate::event::{Event as Told, PairingFailure, PairingId};
use crate::id::Fingerprint;
use crate::store::{Mark, Role};
use crate::wire::close::CloseCode;
use crate::wire::pairing::{
    Abort, AbortReason, Confirm, Open, PairHello, PairHelloAck, Pairing as Message, Point, Reject,
    RejectReason,
};

/// The one with the smaller fingerprint, who hosts, and the other.
pub(super) fn parts(world: &World) -> (usize, usize) {
    let [a, b] = [0, 1].map(|n| world.nodes[n].key.fingerprint());
    if a < b { (0, 1) } else { (1, 0) }
}

pub(super) fn both_trust(world: &mut World) -> [PairingId; 2] {
    [world.trust(0, 1), world.trust(1, 0)]
}

pub(super) fn key(world: &World, n: usize) -> Fingerprint {
    world.nodes[n].key.fingerprint()
}

fn open(role: Role, method: Option<&str>) -> Message {
    Message::Open(Open { role, method: method.map(str::to_owned) })
}

fn hello(methods: &[&str]) -> Message {
    let methods = methods.iter().map(|method| (*method).to_owned()).collect();
    Message::PairHello(PairHello { version: 1, suites: vec![1], methods, nonce: [1; 16] })
}

fn ack(method: &str) -> Message {
    let method = method.to_owned();
    Message::PairHelloAck(PairHelloAck { version: 1, suite: 1, method, nonce: [2; 16], attempts_left: 255 })
}

/// Dials for this trust from one side alone.
fn dial(world: &mut World, from: usize, trust: PairingId) -> usize {
    let wire = world.dial(from, 1 - from, trust);
    world.run();
    wire
}

#[test]
fn two_that_trust_each_other_pair_without_a_code_whoever_dials() {
    for smaller_dials in [true, false] {
        let mut world = World::new();
        let ids = both_trust(&mut world);
        let (host, joiner) = parts(&world);
        let dialler = if smaller_dials { host } else { joiner };
        let wire = dial(&mut world, dialler, ids[dialler]);
        world.assert_paired_alike();
        let names = world.names(wire);
        let of = |n: usize| {
            let said = names.iter().filter(|(from, name)| *from == n && name != "Open");
            said.map(|(_, name)| name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(joiner), ["PairHello", "ConfirmA", "Meta", "UserOk", "Prepared", "Done"]);
        assert_eq!(of(host), ["PairHelloAck", "ConfirmB", "Meta", "UserOk", "Commit"]);
        for n in [host, joiner] {
            let node = &world.nodes[n];
            assert_eq!(node.endings(), [Ok(node.paired()[0])]);
            assert!(node.marks.is_empty(), "the mark goes with the pairing");
            assert!(node.engine.trusting().is_empty());
            let role = if n == host { Role::Host } else { Role::Joiner };
            assert_eq!(node.store.values().next().unwrap().role, role);
        }
    }
}

#[test]
fn a_trust_is_stored_before_anybody_is_dialled_for_it_and_outlives_a_restart() {
    let mut world = World::new();
    world.nodes[HOST].slow = true;
    let addresses = vec!["192.0.2.9:5000".parse().unwrap()];
    let key = key(&world, JOINER);
    world.nodes[HOST].engine.trust(world.now, key, addresses.clone()).unwrap();
    world.pass(std::time::Duration::from_secs(60));
    assert!(world.nodes[HOST].meets.is_empty() && !world.nodes[HOST].engine.trusting()[0].stored);
    world.nodes[HOST].slow = false;
    world.answer_store(HOST);
    world.pass(std::time::Duration::from_secs(60));
    assert!(!world.nodes[HOST].meets.is_empty());
    world.restart(HOST);
    world.run();
    let trusting = world.nodes[HOST].engine.trusting();
    assert_eq!((trusting[0].fingerprint, &trusting[0].addresses), (key, &addresses));
    world.trust(JOINER, HOST);
    world.pass_and_meet(120);
    world.assert_paired_alike();
}

#[test]
fn one_that_is_not_trusted_back_is_told_so_asks_nobody_and_goes_on_trying() {
    for trusts in [0, 1] {
        let mut world = World::new();
        let id = world.trust(trusts, 1 - trusts);
        world.pass_and_meet(60);
        let tried = |told: &&Told| matches!(told, Told::TrustTried(_, PairingFailure::NotTrusted));
        let told = &world.nodes[trusts].told;
        assert!(told.iter().filter(tried).count() > 2, "{told:?}");
        assert!(!told.iter().any(|told| matches!(told, Told::PairingEnded(..))));
        let other = &world.nodes[1 - trusts];
        assert!(other.prompts.is_empty() && other.told.is_empty(), "the other side's user sees nothing");
        world.trust(1 - trusts, trusts);
        world.pass_and_meet(120);
        world.assert_paired_alike();
        let ended = |told: &&Told| matches!(told, Told::PairingEnded(ended, Ok(_)) if *ended == id);
        assert_eq!(world.nodes[trusts].told.iter().filter(ended).count(), 1);
    }
}

#[test]
fn a_trust_that_is_cancelled_pairs_nobody_and_is_gone_after_a_restart() {
    let mut world = World::new();
    let ids = both_trust(&mut world);
    world.nodes[HOST].engine.cancel(world.now, ids[HOST]);
    world.run();
    assert_eq!(world.nodes[HOST].endings(), [Err(PairingFailure::Cancelled)]);
    assert!(world.nodes[HOST].told.iter().any(|told| matches!(told, Told::PeerUnmarked(_))));
    world.restart(HOST);
    world.run();
    world.pass_and_meet(60);
    assert!(world.nodes.iter().all(|node| node.store.is_empty() && node.saved.is_empty()));
    assert!(world.nodes[HOST].engine.trusting().is_empty() && world.nodes[HOST].marks.is_empty());
}

#[test]
fn a_trust_that_is_cancelled_at_any_frame_leaves_both_or_neither() {
    for who in [0, 1] {
        for after in 0..12 {
            let mut world = World::new();
            let ids = both_trust(&mut world);
            let (host, _) = parts(&world);
            let wire = world.dial(host, 1 - host, ids[host]);
            for _ in 0..after {
                while world.turn(0) || world.turn(1) {}
                let _ = world.deliver_from(wire, 0) || world.deliver_from(wire, 1);
            }
            let key = key(&world, 1 - who);
            world.nodes[who].engine.distrust(world.now, &key);
            world.run();
            world.connect(0, 1);
            world.run();
            world.pass_and_meet(100);
            world.assert_both_or_neither(&format!("{who} cancels after {after}"));
            assert_eq!(world.nodes[who].endings().len(), 1, "its caller hears one end");
        }
    }
}

#[test]
fn a_crash_after_any_frame_leaves_both_or_neither_and_in_the_end_both() {
    for who in [0, 1] {
        for after in 1..14 {
            let mut world = World::new();
            let ids = both_trust(&mut world);
            let (host, _) = parts(&world);
            world.cut_after = Some(after);
            dial(&mut world, host, ids[host]);
            world.cut_after = None;
            world.restart(who);
            world.run();
            world.connect(0, 1);
            world.run();
            world.assert_both_or_neither(&format!("{who} crashes after {after}"));
            world.pass_and_meet(200);
            world.assert_paired_alike();
            assert!(world.nodes.iter().all(|node| node.marks.is_empty()), "{who} crashes after {after}");
        }
    }
}

#[test]
fn dials_that_cross_leave_one_pairing() {
    let mut world = World::new();
    let ids = both_trust(&mut world);
    world.dial(0, 1, ids[0]);
    world.dial(1, 0, ids[1]);
    world.run();
    world.pass_and_meet(60);
    world.assert_paired_alike();
}

#[test]
fn a_pairing_by_code_fulfils_the_trust_too() {
    let mut world = World::new();
    let trust = world.trust(HOST, JOINER);
    world.pair(JOINER);
    world.assert_paired_alike();
    assert!(world.nodes[HOST].marks.is_empty());
    let ended = |told: &&Told| matches!(told, Told::PairingEnded(_, Ok(_)));
    let ended: Vec<_> = world.nodes[HOST].told.iter().filter(ended).collect();
    assert_eq!(ended.len(), 2, "the window's and the trust's caller hear of it");
    assert!(ended.iter().any(|told| matches!(told, Told::PairingEnded(id, _) if *id == trust)));
}

#[test]
fn a_hook_that_refuses_leaves_the_trust_and_the_next_try_pairs() {
    let mut world = World::new();
    both_trust(&mut world);
    world.nodes[HOST].hook = Some(Err(crate::error::HookFailed));
    world.pass_and_meet(30);
    assert!(world.nodes.iter().all(|node| node.store.is_empty()));
    assert_eq!(world.nodes[HOST].marks.len(), 1);
    world.nodes[HOST].hook = Some(Ok(()));
    world.pass_and_meet(200);
    let paired = [0, 1].map(|n| world.nodes[n].paired());
    assert!(paired[0] == paired[1] && paired[0].len() == 1, "saved at last");
}

#[test]
fn a_relay_between_two_connections_is_not_trusted() {
    let mut world = World::new();
    world.exporters = [[7; 32], [8; 32]];
    let ids = both_trust(&mut world);
    let (host, _) = parts(&world);
    let wire = dial(&mut world, host, ids[host]);
    assert_eq!(world.wires[wire].closed, Some((host, CloseCode::Protocol)));
    assert!(world.nodes.iter().all(|node| node.store.is_empty() && node.saved.is_empty()));
}

#[test]
fn a_stranger_that_offers_trust_uses_no_attempt_and_learns_nothing() {
    for methods in [&["trust"][..], &["trust", "digits"], &["digits", "trust"]] {
        let mut world = World::of(3);
        let (host, _) = parts(&world);
        let (window, _) = world.host(host);
        // Somebody is trusted, though not the one who comes.
        let other = key(&world, 2);
        world.nodes[host].engine.trust(world.now, other, Vec::new()).unwrap();
        let wire = world.dial_by_hand(host, 1 - host, None);
        world.say(wire, &open(Role::Joiner, None));
        world.say(wire, &hello(methods));
        match (methods.len(), world.heard(wire)) {
            (1, Message::Reject(Reject { reason: RejectReason::NoWindow, .. })) => {}
            // Beside a code, trust is never chosen.
            (2, Message::PairHelloAck(PairHelloAck { method, attempts_left: 3, .. })) => {
                assert_eq!(method, "digits");
            }
            other => panic!("{methods:?}: {other:?}"),
        }
        assert!(world.nodes[host].engine.needs_dial(window) || world.nodes[host].engine.is_hosting());
        assert!(world.nodes[host].attempts_failed().is_empty());
    }
}

#[test]
fn a_host_cannot_turn_a_code_into_trust_nor_trust_into_a_code() {
    let mut world = World::new();
    let (host, joiner) = parts(&world);
    // The joiner typed a code, and trusts the host as well.
    let trust = world.trust(joiner, host);
    let entry = world.join(joiner, "4821935".parse().unwrap());
    let wire = world.dial_by_hand(joiner, host, Some(entry));
    world.run();
    assert!(matches!(world.heard(wire), Message::PairHello(hello) if hello.methods == ["digits"]));
    world.say(wire, &ack("trust"));
    assert_eq!(world.wires[wire].closed, Some((joiner, CloseCode::Protocol)));
    // It came to be trusted, and is asked for a code.
    let wire = world.dial_by_hand(joiner, host, Some(trust));
    world.run();
    assert!(matches!(world.heard(wire), Message::PairHello(hello) if hello.methods == ["trust"]));
    world.say(wire, &ack("digits"));
    assert_eq!(world.wires[wire].closed, Some((joiner, CloseCode::Protocol)));
    assert!(world.nodes[joiner].saved.is_empty());
}

#[test]
fn a_joiner_cannot_turn_a_code_into_trust_nor_trust_into_a_code() {
    for (dials_for_trust, methods) in [(false, ["trust"]), (true, ["digits"])] {
        let mut world = World::new();
        let (host, joiner) = parts(&world);
        let trust = world.trust(host, joiner);
        let (window, _) = world.host(host);
        let wire = world.dial_by_hand(host, joiner, Some(if dials_for_trust { trust } else { window }));
        world.run();
        world.say(wire, &hello(&methods));
        let Message::Reject(Reject { reason, .. }) = world.heard(wire) else { panic!("{methods:?}") };
        assert_eq!(reason, RejectReason::Method);
        assert!(world.nodes[host].attempts_failed().is_empty());
    }
}

#[test]
fn the_larger_fingerprint_never_hosts_by_trust() {
    let mut world = World::new();
    let (host, joiner) = parts(&world);
    both_trust(&mut world);
    // The one with the larger fingerprint wants to host.
    let wire = world.dial_by_hand(host, joiner, None);
    world.say(wire, &open(Role::Host, Some("trust")));
    assert_eq!(world.heard(wire), Message::Abort(Abort { reason: AbortReason::Refused }));
    // The one with the smaller wants to join.
    let wire = world.dial_by_hand(joiner, host, None);
    world.say(wire, &open(Role::Joiner, None));
    world.say(wire, &hello(&["trust"]));
    assert!(matches!(world.heard(wire), Message::Reject(Reject { reason: RejectReason::NoWindow, .. })));
}

#[test]
fn messages_of_a_code_break_a_session_by_trust() {
    let point = Point { point: [b'A'; 33] };
    for wrong in [Message::PakeA(point), Message::ConfirmA(Confirm { mac: [1; 32] })] {
        let mut world = World::new();
        let (host, joiner) = parts(&world);
        both_trust(&mut world);
        let (_, code) = world.host(host);
        let wire = world.dial_by_hand(host, joiner, None);
        world.say(wire, &open(Role::Joiner, None));
        world.say(wire, &hello(&["trust"]));
        assert!(matches!(world.heard(wire), Message::PairHelloAck(ack) if ack.method == "trust"));
        world.say(wire, &wrong);
        assert_eq!(world.wires[wire].closed, Some((host, CloseCode::Protocol)));
        assert!(world.nodes[host].attempts_failed().is_empty(), "the code {code} is not touched");
        assert!(world.nodes[host].saved.is_empty());
    }
}

#[test]
fn nobody_trusts_or_bans_itself_and_who_is_banned_is_not_trusted() {
    let mut world = World::new();
    let [own, other] = [HOST, JOINER].map(|n| key(&world, n));
    let (now, engine) = (world.now, &mut world.nodes[HOST].engine);
    assert_eq!(engine.trust(now, own, Vec::new()), Err(MarkError::Own));
    assert_eq!(engine.ban(now, own), Err(MarkError::Own));
    engine.ban(now, other).unwrap();
    assert_eq!(engine.trust(now, other, Vec::new()), Err(MarkError::Banned));
    assert!(engine.unban(now, &other) && !engine.unban(now, &other));
    engine.trust(now, other, Vec::new()).unwrap();
    world.run();
    let marks: Vec<&Mark> = world.nodes[HOST].marks.values().collect();
    assert!(marks.len() == 1 && marks[0].is_trusted());
}

#[test]
fn as_many_keys_as_may_be_are_trusted_and_no_more() {
    let mut world = World::new();
    let (now, engine) = (world.now, &mut world.nodes[HOST].engine);
    let print = |n: u8| Fingerprint::from_bytes([n; 32]);
    for n in 0..64 {
        engine.trust(now, print(n), Vec::new()).unwrap();
    }
    assert_eq!(engine.trust(now, print(64), Vec::new()), Err(MarkError::Full));
    assert!(engine.trust(now, print(63), Vec::new()).is_ok(), "again is no other");
    engine.distrust(now, &print(0));
    world.run();
    assert!(world.nodes[HOST].engine.trust(world.now, print(64), Vec::new()).is_ok());
}

#[test]
fn a_record_that_a_lost_session_left_is_sought_to_be_decided_before_another_is_begun() {
    let mut world = World::new();
    let ids = both_trust(&mut world);
    let (host, joiner) = parts(&world);
    let wire = world.dial(host, joiner, ids[host]);
    // The host has committed; nobody hears of it.
    world.silence_after(wire, 10);
    world.run();
    world.cut(wire);
    assert_eq!((world.nodes[host].tentative(), world.nodes[joiner].tentative()), (1, 1));
    world.nodes[host].meets.clear();
    world.nodes[joiner].meets.clear();
    world.pass(std::time::Duration::from_secs(1000));
    for node in &world.nodes {
        assert!(node.meets.is_empty() && (3..30).contains(&node.seeks), "with pauses: {}", node.seeks);
    }
    world.connect(0, 1);
    world.run();
    world.assert_paired_alike();
    assert!(world.nodes.iter().all(|node| node.marks.is_empty()));
}
