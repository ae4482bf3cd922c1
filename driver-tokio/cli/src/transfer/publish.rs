//! The moment when a file that is whole gets its name.
//!
//! Never overwrites: neither a file that was there, nor one that appears in the meantime.

use super::name::split_extension;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Names that are tried, ` (1)` and on, before one gives up.
const MAX_NUMBER: u32 = 9999;

/// Gives a file, made durable, the name in that folder, or the first of `NAME (1)`, `NAME (2)` that is free.
/// Returns where it is. Its first name stays.
pub(crate) fn publish(part: &Path, folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = first_free(folder, name, |path| name_without_overwriting(part, path))?;
    sync_folder(folder);
    Ok(path)
}

/// A new folder of that name, or of the first of `NAME (1)`, `NAME (2)` that is free.
pub(crate) fn new_folder(folder: &Path, name: &str) -> io::Result<PathBuf> {
    first_free(folder, name, |path| fs::create_dir(path))
}

fn first_free(folder: &Path, name: &str, take: impl Fn(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    for number in 0..=MAX_NUMBER {
        let path = folder.join(numbered(name, number));
        match take(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of that name"))
}

/// A second name for the file: fails, whoever else is at work, where the name is taken.
fn name_without_overwriting(part: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(part, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            rename_without_overwriting(part, path).map_err(|_| error)
        }
        other => other,
    }
}

/// For file systems without hard links, such as FAT.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_without_overwriting(part: &Path, path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, part, CWD, path, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_without_overwriting(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `a.txt`, `a (1).txt`, `a (2).txt`.
fn numbered(name: &str, number: u32) -> String {
    let (stem, extension) = split_extension(name);
    match number {
        0 => name.to_owned(),
        number => format!("{stem} ({number}){extension}"),
    }
}

/// So that the name survives a power cut too. Where folders cannot be opened the file's own sync must do.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Publishes a file of these bytes, and removes its first name.
    fn publish_bytes(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let part = tempfile::NamedTempFile::new_in(folder).unwrap();
        fs::write(&part, bytes).unwrap();
        publish(part.path(), folder, name).unwrap()
    }

    #[test]
    fn a_name_that_is_taken_is_numbered_before_its_extension() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "mine").unwrap();
        publish_bytes(folder.path(), "a.txt", b"1");
        publish_bytes(folder.path(), "a.txt", b"2");
        new_folder(folder.path(), "b").unwrap();
        new_folder(folder.path(), "b").unwrap();
        publish_bytes(folder.path(), "b", b"3");
        assert_eq!(names(folder.path()), ["a (1).txt", "a (2).txt", "a.txt", "b", "b (1)", "b (2)"]);
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"mine");
    }

    #[cfg(unix)]
    #[test]
    fn a_dangling_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("elsewhere", folder.path().join("a")).unwrap();
        assert_eq!(publish_bytes(folder.path(), "a", b"x"), folder.path().join("a (1)"));
        assert_eq!(new_folder(folder.path(), "a").unwrap(), folder.path().join("a (2)"));
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn of_many_that_publish_one_name_at_once_each_gets_its_own() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8u8 {
                let folder = folder.path();
                scope.spawn(move || publish_bytes(folder, "a", &[n]));
            }
        });
        let mut bytes: Vec<_> =
            names(folder.path()).iter().map(|name| fs::read(folder.path().join(name)).unwrap()[0]).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    #[test]
    fn without_hard_links_a_rename_overwrites_nothing_either() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "a").unwrap();
        fs::write(&b, "b").unwrap();
        assert_eq!(rename_without_overwriting(&a, &b).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::remove_file(&b).unwrap();
        rename_without_overwriting(&a, &b).unwrap();
        assert_eq!(names(folder.path()), ["b"]);
    }
}
