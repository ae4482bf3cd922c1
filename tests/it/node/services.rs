//! Services of any kind, beside peers: published, looked for, changed and withdrawn.

use super::support::*;
use handfast_core::error::{BrowseError, PublishError, UpdateError};
use handfast_core::{
    BrowseId, DiscoveredPeer, Event, Metadata, PublicationId, Service, ServiceInstance, ServiceKey,
    ServiceType, TxtRecord, TxtValue,
};
use handfast_tests::fabric::Host;
use handfast_tests::world::World;
use std::time::Duration;

/// Within which what is known is told: a browse that begins late asks nobody.
const AT_ONCE: Duration = Duration::ZERO;

fn kind(text: &str) -> ServiceType {
    text.parse().unwrap()
}

fn service(kind_text: &str, name: &str, port: u16) -> Service {
    Service::new(kind(kind_text), name, port).unwrap()
}

fn publish(world: &mut World, host: Host, service: Service) -> PublicationId {
    world.tell(host, |node, now| node.services().publish(now, service)).unwrap()
}

fn browse(world: &mut World, host: Host, text: &str) -> BrowseId {
    world.tell(host, |node, now| node.services().browse(now, kind(text))).unwrap()
}

/// What a search shows, by its events.
fn shown(world: &World, host: Host, id: BrowseId) -> Vec<ServiceInstance> {
    let mut shown: Vec<ServiceInstance> = Vec::new();
    let at = |shown: &[ServiceInstance], key: &ServiceKey| shown.iter().position(|known| known.key() == *key);
    for event in &world[host].app.events {
        match event {
            Event::ServiceFound(of, instance) if *of == id => {
                assert_eq!(at(&shown, &instance.key()), None, "found twice");
                shown.push(instance.clone());
            }
            Event::ServiceUpdated(of, instance) if *of == id => {
                let at = at(&shown, &instance.key()).expect("what changes was found");
                assert_ne!(shown[at], *instance, "nothing changed");
                shown[at] = instance.clone();
            }
            Event::ServiceLost(of, key) if *of == id => {
                let at = at(&shown, key).expect("what is lost was found");
                shown.remove(at);
            }
            _ => {}
        }
    }
    shown
}

fn names(world: &World, host: Host, id: BrowseId) -> Vec<String> {
    let mut names: Vec<String> = shown(world, host, id).into_iter().map(|instance| instance.name).collect();
    names.sort();
    names
}

fn three(world: &mut World) -> [Host; 3] {
    [1, 2, 3].map(|number| add(world, config(), &identity(number), vec![]))
}

#[test]
fn what_is_found_has_everything_that_was_published() {
    let mut world = new_world(1);
    let [a, b, _] = three(&mut world);
    let id = browse(&mut world, b, "_http._tcp");
    let txt = TxtRecord::new().with("path", "/").unwrap().with_flag("secure").unwrap();
    let published = publish(
        &mut world,
        a,
        service("_http._tcp", "Ben's page. \\ \u{2603}", 8080).with_txt(txt.clone()).unwrap(),
    );
    assert!(world.run_until(SOON, |world| shown(world, b, id).len() == 1));
    let found = shown(&world, b, id).remove(0);
    assert_eq!((found.name.as_str(), found.port, &found.txt), ("Ben's page. \\ \u{2603}", 8080, &txt));
    assert_eq!(found.txt.get("secure"), Some(TxtValue::Present));
    assert_eq!(found.host, format!("{}.local", name(&identity(1))));
    assert_eq!(found.addresses, [std::net::SocketAddr::new(world.address(a).ip(), 8080)]);
    assert_eq!(found.kind, kind("_http._tcp"));
    assert_eq!(world.tell(b, |node, _| node.services().found(id)), [found]);
    assert!(told(&world, a, |event| matches!(event, Event::ServicePublished(of, _) if *of == published)));
}

