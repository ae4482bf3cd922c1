//! Two at once, too late, in the wrong part, or told something else: what does not lead to a pairing, and what it costs.

use super::super::keys::{Ends, Exporter, Transcript};
use super::super::pake::Pake;
use super::flow::another;
use super::world::{HOST, JOINER, World};
use crate::code::Code;
use crate::event::PairingFailure;
use crate::store::Role;
use crate::wire::close::CloseCode;
use crate::wire::frame::{Deframer, Frame};
use crate::wire::pairing::{
    Confirm, Open, PairHello, PairHelloAck, Pairing as Message, Point, Reject, RejectReason,
};
use std::time::Duration;

const METHODS: [&str; 2] = ["digits", "words"];

fn hello(suites: &[u8], methods: &[&str]) -> Message {
    let methods = methods.iter().map(|method| (*method).to_owned()).collect();
    Message::PairHello(PairHello { version: 1, suites: suites.to_vec(), methods, nonce: [1; 16] })
}

fn ends(world: &World) -> Ends {
    let exporter = Exporter::new(world.exporters[0]);
    Ends { exporter, joiner: world.nodes[JOINER].key, host: world.nodes[HOST].key }
}

fn last_frame(world: &World, wire: usize) -> Frame {
    let mut bytes = world.wires[wire].delivered.last().unwrap().1.clone();
    Deframer::default().next(&mut bytes).unwrap().unwrap()
}

fn nobody_is_paired(world: &World) {
    assert!(world.nodes.iter().all(|node| node.store.is_empty() && node.saved.is_empty()));
}

#[test]
fn of_two_joiners_at_once_one_pairs_and_the_other_neither_pairs_nor_uses_up_an_attempt() {
    for frames in 0..14 {
        let mut world = World::of(3);
        let (_, code) = world.host(HOST);
        let first = world.join(1, code.clone());
        let wire = world.dial(1, HOST, first);
        world.silence_after(wire, frames);
        world.run();
        let second = world.join(2, code);
        world.dial(2, HOST, second);
        world.run();
        world.silence_after(wire, usize::MAX);
        world.run();
        let paired: Vec<usize> =
            [1, 2].into_iter().filter(|n| !world.nodes[*n].paired().is_empty()).collect();
        // The fourth frame of a session, its point, takes the one slot.
        assert_eq!(paired, [if frames < 4 { 2 } else { 1 }], "after {frames} frames of the first");
        assert_eq!(world.nodes[HOST].paired(), world.nodes[paired[0]].paired());
        let loser = &world.nodes[3 - paired[0]];
        assert!(loser.store.is_empty() && loser.saved.is_empty());
        let known = [PairingFailure::Busy, PairingFailure::NoWindow];
        assert!(matches!(loser.endings()[..], [Err(why)] if known.contains(&why)), "{:?}", loser.endings());
        assert!(world.nodes[HOST].attempts_failed().is_empty());
    }
}

#[test]
fn a_right_code_that_is_typed_after_its_window_pairs_nobody() {
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    world.pass(Duration::from_secs(120));
    let entry = world.join(JOINER, code);
    world.dial(JOINER, HOST, entry);
    world.pass(Duration::from_secs(60));
    nobody_is_paired(&world);
    assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::NoWindow)]);
    assert_eq!(world.nodes[HOST].endings(), [Err(PairingFailure::Timeout)]);
}

#[test]
fn a_session_that_has_not_proved_the_code_ends_with_its_window() {
    // Up to the joiner's proof, which is the sixth frame.
    for frames in 0..6 {
        let mut world = World::new();
        let (_, code) = world.host(HOST);
        world.pass(Duration::from_secs(115));
        let entry = world.join(JOINER, code);
        let wire = world.dial(JOINER, HOST, entry);
        world.silence_after(wire, frames);
        world.pass(Duration::from_secs(6));
        world.silence_after(wire, usize::MAX);
        world.pass(Duration::from_secs(60));
        nobody_is_paired(&world);
        assert!(world.nodes[JOINER].endings()[0].is_err(), "after {frames} frames");
        assert!(!world.nodes[HOST].engine.is_hosting());
    }
}

#[test]
fn whoever_takes_the_part_of_the_other_pairs_with_nobody() {
    // Says that it shows the code: the one that does show it takes the other part, and asks its user.
    let mut world = World::new();
    world.host(HOST);
    let wire = world.dial_by_hand(HOST, JOINER, None);
    world.say(wire, &Message::Open(Open::new(Role::Host)));
    world.say(wire, &hello(&[1], &METHODS));
    assert_eq!(world.wires[wire].closed, Some((HOST, CloseCode::Protocol)));
    nobody_is_paired(&world);
    assert!(world.nodes[HOST].engine.is_hosting() && world.nodes[HOST].attempts_failed().is_empty());

    // Knows the code, and plays the key exchange from the other side, with the side's byte of its own.
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    let wire = world.dial_by_hand(HOST, JOINER, None);
    let mut joiner = Scripted::begin(&world);
    joiner.ends = Ends { joiner: joiner.ends.host, host: joiner.ends.joiner, ..joiner.ends };
    joiner.play(&mut world, wire, &code, |_, _| None);
    assert!(matches!(world.heard(wire), Message::Reject(Reject { reason: RejectReason::BadCode, .. })));
    assert_eq!(world.nodes[HOST].attempts_failed(), [2]);
    nobody_is_paired(&world);
}

