//! Where a plan's hosts are: its segments, what joins them, and every address.

use super::plan::{Guest, Joint, Plan, Stack, Uplink, Villain};
use super::user::User;
use super::villains;
use crate::fabric::{
    Bridge, BridgeState, Fabric, Firewall, Host, InterfaceAddr, Link, Nat, Port, Router, RouterId, Segment,
};
use crate::world::World;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The segments of a plan's world.
pub(super) struct Geography {
    segments: Vec<Place>,
    bridges: Vec<Option<Bridge>>,
    joints: Vec<Joint>,
    /// How often each guest was renumbered.
    moves: Vec<u8>,
}

struct Place {
    segment: Segment,
    stack: Stack,
    uplink: Uplink,
    /// Its link when nothing is wrong.
    link: Link,
    router: Option<RouterId>,
    /// The first segment of those that bridges make one with it: they share a prefix.
    domain: usize,
}

impl Geography {
    pub(super) fn build(plan: &Plan, fabric: &mut Fabric) -> Self {
        let mut segments = Vec::new();
        for (number, (stack, uplink, link)) in plan.segments.iter().enumerate() {
            let segment = fabric.segment(*link);
            let router = router(number, *uplink).map(|kind| fabric.router(segment, kind));
            let place =
                Place { segment, stack: *stack, uplink: *uplink, link: *link, router, domain: number };
            segments.push(place);
        }
        let mut bridges = Vec::new();
        for joint in &plan.joints {
            let bridge = match *joint {
                Joint::Bridge(a, b) => {
                    segments[b].domain = segments[a].domain;
                    Some(fabric.bridge(segments[a].segment, segments[b].segment))
                }
                Joint::Reflector(a, b) => {
                    fabric.reflector(segments[a].segment, segments[b].segment);
                    None
                }
            };
            bridges.push(bridge);
        }
        let (joints, moves) = (plan.joints.clone(), vec![0; plan.guests.len()]);
        Self { segments, bridges, joints, moves }
    }

    /// A guest's interfaces.
    pub(super) fn ports(&self, number: usize, guest: &Guest) -> Vec<Port> {
        let port = |(index, on): (usize, &usize)| {
            let place = &self.segments[*on];
            let addresses = self.addresses(number, index, *on, guest);
            Port { interface: index as u32 + 1, segment: place.segment, addresses }
        };
        guest.segments.iter().enumerate().map(port).collect()
    }

    /// The segment of each of a guest's interfaces, where bridged ones count as one.
    pub(super) fn homes(&self, guest: &Guest) -> Vec<(u32, Segment)> {
        let home = |on: &usize| self.segments[self.segments[*on].domain].segment;
        guest.segments.iter().enumerate().map(|(index, on)| (index as u32 + 1, home(on))).collect()
    }

