//! Finds tests in the sources by their names, for the tables that name them.
//!
//! A name is the path of its module in the sources, and the function: `core::` is `core/src`, `driver::` the
//! shared driver, `cli::` the command line's sources, `cli_it::` its tests, `it::` and `sim::` are here. Tests
//! of `it::driver` run once for each pair of runtimes.

use std::fs;
use std::path::{Path, PathBuf};

/// Where each first part of a name lies.
const ROOTS: [(&str, &str); 6] = [
    ("core", "core/src"),
    ("driver", "core/driver/src"),
    ("cli", "driver-tokio/cli/src"),
    ("cli_it", "driver-tokio/cli/tests/it"),
    ("it", "tests/it"),
    ("sim", "tests/sim"),
];

/// The file of a module: the deepest one there is. What is left of the path are modules inside it.
fn file<'a>(parts: &[&'a str]) -> Option<(PathBuf, Vec<&'a str>)> {
    let (first, modules) = parts.split_first()?;
    let folder = ROOTS.iter().find(|(name, _)| name == first)?.1;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join(folder);
    (1..=modules.len()).rev().find_map(|depth| {
        let (outer, inner) = modules.split_at(depth);
        let path = outer.iter().fold(root.clone(), |path, module| path.join(module));
        let found =
            [path.with_extension("rs"), path.join("mod.rs")].into_iter().find(|path| path.is_file())?;
        Some((found, inner.to_vec()))
    })
}

/// Whether the sources have a test of this name at this path.
pub(crate) fn exists(name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let Some((test, modules)) = parts.split_last() else { return false };
    let Some((path, inner)) = file(modules) else { return false };
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut from = 0;
    for module in inner {
        let Some(at) = lines[from..].iter().position(|line| *line == format!("mod {module} {{")) else {
            return false;
        };
        from += at;
    }
    let is_it = |line: &&str| {
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        let rest = rest.and_then(|rest| rest.strip_prefix(test));
        rest.is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let Some(at) = lines[from..].iter().position(is_it).map(|at| at + from) else {
        return false;
    };
    let attributes =
        lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let is_test = |line: &str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    let runs_on_all = text.contains("on_every_runtime!(") && lines.contains(&format!("{test},").as_str());
    attributes.into_iter().any(|line| is_test(line)) || runs_on_all
}

#[test]
fn a_name_that_is_no_test_is_found_out() {
    assert!(exists("it::named::a_name_that_is_no_test_is_found_out"));
    assert!(exists("core::rng::tests::a_draw_stays_within_its_bounds"));
    assert!(exists("it::driver::sockets::a_node_without_ipv6_goes_on_with_ipv4"));
    for none in [
        "it::named::exists",
        "it::named::a_name_that_is_no_test",
        "core::rng::a_draw_stays_within_its_bounds_too",
        "it::driver::sockets::one_family",
        "nowhere::rng::tests::a_draw_stays_within_its_bounds",
        "core",
        "",
    ] {
        assert!(!exists(none), "{none}");
    }
}