/// A joiner that is no engine.
struct Scripted {
    ends: Ends,
    transcript: Transcript,
}

impl Scripted {
    fn begin(world: &World) -> Self {
        let ends = ends(world);
        Self { transcript: Transcript::begin(&ends), ends }
    }

    /// Plays a session up to the proof. `believed` gives what it takes a message for that in truth was another.
    fn play(
        mut self,
        world: &mut World,
        wire: usize,
        code: &Code,
        believed: impl Fn(&World, &Message) -> Option<Message>,
    ) {
        let mut note = |world: &World, message: &Message, frame: &Frame| match believed(world, message) {
            Some(other) => self.transcript.add(&other.encode()),
            None => self.transcript.add(frame),
        };
        let pake =
            Pake::joiner(&self.ends, code, &mut crate::rng::Rng::child(&crate::rng::Seed::new([3; 32]), ""));
        let steps = [
            (Message::Open(Open::new(Role::Joiner)), false),
            (hello(&[1], &METHODS[..1]), true),
            (Message::PakeA(Point { point: pake.point() }), true),
        ];
        for (message, is_answered) in &steps {
            world.say(wire, message);
            note(world, message, &message.encode());
            if *is_answered {
                let heard = last_frame(world, wire);
                note(world, &Message::decode(&heard).unwrap(), &heard);
            }
        }
        let Message::PakeB(theirs) = world.heard(wire) else { panic!("a point") };
        let keys = self.transcript.keys(&pake.finish(&theirs.point).unwrap());
        world.say(wire, &Message::ConfirmA(Confirm { mac: keys.confirm_a() }));
    }
}

#[test]
fn a_scripted_joiner_that_knows_the_code_proves_it() {
    let mut world = World::new();
    let (_, code) = world.host(HOST);
    let wire = world.dial_by_hand(HOST, JOINER, None);
    Scripted::begin(&world).play(&mut world, wire, &code, |_, _| None);
    let names: Vec<_> = world.names(wire).into_iter().filter(|(from, _)| *from == HOST).collect();
    assert_eq!(names[2].1, "ConfirmB");
    assert!(!world.nodes[HOST].engine.is_hosting(), "the code has done its work");
}

/// What a joiner offered or was told to use is part of what both prove.
#[test]
fn a_suite_or_method_that_was_changed_on_the_way_confirms_nothing() {
    type Believed = fn(&World, &Message) -> Option<Message>;
    let downgrades: [(&str, Believed); 4] = [
        ("a better suite was offered", |_, said| match said {
            Message::PairHello(_) => Some(hello(&[2, 1], &METHODS[..1])),
            _ => None,
        }),
        ("a better method was offered", |_, said| match said {
            Message::PairHello(_) => Some(hello(&[1], &METHODS)),
            _ => None,
        }),
        ("another suite was chosen", |_, said| match said {
            Message::PairHelloAck(ack) => {
                Some(Message::PairHelloAck(PairHelloAck { suite: 2, ..ack.clone() }))
            }
            _ => None,
        }),
        ("another method was chosen", |_, said| match said {
            Message::PairHelloAck(ack) => {
                Some(Message::PairHelloAck(PairHelloAck { method: "words".to_owned(), ..ack.clone() }))
            }
            _ => None,
        }),
    ];
    for (what, believed) in downgrades {
        let mut world = World::new();
        let (_, code) = world.host(HOST);
        let wire = world.dial_by_hand(HOST, JOINER, None);
        Scripted::begin(&world).play(&mut world, wire, &code, believed);
        let heard = world.heard(wire);
        assert!(
            matches!(heard, Message::Reject(Reject { reason: RejectReason::BadCode, .. })),
            "{what}: {heard:?}"
        );
        assert_eq!(world.nodes[HOST].attempts_failed(), [2], "{what}");
        nobody_is_paired(&world);
    }
}

#[test]
fn a_host_that_answers_with_an_unsound_point_is_left_before_anything_is_proved() {
    let mut identity = [0; 33];
    (identity[0], identity[1]) = (b'B', 1);
    let mut of_order_four = [0; 33];
    of_order_four[0] = b'B';
    let mut of_the_joiner = [0x66; 33];
    (of_the_joiner[0], of_the_joiner[1]) = (b'A', 0x58);
    for point in [identity, of_order_four, of_the_joiner, [0xff; 33]] {
        let mut world = World::new();
        let entry = world.join(JOINER, another(&"4821935".parse().unwrap()));
        let wire = world.dial_by_hand(JOINER, HOST, Some(entry));
        world.run();
        let method = "digits".to_owned();
        let ack = PairHelloAck { version: 1, suite: 1, method, nonce: [2; 16], attempts_left: 3 };
        world.say(wire, &Message::PairHelloAck(ack));
        world.say(wire, &Message::PakeB(Point { point }));
        assert!(!world.names(wire).iter().any(|(_, name)| name == "ConfirmA"));
        assert_eq!(world.wires[wire].closed, Some((JOINER, CloseCode::Protocol)));
        assert_eq!(world.nodes[JOINER].endings(), [Err(PairingFailure::Protocol)]);
        nobody_is_paired(&world);
    }
}
