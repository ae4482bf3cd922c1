//! A whole node under floods: no table exceeds its bound.

use crate::node::route::MAX_OUT;
use crate::testing::base;
use crate::{
    Answer, Ask, Config, Crypto, Identity, Interface, InterfaceAddr, Node, Now, Opened, Output, Received,
    Seed, ServiceName, SocketId, SocketSpec, Table, UnixTime,
    store::{StoreReply, Stored},
};
use bytes::BytesMut;
use std::time::Duration;

/// A node with one interface, driven by hand.
struct Bench {
    node: Node,
    now: Now,
    mdns: Option<SocketId>,
    events: usize,
}

impl Bench {
    fn new() -> Self {
        let mut config = Config::new(ServiceName::new("test").unwrap());
        config.max_cached_records = 100;
        config.max_discovered_peers = 20;
        let now = Now { mono: base(), wall: UnixTime::default() };
        let crypto = Crypto::new(rustls::crypto::ring::default_provider());
        let identity = Identity::from_entropy([1; 32]);
        let node = Node::new(config, &identity, crypto, &Seed::new([2; 32]), now).unwrap();
        let mut bench = Self { node, now, mdns: None, events: 0 };
        let addresses = vec![InterfaceAddr { ip: "10.0.0.1".parse().unwrap(), prefix: 24 }];
        let interface = Interface { name: "eth0".into(), index: 1, loopback: false, addresses };
        bench.node.handle_interfaces(now, &[interface]);
        bench.settle();
        bench
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
                    let opened = Opened {
                        address: "0.0.0.0:4000".parse().unwrap(),
                        gso_segments: 1,
                        shares_port: false,
                    };
                    self.node.handle_socket(self.now, id, Ok(opened));
                }
                Output::Ask(Ask::Store(token, _)) => {
                    self.node.answer(self.now, Answer::Store(token, StoreReply::Loaded(Stored::default())));
                }
                Output::Event(_) => self.events += 1,
                Output::Wait(_) => return,
                Output::Close(_)
                | Output::Transmit(_)
                | Output::Ready(_)
                | Output::Ask(_)
                | Output::Yield => {}
            }
        }
    }

    /// Hears a datagram, a millisecond after the last.
    fn hear(&mut self, datagram: &[u8]) {
        self.now.mono += Duration::from_millis(1);
        let received = Received {
            socket: self.mdns.unwrap(),
            interface: Some(1),
            source: "10.0.0.9:5353".parse().unwrap(),
            destination: Some("224.0.0.251".parse().unwrap()),
            ecn: None,
            stride: datagram.len(),
            payload: BytesMut::from(datagram),
        };
        self.node.handle_datagram(self.now, received);
    }

    fn check(&self) {
        for table in self.node.tables() {
            assert!(table.len <= table.bound, "{table:?}");
        }
    }

    fn table(&self, name: &str) -> Table {
        self.node.tables().into_iter().find(|table| table.name == name).expect("it is listed")
    }
}

