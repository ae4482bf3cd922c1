//! What is kept, refreshed, superseded and evicted.

use super::*;
use crate::mdns::cache::{Cache, Due, Kept, Upkeep};
use crate::mdns::records::{Data, Record, Share, Ttl, Type};

fn host(n: u32) -> Name {
    Name::from_labels([format!("host-{n}").as_bytes(), b"local"]).unwrap()
}

fn address(n: u32, last: u8, ttl: u32) -> Record {
    let data = Data::A([10, 0, 0, last].into());
    Record { name: host(n), ttl: Ttl(ttl), share: Share::Unique, data }
}

fn ip(source: u32) -> IpAddr {
    std::net::Ipv4Addr::from(0x0a00_0000 + source).into()
}

fn nothing(_: &Name, _: &Data, _: &[Name]) -> bool {
    false
}

struct Bench {
    start: Instant,
    cache: Cache,
    rng: Rng,
}

impl Bench {
    fn new(max: usize) -> Self {
        Self { start: base(), cache: Cache::new(max), rng: rng(3) }
    }

    fn insert(&mut self, at: Duration, record: &Record) -> Kept {
        self.insert_of(1, at, record)
    }

    /// What the source with this number says.
    fn insert_of(&mut self, source: u32, at: Duration, record: &Record) -> Kept {
        self.cache.insert(self.start + at, (record, Upkeep::Fresh, ip(source)), &mut self.rng, nothing)
    }

    fn has(&self, record: &Record) -> bool {
        self.cache.get(&record.name, record.data.kind()).any(|data| *data == record.data)
    }

    /// Everything that happens until `end`, and when.
    fn run(&mut self, end: Duration) -> Vec<(Duration, Due)> {
        let mut all = Vec::new();
        while let Some(at) = self.cache.next_at().filter(|at| *at <= self.start + end) {
            while let Some(due) = self.cache.poll(at, &mut self.rng) {
                all.push((at - self.start, due));
            }
        }
        all
    }
}

#[test]
fn a_record_is_refreshed_at_80_85_90_and_95_percent_and_deleted_at_its_end() {
    for seed in 0..50 {
        let mut bench = Bench { rng: rng(seed), ..Bench::new(9) };
        bench.insert(Duration::ZERO, &address(1, 1, 100));
        let all = bench.run(secs(1000));
        let (times, dues): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        for (time, percent) in times.iter().zip([80, 85, 90, 95]) {
            assert!((secs(percent)..=secs(percent + 2)).contains(time), "{time:?}");
        }
        assert_eq!(times[4..], [secs(100)]);
        assert!(dues[..4].iter().all(|due| matches!(due, Due::Refresh(..))));
        assert!(matches!(dues[4], Due::Expired(..)));
    }
}

#[test]
fn an_answer_starts_the_record_s_time_anew() {
    let mut bench = Bench::new(9);
    bench.insert(Duration::ZERO, &address(1, 1, 100));
    bench.run(secs(82));
    assert_eq!(bench.insert(secs(82), &address(1, 1, 100)), Kept::Known);
    assert!(bench.run(secs(161)).is_empty());
}

#[test]
fn a_goodbye_record_expires_after_one_second() {
    let mut bench = Bench::new(9);
    bench.insert(Duration::ZERO, &address(1, 1, 100));
    bench.insert(secs(10), &address(1, 1, 0));
    assert!(bench.has(&address(1, 1, 0)));
    let due = Due::Expired(host(1), address(1, 1, 0).data);
    assert_eq!(bench.run(secs(100)), [(secs(11), due)]);
}

#[test]
fn a_record_that_comes_back_within_that_second_stays() {
    let mut bench = Bench::new(9);
    bench.insert(Duration::ZERO, &address(1, 1, 100));
    bench.insert(secs(10), &address(1, 1, 0));
    bench.insert(millis(10_500), &address(1, 1, 100));
    assert!(bench.run(secs(60)).is_empty());
}

#[test]
fn a_goodbye_of_what_nobody_knew_is_not_kept() {
    let mut bench = Bench::new(9);
    assert_eq!(bench.insert(Duration::ZERO, &address(1, 1, 0)), Kept::No);
    assert_eq!(bench.cache.len(), 0);
}

