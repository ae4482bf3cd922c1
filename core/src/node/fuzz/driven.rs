//! One node with the world around it: its sockets, its store, and an application that answers as it is told.

use super::dealings::Dealings;
use crate::ask::{Answer as To, Ask, PairingReply, Permission};
use crate::code::Code;
use crate::config::Config;
use crate::error::HookFailed;
use crate::event::{Event, PairingId};
use crate::id::{ConnId, PairId, SocketId, StreamId};
use crate::identity::Identity;
use crate::io::{
    Family, Interface, InterfaceAddr, Now, Opened, Output, Ready, Received, SocketSpec, Transmit,
};
use crate::node::Node;
use crate::quic::fuzz::crypto;
use crate::rng::Seed;
use crate::store::{StoreReply, StoreRequest, Stored};
use bytes::BytesMut;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

/// Outputs in a row after which a node counts as one that never rests.
const MAX_OUTPUTS: usize = 20_000;

/// Wakings at one instant after which a node counts as one that never rests.
const MAX_WAKINGS: usize = 100;

/// The interface that hosts share.
pub(super) const INTERFACE: u32 = 2;

/// How an application or a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Yes,
    No,
    /// When the script says so, or never.
    Later,
}

/// A datagram that a node sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) octets: Vec<u8>,
}

/// How far a script came, with one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// A peer was found on the LAN.
    pub(crate) discovered: bool,
    /// A search found a service.
    pub(crate) found: bool,
    /// A paired peer was connected.
    pub(crate) connected: bool,
    /// A pairing was concluded.
    pub(crate) paired: bool,
    /// A pairing was ended.
    pub(crate) unpaired: bool,
    /// A stream of the peer's was opened.
    pub(crate) opened: bool,
    /// Bytes were read.
    pub(crate) read: bool,
    /// A stranger was refused.
    pub(crate) refused: bool,
    /// A key that was trusted was paired.
    pub(crate) trusted: bool,
    /// A key was banned.
    pub(crate) banned: bool,
    /// Octets that were sent.
    pub(crate) sent: usize,
}

pub(super) struct Driven {
    pub(super) node: Node,
    pub(super) store: Stored,
    pub(super) manner: Manner,
    pub(super) waiting: Vec<Ask>,
    pub(super) sockets: BTreeMap<SocketId, SocketSpec>,
    pub(super) sent: Vec<Sent>,
    pub(super) conns: Vec<ConnId>,
    pub(super) streams: Vec<(ConnId, StreamId)>,
    pub(super) code: Option<Code>,
    pub(super) dealings: Dealings,
    pub(super) reached: Reached,
    /// When it wants to be woken.
    pub(super) wake_at: Option<Instant>,
    number: u8,
    asked: BTreeSet<(u8, u64)>,
    saved: BTreeSet<PairId>,
    trusts: Vec<PairingId>,
    /// How often it was woken since time last passed.
    woken: (Option<Instant>, usize),
}

pub(super) fn identity(number: u8) -> Identity {
    Identity::from_entropy([number + 1; 32])
}

pub(super) fn ip(number: u8, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 0, 0, 1 + number).into(),
        Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1 + u16::from(number)).into(),
    }
}

/// Where a node's QUIC socket is reached.
pub(super) fn address(number: u8, family: Family) -> SocketAddr {
    SocketAddr::new(ip(number, family), 40_000)
}

pub(super) fn interfaces(number: u8) -> Vec<Interface> {
    let of = |family, prefix| InterfaceAddr { ip: ip(number, family), prefix };
    let addresses = vec![of(Family::V4, 24), of(Family::V6, 64)];
    vec![Interface { name: "fuzz0".into(), index: INTERFACE, loopback: false, addresses }]
}

impl Driven {
    pub(super) fn new(number: u8, run: u8, config: Config, now: Now, store: Stored) -> Self {
        let mut seed = [number; 32];
        seed[31] = run;
        let node = Node::new(config, &identity(number), crypto::repeatable(), &Seed::new(seed), now);
        Self {
            node: node.expect("the configuration is sound"),
            saved: store.records.iter().map(|record| record.pair_id).collect(),
            store,
            manner: Manner::Yes,
            waiting: Vec::new(),
            sockets: BTreeMap::new(),
            sent: Vec::new(),
            conns: Vec::new(),
            streams: Vec::new(),
            code: None,
            dealings: Dealings::default(),
            reached: Reached::default(),
            wake_at: None,
            number,
            asked: BTreeSet::new(),
            trusts: Vec::new(),
            woken: (None, 0),
        }
    }