#[test]
fn three_nodes_find_what_they_look_for_and_nothing_else() {
    let mut world = new_world(2);
    let [a, b, c] = three(&mut world);
    let printers = browse(&mut world, c, "_printer._sub._ipp._tcp");
    let ipp = browse(&mut world, c, "_ipp._tcp");
    let pages = browse(&mut world, b, "_http._tcp");
    publish(&mut world, a, service("_http._tcp", "page", 80));
    publish(&mut world, a, service("_ipp._tcp", "plain", 631));
    publish(&mut world, b, service("_printer._sub._ipp._tcp", "printer", 632));
    publish(&mut world, b, service("_http._tcp", "own page", 81));
    assert!(world.run_until(SOON, |world| names(world, c, ipp) == ["plain", "printer"]));
    world.run_for(SOON);
    assert_eq!(names(&world, c, printers), ["printer"]);
    assert_eq!(shown(&world, c, printers)[0].kind, kind("_printer._sub._ipp._tcp"));
    assert_eq!(names(&world, b, pages), ["page"], "and never what it publishes itself");
    // The end of one of two searches that show the same leaves the other as it is.
    assert!(world.tell(c, |node, now| node.services().stop_browse(now, ipp)));
    world.run_for(SOON);
    assert_eq!(names(&world, c, printers), ["printer"]);
    assert_eq!(world.tell(c, |node, _| node.services().found(printers).len()), 1);
    assert_eq!(world.tell(c, |node, _| node.services().found(ipp)), []);
}

#[test]
fn a_search_that_begins_when_others_know_is_told_at_once_and_asks_nobody() {
    let mut world = new_world(3);
    let [a, b, _] = three(&mut world);
    let first = browse(&mut world, b, "_http._tcp");
    for n in 0..5 {
        publish(&mut world, a, service("_http._tcp", &format!("page {n}"), 80 + n));
    }
    assert!(world.run_until(SOON, |world| shown(world, b, first).len() == 5));
    world.run_for(SOON);
    let sent = world.trace.sent.len();
    let second = browse(&mut world, b, "_http._tcp");
    world.run_for(AT_ONCE);
    assert_eq!(names(&world, b, second), names(&world, b, first));
    assert_eq!(world.trace.sent.len(), sent, "nothing was sent for it");
    // Each goes on for itself.
    assert!(world.tell(b, |node, now| node.services().stop_browse(now, first)));
    publish(&mut world, a, service("_http._tcp", "later", 90));
    assert!(world.run_until(SOON, |world| shown(world, b, second).len() == 6));
    assert_eq!(shown(&world, b, first).len(), 5);
}

#[test]
fn a_search_that_ended_asks_no_more() {
    let mut world = new_world(12);
    let [a, ..] = three(&mut world);
    let asked = |world: &World, since: usize| {
        let about = |bytes: &[u8]| bytes.windows(6).any(|window| window == b"\x05_http");
        world.trace.sent[since..].iter().filter(|sent| sent.host == a && about(&sent.bytes)).count()
    };
    let minutes = Duration::from_secs(600);
    let ids = [browse(&mut world, a, "_http._tcp"), browse(&mut world, a, "_http._tcp")];
    world.tell(a, |node, now| node.services().stop_browse(now, ids[0]));
    world.run_for(minutes);
    assert!(asked(&world, 0) >= 8, "one search goes on");
    let before = world.trace.sent.len();
    world.tell(a, |node, now| node.services().stop_browse(now, ids[1]));
    world.run_for(minutes);
    assert_eq!(asked(&world, before), 0);
}

#[test]
fn a_change_is_an_update_and_a_goodbye_a_loss_after_one_second() {
    let mut world = new_world(4);
    let [a, b, _] = three(&mut world);
    let search = browse(&mut world, b, "_http._tcp");
    let page = service("_http._tcp", "page", 80);
    let id = publish(&mut world, a, page.clone());
    assert!(world.run_until(SOON, |world| shown(world, b, search).len() == 1));
    world.run_for(SOON);

    let changed = page.clone().with_txt(TxtRecord::new().with("v", "2").unwrap()).unwrap().with_port(81);
    world.tell(a, |node, now| node.services().update(now, id, changed)).unwrap();
    assert!(world.run_until(SOON, |world| {
        let page = &shown(world, b, search)[0];
        page.txt.get_str("v") == Some("2") && page.port == 81
    }));

    world.run_for(SOON);
    assert!(world.tell(a, |node, now| node.services().withdraw(now, id)));
    let goodbye = world.elapsed();
    assert!(world.run_until(SOON, |world| shown(world, b, search).is_empty()));
    let after = world.elapsed() - goodbye;
    assert!((Duration::from_secs(1)..Duration::from_millis(1_300)).contains(&after), "{after:?}");
    assert_eq!(world.tell(a, |node, now| node.services().update(now, id, page)), Err(UpdateError::Gone));
}

