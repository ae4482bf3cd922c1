//! One seed, one trace: the same bytes on the wire at the same moments, and the same story, in any process and
//! on any thread.

use super::support::*;
use crate::world::eventful;
use handfast_core::Direction;
use handfast_tests::swarm::{self, Plan};
use handfast_tests::trace::Detail;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs, process, thread};

/// Worlds of the swarm: whatever it draws.
const SEEDS: std::ops::Range<u64> = 0..4;

/// Two nodes that connect and exchange a stream: every datagram, and the story.
fn calm(seed: u64) -> String {
    let (mut world, a, b) = pair_of_hosts(seed);
    let (on_a, _) = connect(&mut world, a, b);
    world.tell(a, |node, now| {
        let id = node.open(now, on_a, Direction::Bi, "label", 7).unwrap();
        let mut stream = node.stream(on_a, id).unwrap();
        stream.write(&[42; 5000]).unwrap();
        stream.finish().unwrap();
    });
    world.run_for(SOON);
    assert!(world.trace.sent.len() > 10, "the nodes spoke");
    let lines = world.trace.sent.iter().map(|sent| format!("{sent:?}")).chain(world.trace.story);
    lines.collect::<Vec<String>>().join("\n")
}

/// A world of the swarm, as a line: the digest of every datagram and of the story's every word, the time that
/// passed, and what went wrong.
fn wild(seed: u64) -> String {
    let outcome = swarm::play(&Plan::draw(seed), Detail::Datagrams);
    format!("{seed} {} {:?} {:?}", outcome.digest, outcome.simulated, outcome.tally)
}

/// A world in which every kind of fault fires, as its digest.
fn eventful(seed: u64) -> String {
    let world = eventful::play(seed);
    format!("{} {:?} {:?}", world.trace.digest(), world.elapsed(), world.tally())
}

fn everything() -> String {
    [calm(7), eventful(7)].into_iter().chain(SEEDS.map(wild)).collect::<Vec<String>>().join("\n")
}

#[test]
fn the_same_seed_gives_the_same_trace_twice_in_one_process() {
    assert_eq!(everything(), everything());
}

#[test]
fn another_seed_gives_another_trace() {
    assert_ne!(calm(7), calm(8));
    assert_ne!(eventful(7), eventful(8));
    let digest = |seed| swarm::play(&Plan::draw(seed), Detail::Digest).digest;
    assert_ne!(digest(1), digest(2));
}

#[test]
fn what_is_kept_of_a_trace_changes_nothing_in_it() {
    let digest = |detail| swarm::play(&Plan::draw(3), detail).digest;
    assert_eq!(digest(Detail::Digest), digest(Detail::Story));
    assert_eq!(digest(Detail::Digest), digest(Detail::Datagrams));
}

#[test]
fn the_same_seed_gives_the_same_trace_on_a_thread_beside_another_world() {
    let here = everything();
    let done = AtomicBool::new(false);
    let there = thread::scope(|scope| {
        scope.spawn(|| {
            for seed in 1_000.. {
                if done.load(Ordering::SeqCst) {
                    return;
                }
                calm(seed);
            }
        });
        let there = scope.spawn(everything).join();
        done.store(true, Ordering::SeqCst);
        there.unwrap()
    });
    assert!(here == there, "the other thread told another story");
}

/// Set, to a file, in the process that only writes its trace there.
const CHILD: &str = "HANDFAST_PRINT_TRACE";

#[test]
fn the_same_seed_gives_the_same_trace_in_two_processes() {
    let here = everything();
    if let Some(file) = env::var_os(CHILD) {
        fs::write(file, here).unwrap();
        return;
    }
    let file = env::temp_dir().join(format!("handfast-trace-{}", process::id()));
    let own_name = "node::determinism::the_same_seed_gives_the_same_trace_in_two_processes";
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", own_name])
        .env(CHILD, &file)
        .status()
        .unwrap();
    assert!(status.success());
    let there = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(here == there, "the other process told another story");
}
