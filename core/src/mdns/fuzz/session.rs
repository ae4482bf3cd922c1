//! Two engines on a link of both families, strangers among them, and a script of what happens over hours.

use super::{MAX_RECORDS, label};
use crate::id::{ServiceName, SocketId};
use crate::io::{Family, InterfaceAddr, Received};
use crate::mdns::link::{GROUP_V4, GROUP_V6, PORT};
use crate::mdns::{Bounds, Event, Kind, Limits, Link, Mdns, Naming, Service, ServiceId, ServiceType, guard};
use crate::rng::{Rng, Seed};
use crate::script::Script;
use crate::wire::txt::{Txt, Value};
use bytes::BytesMut;
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Steps that are heeded: what follows costs time and finds nothing.
const MAX_STEPS: usize = 150;

/// Datagrams, or wakings, in a row after which an engine counts as one that never rests.
const MAX_TURNS: usize = 20_000;

/// Datagrams in an hour of which no script says anything. RFC 6762 allows far fewer.
const MAX_AN_HOUR: usize = 2_000;

/// The largest datagram that is kept for a script to send again.
const KEPT: usize = 8;

/// The node itself.
const OWN: ServiceId = ServiceId(0);

/// Names to choose from, which get into each other's way.
const NAMES: [&str; 4] = ["Office", "oFFICE", "Office (2)", "node-0"];

/// After so long nothing that a stranger said keeps anybody from a name: the longest rest, and the longest wait
/// for an attempt, some times over, since whoever gives way may meet the next one.
const MEETING: Duration = Duration::from_secs(400);

const SLEEPS: [Duration; 8] = [
    Duration::from_millis(1),
    Duration::from_millis(20),
    Duration::from_millis(125),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(120),
    Duration::from_secs(4500),
];

/// How far a script came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Instances were found, by either engine.
    pub(crate) found: usize,
    /// Instances were lost.
    pub(crate) lost: usize,
    /// Somebody else had a name of ours.
    pub(crate) conflicts: usize,
    /// Chosen names were had, lost, and not to be had.
    pub(crate) named: usize,
    pub(crate) renamed: usize,
    pub(crate) unnamed: usize,
    /// Datagrams that the engines sent.
    pub(crate) sent: usize,
}

struct Lan {
    now: Instant,
    nodes: [Mdns; 2],
    /// What was sent last, for replays.
    sent: VecDeque<(Family, Vec<u8>)>,
    /// Whether the two hear each other.
    joined: bool,
    reached: Reached,
}

/// Plays a script.
pub(crate) fn session(start: Instant, script: &[u8]) -> Reached {
    let mut script = Script::new(script);
    let nodes = [0, 1]
        .map(|n| Mdns::new(Limits { cached_records: MAX_RECORDS }, Rng::child(&Seed::new([n; 32]), "mdns")));
    let mut lan = Lan { now: start, nodes, sent: VecDeque::new(), joined: true, reached: Reached::default() };
    for n in [0, 1] {
        lan.up(n, Family::V4, 0);
        lan.up(n, Family::V6, 0);
        lan.publish(n, 4000, 0);
        lan.nodes[n].browse(start, kind().into()).expect("the first of many");
    }
    for _ in 0..MAX_STEPS {
        let Some(step) = script.step() else { break };
        lan.step(step, &mut script);
        lan.settle();
    }
    lan.end();
    lan.reached
}

fn kind() -> ServiceType {
    ServiceType::udp(&ServiceName::new("test").expect("a sound name"))
}

/// What may be browsed: what both publish, a subtype of it, and another type with one of its own.
fn kinds() -> [Kind; 4] {
    let other = ServiceType::new(&label("_other"), &label("_tcp"));
    let subtypes = [Kind::subtype(&kind(), &label("_sub")), Kind::subtype(&other, &label("_sub"))];
    let [a, b] = subtypes;
    [kind().into(), a, other.into(), b]
}

fn ip(n: usize, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 0, 0, 1 + n as u8).into(),
        Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1 + n as u16).into(),
    }
}

fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => GROUP_V4.into(),
        Family::V6 => GROUP_V6.into(),
    }
}

