//! How a world drives a node: what a driver does, in virtual time.

use super::{Due, Place, World};
use crate::app::{App, Context};
use crate::fabric::{Arrival, Host, Outgoing};
use crate::fault::Fault;
use crate::machine::{Engine, Machine};
use bytes::{Bytes, BytesMut};
use handfast_core::ask::Answer;
use handfast_core::{
    Crypto, Event, Family, Interface, Node, Now, Opened, Output, Received, Seed, Server, SocketId,
    SocketSpec, Transmit,
};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A node that wants to be told one and the same time more often than this is in a busy loop.
const MAX_TURNS: u32 = 200;

/// A node that wants more done at once than this never comes to rest.
const MAX_OUTPUTS: u32 = 1_000_000;

impl<A: App> World<A> {
    /// Does what is due at this moment: first what arrives, then what was scheduled, then the nodes' timers.
    pub(super) fn act(&mut self) {
        while let Some(arrival) = self.fabric.poll_arrival(self.now) {
            self.arrive(arrival);
        }
        while let Some(entry) = self.due.first_entry()
            && entry.key().0 <= self.now
        {
            let due = entry.remove();
            self.carry_out(due);
        }
        while let Some((at, host)) = self.wakes.first().copied()
            && at <= self.now
        {
            self.wakes.pop_first();
            self[host].wake_at = None;
            self.tell_time(host);
        }
    }

