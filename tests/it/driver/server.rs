//! A discovery server: started, stopped, and what it writes down.

use super::lab::{TestRuntime, config, run};
use super::on_every_runtime;
use handfast_driver::core::{DiscoveryServer, ServerState};
use handfast_driver::{
    Builder, Event, Interfaces, MemoryStore, Server, ServerBuilder, ServerConfig, ServerStartError,
};
use handfast_tests::paired::{identity, records};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

fn builder<R: TestRuntime>(port: u16) -> ServerBuilder<R> {
    let config = ServerConfig::new().with_port(port).with_interfaces(Interfaces::only(["lo"]));
    ServerBuilder::new(config, identity(9), R::default())
}

/// A second server on the port of a first fails, and the first goes on.
fn a_port_that_is_taken_is_an_error_and_one_that_was_given_back_is_not<A: TestRuntime, B: TestRuntime>() {
    run::<A>(async {
        let first: Server<A> = builder(0).start().await.unwrap();
        let addresses = first.local_addresses();
        let port = addresses[0].port();
        assert!(port != 0 && addresses.iter().all(|address| address.port() == port));
        assert_eq!(first.public_key(), identity(9).public_key());
        let second = builder::<B>(port).start().await;
        assert!(matches!(second, Err(ServerStartError::Bind(_))), "{second:?}");
        first.shutdown().await;
        assert_eq!(first.local_addresses(), []);
        let again = builder::<B>(port).start().await.unwrap();
        assert_eq!(again.stats().records, 0);
        again.shutdown().await;
    });
}

fn a_server_that_stops_writes_its_snapshot_and_one_that_starts_reads_it<A: TestRuntime, B: TestRuntime>() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("directory");
    run::<A>(async {
        let server = builder::<A>(0).with_snapshot(&file).start().await.unwrap();
        assert!(!file.exists(), "there is nothing to write yet");
        server.shutdown().await;
        assert!(file.exists() && !new(&file).exists());
        // Whoever waits again waits for nothing.
        server.shutdown().await;
        builder::<B>(0).with_snapshot(&file).start().await.unwrap().shutdown().await;
        std::fs::write(&file, b"something else").unwrap();
        let refused = builder::<B>(0).with_snapshot(&file).start().await;
        assert!(matches!(refused, Err(ServerStartError::Snapshot(_))), "{refused:?}");
        assert_eq!(std::fs::read(&file).unwrap(), b"something else", "it is left as it is");
    });
}

/// Nothing but what comes in wakes a server that has just been started.
fn a_server_that_was_just_started_hears_who_comes<A: TestRuntime, B: TestRuntime>() {
    run::<A>(async {
        let server = builder::<B>(0).start().await.unwrap();
        let port = server.local_addresses()[0].port();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let config = config().with_server(DiscoveryServer::new(at, identity(9).fingerprint()));
        let (of_one, _) = records(identity(1).public_key(), identity(2).public_key());
        let builder = Builder::new(config, identity(1), A::default());
        let node = builder.with_store(MemoryStore::with(vec![of_one])).start().await.unwrap();
        let mut events = node.events();
        while node.servers()[0].state != ServerState::Announced {
            assert!(events.next().await.is_some_and(|event| !matches!(event, Event::StoreFailed)));
        }
        assert_eq!((server.stats().records, server.stats().clients), (1, 1));
        node.shutdown().await;
        assert_eq!(server.stats().records, 0, "who stops in good order says so");
        server.shutdown().await;
    });
}

fn new(file: &Path) -> std::path::PathBuf {
    file.with_extension("new")
}

on_every_runtime!(
    a_port_that_is_taken_is_an_error_and_one_that_was_given_back_is_not,
    a_server_that_stops_writes_its_snapshot_and_one_that_starts_reads_it,
    a_server_that_was_just_started_hears_who_comes,
);
