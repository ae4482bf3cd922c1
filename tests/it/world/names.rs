//! Chosen names that several hosts want: who keeps his, who takes another, and how soon. RFC 6762 §8, §9.

use super::*;
use handfast_core::{BrowseId, PublicationId, Service, ServiceInstance, ServiceKey};
use handfast_tests::app::{App, Context, Recorder};
use handfast_tests::fabric::{Bridge, BridgeState, Link, Segment};
use handfast_tests::machine::Setup;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A conflict that somebody noticed is over within this time: three probes and a second's rest, twice.
const SETTLED: Duration = Duration::from_secs(5);

/// What everybody wants to be called.
const OFFICE: &str = "Office";

fn office(port: u16) -> Service {
    Service::new("_http._tcp".parse().unwrap(), OFFICE, port).unwrap()
}

/// A host that publishes [`OFFICE`] whenever its node begins, and looks for what others have.
struct Publisher {
    port: u16,
    id: Option<PublicationId>,
    search: Option<BrowseId>,
    /// What it was told that it is called, each time.
    told: Vec<String>,
    shown: BTreeMap<ServiceKey, ServiceInstance>,
}

impl Publisher {
    fn new(port: u16) -> Self {
        Self { port, id: None, search: None, told: Vec::new(), shown: BTreeMap::new() }
    }
}

impl App for Publisher {
    fn started(&mut self, cx: &mut Context<'_>) {
        self.id = Some(cx.node.services().publish(cx.now, office(self.port)).unwrap());
        self.search = Some(cx.node.services().browse(cx.now, "_http._tcp".parse().unwrap()).unwrap());
    }

    fn crashed(&mut self) {
        self.shown.clear();
    }

    fn event(&mut self, _: &mut Context<'_>, event: Event) {
        match event {
            Event::ServicePublished(_, name) | Event::ServiceRenamed(_, name) => self.told.push(name),
            Event::ServiceFound(_, instance) | Event::ServiceUpdated(_, instance) => {
                self.shown.insert(instance.key(), instance);
            }
            Event::ServiceLost(_, key) => {
                self.shown.remove(&key);
            }
            _ => {}
        }
    }
}

/// A host on a segment, with an address that ends with its number.
fn publisher(world: &mut World<Publisher>, segment: Segment, number: u8) -> Host {
    let port = Port { interface: 1, segment, addresses: vec![address(&format!("10.0.0.{number}/16"))] };
    let mut setup =
        Setup::new(format!("host-{number}"), config(), Arc::new(identity(number))).with_port(port);
    setup.ipv6 = false;
    world.boot(setup, Publisher::new(u16::from(number)))
}

/// What a host's service is called at present.
fn called(world: &mut World<Publisher>, host: Host) -> String {
    let id = world[host].app.id.unwrap();
    world.tell(host, |node, _| node.services().name(id).unwrap().to_owned())
}

/// What a host shows of others: what each is called, and at which port.
fn shown(world: &World<Publisher>, host: Host) -> BTreeSet<(String, u16)> {
    world[host].app.shown.values().map(|instance| (instance.name.clone(), instance.port)).collect()
}

/// Two hosts that have one name on two segments that do not hear each other, and the bridge between them.
fn apart() -> (World<Publisher>, Host, Host, Bridge) {
    let mut world = World::seeded(1);
    let [here, there] = [(), ()].map(|()| world.fabric.segment(Link::default()));
    let bridge = world.fabric.bridge(here, there);
    world.fabric.set_bridge(bridge, BridgeState::Down);
    let (a, b) = (publisher(&mut world, here, 1), publisher(&mut world, there, 2));
    world.run_for(secs(60));
    assert_eq!((called(&mut world, a), called(&mut world, b)), (OFFICE.to_owned(), OFFICE.to_owned()));
    (world, a, b, bridge)
}

/// Whether two hosts have two names, and each shows the other's.
fn are_two(world: &mut World<Publisher>, a: Host, b: Host) -> bool {
    let names = [called(world, a), called(world, b)];
    let ports = [world[a].app.port, world[b].app.port];
    let sees = |world: &World<Publisher>, host, other: usize| {
        shown(world, host) == [(names[other].clone(), ports[other])].into()
    };
    let both = BTreeSet::from(names.clone());
    both == [OFFICE.to_owned(), format!("{OFFICE} (2)")].into() && sees(world, a, 1) && sees(world, b, 0)
}

#[test]
fn when_a_bridge_joins_two_hosts_with_one_name_one_of_them_takes_another_at_the_next_word() {
    let (mut world, a, b, bridge) = apart();
    world.fabric.set_bridge(bridge, BridgeState::Up);
    // A's interface was never down: nobody is told that anything happened, until somebody asks.
    world.tell(a, |node, now| node.handle_wake(now, secs(1)));
    world.run_for(SETTLED);
    assert!(are_two(&mut world, a, b), "{:?} {:?}", shown(&world, a), shown(&world, b));
    let renamed = [a, b].map(|host| world[host].app.told.len());
    assert!(renamed.iter().min() == Some(&1), "one of the two hears nothing of it: {renamed:?}");
}

