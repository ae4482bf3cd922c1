//! Pairing as people do it.

use super::world::{HOST, JOINER, World};
use crate::ask::PairingReply;
use crate::code::Code;
use crate::error::{CodeError, HookFailed, HostError, JoinError};
use crate::event::{Event as Told, PairingFailure, PairingStep};
use crate::id::PeerIdKind;
use std::time::Duration;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A sound code that is not `right`.
pub(super) fn another(right: &Code) -> Code {
    let zeros: Code = "0000000".parse().unwrap();
    if *right == zeros { "4821935".parse().unwrap() } else { zeros }
}

#[test]
fn a_wrong_code_never_pairs_and_uses_up_one_attempt() {
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    let entry = world.join(JOINER, another(&code));
    world.dial(JOINER, HOST, entry);
    world.run();
    for node in &world.nodes {
        assert!(node.store.is_empty() && node.saved.is_empty());
    }
    assert_eq!(world.nodes[HOST].attempts_failed(), [2]);
    assert!(world.nodes[HOST].engine.is_hosting());
    assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::BadCode { attempts_left: 2 })]);
}

#[test]
fn the_right_code_pairs_whoever_dials() {
    for client in [HOST, JOINER] {
        let mut world = World::new();
        let wire = world.pair(client);
        world.assert_both_or_neither("paired");
        let id = world.nodes[HOST].paired()[0];
        for n in [HOST, JOINER] {
            let (node, peer) = (&world.nodes[n], world.nodes[1 - n].key);
            assert_eq!(node.endings(), [Ok(id)]);
            assert_eq!(node.saved.len(), 1);
            assert_eq!(node.saved[0].metadata.name, format!("device {}", 1 - n));
            assert!(node.engine.is_paired(&peer));
            assert!(
                node.told.iter().any(|told| matches!(told, Told::PeerPaired(peer) if peer.pair_id == id))
            );
            assert!(node.engine.record_for_id(&peer.peer_id(PeerIdKind::Sha256)).is_some());
        }
        let secrets = [HOST, JOINER].map(|n| world.nodes[n].store[&id].secret.clone());
        assert_eq!(secrets[0], secrets[1]);
        assert!(!world.wires[wire].alive, "the host closes");
        assert!(!world.nodes[HOST].engine.is_hosting());
    }
}