    /// Does what the node wants done, until it waits.
    pub(super) fn settle(&mut self, now: Now) {
        let mut buf = Vec::new();
        for _ in 0..MAX_OUTPUTS {
            match self.node.poll_output(now, &mut buf) {
                Output::Open(id, spec) => self.open(now, id, spec),
                Output::Close(id) => {
                    self.sockets.remove(&id);
                }
                Output::Transmit(transmit) => self.transmit(&transmit, &buf),
                Output::Event(event) => self.hear(event),
                Output::Ready(ready) => self.ready(ready),
                Output::Ask(ask) => self.ask(now, ask),
                Output::Yield => {}
                Output::Wait(deadline) => {
                    self.wake_at = deadline.map(|deadline| deadline.at);
                    self.dealings.check(&mut self.node);
                    self.reached.found |= self.dealings.found;
                    return;
                }
            }
        }
        panic!("a node never waits");
    }

    /// Ends the node, and all that it publishes and looks for.
    pub(super) fn shutdown(&mut self, now: Now) {
        self.node.shutdown(now);
        self.dealings.forget();
    }

    /// Wakes the node, if it wants to be woken by now.
    pub(super) fn wake(&mut self, now: Now) -> bool {
        if self.wake_at.is_none_or(|at| at > now.mono) {
            return false;
        }
        let (last, times) = self.woken;
        self.woken = if last == Some(now.mono) { (last, times + 1) } else { (Some(now.mono), 1) };
        assert!(self.woken.1 <= MAX_WAKINGS, "a node wants to be woken without end");
        self.node.handle_timeout(now);
        self.settle(now);
        true
    }

    /// Gives the node a datagram, on the socket that it is for.
    pub(super) fn receive(&mut self, now: Now, datagram: &Sent) {
        let (to, port) = (datagram.destination.ip(), datagram.destination.port());
        let is_it = |spec: &SocketSpec| match spec {
            SocketSpec::Quic { family, .. } => port == 40_000 && *family == Family::of(to),
            SocketSpec::Mdns { family, .. } => port == 5353 && *family == Family::of(to),
        };
        let ours = to.is_multicast() || to == ip(self.number, Family::of(to));
        let socket = self.sockets.iter().find(|(_, spec)| ours && is_it(spec)).map(|(id, _)| *id);
        if let Some(socket) = socket {
            self.node.handle_datagram(now, received(socket, datagram));
            self.settle(now);
        }
    }

    pub(super) fn answer(&mut self, now: Now, ask: Ask, manner: Manner, code: Option<&Code>) {
        let yes = manner == Manner::Yes;
        let result = if yes { Ok(()) } else { Err(HookFailed) };
        let permission = if yes { Permission::Granted } else { Permission::Refused };
        let answer = match ask {
            Ask::PairingRequest(token, _) => match code {
                Some(code) if yes => To::PairingRequest(token, PairingReply::Join(code.clone())),
                Some(_) | None => To::PairingRequest(token, PairingReply::Reject),
            },
            Ask::Admit(token, _) => To::Admit(token, permission),
            Ask::Confirm(token, _) => To::Confirm(token, permission),
            Ask::Paired(token, peer) => {
                if yes {
                    self.saved.insert(peer.pair_id);
                }
                To::Paired(token, result)
            }
            Ask::Rollback(token, id) => {
                if yes {
                    self.saved.remove(&id);
                }
                To::Rollback(token, result)
            }
            Ask::Store(token, request) => {
                let reply = if yes { self.store(request) } else { StoreReply::Failed };
                To::Store(token, reply)
            }
            Ask::Directory(..) => unreachable!("discovery servers alone ask it"),
            Ask::Resolve(token, name) => {
                assert_eq!(name.port(), 40_000, "another name is looked up than was given");
                let addresses = [Family::V4, Family::V6].map(|family| address(1 - self.number, family));
                To::Resolve(token, if yes { addresses.to_vec() } else { Vec::new() })
            }
        };
        self.node.answer(now, answer);
    }

