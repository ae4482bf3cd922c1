//! What is kept, refreshed, superseded and evicted.

use super::*;
use crate::mdns::cache::{Cache, Due, Kept, Upkeep};
use crate::mdns::records::{Data, Record, Share, Ttl};

const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn host(n: u32) -> Name {
    Name::from_labels([format!("host-{n}").as_bytes(), b"local"]).unwrap()
}

fn address(n: u32, last: u8, ttl: u32) -> Record {
    let data = Data::A([10, 0, 0, last].into());
    Record { name: host(n), ttl: Ttl(ttl), share: Share::Unique, data }
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
        self.cache.insert(self.start + at, (record, Upkeep::Fresh, FROM), &mut self.rng, nothing)
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
fn a_full_cache_gives_up_what_ends_soonest() {
    let mut bench = Bench::new(3);
    bench.insert(secs(0), &address(1, 1, 100));
    bench.insert(secs(0), &address(2, 1, 50));
    bench.insert(secs(0), &address(3, 1, 70));
    assert_eq!(bench.insert(secs(1), &address(4, 1, 10)), Kept::New);
    assert_eq!(bench.cache.len(), 3);
    assert!(!bench.has(&address(2, 1, 0)));
    assert_eq!(bench.cache.take_evicted(), Some((host(2), address(2, 1, 0).data)));
    assert_eq!(bench.cache.take_evicted(), None);
}

#[test]
fn a_full_cache_never_gives_up_what_is_protected() {
    let mut bench = Bench::new(2);
    bench.insert(secs(0), &address(1, 1, 50));
    bench.insert(secs(0), &address(2, 1, 100));
    let protect = |name: &Name, _: &Data, _: &[Name]| *name == host(1);
    for n in 3..100 {
        let now = bench.start + secs(1);
        assert_eq!(
            bench.cache.insert(now, (&address(n, 1, 4500), Upkeep::Fresh, FROM), &mut bench.rng, protect),
            Kept::New
        );
        assert!(bench.has(&address(1, 1, 0)));
    }
    let all = |_: &Name, _: &Data, _: &[Name]| true;
    assert_eq!(
        bench.cache.insert(
            bench.start + secs(1),
            (&address(200, 1, 4500), Upkeep::Fresh, FROM),
            &mut bench.rng,
            all
        ),
        Kept::No
    );
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
        bench.cache.insert(bench.start, (&record, Upkeep::Lapse, FROM), &mut bench.rng, nothing);
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