#[test]
fn all_services_say_goodbye_when_their_node_is_shut_down() {
    let mut world = new_world(5);
    let [a, b, _] = three(&mut world);
    let search = browse(&mut world, b, "_http._tcp");
    let count = 20;
    for n in 0..count {
        publish(&mut world, a, service("_http._tcp", &format!("page {n}"), 80 + n));
    }
    assert!(world.run_until(SOON, |world| shown(world, b, search).len() == usize::from(count)));
    world.run_for(SOON);
    world.tell(a, |node, now| {
        node.shutdown(now);
        let refused = node.services().publish(now, service("_http._tcp", "late", 1));
        assert_eq!(refused, Err(PublishError::Stopped));
        assert_eq!(node.services().browse(now, kind("_http._tcp")), Err(BrowseError::Stopped));
    });
    assert!(world.run_until(Duration::from_millis(1_300), |world| shown(world, b, search).is_empty()));
}

#[test]
fn an_application_may_look_for_its_own_peers_and_stop_and_they_are_found_as_before() {
    let mut world = new_world(6);
    let [a, b, c] = three(&mut world);
    world.run_for(SOON);
    let search = browse(&mut world, b, "_test._udp");
    world.run_for(AT_ONCE);
    let mut peers = [name(&identity(1)).to_string(), name(&identity(3)).to_string()];
    peers.sort();
    assert_eq!(names(&world, b, search), peers, "what peers are known is told at once");
    world.tell(b, |node, now| node.services().stop_browse(now, search));
    let discovered = |event: &Event| matches!(event, Event::PeerDiscovered(_));
    assert_eq!(
        world[b].app.events.iter().filter(|event| discovered(event)).count(),
        2,
        "no peer is told anew"
    );
    world.tell(c, |node, now| node.shutdown(now));
    let gone = Event::PeerExpired(name(&identity(3)));
    assert!(world.run_until(SOON, |world| world[b].app.events.contains(&gone)));
    world.tell(a, |node, now| node.set_metadata(now, Metadata::named("renamed"))).unwrap();
    assert!(world.run_until(SOON, |world| peer_called(world, b, "renamed")));
}

#[test]
fn a_service_of_another_kind_is_no_peer_whatever_its_name() {
    let mut world = new_world(7);
    let [a, b, _] = three(&mut world);
    let search = browse(&mut world, b, "_http._tcp");
    let as_a_peer = name(&identity(9)).to_string();
    publish(&mut world, a, service("_http._tcp", &as_a_peer, 80));
    assert!(world.run_until(SOON, |world| shown(world, b, search).len() == 1));
    let discovered = world.tell(b, |node, _| node.peers().discovered());
    assert!(discovered.iter().all(|peer| peer.id != name(&identity(9))));
}

fn peer_called(world: &World, host: Host, called: &str) -> bool {
    let is = |peer: &DiscoveredPeer| peer.name == called;
    told(
        world,
        host,
        |event| matches!(event, Event::PeerDiscovered(peer) | Event::PeerUpdated(peer) if is(peer)),
    )
}

#[test]
fn new_metadata_reaches_the_lan_at_once_and_a_paired_peer_with_its_next_connection() {
    let (mut world, a, b) = pair_of_hosts(8);
    world.run_for(SOON);
    connect(&mut world, a, b);
    let metadata = |world: &World| {
        let connected = world[b].app.events.iter().rev().find_map(|event| match event {
            Event::PeerConnected(peer) => Some(peer.metadata.clone()),
            _ => None,
        });
        connected.unwrap()
    };
    assert_eq!(metadata(&world).name, "");
    let renamed = Metadata::named("renamed").with_extra(vec![1, 2]);
    world.tell(a, |node, now| node.set_metadata(now, renamed.clone())).unwrap();
    assert!(world.run_until(Duration::from_millis(100), |world| peer_called(world, b, "renamed")));
    let too_long = Metadata::named("x".repeat(65));
    world.tell(a, |node, now| node.set_metadata(now, too_long)).unwrap_err();

    let on_a = conn(&world, a).unwrap();
    world.tell(a, |node, now| node.close(now, on_a));
    world.run_for(SOON);
    connect(&mut world, a, b);
    assert!(world.run_until(SOON, |world| metadata(world) == renamed));
}

