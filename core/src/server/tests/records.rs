//! Announcing, renewing and withdrawing, and what is refused.

use super::world::*;
use crate::id::PeerId;
use crate::wire::discovery::{RefusalCode, Reply, Request};
use std::time::Duration;

fn query(world: &mut World, n: usize, ids: Vec<PeerId>) -> (Vec<(PeerId, bytes::Bytes)>, usize) {
    found(&world.request(n, &Request::QueryClientAnnouncement(ids)))
}

#[test]
fn an_announcement_is_taken_with_what_the_server_saw_of_its_sender() {
    let mut world = World::new();
    let a = world.join();
    let record = world.plain(a, 7);
    let Reply::ClientAnnouncementOk(accepted) = world.announce(a, record) else { panic!() };
    assert_eq!(accepted.observed, "10.0.0.1:4000".parse().unwrap());
    assert_eq!((accepted.lease_s, accepted.reannounce_after_s, accepted.seq), (3600, 1800, 7));
    assert_eq!(accepted.now_s, EPOCH_S);
    assert_eq!((world.server.stats().records, world.server.stats().announcements), (1, 1));
}

#[test]
fn a_lower_number_is_stale_and_the_same_holds_only_for_the_same_record() {
    let mut world = World::new();
    let a = world.join();
    let (first, second) = (world.plain(a, 5), world.plain(a, 6));
    world.announced(a, second.clone());
    assert_eq!(refusal(&world.announce(a, first)), (RefusalCode::Stale, 6, 0));
    world.announced(a, second.clone());
    let other = world.sealed(a, 6, &[1]);
    assert_eq!(refusal(&world.announce(a, other)), (RefusalCode::Stale, 6, 0));
    assert_eq!(query(&mut world, a, vec![id(a)]).0, [(id(a), second)]);
}

#[test]
fn a_record_that_is_forged_damaged_or_anothers_is_refused_and_changes_nothing() {
    let mut world = World::new();
    let (a, b) = (world.join(), world.join());
    let (mine, theirs) = (world.plain(a, 1), world.plain(b, 9));
    // Anothers record, under either name.
    assert_eq!(refusal(&world.announce(a, theirs.clone())).0, RefusalCode::NotSelf);
    let reply = world.request(a, &announcement(id(b), theirs));
    assert_eq!(refusal(&reply).0, RefusalCode::NotSelf);
    let reply = world.request(a, &announcement(id(b), mine.clone()));
    assert_eq!(refusal(&reply).0, RefusalCode::NotSelf);
    for at in [5, mine.len() / 2, mine.len() - 1] {
        let mut forged = mine.to_vec();
        forged[at] ^= 1;
        assert_eq!(refusal(&world.announce(a, forged.into())).0, RefusalCode::BadRequest, "{at}");
    }
    assert_eq!(query(&mut world, b, vec![id(a), id(b)]), (vec![], 2));
    assert_eq!(world.server.stats().records, 0);
    world.announced(a, mine);
}

#[test]
fn a_record_that_is_meant_for_more_than_a_day_is_refused() {
    use crate::wire::record::{Body, Payload, Plain};
    let mut world = World::new();
    let a = world.join();
    let payload = Payload::Plain(Plain { addresses: vec![] });
    let owner = identity(a).public_key();
    let body = Body { owner, seq: 1, issued_s: 5, not_after_s: 5 + 24 * 3600 + 1, entries: vec![], payload };
    let record = body.sign(&identity(a).signer());
    assert_eq!(refusal(&world.announce(a, record)).0, RefusalCode::BadRequest);
}

#[test]
fn a_record_of_a_clock_that_is_wrong_by_a_year_is_taken_and_told_the_time() {
    use crate::wire::record::{Body, Payload, Plain};
    let mut world = World::new();
    let a = world.join();
    let issued_s = EPOCH_S - 365 * 24 * 3600;
    let payload = Payload::Plain(Plain { addresses: vec![] });
    let owner = identity(a).public_key();
    let body = Body { owner, seq: 1, issued_s, not_after_s: issued_s + 3600, entries: vec![], payload };
    let Reply::ClientAnnouncementOk(accepted) = world.announce(a, body.sign(&identity(a).signer())) else {
        panic!()
    };
    assert_eq!(accepted.now_s, EPOCH_S);
    assert_eq!(query(&mut world, a, vec![id(a)]).0.len(), 1);
}

