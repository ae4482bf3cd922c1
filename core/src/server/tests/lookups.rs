//! Who is told of whom.

use super::world::*;
use crate::wire::discovery::{MAX_REPLY, Reply, Request, Wanted};
use crate::wire::record::{MAX_ENTRIES, Payload, Sealed};
use bytes::Bytes;

#[test]
fn a_sealed_announcement_is_told_to_who_has_a_token_by_either_name() {
    let mut world = World::new();
    let (a, b, c) = (world.join(), world.join(), world.join());
    let record = world.sealed(a, 1, &[b]);
    world.announced(a, record.clone());
    let by_b = wanted(b, a);
    let long = Wanted { peer_id: long_id(a), ..by_b };
    let reply = world.request(b, &Request::Lookup(vec![by_b, long]));
    assert_eq!(found(&reply), (vec![(id(a), record.clone()), (long_id(a), record)], 0));
    assert_eq!(found(&world.request(c, &Request::Lookup(vec![wanted(c, a)]))), (vec![], 1));
    // The token of one is of no use for another.
    let other = Wanted { peer_id: id(c), ..by_b };
    assert_eq!(found(&world.request(b, &Request::Lookup(vec![other]))), (vec![], 1));
}

#[test]
fn a_stranger_gets_octet_for_octet_the_answer_for_somebody_unknown() {
    let mut world = World::new();
    let (a, b, stranger) = (world.join(), world.join(), world.join());
    let heard = |world: &mut World, request: &Request| {
        let id = world.ask(stranger, request);
        world.heard(stranger, id).unwrap().clone()
    };
    let token = [7; 32];
    let requests = [
        Request::QueryClientAnnouncement(vec![id(a)]),
        Request::QueryClientAnnouncement(vec![long_id(a)]),
        Request::Lookup(vec![Wanted { peer_id: id(a), token }]),
        Request::Lookup(vec![Wanted { peer_id: long_id(a), token }]),
    ];
    let unknown: Vec<_> = requests.iter().map(|request| heard(&mut world, request)).collect();
    let record = world.sealed(a, 1, &[b]);
    world.announced(a, record);
    let known: Vec<_> = requests.iter().map(|request| heard(&mut world, request)).collect();
    assert_eq!(known, unknown);
    let subscribe = Request::Subscribe(vec![Wanted { peer_id: id(a), token }]);
    let id = world.ask(stranger, &subscribe);
    assert_eq!(world.told(stranger, id), []);
    assert!(matches!(world.request(a, &withdraw(1)), Reply::Ok(_)));
    assert_eq!(world.told(stranger, id), [], "nor is he told that somebody he may not know has gone");
}

#[test]
fn a_plain_announcement_is_told_to_everybody_whatever_the_token() {
    let mut world = World::new();
    let (a, b) = (world.join(), world.join());
    let record = world.plain(a, 1);
    world.announced(a, record.clone());
    for request in [
        Request::QueryClientAnnouncement(vec![id(a)]),
        Request::Lookup(vec![Wanted { peer_id: id(a), token: [0; 32] }]),
    ] {
        assert_eq!(found(&world.request(b, &request)), (vec![(id(a), record.clone())], 0));
    }
}

#[test]
fn each_of_many_peers_is_told_and_a_gate_of_zeros_opens_nothing() {
    let mut world = World::new();
    let a = world.join();
    let peers: Vec<usize> = (1..=5).collect();
    let record = world.sealed(a, 1, &peers);
    world.announced(a, record);
    for peer in peers {
        assert_eq!(world.join(), peer);
        let reply = world.request(peer, &Request::Lookup(vec![wanted(peer, a)]));
        assert_eq!(found(&reply).1, 0, "{peer}");
    }
    // Places without an entry are zeros, which is no gate.
    assert!(!super::super::gate::admits(&world.sealed(a, 2, &[1]), Some(&[0; 16])));
    assert!(!super::super::gate::admits(b"", Some(&[0; 16])));
    assert!(!super::super::gate::admits(&world.sealed(a, 2, &[1]), None));
}

#[test]
fn what_does_not_fit_into_a_reply_is_missing_and_may_be_asked_for_at_once() {
    let mut world = World::new();
    let token = crate::global::seal::gate(&[3; 32]);
    for n in 0..40 {
        assert_eq!(world.join(), n);
        let mut entries = vec![[0xff; 32]; MAX_ENTRIES];
        entries[0][..16].copy_from_slice(&token);
        entries.sort_unstable();
        let sealed = Sealed { nonce: [0; 24], ciphertext: Bytes::from(vec![0; 1000]) };
        let record = world.signed(n, 1, entries, Payload::Sealed(sealed));
        world.announced(n, record);
        world.leave(n);
    }
    let asker = world.join();
    let all = (0..40).map(|n| Wanted { peer_id: id(n), token: [3; 32] }).collect();
    let stream = world.ask(asker, &Request::Lookup(all));
    assert!(world.heard(asker, stream).unwrap().0.len() <= MAX_REPLY);
    let Reply::QueryClientAnnouncementResponse(response) = world.reply(asker, stream) else { panic!() };
    assert!((15..25).contains(&response.found.len()), "{}", response.found.len());
    assert_eq!(response.found.len() + response.missing.len(), 40);
    assert!(response.missing.iter().all(|missing| missing.retry_after_s == 0));
}
