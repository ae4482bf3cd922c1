//! Plants one bug at a time in a copy of the sources, and sees whether the swarm finds it.
//!
//! Each patch in `tests/mutants` is one bug; its first line says what it breaks.

use clap::Parser;
use serde_json::Value;
use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Plants one bug at a time in a copy of the sources, and sees whether the swarm finds it.
#[derive(Parser)]
struct Args {
    /// In how many worlds each must be found.
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// Sees whether every patch applies, and nothing else.
    #[arg(long)]
    check: bool,
    /// Those whose names hold this, alone.
    only: Option<String>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every bug was found.
fn run(args: &Args) -> Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the tests lie in the workspace")?;
    let copy = tempfile::tempdir()?;
    copy_sources(root, copy.path())?;
    // Kept, so that the next run builds only what changed.
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let bench = Bench { sources: copy.path(), target: target.join("mutants"), seeds: args.seeds };
    let mut out = io::stdout().lock();
    let mut missed = Vec::new();
    for patch in patches(&root.join("tests/mutants"), args.only.as_deref())? {
        bench.patch(&patch, &[])?;
        let found = if args.check { None } else { Some(bench.hunt()?) };
        bench.patch(&patch, &["--reverse"])?;
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match found {
            None => writeln!(out, "{name} applies")?,
            Some(Some(found)) => writeln!(out, "{name}: {found}")?,
            Some(None) => {
                writeln!(out, "{name}: NOT FOUND in {} worlds", args.seeds)?;
                missed.push(name);
            }
        }
    }
    writeln!(out, "{} not found", missed.len())?;
    Ok(missed.is_empty())
}

/// The patches of a folder, in order of their names.
fn patches(folder: &Path, only: Option<&str>) -> Result<Vec<PathBuf>> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    all.retain(|path| only.is_none_or(|only| path.to_string_lossy().contains(only)));
    all.sort();
    Ok(all)
}

/// What git has or would take, as it lies there.
fn copy_sources(root: &Path, to: &Path) -> Result<()> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = succeed(Command::new("git").current_dir(root).args(list))?;
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let (from, to) = (root.join(name), to.join(name));
        // Deleted, and not yet said so.
        if !from.exists() {
            continue;
        }
        fs::create_dir_all(to.parent().ok_or("a file lies in a folder")?)?;
        fs::copy(from, to)?;
    }
    Ok(())
}

/// Where bugs are planted and hunted.
struct Bench<'a> {
    sources: &'a Path,
    target: PathBuf,
    seeds: u64,
}

impl Bench<'_> {
    /// Applies a patch. One that no longer fits is an error.
    fn patch(&self, patch: &Path, how: &[&str]) -> Result<()> {
        succeed(Command::new("git").current_dir(self.sources).arg("apply").args(how).arg(patch))?;
        Ok(())
    }

    /// Builds the swarm and lets it play until something breaks. What broke, if anything did.
    fn hunt(&self) -> Result<Option<String>> {
        let build = ["build", "--release", "--quiet", "-p", "handfast-tests", "--bin", "sim", "--locked"];
        succeed(
            Command::new("cargo")
                .current_dir(self.sources)
                .args(build)
                .env("CARGO_TARGET_DIR", &self.target)
                // Each bug is built once: what counts is how soon.
                .env("CARGO_PROFILE_RELEASE_LTO", "off")
                .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
                .env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true"),
        )?;
        let seeds = self.seeds.to_string();
        let played = Command::new(self.target.join("release/sim"))
            .args(["--json", "--first", "--seeds", &seeds])
            .output()?;
        let report: Value = serde_json::from_slice(&played.stdout)?;
        let first = &report["shrunk"][0];
        let (Some(broken), Some(left)) = (first["broken"].as_str(), first["left"].as_u64()) else {
            return Ok(None);
        };
        let (seed, worlds) = (&first["seed"], &report["seeds"]);
        Ok(Some(format!("found by seed {seed} after {worlds} worlds, shrunk to {left} items: {broken}")))
    }
}

fn succeed(command: &mut Command) -> Result<Output> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into())
}
