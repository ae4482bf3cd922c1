//! What the application of a node says, and does with its streams: every verb, with whatever a script makes of it.

use super::World;
use crate::config::{Policy, Sources};
use crate::host::HostName;
use crate::id::{ConnId, PeerId};
use crate::io::{Family, Now};
use crate::node::Target;
use crate::node::fuzz::driven::{Driven, address, identity};
use crate::quic::Direction;
use crate::script::Script;
use bytes::Bytes;

impl World {
    pub(super) fn application_says(&mut self, step: u8, n: usize, script: &mut Script<'_>) {
        let now = self.now();
        let other = self.nodes[1 - n].code.clone();
        let peer = self.some_peer(n, script.octet());
        let driven = &mut self.nodes[n];
        // What a verb refuses is as good as what it does.
        match step {
            16 => {
                let _ = driven.node.connect(now, peer);
            }
            17 => {
                let conn = some_conn(driven, script.octet());
                driven.node.close(now, conn);
            }
            18 => {
                let target = target(n as u8, peer, script);
                if let Ok(hosting) = driven.node.pairing().host(now, &target) {
                    driven.code = Some(hosting.code);
                }
            }
            19 => {
                let target = target(n as u8, peer, script);
                let code = other.filter(|_| script.flag()).or_else(|| "4821935".parse().ok());
                if let Some(code) = code {
                    drop(driven.node.pairing().join(now, code, &target));
                }
            }
            20 => {
                let id = crate::event::PairingId(u64::from(script.octet() % 8));
                driven.node.pairing().cancel(now, id);
            }
            21 => {
                driven.node.pairing().forget(now, peer);
            }
            22 => {
                let to = address(script.octet() % 4, script.pick(&[Family::V4, Family::V6]));
                driven.node.peers().add_address(now, peer, to);
            }
            _ => {
                match script.octet() {
                    0xff => driven.shutdown(now),
                    0x80..=0xbf => driven.dealings.step(&mut driven.node, now, script),
                    0x40..=0x7f => decide(driven, now, n as u8, script),
                    which @ 0xc0..=0xdf => global(driven, now, peer, which),
                    which @ 0x20..=0x3f => datagrams(driven, which),
                    which @ 0x01..=0x1f => reach(driven, now, peer, which),
                    _ => {}
                }
                let peers = driven.node.peers();
                let known = peers.discovered().len() + peers.paired().len() + peers.connected().len();
                assert!(known < 1000, "a node knows more peers than there are");
            }
        }
    }

    pub(super) fn stream_moves(&mut self, step: u8, n: usize, script: &mut Script<'_>) {
        let now = self.now();
        let driven = &mut self.nodes[n];
        if step == 24 {
            let conn = some_conn(driven, script.octet());
            let direction = script.pick(&[Direction::Bi, Direction::Uni]);
            let label = "l".repeat(usize::from(script.word()) % 300);
            let key = u64::from(script.octet());
            if let Ok(stream) = driven.node.open(now, conn, direction, &label, key) {
                driven.streams.push((conn, stream));
            }
            return;
        }
        let Some(at) = usize::from(script.octet()).checked_rem(driven.streams.len()) else { return };
        let (conn, id) = driven.streams[at];
        let Ok(mut stream) = driven.node.stream(conn, id) else {
            driven.streams.remove(at);
            return;
        };
        match step {
            25 => {
                let mut sink = Vec::new();
                let limit = usize::from(script.word());
                if let Ok(read) = stream.read_chunks(limit, &mut sink) {
                    assert_eq!(read.bytes, sink.iter().map(Bytes::len).sum::<usize>(), "bytes are counted");
                    assert!(read.bytes <= limit, "more was read than was asked for");
                    driven.reached.read |= read.bytes > 0;
                }
            }
            26 => {
                let _ = stream.write(&vec![7; usize::from(script.word())]);
            }
            27 => {
                let mut chunks = [Bytes::from(vec![8; usize::from(script.word())]), Bytes::new()];
                let _ = stream.write_chunks(&mut chunks);
            }
            28 => {
                let _ = stream.finish();
            }
            29 => stream.reset(u64::from(script.octet()) << 56),
            30 => stream.stop(u64::from(script.octet())),
            _ => {
                let key = script.octet();
                stream.set_key(u64::from(key));
                stream.set_priority(i32::from(key) - 128);
                assert!(stream.label().len() <= 255, "a label is over its limit");
                let _ = stream.direction();
            }
        }
    }

