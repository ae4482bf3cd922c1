//! What befalls hosts: crashes, sleep, interfaces that come and go, calendars that jump.

use super::{Due, World};
use crate::app::App;
use crate::fabric::{Host, Port};
use crate::fault::Fault;
use handfast_core::{Family, InterfaceAddr, SocketSpec};
use std::io::ErrorKind;
use std::time::Duration;

impl<A: App> World<A> {
    /// Ends a node without a word. Its store and what its application keeps are left.
    pub fn crash(&mut self, host: Host) {
        if !self[host].is_up() {
            return;
        }
        self.narrate(Some(host), format_args!("CRASHES"));
        self.tally.fired(Fault::Crashed);
        let now = self.now;
        let machine = &mut self[host];
        if let Some(since) = machine.asleep.take() {
            machine.clock.stand(now - since);
        }
        machine.put_off.clear();
        machine.engine = None;
        machine.hooks.clear();
        machine.store.crash();
        machine.app.crashed();
        for spec in std::mem::take(&mut machine.sockets).into_values() {
            if let SocketSpec::Mdns { family, interface, .. } = spec {
                self.fabric.leave(host, interface, family);
            }
        }
        self.wake_at(host, None);
        if let Some(after) = self.restart_after {
            self.schedule(self.now + after, Due::Restart { host });
        }
    }

    /// Starts a node that crashed, from what its store holds. Nothing where it runs.
    pub fn restart(&mut self, host: Host) {
        if self[host].is_up() {
            return;
        }
        self.narrate(Some(host), format_args!("restarts"));
        self.tally.fired(Fault::Restarted);
        self.start_node(host);
    }

    /// Puts a host to sleep: it hears nothing and its monotonic clock stands still.
    pub fn suspend(&mut self, host: Host) {
        if self[host].asleep.is_some() {
            return;
        }
        self.narrate(Some(host), format_args!("falls asleep"));
        self.tally.fired(Fault::Suspended);
        self[host].asleep = Some(self.now);
        self.wake_at(host, None);
    }

    /// Wakes a host up, as its driver does: it is told how long it slept, and what its interfaces are.
    pub fn resume(&mut self, host: Host) {
        let Some(since) = self[host].asleep.take() else { return };
        let slept = self.now - since;
        self.narrate(Some(host), format_args!("wakes after {slept:?}"));
        self.put_back(host, slept);
        self[host].clock.stand(slept);
        let now = self.host_now(host);
        let machine = &mut self[host];
        if let Some(engine) = &mut machine.engine {
            engine.machine().handle_wake(now, slept);
            machine.tell_interfaces(now);
            self.settle(host);
        }
    }

    /// What was due to a host that slept is due as much later as it slept: its timers stood still.
    fn put_back(&mut self, host: Host, slept: Duration) {
        let missed = std::mem::take(&mut self[host].put_off);
        let ahead: Vec<_> = self.due.extract_if(.., |_, due| due.host() == Some(host)).collect();
        let ahead = ahead.into_iter().map(|((at, _), due)| (at, due));
        for (at, due) in missed.into_iter().chain(ahead) {
            self.schedule(at + slept, due);
        }
    }

    /// Sets a host's calendar forward, or back, by seconds.
    pub fn jump_clock(&mut self, host: Host, seconds: i64) {
        self.narrate(Some(host), format_args!("calendar jumps by {seconds} s"));
        self.tally.fired(Fault::ClockJumped);
        self[host].clock.jump(seconds);
    }

    /// Takes an interface away.
    pub fn take_down(&mut self, host: Host, interface: u32) {
        if self[host].ports.remove(&interface).is_none() {
            return;
        }
        self.narrate(Some(host), format_args!("loses interface {interface}"));
        self.tally.fired(Fault::InterfaceDown);
        self.fabric.unplug(host, interface);
        self.interfaces_changed(host);
    }

    /// The sockets of mDNS on one interface fail for good. Those of the other interfaces do not.
    pub fn fail_mdns(&mut self, host: Host, interface: u32) {
        let is_there =
            |spec: &SocketSpec| matches!(spec, SocketSpec::Mdns { interface: i, .. } if *i == interface);
        let sockets = self[host].sockets.iter().filter(|(_, spec)| is_there(spec));
        for id in sockets.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.narrate(Some(host), format_args!("loses a socket of mDNS on interface {interface}"));
            self.tally.fired(Fault::SocketRefused);
            self.close_socket(host, id);
            self.tell(host, |node, now| node.handle_socket(now, id, Err(ErrorKind::AddrNotAvailable)));
        }
    }

    /// Gives an interface back, or a new one, or an old one on another segment.
    pub fn bring_up(&mut self, host: Host, port: Port) {
        self.narrate(Some(host), format_args!("gets interface {}", port.interface));
        self.tally.fired(Fault::InterfaceUp);
        self.replug(host, port);
    }

    /// Gives an interface other addresses.
    pub fn renumber(&mut self, host: Host, interface: u32, addresses: Vec<InterfaceAddr>) {
        let Some(port) = self[host].ports.get(&interface).cloned() else { return };
        self.narrate(Some(host), format_args!("is renumbered on interface {interface}: {addresses:?}"));
        self.tally.fired(Fault::Renumbered);
        self.fabric.renumber(host, interface, addresses.clone());
        self[host].ports.insert(interface, Port { addresses, ..port });
        self.interfaces_changed(host);
    }

    fn replug(&mut self, host: Host, port: Port) {
        let interface = port.interface;
        self.fabric.unplug(host, interface);
        self.fabric.plug(host, port.clone());
        self[host].ports.insert(interface, port);
        // Sockets that stay open stay members.
        let families: Vec<Family> = self[host]
            .sockets
            .values()
            .filter_map(|spec| match spec {
                SocketSpec::Mdns { family, interface: i, .. } if *i == interface => Some(*family),
                SocketSpec::Mdns { .. } | SocketSpec::Quic { .. } => None,
            })
            .collect();
        for family in families {
            self.fabric.join(host, interface, family).expect("the port was just plugged");
        }
        self.interfaces_changed(host);
    }

    fn interfaces_changed(&mut self, host: Host) {
        let now = self.host_now(host);
        let machine = &mut self[host];
        machine.changes += 1;
        if machine.asleep.is_some() || machine.engine.is_none() {
            return;
        }
        machine.tell_interfaces(now);
        self.settle(host);
    }

    /// Ends a node in good order: it says goodbye. Its time still runs until it has said all.
    pub fn shut_down(&mut self, host: Host) {
        if self[host].is_up() {
            self.narrate(Some(host), format_args!("shuts down"));
            let now = self.host_now(host);
            if let Some(engine) = &mut self[host].engine {
                engine.machine().shutdown(now);
            }
            self.settle(host);
        }
    }

    /// Lets a discovery server write down what it holds: it begins with that when it next begins.
    ///
    /// # Panics
    /// Where it crashed, or is none.
    pub fn save(&mut self, host: Host) {
        let now = self.host_now(host);
        let (mut file, mut from) = (Vec::new(), Some(0));
        while let Some(at) = from {
            from = self[host].server().expect("the server runs").snapshot(now, at, &mut file);
        }
        self[host].snapshot = file;
    }

    /// Ends a node without a word, and starts it again after a time.
    pub fn crash_for(&mut self, host: Host, time: Duration) {
        let usual = self.restart_after.replace(time);
        self.crash(host);
        self.restart_after = usual;
    }
}