fn socket(family: Family) -> SocketId {
    SocketId(family as u32)
}

impl Lan {
    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        let n = usize::from(step >> 7);
        let now = self.now;
        let which = script.octet();
        let family = if which.is_multiple_of(2) { Family::V4 } else { Family::V6 };
        // The node itself, or one of its services.
        let id = ServiceId(u64::from(which >> 1) % 4);
        match step % 16 {
            0 | 1 => {
                let (way, port, stride) = (script.octet(), script.octet(), script.word());
                self.tell(n, family, way, port, usize::from(stride), script.octets());
            }
            // What was said before, damaged or not, from the same ones or others.
            2 | 3 => {
                let (way, which) = (script.octet(), usize::from(script.octet()));
                let Some(which) = which.checked_rem(self.sent.len()) else { return };
                let (family, mut datagram) = self.sent[which].clone();
                if step.is_multiple_of(2) {
                    script.damage(&mut datagram);
                }
                self.tell(n, family, way, 0, datagram.len(), &datagram);
            }
            4 | 5 => self.sleep(script.pick(&SLEEPS)),
            6 if id == OWN => self.publish(n, script.word(), script.octet()),
            6 => self.choose(n, id, script.word(), script.octet()),
            7 if id == OWN => self.nodes[n].withdraw_all(now),
            7 => self.nodes[n].withdraw(now, id),
            8 => {
                let kind = kinds()[usize::from(script.octet() % 4)].clone();
                self.nodes[n].browse(now, kind).expect("there are few");
            }
            9 => self.nodes[n].stop_browse(now, &kinds()[usize::from(script.octet() % 4)]),
            10 => self.nodes[n].resolve(now, &kind(), &label(script.pick(&["node-0", "node-1", "nobody"]))),
            11 => {
                self.nodes[n].stop_resolve(now, &kind(), &label(script.pick(&["node-0", "node-1", "nobody"])))
            }
            12 => match script.octet() % 3 {
                0 => self.up(n, family, script.octet()),
                1 => self.nodes[n].handle_link_down(now, socket(family)),
                _ => self.nodes[n].handle_link_addresses(now, socket(family), addresses(n, script.octet())),
            },
            13 => self.nodes[n].handle_wake(now),
            14 => self.nodes[n].reconfirm(now, &kind(), &label(script.pick(&["node-0", "node-1", "nobody"]))),
            _ => self.joined = script.flag(),
        }
    }

    fn up(&mut self, n: usize, family: Family, form: u8) {
        let (socket, addresses) = (socket(family), addresses(n, form));
        let link = Link { socket, family, interface: 2, addresses, shares_port: false };
        self.nodes[n].handle_link_up(self.now, link);
    }

    fn publish(&mut self, n: usize, port: u16, form: u8) {
        let name = if form & 1 == 0 { format!("node-{n}") } else { "node-0".to_owned() };
        let pairs = [("v", Value::Octets(std::slice::from_ref(&form))), ("pair", Value::Present)];
        let txt = Txt::encode(pairs).expect("short and printable");
        let (instance, host, subtypes) = (label(&name), label(&name), Vec::new());
        let service = Service { kind: kind(), subtypes, instance, naming: Naming::Hashed, host, port, txt };
        self.nodes[n].publish(self.now, OWN, service);
    }

    /// Publishes a service under a name that the other may choose as well.
    fn choose(&mut self, n: usize, id: ServiceId, port: u16, form: u8) {
        let instance = label(NAMES[usize::from(form) % NAMES.len()]);
        let subtypes = (0..form >> 4).map(|n| label(&format!("_sub-{n}"))).collect();
        let (naming, host) = (Naming::Chosen, label(&format!("host-{n}")));
        let service = Service { kind: kind(), subtypes, instance, naming, host, port, txt: Txt::default() };
        self.nodes[n].publish(self.now, id, service);
    }

    /// Delivers a datagram: `way` says from whom and to where.
    fn tell(&mut self, n: usize, family: Family, way: u8, port: u8, stride: usize, octets: &[u8]) {
        let port = if port.is_multiple_of(4) { PORT } else { 40_000 + u16::from(port) };
        let from = match way & 7 {
            0 => ip(1 - n, family),
            // Itself, another on the link, and one that is not.
            1 => ip(n, family),
            2..=6 => ip(100 + usize::from(way & 7), family),
            _ => Ipv4Addr::new(192, 0, 2, 1).into(),
        };
        let to = match way >> 3 & 3 {
            0 | 1 => Some(group(family)),
            2 => Some(ip(n, family)),
            _ => None,
        };
        let rx = Received {
            socket: socket(family),
            interface: (way & 0x20 == 0).then_some(2),
            source: SocketAddr::new(from, port),
            destination: to,
            ecn: None,
            stride,
            payload: BytesMut::from(octets),
        };
        self.nodes[n].handle_datagram(self.now, &rx);
    }

    fn sleep(&mut self, time: Duration) {
        let (until, before) = (self.now + time, self.reached.sent);
        for _ in 0..MAX_TURNS {
            self.settle();
            let due = self.nodes.iter().filter_map(Mdns::poll_timeout).map(|deadline| deadline.at);
            let Some(at) = due.min().filter(|at| *at <= until) else {
                self.now = until;
                let hours = time.as_secs() as usize / 3600 + 1;
                assert!(self.reached.sent - before <= MAX_AN_HOUR * hours, "the engines flood the link");
                return;
            };
            self.now = self.now.max(at);
            for node in &mut self.nodes {
                node.handle_timeout(self.now);
            }
        }
        panic!("an engine wants to be woken without end");
    }

    /// Carries what both have to say.
    fn settle(&mut self) {
        for turn in 0.. {
            assert!(turn < MAX_TURNS, "the engines never rest");
            if ![0, 1].into_iter().any(|n| self.turn(n)) {
                break;
            }
        }
        for node in &self.nodes {
            let kept: Vec<usize> = node.links.values().map(|link| link.cache.len()).collect();
            assert!(kept.iter().all(|kept| *kept <= MAX_RECORDS), "a cache is over its limit");
            let tables = node.tables(Bounds { links: 2, resolved: 3 });
            let over = tables.iter().find(|table| table.len > table.bound);
            assert!(over.is_none(), "a table is over its bound: {over:?}");
        }
    }

    fn turn(&mut self, n: usize) -> bool {
        let mut buf = Vec::new();
        while let Some(event) = self.nodes[n].poll_event() {
            match event {
                Event::Found(_) => self.reached.found += 1,
                Event::Lost { .. } => self.reached.lost += 1,
                Event::Conflict(_) => self.reached.conflicts += 1,
                Event::Published { .. } => self.reached.named += 1,
                Event::Renamed { .. } => self.reached.renamed += 1,
                Event::Unnamed { .. } => self.reached.unnamed += 1,
                Event::Updated(_) => {}
            }
        }
        let Some(transmit) = self.nodes[n].poll_transmit(self.now, &mut buf) else { return false };
        assert!(guard::head(&buf).is_ok(), "a datagram of ours has no sound header");
        self.reached.sent += 1;
        let family = Family::of(transmit.destination.ip());
        let heard = transmit.destination.ip() == group(family)
            || transmit.destination == SocketAddr::new(ip(1 - n, family), PORT);
        if self.joined && heard {
            self.tell(1 - n, family, 0, 0, buf.len(), &buf);
            if transmit.destination.ip() == group(family) {
                self.tell(n, family, 1, 0, buf.len(), &buf);
            }
        }
        self.sent.push_front((family, buf));
        self.sent.truncate(KEPT);
        true
    }

    /// Whoever wants a name gets one, and no two the same, once they hear each other and nobody else.
    fn meet(&mut self) {
        self.joined = true;
        for n in [0, 1] {
            self.up(n, Family::V4, 0);
            self.up(n, Family::V6, 0);
            self.choose(n, ServiceId(1), 6000 + n as u16, 0);
        }
        self.nodes[0].handle_wake(self.now);
        self.sleep(MEETING);
        let chosen = |node: &Mdns| {
            let chosen = node.scope.services.iter().filter(|(_, service)| service.naming == Naming::Chosen);
            let chosen = chosen.map(|(id, service)| (*id, service.instance_name())).collect::<Vec<_>>();
            assert!(chosen.iter().all(|(id, _)| node.names.has_name(*id)), "a service never got a name");
            chosen.into_iter().map(|(_, name)| name).collect::<BTreeSet<_>>()
        };
        let names = self.nodes.each_ref().map(chosen);
        assert!(names[0].is_disjoint(&names[1]), "two have one name: {names:?}");
    }

    /// Goodbyes are said, and then nothing more.
    fn end(&mut self) {
        self.meet();
        for node in &mut self.nodes {
            node.withdraw_all(self.now);
            kinds().iter().for_each(|kind| node.stop_browse(self.now, kind));
            for name in ["node-0", "node-1", "nobody"] {
                node.stop_resolve(self.now, &kind(), &label(name));
            }
        }
        self.sleep(Duration::from_secs(5));
        assert!(self.nodes.iter().all(Mdns::is_drained), "a goodbye was never said");
        let before = self.reached.sent;
        self.sleep(Duration::from_secs(4600));
        assert_eq!(self.reached.sent, before, "an engine that publishes and seeks nothing speaks");
    }
}