#[test]
fn a_flush_ends_what_is_older_than_a_second_one_second_later() {
    let mut bench = Bench::new(9);
    bench.insert(secs(0), &address(1, 1, 100));
    bench.insert(millis(9500), &address(1, 2, 100));
    bench.insert(secs(10), &address(1, 3, 100));
    bench.insert(secs(10), &address(2, 1, 100));
    bench.cache.flush(bench.start + secs(10), &host(1), Type::A);
    let due = Due::Expired(host(1), address(1, 1, 0).data);
    assert_eq!(bench.run(secs(50)), [(secs(11), due)]);
}

#[test]
fn a_record_is_believed_for_75_minutes_at_most_whatever_it_says() {
    let mut bench = Bench::new(9);
    bench.insert(Duration::ZERO, &address(1, 1, u32::MAX));
    assert_eq!(bench.run(secs(1_000_000)).last().unwrap().0, secs(75 * 60));
}

#[test]
fn records_of_very_short_time_are_never_refreshed() {
    let mut bench = Bench::new(9);
    bench.insert(Duration::ZERO, &address(1, 1, 1));
    assert_eq!(bench.run(secs(10)).len(), 1);
}

#[test]
fn who_wakes_late_is_told_once() {
    let mut bench = Bench::new(9);
    bench.insert(Duration::ZERO, &address(1, 1, 1000));
    let late = bench.start + secs(940);
    assert!(matches!(bench.cache.poll(late, &mut bench.rng), Some(Due::Refresh(..))));
    assert_eq!(bench.cache.poll(late, &mut bench.rng), None);
    let after_sleep = bench.start + secs(30_000);
    assert!(matches!(bench.cache.poll(after_sleep, &mut bench.rng), Some(Due::Expired(..))));
    assert_eq!(bench.cache.len(), 0);
}

#[test]
fn known_answers_are_those_with_half_of_their_time_left() {
    let mut bench = Bench::new(9);
    bench.insert(Duration::ZERO, &address(1, 1, 100));
    let known = |at: u64| {
        let name = host(1);
        let known = bench.cache.known(bench.start + secs(at), &name, Type::A);
        known.map(|(_, ttl)| ttl.0).collect::<Vec<_>>()
    };
    assert_eq!(known(50), [50]);
    assert_eq!(known(51), [0_u32; 0]);
}

#[test]
fn a_full_cache_gives_up_what_came_first_of_what_is_new() {
    let mut bench = Bench::new(4);
    for n in 1..=4 {
        bench.insert_of(n, millis(n.into()), &address(n, 1, 100 - n));
    }
    assert_eq!(bench.insert_of(5, millis(10), &address(5, 1, 10)), Kept::New);
    assert_eq!(bench.cache.len(), 4);
    assert_eq!(bench.cache.take_evicted(), Some((host(1), address(1, 1, 0).data)));
    assert_eq!(bench.cache.take_evicted(), None);
}

#[test]
fn a_flood_from_everywhere_gives_up_nothing_that_was_there_a_second_before_it() {
    let mut bench = Bench::new(16);
    for n in 1..=12 {
        bench.insert_of(n, Duration::ZERO, &address(n, 1, 20));
    }
    for n in 100..1100 {
        let at = secs(1) + millis(n.into());
        assert_eq!(bench.insert_of(n, at, &address(n, 1, 4500)), Kept::New, "what is new always has room");
    }
    assert!((1..=12).all(|n| bench.has(&address(n, 1, 0))));
    assert!((1096..1100).all(|n| bench.has(&address(n, 1, 0))), "and so have those that came last");
}

#[test]
fn a_source_that_says_too_much_makes_room_for_itself_and_then_for_others() {
    let mut bench = Bench::new(16);
    for n in 1..=4 {
        bench.insert_of(n, Duration::ZERO, &address(n, 1, 20));
    }
    for n in 100..1100 {
        bench.insert_of(99, millis(n.into()), &address(n, 1, 4500));
    }
    assert!((1..=4).all(|n| bench.has(&address(n, 1, 0))), "it pushes out its own records alone");
    for n in 5..=8 {
        assert_eq!(bench.insert_of(n, millis(1200), &address(n, 1, 20)), Kept::New);
    }
    assert!((1..=8).all(|n| bench.has(&address(n, 1, 0))), "and they make way for everybody");
    // It may fill a cache that nobody else wants.
    assert_eq!((100..1100).filter(|n| bench.has(&address(*n, 1, 0))).count(), 8);
}

