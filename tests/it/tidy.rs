//! Reads the sources and holds what review would have to: who may know whom, what the core may not touch,
//! and what each tree of dependencies does not hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layers of the core, lowest first: a module may name those of its own layer only where `SIBLINGS` says
/// so, and everything below it.
const LAYERS: [&[&str]; 5] = [
    &[
        "as_bin",
        "as_bin_list",
        "ask",
        "buckets",
        "code",
        "config",
        "directory",
        "error",
        "event",
        "host",
        "id",
        "identity",
        "io",
        "metadata",
        "rng",
        "script",
        "service",
        "shares",
        "store",
        "shares",
        "table",
        "testing",
        "value",
    ],
    &["wire"],
    &["global", "mdns", "quic", "pairing"],
    &["peers"],
    &["node", "server"],
];

/// Layers whose modules may know each other. Engines never do: what one must tell another goes through
/// `node/route.rs`.
const SIBLINGS: [bool; 5] = [true, true, false, true, false];

/// Crates that open sockets, read clocks or run tasks.
const IMPURE: [&str; 12] = [
    "async-io",
    "blocking",
    "if-addrs",
    "if-watch",
    "mio",
    "polling",
    "quinn",
    "quinn-udp",
    "smol",
    "socket2",
    "tokio",
    "redb",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The lines of a file that are code, with their numbers.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.to_owned()));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

/// The module of the core that a file belongs to: `mdns` for `mdns.rs` and `mdns/cache.rs`.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("core/src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Every `crate::name` in a line.
fn named(line: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = line.split("crate::").skip(1).map(|rest| rest.split(|c| !is_part(c)).next().unwrap());
    names.filter(|name| name.chars().next().is_some_and(|c| c.is_ascii_lowercase())).collect()
}

#[test]
fn every_module_of_the_core_knows_only_those_below_it() {
    let mut wrong = Vec::new();
    for path in sources(&root().join("core/src")) {
        let module = module(&path);
        if module == "lib" || module == "fuzzing" {
            continue;
        }
        let own = layer(&module).unwrap_or_else(|| panic!("{module} has no layer: give it one"));
        for (n, line) in code(&path) {
            for other in named(&line) {
                let theirs = layer(other).unwrap_or_else(|| panic!("{other} has no layer: give it one"));
                let allowed = theirs < own || other == module || (theirs == own && SIBLINGS[own]);
                if !allowed {
                    wrong.push(format!("{}:{n}: {module} names {other}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_a_driver_names_a_runtime() {
    for folder in ["core", "driver-tokio/src", "driver-smol/src"] {
        for path in sources(&root().join(folder)) {
            for (n, line) in code(&path) {
                let names = |runtime: &str| line.contains(&format!("{runtime}::"));
                let tokio = names("tokio") && folder != "driver-tokio/src";
                let smol = (names("smol") || names("async_io")) && folder != "driver-smol/src";
                assert!(!tokio && !smol, "{}:{n} names a runtime: {line}", path.display());
            }
        }
    }
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_ignored() {
    // Spelled in parts, so that this file does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["#[ign", "ore"], ["to", "do!("], ["db", "g!("]];
    for path in sources(&root()) {
        let text = fs::read_to_string(&path).unwrap();
        for word in words.map(|parts| parts.concat()) {
            assert!(!text.contains(&word), "{} has {word}", path.display());
        }
    }
}

/// Whether dropping a future loses anything is not to be guessed.
#[test]
fn every_future_of_a_drivers_handles_says_whether_it_is_cancel_safe() {
    for path in sources(&root().join("core/driver/src")) {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("pub async fn ")) {
            let above =
                lines[..at].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
            let says_so = above.into_iter().any(|line| line.to_lowercase().contains("cancel safe"));
            assert!(says_so, "{}:{}: {line}", path.display(), at + 1);
        }
    }
}

/// The names of the crates that a user of `package` builds.
fn tree(package: &str) -> Vec<String> {
    lines(package).into_iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

/// What `cargo tree` says that a user of `package` builds, with repetitions, which end in `(*)`.
fn lines(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_core_builds_no_runtime_and_no_socket() {
    let tree = tree("handfast-core");
    assert!(tree.contains(&"quinn-proto".to_owned()), "the tree was read");
    let impure: Vec<&String> = tree.iter().filter(|name| IMPURE.contains(&name.as_str())).collect();
    assert!(impure.is_empty(), "{impure:?}");
}

#[test]
fn the_smol_driver_builds_no_tokio() {
    let tree = tree("handfast-smol");
    assert!(tree.contains(&"async-io".to_owned()), "the tree was read");
    assert!(!tree.iter().any(|name| name.starts_with("tokio")), "{tree:?}");
}

#[test]
fn a_user_builds_few_crates() {
    // How many crates a user builds, this one included. What grows a tree has to be worth it.
    for (package, most) in [("handfast-tokio", 100), ("handfast-smol", 115)] {
        let tree: BTreeSet<String> = lines(package).iter().map(|line| line.replace(" (*)", "")).collect();
        assert!(tree.len() > 50, "the tree was read");
        assert!(tree.len() <= most, "{package} builds {} crates: {tree:#?}", tree.len());
    }
}

#[test]
fn no_library_user_builds_the_tools_of_the_command_line() {
    for package in ["handfast-tokio", "handfast-smol"] {
        let tree = tree(package);
        for tool in ["clap", "redb", "indicatif", "qrcode", "redis"] {
            assert!(!tree.contains(&tool.to_owned()), "{package} builds {tool}");
        }
    }
}
