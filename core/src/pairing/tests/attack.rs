//! Strangers, liars and men in the middle.

use super::super::{Event, NewSession, stolen_name};
use super::flow::another;
use super::world::{HOST, JOINER, World};
use crate::event::{Event as Told, PairingFailure};
use crate::id::{ConnId, PairId, PeerId, PeerIdKind};
use crate::store::{PairRecord, PairSecret, PairState, Role};
use crate::wire::close::CloseCode;
use crate::wire::pairing::{
    Abort, AbortReason, Confirm, Decision, Open, PairHello, PairHelloAck, Pairing as Message, Point, Reject,
    RejectReason, UserOk,
};
use bytes::Bytes;
use std::time::Duration;

fn open(role: Role) -> Message {
    Message::Open(Open::new(role))
}

fn hello() -> Message {
    let methods = vec!["digits".to_owned()];
    Message::PairHello(PairHello { version: 1, suites: vec![1], methods, nonce: [1; 16] })
}

fn ack() -> Message {
    let method = "digits".to_owned();
    Message::PairHelloAck(PairHelloAck { version: 1, suite: 1, method, nonce: [2; 16], attempts_left: 3 })
}

/// A side byte and the base point.
fn point(side: u8) -> Point {
    let mut point = [0x66; 33];
    (point[0], point[1]) = (side, 0x58);
    Point { point }
}

#[test]
fn an_attempt_is_used_up_though_the_guesser_hangs_up_before_the_answer() {
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    let entry = world.join(JOINER, code);
    // Open, PairHello, PairHelloAck, PakeA.
    world.cut_after = Some(4);
    world.dial(JOINER, HOST, entry);
    world.run();
    assert_eq!(world.nodes[HOST].attempts_failed(), [2]);
}

#[test]
fn guessers_that_hang_up_kill_the_code_too() {
    let mut world = World::of(4);
    let (_, code) = world.host(HOST);
    world.cut_after = Some(5);
    for n in 1..=3 {
        let entry = world.join(n, code.clone());
        world.dial(n, HOST, entry);
        world.run();
    }
    assert_eq!(world.nodes[HOST].attempts_failed(), [2, 1, 0]);
    assert_eq!(world.nodes[HOST].endings(), [Err(PairingFailure::Locked)]);
    assert!(!world.nodes[HOST].engine.is_hosting());
}

#[test]
fn a_man_in_the_middle_who_relays_between_two_connections_never_confirms() {
    let mut world = World::new();
    world.exporters = [[7; 32], [8; 32]];
    world.pair(JOINER);
    assert!(world.nodes.iter().all(|node| node.store.is_empty() && node.saved.is_empty()));
    assert_eq!(world.nodes[HOST].attempts_failed(), [2]);
}

#[test]
fn a_host_that_reflects_what_the_joiner_says_proves_nothing() {
    let mut world = World::new();
    let entry = world.join(JOINER, "4821935".parse().unwrap());
    let wire = world.dial_by_hand(JOINER, HOST, Some(entry));
    world.run();
    world.say(wire, &ack());
    let Message::PakeA(Point { mut point }) = world.heard(wire) else { panic!("PakeA") };
    point[0] = b'B';
    world.say(wire, &Message::PakeB(Point { point }));
    let Message::ConfirmA(proof) = world.heard(wire) else { panic!("ConfirmA") };
    world.say(wire, &Message::ConfirmB(proof));
    assert_eq!(world.wires[wire].closed, Some((JOINER, CloseCode::Protocol)));
    assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::Protocol)]);
    assert!(world.nodes[JOINER].saved.is_empty());
}

#[test]
fn what_was_said_in_one_session_proves_nothing_in_the_next() {
    let mut world = World::new();
    let wire = world.pair(JOINER);
    let said = |name: &str| {
        let at = world.names(wire).iter().position(|(from, said)| *from == JOINER && said == name).unwrap();
        world.wires[wire].delivered[at].1.clone()
    };
    let (open, hello, pake, proof) = (said("Open"), said("PairHello"), said("PakeA"), said("ConfirmA"));
    world.host(HOST);
    let wire = world.dial_by_hand(HOST, JOINER, None);
    for frame in [open, hello, pake, proof] {
        world.inject(wire, 1, frame);
        world.run();
    }
    assert!(matches!(world.heard(wire), Message::Reject(Reject { reason: RejectReason::BadCode, .. })));
    assert_eq!(world.nodes[HOST].attempts_failed(), [2]);
}

