//! What a command sends: the files that the user names, and what is in the folders among them.
//!
//! Never leaves a folder by a link: one that leads out of it, or to another folder, is skipped, and so is what is
//! neither a file nor a folder.

use super::header::{Bin, Id, MAX_DEPTH, MAX_PATH, What};
use crate::work::Named;
use sha2::{Digest as _, Sha256};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files and folders that one command sends at most. Each takes some 300 bytes of memory.
const MAX_ITEMS: usize = 1_000_000;

/// One file, or one folder with nothing in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Which argument of the command it is, or is within.
    pub(crate) argument: usize,
    /// What it is called, and the folders that it is in: all below the argument's own folder.
    pub(crate) names: Vec<String>,
    pub(crate) path: PathBuf,
    pub(crate) what: What,
    pub(crate) key: Id,
    pub(crate) root: Id,
}

/// What is sent, in an order that is the same each time, and what is not.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) items: Vec<Item>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Something that is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) path: PathBuf,
    pub(crate) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is a link that leads out of the folder, or to another folder, or nowhere.
    Link,
    /// It is a device, a socket or a pipe.
    Special,
}

impl Why {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Special => "special_file",
        }
    }
}

/// Looks at all that is named. Blocks.
///
/// # Errors
/// What could not be read, and why.
pub(crate) fn find(named: &[Named]) -> Result<Found, (PathBuf, io::Error)> {
    let mut found = Found::default();
    for (argument, named) in named.iter().enumerate() {
        let failed = |error| (PathBuf::from(&named.word), error);
        let path = named.path.canonicalize().map_err(failed)?;
        let about = fs::metadata(&path).map_err(failed)?;
        // What the user calls it, though it be a link; a word such as `..` is called as what it means.
        let name = named.path.file_name().or_else(|| path.file_name()).unwrap_or_default();
        let top = cut(&name.to_string_lossy());
        let root = id(&[b"root", path.as_os_str().as_encoded_bytes()]);
        let mut walk = Walk { argument, root, top: path.clone(), found: &mut found };
        if about.is_dir() {
            walk.folder(&path, vec![top])?;
        } else if about.is_file() {
            walk.file(path, vec![top], &about);
        } else {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a folder")));
        }
    }
    found.items.sort_by(|a, b| (a.argument, &a.names).cmp(&(b.argument, &b.names)));
    Ok(found)
}

struct Walk<'a> {
    argument: usize,
    root: Id,
    top: PathBuf,
    found: &'a mut Found,
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path, names: Vec<String>) -> Result<(), (PathBuf, io::Error)> {
        let failed = |error| (path.to_owned(), error);
        let before = self.found.items.len();
        let len: usize = names.iter().map(String::len).sum();
        for entry in fs::read_dir(path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let failed = |error| (path.clone(), error);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if names.len() >= MAX_DEPTH || len + name.len() > MAX_PATH {
                return Err(failed(io::Error::new(io::ErrorKind::InvalidFilename, "it lies too deep")));
            }
            if self.found.items.len() + self.found.skipped.len() >= MAX_ITEMS {
                return Err(failed(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "too many files for one command",
                )));
            }
            let names = [&names[..], &[name]].concat();
            let about = fs::symlink_metadata(&path).map_err(failed)?;
            if about.is_dir() {
                self.folder(&path, names)?;
            } else if about.is_file() {
                self.file(path, names, &about);
            } else if about.is_symlink() {
                self.link(path, names);
            } else {
                self.found.skipped.push(Skipped { path, why: Why::Special });
            }
        }
        if self.found.items.len() == before {
            self.add(path.to_owned(), names, What::Folder {}, id(&[b"folder"]));
        }
        Ok(())
    }

    /// A link to a file within the same folder is sent as that file.
    fn link(&mut self, path: PathBuf, names: Vec<String>) {
        let file = path.canonicalize().ok().filter(|file| file.starts_with(&self.top));
        let about = file.as_ref().and_then(|file| fs::metadata(file).ok()).filter(Metadata::is_file);
        match (file, about) {
            (Some(file), Some(about)) => self.file(file, names, &about),
            _ => self.found.skipped.push(Skipped { path, why: Why::Link }),
        }
    }

    fn file(&mut self, path: PathBuf, names: Vec<String>, about: &Metadata) {
        let modified = about.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let changed = modified.map_or(0, |since| since.as_nanos());
        let size = about.len();
        let key = id(&[
            b"file",
            path.as_os_str().as_encoded_bytes(),
            &size.to_be_bytes(),
            &changed.to_be_bytes(),
            names.join("/").as_bytes(),
        ]);
        let modified = modified.map(|since| since.as_secs());
        let what = What::File { size, modified, executable: is_executable(about) };
        self.add(path, names, what, key);
    }

    fn add(&mut self, path: PathBuf, names: Vec<String>, what: What, key: Id) {
        let (argument, root) = (self.argument, self.root);
        self.found.items.push(Item { argument, names, path, what, key, root });
    }
}

#[cfg(unix)]
fn is_executable(about: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

/// What a hash of all the parts begins with.
pub(crate) fn id(parts: &[&[u8]]) -> Id {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    Bin(id)
}

/// As much of a name as may be offered.
pub(crate) fn cut(name: &str) -> String {
    name[..name.floor_char_boundary(MAX_PATH / 2)].to_owned()
}

#[cfg(test)]
mod tests;