#[test]
fn the_messages_come_in_the_order_of_the_protocol() {
    let mut world = World::new();
    let wire = world.pair(JOINER);
    let names = world.names(wire);
    let of = |n: usize| {
        names.iter().filter(|(from, _)| *from == n).map(|(_, name)| name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(JOINER), ["Open", "PairHello", "PakeA", "ConfirmA", "Meta", "UserOk", "Prepared", "Done"]);
    assert_eq!(of(HOST), ["PairHelloAck", "PakeB", "ConfirmB", "Meta", "UserOk", "Commit"]);
}

#[test]
fn progress_is_told_in_order() {
    let mut world = World::new();
    world.pair(JOINER);
    for node in &world.nodes {
        let steps: Vec<_> = node
            .told
            .iter()
            .filter_map(|told| match told {
                Told::PairingProgress(_, step) => Some(*step),
                _ => None,
            })
            .collect();
        use PairingStep::{AwaitingPeer, Confirmed, Connected, Saved, Saving};
        assert_eq!(steps, [Connected, Confirmed, AwaitingPeer, Saving, Saved]);
    }
}

#[test]
fn the_third_wrong_code_kills_the_window() {
    let mut world = World::of(4);
    let (_, code) = world.host(HOST);
    for (n, left) in [(1, 2), (2, 1), (3, 0)] {
        let entry = world.join(n, another(&code));
        world.dial(n, HOST, entry);
        world.run();
        assert_eq!(world.nodes[n].endings(), [Err(PairingFailure::BadCode { attempts_left: left })]);
    }
    assert!(!world.nodes[HOST].engine.is_hosting());
    assert_eq!(world.nodes[HOST].endings(), [Err(PairingFailure::Locked)]);
    let entry = world.join(JOINER, code);
    world.dial(JOINER, HOST, entry);
    world.run();
    assert_eq!(
        world.nodes[JOINER].endings().last(),
        Some(&Err(PairingFailure::NoWindow)),
        "the code is dead"
    );
}

#[test]
fn after_three_entries_against_one_host_the_joiner_refuses_for_ten_minutes() {
    let mut world = World::new();
    let host = world.nodes[HOST].key.peer_id(PeerIdKind::Sha1);
    for _ in 0..3 {
        let (id, code) = world.host(HOST);
        let entry = world.join(JOINER, another(&code));
        world.dial(JOINER, HOST, entry);
        world.run();
        world.nodes[HOST].engine.cancel(world.now, id);
    }
    let (_, code) = world.host(HOST);
    let now = world.now;
    assert_eq!(world.nodes[JOINER].engine.join(now, code.clone(), Some(host)), Err(JoinError::Locked));
    let entry = world.join(JOINER, code.clone());
    world.dial(JOINER, HOST, entry);
    world.run();
    assert_eq!(world.nodes[JOINER].endings().last(), Some(&Err(PairingFailure::Locked)));
    assert_eq!(world.nodes[HOST].attempts_failed().len(), 3, "the fourth was never sent");
    world.pass(secs(601));
    assert!(world.nodes[JOINER].engine.join(world.now, code, Some(host)).is_ok());
}

#[test]
fn a_typing_error_is_told_before_anything_is_sent() {
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    let mut typed = code.to_string().into_bytes();
    typed[0] = b'0' + (typed[0] - b'0' + 1) % 10;
    assert_eq!(String::from_utf8(typed).unwrap().parse::<Code>(), Err(CodeError::CheckDigit));
}

#[test]
fn a_window_ends_by_itself() {
    let mut world = World::new();
    world.host(HOST);
    assert_eq!(world.nodes[HOST].engine.host(world.now).unwrap_err(), HostError::Busy);
    world.pass(secs(119));
    assert!(world.nodes[HOST].engine.is_hosting());
    world.pass(secs(2));
    assert!(!world.nodes[HOST].engine.is_hosting());
    assert_eq!(world.nodes[HOST].endings(), [Err(PairingFailure::Timeout)]);
}

#[test]
fn a_session_that_proved_the_code_outlives_the_window() {
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    world.pass(secs(115));
    world.nodes[JOINER].hook = None;
    let entry = world.join(JOINER, code);
    world.dial(JOINER, HOST, entry);
    world.pass(secs(10));
    let token = world.nodes[JOINER].waiting_hooks.pop().unwrap();
    world.nodes[JOINER].engine.answer_paired(world.now, token, Ok(()));
    world.run();
    assert_eq!(world.nodes[HOST].paired().len(), 1);
    assert_eq!(world.nodes[HOST].endings().len(), 1);
}

#[test]
fn whoever_asks_a_node_without_a_window_to_host_is_rejected() {
    let mut world = World::new();
    let entry = world.join(JOINER, "4821935".parse().unwrap());
    world.dial(JOINER, HOST, entry);
    world.run();
    assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::NoWindow)]);
    assert!(world.nodes[HOST].told.is_empty());
}

#[test]
fn a_prompt_is_shown_one_at_a_time_and_once_a_minute_for_each_source() {
    let mut world = World::of(3);
    let (window, _) = world.host(HOST);
    let (other, _) = world.host(2);
    world.dial(HOST, JOINER, window);
    world.run();
    world.dial(2, JOINER, other);
    world.run();
    assert_eq!(world.nodes[JOINER].prompts.len(), 1, "one at a time");
    assert!(world.nodes[2].engine.is_hosting(), "its code may still be typed");
    let token = world.nodes[JOINER].prompts.pop().unwrap();
    world.nodes[JOINER].engine.answer_pairing_request(world.now, token, PairingReply::Reject);
    world.run();
    assert_eq!(world.nodes[HOST].endings(), [Err(PairingFailure::Refused)]);
    let (window, _) = world.host(HOST);
    world.dial(HOST, JOINER, window);
    world.run();
    assert!(world.nodes[JOINER].prompts.is_empty(), "within a minute");
    world.pass(secs(61));
    world.dial(HOST, JOINER, window);
    world.run();
    assert_eq!(world.nodes[JOINER].prompts.len(), 1);
}

