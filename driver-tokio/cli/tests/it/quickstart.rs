//! The README's first program does what the README says.

use crate::device::Said;
use crate::lab::{Lab, Net, in_lab, in_namespace};
use std::path::Path;
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// The program on one device. Killed when it is dropped.
struct Quickstart {
    child: Child,
    out: Said,
    err: Said,
    _folder: TempDir,
}

impl Quickstart {
    fn run(_: &Lab, namespace: &str, words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tests = std::env::current_exe().unwrap();
        let program = tests.parent().and_then(Path::parent).unwrap().join("examples/first-steps");
        let mut command = in_namespace(namespace, program.to_str().unwrap());
        command.args(words).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { out: Said::listen(out), err: Said::listen(err), child, _folder: folder }
    }

    /// What it said, once it has ended well.
    fn end(mut self) -> String {
        self.out.wait_end();
        self.err.wait_end();
        assert!(self.child.wait().unwrap().success(), "{}\n{}", self.out.text(), self.err.text());
        self.out.text()
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_program_of_the_readme_finds_pairs_connects_and_sends() {
    in_lab(Net::V4, |lab| {
        let shows = Quickstart::run(lab, "a", &[]);
        let code = shows.out.wait(|text| Some(text.split_once("type ")?.1.split_once(' ')?.0.to_owned()));
        let code = code.unwrap_or_else(|| panic!("no code in:\n{}\n{}", shows.out.text(), shows.err.text()));
        Quickstart::run(lab, "b", &[&code]).end();
        let said = shows.end();
        assert!(said.contains("a note of ") && said.ends_with("\nhello\n"), "{said}");
    });
}