#[test]
fn a_point_of_small_order_or_of_the_wrong_side_uses_up_nothing() {
    let mut identity = [0; 33];
    (identity[0], identity[1]) = (b'A', 1);
    let mut small = [0; 33];
    small[0] = b'A';
    for bad in [identity, small, point(b'B').point, [0xff; 33]] {
        let mut world = World::new();
        world.host(HOST);
        let wire = world.dial_by_hand(HOST, JOINER, None);
        world.say(wire, &open(Role::Joiner));
        world.say(wire, &hello());
        world.say(wire, &Message::PakeA(Point { point: bad }));
        assert_eq!(world.wires[wire].closed, Some((HOST, CloseCode::Protocol)));
        assert!(world.nodes[HOST].attempts_failed().is_empty());
        assert!(world.nodes[HOST].engine.is_hosting());
    }
}

#[test]
fn the_one_slot_is_busy_for_others_for_ten_seconds_at_most() {
    let mut world = World::of(4);
    let (_, code) = world.host(HOST);
    let entry = world.join(1, another(&code));
    let wire = world.dial(1, HOST, entry);
    world.silence_after(wire, 5);
    world.run();
    let entry = world.join(2, code.clone());
    world.dial(2, HOST, entry);
    world.run();
    assert_eq!(world.nodes[2].endings(), [Err(PairingFailure::Busy)]);
    world.pass(Duration::from_secs(11));
    assert_eq!(world.nodes[HOST].attempts_failed(), [2]);
    let entry = world.join(3, code);
    world.dial(3, HOST, entry);
    world.run();
    assert_eq!(world.nodes[HOST].paired(), world.nodes[3].paired());
    assert_eq!(world.nodes[3].paired().len(), 1);
}

#[test]
fn a_method_or_version_that_is_not_spoken_is_rejected() {
    let Message::PairHello(good) = hello() else { panic!("a hello") };
    for (bad, reason) in [
        (PairHello { version: 0, ..good.clone() }, RejectReason::Version),
        (PairHello { suites: vec![2], ..good.clone() }, RejectReason::Method),
        (PairHello { methods: vec!["qr".to_owned()], ..good }, RejectReason::Method),
    ] {
        let mut world = World::new();
        world.host(HOST);
        let wire = world.dial_by_hand(HOST, JOINER, None);
        world.say(wire, &open(Role::Joiner));
        world.say(wire, &Message::PairHello(bad));
        let Message::Reject(said) = world.heard(wire) else { panic!("a reject") };
        assert_eq!(said.reason, reason);
    }
}

#[test]
fn a_host_may_choose_only_what_was_offered() {
    let Message::PairHelloAck(good) = ack() else { panic!("an ack") };
    for bad in [
        PairHelloAck { version: 2, ..good.clone() },
        PairHelloAck { suite: 2, ..good.clone() },
        PairHelloAck { method: "trust".to_owned(), ..good },
    ] {
        let mut world = World::new();
        let entry = world.join(JOINER, "4821935".parse().unwrap());
        let wire = world.dial_by_hand(JOINER, HOST, Some(entry));
        world.run();
        world.say(wire, &Message::PairHelloAck(bad));
        assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::Protocol)]);
    }
}

#[test]
fn any_message_in_any_wrong_place_leaves_both_or_neither_paired() {
    let id = PairId::from_bytes([9; 32]);
    let messages = [
        open(Role::Host),
        hello(),
        ack(),
        Message::Reject(Reject { reason: RejectReason::Busy, attempts_left: 255 }),
        Message::PakeA(point(b'A')),
        Message::PakeB(point(b'B')),
        Message::ConfirmA(Confirm { mac: [1; 32] }),
        Message::ConfirmB(Confirm { mac: [1; 32] }),
        Message::Meta(crate::Metadata::named("liar")),
        Message::UserOk(UserOk {}),
        Message::Prepared(Decision { pair_id: id }),
        Message::Commit(Decision { pair_id: id }),
        Message::Done(Decision { pair_id: id }),
        Message::Abort(Abort { reason: AbortReason::Refused }),
    ];
    for frames in 0..14 {
        for end in [0, 1] {
            for message in &messages {
                let mut world = World::new();
                let (_, code) = world.host(HOST);
                let entry = world.join(JOINER, code);
                let wire = world.dial(JOINER, HOST, entry);
                world.silence_after(wire, frames);
                world.run();
                world.jump_in(wire, end, message.encode().into_bytes());
                world.silence_after(wire, usize::MAX);
                world.pass(Duration::from_secs(300));
                world.connect(HOST, JOINER);
                world.pass(Duration::from_secs(100));
                world.assert_both_or_neither(&format!("{message:?} from end {end} after {frames}"));
                for n in [HOST, JOINER] {
                    assert!(!world.nodes[n].endings().is_empty(), "{message:?} after {frames}: node {n}");
                }
            }
        }
    }
}

