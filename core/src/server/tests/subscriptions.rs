//! What subscribers are told.

use super::world::*;
use crate::directory::{DirectoryChange, DirectoryEntry};
use crate::id::PeerId;
use crate::wire::discovery::{Gone, Reply, Request, Wanted};
use std::time::Duration;

fn announced_seq(reply: &Reply) -> u64 {
    match reply {
        Reply::Announced(answer) => {
            let record = answer.record.as_ref().expect("nodes always sign");
            crate::wire::record::Body::verify(record).unwrap().seq
        }
        other => panic!("nobody was announced: {other:?}"),
    }
}

#[test]
fn a_subscriber_is_told_of_who_is_there_and_of_every_change() {
    let mut world = World::new();
    let (a, b) = (world.join(), world.join());
    let record = world.sealed(a, 1, &[b]);
    world.announced(a, record.clone());
    let stream = world.ask(b, &Request::Subscribe(vec![wanted(b, a)]));
    let seqs = |told: Vec<Reply>| told.iter().map(announced_seq).collect::<Vec<_>>();
    let told = world.told(b, stream);
    assert_eq!(seqs(told), [1]);
    let newer = world.sealed(a, 2, &[b]);
    world.announced(a, newer.clone());
    // To say the same again, or to renew it, is no change.
    world.announced(a, newer);
    assert!(matches!(world.request(a, &refresh(2)), Reply::ClientAnnouncementOk(_)));
    let told = world.told(b, stream);
    assert_eq!(seqs(told), [2]);
    assert!(matches!(world.request(a, &withdraw(2)), Reply::Ok(_)));
    assert_eq!(world.told(b, stream), [Reply::Gone(Gone { peer_id: id(a) })]);
    let back = world.sealed(a, 3, &[b]);
    world.announced(a, back);
    let told = world.told(b, stream);
    assert_eq!(seqs(told), [3]);
}

#[test]
fn who_has_no_entry_any_longer_is_told_that_the_peer_is_gone_and_nothing_after_it() {
    let mut world = World::new();
    let (a, b, c) = (world.join(), world.join(), world.join());
    let record = world.sealed(a, 1, &[b, c]);
    world.announced(a, record);
    let streams = [b, c].map(|n| world.ask(n, &Request::Subscribe(vec![wanted(n, a)])));
    assert_eq!((world.told(b, streams[0]).len(), world.told(c, streams[1]).len()), (1, 1));
    let without_b = world.sealed(a, 2, &[c]);
    world.announced(a, without_b);
    assert_eq!(world.told(b, streams[0]), [Reply::Gone(Gone { peer_id: id(a) })]);
    let told = world.told(c, streams[1]);
    assert_eq!(told.iter().map(announced_seq).collect::<Vec<_>>(), [2]);
    let again = world.sealed(a, 3, &[c]);
    world.announced(a, again);
    assert!(matches!(world.request(a, &withdraw(3)), Reply::Ok(_)));
    assert_eq!(world.told(b, streams[0]), []);
}

#[test]
fn a_peer_whose_lease_ends_is_gone() {
    let mut world = World::new();
    let (a, b) = (world.join(), world.join());
    let record = world.sealed(a, 1, &[b]);
    world.announced(a, record);
    let stream = world.ask(b, &Request::Subscribe(vec![wanted(b, a)]));
    assert_eq!(world.told(b, stream).len(), 1);
    // The client keeps its connection up.
    world.pass(Duration::from_secs(3602));
    assert_eq!(world.told(b, stream), [Reply::Gone(Gone { peer_id: id(a) })]);
    assert!(world.is_connected(b));
}

/// That a client is somewhere else, in a record of two kilobytes.
fn change(world: &mut World, n: usize, seq: u64, peers: &[usize]) -> DirectoryChange {
    let PeerId::Sha1(sha1) = id(n) else { unreachable!("the short name") };
    let many: Vec<usize> = peers.iter().copied().chain(20..60).collect();
    let (record, owner, addresses) = (world.sealed(n, seq, &many), owner(n), Vec::new());
    let (announced_s, expires_s) = (EPOCH_S, EPOCH_S + 3600);
    let entry = DirectoryEntry { owner, sha1, seq, record, addresses, announced_s, expires_s };
    DirectoryChange { owner, sha1, entry: Some(entry) }
}

#[test]
fn a_subscriber_who_reads_nothing_is_told_to_ask_anew_and_holds_up_nobody() {
    let mut config = crate::server::ServerConfig::new().with_port(4433);
    config.idle_timeout = Duration::from_secs(3600);
    let mut world = World::of(config);
    let (a, b, c) = (world.join(), world.join(), world.join());
    let lazy = world.ask(b, &Request::Subscribe(vec![wanted(b, a)]));
    let quick = world.ask(c, &Request::Subscribe(vec![wanted(c, a)]));
    world.set_listens(b, false);
    let mut told = 0;
    // The stream's window of a megabyte fills first.
    for seq in 1..=800 {
        let change = change(&mut world, a, seq, &[b, c]);
        world.server.handle_change(world.clock(), &change);
        told += world.told(c, quick).len();
    }
    assert_eq!(told, 800);
    world.set_listens(b, true);
    world.pass(Duration::from_secs(1));
    let late = world.told(b, lazy);
    assert!((400..800).contains(&late.len()), "{}", late.len());
    assert!(matches!(late.last(), Some(Reply::Resync(_))), "{:?}", late.last());
    assert_eq!(late.iter().filter(|reply| matches!(reply, Reply::Resync(_))).count(), 1);
}

#[test]
fn a_subscription_ends_with_its_stream_and_with_its_connection() {
    let mut world = World::new();
    let (a, b, c) = (world.join(), world.join(), world.join());
    let first = world.ask(b, &Request::Subscribe(vec![wanted(b, a), wanted(b, c)]));
    world.ask(c, &Request::Subscribe(vec![wanted(c, a)]));
    assert_eq!(world.server.stats().subscriptions, 3);
    world.give_up(b, first);
    assert_eq!(world.server.stats().subscriptions, 1);
    world.leave(c);
    assert_eq!(world.server.stats().subscriptions, 0);
    let record = world.sealed(a, 1, &[b]);
    world.announced(a, record);
    assert_eq!(world.told(b, first), []);
}

#[test]
fn one_connection_subscribes_to_256_peers_and_not_to_more() {
    use crate::wire::discovery::RefusalCode;
    let mut world = World::new();
    let a = world.join();
    let some = |n: usize| (0..n).map(|n| Wanted { peer_id: id(n), token: [0; 32] }).collect();
    let stream = world.ask(a, &Request::Subscribe(some(128)));
    world.ask(a, &Request::Subscribe(some(120)));
    let refused = world.ask(a, &Request::Subscribe(some(9)));
    assert_eq!(refusal(&world.told(a, refused)[0]).0, RefusalCode::TooLarge, "behind its length");
    world.ask(a, &Request::Subscribe(some(8)));
    assert_eq!(world.server.stats().subscriptions, 256);
    world.give_up(a, stream);
    assert_eq!(world.server.stats().subscriptions, 128);
}
