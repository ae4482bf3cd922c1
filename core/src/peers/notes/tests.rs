use super::*;
use crate::config::Policy;
use crate::peers::lonely::{Lonely, SECOND, address, id, key};
use std::collections::BTreeSet;

/// Paired with number 1, and its store has nothing.
fn loaded() -> Lonely {
    let mut lonely = Lonely::with(Policy::Lazy, []);
    lonely.peers.set_paired(lonely.now, &BTreeSet::from([key(1)]));
    lonely.peers.load(lonely.now, Vec::new());
    lonely.hear();
    assert!(lonely.asks.is_empty());
    lonely
}

/// What was written, if anything was; it is answered with `reply`.
fn written(lonely: &mut Lonely, reply: StoreReply) -> Option<StoreChange> {
    lonely.hear();
    let Ask::Store(token, StoreRequest::Write(change)) = lonely.asks.pop()? else { panic!("not a write") };
    assert!(is_note(&token));
    lonely.peers.handle_noted(lonely.now, &token, &reply);
    lonely.hear();
    Some(change)
}

fn reached(lonely: &mut Lonely, n: u8) {
    lonely.peers.remember(lonely.now, &key(1), address(n));
}

#[test]
fn an_address_is_written_when_it_is_new_and_its_order_ten_minutes_later_at_the_soonest() {
    let mut lonely = loaded();
    reached(&mut lonely, 1);
    let change = written(&mut lonely, StoreReply::Written).unwrap();
    assert_eq!(change.place[0].good[0].0, address(1));
    reached(&mut lonely, 2);
    assert!(written(&mut lonely, StoreReply::Written).is_some());
    for n in 0..590 {
        reached(&mut lonely, if n % 2 == 0 { 1 } else { 2 });
        assert_eq!(written(&mut lonely, StoreReply::Written), None, "{n} s later");
        lonely.run(SECOND);
    }
    lonely.run(20 * SECOND);
    let change = written(&mut lonely, StoreReply::Written).unwrap();
    assert_eq!(change.place[0].good.len(), 2);
}

#[test]
fn what_changes_while_a_write_is_under_way_goes_into_the_next_one() {
    let mut lonely = loaded();
    reached(&mut lonely, 1);
    lonely.hear();
    for n in 2..5 {
        reached(&mut lonely, n);
    }
    lonely.hear();
    assert_eq!(lonely.asks.len(), 1, "one write at a time");
    assert_eq!(written(&mut lonely, StoreReply::Written).unwrap().place[0].good.len(), 1);
    assert_eq!(written(&mut lonely, StoreReply::Written).unwrap().place[0].good.len(), 4);
    assert_eq!(written(&mut lonely, StoreReply::Written), None);
}

#[test]
fn a_write_that_fails_is_tried_again_after_ten_minutes() {
    let mut lonely = loaded();
    reached(&mut lonely, 1);
    assert!(written(&mut lonely, StoreReply::Failed).is_some());
    lonely.run(599 * SECOND);
    assert_eq!(written(&mut lonely, StoreReply::Written), None);
    lonely.run(SECOND);
    assert!(written(&mut lonely, StoreReply::Written).is_some());
}

#[test]
fn what_is_stored_is_dialled_after_a_restart_the_last_good_address_first() {
    let mut lonely = loaded();
    lonely.peers.add_address(lonely.now, id(1), address(9));
    lonely.peers.add_name(lonely.now, id(1), "laptop.example:5000".parse().unwrap());
    for n in 1..12 {
        reached(&mut lonely, n);
    }
    let mut stored = Whereabouts::new(key(1).fingerprint());
    while let Some(change) = written(&mut lonely, StoreReply::Written) {
        stored = change.place[0].clone();
    }
    let good: Vec<_> = stored.good.iter().map(|(address, _)| *address).collect();
    assert_eq!(good, (4..12).rev().map(address).collect::<Vec<_>>(), "eight, the last first");

    let mut lonely = Lonely::with(Policy::Eager, []);
    lonely.peers.set_paired(lonely.now, &BTreeSet::from([key(1)]));
    lonely.peers.load(lonely.now, vec![stored]);
    lonely.run(9 * SECOND);
    assert_eq!(lonely.dials[0].1, address(11), "without any discovery");
    assert_eq!(lonely.dials.len(), 8, "an address that was given is one of those that were good");
    assert!(matches!(lonely.asks[..], [Ask::Resolve(..)]), "and nothing is written: {:?}", lonely.asks);
}

#[test]
fn what_is_remembered_goes_with_the_pairing_and_with_the_next_start_where_it_could_not() {
    let mut lonely = loaded();
    reached(&mut lonely, 1);
    written(&mut lonely, StoreReply::Written).unwrap();
    lonely.peers.set_paired(lonely.now, &BTreeSet::new());
    lonely.run(Duration::ZERO);
    let change = written(&mut lonely, StoreReply::Written).unwrap();
    assert_eq!((change.place, change.unplace), (vec![], vec![key(1).fingerprint()]));
    assert_eq!(lonely.peers.notes.sizes(), [0, 0, 0], "nothing is left of it");
    assert!(lonely.peers.addresses_of(&id(1)).is_empty());

    let mut lonely = Lonely::with(Policy::Lazy, []);
    let mut orphan = Whereabouts::new(key(2).fingerprint());
    orphan.given.push(address(1));
    lonely.peers.load(lonely.now, vec![orphan]);
    let change = written(&mut lonely, StoreReply::Written).unwrap();
    assert_eq!(change.unplace, [key(2).fingerprint()]);
}

#[test]
fn a_peer_that_is_forgotten_while_its_entry_is_being_written_leaves_none() {
    let mut lonely = loaded();
    reached(&mut lonely, 1);
    lonely.hear();
    lonely.peers.set_paired(lonely.now, &BTreeSet::new());
    assert_eq!(written(&mut lonely, StoreReply::Written).unwrap().place.len(), 1);
    assert_eq!(written(&mut lonely, StoreReply::Written).unwrap().unplace, [key(1).fingerprint()]);
    assert_eq!(lonely.peers.notes.sizes(), [0, 0, 0]);
}

#[test]
fn what_the_application_gives_before_the_store_has_loaded_is_stored_once_it_has() {
    let mut lonely = Lonely::with(Policy::Lazy, [1]);
    assert!(lonely.asks.is_empty());
    lonely.peers.load(lonely.now, Vec::new());
    assert_eq!(written(&mut lonely, StoreReply::Written).unwrap().place[0].given, [address(1)]);
}
