//! A server whose store is somebody else: slow, down, or told by other servers.

use super::world::*;
use crate::directory::{DirectoryChange, DirectoryEntry, DirectoryReply, DirectoryRequest};
use crate::id::{ConnId, PeerId, StreamId};
use crate::server::store::{MAX_QUESTIONS, Purpose, Store};
use crate::server::{Keeping, ServerConfig};
use crate::wire::discovery::{Gone, RefusalCode, Reply, Request};
use bytes::Bytes;
use std::time::Duration;

fn world() -> World {
    World::of(ServerConfig::new().with_port(4433).with_keeping(Keeping::Asked))
}

fn sha1(n: usize) -> [u8; 20] {
    match id(n) {
        PeerId::Sha1(sha1) => sha1,
        PeerId::Sha256(_) => unreachable!("the short name"),
    }
}

fn entry(world: &mut World, n: usize, seq: u64, peers: &[usize]) -> DirectoryEntry {
    let (record, now_s) = (world.sealed(n, seq, peers), world.now_s());
    let (owner, sha1) = (owner(n), sha1(n));
    DirectoryEntry { owner, sha1, seq, record, addresses: vec![], announced_s: now_s, expires_s: now_s + 60 }
}

#[test]
fn what_is_announced_is_put_into_the_store_and_taken_once_it_says_so() {
    let mut world = world();
    let a = world.join();
    let record = world.plain(a, 4);
    let stream = world.ask(a, &announcement(id(a), record.clone()));
    assert_eq!(world.heard(a, stream), None, "nothing is said before the store has it");
    let DirectoryRequest::Put(put) = world.answer(DirectoryReply::Done) else { panic!() };
    assert_eq!((put.owner, put.sha1, put.seq, put.record), (owner(a), sha1(a), 4, record));
    assert_eq!((put.announced_s, put.expires_s), (EPOCH_S, EPOCH_S + 3600));
    assert!(matches!(world.reply(a, stream), Reply::ClientAnnouncementOk(_)));
    let stream = world.ask(a, &refresh(3));
    assert!(matches!(
        world.answer(DirectoryReply::Stale { seq: 4 }),
        DirectoryRequest::Refresh { seq: 3, .. }
    ));
    assert_eq!(refusal(&world.reply(a, stream)), (RefusalCode::Stale, 4, 0));
    let stream = world.ask(a, &withdraw(4));
    assert!(matches!(world.answer(DirectoryReply::Done), DirectoryRequest::Withdraw { seq: 4, .. }));
    assert!(matches!(world.reply(a, stream), Reply::Ok(_)));
}

#[test]
fn what_the_store_holds_is_told_to_who_may_know_it_alone() {
    let mut world = world();
    let (a, b) = (world.join(), world.join());
    let entry = entry(&mut world, 7, 1, &[b]);
    for (n, count) in [(a, 0), (b, 1)] {
        let stream = world.ask(n, &Request::Lookup(vec![wanted(n, 7), wanted(n, 8)]));
        let asked = world.answer(DirectoryReply::Found(vec![Some(entry.clone()), None]));
        assert_eq!(asked, DirectoryRequest::Get(vec![id(7), id(8)]));
        assert_eq!(found(&world.reply(n, stream)).0.len(), count);
    }
}

#[test]
fn a_store_that_is_down_full_or_too_slow_is_an_overloaded_server_with_a_time_to_come_back() {
    let mut world = world();
    let a = world.join();
    for reply in [DirectoryReply::Failed, DirectoryReply::Full] {
        let stream = world.ask(a, &refresh(1));
        world.answer(reply);
        assert_eq!(refusal(&world.reply(a, stream)), (RefusalCode::Overloaded, 0, 60));
    }
    let stream = world.ask(a, &refresh(1));
    world.pass(Duration::from_millis(4_900));
    assert_eq!(world.heard(a, stream), None);
    world.pass(Duration::from_millis(200));
    assert_eq!(refusal(&world.reply(a, stream)), (RefusalCode::Overloaded, 0, 60));
    // Whatever it says after that is too late.
    world.answer(DirectoryReply::Done);
    // What makes no sense is as good as nothing.
    let stream = world.ask(a, &Request::QueryClientAnnouncement(vec![id(a)]));
    world.answer(DirectoryReply::Found(vec![]));
    assert_eq!(refusal(&world.reply(a, stream)).0, RefusalCode::Internal);
}