    fn store(&mut self, request: StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Load => StoreReply::Loaded(self.store.clone()),
            StoreRequest::Write(change) => {
                self.store.apply(&change);
                StoreReply::Written
            }
        }
    }

    fn open(&mut self, now: Now, id: SocketId, spec: SocketSpec) {
        assert!(!self.sockets.contains_key(&id), "a socket is opened twice");
        if self.manner == Manner::No {
            return self.node.handle_socket(now, id, Err(std::io::ErrorKind::AddrInUse));
        }
        self.sockets.insert(id, spec);
        let (family, port) = match spec {
            SocketSpec::Quic { family, .. } => (family, 40_000),
            SocketSpec::Mdns { family, .. } => (family, 5353),
        };
        let unspecified: IpAddr = match family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let opened =
            Opened { address: SocketAddr::new(unspecified, port), gso_segments: 4, shares_port: false };
        self.node.handle_socket(now, id, Ok(opened));
    }

    fn transmit(&mut self, transmit: &Transmit, buf: &[u8]) {
        assert!(!buf.is_empty() && buf.len() <= 65_507, "a batch fits one send");
        let size = transmit.segment_size.unwrap_or(buf.len());
        assert!(size > 0 && size <= buf.len(), "a segment is a part of its batch");
        let spec = self.sockets.get(&transmit.socket).expect("a node sends on open sockets alone");
        let port = if matches!(spec, SocketSpec::Quic { .. }) { 40_000 } else { 5353 };
        let family = Family::of(transmit.destination.ip());
        let source = SocketAddr::new(ip(self.number, family), port);
        self.reached.sent += buf.len();
        let destination = transmit.destination;
        let sent = buf.chunks(size).map(|octets| Sent { source, destination, octets: octets.to_vec() });
        self.sent.extend(sent);
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::PeerDiscovered(_) => self.reached.discovered = true,
            Event::PeerConnected(peer) => {
                self.reached.connected = true;
                self.conns.push(peer.conn);
            }
            Event::PeerPaired(peer) => {
                assert!(self.saved.contains(&peer.pair_id), "paired with whom the application did not save");
                self.reached.paired = true;
            }
            Event::PeerUnpaired(..) => self.reached.unpaired = true,
            Event::StrangerRefused(..) => self.reached.refused = true,
            Event::PeerTrusted(trust, _) => self.trusts.push(trust),
            Event::PairingEnded(id, Ok(_)) if self.trusts.contains(&id) => self.reached.trusted = true,
            Event::PeerBanned(_) => self.reached.banned = true,
            event => self.dealings.hear(event),
        }
    }

    fn ready(&mut self, ready: Ready) {
        let (conn, stream, now) = match ready {
            Ready::Stream { conn, stream, now, .. } => (conn, stream, now),
            Ready::Datagrams { conn } => {
                return assert!(
                    self.conns.contains(&conn),
                    "datagrams come before their connection is told of"
                );
            }
            Ready::Streams { .. } => return,
        };
        assert!(self.conns.contains(&conn), "a stream moves before its connection is told of");
        assert!(!now.opened || now.readable, "what is opened is readable");
        self.reached.opened |= now.opened;
        if !self.streams.contains(&(conn, stream)) {
            self.streams.push((conn, stream));
        }
    }

    fn ask(&mut self, now: Now, ask: Ask) {
        let token = match &ask {
            Ask::PairingRequest(token, _) => (0, token.0),
            Ask::Paired(token, _) => (1, token.0),
            Ask::Rollback(token, _) => (2, token.0),
            Ask::Store(token, _) => (3, token.0),
            Ask::Admit(token, _) => (4, token.0),
            Ask::Confirm(token, _) => (5, token.0),
            Ask::Directory(..) => unreachable!("discovery servers alone ask it"),
            Ask::Resolve(token, _) => (6, token.0),
        };
        assert!(self.asked.insert(token), "a question was asked twice");
        // People take their time.
        match self.manner {
            manner @ (Manner::Yes | Manner::No) if !matches!(ask, Ask::PairingRequest(..)) => {
                self.answer(now, ask, manner, None);
            }
            Manner::Yes | Manner::No | Manner::Later => self.waiting.push(ask),
        }
    }
}

pub(super) fn received(socket: SocketId, datagram: &Sent) -> Received {
    Received {
        socket,
        interface: Some(INTERFACE),
        source: datagram.source,
        destination: Some(datagram.destination.ip()),
        ecn: None,
        stride: datagram.octets.len().max(1),
        payload: BytesMut::from(&datagram.octets[..]),
    }
}