#[test]
fn what_two_halves_of_a_lan_called_alike_is_told_apart_when_they_are_one_again() {
    let mut world = World::<Publisher>::seeded(2);
    let lan = world.fabric.segment(Link::default());
    let a = publisher(&mut world, lan, 1);
    world.run_for(SETTLED);
    let b_is = Host(1);
    world.fabric.partition(lan, vec![vec![a], vec![b_is]]);
    let b = publisher(&mut world, lan, 2);
    assert_eq!(b, b_is);
    world.run_for(secs(30));
    assert_eq!((called(&mut world, a), called(&mut world, b)), (OFFICE.to_owned(), OFFICE.to_owned()));
    world.fabric.heal(lan);
    // Each asks again, sooner or later: a search never waits for more than an hour and a quarter.
    let mut minutes = 0;
    while !are_two(&mut world, a, b) {
        minutes += 1;
        assert!(minutes <= 75, "{:?} {:?}", shown(&world, a), shown(&world, b));
        world.run_for(secs(60));
    }
    let before = [a, b].map(|host| world[host].app.told.len());
    world.run_for(secs(7200));
    assert!(are_two(&mut world, a, b));
    assert_eq!([a, b].map(|host| world[host].app.told.len()), before, "and nobody is renamed again");
}

#[test]
fn a_host_whose_name_was_taken_while_it_slept_takes_another_when_it_wakes() {
    let mut world = World::<Publisher>::seeded(3);
    let lan = world.fabric.segment(Link::default());
    let a = publisher(&mut world, lan, 1);
    world.run_for(SETTLED);
    world.suspend(a);
    let b = publisher(&mut world, lan, 2);
    world.run_for(secs(600));
    assert_eq!(called(&mut world, b), OFFICE, "nobody defends the name of a host that sleeps");
    world.resume(a);
    world.run_for(SETTLED);
    assert_eq!(called(&mut world, b), OFFICE);
    assert_eq!(called(&mut world, a), format!("{OFFICE} (2)"));
    assert!(are_two(&mut world, a, b), "{:?} {:?}", shown(&world, a), shown(&world, b));
}

#[test]
fn a_host_that_crashes_has_its_name_again_when_it_is_back() {
    let mut world = World::<Publisher>::seeded(4);
    let lan = world.fabric.segment(Link::default());
    let (a, b) = (publisher(&mut world, lan, 1), publisher(&mut world, lan, 2));
    world.run_for(SETTLED);
    let names = [called(&mut world, a), called(&mut world, b)];
    // What it says by now is another thing than what others still know of it.
    world.crash(a);
    world[a].app.port = 77;
    world[a].app.told.clear();
    world.run_for(Duration::from_millis(1));
    world.restart(a);
    world.run_for(SETTLED);
    assert_eq!([called(&mut world, a), called(&mut world, b)], names);
    assert_eq!(world[a].app.told.last(), Some(&names[0]));
    assert_eq!(shown(&world, b), [(names[0].clone(), 77)].into());
}

#[test]
fn twenty_hosts_that_want_one_name_have_twenty_names_within_seconds_and_few_packets() {
    const HOSTS: u8 = 20;
    // Each name takes three probes, and a rest for whoever comes second: the last of them tries twenty.
    let within = secs(60);
    let mut world = World::<Publisher>::seeded(5);
    let lan = world.fabric.segment(Link::default());
    let hosts: Vec<Host> = (1..=HOSTS).map(|number| publisher(&mut world, lan, number)).collect();
    world.run_for(within);
    let names: BTreeSet<String> = hosts.iter().map(|host| called(&mut world, *host)).collect();
    let due = (2..=HOSTS).map(|n| format!("{OFFICE} ({n})")).chain([OFFICE.to_owned()]);
    assert_eq!(names, due.collect());
    for host in &hosts {
        let last = world[*host].app.told.last().cloned();
        assert_eq!(last, Some(called(&mut world, *host)), "each was told what it is called");
        assert_eq!(shown(&world, *host).len(), usize::from(HOSTS) - 1, "{host:?} shows all others");
    }
    let most = hosts.iter().map(|host| world.fabric.sent(*host, lan).multicasts).max().unwrap();
    assert!(most <= 10 * u64::from(HOSTS), "a host multicast {most} times");
}

#[test]
fn a_host_with_two_interfaces_on_one_link_is_seen_though_nobody_answers_what_it_asks() {
    let mut world = new_world(6);
    let a = add(&mut world, config(), &identity(1), vec![]);
    let (lan, b) = (world.lan(), Host(1));
    // It asks on both, and only what it says on the first one arrives.
    let is_response = |payload: &[u8]| payload[2] & 0x80 != 0;
    world.lose(move |from, out| from == b && out.interface == Some(2) && is_response(&out.payload));
    let port = |interface: u32, ip: &str| Port { interface, segment: lan, addresses: addresses(ip) };
    let setup = Setup::new("twice", config(), Arc::new(identity(2)));
    let setup = setup.with_port(port(1, "10.0.9.1/16")).with_port(port(2, "10.0.9.2/16"));
    assert_eq!(world.boot(setup, Recorder::default()), b);
    let kind = || "_http._tcp".parse().unwrap();
    let search = world.tell(a, |node, now| node.services().browse(now, kind()).unwrap());
    world.tell(b, |node, now| node.services().publish(now, office(80)).unwrap());
    let found = |event: &Event| matches!(event, Event::ServiceFound(of, _) if *of == search);
    assert!(world.run_until(SETTLED, |world| world[a].app.events.iter().any(found)));
    world.tell(b, |node, now| node.services().browse(now, kind()).unwrap());
    world.run_for(secs(7200));
    let lost = |event: &Event| matches!(event, Event::ServiceLost(of, _) if *of == search);
    assert!(!told(&world, a, lost) && !told(&world, a, |event| matches!(event, Event::PeerExpired(_))));
}