#[test]
fn a_frame_that_is_malformed_ends_the_session() {
    for bytes in [&b"\x00\x01\xc1"[..], b"\x00\x06\x81\xa3New\x80"] {
        let mut world = World::new();
        let wire = world.dial_by_hand(HOST, JOINER, None);
        world.inject(wire, 1, Bytes::from_static(bytes));
        world.run();
        assert_eq!(world.wires[wire].closed, Some((HOST, CloseCode::Protocol)), "{bytes:02x?}");
    }
}

#[test]
fn ten_thousand_sessions_are_bounded_and_go_away() {
    let mut world = World::new();
    let now = world.now;
    let peer = world.nodes[JOINER].key;
    let mut refused = 0;
    for n in 0..10_000 {
        let remote = "192.0.2.66:5000".parse().unwrap();
        let new = NewSession { conn: ConnId(n), exporter: [0; 32], peer, remote, dialled: None };
        let engine = &mut world.nodes[HOST].engine;
        engine.handle_session(now, new);
        while let Some(event) = engine.poll_event() {
            assert!(matches!(event, Event::Close { code: CloseCode::Busy, .. }), "{event:?}");
            refused += 1;
        }
    }
    assert_eq!(refused, 10_000 - 64);
    let engine = &mut world.nodes[HOST].engine;
    engine.handle_timeout(now + Duration::from_secs(10));
    let closed = std::iter::from_fn(|| engine.poll_event()).count();
    assert_eq!(closed, 64, "a session that says nothing lasts 10 s");
    assert_eq!(engine.poll_timeout(), None);
}

#[test]
fn a_node_never_pairs_with_itself() {
    let mut world = World::new();
    let wire = world.dial_by_hand(HOST, HOST, None);
    world.run();
    assert_eq!(world.wires[wire].closed.map(|(_, code)| code), Some(CloseCode::Protocol));
}

#[test]
fn a_session_that_would_make_a_ninth_record_is_refused() {
    for full in [HOST, JOINER] {
        let mut world = World::new();
        let (own, peer) = (world.nodes[full].key, world.nodes[1 - full].key);
        for n in 0..8 {
            let (id, secret) = (PairId::from_bytes([n; 32]), PairSecret::from_bytes([n; 32]));
            let record = PairRecord::new(id, Role::Joiner, peer, own, secret, PairState::Prepared);
            world.nodes[full].store.insert(id, record);
        }
        world.restart(full);
        world.run();
        world.pair(JOINER);
        assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::Busy)], "full: {full}");
        assert_eq!(world.nodes[full].store.len(), 8);
    }
}

#[test]
fn another_key_under_a_known_name_is_told() {
    let world = World::of(3);
    let [known, other, third] = [0, 1, 2].map(|n| world.nodes[n].key);
    let (name, free) = (PeerId::Sha1([1; 20]), PeerId::Sha1([2; 20]));
    let list = || [(known, name), (third, free)].into_iter();
    assert_eq!(stolen_name(&other, name, list()), Some(name));
    assert_eq!(stolen_name(&known, name, list()), None, "it is its own");
    assert_eq!(stolen_name(&other, PeerId::Sha1([3; 20]), list()), None);
}

#[test]
fn a_second_key_under_the_name_of_a_paired_one_is_refused_and_told() {
    let mut world = World::of(3);
    world.pair(JOINER);
    let paired = world.nodes[JOINER].key;
    let twin = world.nodes[2].key.with_name_of(&paired);
    let name = paired.peer_id(PeerIdKind::Sha1);
    assert!(twin.is_named(&name) && twin != paired);
    assert!(world.nodes[HOST].engine.is_paired(&paired) && !world.nodes[HOST].engine.is_paired(&twin));
    assert!(world.nodes[HOST].engine.list_for(&twin).is_empty());
    assert_eq!(world.nodes[HOST].engine.impostor_of(&twin), Some(name));
    let records = world.nodes[HOST].store.clone();
    world.host(HOST);
    let wire = world.dial_by_hand(HOST, 2, None);
    world.run();
    assert_eq!(world.wires[wire].closed, Some((HOST, CloseCode::Protocol)));
    let told = |told: &Told| matches!(told, Told::IdentityMismatch(id, _) if *id == name);
    assert!(world.nodes[HOST].told.iter().any(told));
    assert_eq!(world.nodes[HOST].store, records);
}

#[test]
fn an_abort_makes_a_prepared_joiner_roll_back() {
    let mut world = World::new();
    world.nodes[HOST].hook = None;
    let wire = world.pair(JOINER);
    world.jump_in(wire, 1, Message::Abort(Abort { reason: AbortReason::Hook }).encode().into_bytes());
    world.run();
    assert!(world.nodes[JOINER].store.is_empty());
    assert_eq!(world.nodes[JOINER].rolled_back.len(), 1);
    assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::RemoteStore)]);
    assert!(!world.nodes[JOINER].told.iter().any(|told| matches!(told, Told::PeerPaired(_))));
}