#[test]
fn a_record_that_two_say_counts_for_the_first() {
    let mut bench = Bench::new(8);
    bench.insert_of(1, Duration::ZERO, &address(1, 1, 100));
    for n in 2..=8 {
        bench.insert_of(2, Duration::ZERO, &address(n, 1, 100));
    }
    bench.insert_of(2, millis(1), &address(1, 1, 100));
    bench.insert_of(3, millis(2), &address(9, 1, 100));
    assert!(bench.has(&address(1, 1, 0)) && !bench.has(&address(2, 1, 0)), "the second holds too much");
    let sources = bench.cache.tables().into_iter().find(|table| table.name == "mdns: sources of records");
    assert_eq!(sources.unwrap().len, 3);
}

#[test]
fn a_full_cache_never_gives_up_what_is_protected() {
    let mut bench = Bench::new(2);
    bench.insert(secs(0), &address(1, 1, 50));
    bench.insert(secs(0), &address(2, 1, 100));
    let protect = |name: &Name, _: &Data, _: &[Name]| *name == host(1);
    for n in 3..100 {
        let now = bench.start + millis(n.into());
        let said = address(n, 1, 4500);
        assert_eq!(
            bench.cache.insert(now, (&said, Upkeep::Fresh, ip(n)), &mut bench.rng, protect),
            Kept::New
        );
        assert!(bench.has(&address(1, 1, 0)));
    }
    let all = |_: &Name, _: &Data, _: &[Name]| true;
    let now = bench.start + secs(1);
    let said = address(200, 1, 4500);
    assert_eq!(bench.cache.insert(now, (&said, Upkeep::Fresh, ip(1)), &mut bench.rng, all), Kept::No);
}

#[test]
fn what_is_needed_finds_room_though_its_address_is_forged_on_a_flood() {
    let mut bench = Bench::new(8);
    // Its source holds all that is known, and another all that is new.
    (1..=8).for_each(|n| assert_eq!(bench.insert_of(1, Duration::ZERO, &address(n, 1, 4500)), Kept::New));
    (9..=10).for_each(|n| assert_eq!(bench.insert_of(2, secs(2), &address(n, 1, 4500)), Kept::New));
    assert_eq!(bench.insert_of(1, secs(100), &address(11, 1, 4500)), Kept::No);
    let protect = |name: &Name, _: &Data, _: &[Name]| *name == host(200);
    let now = bench.start + secs(100);
    let said = address(200, 1, 120);
    assert_eq!(bench.cache.insert(now, (&said, Upkeep::Fresh, ip(1)), &mut bench.rng, protect), Kept::New);
}

fn foreign(bench: &mut Bench, at: Duration, known: &[Record], protect: bool) -> usize {
    let (now, name) = (bench.start + at, host(1));
    bench.cache.on_foreign(now, ip(77), (&name, Type::A), known, |_, _, _| protect).len()
}

#[test]
fn what_two_foreign_questions_did_not_bring_ends_ten_seconds_after_the_second() {
    let mut bench = Bench::new(9);
    for (n, last) in [(1, 1), (1, 2), (2, 1)] {
        bench.insert(Duration::ZERO, &address(n, last, 1000));
    }
    foreign(&mut bench, secs(5), &[address(1, 2, 1000)], false);
    // One that is not yet a second later tells nothing: whoever answered the first is silent.
    foreign(&mut bench, millis(5900), &[], false);
    assert!(bench.run(secs(19)).is_empty());
    foreign(&mut bench, secs(20), &[address(1, 2, 1000)], false);
    let gone = Due::Expired(host(1), address(1, 1, 0).data);
    assert_eq!(bench.run(secs(700)), [(secs(30), gone)], "what they know and other names stay");
}

