//! What a server writes down and takes back.

use super::world::*;
use crate::error::SnapshotError;
use crate::server::ServerConfig;
use crate::wire::discovery::{RefusalCode, Reply, Request};
use std::time::Duration;

fn snapshot(world: &World) -> Vec<u8> {
    let (mut file, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        from = world.server.snapshot(world.clock(), at, &mut file);
    }
    file
}

fn restore(world: &mut World, mut file: &[u8]) {
    while !file.is_empty() {
        let len = world.server.restore(world.clock(), file).unwrap();
        file = &file[len..];
    }
}

#[test]
fn a_server_that_begins_anew_holds_what_it_held() {
    let mut world = World::new();
    let (a, b, c) = (world.join(), world.join(), world.join());
    let record = world.sealed(a, 5, &[b]);
    world.announced(a, record.clone());
    let gone = world.plain(c, 8);
    world.announced(c, gone.clone());
    assert!(matches!(world.request(c, &withdraw(8)), Reply::Ok(_)));
    world.pass(Duration::from_secs(100));
    let file = snapshot(&world);
    world.pass(Duration::from_secs(50));
    world.restart(ServerConfig::new().with_port(4433));
    restore(&mut world, &file);
    assert_eq!((world.server.stats().records, world.server.stats().tombstones), (1, 1));
    let (a, b, c) = (world.join(), world.join(), world.join());
    let Reply::QueryClientAnnouncementResponse(response) =
        world.request(b, &Request::Lookup(vec![wanted(b, a)]))
    else {
        panic!()
    };
    assert_eq!((response.found[0].record.clone(), response.found[0].age_s), (Some(record), 150));
    assert_eq!(refusal(&world.announce(c, gone)), (RefusalCode::Stale, 8, 0));
    // The lease goes on from where it was.
    world.pass(Duration::from_secs(3600 - 150 + 2));
    assert_eq!(world.server.stats().records, 0);
}

#[test]
fn what_expired_while_the_server_was_down_leaves_its_number_and_what_is_newer_stays() {
    let mut world = World::new();
    let (a, b) = (world.join(), world.join());
    for n in [a, b] {
        let record = world.plain(n, 5);
        world.announced(n, record);
    }
    let file = snapshot(&world);
    world.pass(Duration::from_secs(7200));
    world.restart(ServerConfig::new().with_port(4433));
    world.join();
    let newer = world.plain(0, 6);
    world.announced(0, newer.clone());
    restore(&mut world, &file);
    assert_eq!((world.server.stats().records, world.server.stats().tombstones), (1, 1));
    let reply = world.request(0, &Request::QueryClientAnnouncement(vec![id(0)]));
    assert_eq!(found(&reply).0, [(id(0), newer)]);
}

#[test]
fn a_snapshot_that_is_cut_off_or_damaged_anywhere_is_refused_whole() {
    let mut world = World::new();
    let a = world.join();
    let record = world.plain(a, 5);
    world.announced(a, record);
    let file = snapshot(&world);
    world.restart(ServerConfig::new().with_port(4433));
    for len in 0..file.len() {
        assert_eq!(world.server.restore(world.clock(), &file[..len]), Err(SnapshotError::Malformed));
    }
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x10;
        assert_eq!(world.server.restore(world.clock(), &damaged), Err(SnapshotError::Malformed), "{at}");
    }
    assert_eq!(world.server.stats().records, 0);
    restore(&mut world, &file);
    assert_eq!(world.server.stats().records, 1);
}