#[test]
fn an_unanswered_prompt_is_refused_after_two_minutes() {
    let mut world = World::new();
    let (window, _) = world.host(HOST);
    world.dial(HOST, JOINER, window);
    world.pass(secs(121));
    assert_eq!(world.nodes[HOST].endings().len(), 1);
    assert!(world.nodes[HOST].endings()[0].is_err());
    let token = world.nodes[JOINER].prompts.pop().unwrap();
    let reply = PairingReply::Join("4821935".parse().unwrap());
    world.nodes[JOINER].engine.answer_pairing_request(world.now, token, reply);
    world.run();
    assert!(world.nodes[JOINER].told.is_empty(), "too late");
}

#[test]
fn a_code_that_was_typed_is_used_when_its_host_dials() {
    let mut world = World::new();
    let (window, code) = world.host(HOST);
    let entry = world.join(JOINER, code);
    assert!(world.nodes[JOINER].engine.needs_dial(entry));
    world.dial(HOST, JOINER, window);
    world.run();
    assert!(world.nodes[JOINER].prompts.is_empty());
    world.assert_both_or_neither("paired");
    assert_eq!(world.nodes[HOST].paired().len(), 1);
}

#[test]
fn a_code_that_is_typed_while_its_host_asks_answers_the_prompt() {
    let mut world = World::new();
    let (window, code) = world.host(HOST);
    world.dial(HOST, JOINER, window);
    world.run();
    let entry = world.join(JOINER, code);
    assert!(!world.nodes[JOINER].engine.needs_dial(entry));
    world.run();
    assert_eq!(world.nodes[HOST].paired().len(), 1);
}

#[test]
fn an_entry_meant_for_one_peer_is_never_used_on_another() {
    let mut world = World::of(3);
    let (_, code) = world.host(HOST);
    let meant = world.nodes[2].key.peer_id(PeerIdKind::Sha1);
    let entry = world.nodes[JOINER].engine.join(world.now, code, Some(meant)).unwrap();
    world.dial(JOINER, HOST, entry);
    world.run();
    assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::WrongPeer)]);
    assert!(world.nodes[HOST].attempts_failed().is_empty());
}

#[test]
fn cancelling_tells_the_other_side() {
    let mut world = World::new();
    world.nodes[JOINER].hook = None;
    let (window, code) = world.host(HOST);
    let entry = world.join(JOINER, code);
    world.dial(JOINER, HOST, entry);
    world.run();
    world.nodes[HOST].engine.cancel(world.now, window);
    world.run();
    assert_eq!(world.nodes[HOST].endings(), [Err(PairingFailure::Cancelled)]);
    assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::Refused)]);
    assert_eq!(world.nodes[JOINER].rolled_back.len(), 1, "its hook may have run");
    assert!(world.nodes.iter().all(|node| node.store.is_empty()));
}

#[test]
fn a_failed_hook_leaves_both_unpaired_with_errors() {
    for failing in [HOST, JOINER] {
        let mut world = World::new();
        world.nodes[failing].hook = Some(Err(HookFailed));
        world.pair(JOINER);
        assert!(world.nodes.iter().all(|node| node.store.is_empty()), "nothing is left");
        assert_eq!(world.nodes[failing].endings(), [Err(PairingFailure::Hook)]);
        assert_eq!(world.nodes[1 - failing].endings(), [Err(PairingFailure::RemoteStore)]);
        assert!(world.nodes[failing].rolled_back.is_empty());
        let saved = usize::from(failing == HOST);
        assert_eq!(world.nodes[JOINER].rolled_back.len(), saved, "whose hook had succeeded is asked");
    }
}