#[test]
fn an_answer_between_two_foreign_questions_or_after_them_ends_the_doubt() {
    let mut bench = Bench::new(9);
    let said = address(1, 1, 1000);
    bench.insert(Duration::ZERO, &said);
    foreign(&mut bench, secs(5), &[], false);
    bench.insert(secs(6), &said);
    foreign(&mut bench, secs(8), &[], false);
    assert!(bench.run(secs(100)).is_empty());
    foreign(&mut bench, secs(100), &[], false);
    bench.insert(millis(100_500), &said);
    assert!(bench.run(secs(900)).is_empty());
}

#[test]
fn nobody_is_expected_to_answer_his_own_question() {
    let mut bench = Bench::new(9);
    let said = address(1, 1, 1000);
    bench.insert_of(77, Duration::ZERO, &said);
    for n in 1..6 {
        foreign(&mut bench, secs(2 * n), &[], false);
    }
    // He has another address since.
    bench.insert_of(78, secs(20), &said);
    for n in 11..16 {
        foreign(&mut bench, secs(2 * n), &[], false);
        let (now, name) = (bench.start + secs(2 * n), host(1));
        bench.cache.on_foreign(now, ip(78), (&name, Type::A), &[], |_, _, _| false);
    }
    assert!(bench.run(secs(700)).is_empty());
}

#[test]
fn what_is_protected_is_named_and_stays_when_foreign_questions_bring_nothing() {
    let mut bench = Bench::new(9);
    bench.insert(Duration::ZERO, &address(1, 1, 1000));
    let named: Vec<usize> = (1..=6).map(|n| foreign(&mut bench, secs(2 * n), &[], true)).collect();
    assert_eq!(named, [0, 1, 0, 1, 0, 1]);
    assert!(bench.run(secs(700)).is_empty());
}

#[test]
fn one_name_has_sixteen_addresses_at_most() {
    let mut bench = Bench::new(100);
    let kept = (0..100).filter(|n| bench.insert(Duration::ZERO, &address(1, *n, 100)) == Kept::New).count();
    assert_eq!(kept, 16);
}

#[test]
fn a_record_is_known_for_half_of_its_time_whether_it_is_looked_up_or_listed() {
    let pointer = |n: u32| {
        let data = Data::Ptr(host(n));
        Record { name: host(0), ttl: Ttl(100), share: Share::Shared, data }
    };
    let mut bench = Bench::new(9);
    let records = [address(1, 1, 100), address(1, 2, 100), pointer(1), pointer(2)];
    for record in &records {
        bench.insert(Duration::ZERO, record);
    }
    for (at, known) in [(0, true), (50, true), (51, false), (100, false)] {
        let now = bench.start + secs(at);
        for record in &records {
            let mut listed = bench.cache.known(now, &record.name, record.data.kind());
            assert_eq!(listed.any(|(data, _)| *data == record.data), known, "listed after {at} s");
            assert_eq!(bench.cache.knows(now, record), known, "looked up after {at} s");
        }
        assert!(!bench.cache.knows(now, &pointer(3)) && !bench.cache.knows(now, &address(1, 3, 100)));
    }
}

#[test]
fn a_record_that_nobody_needs_is_due_at_its_end_alone_unless_it_becomes_needed() {
    for needed_at in [None, Some(secs(10)), Some(secs(88)), Some(secs(99))] {
        let mut bench = Bench::new(9);
        let record = address(1, 1, 100);
        bench.cache.insert(bench.start, (&record, Upkeep::Lapse, ip(1)), &mut bench.rng, nothing);
        let mut all = bench.run(needed_at.unwrap_or_default());
        if let Some(at) = needed_at {
            bench.cache.keep_fresh(bench.start + at, &record.name, Type::A, &mut bench.rng);
            bench.cache.keep_fresh(bench.start + at, &record.name, Type::A, &mut bench.rng);
        }
        all.extend(bench.run(secs(1000)));
        let refreshed = all.iter().filter(|(_, due)| matches!(due, Due::Refresh(..))).count();
        let points = [80, 85, 90, 95].map(secs);
        let yet_to_come = points.iter().filter(|point| needed_at.is_some_and(|at| at < **point));
        assert_eq!(refreshed, yet_to_come.count(), "needed at {needed_at:?}");
        assert_eq!(all.last(), Some(&(secs(100), Due::Expired(record.name, record.data))));
    }
}