#[test]
fn a_service_that_does_not_answer_is_asked_for_and_lost_within_ten_seconds() {
    let mut world = new_world(9);
    let [a, b, _] = three(&mut world);
    let search = browse(&mut world, b, "_http._tcp");
    publish(&mut world, a, service("_http._tcp", "page", 80));
    assert!(world.run_until(SOON, |world| shown(world, b, search).len() == 1));
    world.run_for(SOON);
    let key = shown(&world, b, search)[0].key();
    // One that is there says so, and stays.
    world.tell(b, |node, now| node.services().reconfirm(now, &key));
    world.run_for(SOON * 3);
    assert_eq!(shown(&world, b, search).len(), 1);
    world.crash(a);
    world.tell(b, |node, now| node.services().reconfirm(now, &key));
    let doubted = world.elapsed();
    assert!(world.run_until(SOON * 3, |world| shown(world, b, search).is_empty()));
    assert_eq!((world.elapsed() - doubted).as_secs(), 10);
}

#[test]
fn a_node_takes_as_many_services_and_searches_as_it_says_and_refuses_more() {
    let mut world = new_world(10);
    let [a, ..] = three(&mut world);
    world.tell(a, |node, now| {
        let page = |n: usize| service("_http._tcp", &format!("page {n}"), 80);
        for n in 0..31 {
            node.services().publish(now, page(n)).unwrap();
        }
        assert_eq!(node.services().publish(now, page(0)), Err(PublishError::Known));
        assert_eq!(
            node.services().publish(now, service("_http._tcp", "PAGE 1", 1)),
            Err(PublishError::Known)
        );
        let itself = service("_test._udp", &node.id().to_string(), 1);
        assert_eq!(node.services().publish(now, itself), Err(PublishError::Known));
        assert_eq!(node.services().publish(now, page(99)), Err(PublishError::Full));

        let mut services = node.services();
        let kinds = (0..63).map(|n| kind(&format!("_kind-{n}._tcp")));
        let ids: Vec<BrowseId> = kinds.map(|kind| services.browse(now, kind).unwrap()).collect();
        services.browse(now, kind("_kind-0._tcp")).unwrap();
        assert_eq!(services.browse(now, kind("_kind-0._tcp")), Err(BrowseError::Full));
        assert!(services.stop_browse(now, ids[5]));
        assert!(!services.stop_browse(now, ids[5]));
        services.browse(now, kind("_kind-99._tcp")).unwrap();
        for table in node.tables() {
            assert!(table.len <= table.bound, "{table:?}");
        }
    });
    world.run_for(SOON);
    world.tell(a, |node, _| {
        for table in node.tables() {
            assert!(table.len <= table.bound, "{table:?}");
        }
    });
}

#[test]
fn the_second_of_two_that_want_a_name_goes_on_under_another_and_is_told() {
    let mut world = new_world(11);
    let [a, b, c] = three(&mut world);
    let search = browse(&mut world, c, "_http._tcp");
    publish(&mut world, a, service("_http._tcp", "Page", 80));
    assert!(world.run_until(SOON, |world| names(world, c, search) == ["Page"]));
    let id = publish(&mut world, b, service("_http._tcp", "page", 81));
    assert!(world.run_until(SOON, |world| names(world, c, search) == ["Page", "page (2)"]));
    world.run_for(SOON);
    let of_it = world[b].app.events.iter().filter(|event| match event {
        Event::ServicePublished(of, _) | Event::ServiceRenamed(of, _) => *of == id,
        _ => false,
    });
    let renamed = Event::ServiceRenamed(id, "page (2)".to_owned());
    assert!(of_it.eq(&[renamed, Event::ServicePublished(id, "page (2)".to_owned())]));
    world.tell(b, |node, now| {
        assert_eq!(node.services().name(id), Some("page (2)"));
        assert_eq!(node.services().published(id).map(Service::name), Some("page"));
        // A change leaves it the name that it got.
        node.services().update(now, id, service("_http._tcp", "page", 82)).unwrap();
    });
    let moved = |world: &World| shown(world, c, search).iter().any(|page| page.port == 82);
    assert!(world.run_until(SOON, moved));
    assert_eq!(names(&world, c, search), ["Page", "page (2)"]);
}