#[test]
fn a_hook_that_never_answers_is_rolled_back_after_thirty_seconds() {
    for slow in [HOST, JOINER] {
        let mut world = World::new();
        world.nodes[slow].hook = None;
        world.pair(JOINER);
        world.pass(secs(29));
        assert!(world.nodes[slow].endings().is_empty());
        world.pass(secs(2));
        assert!(world.nodes.iter().all(|node| node.store.is_empty()));
        assert_eq!(world.nodes[slow].endings(), [Err(PairingFailure::Hook)]);
        assert_eq!(world.nodes[slow].rolled_back.len(), 1);
        assert_eq!(world.nodes[1 - slow].endings(), [Err(PairingFailure::RemoteStore)]);
        let token = world.nodes[slow].waiting_hooks.pop().unwrap();
        world.nodes[slow].engine.answer_paired(world.now, token, Ok(()));
        world.run();
        assert!(world.nodes[slow].store.is_empty(), "a late answer changes nothing");
    }
}

#[test]
fn pairing_again_replaces_the_old_record_without_unpairing() {
    let mut world = World::new();
    world.pair(JOINER);
    let old = world.nodes[HOST].paired()[0];
    world.pair(JOINER);
    for node in &world.nodes {
        assert_eq!(node.paired().len(), 1);
        assert_ne!(node.paired()[0], old);
        assert_eq!(node.saved[1].replaces, [old]);
        assert!(!node.told.iter().any(|told| matches!(told, Told::PeerUnpaired(..))));
        assert!(node.rolled_back.is_empty());
    }
}

#[test]
fn of_two_sessions_by_both_diallers_one_pairs() {
    let mut world = World::new();
    let (window, code) = world.host(HOST);
    let entry = world.join(JOINER, code);
    world.dial(JOINER, HOST, entry);
    world.dial(HOST, JOINER, window);
    world.run();
    for node in &world.nodes {
        assert_eq!(node.paired().len(), 1);
        assert_eq!(node.endings().len(), 1);
    }
}

#[test]
fn of_two_sessions_with_one_peer_the_smaller_host_keeps_its_own() {
    let mut world = World::new();
    let windows = [HOST, JOINER].map(|n| world.host(n));
    let smaller = [HOST, JOINER].into_iter().min_by_key(|n| world.nodes[*n].key.fingerprint()).unwrap();
    world.dial(HOST, JOINER, windows[HOST].0);
    world.dial(JOINER, HOST, windows[JOINER].0);
    world.run();
    assert_eq!(world.nodes[smaller].prompts.len(), 0);
    assert_eq!(world.nodes[1 - smaller].prompts.len(), 1, "it joins");
    assert_eq!(world.wires.iter().filter(|wire| wire.alive).count(), 1);
    let token = world.nodes[1 - smaller].prompts.pop().unwrap();
    let reply = PairingReply::Join(windows[smaller].1.clone());
    world.nodes[1 - smaller].engine.answer_pairing_request(world.now, token, reply);
    world.run();
    assert_eq!(world.nodes[HOST].paired(), world.nodes[JOINER].paired());
    assert_eq!(world.nodes[HOST].paired().len(), 1);
    assert!(world.nodes[1 - smaller].engine.is_hosting(), "losing a session ends no window");
}

#[test]
fn after_ten_wrong_codes_in_a_day_an_alarm_is_told_and_codes_get_longer() {
    let mut world = World::of(12);
    for n in 1..=10 {
        let (id, code) = world.host(HOST);
        assert_eq!(code.to_string().len(), 8);
        let entry = world.join(n, another(&code));
        world.dial(n, HOST, entry);
        world.run();
        world.nodes[HOST].engine.cancel(world.now, id);
        let told = world.nodes[HOST].told.contains(&Told::ManyWrongCodes);
        assert_eq!(told, n == 10, "wrong code {n}");
    }
    assert_eq!(world.host(HOST).1.to_string().len(), 11);
}
