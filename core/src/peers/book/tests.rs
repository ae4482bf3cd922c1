use super::*;
use crate::event::Source;
use crate::identity::Identity;
use crate::io::UnixTime;
use crate::testing::base;
use proptest::prelude::*;
use std::time::Duration;

fn id(n: u8) -> PeerId {
    PeerId::Sha1([n; 20])
}

/// Interface number `n`, and who announced it there.
fn on(n: u32) -> (u32, IpAddr) {
    (n, [192, 0, 2, 1].into())
}

fn told(mono: Instant) -> Now {
    Now { mono, wall: UnixTime::from_micros(7) }
}

fn new_book(max: usize) -> Book {
    Book::new(max, Sources::all())
}

fn sighting(address: &str) -> Sighting {
    Sighting { addresses: vec![address.parse().unwrap()], hints: Hints::default() }
}

#[test]
fn who_was_not_kept_is_asked_for_once_a_quarter_is_free() {
    let (mut book, now) = (new_book(4), base());
    for n in 0..6 {
        book.sight(told(now + Duration::from_secs(u64::from(n))), id(n), on(2), sighting("192.0.2.1:1"));
    }
    assert!(!book.take_room(), "it is full");
    book.unsight(&id(5), 2);
    assert!(book.take_room());
    assert!(!book.take_room(), "it is said once");
}

#[test]
fn one_links_loss_is_no_expiry() {
    let (mut book, now) = (new_book(8), base());
    let change = book.sight(told(now), id(1), on(2), sighting("192.0.2.1:1"));
    assert_eq!(change, (Change::Discovered, None));
    assert_eq!(book.sight(told(now), id(1), on(3), sighting("192.0.2.1:1")).0, Change::Updated);
    assert_eq!(book.sight(told(now), id(1), on(3), sighting("192.0.2.1:1")).0, Change::Nothing);
    assert_eq!(book.unsight(&id(1), 2), Change::Updated);
    assert_eq!(book.unsight(&id(1), 3), Change::Expired);
    assert_eq!(book.unsight(&id(1), 3), Change::Nothing);
}

#[test]
fn a_full_book_evicts_the_unpaired_peer_seen_longest_ago() {
    let (mut book, now) = (new_book(2), base());
    let friend = Identity::from_entropy([1; 32]).public_key();
    book.set_paired(&BTreeSet::from([friend]));
    let paired = friend.peer_id(PeerIdKind::Sha1);
    book.sight(told(now), paired, on(2), sighting("192.0.2.1:1"));
    book.sight(told(now), id(8), on(2), sighting("192.0.2.2:1"));
    let (_, evicted) = book.sight(told(now), id(9), on(2), sighting("192.0.2.3:1"));
    assert_eq!(evicted, Some(id(8)));
    assert!(book.describe(&paired).unwrap().paired);
}

#[test]
fn a_full_book_takes_what_the_application_gives_for_what_it_gave_first() {
    let (mut book, now) = (new_book(2), base());
    let address = "192.0.2.1:1".parse().unwrap();
    for n in 1..100 {
        book.add_manual(told(now + Duration::from_secs(n.into())), id(n), address);
        assert!(book.sizes().peers <= 2);
        assert_eq!(book.addresses_of(&[id(n)]), [address]);
    }
    let late = now + Duration::from_secs(200);
    assert_eq!(book.sight(told(late), id(200), on(2), sighting("192.0.2.2:1")), (Change::Nothing, None));
    assert_eq!(book.sizes().peers, 2, "nobody that the application named makes way for a stranger");
}

#[test]
fn the_last_good_address_comes_first_and_none_twice() {
    let (mut book, now) = (new_book(8), base());
    let key = Identity::from_entropy([1; 32]).public_key();
    let id = key.peer_id(PeerIdKind::Sha256);
    book.sight(told(now), id, on(2), sighting("192.0.2.1:1"));
    book.add_manual(told(now), id, "192.0.2.2:1".parse().unwrap());
    book.remember(told(now), id, "192.0.2.1:1".parse().unwrap());
    let order: Vec<String> = book.addresses(&key).iter().map(ToString::to_string).collect();
    assert_eq!(order, ["192.0.2.1:1", "192.0.2.2:1"]);
}