fn addresses(n: usize, form: u8) -> Vec<InterfaceAddr> {
    let mut addresses = vec![
        InterfaceAddr { ip: ip(n, Family::V4), prefix: 24 },
        InterfaceAddr { ip: ip(n, Family::V6), prefix: 64 },
    ];
    if form & 1 == 1 {
        addresses
            .push(InterfaceAddr { ip: Ipv4Addr::new(10, 0, 0, form.wrapping_add(1)).into(), prefix: form });
    }
    addresses.truncate(if form & 2 == 2 { 1 } else { 3 });
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{base, replay};
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn the_seeds_of_the_fuzz_target_are_survived_and_come_far() {
        let mut all = Reached::default();
        replay("mdns_session", |_, seed| {
            let reached = session(base(), seed);
            assert_eq!(session(base(), seed), reached, "the same script does the same");
            all.found += reached.found;
            all.lost += reached.lost;
            all.conflicts += reached.conflicts;
            all.named += reached.named;
            all.renamed += reached.renamed;
            all.unnamed += reached.unnamed;
        });
        assert!(all.found > 0 && all.lost > 0 && all.conflicts > 0, "{all:?}");
        assert!(all.named > 0 && all.renamed > 0, "{all:?}");
    }

    /// What happens to those who want a name: mostly what concerns names, and anything else in between.
    fn step() -> impl Strategy<Value = Vec<u8>> {
        let node = |op: u8, n: bool| op | u8::from(n) << 7;
        let id = 0..8_u8;
        prop_oneof![
            4 => (any::<bool>(), id.clone(), any::<u16>(), any::<u8>())
                .prop_map(move |(n, id, port, form)| [&[node(6, n), id][..], &port.to_be_bytes(), &[form]].concat()),
            1 => (any::<bool>(), id).prop_map(move |(n, id)| vec![node(7, n), id]),
            4 => (0..6_u8).prop_map(|time| vec![4, 0, time]),
            2 => any::<u8>().prop_map(|joined| vec![15, 0, joined]),
            1 => any::<bool>().prop_map(move |n| vec![node(13, n), 0]),
            2 => (any::<bool>(), any::<[u8; 3]>()).prop_map(move |(n, [a, b, c])| vec![node(12, n), a, b, c]),
            // Somebody says again what one of the two said, as it was or damaged.
            3 => (any::<bool>(), 2..6_u8, 0..8_u8).prop_map(move |(n, way, which)| vec![node(3, n), 0, way, which]),
            2 => (any::<bool>(), any::<[u8; 12]>()).prop_map(move |(n, damage)| {
                [&[node(2, n), 0, 2][..], &damage].concat()
            }),
            1 => vec(any::<u8>(), 1..20),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whoever_wants_a_name_gets_one_of_his_own_whatever_happened_before(steps in vec(step(), 0..60)) {
            session(base(), &steps.concat());
        }
    }
}
