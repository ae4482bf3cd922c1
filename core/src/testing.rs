//! What the core's own tests share.

use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

/// Some moment to count from: what it is does not matter.
#[expect(clippy::disallowed_methods, reason = "tests need one moment to count from")]
pub(crate) fn base() -> Instant {
    Instant::now()
}

/// Gives `run` each committed seed of a fuzz target, in the order of their names: the name, and its octets.
pub(crate) fn replay(target: &str, mut run: impl FnMut(&str, &[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&folder).expect("every target has seeds");
    let mut seeds: Vec<_> = entries.map(|entry| entry.expect("seeds can be listed").path()).collect();
    seeds.sort();
    for seed in seeds {
        let name = seed.file_name().expect("a file has a name").to_string_lossy().into_owned();
        run(&name, &std::fs::read(&seed).expect("seeds can be read"));
    }
}

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// A reader of untrusted octets did one more thing, which takes a bounded time.
pub(crate) fn step() {
    STEPS.set(STEPS.get() + 1);
}

/// How many steps of readers `act` takes: time, without a clock.
pub(crate) fn steps(act: impl FnOnce()) -> usize {
    let before = STEPS.get();
    act();
    STEPS.get() - before
}
