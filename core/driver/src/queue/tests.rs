//! A queue against somebody who reads everything.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMIT: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Found(u8, u32),
    Updated(u8, u32),
    Lost(u8),
    Up(u8),
    Down(u8),
    Passing(u32),
    Kept(u32),
}

use Item::*;

impl Coalesce for Item {
    fn word(&self) -> Word<'_> {
        match self {
            Found(n, _) => Word::Found(Matter::Number(*n)),
            Updated(n, _) => Word::Updated(Matter::Number(*n)),
            Lost(n) => Word::Lost(Matter::Number(*n)),
            Up(n) => Word::Up(Matter::Number(*n)),
            Down(n) => Word::Down(Matter::Number(*n)),
            Passing(_) => Word::Passing,
            Kept(_) => Word::Kept,
        }
    }

    fn into_update(self) -> Self {
        if let Found(n, version) = self { Updated(n, version) } else { self }
    }

    fn into_find(self) -> Self {
        if let Updated(n, version) = self { Found(n, version) } else { self }
    }
}

fn pop(queue: &Queue<Item>) -> Option<Item> {
    match queue.poll_pop(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(item) => item,
        Poll::Pending => None,
    }
}

fn drain(queue: &Queue<Item>) -> Vec<Item> {
    std::iter::from_fn(|| pop(queue)).collect()
}

/// A queue of `limit` that is full of these, and told the others.
fn told(limit: usize, items: &[Item]) -> (Vec<Item>, u64) {
    let queue = Queue::default();
    for item in items {
        queue.push_bounded(*item, limit);
    }
    (drain(&queue), queue.take_lagged())
}

#[test]
fn a_queue_that_is_not_full_tells_everything_as_it_came() {
    let all = [Found(1, 1), Lost(1), Up(1), Down(1), Passing(1)];
    assert_eq!(told(5, &all), (all.to_vec(), 0));
}

#[test]
fn a_full_queue_keeps_the_last_word_on_a_matter_where_the_first_stood() {
    assert_eq!(told(2, &[Found(1, 1), Passing(1), Updated(1, 2)]), (vec![Found(1, 2), Passing(1)], 1));
    assert_eq!(told(2, &[Updated(1, 1), Passing(1), Updated(1, 2)]), (vec![Updated(1, 2), Passing(1)], 1));
    assert_eq!(told(2, &[Updated(1, 1), Passing(1), Lost(1)]), (vec![Lost(1), Passing(1)], 1));
    assert_eq!(told(2, &[Lost(1), Passing(1), Found(1, 2)]), (vec![Updated(1, 2), Passing(1)], 1));
}

#[test]
fn what_came_and_went_while_nobody_read_is_not_told_at_all() {
    assert_eq!(told(2, &[Found(1, 1), Passing(1), Lost(1)]), (vec![Passing(1)], 2));
    assert_eq!(told(2, &[Up(1), Passing(1), Down(1)]), (vec![Passing(1)], 2));
}

#[test]
fn what_leaves_no_picture_goes_first_and_then_what_discovery_said() {
    assert_eq!(told(2, &[Lost(1), Passing(1), Up(1)]), (vec![Lost(1), Up(1)], 1));
    assert_eq!(told(2, &[Lost(1), Up(1), Down(2)]), (vec![Up(1), Down(2)], 1));
    assert_eq!(told(2, &[Up(1), Down(2), Kept(1), Passing(1)]), (vec![Up(1), Down(2), Kept(1)], 1));
}

#[test]
fn a_closed_queue_is_read_to_its_end() {
    let queue = Queue::default();
    queue.push(Passing(1));
    queue.close();
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(queue.poll_pop(&mut cx), Poll::Ready(Some(Passing(1))));
    assert_eq!(queue.poll_pop(&mut cx), Poll::Ready(None));
}

/// What is there and connected, as whoever reads events sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Picture {
    there: BTreeMap<u8, u32>,
    connected: BTreeSet<u8>,
    kept: Vec<u32>,
}

impl Picture {
    fn see(&mut self, item: Item) {
        match item {
            Found(n, version) | Updated(n, version) => drop(self.there.insert(n, version)),
            Lost(n) => drop(self.there.remove(&n)),
            Up(n) => assert!(self.connected.insert(n), "connected twice: {n}"),
            Down(n) => assert!(self.connected.remove(&n), "ended, and never told to stand: {n}"),
            Passing(_) => {}
            Kept(n) => self.kept.push(n),
        }
    }
}

proptest! {
    #[test]
    fn who_replays_a_lagged_queue_ends_with_the_same_picture_or_was_told_that_it_lagged(
        matters in prop_oneof![1..8_u8, 20..60_u8],
        steps in prop::collection::vec((0..8_u8, any::<u8>()), 0..600),
    ) {
        let queue = Queue::default();
        let (mut truth, mut reader, mut lagged) = (Picture::default(), Picture::default(), 0);
        for (version, (step, number)) in (0_u32..).zip(steps) {
            let n = number % matters;
            let item = match step {
                0..=2 if truth.there.contains_key(&n) => if step == 0 { Lost(n) } else { Updated(n, version) },
                0..=2 => Found(n, version),
                3 | 4 if truth.connected.contains(&n) => Down(n),
                3 | 4 => Up(n),
                5 => Passing(version),
                6 if number < 8 => Kept(version),
                _ => {
                    if let Some(item) = pop(&queue) {
                        reader.see(item);
                    }
                    continue;
                }
            };
            truth.see(item);
            queue.push_bounded(item, LIMIT);
        }
        for item in drain(&queue) {
            reader.see(item);
        }
        lagged += queue.take_lagged();
        // Neither is ever lost, nor told without the other.
        prop_assert_eq!(&reader.connected, &truth.connected);
        prop_assert_eq!(&reader.kept, &truth.kept);
        if matters < 8 || lagged == 0 {
            prop_assert_eq!(&reader.there, &truth.there);
        }
    }

    #[test]
    fn a_queue_that_nobody_reads_stays_within_its_bound(
        steps in prop::collection::vec((0..4_u8, any::<u8>()), 0..600),
    ) {
        let queue = Queue::default();
        let mut up = BTreeSet::new();
        for (step, n) in steps {
            let item = match step {
                0 => Found(n, 0),
                1 => Lost(n),
                2 => Passing(0),
                _ if up.remove(&(n % 8)) => Down(n % 8),
                _ => {
                    up.insert(n % 8);
                    Up(n % 8)
                }
            };
            queue.push_bounded(item, LIMIT);
            prop_assert!(queue.len() <= LIMIT);
        }
    }
}
