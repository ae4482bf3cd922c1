use super::*;
use handfast_core::store::{MarkKind, PairSecret, PairState, Role};
use handfast_core::{Fingerprint, PairId, UnixTime};
use std::collections::BTreeSet;

fn record(n: u8, state: PairState) -> PairRecord {
    let key = |n: u8| Identity::from_entropy([n; 32]).public_key();
    let secret = PairSecret::from_bytes([n; 32]);
    PairRecord::new(PairId::from_bytes([n; 32]), Role::Host, key(n), key(200), secret, state)
}

fn mark(n: u8, kind: MarkKind) -> Mark {
    Mark::new(Fingerprint::from_bytes([n; 32]), kind)
}

fn put(records: &[PairRecord]) -> StoreChange {
    StoreChange { put: records.to_vec(), ..StoreChange::default() }
}

fn delete(n: u8) -> Vec<PairId> {
    vec![PairId::from_bytes([n; 32])]
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    (folder, path)
}

#[test]
fn an_identity_and_its_records_survive_a_restart() {
    let (_folder, path) = file();
    let store = RedbStore::open(&path).unwrap();
    let own = store.identity().fingerprint();
    store.write(&put(&[record(1, PairState::Hook), record(2, PairState::Paired)])).unwrap();
    store.write(&StoreChange { delete: delete(2), ..put(&[record(1, PairState::Paired)]) }).unwrap();
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.identity().fingerprint(), own);
    assert_eq!(store.load().unwrap().records, [record(1, PairState::Paired)]);
}

#[test]
fn marks_survive_a_restart_and_go_in_the_same_write_as_what_fulfils_them() {
    let (_folder, path) = file();
    let store = RedbStore::open(&path).unwrap();
    let trusted = mark(1, MarkKind::Trusted { addresses: vec!["192.0.2.1:5000".parse().unwrap()] });
    let marks = vec![trusted.clone(), mark(2, MarkKind::Banned)];
    store.write(&StoreChange { mark: marks.clone(), ..StoreChange::default() }).unwrap();
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.load().unwrap().marks, marks);
    let unmark = vec![trusted.fingerprint, Fingerprint::from_bytes([9; 32])];
    store.write(&StoreChange { unmark, ..put(&[record(1, PairState::Paired)]) }).unwrap();
    drop(store);
    let records = vec![record(1, PairState::Paired)];
    let expected = Stored { records, marks: vec![mark(2, MarkKind::Banned)], ..Stored::default() };
    assert_eq!(RedbStore::open(&path).unwrap().load().unwrap(), expected);
}

#[test]
fn whereabouts_survive_a_restart_until_they_are_deleted() {
    let (_folder, path) = file();
    let store = RedbStore::open(&path).unwrap();
    let entry = |n: u8| {
        let mut entry = Whereabouts::new(Fingerprint::from_bytes([n; 32]));
        entry.good.push(("[fe80::1%3]:5000".parse().unwrap(), UnixTime::from_micros(7)));
        entry.names.push("laptop.example:5000".parse().unwrap());
        entry
    };
    store.write(&StoreChange { place: vec![entry(1), entry(2)], ..StoreChange::default() }).unwrap();
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.load().unwrap().whereabouts, [entry(1), entry(2)]);
    let unplace = vec![entry(1).fingerprint, Fingerprint::from_bytes([9; 32])];
    store.write(&StoreChange { unplace, ..StoreChange::default() }).unwrap();
    drop(store);
    assert_eq!(RedbStore::open(&path).unwrap().load().unwrap().whereabouts, [entry(2)]);
}

#[test]
fn the_number_of_an_announcement_survives_a_restart_and_never_goes_back() {
    let (_folder, path) = file();
    let store = RedbStore::open(&path).unwrap();
    for number in [5, 9, 7] {
        store.write(&StoreChange { announced: Some(number), ..StoreChange::default() }).unwrap();
    }
    drop(store);
    assert_eq!(RedbStore::open(&path).unwrap().load().unwrap().announced, 9);
}

/// As an older format was: without the tables that came later.
fn make_old(path: &Path, format: u16) {
    let store = RedbStore::open(path).unwrap();
    store.write(&put(&[record(1, PairState::Paired)])).unwrap();
    let write = store.database.begin_write().unwrap();
    assert!(write.delete_table(WHEREABOUTS).unwrap());
    if format < 3 {
        assert!(write.delete_table(NUMBERS).unwrap());
    }
    if format == 1 {
        assert!(write.delete_table(MARKS).unwrap());
    }
    write.open_table(META).unwrap().insert("format", format).unwrap();
    write.commit().unwrap();
}