/// Peer number `n`, announced by `source`; whether it is there afterwards, and who made way.
fn flood(book: &mut Book, at: Instant, n: u16, source: [u8; 4]) -> Option<PeerId> {
    let mut hash = [0xf0; 20];
    hash[..2].copy_from_slice(&n.to_be_bytes());
    book.sight(told(at), PeerId::Sha1(hash), (2, source.into()), sighting("192.0.2.66:1")).1
}

#[test]
fn a_flood_pushes_out_nobody_who_was_there_a_second_before_it() {
    let (mut book, now) = (new_book(16), base());
    let known = [id(1), id(2)];
    for id in known {
        book.sight(told(now), id, on(2), sighting("192.0.2.1:1"));
    }
    let start = now + Duration::from_secs(1);
    for n in 0..10_000_u16 {
        let at = start + Duration::from_millis(n.into());
        let [high, low] = n.to_be_bytes();
        let gone = flood(&mut book, at, n, [10, 0, high, low]);
        assert!(gone.is_none_or(|gone| !known.contains(&gone)));
        assert!(book.sizes().peers <= 16 && book.sizes().sources <= 16);
    }
    assert!(known.iter().all(|id| book.describe(id).is_some()));
}

#[test]
fn a_flood_of_one_source_hides_nobody_who_comes_meanwhile() {
    let (mut book, now) = (new_book(16), base());
    for n in 0..1000 {
        let at = now + Duration::from_millis(n.into());
        if n == 500 {
            book.sight(told(at), id(1), on(2), sighting("192.0.2.1:1"));
        }
        flood(&mut book, at, n, [10, 0, 0, 1]);
    }
    assert!(book.describe(&id(1)).is_some());
}

#[test]
fn a_key_of_which_the_hash_alone_is_known_is_found_by_what_its_owner_says_of_it() {
    let (mut book, now) = (new_book(8), base());
    let print = Identity::from_entropy([1; 32]).fingerprint();
    let says = |address: &str, print: Option<Fingerprint>| Sighting {
        hints: Hints { fingerprint: print, ..Hints::default() },
        ..sighting(address)
    };
    book.sight(told(now), id(1), on(2), says("192.0.2.1:1", Some(print)));
    book.sight(told(now), id(2), on(2), says("192.0.2.2:1", Some(Fingerprint::from_bytes([7; 32]))));
    book.sight(told(now), id(3), on(2), says("192.0.2.3:1", None));
    book.sight(told(now), PeerId::Sha256(*print.as_bytes()), on(2), says("192.0.2.4:1", None));
    let found: Vec<String> = book.addresses_of_print(&print).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["192.0.2.1:1", "192.0.2.4:1"]);
}

