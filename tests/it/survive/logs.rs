//! What an attack makes a node write to its log.

use super::support::*;
use handfast_core::PeerId;
use handfast_tests::forge::{FirstFlight, dns, hello};
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

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
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
    // quinn-proto has a word for each handshake that fails, at DEBUG.
    let is_loud = |level: &Level, line: &str| {
        *level <= Level::INFO || (*level == Level::DEBUG && !line.starts_with("quinn_proto"))
    };
    let loud: Vec<_> = lines.iter().filter(|(level, line)| is_loud(level, line)).collect();
    assert!(loud.is_empty(), "{} lines, such as {:?}", loud.len(), loud[0]);
    let octets = format!("{:?}", MARK.as_bytes());
    let octets = octets.trim_matches(['[', ']']);
    let telling = lines.iter().find(|(_, line)| line.contains(MARK) || line.contains(octets));
    assert_eq!(telling, None, "no log keeps what a packet says");
}
