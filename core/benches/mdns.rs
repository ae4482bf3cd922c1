//! What it costs to hear mDNS, beside parsers alone.
//!
//! `cargo bench -p handfast-core --bench mdns`. A typical response has 8 records: PTR, SRV, TXT, two A, two AAAA and
//! NSEC. All rows parse the same octets; only ratios within one run mean something. Allocations are counted in the
//! columns below the times.

#![allow(missing_docs, reason = "a bench has names, not documentation")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has nothing to say")]
#![expect(clippy::disallowed_methods, reason = "a bench begins at some moment")]

use bytes::BytesMut;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use handfast_core::ask::{Answer, Ask};
use handfast_core::store::{StoreReply, Stored};
use handfast_core::*;
use simple_dns::rdata::{A, AAAA, NSEC, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, ResourceRecord, TYPE};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// Different peers in turn, where a row is about those who are new.
const PEERS: u32 = 512;
/// What a peer says twice is longer apart than the second within which it counts as said once. RFC 6762 §10.2.
const BETWEEN: Duration = Duration::from_secs(20);

fn main() {
    divan::main();
}

/// A node that browses on one interface.
struct Listener {
    node: Node,
    now: Now,
    mdns: Option<SocketId>,
}

impl Listener {
    fn new() -> Self {
        let now = Now { mono: Instant::now(), wall: UnixTime::default() };
        let crypto = Crypto::new(rustls::crypto::ring::default_provider());
        let identity = Identity::from_entropy([1; 32]);
        let config = Config::new(ServiceName::new("bench").unwrap());
        let mut node = Node::new(config, &identity, crypto, &Seed::new([2; 32]), now).unwrap();
        let addresses = vec![InterfaceAddr { ip: "10.0.0.1".parse().unwrap(), prefix: 24 }];
        node.handle_interfaces(
            now,
            &[Interface { name: "eth0".into(), index: 2, loopback: false, addresses }],
        );
        let mut listener = Self { node, now, mdns: None };
        listener.settle();
        listener
    }

    /// Does what the node says until it waits; what it sends is lost.
    fn settle(&mut self) {
        let mut buf = Vec::new();
        loop {
            match self.node.poll_output(self.now, &mut buf) {
                Output::Open(id, spec) => {
                    if let SocketSpec::Mdns { .. } = spec {
                        self.mdns = Some(id);
                    }
                    let address = "0.0.0.0:4000".parse().unwrap();
                    let opened = Opened { address, gso_segments: 1, shares_port: false };
                    self.node.handle_socket(self.now, id, Ok(opened));
                }
                Output::Ask(Ask::Store(token, _)) => {
                    self.node.answer(self.now, Answer::Store(token, StoreReply::Loaded(Stored::default())));
                }
                Output::Wait(_) => return,
                _ => {}
            }
        }
    }
}

fn received(socket: Option<SocketId>, datagram: &[u8]) -> Received {
    Received {
        socket: socket.unwrap(),
        interface: Some(2),
        source: "10.0.0.9:5353".parse().unwrap(),
        destination: Some("224.0.0.251".parse().unwrap()),
        ecn: None,
        stride: datagram.len(),
        payload: BytesMut::from(datagram),
    }
}

/// What a peer says of itself, in 8 records.
fn response(kind: &str, peer: u32) -> Vec<u8> {
    // A peer's name is a hash: it differs from others in its first octets.
    let label = format!("{:016x}{peer:024x}", u64::from(peer).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (instance, host) = (format!("{label}.{kind}"), format!("{label}.local"));
    let [kind, instance, host] = [kind, &instance, &host].map(|name| Name::new(name).unwrap());
    let [a, b, c, d] = peer.to_be_bytes();
    let mut txt = TXT::new();
    for pair in ["txtvers=1", "name=Jo's laptop", "os=linux", "ver=1.2.3"] {
        txt.add_string(pair).unwrap();
    }
    let srv = SRV { priority: 0, weight: 0, port: 4242, target: host.clone() };
    let ip = |last| RData::A(A::from(Ipv4Addr::new(10, 0, b, last)));
    let ip6 = |last| {
        RData::AAAA(AAAA::from(Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d, last])))
    };
    let denied = NSEC::from_types(host.clone(), &[TYPE::A, TYPE::AAAA]);
    let mut packet = Packet::new_reply(0);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let unique = |name: &Name<'static>, data| {
        ResourceRecord::new(name.clone(), CLASS::IN, 120, data).with_cache_flush(true)
    };
    let [instance, host] = [instance, host].map(Name::into_owned);
    packet.answers.push(ResourceRecord::new(
        kind.into_owned(),
        CLASS::IN,
        4500,
        RData::PTR(PTR(instance.clone())),
    ));
    packet.additional_records.extend([
        unique(&instance, RData::SRV(srv).into_owned()),
        unique(&instance, RData::TXT(txt).into_owned()),
        unique(&host, ip(1)),
        unique(&host, ip(2)),
        unique(&host, ip6(1)),
        unique(&host, ip6(2)),
        unique(&host, RData::NSEC(denied).into_owned()),
    ]);
    packet.build_bytes_vec_compressed().unwrap()
}

const OURS: &str = "_bench._udp.local";
const OTHERS: &str = "_ipp._tcp.local";

/// Guard, parser and cache: a peer that is known says again what it said, a while later each time.
#[divan::bench]
fn heard_again(bencher: Bencher<'_, '_>) {
    let Listener { mut node, mut now, mdns } = Listener::new();
    let datagram = response(OURS, 1);
    node.handle_datagram(now, received(mdns, &datagram));
    bencher.with_inputs(|| received(mdns, &datagram)).bench_local_values(|received| {
        now.mono += BETWEEN;
        node.handle_datagram(now, received);
    });
}

/// The same for peers that are new, each.
#[divan::bench]
fn heard_first(bencher: Bencher<'_, '_>) {
    let datagrams: Vec<Vec<u8>> = (0..PEERS).map(|peer| response(OURS, peer)).collect();
    let fresh = || {
        let listener = Listener::new();
        let all = datagrams.iter().map(|datagram| received(listener.mdns, datagram));
        let all: Vec<Received> = all.collect();
        (listener, all)
    };
    bencher.counter(ItemsCount::new(PEERS)).with_inputs(fresh).bench_local_values(|(mut listener, all)| {
        for received in all {
            listener.node.handle_datagram(listener.now, received);
        }
        listener
    });
}

/// What nobody here asked for is turned away by the guard.
#[divan::bench]
fn turned_away(bencher: Bencher<'_, '_>) {
    let Listener { mut node, now, mdns } = Listener::new();
    let datagram = response(OTHERS, 1);
    bencher
        .with_inputs(|| received(mdns, &datagram))
        .bench_local_values(|received| node.handle_datagram(now, received));
}

/// The parser that is used here, alone.
#[divan::bench]
fn simple_dns_parse(bencher: Bencher<'_, '_>) {
    let datagram = response(OURS, 1);
    bencher.bench_local(|| Packet::parse(black_box(&datagram)).unwrap().answers.len());
}

/// hickory-proto's parser, alone.
#[divan::bench]
fn hickory_parse(bencher: Bencher<'_, '_>) {
    let datagram = response(OURS, 1);
    bencher.bench_local(|| hickory_proto::op::Message::from_vec(black_box(&datagram)).unwrap());
}
