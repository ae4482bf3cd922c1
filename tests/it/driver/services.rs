//! Services of any kind, over real sockets: published, looked for, changed and withdrawn.

use super::lab::{self, TestRuntime};
use futures_lite::future::poll_once;
use handfast_driver::error::{BrowseError, PublishError};
use handfast_driver::{
    Browser, Builder, Event, Metadata, Node, Publication, Service, ServiceEvent, ServiceInstance,
    ServiceName, ServiceType, TxtRecord,
};
use handfast_tests::paired::identity;
use std::time::{Duration, Instant};

super::on_every_runtime!(
    what_one_publishes_another_finds_sees_change_and_loses_within_two_seconds,
    a_name_that_somebody_has_is_told_and_another_taken,
    a_search_that_begins_late_is_told_what_another_found,
    a_search_that_is_dropped_asks_no_more_and_frees_its_place,
    new_metadata_is_seen_by_a_peer_that_discovered_this_one,
    handles_of_services_outlive_their_node_and_are_told_that_it_stopped,
);

/// Two nodes on loopback. Tests that run at the same time share it: each has a kind of its own.
async fn two<A: TestRuntime, B: TestRuntime>() -> (Node<A>, Node<B>) {
    let a = Builder::new(lab::config(), handfast_driver::new_identity().unwrap(), A::default());
    let b = Builder::new(lab::config(), handfast_driver::new_identity().unwrap(), B::default());
    (a.start().await.unwrap(), b.start().await.unwrap())
}

/// A kind that no other test of this process, or of another, has.
fn kind() -> ServiceType {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    ServiceType::tcp(&format!("t{:x}-{number}", std::process::id())).unwrap()
}

fn page(kind: &ServiceType) -> Service {
    let txt = TxtRecord::new().with("path", "/").unwrap();
    Service::new(kind.clone(), "Ben's page", 8080).unwrap().with_txt(txt).unwrap()
}

async fn found(browser: &mut Browser) -> ServiceInstance {
    match browser.next().await.unwrap() {
        ServiceEvent::Found(instance) => instance,
        other => panic!("expected something to be found, not {other:?}"),
    }
}

fn what_one_publishes_another_finds_sees_change_and_loses_within_two_seconds<
    A: TestRuntime,
    B: TestRuntime,
>() {
    lab::run::<A>(async {
        let (a, b) = two::<A, B>().await;
        let kind = kind();
        let mut events = a.events();
        let mut browser = b.browse(kind.clone()).unwrap();
        // A future that is dropped loses nothing.
        assert!(poll_once(browser.next()).await.is_none());
        let publication = a.publish(page(&kind)).unwrap();
        let instance = found(&mut browser).await;
        assert_eq!((instance.name.as_str(), instance.port), ("Ben's page", 8080));
        assert_eq!(instance.host, format!("{}.local", a.id()));
        assert!(instance.addresses.contains(&"127.0.0.1:8080".parse().unwrap()));
        assert_eq!(instance.txt.get_str("path"), Some("/"));
        assert_eq!(publication.name().as_deref(), Some("Ben's page"));
        loop {
            if let Event::ServicePublished(id, name) = events.next().await.unwrap() {
                assert_eq!((id, name.as_str()), (publication.id(), "Ben's page"));
                break;
            }
        }

        publication.set_txt(TxtRecord::new().with("path", "/new").unwrap()).unwrap();
        loop {
            match browser.next().await.unwrap() {
                ServiceEvent::Updated(instance) if instance.txt.get_str("path") == Some("/new") => break,
                ServiceEvent::Updated(_) => {}
                other => panic!("expected an update, not {other:?}"),
            }
        }

        drop(publication);
        let withdrawn = Instant::now();
        let lost = browser.next().await.unwrap();
        assert_eq!(lost, ServiceEvent::Lost(instance.key()));
        assert!(withdrawn.elapsed() < Duration::from_secs(2), "{:?}", withdrawn.elapsed());
        assert_eq!(browser.found(), []);
        assert_eq!(browser.lagged(), 0);
    });
}

fn a_name_that_somebody_has_is_told_and_another_taken<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = two::<A, B>().await;
        let kind = kind();
        let mut events = (a.events(), b.events());
        let first = a.publish(page(&kind)).unwrap();
        while !matches!(events.0.next().await.unwrap(), Event::ServicePublished(id, _) if id == first.id()) {}
        let second = b.publish(page(&kind)).unwrap();
        let renamed = loop {
            if let Event::ServiceRenamed(id, name) = events.1.next().await.unwrap() {
                assert_eq!(id, second.id());
                break name;
            }
        };
        assert_eq!(renamed, "Ben's page (2)");
        assert_eq!((first.name().as_deref(), second.name()), (Some("Ben's page"), Some(renamed)));
    });
}

fn a_search_that_begins_late_is_told_what_another_found<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = two::<A, B>().await;
        let kind = kind();
        let _publication: Publication = a.publish(page(&kind)).unwrap();
        let mut first = b.browse(kind.clone()).unwrap();
        let instance = found(&mut first).await;
        let mut second = b.browse(kind.clone()).unwrap();
        assert_eq!(found(&mut second).await, instance);
        assert_eq!((first.found(), second.found()), (vec![instance.clone()], vec![instance]));
        assert_ne!(first.id(), second.id());
    });
}

fn a_search_that_is_dropped_asks_no_more_and_frees_its_place<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, _b) = two::<A, B>().await;
        let kinds = || (0..64).map_while(|_| a.browse(kind()).ok()).collect::<Vec<Browser>>();
        let browsers = kinds();
        assert!(browsers.len() > 32);
        assert_eq!(a.browse(kind()).unwrap_err(), BrowseError::Full);
        drop(browsers);
        assert!(kinds().len() > 32);
    });
}

fn new_metadata_is_seen_by_a_peer_that_discovered_this_one<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let mut config = lab::config().with_metadata(Metadata::named("first"));
        (config.advertise.enabled, config.service) = (true, ServiceName::new(kind().name()).unwrap());
        let a = Builder::new(config.clone(), identity(1), A::default()).start().await.unwrap();
        let b = Builder::new(config, identity(2), B::default()).start().await.unwrap();
        let mut events = b.events();
        let mut called = Vec::new();
        while called.last().is_none_or(|name| name != "second") {
            let (Event::PeerDiscovered(peer) | Event::PeerUpdated(peer)) = events.next().await.unwrap()
            else {
                continue;
            };
            assert_eq!(peer.id, a.id());
            if peer.name == "first" && called.is_empty() {
                a.set_metadata(Metadata::named("second")).unwrap();
            }
            called.push(peer.name);
        }
        a.set_metadata(Metadata::named("x".repeat(65))).unwrap_err();
    });
}

fn handles_of_services_outlive_their_node_and_are_told_that_it_stopped<A: TestRuntime, B: TestRuntime>() {
    lab::run::<A>(async {
        let (a, b) = two::<A, B>().await;
        let kind = kind();
        let publication = a.publish(page(&kind)).unwrap();
        let mut browser = b.browse(kind.clone()).unwrap();
        found(&mut browser).await;
        a.shutdown().await;
        assert!(matches!(browser.next().await.unwrap(), ServiceEvent::Lost(_)));
        assert_eq!(a.publish(page(&kind)).unwrap_err(), PublishError::Stopped);
        assert_eq!(a.browse(kind).unwrap_err(), BrowseError::Stopped);
        assert_eq!(publication.name(), None);
        publication.set_txt(TxtRecord::new()).unwrap_err();
        b.shutdown().await;
        assert_eq!(browser.next().await, None);
    });
}