#[test]
fn an_announcement_holds_for_its_lease_and_longer_if_it_is_renewed() {
    let mut world = World::new();
    let (a, b) = (world.join(), world.join());
    for n in [a, b] {
        let record = world.plain(n, 3);
        world.announced(n, record);
    }
    world.pass(Duration::from_secs(1800));
    let a = world.join_as(a);
    assert!(matches!(world.request(a, &refresh(3)), Reply::ClientAnnouncementOk(_)));
    world.pass(Duration::from_secs(1802));
    let c = world.join();
    assert_eq!(query(&mut world, c, vec![id(0), id(1)]).0.len(), 1);
    assert_eq!(world.server.stats().expired, 1);
    world.pass(Duration::from_secs(1800));
    assert_eq!((world.server.stats().records, world.server.stats().tombstones), (0, 2));
    world.pass(Duration::from_secs(7 * 24 * 3600 + 600));
    assert_eq!(world.server.stats().tombstones, 0);
}

#[test]
fn only_what_is_held_is_renewed() {
    let mut world = World::new();
    let a = world.join();
    assert_eq!(refusal(&world.request(a, &refresh(3))), (RefusalCode::Stale, 0, 0));
    let record = world.plain(a, 3);
    world.announced(a, record);
    for seq in [2, 4] {
        assert_eq!(refusal(&world.request(a, &refresh(seq))), (RefusalCode::Stale, 3, 0));
    }
}

#[test]
fn what_was_withdrawn_is_gone_at_once_and_does_not_come_back_under_its_number() {
    let mut world = World::new();
    let (a, b) = (world.join(), world.join());
    let record = world.plain(a, 3);
    world.announced(a, record.clone());
    assert_eq!(refusal(&world.request(a, &withdraw(2))), (RefusalCode::Stale, 3, 0));
    assert_eq!(query(&mut world, b, vec![id(a)]).0.len(), 1);
    assert!(matches!(world.request(a, &withdraw(3)), Reply::Ok(_)));
    assert_eq!(query(&mut world, b, vec![id(a), long_id(a)]).0, []);
    assert_eq!(refusal(&world.announce(a, record)), (RefusalCode::Stale, 3, 0));
    assert_eq!(refusal(&world.request(a, &refresh(3))), (RefusalCode::Stale, 3, 0));
    let newer = world.plain(a, 4);
    world.announced(a, newer);
    assert_eq!(query(&mut world, b, vec![id(a)]).0.len(), 1);
}

#[test]
fn addresses_beside_a_record_are_told_but_for_those_that_are_nobodys() {
    use crate::wire::discovery::Announcement;
    let mut world = World::new();
    let a = world.join();
    let addresses = ["127.0.0.1:5", "203.0.113.7:5", "224.0.0.251:5353", "203.0.113.8:0"];
    let request = Request::ClientAnnouncement(Announcement {
        peer_id: id(a),
        addresses: addresses.map(|text| text.parse().unwrap()).to_vec(),
        record: world.plain(a, 1),
        lease_s: 1,
    });
    let Reply::ClientAnnouncementOk(accepted) = world.request(a, &request) else { panic!() };
    assert_eq!(accepted.lease_s, 60);
    world.pass(Duration::from_secs(5));
    let Reply::QueryClientAnnouncementResponse(response) =
        world.request(a, &Request::QueryClientAnnouncement(vec![id(a)]))
    else {
        panic!()
    };
    assert_eq!(response.found[0].addresses, ["203.0.113.7:5".parse().unwrap()]);
    assert_eq!(response.found[0].age_s, 5);
}
