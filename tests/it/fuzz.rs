//! Holds what a fuzz target must have beside its code: seeds, a replay of them, and a line that explains it.

use std::fs;
use std::path::{Path, PathBuf};

/// Seeds that a target may have: a replay of all of them takes seconds.
const MAX_SEEDS: usize = 60;

/// Bytes that a seed may have: what is larger is no example.
const MAX_SEED: u64 = 16 << 10;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The names of the binaries in the manifest.
fn targets() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    let binaries = manifest.split("[[bin]]").skip(1);
    let name = |binary: &str| binary.split('"').nth(1).unwrap().to_owned();
    binaries.map(name).collect()
}

/// The core's own sources, one after another.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &sources(&path);
        } else {
            all += &fs::read_to_string(&path).unwrap();
        }
    }
    all
}

#[test]
fn there_are_fuzz_targets_and_each_is_a_file_that_calls_the_core() {
    assert!(targets().len() >= 8);
    let mut files: Vec<String> = Vec::new();
    for target in targets() {
        let file = root().join("fuzz/fuzz_targets").join(format!("{target}.rs"));
        let code = fs::read_to_string(&file).unwrap();
        assert!(code.contains(&format!("fuzzing::{target}(")), "{target} does something else");
        files.push(format!("{target}.rs"));
    }
    for entry in fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(files.contains(&name), "{name} is not in the manifest");
    }
}

#[test]
fn every_fuzz_target_has_a_few_small_seeds() {
    for target in targets() {
        let folder = root().join("fuzz/seeds").join(&target);
        let seeds: Vec<_> =
            fs::read_dir(&folder).unwrap_or_else(|_| panic!("{target} has no seeds")).collect();
        assert!((5..MAX_SEEDS).contains(&seeds.len()), "{target} has {} seeds", seeds.len());
        for seed in seeds {
            let seed = seed.unwrap();
            let len = seed.metadata().unwrap().len();
            assert!(len <= MAX_SEED, "{} has {len} bytes", seed.path().display());
        }
    }
    let known = targets();
    for entry in fs::read_dir(root().join("fuzz/seeds")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(known.contains(&name), "seeds of {name}, which is no target");
    }
}

#[test]
fn the_seeds_of_every_fuzz_target_are_replayed_and_the_target_is_explained() {
    let core = sources(&root().join("core/src"));
    let table = fs::read_to_string(root().join("core/src/fuzzing.rs")).unwrap();
    for target in targets() {
        let replays = [format!("replay(\"{target}\""), format!("all(\"{target}\"")];
        assert!(replays.iter().any(|replay| core.contains(replay)), "nobody replays the seeds of {target}");
        assert!(table.contains(&format!("//! | `{target}` |")), "nobody says what {target} reads");
    }
}
