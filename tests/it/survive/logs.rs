//! What an attack makes a node write to its log.

use super::support::*;
use crate::node::support::{config, conn, identity, name};
use handfast_core::{Direction, PeerId, PeerIdKind, Target};
use handfast_tests::forge::{FirstFlight, dns, hello};
use handfast_tests::world::World;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// What is nowhere but in the packets of the attack.
const MARK: &str = "moonshine";

/// Everything that was logged: how loud, and what.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut lines = self.0.lock().unwrap();
        let parent = span.parent().map_or("", |id| &lines[id.into_u64() as usize - 1].1);
        let mut line = Line(format!("{parent} {} {}", span.metadata().target(), span.metadata().name()));
        span.record(&mut line);
        lines.push((*span.metadata().level(), line.0));
        Id::from_u64(lines.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.0.lock().unwrap().push((*event.metadata().level(), line.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_flood_of_every_kind_writes_no_line_that_is_on_by_default_and_none_says_what_came() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let (mut world, a, b) = pair_of_hosts(1);
        meet(&mut world, a, b);
        let by = stranger(&mut world);
        let (ip, to) = (Ipv4Addr::new(10, 0, 200, 1), world.address(a));
        lines.0.lock().unwrap().clear();
        for n in 0..300_u64 {
            let mut hash = [9; 20];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            let name = PeerId::Sha1(hash).to_string();
            say(&mut world, by, ip, &dns::announcement("test", &name, ip, 4500));
            say(&mut world, by, ip, &dns::announcement("test", MARK, ip, 4500));
            say(&mut world, by, ip, MARK.as_bytes());
            say(&mut world, by, ip, &[&[0xff; 12], MARK.as_bytes()].concat());
            let source = SocketAddr::from((ip, 2000 + n as u16));
            let greeting = hello::client_hello(MARK, b"\x01\x44\x00");
            for packet in [
                hello::initial(&n.to_be_bytes(), 0, &hello::crypto(0, &greeting)),
                hello::of_version(0x1a2a_3a4a, &n.to_be_bytes(), b"from", 1200),
                FirstFlight::idle(&n.to_be_bytes()),
                MARK.repeat(20).into_bytes(),
            ] {
                forge(&mut world, by, [source, to], &packet);
            }
            world.run_for(Duration::from_millis(10));
        }
        world.run_for(Duration::from_secs(20));
    });
    let lines = lines.0.lock().unwrap();
    assert!(lines.len() > 300, "the log was heard: {} lines", lines.len());
    // quinn-proto has a word for a handshake that fails, at DEBUG, and there is one for those of which nothing was said.
    let is_loud = |level: &Level, line: &str| {
        let is_quinn = line.starts_with("quinn_proto") || line.contains("untold");
        *level <= Level::INFO || (*level == Level::DEBUG && !is_quinn)
    };
    let loud: Vec<_> = lines.iter().filter(|(level, line)| is_loud(level, line)).collect();
    assert!(loud.is_empty(), "{} lines, such as {:?}", loud.len(), loud[0]);
    // Of a flood of three seconds, and twenty of silence.
    let told = lines.iter().filter(|(level, _)| *level == Level::DEBUG).count();
    assert!((10..100).contains(&told), "{told} lines at DEBUG");
    assert!(lines.iter().any(|(_, line)| line.contains("untold")), "the others were counted");
    let octets = format!("{:?}", MARK.as_bytes());
    let octets = octets.trim_matches(['[', ']']);
    let telling = lines.iter().find(|(_, line)| line.contains(MARK) || line.contains(octets));
    assert_eq!(telling, None, "no log keeps what a packet says");
}

#[test]
fn a_life_is_told_at_info_without_an_address_a_key_or_what_was_said() {
    let lines = Lines::default();
    let (ids, secrets) = tracing::subscriber::with_default(lines.clone(), || {
        let mut world = World::seeded(1);
        let (a, b) = [1, 2].map(|n| world.add(config(), &identity(n), vec![])).into();
        world.run_for(Duration::from_secs(5));
        // Two that meet, pair and connect.
        let code = world.tell(a, |node, now| node.pairing().host(now, &Target::Any).unwrap().code);
        let to = name(&identity(1));
        world.tell(b, |node, now| node.pairing().join(now, code, &Target::Peer(to)).unwrap());
        assert!(world.run_until(Duration::from_secs(5), |world| conn(world, a).is_some()));
        let on_a = conn(&world, a).unwrap();
        world.run_for(Duration::from_secs(5));
        world.tell(a, |node, now| {
            let id = node.open(now, on_a, Direction::Uni, MARK, 0).unwrap();
            node.stream(on_a, id).unwrap().write(MARK.as_bytes()).unwrap();
        });
        world.run_for(Duration::from_secs(5));
        // And lose each other.
        world.lose(|_, _| true);
        world.run_for(Duration::from_secs(300));
        let in_log = |world: &mut World| {
            let tables = world.tell(b, |node, _| node.tables());
            tables.iter().find(|table| table.name == "node: peers in the log").map(|table| table.len)
        };
        assert_eq!(in_log(&mut world), Some(1));
        world.tell(b, |node, now| assert!(node.pairing().forget(now, to)));
        world.run_for(Duration::from_secs(300));
        assert_eq!(in_log(&mut world), Some(0), "who is not paired any longer has no span");
        let keys = [1, 2].map(|n| identity(n).public_key());
        (keys.map(|key| key.peer_id(PeerIdKind::Sha1)), keys)
    });
    let lines = lines.0.lock().unwrap();
    let told: Vec<&str> =
        lines.iter().filter(|(level, _)| *level <= Level::INFO).map(|(_, line)| line.as_str()).collect();
    let has = |word: &str, id: &str| told.iter().any(|line| line.contains(word) && line.contains(id));
    for id in ids {
        let id = id.to_string();
        assert!(has("message=paired", &id) && has("message=disconnected", &id), "{told:#?}");
        let of_peer = format!("handfast_core::node::trace peer peer={id}");
        let in_it = |line: &&str| line.contains(&format!("{of_peer} handfast_core::node::trace connection"));
        let conns = told.iter().filter(|line| in_it(line)).count();
        let peers = told.iter().filter(|line| line.contains(&of_peer)).count() - conns;
        assert_eq!((peers, conns), (1, 1), "one span a peer, its connections in it: {told:#?}");
    }
    assert!(has("message=connected", "dialled") && has("pairing", "Saving"), "{told:#?}");
    let forbidden = [MARK.to_owned(), "10.0.".to_owned(), "fe80".to_owned(), ":4".to_owned()];
    let prints = secrets.map(|key| key.fingerprint().to_string());
    for line in &told {
        let telling = forbidden.iter().chain(&prints).find(|word| line.contains(word.as_str()));
        assert_eq!(telling, None, "{line}");
    }
}