    fn tell_time(&mut self, host: Host) {
        let now = self.host_now(host);
        let machine = &mut self[host];
        if machine.asleep.is_some() {
            return;
        }
        let turns = machine.turns.at(now.mono);
        assert!(turns <= MAX_TURNS, "no node busy-loops: {} was told one moment {turns} times", machine.name);
        if let Some(engine) = &mut machine.engine {
            engine.machine().handle_timeout(now);
            self.settle(host);
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let (host, now) = (arrival.host, self.now);
        let at = self.elapsed();
        self.trace.heard(at, self.places[host.0].name(), &arrival);
        if let Place::Stranger(stranger) = &mut self.places[host.0] {
            stranger.heard(now, &arrival);
            return;
        }
        let now = self.host_now(host);
        let machine = &mut self[host];
        if machine.asleep.is_some() {
            return;
        }
        let family = Family::of(arrival.destination);
        let Some(socket) = machine.socket_for(arrival.interface, family, arrival.destination_port) else {
            return;
        };
        let Some(engine) = &mut machine.engine else { return };
        engine.machine().handle_datagram(now, received(socket, &arrival));
        self.settle(host);
    }

    fn carry_out(&mut self, due: Due) {
        let asleep = due.host().filter(|host| self[*host].asleep.is_some());
        if let Some(host) = asleep {
            let at = self.now;
            return self[host].put_off.push((at, due));
        }
        match due {
            Due::Store { host, boots } if self.lives(host, boots) => self.serve_store(host),
            Due::Hook { host, boots, ticket } if self.lives(host, boots) => {
                let machine = &mut self[host];
                if let Some(at) = machine.hooks.iter().position(|hook| hook.ticket == ticket) {
                    let hook = machine.hooks.remove(at);
                    self.answer(host, Answer::Paired(hook.token, Ok(())));
                }
            }
            Due::Answer { host, boots, answer } if self.lives(host, boots) => self.answer(host, answer),
            Due::Timer { host, boots, key } if self.lives(host, boots) => {
                self.with_app(host, |app, cx| app.timer(cx, key));
                self.settle(host);
            }
            Due::Store { .. } | Due::Hook { .. } | Due::Answer { .. } | Due::Timer { .. } => {}
            Due::Act { host } => self.let_act(host),
            Due::Restart { host } => self.restart(host),
        }
    }

    /// Whether a host's node is still the one that something was meant for.
    fn lives(&self, host: Host, boots: u64) -> bool {
        let machine = &self[host];
        machine.engine.is_some() && machine.boots == boots
    }

    fn let_act(&mut self, host: Host) {
        let now = self.now;
        let Place::Stranger(stranger) = &mut self.places[host.0] else { return };
        let act = stranger.act(now, &mut self.rng);
        for misdeed in act.sends {
            self.misbehave(host, misdeed);
        }
        if let Some(after) = act.again {
            self.schedule(now + after, Due::Act { host });
        }
    }

    /// Starts a host's node from what its store holds.
    pub(super) fn start_node(&mut self, host: Host) {
        let now = self.host_now(host);
        let boots = self[host].boots + 1;
        // No two lives of any node draw the same.
        let seed = self.seed ^ (host.0 as u64 + 1).rotate_left(48) ^ boots.rotate_left(32);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let crypto = self.crypto.seeded(seed);
        let machine = &mut self[host];
        machine.boots = boots;
        machine.changes += 1;
        machine.asked.clear();
        let mut engine = machine.begin(crypto, &Seed::new(bytes), now);
        engine.machine().handle_interfaces(now, &machine.interfaces());
        machine.engine = Some(engine);
        if machine.serves.is_none() {
            self.with_app(host, |app, cx| app.started(cx));
        }
        self.settle(host);
    }

    /// Carries out everything that a node wants done.
    pub fn settle(&mut self, host: Host) {
        let mut buf = std::mem::take(&mut self.buf);
        for count in 0.. {
            assert!(count < MAX_OUTPUTS, "no node busy-loops: it wants {count} things done at once");
            let now = self.host_now(host);
            let Some(engine) = &mut self[host].engine else { break };
            match engine.machine().poll_output(now, &mut buf) {
                Output::Open(id, spec) => self.open(host, id, spec),
                Output::Close(id) => self.close_socket(host, id),
                Output::Transmit(transmit) => self.transmit(host, &transmit, &buf),
                Output::Event(event) => self.event(host, event),
                Output::Ready(ready) => self.with_app(host, |app, cx| app.ready(cx, ready)),
                Output::Ask(ask) => self.ask(host, ask),
                Output::Yield => {}
                Output::Wait(deadline) => {
                    let at = deadline.map(|deadline| self[host].clock.to_world(deadline.at));
                    self.wake_at(host, at);
                    break;
                }
            }
        }
        self.buf = buf;
    }

    pub(super) fn wake_at(&mut self, host: Host, at: Option<std::time::Instant>) {
        if self[host].wake_at == at {
            return;
        }
        if let Some(old) = std::mem::replace(&mut self[host].wake_at, at) {
            self.wakes.remove(&(old, host));
        }
        if let Some(at) = at {
            self.wakes.insert((at, host));
        }
    }

    fn event(&mut self, host: Host, event: Event) {
        self.narrate(Some(host), format_args!("{event:?}"));
        if self[host].serves.is_none() {
            self.with_app(host, |app, cx| app.event(cx, event));
        }
    }

    /// Lets an application do something, with its node in its hands.
    pub fn with_app<T>(&mut self, host: Host, act: impl FnOnce(&mut A, &mut Context<'_>) -> T) -> T {
        let (mut timers, mut notes) = (Vec::new(), Vec::new());
        let Place::Machine(machine) = &mut self.places[host.0] else {
            panic!("a stranger has no application")
        };
        let now = machine.clock.read(self.now);
        let Some(Engine::Node(node)) = &mut machine.engine else { panic!("the node runs") };
        let (rng, boots, records) = (&mut self.rng, machine.boots, &machine.store.records);
        let mut cx = Context { node, now, records, rng, timers: &mut timers, notes: &mut notes };
        let result = act(&mut machine.app, &mut cx);
        for note in notes {
            self.narrate(Some(host), format_args!("{note}"));
        }
        for (after, key) in timers {
            self.schedule(self.now + after, Due::Timer { host, boots, key });
        }
        result
    }

    pub(super) fn answer(&mut self, host: Host, answer: Answer) {
        let now = self.host_now(host);
        if let Some(node) = self[host].node() {
            node.answer(now, answer);
            self.settle(host);
        }
    }

    pub(super) fn answer_after(&mut self, host: Host, after: Duration, answer: Answer) {
        let boots = self[host].boots;
        self.schedule(self.now + after, Due::Answer { host, boots, answer });
    }

    fn open(&mut self, host: Host, id: SocketId, spec: SocketSpec) {
        let now = self.host_now(host);
        let machine = &mut self[host];
        let (family, port) = match spec {
            SocketSpec::Quic { family, .. } => (family, machine.port_of(&spec)),
            SocketSpec::Mdns { family, .. } => (family, machine.port_of(&spec)),
        };
        let result = if machine.refused.contains(&family) {
            Err(ErrorKind::Unsupported)
        } else {
            machine.sockets.insert(id, spec);
            let ip = match family {
                Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
                Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
            };
            Ok(Opened { address: SocketAddr::new(ip, port), gso_segments: 64, shares_port: false })
        };
        let failed = result.is_err();
        if let Some(engine) = &mut machine.engine {
            engine.machine().handle_socket(now, id, result);
        }
        if failed {
            self.tally.fired(Fault::SocketRefused);
        } else if let SocketSpec::Mdns { family, interface, .. } = spec {
            // Where the interface is gone by now, its socket is closed next.
            let _ = self.fabric.join(host, interface, family);
        }
    }

    pub(super) fn close_socket(&mut self, host: Host, id: SocketId) {
        if let Some(SocketSpec::Mdns { family, interface, .. }) = self[host].sockets.remove(&id) {
            self.fabric.leave(host, interface, family);
        }
    }

    fn transmit(&mut self, from: Host, transmit: &Transmit, buf: &[u8]) {
        let machine = &self[from];
        let Some(spec) = machine.sockets.get(&transmit.socket).copied() else { return };
        let source_port = machine.port_of(&spec);
        let (interface, may_fragment) = match spec {
            SocketSpec::Quic { .. } => (None, false),
            SocketSpec::Mdns { interface, .. } => (Some(interface), true),
        };
        let size = transmit.segment_size.unwrap_or(buf.len()).max(1);
        for datagram in buf.chunks(size) {
            self.send(
                from,
                Outgoing {
                    interface,
                    source_ip: transmit.source,
                    source_port,
                    destination: transmit.destination,
                    ecn: transmit.ecn,
                    may_fragment,
                    payload: Bytes::copy_from_slice(datagram),
                },
            );
        }
    }
}

impl<A> Machine<A> {
    /// A node, or a server, from what the host has.
    fn begin(&self, crypto: Crypto, seed: &Seed, now: Now) -> Engine {
        let Some(config) = &self.serves else {
            let node = Node::new(self.config.clone(), &self.identity, crypto, seed, now);
            return Engine::Node(Box::new(node.expect("the configuration is sound")));
        };
        let server = Server::new(config.clone(), &self.identity, crypto, seed, now);
        let mut server = server.expect("the configuration is sound");
        let mut rest = &self.snapshot[..];
        while !rest.is_empty() {
            let len = server.restore(now, rest).expect("a server reads what it wrote");
            rest = &rest[len..];
        }
        Engine::Server(Box::new(server))
    }

    /// What its node is told of its interfaces.
    pub(super) fn tell_interfaces(&mut self, now: Now) {
        let list: Vec<Interface> = self.interfaces();
        if let Some(engine) = &mut self.engine {
            engine.machine().handle_interfaces(now, &list);
        }
    }
}

fn received(socket: SocketId, arrival: &Arrival) -> Received {
    Received {
        socket,
        interface: Some(arrival.interface),
        source: arrival.source,
        destination: Some(arrival.destination),
        ecn: arrival.ecn,
        stride: arrival.payload.len().max(1),
        payload: BytesMut::from(&arrival.payload[..]),
    }
}