#[test]
fn a_store_of_an_older_format_opens_keeps_all_and_takes_whereabouts_from_then_on() {
    for format in [2, 3] {
        let (_folder, path) = file();
        make_old(&path, format);
        let store = RedbStore::open(&path).unwrap();
        assert_eq!(store.load().unwrap(), Stored::from(vec![record(1, PairState::Paired)]));
        let place = vec![Whereabouts::new(Fingerprint::from_bytes([1; 32]))];
        store.write(&StoreChange { place: place.clone(), ..StoreChange::default() }).unwrap();
        assert_eq!(store.load().unwrap().whereabouts, place);
    }
}

#[test]
fn a_store_of_the_first_format_opens_keeps_all_and_takes_marks_and_numbers_from_then_on() {
    let (_folder, path) = file();
    make_old(&path, 1);
    let own = RedbStore::open(&path).unwrap().identity().fingerprint();
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.identity().fingerprint(), own);
    assert_eq!(store.load().unwrap(), Stored::from(vec![record(1, PairState::Paired)]));
    let banned = vec![mark(2, MarkKind::Banned)];
    store.write(&StoreChange { mark: banned.clone(), ..StoreChange::default() }).unwrap();
    store.write(&StoreChange { announced: Some(7), ..StoreChange::default() }).unwrap();
    assert_eq!((store.load().unwrap().marks, store.load().unwrap().announced), (banned, 7));
    let read = store.database.begin_read().unwrap();
    assert_eq!(read.open_table(META).unwrap().get("format").unwrap().unwrap().value(), FORMAT);
}

#[test]
fn two_stores_have_two_identities() {
    let ((_a, a), (_b, b)) = (file(), file());
    let own = |path| RedbStore::open(path).unwrap().identity().fingerprint();
    assert_ne!(own(&a), own(&b));
}

#[test]
fn to_delete_what_is_not_there_is_no_error() {
    let (_folder, path) = file();
    let store = RedbStore::open(&path).unwrap();
    store.write(&StoreChange { delete: delete(9), ..StoreChange::default() }).unwrap();
    assert_eq!(store.load().unwrap(), Stored::default());
}

#[test]
fn a_store_that_is_open_is_in_use() {
    let (_folder, path) = file();
    let _store = RedbStore::open(&path).unwrap();
    assert!(matches!(RedbStore::open(&path), Err(StoreError::InUse)));
}

#[test]
fn a_newer_format_is_refused() {
    for (name, known) in [("format", FORMAT), ("records", 1)] {
        let (_folder, path) = file();
        let store = RedbStore::open(&path).unwrap();
        let write = store.database.begin_write().unwrap();
        write.open_table(META).unwrap().insert(name, 1000).unwrap();
        write.commit().unwrap();
        drop(store);
        assert!(
            matches!(RedbStore::open(&path), Err(StoreError::Newer { found: 1000, known: at }) if at == known)
        );
    }
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    for bytes in [&b""[..], b"not a store", &[0; 100_000]] {
        let (_folder, path) = file();
        fs::write(&path, bytes).unwrap();
        assert!(matches!(RedbStore::open(&path), Err(StoreError::Corrupt)));
        assert!(fs::read(&path).unwrap() == bytes);
    }
}

#[test]
fn a_store_without_a_sound_key_is_refused_and_gets_no_new_one() {
    for key in [None, Some(&b"no key"[..])] {
        let (_folder, path) = file();
        let store = RedbStore::open(&path).unwrap();
        let write = store.database.begin_write().unwrap();
        match key {
            None => drop(write.open_table(IDENTITY).unwrap().remove("pkcs8").unwrap()),
            Some(key) => drop(write.open_table(IDENTITY).unwrap().insert("pkcs8", key).unwrap()),
        }
        write.commit().unwrap();
        drop(store);
        for _ in 0..2 {
            assert!(matches!(RedbStore::open(&path), Err(StoreError::Corrupt)));
        }
    }
}

#[test]
fn a_store_that_is_damaged_anywhere_says_so_or_is_still_right() {
    let (_folder, path) = file();
    let store = RedbStore::open(&path).unwrap();
    let own = store.identity().fingerprint();
    store.write(&put(&[record(1, PairState::Paired)])).unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    // The file's head, and the places where something is stored, both thinned out.
    let stored: Vec<_> = whole.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at).collect();
    let spread = stored.iter().copied().step_by(stored.len() / 100 + 1);
    let places: BTreeSet<usize> = (0..64).step_by(3).chain(spread).collect();
    for at in places {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, &bytes).unwrap();
        match RedbStore::open(&path)
            .and_then(|store| Ok((store.identity().fingerprint(), store.load()?.records)))
        {
            Ok(found) => assert_eq!(found, (own, vec![record(1, PairState::Paired)]), "byte {at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 10, "the damage was noticed {refused} times");
    for len in [1, 100, 4096, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        let refused = RedbStore::open(&path).expect_err("half a store");
        assert!(matches!(refused, StoreError::Corrupt), "cut to {len} bytes: {refused:?}");
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file_and_no_draft_stays() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, path) = file();
    let _store = RedbStore::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