#[test]
fn who_gives_up_while_the_store_is_asked_is_answered_nothing() {
    let mut world = world();
    let (a, b) = (world.join(), world.join());
    let stream = world.ask(a, &Request::Subscribe(vec![wanted(a, b)]));
    world.give_up(a, stream);
    world.ask(b, &Request::Subscribe(vec![wanted(b, a)]));
    world.leave(b);
    assert_eq!(world.server.stats().subscriptions, 0);
    for id in [id(b), id(a)] {
        let found = DirectoryReply::Found(vec![None]);
        assert_eq!(world.answer(found), DirectoryRequest::Watch(vec![id]));
        assert_eq!(world.answer(DirectoryReply::Done), DirectoryRequest::Unwatch(vec![id]));
    }
    assert_eq!(world.server.stats().subscriptions, 0);
    assert!(world.asks.is_empty());
}

#[test]
fn changes_that_came_by_another_server_are_told_to_subscribers() {
    let mut world = world();
    let (a, b) = (world.join(), world.join());
    let mut streams = Vec::new();
    for n in [a, b] {
        streams.push(world.ask(n, &Request::Subscribe(vec![wanted(n, 7)])));
        let found = DirectoryReply::Found(vec![None]);
        assert_eq!(world.answer(found), DirectoryRequest::Watch(vec![id(7)]));
    }
    let entry = entry(&mut world, 7, 1, &[a]);
    let mut change = DirectoryChange { owner: owner(7), sha1: sha1(7), entry: Some(entry) };
    world.server.handle_change(world.clock(), &change);
    assert!(matches!(world.told(a, streams[0])[..], [Reply::Announced(_)]));
    assert_eq!(world.told(b, streams[1]), []);
    change.entry = None;
    world.server.handle_change(world.clock(), &change);
    assert_eq!(world.told(a, streams[0]), [Reply::Gone(Gone { peer_id: id(7) })]);
    world.server.handle_changes_lost(world.clock());
    for (n, stream) in [(a, streams[0]), (b, streams[1])] {
        assert!(matches!(world.told(n, stream)[..], [Reply::Resync(_)]));
    }
    world.give_up(a, streams[0]);
    assert!(world.asks.is_empty(), "somebody else watches");
    world.leave(b);
    assert_eq!(world.answer(DirectoryReply::Done), DirectoryRequest::Unwatch(vec![id(7)]));
}

#[test]
fn a_change_that_comes_while_the_store_is_asked_is_told_and_what_it_held_before_is_not() {
    let mut world = world();
    let a = world.join();
    let older = entry(&mut world, 7, 1, &[a]);
    let newer = entry(&mut world, 7, 2, &[a]);
    for (entry, told) in [(Some(newer.clone()), vec![newer.record.clone()]), (None, vec![])] {
        let stream = world.ask(a, &Request::Subscribe(vec![wanted(a, 7)]));
        let change = DirectoryChange { owner: owner(7), sha1: sha1(7), entry };
        world.server.handle_change(world.clock(), &change);
        assert_eq!(world.heard(a, stream), None, "nothing is told before the store has answered");
        world.answer(DirectoryReply::Found(vec![Some(older.clone())]));
        let records: Vec<_> = world.told(a, stream).iter().map(announced).collect();
        assert_eq!(records, told);
        world.give_up(a, stream);
        assert_eq!(world.answer(DirectoryReply::Done), DirectoryRequest::Unwatch(vec![id(7)]));
    }
    assert_eq!(world.server.stats().pushed, 1, "nobody is counted twice");
}

fn announced(reply: &Reply) -> Bytes {
    match reply {
        Reply::Announced(answer) => answer.record.clone().expect("nodes always sign"),
        other => panic!("somebody is announced: {other:?}"),
    }
}

#[test]
fn a_subscription_that_the_store_cannot_serve_is_refused() {
    let mut world = world();
    let a = world.join();
    let stream = world.ask(a, &Request::Subscribe(vec![wanted(a, 7)]));
    world.answer(DirectoryReply::Failed);
    assert_eq!(refusal(&world.told(a, stream)[0]), (RefusalCode::Overloaded, 0, 60));
    assert_eq!(world.server.stats().subscriptions, 0);
    assert_eq!(world.answer(DirectoryReply::Done), DirectoryRequest::Unwatch(vec![id(7)]));
}

#[test]
fn a_server_that_waits_for_its_store_too_often_is_overloaded_at_once() {
    let mut world = world();
    let (a, now) = (world.join(), world.now);
    let stream = world.ask(a, &refresh(1));
    let Store::Asked(asked) = &mut world.server.store else { panic!("it asks") };
    for _ in 1..MAX_QUESTIONS {
        let waits = asked.add(now, Purpose::Withdraw { asker: (ConnId(7), StreamId(7)) });
        assert!(waits.is_ok());
    }
    let more = world.ask(a, &refresh(1));
    assert_eq!(refusal(&world.reply(a, more)), (RefusalCode::Overloaded, 0, 60));
    assert_eq!(world.asks.len(), 1, "the store is not asked");
    world.answer(DirectoryReply::Done);
    assert!(matches!(world.reply(a, stream), Reply::ClientAnnouncementOk(_)));
}
