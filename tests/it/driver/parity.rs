//! Holds the tests of drivers to their rule: none runs on one runtime alone, unless it says why.

use std::fs;
use std::path::{Path, PathBuf};

/// Tests that need what one runtime alone has, each with its reason.
const ALONE: [(&str, &str); 5] = [
    ("a_node_of_smol_runs_in_the_executor_that_it_is_given_and_ends_with_it", "tokio has one of its own"),
    ("a_hook_that_blocks_its_thread_holds_up_no_stream", "it takes a second thread to go on"),
    ("a_runtime_that_is_dropped_leaves_no_handle_hanging", "smol's runtime is a static, which nobody drops"),
    ("a_shutdown_waits_for_no_hook_that_blocks", "it takes a second thread to go on"),
    ("every_test_of_drivers_runs_on_every_pair_of_runtimes_or_says_why_not", "it reads sources"),
];

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/driver");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| !path.ends_with("mod.rs")).collect()
}

/// The name of a function that begins on this line.
fn function(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "))?;
    rest.split(['<', '(']).next()
}

#[test]
fn every_test_of_drivers_runs_on_every_pair_of_runtimes_or_says_why_not() {
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.trim() == "#[test]") {
            let name = lines[at..].iter().find_map(|line| function(line.trim()));
            let name = name.expect("an attribute of a test stands before one");
            assert!(ALONE.iter().any(|(known, _)| *known == name), "{}: {name} runs once", path.display());
        }
    }
    let all: String = files().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for (name, reason) in ALONE {
        assert!(all.contains(&format!("fn {name}(")) && reason.len() > 10, "{name} is no test");
    }
}
