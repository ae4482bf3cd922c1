//! Does what the steps of a plan say about the ways to peers, and about what is said beside streams.

use super::Director;
use crate::swarm::truth::Ending;
use crate::swarm::user::User;
use handfast_core::{HostName, PublicKey, Sources};

impl Director {
    /// A user switches sources of addresses on and off.
    pub(in crate::swarm) fn set_sources(&mut self, number: usize, sources: Sources) {
        let Some(host) = self.up(number) else { return };
        let (boots, at) = (self.world[host].boots, self.world.elapsed());
        if sources.mdns {
            self.silence.borrow_mut().end(host);
        } else {
            self.silence.borrow_mut().begin(host, boots, at);
        }
        self.world.tell(host, |node, now| node.set_sources(now, sources));
    }

    /// Nothing that a host sends arrives any more, while all that others send does.
    pub(super) fn mute(&mut self, number: usize) {
        let host = self.hosts[number];
        self.muted.borrow_mut().extend(host.map(|host| (host, true)));
    }

    /// What it sends arrives again.
    pub(super) fn unmute(&mut self, number: usize) {
        let host = self.hosts[number];
        self.muted.borrow_mut().extend(host.map(|host| (host, false)));
    }

    /// A user gives a peer's name, as it is in the DNS at that time, and connects.
    pub(super) fn name(&mut self, a: usize, b: usize) {
        let (Some(host), peer) = (self.up(a), self.id(b)) else { return };
        let name = HostName::new(&format!("host-{b}.example"), 40_000).expect("a sound name");
        let addresses = self.addresses(b);
        self.world.dns.insert(name.clone(), addresses);
        self.world.tell(host, |node, now| {
            node.peers().add_name(now, peer, name);
            // Refused where they are not paired, or connected.
            let _ = node.connect(now, peer);
        });
    }

    /// A user sends to everybody who is connected.
    pub(super) fn tell_all(&mut self, number: usize, total: u64) {
        let Some(host) = self.up(number) else { return };
        self.world.with_app(host, |user, cx| {
            let peers: Vec<PublicKey> = user.connections.values().copied().collect();
            for peer in peers {
                user.send(cx, peer, total, Ending::Finish);
            }
        });
        self.world.settle(host);
    }

    pub(super) fn datagrams(&mut self, a: usize, b: usize, count: u32) {
        let (Some(host), peer) = (self.up(a), self.key(b)) else { return };
        self.world.with_app(host, |user: &mut User, cx| user.send_datagrams(cx, peer, count));
        self.world.settle(host);
    }

    pub(super) fn ask(&mut self, a: usize, b: usize, len: usize) {
        let (Some(host), peer) = (self.up(a), self.key(b)) else { return };
        self.world.with_app(host, |user: &mut User, cx| user.ask(cx, peer, len));
        self.world.settle(host);
    }
}