    fn some_peer(&self, n: usize, which: u8) -> PeerId {
        let kind = self.config.peer_id;
        match which % 8 {
            0..=5 => identity(1 - n as u8).peer_id(kind),
            6 => identity(n as u8).peer_id(kind),
            _ => PeerId::Sha1([which; 20]),
        }
    }
}

/// Reads what datagrams came on a connection, or sends one.
fn datagrams(driven: &mut Driven, which: u8) {
    let conn = some_conn(driven, which % 8);
    let Ok(mut datagrams) = driven.node.datagrams(conn) else { return };
    if which & 8 != 0 {
        while datagrams.read().is_some() {}
    } else {
        let size = datagrams.max_size().map_or(0, |max| max * usize::from(which & 16) / 16);
        let _ = datagrams.send(Bytes::from(vec![9; size]));
    }
}

/// The application says how a peer is to be reached.
fn reach(driven: &mut Driven, now: Now, peer: PeerId, which: u8) {
    let on = |bit: u8| which & bit != 0;
    match which & 3 {
        0 => {
            let mut sources = Sources::none();
            (sources.mdns, sources.manual, sources.remembered) = (on(4), on(8), on(16));
            driven.node.set_sources(now, sources);
            assert_eq!(driven.node.sources(), sources, "sources are as they were set");
        }
        1 => {
            let policy = if on(4) { Some(Policy::Eager) } else { on(8).then_some(Policy::Lazy) };
            driven.node.peers().set_policy(now, peer, policy);
        }
        _ => {
            let name = HostName::new(&format!("host-{}", which >> 2), 40_000).expect("a sound name");
            driven.node.peers().add_name(now, peer, name);
        }
    }
    let state = driven.node.peers().state(peer);
    let is_paired = driven.node.peers().paired().iter().any(|paired| paired.key.is_named(&peer));
    assert!(state.is_some() || !is_paired, "how it stands with a paired peer is known");
}

/// The application has to do with discovery servers: with one at most, and where it is nobody is one.
fn global(driven: &mut Driven, now: Now, peer: PeerId, which: u8) {
    let mut global = driven.node.global();
    match which & 3 {
        0 => global.switch_off(now),
        1 => global.switch_on(now),
        _ => drop(global.look_up(now, peer)),
    }
    assert!(global.servers().len() <= 1, "there are more servers than were given");
}

/// The user decides about a key.
fn decide(driven: &mut Driven, now: Now, n: u8, script: &mut Script<'_>) {
    let whom = script.pick(&[1 - n, 1 - n, n, 9]);
    let key = identity(whom).fingerprint();
    let mut pairing = driven.node.pairing();
    // What a verb refuses is as good as what it does.
    match script.octet() % 5 {
        0 => drop(pairing.trust(now, key, &Target::Any)),
        1 => drop(pairing.trust(now, key, &Target::At(vec![address(1 - n, Family::V4)]))),
        2 => drop(pairing.distrust(now, &key)),
        3 => drop(pairing.ban(now, key)),
        _ => drop(pairing.unban(now, &key)),
    }
    assert!(pairing.trusting().len() <= 3 && pairing.banned().len() <= 3, "a key is decided about once");
}

fn some_conn(driven: &Driven, which: u8) -> ConnId {
    let at = usize::from(which).checked_rem(driven.conns.len());
    at.map_or(ConnId(u64::from(which)), |at| driven.conns[at])
}

fn target(n: u8, peer: PeerId, script: &mut Script<'_>) -> Target {
    match script.octet() % 4 {
        0 => Target::Any,
        1 => Target::Peer(peer),
        2 => Target::At(vec![address(1 - n, Family::V4)]),
        _ => Target::At(vec![address(script.octet() % 4, Family::V6); usize::from(script.octet() % 20)]),
    }
}