/// The response of a peer that is whole: PTR, SRV, TXT and A. RFC 1035 §4.1.
fn response(peer: usize) -> Vec<u8> {
    let kind = b"\x05_test\x04_udp\x05local\0";
    let instance = [b"\x28", format!("{peer:040x}").as_bytes(), kind].concat();
    let host = [b"\x28", format!("{peer:040x}").as_bytes(), b"\x05local\0"].concat();
    let mut out = vec![0, 0, 0x84, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    let srv = [&[0, 0, 0, 0, 0x0f, 0xa0][..], &host].concat();
    for (name, kind, class, data) in [
        (&kind[..], 12, 0x0001_u16, &instance[..]),
        (&instance, 33, 0x8001, &srv),
        (&instance, 16, 0x8001, b"\0"),
        (&host, 1, 0x8001, &[10, 0, 0, 9]),
    ] {
        out.extend_from_slice(name);
        out.extend_from_slice(&[0, kind]);
        out.extend_from_slice(&class.to_be_bytes());
        out.extend_from_slice(&120_u32.to_be_bytes());
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(data);
    }
    out
}

#[test]
fn a_thousand_instances_fill_no_table_beyond_its_bound() {
    let mut bench = Bench::new();
    for peer in 0..1_000 {
        bench.hear(&response(peer));
        if peer % 20 == 0 {
            bench.check();
            bench.settle();
            bench.check();
        }
        if peer % 100 == 0 {
            bench.now.mono += Duration::from_secs(1);
            bench.node.handle_timeout(bench.now);
        }
    }
    bench.settle();
    bench.check();
    assert_eq!(bench.table("mdns: records cached").len, 100);
    assert_eq!(bench.table("peers: known").len, 20);
    assert!(bench.events > 500, "the flood was heard");
}

#[test]
fn outputs_wait_in_the_engines_while_the_driver_takes_them() {
    let mut bench = Bench::new();
    let mut fullest = 0;
    for peer in 0..800 {
        bench.hear(&response(peer));
        // The driver takes one output and gives another datagram: it never comes to the end.
        bench.node.poll_output(bench.now, &mut Vec::new());
        fullest = fullest.max(bench.table("node: outputs").len);
    }
    assert!((MAX_OUT / 2..MAX_OUT + 4).contains(&fullest), "{fullest}");
    bench.settle();
    bench.check();
    assert_eq!(bench.table("node: outputs").len, 0);
}

/// Whoever adds a table adds it here and says what its bound is.
#[test]
fn every_table_is_listed_by_name() {
    let bench = Bench::new();
    let mut names: Vec<_> = bench.node.tables().iter().map(|table| table.name).collect();
    names.sort_unstable();
    let listed: Vec<_> = LISTED.trim().lines().map(str::trim).collect();
    assert_eq!(names, listed);
}

const LISTED: &str = "
    global: addresses of a peer
    global: bytes of a reply
    global: events
    global: look-ups of a server
    global: peers lost
    global: peers sought
    global: peers that a server tells of
    global: peers to ask a server for
    global: requests of a server
    global: servers
    global: servers that know a peer
    mdns: conflicts lately
    mdns: datagrams to send
    mdns: echoes awaited
    mdns: goodbyes to say
    mdns: instances by host
    mdns: instances of which a link heard
    mdns: instances resolved
    mdns: instances seen
    mdns: instances that changed
    mdns: kinds browsed
    mdns: known answers of a held query
    mdns: late changes of a set
    mdns: links
    mdns: links that came up lately
    mdns: links that see an instance
    mdns: names probed for
    mdns: names where we are listed
    mdns: own hosts
    mdns: own names
    mdns: own names to probe for
    mdns: own records of a set
    mdns: own sets of records
    mdns: questions asked
    mdns: questions given up
    mdns: questions of others that go on
    mdns: records cached
    mdns: records withdrawn lately
    mdns: replies that wait
    mdns: services
    mdns: sources of records
    mdns: truncated queries held
    mdns: ways to find a record
    node: addresses of an interface
    node: connections in the log
    node: connections that pair
    node: connections to be admitted
    node: interfaces
    node: interfaces denied
    node: keys dialled to pair with
    node: outputs
    node: pairings in the log
    node: peers in the log
    node: peers that are counted
    node: peers with limits of their own
    node: requests to discovery servers
    node: services found
    node: services looked for
    node: services published
    node: sockets
    node: sockets to open or close
    pairing: callers that wait for a record
    pairing: changes for the store
    pairing: codes entered
    pairing: connections with lists
    pairing: entries of a list
    pairing: events
    pairing: hooks
    pairing: hosts whose entries are counted
    pairing: keys that are banned
    pairing: keys that are trusted
    pairing: keys that are trusted and not paired
    pairing: marks for the store
    pairing: records
    pairing: sessions
    pairing: sources that prompted
    pairing: what the user wants gone
    pairing: wrong codes remembered
    peers: addresses given of a peer
    peers: addresses of a dial
    peers: addresses remembered of a peer
    peers: connections
    peers: dials
    peers: entries of a list
    peers: events
    peers: interfaces that see a peer
    peers: known
    peers: names given of a peer
    peers: names looked up
    peers: paired
    peers: sources of peers
    peers: states to tell
    peers: to be dialled again
    peers: waited for
    peers: whereabouts being stored
    peers: whereabouts stored
    peers: whereabouts to store
    quic: addresses of this machine
    quic: addresses where a peer may be
    quic: answers to strangers
    quic: bytes of a label
    quic: bytes of datagrams to read
    quic: bytes of datagrams to send
    quic: bytes that may be received, beyond each one's own
    quic: bytes that may be written, beyond each one's own
    quic: connections accepted
    quic: connections dialled
    quic: connections to ask
    quic: connections to read on
    quic: connections to send
    quic: connections unauthenticated
    quic: connections with datagrams
    quic: connections with room for streams
    quic: events
    quic: frames to say on a connection
    quic: handles
    quic: requests that moved
    quic: streams opened by a peer
    quic: streams opened here
    quic: streams ready
    quic: those of one source
    quic: timers
";
