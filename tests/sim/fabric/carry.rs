//! Carries packets from port to port: out of the sender's cable, over the segment, into the receiver's.

use super::link::Crossing;
use super::packet::{Arrival, Next, Packet, scoped};
use super::port::{Owner, PortId};
use super::queue::{Flight, Place, Stage};
use super::{BridgeState, Fabric, Family, Host, Segment};
use crate::fault::Fault;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a host's datagrams to itself take.
const LOOPBACK: Duration = Duration::from_micros(10);

impl Fabric {
    /// A device puts a packet out of its port.
    pub(super) fn launch(&mut self, now: Instant, id: PortId, packet: &Arc<Packet>) {
        let port = self.ports.get_mut(&id).expect("devices send on ports that they have");
        self.tap.note(now, port.segment, port.owner, packet);
        let Some(cable) = &mut port.cable else { return self.transmit(now, id, packet) };
        let link = cable.link;
        let Some((out, fragments)) = cable.up.admit(now, &link, packet, &mut self.tally) else { return };
        let crossing = link.cross(fragments, &mut self.rng, &mut self.tally);
        self.orders += 1;
        let place = link.shuffles().then_some(Place { sender: id, order: self.orders });
        self.fly(out, id, Stage::Enter, place, &crossing, packet);
    }

    /// A packet leaves for its host's own ears.
    pub(super) fn loop_back(&mut self, now: Instant, id: PortId, packet: &Arc<Packet>) {
        self.queue.push(now + LOOPBACK, id, Stage::Take, None, packet.clone());
    }

    /// What comes of a flight that ended.
    pub(super) fn land(&mut self, flight: Flight) -> Option<Arrival> {
        let Flight { at, port: id, stage, place, packet, .. } = flight;
        // A port that was unplugged meanwhile takes nothing.
        let port = self.ports.get_mut(&id)?;
        if let Some(Place { sender, order }) = place
            && port.came(stage, sender, order)
        {
            self.tally.fired(Fault::Reordered);
        }
        match stage {
            Stage::Enter => {
                self.transmit(at, id, &packet);
                None
            }
            Stage::Reach if port.cable.is_some() => {
                self.descend(at, id, &packet);
                None
            }
            Stage::Reach | Stage::Take => self.take(at, id, &packet),
        }
    }

    /// A packet goes down the receiver's own cable.
    fn descend(&mut self, at: Instant, id: PortId, packet: &Arc<Packet>) {
        let Some(port) = self.ports.get_mut(&id) else { return };
        let Some(cable) = &mut port.cable else { return };
        let link = cable.link;
        let Some((out, fragments)) = cable.down.admit(at, &link, packet, &mut self.tally) else { return };
        let crossing = link.cross(fragments, &mut self.rng, &mut self.tally);
        self.orders += 1;
        let place = link.shuffles().then_some(Place { sender: id, order: self.orders });
        self.fly(out, id, Stage::Take, place, &crossing, packet);
    }

    /// A packet enters a segment from one of its ports.
    fn transmit(&mut self, now: Instant, id: PortId, packet: &Arc<Packet>) {
        let Some(port) = self.ports.get_mut(&id) else { return };
        let (segment, owner) = (port.segment, port.owner);
        let link = self.segments[segment.0].link;
        let Some((out, fragments)) = port.line.admit(now, &link, packet, &mut self.tally) else { return };
        self.orders += 1;
        let place = link.shuffles().then_some(Place { sender: id, order: self.orders });
        for (receiver, its) in self.receivers(segment, id, packet) {
            if self.segments[segment.0].keeps_apart(owner, its) {
                self.tally.fired(Fault::Partitioned);
                continue;
            }
            let crossing = link.cross(fragments, &mut self.rng, &mut self.tally);
            self.fly(out, receiver, Stage::Reach, place, &crossing, packet);
        }
    }

    fn fly(
        &mut self,
        out: Instant,
        to: PortId,
        stage: Stage,
        place: Option<Place>,
        crossing: &Crossing,
        packet: &Arc<Packet>,
    ) {
        let Some(first) = crossing.first else { return };
        if let Some(Place { sender, order }) = place {
            let port = self.ports.get_mut(&to).expect("packets are sent to ports that are there");
            port.coming.entry((stage, sender)).or_default().push(order);
        }
        self.queue.push(out + first, to, stage, place, packet.clone());
        if let Some(copy) = crossing.copy {
            self.queue.push(out + copy, to, stage, None, packet.clone());
        }
    }

