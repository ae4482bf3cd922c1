//! Holds what is promised of the drivers' examples: twins, and a first program that is short and stands in the README.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of code that the first program may have.
const MAX_QUICKSTART: usize = 40;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn example(driver: &str, name: &str) -> String {
    fs::read_to_string(root().join(format!("driver-{driver}/examples/{name}"))).unwrap()
}

/// The names of a driver's examples.
fn names(driver: &str) -> Vec<String> {
    let folder = fs::read_dir(root().join(format!("driver-{driver}/examples"))).unwrap();
    let mut names: Vec<_> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// An example without what its runtime alone has: `main`, with its attribute, and the name of the driver.
fn without_runtime(code: &str, driver: &str) -> String {
    let begin =
        code.find("#[tokio::main]").or_else(|| code.find("fn main()")).expect("an example has a main");
    let end = begin + code[begin..].find("\n}\n").expect("main has an end");
    [&code[..begin], &code[end..]].concat().replace(&format!("handfast_{driver}"), "handfast")
}

#[test]
fn twin_examples_differ_in_their_imports_and_main_alone() {
    assert_eq!(names("tokio"), names("smol"));
    for name in names("tokio") {
        let [tokio, smol] = ["tokio", "smol"].map(|driver| without_runtime(&example(driver, &name), driver));
        assert_eq!(tokio, smol, "{name}");
    }
}

#[test]
fn the_readme_begins_with_the_first_program_which_is_short() {
    let quickstart = example("tokio", "quickstart.rs");
    let code = &quickstart[quickstart.find("use handfast_tokio").unwrap()..];
    let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= MAX_QUICKSTART, "{lines} lines of code");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let first = readme.split("```rust,no_run\n").nth(1).unwrap();
    assert!(first.starts_with(code), "the README shows another program");
}