    fn addresses(&self, number: usize, index: usize, on: usize, guest: &Guest) -> Vec<InterfaceAddr> {
        let place = &self.segments[on];
        let own = 1 + number as u8 * 16 + index as u8 * 8 + self.moves[number] % 8;
        let v4 = self.v4(on, own);
        let v6 = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, on as u16 + 1, u16::from(own));
        let mut all = Vec::new();
        if place.stack != Stack::V6 {
            all.push(InterfaceAddr { ip: v4.into(), prefix: 24 });
        }
        if place.stack != Stack::V4 && guest.ipv6 {
            all.push(InterfaceAddr { ip: v6.into(), prefix: 64 });
        }
        all
    }

    /// The address of IPv4 that ends with `own` on a segment.
    fn v4(&self, on: usize, own: u8) -> Ipv4Addr {
        let domain = self.segments[on].domain as u8;
        match self.segments[on].uplink {
            Uplink::Routed => Ipv4Addr::new(203, 1, domain, own),
            Uplink::None | Uplink::Nat(..) => Ipv4Addr::new(10, 1, domain, own),
        }
    }

    pub(super) fn set_link(&self, fabric: &mut Fabric, number: usize, link: Option<Link>) {
        let place = &self.segments[number];
        fabric.set_link(place.segment, link.unwrap_or(place.link));
    }

    pub(super) fn part(&self, fabric: &mut Fabric, number: usize, groups: Vec<Vec<Host>>) {
        fabric.partition(self.segments[number].segment, groups);
    }

    pub(super) fn heal(&self, fabric: &mut Fabric, number: usize) {
        fabric.heal(self.segments[number].segment);
    }

    pub(super) fn set_bridge(&self, fabric: &mut Fabric, joint: usize, state: BridgeState) {
        if let Some(bridge) = self.bridges[joint] {
            fabric.set_bridge(bridge, state);
        }
    }

    pub(super) fn rebind(&self, fabric: &mut Fabric, number: usize) {
        if let Some(router) = self.segments[number].router {
            fabric.rebind(router);
        }
    }

    pub(super) fn renumbered(&mut self, number: usize) {
        self.moves[number] += 1;
    }

    /// Lets somebody in who plays by no rules.
    pub(super) fn invite(&self, world: &mut World<User>, number: usize, who: Villain, time: Duration) {
        let place = &self.segments[number];
        let v4 = IpAddr::from(self.v4(number, 250));
        let v6 = IpAddr::from(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xbad, 1));
        let mut addresses = Vec::new();
        if place.stack != Stack::V6 {
            addresses.push(InterfaceAddr { ip: v4, prefix: 24 });
        }
        if place.stack != Stack::V4 {
            addresses.push(InterfaceAddr { ip: v6, prefix: 64 });
        }
        let until = world.now() + time;
        let victims: Vec<IpAddr> = world
            .machines()
            .flat_map(|(_, machine)| machine.ips())
            .filter(|ip| addresses.iter().any(|own| own.contains(*ip)))
            .collect();
        let port = Port { interface: 1, segment: place.segment, addresses };
        world.invite(&[port], villains::make(who, victims, until));
    }

    /// Whether two segments hear each other's multicasts, directly or through bridges and reflectors.
    fn hear(&self, a: usize, b: usize) -> bool {
        let mut reached = vec![a];
        let mut next = 0;
        while let Some(at) = reached.get(next).copied() {
            next += 1;
            for joint in &self.joints {
                let (Joint::Bridge(x, y) | Joint::Reflector(x, y)) = *joint;
                for (from, to) in [(x, y), (y, x)] {
                    if from == at && !reached.contains(&to) {
                        reached.push(to);
                    }
                }
            }
        }
        reached.contains(&b)
    }

    /// Whether one guest hears what another announces, once nothing is wrong.
    pub(super) fn sees(&self, from: (usize, &Guest), to: (usize, &Guest)) -> bool {
        self.any_two(from, to, |a, b| self.hear(a, b))
    }

    /// Which interfaces of another guest a guest's interface hears, once nothing is wrong: those that share an IP
    /// version with it.
    pub(super) fn heard(
        &self,
        ((a, one), index): ((usize, &Guest), usize),
        (b, other): (usize, &Guest),
    ) -> impl Iterator<Item = u32> {
        let on = one.segments[index];
        let own = families(&self.addresses(a, index, on, one));
        other.segments.iter().enumerate().filter_map(move |(at, segment)| {
            let his = families(&self.addresses(b, at, *segment, other));
            let shared = his.into_iter().zip(own).any(|(his, own)| his && own);
            (shared && self.hear(on, *segment)).then_some(at as u32 + 1)
        })
    }

    /// Whether one guest can dial another, once nothing is wrong.
    pub(super) fn reaches(&self, from: (usize, &Guest), to: (usize, &Guest)) -> bool {
        let public = |(n, guest): (usize, &Guest)| {
            self.ports(n, guest).iter().any(|port| {
                let place = self.segments.iter().find(|place| place.segment == port.segment);
                place.is_some_and(|place| place.uplink == Uplink::Routed)
            })
        };
        let out = |guest: &Guest| guest.segments.iter().any(|on| self.segments[*on].uplink != Uplink::None);
        self.any_two(from, to, |a, b| self.segments[a].domain == self.segments[b].domain)
            || (public(to) && out(from.1))
    }

    /// Whether some interface of the one and some of the other have an IP version in common, and segments of
    /// which `joined` holds.
    fn any_two(
        &self,
        (a, one): (usize, &Guest),
        (b, other): (usize, &Guest),
        joined: impl Fn(usize, usize) -> bool,
    ) -> bool {
        let of =
            |number, guest: &Guest, index: usize, on| families(&self.addresses(number, index, on, guest));
        one.segments.iter().enumerate().any(|(i, s)| {
            other.segments.iter().enumerate().any(|(j, t)| {
                let ([v4, v6], [w4, w6]) = (of(a, one, i, *s), of(b, other, j, *t));
                joined(*s, *t) && ((v4 && w4) || (v6 && w6))
            })
        })
    }
}

/// Whether there are addresses of IPv4, and of IPv6.
fn families(addresses: &[InterfaceAddr]) -> [bool; 2] {
    [addresses.iter().any(|a| a.ip.is_ipv4()), addresses.iter().any(|a| a.ip.is_ipv6())]
}

fn router(number: usize, uplink: Uplink) -> Option<Router> {
    let idle = Duration::from_secs(120);
    let firewall = Firewall::Stateful { idle };
    match uplink {
        Uplink::None => None,
        Uplink::Routed => Some(Router::Routed { firewall: Firewall::Open }),
        Uplink::Nat(mapping, filtering) => {
            let public = Ipv4Addr::new(203, 0, 113, number as u8 + 1);
            let nat = Nat { mapping, filtering, idle, public, hairpin: number.is_multiple_of(2) };
            Some(Router::Nat { nat, firewall })
        }
    }
}