#[test]
fn what_is_known_of_an_address_is_told_with_it() {
    let (mut book, now) = (new_book(8), base());
    let later = Now { mono: now, wall: UnixTime::from_micros(9) };
    let address = "192.0.2.1:1".parse().unwrap();
    book.sight(told(now), id(1), on(2), sighting("192.0.2.1:1"));
    book.add_manual(told(now), id(1), "192.0.2.2:1".parse().unwrap());
    assert_eq!(book.remember(later, id(1), address).0, Remembered::Address);
    let known = book.describe(&id(1)).unwrap().addresses;
    let [seen, connected] = [7, 9].map(UnixTime::from_micros);
    let told: Vec<_> = known.iter().map(|known| (known.source, known.seen, known.connected)).collect();
    let expected = [
        (Source::Mdns { interface: 2 }, seen, Some(connected)),
        (Source::Manual, seen, None),
        (Source::Remembered, connected, Some(connected)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_source_that_is_off_is_not_dialled_and_what_it_knew_is_kept() {
    let mut book = new_book(8);
    let [a, b, c]: [SocketAddr; 3] =
        ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"].map(|a| a.parse().unwrap());
    book.sight(told(base()), id(1), on(2), sighting("192.0.2.3:1"));
    book.add_manual(told(base()), id(1), b);
    book.remember(told(base()), id(1), a);
    for (remembered, manual, mdns) in (0..8).map(|n| (n & 1 == 1, n & 2 == 2, n & 4 == 4)) {
        book.set_sources(Sources { mdns, manual, remembered });
        let on = [(remembered, a), (manual, b), (mdns, c)];
        let on: Vec<SocketAddr> = on.iter().filter(|(on, _)| *on).map(|(_, address)| *address).collect();
        assert_eq!(book.addresses_of(&[id(1)]), on);
    }
}

#[test]
fn a_link_local_address_of_an_interface_that_is_not_there_is_not_dialled() {
    let mut book = new_book(8);
    for address in ["[fe80::1%3]:1", "[fe80::1%4]:1", "[2001:db8::1]:1"] {
        book.add_manual(told(base()), id(1), address.parse().unwrap());
    }
    assert_eq!(book.addresses_of(&[id(1)]).len(), 3, "which are there is not known yet");
    book.set_up(BTreeSet::from([4]));
    let left: Vec<String> = book.addresses_of(&[id(1)]).iter().map(ToString::to_string).collect();
    assert_eq!(left, ["[fe80::1%4]:1", "[2001:db8::1]:1"]);
}

/// Anything that may be said to a book.
#[derive(Clone, Debug)]
enum Said {
    Sight(u8, u32, u8),
    Unsight(u8, u32),
    Give(u8, u8),
    Name(u8, u8),
    Remember(u8, u8),
    Part(u8),
}

fn anything() -> impl Strategy<Value = Said> {
    let (who, what) = (0..12u8, 0..40u8);
    prop_oneof![
        (who.clone(), 1..4u32, what.clone()).prop_map(|(n, on, at)| Said::Sight(n, on, at)),
        (who.clone(), 1..4u32).prop_map(|(n, on)| Said::Unsight(n, on)),
        (who.clone(), what.clone()).prop_map(|(n, at)| Said::Give(n, at)),
        (who.clone(), what.clone()).prop_map(|(n, at)| Said::Name(n, at)),
        (who.clone(), what).prop_map(|(n, at)| Said::Remember(n, at)),
        who.prop_map(Said::Part),
    ]
}

fn say(book: &mut Book, said: &Said) {
    let friend = |n: u8| Identity::from_entropy([n + 1; 32]).public_key();
    let name = |n: u8| friend(n).peer_id(PeerIdKind::Sha1);
    let address = |n: u8| SocketAddr::from(([192, 0, 2, n], 1));
    let now = told(base());
    match said {
        Said::Sight(n, interface, at) => {
            let _ = book.sight(now, name(*n), on(*interface), sighting(&address(*at).to_string()));
        }
        Said::Unsight(n, interface) => {
            let _ = book.unsight(&name(*n), *interface);
        }
        Said::Give(n, at) => {
            let _ = book.add_manual(now, name(*n), address(*at));
        }
        Said::Name(n, at) => {
            let _ = book.add_name(now, name(*n), HostName::new(&format!("h{at}"), 1).unwrap());
        }
        Said::Remember(n, at) => {
            let _ = book.remember(now, name(*n), address(*at));
        }
        Said::Part(n) => book.part(&friend(*n)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_said_to_a_book_it_stays_within_its_bounds(all in prop::collection::vec(anything(), 0..200)) {
        let mut book = new_book(6);
        let friends = [1u8, 2].map(|n| Identity::from_entropy([n; 32]).public_key());
        book.set_paired(&BTreeSet::from(friends));
        for said in &all {
            say(&mut book, said);
            let sizes = book.sizes();
            prop_assert!(sizes.peers <= 6 + 2 * friends.len(), "{sizes:?}");
            prop_assert!(sizes.given <= MAX_MANUAL && sizes.names <= MAX_NAMES && sizes.good <= MAX_GOOD);
            prop_assert!(sizes.sources <= 6 + 2 * friends.len());
        }
        for key in &friends {
            let kept = book.whereabouts(key);
            prop_assert_eq!(Whereabouts::decode(&kept.encode()), Ok(kept));
        }
    }

    #[test]
    fn in_whatever_order_the_sources_speak_the_same_is_known(order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle()) {
        let all = [
            Said::Sight(0, 1, 1),
            Said::Sight(0, 2, 2),
            Said::Give(0, 3),
            Said::Remember(0, 4),
            Said::Give(1, 5),
            Said::Sight(1, 1, 6),
        ];
        let known = |order: &[usize]| {
            let mut book = new_book(6);
            for n in order {
                say(&mut book, &all[*n]);
            }
            let names = [1u8, 2].map(|n| Identity::from_entropy([n; 32]).peer_id(PeerIdKind::Sha1));
            names.map(|name| book.describe(&name).map(|peer| peer.addresses))
        };
        prop_assert_eq!(known(&order), known(&[0, 1, 2, 3, 4, 5]));
    }
}