    /// The ports on a segment that a packet from one of them goes to.
    fn receivers(&self, segment: Segment, sender: PortId, packet: &Packet) -> Vec<(PortId, Owner)> {
        let state = &self.segments[segment.0];
        let owned = |id: &PortId| (*id, self.ports[id].owner);
        match packet.next {
            Next::Group(_) if state.internet => Vec::new(),
            Next::Group(family) => {
                let members = state.members(family).iter();
                let others = members.filter(|(_, owner)| !owner.is_same_device(packet.origin));
                let bridges = state.bridges.iter().filter(|bridge| **bridge != sender);
                others.map(|(id, owner)| (*id, *owner)).chain(bridges.map(owned)).collect()
            }
            Next::Nobody => Vec::new(),
            Next::Neighbor(_) | Next::Gateway(_) => {
                self.way(segment, packet.next, Some(sender)).iter().map(owned).collect()
            }
        }
    }

    /// Whoever owns a port takes a packet.
    fn take(&mut self, at: Instant, id: PortId, packet: &Arc<Packet>) -> Option<Arrival> {
        match self.ports.get(&id)?.owner {
            Owner::Host(host, interface) => self.deliver(at, id, host, interface, packet),
            Owner::Bridge(bridge, side) => {
                let far = side.other().of(self.bridges[bridge].ports);
                match self.bridges[bridge].state {
                    BridgeState::Up => self.launch(at, far, packet),
                    BridgeState::Down => self.tally.fired(Fault::BridgeDown),
                }
                None
            }
            Owner::Reflector(reflector, side) => {
                self.reflect(at, reflector, side, packet);
                None
            }
            Owner::Router(router, side) => {
                self.route(at, router, side, packet);
                None
            }
        }
    }

    fn deliver(
        &self,
        at: Instant,
        id: PortId,
        host: Host,
        interface: u32,
        packet: &Packet,
    ) -> Option<Arrival> {
        let port = &self.ports[&id];
        let destination = packet.destination.ip();
        let wanted = match destination.is_multicast() {
            true => self.segments[port.segment.0].members(Family::of(destination)).contains_key(&id),
            false => port.has(destination),
        };
        wanted.then(|| Arrival {
            at,
            host,
            interface,
            source: scoped(packet.source, interface),
            destination,
            destination_port: packet.destination.port(),
            ecn: packet.ecn,
            payload: packet.payload.clone(),
            on_link: packet.hops == 0,
        })
    }

    /// The port of a segment by which a unicast goes on: whose it is, or the bridge on the way there.
    pub(super) fn way(&self, segment: Segment, next: Next, from: Option<PortId>) -> Option<PortId> {
        let state = &self.segments[segment.0];
        let here = match next {
            Next::Group(_) | Next::Nobody => None,
            Next::Neighbor(ip) if state.internet => state.holder(ip).or_else(|| self.router_to(ip)),
            Next::Neighbor(ip) => state.holder(ip),
            Next::Gateway(router) if self.routers[router].inside == segment => {
                Some(self.routers[router].ports[0])
            }
            Next::Gateway(_) => None,
        };
        let bridges = || state.bridges.iter().copied().filter(|bridge| Some(*bridge) != from);
        here.or_else(|| bridges().find(|bridge| self.way_beyond(*bridge, next).is_some()))
    }

    fn way_beyond(&self, bridge: PortId, next: Next) -> Option<PortId> {
        let far = self.far_end(bridge);
        self.way(self.ports[&far].segment, next, Some(far))
    }

    /// The other port of the bridge that a port belongs to.
    pub(super) fn far_end(&self, bridge: PortId) -> PortId {
        let [a, b] = match self.ports[&bridge].owner {
            Owner::Bridge(bridge, _) => self.bridges[bridge].ports,
            Owner::Host(..) | Owner::Reflector(..) | Owner::Router(..) => {
                unreachable!("segments list bridges' ports only")
            }
        };
        if bridge == a { b } else { a }
    }

    fn router_to(&self, ip: std::net::IpAddr) -> Option<PortId> {
        let behind = |router: &&super::router::State| {
            router.carries(ip) && self.way(router.inside, Next::Neighbor(ip), None).is_some()
        };
        self.routers.iter().find(behind).map(|router| router.ports[1])
    }
}
