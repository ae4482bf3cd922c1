use super::*;
use crate::identity::Identity;
use crate::testing::base;
use std::time::Duration;

fn id(n: u8) -> PeerId {
    PeerId::Sha1([n; 20])
}

/// Interface number `n`, and who announced it there.
fn on(n: u32) -> (u32, IpAddr) {
    (n, [192, 0, 2, 1].into())
}

fn sighting(address: &str) -> Sighting {
    Sighting { addresses: vec![address.parse().unwrap()], hints: Hints::default() }
}

#[test]
fn who_was_not_kept_is_asked_for_once_a_quarter_is_free() {
    let (mut book, now) = (Book::new(4), base());
    for n in 0..6 {
        book.sight(now + Duration::from_secs(u64::from(n)), id(n), on(2), sighting("192.0.2.1:1"));
    }
    assert!(!book.take_room(), "it is full");
    book.unsight(&id(5), 2);
    assert!(book.take_room());
    assert!(!book.take_room(), "it is said once");
}

#[test]
fn one_links_loss_is_no_expiry() {
    let (mut book, now) = (Book::new(8), base());
    let change = book.sight(now, id(1), on(2), sighting("192.0.2.1:1"));
    assert_eq!(change, (Change::Discovered, None));
    assert_eq!(book.sight(now, id(1), on(3), sighting("192.0.2.1:1")).0, Change::Updated);
    assert_eq!(book.sight(now, id(1), on(3), sighting("192.0.2.1:1")).0, Change::Nothing);
    assert_eq!(book.unsight(&id(1), 2), Change::Updated);
    assert_eq!(book.unsight(&id(1), 3), Change::Expired);
    assert_eq!(book.unsight(&id(1), 3), Change::Nothing);
}

#[test]
fn a_full_book_evicts_the_unpaired_peer_seen_longest_ago() {
    let (mut book, now) = (Book::new(2), base());
    let friend = Identity::from_entropy([1; 32]).public_key();
    book.set_paired(&BTreeSet::from([friend]));
    let paired = friend.peer_id(PeerIdKind::Sha1);
    book.sight(now, paired, on(2), sighting("192.0.2.1:1"));
    book.sight(now, id(8), on(2), sighting("192.0.2.2:1"));
    let (_, evicted) = book.sight(now, id(9), on(2), sighting("192.0.2.3:1"));
    assert_eq!(evicted, Some(id(8)));
    assert!(book.describe(&paired).unwrap().paired);
}

#[test]
fn a_full_book_takes_what_the_application_gives_for_what_it_gave_first() {
    let (mut book, now) = (Book::new(2), base());
    let address = "192.0.2.1:1".parse().unwrap();
    for n in 1..100 {
        book.add_manual(now + Duration::from_secs(n.into()), id(n), address);
        assert!(book.sizes()[0] <= 2);
        assert_eq!(book.addresses_of(&[id(n)]), [address]);
    }
    let late = now + Duration::from_secs(200);
    assert_eq!(book.sight(late, id(200), on(2), sighting("192.0.2.2:1")), (Change::Nothing, None));
    assert_eq!(book.sizes()[0], 2, "nobody that the application named makes way for a stranger");
}

#[test]
fn the_last_good_address_comes_first_and_none_twice() {
    let (mut book, now) = (Book::new(8), base());
    let key = Identity::from_entropy([1; 32]).public_key();
    let id = key.peer_id(PeerIdKind::Sha256);
    book.sight(now, id, on(2), sighting("192.0.2.1:1"));
    book.add_manual(now, id, "192.0.2.2:1".parse().unwrap());
    book.remember(now, id, "192.0.2.1:1".parse().unwrap());
    let order: Vec<String> = book.addresses(&key).iter().map(ToString::to_string).collect();
    assert_eq!(order, ["192.0.2.1:1", "192.0.2.2:1"]);
}

/// Peer number `n`, announced by `source`; whether it is there afterwards, and who made way.
fn flood(book: &mut Book, at: Instant, n: u16, source: [u8; 4]) -> Option<PeerId> {
    let mut hash = [0xf0; 20];
    hash[..2].copy_from_slice(&n.to_be_bytes());
    book.sight(at, PeerId::Sha1(hash), (2, source.into()), sighting("192.0.2.66:1")).1
}

#[test]
fn a_flood_pushes_out_nobody_who_was_there_a_second_before_it() {
    let (mut book, now) = (Book::new(16), base());
    let known = [id(1), id(2)];
    for id in known {
        book.sight(now, id, on(2), sighting("192.0.2.1:1"));
    }
    let start = now + Duration::from_secs(1);
    for n in 0..10_000_u16 {
        let at = start + Duration::from_millis(n.into());
        let [high, low] = n.to_be_bytes();
        let gone = flood(&mut book, at, n, [10, 0, high, low]);
        assert!(gone.is_none_or(|gone| !known.contains(&gone)));
        assert!(book.sizes()[0] <= 16 && book.sizes()[3] <= 16);
    }
    assert!(known.iter().all(|id| book.describe(id).is_some()));
}

#[test]
fn a_flood_of_one_source_hides_nobody_who_comes_meanwhile() {
    let (mut book, now) = (Book::new(16), base());
    for n in 0..1000 {
        let at = now + Duration::from_millis(n.into());
        if n == 500 {
            book.sight(at, id(1), on(2), sighting("192.0.2.1:1"));
        }
        flood(&mut book, at, n, [10, 0, 0, 1]);
    }
    assert!(book.describe(&id(1)).is_some());
}

#[test]
fn a_key_of_which_the_hash_alone_is_known_is_found_by_what_its_owner_says_of_it() {
    let (mut book, now) = (Book::new(8), base());
    let print = Identity::from_entropy([1; 32]).fingerprint();
    let says = |address: &str, print: Option<Fingerprint>| Sighting {
        hints: Hints { fingerprint: print, ..Hints::default() },
        ..sighting(address)
    };
    book.sight(now, id(1), on(2), says("192.0.2.1:1", Some(print)));
    book.sight(now, id(2), on(2), says("192.0.2.2:1", Some(Fingerprint::from_bytes([7; 32]))));
    book.sight(now, id(3), on(2), says("192.0.2.3:1", None));
    book.sight(now, PeerId::Sha256(*print.as_bytes()), on(2), says("192.0.2.4:1", None));
    let found: Vec<String> = book.addresses_of_print(&print).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["192.0.2.1:1", "192.0.2.4:1"]);
}
